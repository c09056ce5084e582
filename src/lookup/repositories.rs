//! What the forge knows of the repositories themselves: their numbers, names and privacy for the Baselines, and whether we
//! may still see them. What was taken from us for good ends its environments, like the forge's own word for it does.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kube::runtime::reflector::Store;
use tokio::time::Instant;

use super::Context;
use crate::api::PreviewEnvironment;
use crate::controller::repositories::{Found, Key};
use crate::domain::Baseline;
use crate::domain::baseline::Repository;
use crate::forge::event::Event;
use crate::forge::{Access, Forge, ForgeError};
use crate::intent::{About, Existing, Intent, decide};

/// How often it is looked for Baselines that are new.
const LOOK: Duration = Duration::from_secs(5);
/// How long an answer holds.
const LIFE: Duration = Duration::from_secs(600);
/// How long a failure is left alone.
const PAUSE: Duration = Duration::from_secs(60);

/// Asks about every repository that a Baseline lists, from time to time. Runs until it is dropped.
pub(super) async fn follow(context: &Context, store: &Store<PreviewEnvironment>) {
    let Some(forge) = &context.forge else { return };
    let mut due: HashMap<Key, Instant> = HashMap::new();
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        let baselines = context.baselines.all().unwrap_or_default();
        let listed = baselines.iter().flat_map(|b| b.repositories.iter().map(move |r| (Key::of(b, r), b, r)));
        let listed: Vec<_> = listed.collect();
        due.retain(|key, _| listed.iter().any(|(known, ..)| known == key));
        for (key, baseline, repository) in listed {
            if due.get(&key).is_some_and(|at| *at > Instant::now()) {
                continue;
            }
            let pause = look_at(context, forge.as_ref(), (baseline, repository), store).await;
            due.insert(key, Instant::now() + pause);
        }
    }
}

/// Asks about one repository, and says when to ask again.
async fn look_at(
    context: &Context,
    forge: &dyn Forge,
    (baseline, repository): (&Arc<Baseline>, &Repository),
    store: &Store<PreviewEnvironment>,
) -> Duration {
    match forge.repository(repository.current()).await {
        Ok(facts) => {
            if context.baselines.repositories.put(Key::of(baseline, repository), Found::of(facts)) {
                context.baselines.changed.notify_one();
            }
            LIFE
        }
        Err(ForgeError::NotFound(_) | ForgeError::Refused { .. }) => {
            end_what_was_taken(context, forge, repository, store).await;
            PAUSE
        }
        Err(ForgeError::Unsupported(_)) => LIFE,
        Err(error) => {
            tracing::debug!(repo = %repository.name, %error, "the forge said nothing of a repository");
            PAUSE
        }
    }
}

/// Ends the environments of a repository that was taken from us for good. A forge that only does not answer ends nothing.
async fn end_what_was_taken(context: &Context, forge: &dyn Forge, repository: &Repository, store: &Store<PreviewEnvironment>) {
    let Some(id) = repository.id else { return };
    match forge.access(repository.current()).await {
        Ok(Access::Revoked) => {}
        Ok(Access::Granted) => return,
        Err(error) => return tracing::debug!(repo = %repository.name, %error, "whether a repository may be seen is not known"),
    }
    let event = Event::Gone {
        forge: repository.forge,
        repositories: vec![id],
        why: format!("{} was taken from this service: the App was uninstalled, or the repository deleted", repository.name),
    };
    let Some(about) = About::of(&event) else { return };
    let existing: Vec<Existing> = store.state().iter().flat_map(|object| Existing::of(object, &about)).collect();
    let Intent::Record(facts) = decide(&event, &[], &existing) else { return };
    tracing::warn!(repo = %repository.name, environments = facts.len(), "the repository may not be seen any more, and its environments end");
    for fact in &facts {
        if let Err(error) = context.recorder.record(fact).await {
            tracing::warn!(env = fact.display(), %error, "the end of a repository was not recorded and is looked for again");
        }
    }
}
