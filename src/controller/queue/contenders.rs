//! Who has a place and who wants one, out of what is recorded and what the watches saw. No client, no clock, no logging.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::super::Context;
use super::super::settle::life::last_used;
use super::super::settle::{Before, Course, settle};
use super::order::{Contender, Stand};
use crate::api::baseline::Evict;
use crate::api::{PreviewEnvironment, PreviewEnvironmentStatus};
use crate::domain::{Baseline, Environment};

/// One environment as it contends, with what it is called.
#[derive(Debug)]
pub(super) struct Seen {
    uid: String,
    name: String,
    author: Option<String>,
    stand: Stand,
}

impl Seen {
    pub(super) fn contender(&self) -> Contender<'_> {
        Contender { uid: &self.uid, name: &self.name, author: self.author.as_deref(), stand: self.stand }
    }
}

/// The environments of a Baseline, by name.
pub(super) fn of(context: &Context, namespace: &str, baseline: &str) -> Vec<(String, Arc<PreviewEnvironment>)> {
    let is_of = |object: &PreviewEnvironment| object.metadata.namespace.as_deref() == Some(namespace) && object.spec.baseline == baseline;
    let objects = context.environments.state_filter(is_of);
    objects.into_iter().map(|object| (object.metadata.name.clone().unwrap_or_default(), object)).collect()
}

/// Everybody who has a place or wants one. `places` are those that were given away.
pub(super) fn read(context: &Context, baseline: &Baseline, places: &HashSet<String>, now: DateTime<Utc>) -> Vec<Seen> {
    let standing = context.index.standing();
    let seen = |(name, object): (String, Arc<PreviewEnvironment>)| {
        let uid = object.metadata.uid.clone().unwrap_or_default();
        let is_recorded = context.memory.look(&object, |status| status.is_some_and(|s| s.namespace.is_some()));
        let has_place = places.contains(&uid) || standing.get(&uid).copied().unwrap_or(is_recorded);
        let is_sure = standing.get(&uid).copied().unwrap_or(places.contains(&uid));
        let stand = match (has_place, is_sure, baseline.limits.evict) {
            (true, true, Evict::Never) => Stand::Runs(None),
            (true, sure, _) => holding(context, baseline, &object, now).unwrap_or(if sure { Stand::Goes } else { return None }),
            (false, ..) => waiting(context, baseline, &object, now)?,
        };
        Some(Seen { uid, name, author: author_of(&object), stand })
    };
    of(context, &baseline.namespace, &baseline.name).into_iter().filter_map(seen).collect()
}

/// How one with a place stands, if it is wanted; one that cannot be read stays as it is.
fn holding(context: &Context, baseline: &Baseline, object: &PreviewEnvironment, now: DateTime<Utc>) -> Option<Stand> {
    let Ok(environment) = Environment::try_from(object) else { return Some(Stand::Runs(None)) };
    let recorded = context.memory.recall(object);
    let before = Before { time_is_unsure: !context.clock.is_sure(), ..Before::of(&recorded.status) };
    let settled = settle(&environment, Some(baseline), &before, now);
    match settled.course {
        Course::TakeDown | Course::Remove => None,
        Course::Wait => Some(Stand::Runs(None)),
        Course::Run => Some(Stand::Runs(unused_since(&environment, &recorded.status, now))),
    }
}

/// How one without a place stands, if it wants one.
fn waiting(context: &Context, baseline: &Baseline, object: &PreviewEnvironment, now: DateTime<Utc>) -> Option<Stand> {
    let environment = Environment::try_from(object).ok()?;
    let recorded = context.memory.recall(object);
    let before = Before { time_is_unsure: !context.clock.is_sure(), ..Before::of(&recorded.status) };
    let settled = settle(&environment, Some(baseline), &before, now);
    (settled.course == Course::Run).then(|| Stand::Waits(since(&environment, &recorded.status, now)))
}

/// Since when an environment waits: as recorded, else since what made it want a place.
pub(super) fn since(environment: &Environment, status: &PreviewEnvironmentStatus, now: DateTime<Utc>) -> DateTime<Utc> {
    let asked = environment.last_activity(now).max(environment.created_at);
    status.queue.as_ref().map(|queue| queue.since).or(asked).unwrap_or(now)
}

/// Since when nothing has happened to an environment; nothing where it is not to give way, since somebody asked for it to
/// stay.
fn unused_since(environment: &Environment, status: &PreviewEnvironmentStatus, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let is_kept = status.pinned == Some(true) || environment.extended_until.is_some_and(|until| until > now);
    last_used(environment, status.started_at, now).filter(|_| !is_kept)
}

/// Whose environment it is, for what cannot be read too. Forges tell no capitals apart in names, so one person is one author however
/// somebody wrote the name.
fn author_of(object: &PreviewEnvironment) -> Option<String> {
    let author = object.spec.sources.first().and_then(|source| source.author.as_ref());
    author.or_else(|| object.spec.wish.as_ref().map(|wish| &wish.actor)).map(|name| name.to_lowercase())
}
