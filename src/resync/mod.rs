//! Finds again what no delivery told us, by listing: open pull requests, branches, and comments, with conditional requests,
//! so that a round in which nothing happened costs nothing. Each finding becomes an event and goes the same way as a
//! delivery does: decide, record.
//!
//! Without a webhook this is the only way (`--poll`). Nothing ends because it is missing from a list: the forge is asked
//! for that one pull request or branch; and where many have ended at once, the brake holds them (`brake/`).

mod activity;
pub mod brake;
mod deliveries;
mod ends;
mod find;
mod left;
mod news;
mod repositories;
pub mod soon;
mod turn;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::brake::Brake;
use self::deliveries::Missed;
use self::ends::Ends;
pub(crate) use self::find::NOBODY;
use self::left::Left;
use self::repositories::{Listed, listed};
use self::soon::{Place, Soon};
use crate::clock::{AHEAD, Clock};
use crate::commands::heard::Heard;
use crate::controller::requests::RequestError;
use crate::domain::Baseline;
use crate::forge::event::Event;
use crate::forge::{Forge, ForgeError};
use crate::intent::{self, About, CommandFact, Existing, Fact, Intent, active, times};
use crate::metrics::Metrics;
use crate::record::{Activities, RecordError, Recorded, Recorder};
use crate::server::{Baselines, Environments};

/// How far back comments are read after a start, at least. What was carried out since is known by its results, and where these are
/// gone, by when the pull request was closed or reopened and by our own sign on the comment: the pass over commands asks
/// (`commands/who.rs`).
const COMMENTS_BACK: TimeDelta = TimeDelta::hours(24);
/// How far back they are read at most, however long nobody looked. Whoever wrote a command longer ago has long seen that nothing
/// came of it.
const COMMENTS_BACK_MOST: TimeDelta = TimeDelta::days(7);
/// How long before its last sign of life whoever led may have looked last, in vain or by another clock.
const LOOKED_BEFORE: TimeDelta = TimeDelta::hours(1);
/// How far back failed deliveries are asked for after a start. GitHub keeps them for three days ("Redelivering webhooks").
const DELIVERIES_BACK: TimeDelta = TimeDelta::days(3);

/// What resyncing works with.
pub struct Context {
    /// Who is asked.
    pub forge: Arc<dyn Forge>,
    /// The Baselines that there are.
    pub baselines: Arc<dyn Baselines>,
    /// The environments that there are.
    pub environments: Arc<dyn Environments>,
    /// Where facts and commands are recorded.
    pub recorder: Arc<dyn Recorder>,
    /// Which commands have ended already, whatever became of the objects that held them.
    pub heard: Arc<Heard>,
    /// Where it is recorded that somebody did something.
    pub activities: Arc<dyn Activities>,
    /// Says which of the ends that were found may be recorded.
    pub brake: Arc<dyn Brake>,
    /// Where something seems to have ended, so that it is looked for at once.
    pub soon: Arc<Soon>,
    /// Told when somebody confirmed what is held, for all others who hold something.
    pub confirmed: Arc<Notify>,
    /// Where rounds are counted.
    pub metrics: Metrics,
    /// The API server's time, which nothing that is recorded is later than.
    pub clock: Clock,
}

/// Why a round did not see everything of a repository. The next one asks for it again.
#[derive(Debug, thiserror::Error)]
pub enum ResyncError {
    /// The forge said no, or nothing.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// What was found could not be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What may be removed could not be recorded, so nothing is.
    #[error(transparent)]
    Brake(#[from] RequestError),
    /// The environment holds as many commands as it takes.
    #[error("cannot record {0}: it holds as many commands as it takes")]
    Full(String),
}

/// What is remembered from round to round.
pub struct Resync {
    context: Context,
    seen: HashMap<Listed, find::Seen>,
    missed: Missed,
    /// Until when somebody looked before, until the first look is taken.
    away_since: Option<DateTime<Utc>>,
    /// How far its rounds are apart.
    every: TimeDelta,
}

impl Resync {
    /// Nothing was seen yet. `now` is when the service started.
    pub fn new(context: Context, now: DateTime<Utc>) -> Self {
        Self { context, seen: HashMap::new(), missed: Missed::new(now - DELIVERIES_BACK), away_since: None, every: TimeDelta::zero() }
    }

    /// The same where somebody looked until then. The first look goes back as far, where that is more than a day and up to
    /// a week.
    pub fn away_since(self, away_since: Option<DateTime<Utc>>) -> Self {
        Self { away_since, ..self }
    }

    /// The same with a round every so often, as whoever looked before had them.
    pub fn every(self, every: Duration) -> Self {
        Self { every: TimeDelta::from_std(every).unwrap_or(LOOKED_BEFORE), ..self }
    }

    /// A round at once, then one every so often and when somebody confirmed what is held, until it is dropped; in between a look at
    /// each repository in which something seems to have ended. `now` tells the time, which is compared with what the forge stamps.
    pub async fn run(self, every: Duration, now: impl Fn() -> DateTime<Utc>) {
        self.every(every).go_on(every, now).await;
    }

    async fn go_on(mut self, every: Duration, now: impl Fn() -> DateTime<Utc>) {
        loop {
            self.round(now()).await;
            let next = Instant::now() + every;
            loop {
                tokio::select! {
                    () = sleep_until(next) => break,
                    () = self.context.brake.confirmed() => {
                        self.context.confirmed.notify_one();
                        break;
                    }
                    doubted = self.context.soon.due() => self.look_again(&doubted, now()).await,
                }
            }
        }
    }

    /// Looks at everything once, and has sent again what could not be delivered. What fails is logged and looked at again in the
    /// next round.
    pub async fn round(&mut self, now: DateTime<Utc>) {
        self.look(None, now).await;
        self.redeliver().await;
    }

    /// Looks at these repositories, and reads their lists of pull requests whether they changed since or not: a delivery that came
    /// late has overwritten what was found in them. One that was never looked at waits for the next round.
    pub async fn look_again(&mut self, doubted: &HashSet<Place>, now: DateTime<Utc>) {
        let is_doubted = |(repository, seen): &(&Listed, &mut find::Seen)| seen.is_of_any(repository.forge, doubted);
        self.seen.iter_mut().filter(is_doubted).for_each(|(_, seen)| seen.doubt());
        self.look(Some(doubted), now).await;
    }

    /// Looks at everything, or only at these.
    async fn look(&mut self, only: Option<&HashSet<Place>>, now: DateTime<Utc>) {
        let Some(baselines) = self.context.baselines.list() else { return };
        let repositories = listed(&baselines);
        self.seen.retain(|repository, seen| repositories.contains_key(repository) || seen.is_fresh(now));
        let away_since = self.away_since.take();
        let (since, unseen_since) = (comments_since(away_since, now), away_since.and_then(|since| self.unseen_since(since)));
        for repository in repositories.keys() {
            self.seen.entry(repository.clone()).or_insert_with(|| find::Seen::new(since, unseen_since, now));
        }
        let context = &self.context;
        let is_meant = |(repository, seen): &(&Listed, &mut find::Seen)| only.is_none_or(|only| seen.is_of_any(repository.forge, only));
        let meant = self.seen.iter_mut().filter(is_meant);
        let listed = meant.filter_map(|(repository, seen)| Some((repository, seen, repositories.get(repository)?)));
        let looks = listed.map(|(repository, seen, baselines)| async move {
            let mut ends = Ends::default();
            let result = find::look(context, (repository, baselines), (seen, &mut ends), now).await;
            context.metrics.resync(if result.is_ok() { "ok" } else { "failed" });
            if let Err(error) = result {
                tracing::warn!(repo = %repository.name, %error, "cannot look for what was missed; the next round does");
            }
            ends
        });
        let ends = join_all(looks).await;
        if let Err(error) = ends::take(context, &baselines, ends.into_iter().collect()).await {
            tracing::warn!(%error, "cannot record all that ended; the next round does");
        }
    }

    /// Since when nobody looked who would have told a push from other changes, where nothing tells of one that was not delivered:
    /// the last look was up to a round before the last sign of life, and clocks may be a minute apart. An App's log of deliveries tells
    /// of all others.
    fn unseen_since(&self, away_since: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.context.forge.deliveries().is_none().then(|| away_since - self.every - AHEAD)
    }

    /// Has the forge send again what it could not deliver.
    async fn redeliver(&mut self) {
        let Some(deliveries) = self.context.forge.deliveries() else { return };
        if let Err(error) = self.missed.round(deliveries).await {
            tracing::warn!(%error, "cannot have sent again all that the forge could not deliver; the next round goes on");
        }
    }
}

/// From when on comments are read of a repository that was not looked at yet.
fn comments_since(away_since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
    let usual = now - COMMENTS_BACK;
    away_since.map_or(usual, |since| usual.min(since - LOOKED_BEFORE).max(now - COMMENTS_BACK_MOST))
}

impl Context {
    /// An event that was found goes the way of one that was delivered. What is recorded already is not written again, and what
    /// would end an environment is left for the brake. One environment that does not take it keeps no other from it.
    async fn take(&self, event: &Event) -> Result<(), ResyncError> {
        let Some(baselines) = self.baselines.list() else { return Ok(()) };
        let existing = About::of(event).map(|about| self.environments.about(&about)).unwrap_or_default();
        let mut left = Left::default();
        match self.decide(event, &baselines, &existing) {
            Intent::Pong | Intent::Ignore(_) => {}
            Intent::Record(facts) => {
                let is_taken = |fact: &&Fact| news::is_new(fact, &existing) && !news::is_end(fact, &existing, &baselines);
                for fact in facts.iter().filter(is_taken) {
                    left.past(self.recorder.record(fact).await.map(drop).map_err(ResyncError::from))?;
                }
            }
            Intent::Command(commands) => {
                let has_ended =
                    |fact: &CommandFact| self.heard.has_ended((&fact.baseline_namespace, fact.environment.as_str()), &fact.command);
                for command in commands.iter().filter(|command| news::is_unheard(command, &existing) && !has_ended(command)) {
                    left.past(self.hold(command).await)?;
                }
            }
        }
        left.end()
    }

    /// What an event makes us want that the forge answered now: no record that cannot be newer stands over it.
    fn decide(&self, event: &Event, baselines: &[Arc<Baseline>], existing: &[Existing]) -> Intent {
        let now = self.clock.now();
        match intent::decide(&times::dated(event.clone(), now), baselines, existing) {
            Intent::Record(facts) => {
                let dated = facts.into_iter().map(|fact| news::dated(fact, existing, now));
                Intent::Record(dated.map(|fact| active::follow(fact, existing, baselines)).collect())
            }
            other => other,
        }
    }

    /// Whether an environment would go for an event although what it is for is open.
    fn ends_one(&self, event: &Event) -> bool {
        let Some(baselines) = self.baselines.list() else { return false };
        let existing = About::of(event).map(|about| self.environments.about(&about)).unwrap_or_default();
        let is_end = |fact: &Fact| news::is_new(fact, &existing) && news::is_end(fact, &existing, &baselines);
        matches!(self.decide(event, &baselines, &existing), Intent::Record(facts) if facts.iter().any(is_end))
    }

    /// One that finds no room is looked for again.
    async fn hold(&self, command: &CommandFact) -> Result<(), ResyncError> {
        match self.recorder.command(command).await? {
            Recorded::Full => Err(ResyncError::Full(command.display())),
            Recorded::Held | Recorded::Older => Ok(()),
        }
    }

    fn about(&self, about: &About) -> Vec<Existing> {
        self.environments.about(about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read_from_where_somebody_looked_last_a_day_back_at_least_and_a_week_at_most() {
        let now: DateTime<Utc> = "2026-01-10T12:00:00Z".parse().unwrap();
        let hours = |back: i64| now - TimeDelta::hours(back);
        for (case, away, back) in
            [("nobody knows", None, 24), ("a minute", Some(0), 24), ("two days", Some(48), 49), ("a year", Some(8_760), 168)]
        {
            assert_eq!(comments_since(away.map(hours), now), hours(back), "{case}");
        }
    }
}
