//! Rounds over all environments: is everything still there of the kinds that no watch follows? The client is used here.
//!
//! Of ConfigMaps, ServiceAccounts and the like there are too many to watch, and of Secrets the service may read none. So one
//! environment after the other is looked over, at a pace that does not grow with their number (`turns`). What is missing is
//! noted, and the environment's own pass brings it back as it does for what the watches follow.

mod hints;
mod questions;
mod turns;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use tokio::time::Instant;

pub(super) use self::hints::names_what_is_gone;
use self::questions::{Question, questions};
use self::turns::Turns;
use super::recorded::Recorded;
use super::requests::{self, Place, RequestError};
use super::{Context, apply, namespace};
use crate::api::PreviewEnvironment;
use crate::api::conditions::{WANTED, is_true};
use crate::domain::Environment;
use crate::plan::ObjectName;

/// How often it is looked whose turn it is.
const TICK: Duration = Duration::from_secs(1);

/// What was found missing, and who is to be looked over before the others.
#[derive(Debug, Default)]
pub struct Rounds {
    inner: Mutex<Inner>,
}

/// Both by the environment's UID.
#[derive(Debug, Default)]
struct Inner {
    missing: HashMap<String, HashSet<ObjectName>>,
    hurried: HashSet<String>,
}

impl Rounds {
    fn lock<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether an object was missing when its environment was last looked over, and was not applied since.
    pub fn misses(&self, uid: &str, object: &ObjectName) -> bool {
        self.lock(|i| i.missing.get(uid).is_some_and(|missing| missing.contains(object)))
    }

    /// Records what is missing, which is not nothing.
    fn note(&self, uid: &str, missing: HashSet<ObjectName>) {
        self.lock(|i| i.missing.insert(uid.to_owned(), missing));
    }

    /// What was missing was applied.
    pub fn settle(&self, uid: &str) {
        self.lock(|i| i.missing.remove(uid));
    }

    /// Has an environment looked over before the others: something in it fails as if an object were gone.
    pub fn hurry(&self, uid: &str) {
        self.lock(|i| i.hurried.insert(uid.to_owned()));
    }

    /// Forgets an environment that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock(|i| {
            i.missing.remove(uid);
            i.hurried.remove(uid);
        });
    }
}

/// Goes round until it is dropped. It starts over with each start, and nothing is asked before an environment was known for
/// the time of a round.
pub(super) async fn run(context: Arc<Context>) {
    let mut turns = Turns::new(context.config.look_over_every, Instant::now());
    let mut ticks = tokio::time::interval(TICK.min(context.config.look_over_every / 20));
    loop {
        ticks.tick().await;
        let all = context.environments.state();
        let uids = all.iter().filter_map(|object| object.metadata.uid.as_deref());
        let now = Instant::now();
        let next = context.rounds.lock(|i| {
            let uid = turns.next(uids, &i.hurried, now)?;
            i.hurried.remove(&uid);
            Some(uid)
        });
        let Some(uid) = next else { continue };
        let Some(object) = all.iter().find(|object| object.metadata.uid.as_ref() == Some(&uid)) else { continue };
        let requests = look_over(&context, object, &uid).await;
        turns.looked(uid, requests, Instant::now());
    }
}

/// Looks one environment over, and says how many requests that took.
async fn look_over(context: &Context, object: &PreviewEnvironment, uid: &str) -> u32 {
    let recorded = context.memory.recall(object);
    let Some(namespace) = at_rest(context, object, &recorded) else { return 0 };
    let unfollowed = recorded.status.inventory.iter().map(apply::object_name).filter(|o| !apply::is_followed(context, o));
    let (mut requests, mut missing, mut refusal) = (0, HashSet::new(), None);
    for question in questions(unfollowed, |object| context.baselines.discovery.kind_of(object)) {
        requests += 1;
        match ask(context, &question, (namespace, uid)).await {
            Ok(found) => missing.extend(found),
            Err(error) if error.lacks_rights() => refusal = Some(error),
            Err(error) => {
                if error.is_transient() {
                    tracing::debug!(env = %object.name_any(), %error, "it is not known whether everything is still there");
                    break;
                }
                // Such as an admission webhook that takes no dry run: nothing of the kind comes back until somebody mends that.
                tracing::warn!(env = %object.name_any(), %error, "it is not known whether everything is still there");
            }
        }
    }
    if let Some(refusal) = refusal {
        requests += 1;
        give_rights_back(context, object, namespace, &refusal).await;
    }
    // What a pass did meanwhile it knows better.
    if !missing.is_empty() && context.memory.recall(object).written_at == recorded.written_at {
        let mut names: Vec<String> = missing.iter().map(ToString::to_string).collect();
        names.sort();
        tracing::info!(env = %object.name_any(), namespace, missing = names.join(", "), "objects are missing that were applied");
        context.rounds.note(uid, missing);
        context.wake.environment(&object.namespace().unwrap_or_default(), &object.name_any());
    }
    requests
}

/// The namespace of an environment that stays and that nothing is being done about, by its record.
fn at_rest<'a>(context: &Context, object: &PreviewEnvironment, recorded: &'a Recorded) -> Option<&'a str> {
    let status = &recorded.status;
    let stays = object.metadata.deletion_timestamp.is_none() && is_true(&status.conditions, WANTED);
    let is_whole = status.plan_digest.is_some() && !recorded.is_incomplete();
    let namespace = status.namespace.as_deref().filter(|_| stays && is_whole)?;
    let seen = context.index.namespace(namespace)?;
    (Some(&seen.environment_uid) == object.metadata.uid.as_ref() && !seen.terminating).then_some(namespace)
}

/// The objects that an answer does not find.
async fn ask(context: &Context, question: &Question, (namespace, uid): (&str, &str)) -> Result<Vec<ObjectName>, RequestError> {
    let _permit = context.permits.acquire().await;
    match question {
        Question::Names { kind, objects } => {
            let names = requests::names(&context.client, Place { kind, namespace }, uid).await?;
            Ok(objects.iter().filter(|object| !names.contains(&object.name)).cloned().collect())
        }
        Question::One { kind, object } => {
            let is_there = requests::is_there(&context.client, Place { kind, namespace }, &object.name, uid).await?;
            Ok((!is_there).then(|| object.clone()).into_iter().collect())
        }
    }
}

/// Where the service has no rights in an environment, the RoleBinding that gives them may be what somebody deleted.
async fn give_rights_back(context: &Context, object: &PreviewEnvironment, namespace: &str, refusal: &RequestError) {
    let Ok(environment) = Environment::try_from(object) else { return };
    match namespace::bind(context, &environment, namespace).await {
        Ok(true) => {
            tracing::info!(env = %environment.name, namespace, "somebody deleted the service's RoleBinding, and it is made again");
            context.metrics.mended((&environment.baseline_namespace, &environment.baseline), 1);
            context.rounds.hurry(&environment.uid);
        }
        // An older deploy/rbac.yaml than this program's.
        Ok(false) => tracing::warn!(env = %environment.name, error = %refusal, "whether everything is still there cannot be asked"),
        Err(error) => tracing::warn!(env = %environment.name, %error, "the service has lost its rights in a namespace"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str) -> ObjectName {
        ObjectName { api_version: "v1".into(), kind: "ConfigMap".into(), name: name.into() }
    }

    #[test]
    fn what_is_missing_is_known_until_it_was_applied() {
        let rounds = Rounds::default();
        rounds.note("u-1", HashSet::from([object("settings")]));
        assert!(rounds.misses("u-1", &object("settings")));
        assert!(!rounds.misses("u-1", &object("other")) && !rounds.misses("u-2", &object("settings")));
        rounds.settle("u-1");
        assert!(!rounds.misses("u-1", &object("settings")));
    }
}
