//! The ends that a round found, taken together: what seems to end at once is judged at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::brake::Looked;
use super::left::Left;
use super::{Context, ResyncError, news};
use crate::api::baseline::Removed;
use crate::api::environment::SourceState;
use crate::domain::Baseline;
use crate::forge::event::Event;
use crate::intent::{About, Existing, Fact, Intent};

/// What was found of the environments that count as open.
#[derive(Debug, Default)]
pub(super) struct Ends {
    events: Vec<Event>,
    standing: HashSet<String>,
    unasked: Vec<Unasked>,
}

/// An environment whose pull request or branch is missing, and was not asked about yet.
#[derive(Debug)]
struct Unasked {
    /// Namespace and name of the Baseline.
    of: (String, String),
    uid: String,
    name: String,
}

/// The ends of the environments of one Baseline.
#[derive(Default)]
struct OfBaseline {
    /// By UID.
    facts: BTreeMap<String, Vec<Fact>>,
    names: BTreeMap<String, String>,
    /// UIDs of those whose pull request is open.
    unwanted: HashSet<String>,
    /// The names of those that are missing, by UID.
    unasked: BTreeMap<String, String>,
}

impl Ends {
    /// A pull request or branch has ended, or is none any more that its trigger wants, as the forge says of that very one.
    pub(super) fn found(&mut self, event: Event) {
        self.events.push(event);
    }

    /// What these are for is still open.
    pub(super) fn stand<'a>(&mut self, existing: impl Iterator<Item = &'a Existing>) {
        self.standing.extend(existing.map(|e| e.uid.clone()));
    }

    /// What these are for is missing, and is asked about in a later round.
    pub(super) fn unasked<'a>(&mut self, existing: impl Iterator<Item = &'a Existing>) {
        let of = |e: &Existing| (e.namespace.clone(), e.baseline.clone());
        self.unasked.extend(existing.map(|e| Unasked { of: of(e), uid: e.uid.clone(), name: e.name.to_string() }));
    }
}

impl FromIterator<Self> for Ends {
    fn from_iter<T: IntoIterator<Item = Self>>(parts: T) -> Self {
        parts.into_iter().fold(Self::default(), |mut all, part| {
            all.events.extend(part.events);
            all.standing.extend(part.standing);
            all.unasked.extend(part.unasked);
            all
        })
    }
}

/// Records the ends that the brake lets through. It is asked about every Baseline, so that what it holds is let go of where it
/// has turned out to be wrong.
pub(super) async fn take(context: &Context, baselines: &[Arc<Baseline>], ends: Ends) -> Result<(), ResyncError> {
    let mut left = Left::default();
    let mut of: HashMap<(String, String), OfBaseline> = HashMap::new();
    for baseline in baselines {
        of.entry((baseline.namespace.clone(), baseline.name.clone())).or_default();
    }
    for event in &ends.events {
        let existing = About::of(event).map(|about| context.about(&about)).unwrap_or_default();
        let Intent::Record(facts) = context.decide(event, baselines, &existing) else { continue };
        for fact in facts.into_iter().filter(|fact| news::is_new(fact, &existing)) {
            // Of what is open the rest was recorded when it was found.
            if fact.source.state == SourceState::Open && !news::is_end(&fact, &existing, baselines) {
                continue;
            }
            match existing.iter().find(|e| e.is_for(&fact) && e.source.state == SourceState::Open) {
                Some(open) => of.entry((open.namespace.clone(), open.baseline.clone())).or_default().add(open, fact),
                // Nothing goes for it.
                None => drop(left.past(context.recorder.record(&fact).await.map(drop).map_err(ResyncError::from))?),
            }
        }
    }
    for Unasked { of: baseline, uid, name } in ends.unasked.into_iter().filter(|e| !ends.standing.contains(&e.uid)) {
        of.entry(baseline).or_default().unasked.insert(uid, name);
    }
    for ((namespace, name), found) in of {
        let judged = judge(context, (&namespace, &name), found, &ends.standing).await;
        // One Baseline whose removals cannot be recorded holds up no other.
        let Ok(facts) = judged.inspect_err(|error| tracing::warn!(namespace, name, %error, "nothing of it is removed")) else { continue };
        for fact in &facts {
            left.past(context.recorder.record(fact).await.map(drop).map_err(ResyncError::from))?;
        }
    }
    left.end()
}

/// The facts that may be recorded.
async fn judge(
    context: &Context,
    (namespace, name): (&str, &str),
    found: OfBaseline,
    standing: &HashSet<String>,
) -> Result<Vec<Fact>, ResyncError> {
    let OfBaseline { mut facts, names, unwanted, unasked } = found;
    let looked = Looked { what: Removed::Environment, ended: names, unwanted, unasked, standing: standing.clone() };
    let go = context.brake.let_through((namespace, name), &looked).await?;
    Ok(go.iter().filter_map(|uid| facts.remove(uid)).flatten().collect())
}

impl OfBaseline {
    fn add(&mut self, open: &Existing, fact: Fact) {
        self.names.insert(open.uid.clone(), open.name.to_string());
        self.unwanted.extend((fact.source.state == SourceState::Open).then(|| open.uid.clone()));
        self.facts.entry(open.uid.clone()).or_default().push(fact);
    }
}
