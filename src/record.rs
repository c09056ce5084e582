//! Makes the API server hold a fact: one server-side apply that sends our own entry and nothing else.

mod activity;
mod coalesce;
mod doubt;

use futures::FutureExt;
use futures::future::BoxFuture;
use kube::api::{Patch, PatchParams};
use kube::core::Status;
use kube::{Api, Client, Resource};
use serde_json::{Value, json};

use crate::api::environment::{CHANGED_COMMAND, OLDER_ACTIVITY, OLDER_FACT};
use crate::api::{PreviewEnvironment, names};
use crate::domain::EnvironmentName;
use crate::intent::{CommandFact, Fact};

pub use activity::{Active, Activities};
pub use coalesce::Coalescing;
pub use doubt::doubt;

/// What became of a fact.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recorded {
    /// The API server holds it.
    Held,
    /// The API server holds a newer one.
    Older,
    /// The API server holds as many commands of that environment as it takes, and not this one.
    Full,
}

/// Why a fact is not held.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// The object is being deleted, so it holds nothing for long.
    #[error("cannot record {0}: the environment is being deleted")]
    Going(String),
    /// Somebody else wrote at the same moment.
    #[error("cannot record {0}: somebody else changed it at the same moment")]
    Conflict(String),
    /// The API server wants fewer requests.
    #[error("cannot record {0}: the API server asks to wait")]
    Throttled(String),
    /// The API server did not answer, or failed.
    #[error("cannot record {environment}: the API server is not available: {why}")]
    Unavailable {
        /// What was to be recorded.
        environment: String,
        /// What went wrong.
        why: String,
    },
    /// The API server does not want it, and will not until a person changes something.
    #[error("cannot record {environment}: the API server refuses it: {why}")]
    Refused {
        /// What was to be recorded.
        environment: String,
        /// The API server's message.
        why: String,
    },
    /// What is to be recorded is not valid, and will not be however often it is delivered.
    #[error("cannot record {environment}: the API server finds it invalid: {why}")]
    Invalid {
        /// What was to be recorded.
        environment: String,
        /// The API server's message.
        why: String,
    },
}

/// Where facts are recorded.
pub trait Recorder: Send + Sync {
    /// Ends once the fact is held, or with the reason why it is not.
    fn record<'a>(&'a self, fact: &'a Fact) -> BoxFuture<'a, Result<Recorded, RecordError>>;
    /// The same for a command.
    fn command<'a>(&'a self, command: &'a CommandFact) -> BoxFuture<'a, Result<Recorded, RecordError>>;
}

impl Recorder for Client {
    fn record<'a>(&'a self, fact: &'a Fact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        record(self, fact).boxed()
    }

    fn command<'a>(&'a self, command: &'a CommandFact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        record_command(self, command).boxed()
    }
}

/// Records a fact with one request and no GET before it. The client must not retry by itself: its waits are longer
/// than a forge waits for us.
pub async fn record(client: &Client, fact: &Fact) -> Result<Recorded, RecordError> {
    let manager = names::manager_source(fact.source.forge.as_str(), fact.source.repository_id);
    let entry = serde_json::to_value(&fact.source).map_err(|why| unwritable(fact.display(), &why))?;
    let spec = json!({"baseline": fact.baseline, "sources": [entry]});
    apply(client, (&fact.baseline_namespace, &fact.environment), &manager, spec).await
}

/// Records a command in the same way. Doing it twice is doing it once.
pub async fn record_command(client: &Client, fact: &CommandFact) -> Result<Recorded, RecordError> {
    let manager = names::manager_command(&fact.command.id);
    let entry = serde_json::to_value(&fact.command).map_err(|why| unwritable(fact.display(), &why))?;
    let spec = json!({"baseline": fact.baseline, "commands": [entry]});
    apply(client, (&fact.baseline_namespace, &fact.environment), &manager, spec).await
}

fn unwritable(environment: String, why: &serde_json::Error) -> RecordError {
    RecordError::Invalid { environment, why: why.to_string() }
}

async fn apply(client: &Client, (namespace, name): (&str, &EnvironmentName), manager: &str, spec: Value) -> Result<Recorded, RecordError> {
    let environments: Api<PreviewEnvironment> = Api::namespaced(client.clone(), namespace);
    let object = object((namespace, name), &spec);
    let display = format!("{namespace}/{name}");
    // Of the answer only the metadata matters, and that can be read whatever else the object holds.
    match environments.patch_metadata(name.as_str(), &PatchParams::apply(manager).force(), &Patch::Apply(&object)).await {
        Ok(answer) if answer.metadata.deletion_timestamp.is_some() => Err(RecordError::Going(display)),
        Ok(_) => Ok(Recorded::Held),
        Err(error) => refusal(display, error),
    }
}

/// Exactly what this manager owns: whatever else is sent would be taken from its owners. The finalizer is owned by all
/// who write facts.
fn object((namespace, name): (&str, &EnvironmentName), spec: &Value) -> Value {
    json!({
        "apiVersion": PreviewEnvironment::api_version(&()),
        "kind": PreviewEnvironment::kind(&()),
        // Held from the first moment on, without a request for it.
        "metadata": {"name": name.as_str(), "namespace": namespace, "finalizers": [names::FINALIZER]},
        "spec": spec,
    })
}

fn refusal(environment: String, error: kube::Error) -> Result<Recorded, RecordError> {
    let status = match error {
        kube::Error::Api(status) => status,
        other => return Err(RecordError::Unavailable { environment, why: other.to_string() }),
    };
    let why = status.message.clone();
    match status.code {
        422 if is_nothing_but(&status, OLDER_FACT) || is_nothing_but(&status, OLDER_ACTIVITY) => Ok(Recorded::Older),
        // Of a pressed button only we know the time, and a delivery that comes again comes later. What was held first counts.
        422 if is_nothing_but(&status, CHANGED_COMMAND) => Ok(Recorded::Held),
        422 if is_full(&status) => Ok(Recorded::Full),
        422 if is_going(&status) => Err(RecordError::Going(environment)),
        409 => Err(RecordError::Conflict(environment)),
        429 => Err(RecordError::Throttled(environment)),
        400 | 422 => Err(RecordError::Invalid { environment, why }),
        500.. => Err(RecordError::Unavailable { environment, why }),
        _ => Err(RecordError::Refused { environment, why }),
    }
}

/// Whether that rule of the schema is all that speaks against it.
fn is_nothing_but(status: &Status, rule: &str) -> bool {
    let causes = status.details.as_ref().map(|d| d.causes.as_slice()).unwrap_or_default();
    if causes.is_empty() { status.message.contains(rule) } else { causes.iter().all(|c| c.message.contains(rule)) }
}

/// Whether the environment holds as many commands as the schema lets it.
fn is_full(status: &Status) -> bool {
    let too_many = |field: &str, message: &str| field == "spec.commands" && message.contains("Too many");
    let causes = status.details.as_ref().map(|d| d.causes.as_slice()).unwrap_or_default();
    causes.iter().any(|c| too_many(&c.field, &c.message)) || causes.is_empty() && status.message.contains("spec.commands: Too many")
}

/// Whether the object is being deleted and already without our finalizer, which others hold up: the API server takes no
/// new finalizer then (`ValidateObjectMetaUpdate` in k8s.io/apimachinery).
fn is_going(status: &Status) -> bool {
    status.message.contains("metadata.finalizers") && status.message.contains("if the object is being deleted")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Source;
    use crate::domain::EnvironmentName;
    use kube::core::response::{StatusCause, StatusDetails};

    pub(super) fn fact() -> Fact {
        let source: Source = serde_json::from_value(json!({
            "forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open",
            "revision": "a".repeat(40), "observedAt": "2026-01-02T03:04:05Z",
        }))
        .unwrap();
        Fact { baseline_namespace: "shop".into(), baseline: "main".into(), environment: EnvironmentName::recorded("web-pr-42"), source }
    }

    #[test]
    fn only_what_we_own_is_sent() {
        let expected = json!({
            "apiVersion": "preview-env.dev/v1alpha1",
            "kind": "PreviewEnvironment",
            "metadata": {"name": "web-pr-42", "namespace": "shop", "finalizers": ["preview-env.dev/clean-up"]},
            "spec": {"baseline": "main", "sources": [{
                "forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open",
                "revision": "a".repeat(40), "observedAt": "2026-01-02T03:04:05Z", "draft": false,
            }]},
        });
        let (fact, source) = (fact(), serde_json::to_value(fact().source).unwrap());
        let spec = json!({"baseline": fact.baseline, "sources": [source]});
        assert_eq!(object((&fact.baseline_namespace, &fact.environment), &spec), expected);
    }

    fn answered(code: u16, message: &str, causes: &[&str]) -> Result<Recorded, RecordError> {
        let causes = causes.iter().map(|m| StatusCause { message: (*m).to_owned(), reason: String::new(), field: String::new() });
        let mut details: StatusDetails = serde_json::from_value(json!({})).unwrap();
        details.causes.extend(causes);
        let status = Status::failure(message, "").with_code(code).with_details(details);
        refusal("shop/web-pr-42".into(), kube::Error::Api(status.boxed()))
    }

    #[test]
    fn every_answer_has_a_meaning() {
        let name = || "shop/web-pr-42".to_owned();
        let older = format!("Invalid value: {OLDER_FACT}");
        assert_eq!(answered(422, "is invalid", &[&older]), Ok(Recorded::Older));
        assert_eq!(answered(422, &older, &[]), Ok(Recorded::Older));
        assert_eq!(answered(422, "is invalid", &[OLDER_ACTIVITY]), Ok(Recorded::Older));
        assert!(matches!(answered(422, "is invalid", &[&older, "baseline: cannot be changed"]), Err(RecordError::Invalid { .. })));
        let changed = format!("Invalid value: {CHANGED_COMMAND}");
        assert_eq!(answered(422, "is invalid", &[&changed]), Ok(Recorded::Held), "a press that is delivered again is held");
        assert!(matches!(answered(422, "is invalid", &[&changed, &older]), Err(RecordError::Invalid { .. })));
        let going = r#"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"preview-env.dev/clean-up"}"#;
        assert_eq!(answered(422, going, &[]), Err(RecordError::Going(name())));
        assert_eq!(answered(422, "is invalid: spec.commands: Too many: 101: must have at most 100 items", &[]), Ok(Recorded::Full));
        assert_eq!(answered(409, "", &[]), Err(RecordError::Conflict(name())));
        assert_eq!(answered(429, "", &[]), Err(RecordError::Throttled(name())));
        assert!(matches!(answered(503, "", &[]), Err(RecordError::Unavailable { .. })));
        let refused = answered(403, "forbidden: may not patch", &[]).unwrap_err();
        assert_eq!(refused.to_string(), "cannot record shop/web-pr-42: the API server refuses it: forbidden: may not patch");
        let away = refusal(name(), kube::Error::LinesCodecMaxLineLengthExceeded);
        assert!(matches!(away, Err(RecordError::Unavailable { .. })));
    }
}
