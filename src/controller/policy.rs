//! Follows the PreviewPolicies of the cluster. The client is used here.
//!
//! A policy that cannot be read is one that nobody knows the limits of, so it allows nothing; and before the first list
//! nothing is begun, since a ceiling that comes late is none.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use kube::core::DeserializeGuard;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};

use super::Context;
use crate::api::PreviewPolicy;
use crate::domain::Policy;

type Guarded = DeserializeGuard<PreviewPolicy>;
type Policies = BTreeMap<String, Arc<Policy>>;

/// Follows them until it is dropped.
pub async fn follow(context: Arc<Context>) {
    let api: Api<Guarded> = Api::all(context.client.clone());
    let mut events = Box::pin(watcher(api, watcher::Config::default()).default_backoff());
    let (mut known, mut fresh) = (Policies::new(), Policies::new());
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if take(event, &mut known, &mut fresh) {
                    context.baselines.set_policies(known.values().cloned().collect());
                }
            }
            Err(error) => {
                tracing::warn!(%error, "PreviewPolicies cannot be watched; what was known of them holds");
                context.baselines.policies_failed(&error.to_string());
            }
        }
    }
}

/// Whether what is known is complete, and may be new.
fn take(event: watcher::Event<Guarded>, known: &mut Policies, fresh: &mut Policies) -> bool {
    let is_complete = !matches!(event, watcher::Event::Init | watcher::Event::InitApply(_));
    match event {
        watcher::Event::Init => fresh.clear(),
        watcher::Event::InitApply(object) => drop(fresh.insert(object.name_any(), read(&object))),
        watcher::Event::InitDone => *known = std::mem::take(fresh),
        watcher::Event::Apply(object) => drop(known.insert(object.name_any(), read(&object))),
        watcher::Event::Delete(object) => drop(known.remove(&object.name_any())),
    }
    is_complete
}

fn read(object: &Guarded) -> Arc<Policy> {
    let policy = match &object.0 {
        Ok(policy) => Policy::read(policy),
        Err(invalid) => Policy::unreadable(&object.name_any(), &invalid.error),
    };
    if let Err(why) = &policy.ceilings {
        tracing::warn!(policy = policy.name, why, "a PreviewPolicy cannot be read, so it allows nothing");
    }
    Arc::new(policy)
}
