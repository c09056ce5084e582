//! What an environment records of what the forge shows: `status.feedback` and the condition about it, and nothing else.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::group::{condition, recorded};
use crate::api::conditions::{ConditionStatus, Observation};
use crate::api::status::Feedback;
use crate::api::{PreviewEnvironment, names};
use crate::clock::Clock;

/// How long the API server may take to answer. The client itself waits for ever.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How a delivery ended, for the record of one environment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// What the forge shows, and what it refuses.
    pub feedback: Feedback,
    /// `FeedbackDelivered`.
    pub observation: Observation,
}

impl Report {
    /// Whether it says that everything is shown.
    pub fn is_delivered(&self) -> bool {
        self.observation.status == ConditionStatus::True
    }

    /// Whether that is what the environment records already.
    pub fn is_recorded_by(&self, member: &PreviewEnvironment) -> bool {
        let said = &self.observation;
        let same =
            |c: &crate::api::conditions::Condition| (c.status, &*c.reason, &*c.message) == (said.status, said.reason, &*said.message);
        recorded(member) == Some(&self.feedback) && condition(member).is_some_and(same)
    }
}

/// Why a record was not written.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The API server said no, or could not be reached.
    #[error("cannot write status.feedback of {name}: {why}")]
    Refused {
        /// The environment.
        name: String,
        /// The API server's answer.
        why: Box<kube::Error>,
    },
    /// No answer came in time.
    #[error("cannot write status.feedback of {0}: the API server does not answer")]
    Late(String),
}

/// Where records are kept.
pub trait Statuses: Send + Sync {
    /// Writes the record of one environment. It is no failure if the environment is not there any more.
    fn write<'a>(&'a self, member: &'a PreviewEnvironment, report: &'a Report) -> BoxFuture<'a, Result<(), StatusError>>;
}

/// Records in the cluster, by server-side apply under a manager of our own.
pub struct ClusterStatuses {
    client: Client,
    clock: Clock,
}

impl ClusterStatuses {
    /// Over that client, dated by that clock.
    pub fn new(client: Client, clock: Clock) -> Self {
        Self { client, clock }
    }

    async fn apply(&self, member: &PreviewEnvironment, report: &Report) -> Result<(), StatusError> {
        let api: Api<PreviewEnvironment> = Api::namespaced(self.client.clone(), &member.namespace().unwrap_or_default());
        let (name, body) = (member.name_any(), Patch::Apply(patch(member, report, self.clock.now())));
        let parameters = PatchParams::apply(names::MANAGER_FEEDBACK).force();
        let answer = tokio::time::timeout(ANSWER_WITHIN, api.patch_status(&name, &parameters, &body)).await;
        match answer {
            Err(_) => Err(StatusError::Late(name)),
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() => Ok(()),
            Ok(Err(why)) => Err(StatusError::Refused { name, why: Box::new(why) }),
            Ok(Ok(_)) => Ok(()),
        }
    }
}

impl Statuses for ClusterStatuses {
    fn write<'a>(&'a self, member: &'a PreviewEnvironment, report: &'a Report) -> BoxFuture<'a, Result<(), StatusError>> {
        Box::pin(self.apply(member, report))
    }
}

/// The server-side apply of a record: the two things that are ours. No UID: the API server does not look at it in a
/// write to the status, and an environment made again under the same name is for the same pull request, of whose
/// comment this is as true.
pub fn patch(member: &PreviewEnvironment, report: &Report, now: DateTime<Utc>) -> Value {
    let before = member.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let condition = report.observation.clone().dated(before, member.metadata.generation, now);
    json!({
        "apiVersion": <PreviewEnvironment as kube::Resource>::api_version(&()),
        "kind": <PreviewEnvironment as kube::Resource>::kind(&()),
        "metadata": {"name": member.name_any(), "namespace": member.namespace()},
        "status": {"feedback": report.feedback, "conditions": [condition]},
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use chrono::TimeDelta;
    use kube::CustomResourceExt;
    use kube::client::Body;

    use super::*;
    use crate::api::conditions::FEEDBACK_DELIVERED;
    use crate::clock;

    fn member() -> PreviewEnvironment {
        let mut member = PreviewEnvironment::new("web-pr-42", serde_json::from_value(json!({"baseline": "shop"})).unwrap());
        (member.metadata.namespace, member.metadata.uid) = (Some("shop".into()), Some("uid-1".into()));
        member
    }

    /// This machine's clock is a year behind.
    #[tokio::test]
    async fn a_record_is_dated_by_the_api_servers_clock() {
        let (there, sent) = (Utc::now() + TimeDelta::days(365), Arc::new(Mutex::new(Value::Null)));
        let heard = Arc::clone(&sent);
        let answer = move |request: http::Request<Body>| {
            let heard = Arc::clone(&heard);
            async move {
                let body = request.into_body().collect_bytes().await?;
                *heard.lock().unwrap() = serde_json::from_slice(&body).unwrap();
                Ok::<_, kube::Error>(http::Response::new(Body::from(serde_json::to_vec(&member()).unwrap())))
            }
        };
        let statuses = ClusterStatuses::new(Client::new(tower::service_fn(answer), "shop"), clock::tests::told(there));
        let observation = Observation::new(FEEDBACK_DELIVERED, true, "Delivered", "It shows.");
        statuses.write(&member(), &Report { feedback: Feedback::default(), observation }).await.unwrap();
        let dated = sent.lock().unwrap()["status"]["conditions"][0]["lastTransitionTime"].clone();
        let dated: DateTime<Utc> = serde_json::from_value(dated).unwrap();
        assert!((dated - there).abs() < TimeDelta::minutes(1), "{dated}");
    }

    #[test]
    fn only_our_two_things_are_applied() {
        let observation = Observation::new(FEEDBACK_DELIVERED, true, "Delivered", "It shows.");
        let report = Report { feedback: Feedback { comment_id: Some(9), digest: Some("d".into()), ..Feedback::default() }, observation };
        let body = patch(&member(), &report, DateTime::from_timestamp(1_000, 0).unwrap());
        insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap());
        assert!(!report.is_recorded_by(&member()));
    }

    #[test]
    fn several_managers_can_hold_conditions_of_their_own() {
        let crd = serde_json::to_value(PreviewEnvironment::crd()).unwrap();
        let status = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
        let conditions = crd.pointer(&format!("{status}/conditions")).unwrap();
        assert_eq!(conditions["x-kubernetes-list-type"], "map");
        assert_eq!(conditions["x-kubernetes-list-map-keys"], json!(["type"]));
        assert!(crd.pointer(&format!("{status}/feedback/x-kubernetes-map-type")).is_none());
    }
}
