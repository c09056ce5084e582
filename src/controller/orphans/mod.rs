//! Namespaces of ours whose environment is gone, such as after somebody took its finalizer off. They are looked for at the start and
//! then from time to time; the client and the forge are used here.
//!
//! One is removed where all of it is so, in two looks some minutes apart: it is provably ours (`proof.rs`), the API server
//! itself says that there is no environment of its UID, and the pull request or branch that it was made for has ended, as the
//! forge says of that very one, or has an environment of its own again. The brake counts such removals with those that are found
//! by looking at the forge.

mod proof;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use kube::{Resource, ResourceExt};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Context;
use super::clean_up;
use super::events;
use super::index::NamespaceState;
use super::requests::{self, RequestError};
use crate::api::baseline::Removed;
use crate::api::environment::SourceState;
use crate::domain::RepoName;
use crate::domain::names::Subject;
use crate::forge::{Forge, branch_if_there};
use crate::intent::{About, Existing};
use crate::resync::brake::{Brake, Looked};

pub use self::proof::{MadeFor, Proven, made_for, proven};

/// Why a namespace without an environment stays.
#[derive(Debug)]
enum Stays {
    /// What it was made for is open. An environment is made for it anew, and then this one can go.
    Open(String),
    /// Its environment is there: the watch is behind, or cannot read it.
    Owned,
    /// It cannot be told.
    Unknown(String),
}

impl From<RequestError> for Stays {
    fn from(error: RequestError) -> Self {
        Self::Unknown(error.to_string())
    }
}

/// What is known of a namespace without an environment.
#[derive(Debug, Default)]
struct Seen {
    /// Since when it could go.
    since: Option<Instant>,
    /// Why it stays, as it was logged.
    why: Option<String>,
}

/// What was seen in the looks before, by the namespaces' UIDs. Whoever begins to lead begins anew.
#[derive(Debug, Default)]
struct Orphans(HashMap<String, Seen>);

/// Looks now and then from time to time. Runs until it is dropped.
pub async fn run(context: Arc<Context>, forge: Option<Arc<dyn Forge>>) {
    let mut orphans = Orphans::default();
    let mut looks = interval(context.config.orphan_after);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = looks.tick().await;
        orphans.look(&context, forge.as_deref(), now).await;
    }
}

impl Orphans {
    async fn look(&mut self, context: &Context, forge: Option<&dyn Forge>, now: Instant) {
        let suspects = suspects(context);
        let uids: HashSet<&String> = suspects.iter().map(|(_, state)| &state.uid).collect();
        self.0.retain(|uid, _| uids.contains(uid));
        context.metrics.orphans(suspects.len());
        let (mut ripe, mut open): (BTreeMap<String, Vec<Proven>>, HashSet<String>) = (BTreeMap::new(), HashSet::new());
        for (name, state) in &suspects {
            match may_go(context, forge, name).await {
                Ok(orphan) if self.is_ripe(&orphan, now, context) => {
                    ripe.entry(orphan.baseline_namespace.clone()).or_default().push(orphan);
                }
                Ok(_) | Err(Stays::Owned) => {}
                Err(Stays::Open(why)) => {
                    open.insert(state.uid.clone());
                    self.stays((name, &state.uid), why);
                }
                Err(Stays::Unknown(why)) => self.stays((name, &state.uid), why),
            }
        }
        for (baseline_namespace, orphans) in ripe {
            remove(context, &baseline_namespace, (&orphans, &open)).await;
        }
    }

    /// Whether it could go in a look some minutes ago already.
    fn is_ripe(&mut self, orphan: &Proven, now: Instant, context: &Context) -> bool {
        let seen = self.0.entry(orphan.uid.clone()).or_default();
        seen.why = None;
        if seen.since.is_none() {
            tracing::warn!(namespace = orphan.name, "a namespace has no environment any more, and goes if the next look says the same");
        }
        now.duration_since(*seen.since.get_or_insert(now)) >= context.config.orphan_after
    }

    fn stays(&mut self, (name, uid): (&str, &str), why: String) {
        let seen = self.0.entry(uid.to_owned()).or_default();
        seen.since = None;
        if seen.why.as_ref() != Some(&why) {
            tracing::warn!(namespace = name, why, "a namespace carries our label, has no environment, and is left alone");
            seen.why = Some(why);
        }
    }
}

/// The namespaces that name an environment which the watch does not know.
fn suspects(context: &Context) -> Vec<(String, NamespaceState)> {
    let known: HashSet<String> = context.environments.state().iter().filter_map(|e| e.uid()).collect();
    context.index.namespaces().into_iter().filter(|(_, state)| !state.terminating && !known.contains(&state.environment_uid)).collect()
}

/// Looks at one as the API server and the forge know it now.
async fn may_go(context: &Context, forge: Option<&dyn Forge>, name: &str) -> Result<Proven, Stays> {
    let unknown = |why: &str| Stays::Unknown(why.to_owned());
    let there = requests::get_namespace(&context.client, name).await?.ok_or_else(|| unknown("it is gone"))?;
    let orphan = proven(&there.metadata).map_err(unknown)?;
    let environments = requests::environment_uids(&context.client, &orphan.baseline_namespace).await?;
    if environments.contains(&orphan.environment_uid) {
        return Err(Stays::Owned);
    }
    for made_for in &orphan.made_for {
        has_ended(context, forge, (&orphan, made_for)).await?;
    }
    Ok(orphan)
}

/// Nothing holds it up where what it was made for has ended, or has an environment again.
async fn has_ended(context: &Context, forge: Option<&dyn Forge>, (orphan, made_for): (&Proven, &MadeFor)) -> Result<(), Stays> {
    let unknown = |why: String| Stays::Unknown(why);
    let subject = made_for.subject().ok_or_else(|| unknown("what it was made for cannot be read".to_owned()))?;
    let display = format!("{}{}", made_for.repository, subject.suffix());
    if has_another(context, orphan, (made_for, &subject)) {
        return Ok(());
    }
    let forge = forge.ok_or_else(|| unknown(format!("nobody can be asked about {display}, without a GitHub App or a token")))?;
    let repository = name_of(context, made_for).ok_or_else(|| unknown(format!("{} is no repository", made_for.repository)))?;
    let failed = |error: crate::forge::ForgeError| unknown(format!("the forge does not say what became of {display}: {error}"));
    let is_open = match &subject {
        Subject::Pull(number) => {
            let pull = forge.pull_request(&repository, *number).await.map_err(failed)?;
            if pull.repository_id != made_for.repository_id {
                return Err(unknown(format!("{repository} is another repository now")));
            }
            pull.state == SourceState::Open
        }
        Subject::Branch(name) => branch_if_there(forge, (made_for.repository_id, &repository), name).await.map_err(failed)?.is_some(),
    };
    if is_open { Err(Stays::Open(format!("{display} is open, and has no environment yet"))) } else { Ok(()) }
}

/// Whether what it was made for has an environment, which then is another one.
fn has_another(context: &Context, orphan: &Proven, (made_for, subject): (&MadeFor, &Subject)) -> bool {
    let about = About::Subject(made_for.forge, made_for.repository_id, subject.clone());
    let is_of = |existing: &Existing| existing.namespace == orphan.baseline_namespace;
    context.environments.state().iter().any(|object| Existing::of(object, &about).iter().any(is_of))
}

/// The name of today of a repository, where a Baseline lists it.
fn name_of(context: &Context, made_for: &MadeFor) -> Option<RepoName> {
    let recorded: RepoName = made_for.repository.parse().ok()?;
    let listed = context.baselines.all().unwrap_or_default();
    let current =
        listed.iter().find_map(|b| b.repository_by(made_for.forge, made_for.repository_id, &recorded)).map(|r| r.current().clone());
    Some(current.unwrap_or(recorded))
}

/// Removes those that the brake lets through, each by its own UID.
async fn remove(context: &Context, baseline_namespace: &str, (orphans, open): (&[Proven], &HashSet<String>)) {
    let baseline = context.baselines.speaker(baseline_namespace).map(|object| object.name_any()).unwrap_or_default();
    let ended = orphans.iter().map(|orphan| (orphan.uid.clone(), orphan.name.clone())).collect();
    let looked = Looked { what: Removed::Namespace, ended, unwanted: HashSet::new(), unasked: BTreeMap::new(), standing: open.clone() };
    let go = match context.brake.let_through((baseline_namespace, &baseline), &looked).await {
        Ok(go) => go,
        Err(error) => return tracing::warn!(namespace = baseline_namespace, %error, "no namespace without an environment is removed"),
    };
    for orphan in orphans.iter().filter(|orphan| go.contains(&orphan.uid)) {
        let Proven { name, uid, environment_uid, .. } = orphan;
        tracing::warn!(namespace = name, environment_uid, "removing a namespace whose environment is gone");
        match clean_up::end_namespace(context, environment_uid, (name, uid), &[]).await {
            Ok(()) => {
                context.metrics.deletion((baseline_namespace, &baseline), "Orphan");
                if let Some(object) = context.baselines.speaker(baseline_namespace) {
                    context.events.tell(object.object_ref(&()), events::orphan(name));
                }
            }
            Err(error) => tracing::warn!(namespace = name, %error, "a namespace was not removed; the next look tries again"),
        }
    }
}
