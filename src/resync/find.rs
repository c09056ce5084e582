//! One repository: what changed since the last look, as events. Ends that nobody told of are only gathered: `ends.rs` takes them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::activity::{self, Asked, Said};
use super::ends::Ends;
use super::left::Left;
use super::repositories::Listed;
use super::soon::Place;
use super::turn::Turn;
use super::{COMMENTS_BACK_MOST, Context, ResyncError};
use crate::api::Source;
use crate::api::baseline::ForgeKind;
use crate::api::environment::SourceState;
use crate::clock::AHEAD;
use crate::domain::{Baseline, Revision};
use crate::forge::event::{Event, PullAction};
use crate::forge::{Branch, ForgeError, Listing, PullRequest, Validator, branch_if_there};
use crate::intent::{About, Existing};

/// Who is said to have caused what was found by looking.
pub(crate) const NOBODY: &str = "preview-env";

/// How long what was seen of a repository is remembered that no Baseline lists which can be used.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// What was seen of a repository.
pub(super) struct Seen {
    /// Its number.
    id: Option<i64>,
    /// The Baselines that it was looked at for: uid and generation.
    baselines: Vec<(String, i64)>,
    pulls: Option<Validator>,
    branches: Option<Validator>,
    comments: Option<Validator>,
    comments_since: DateTime<Utc>,
    /// The comments of that moment or later that were taken.
    taken: HashSet<i64>,
    /// Who may write, as far as that was asked for comments.
    writers: Asked,
    /// The open pull requests as they were listed last: they tell a push, and what is no draft any more, from other changes.
    heads: HashMap<i64, Head>,
    /// When that was, once all of them were taken: what comes to the list later is new, or open again.
    listed_at: Option<DateTime<Utc>>,
    /// Before they were listed: what changed since then may have been pushed to while nobody looked.
    unseen_since: Option<DateTime<Utc>>,
    /// Of the open pull requests as they were listed last those that no trigger wants any more. They stay to be found while the list
    /// is the same, since they may be held.
    unwanted: Vec<Event>,
    /// The branches that matter, as they were listed last.
    there: HashSet<String>,
    /// When it was looked at last.
    looked_at: DateTime<Utc>,
    /// Who is asked about next of what the lists do not have.
    pulls_turn: Turn<i64>,
    branches_turn: Turn<String>,
}

/// How an open pull request was.
#[derive(Clone)]
struct Head {
    revision: Revision,
    draft: bool,
}

impl Seen {
    /// Nothing was seen yet, and comments are read since then. Where a push is told by nothing but heads, whoever looked before saw
    /// them for the last time at `unseen_since`.
    pub(super) fn new(comments_since: DateTime<Utc>, unseen_since: Option<DateTime<Utc>>, looked_at: DateTime<Utc>) -> Self {
        let (pulls, branches, comments) = (None, None, None);
        let (baselines, taken, heads, there) = (Vec::new(), HashSet::new(), HashMap::new(), HashSet::new());
        let (pulls_turn, branches_turn) = (Turn::default(), Turn::default());
        Self {
            id: None,
            baselines,
            pulls,
            branches,
            comments,
            comments_since,
            taken,
            writers: Asked::default(),
            heads,
            listed_at: None,
            unseen_since,
            unwanted: Vec::new(),
            there,
            looked_at,
            pulls_turn,
            branches_turn,
        }
    }

    /// Whether it was looked at not long ago: where a Baseline can be used again, what was pushed meanwhile can be told by what was
    /// seen before.
    pub(super) fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        now - self.looked_at < KEPT
    }

    /// Forgets the lists under a name that means another repository now, so that they are read again. The number that was looked
    /// for stays.
    fn forget(&mut self) {
        (self.pulls, self.branches, self.comments) = (None, None, None);
        self.heads.clear();
        self.listed_at = None;
        self.unwanted.clear();
        self.there.clear();
    }

    /// Whether it is one of these, as far as its number is known.
    pub(super) fn is_of_any(&self, forge: ForgeKind, places: &HashSet<Place>) -> bool {
        self.id.is_some_and(|id| places.contains(&(forge, id)))
    }

    /// Forgets that the list of pull requests was read.
    pub(super) fn doubt(&mut self) {
        self.pulls = None;
    }

    /// Forgets what was the same as before where the Baselines are not.
    fn look_for(&mut self, baselines: &[Arc<Baseline>]) {
        let now: Vec<_> = baselines.iter().map(|b| (b.uid.clone(), b.generation)).collect();
        if now != self.baselines {
            (self.pulls, self.branches, self.comments) = (None, None, None);
            self.baselines = now;
        }
    }
}

/// Looks at everything of a repository. One part that fails does not keep the others from being looked at.
pub(super) async fn look(
    context: &Context,
    (repository, baselines): (&Listed, &[Arc<Baseline>]),
    (seen, ends): (&mut Seen, &mut Ends),
    now: DateTime<Utc>,
) -> Result<(), ResyncError> {
    seen.look_for(baselines);
    seen.looked_at = now;
    let id = match seen.id {
        Some(id) => id,
        None => number(context, repository).await?,
    };
    seen.id = Some(id);
    let existing = context.about(&About::Repositories(repository.forge, vec![id]));
    let pulls = pulls(context, (repository, baselines), (seen, &existing, ends), now).await;
    let branches = branches(context, (repository, baselines), (seen, &existing, ends)).await;
    // Commands come last: what they are about is known by then.
    let comments = comments(context, repository, seen, now).await;
    let looked = pulls.and(branches).and(comments);
    if matches!(looked, Err(ResyncError::Forge(ForgeError::Another(_)))) {
        seen.forget();
    }
    looked
}

/// The repository's number. One that is known already has to be it.
async fn number(context: &Context, repository: &Listed) -> Result<i64, ForgeError> {
    let found = context.forge.repository(&repository.name).await?.id;
    is_it(repository, repository.id.unwrap_or(found), found).map(|()| found)
}

/// Whether an answer is of the repository that is looked at. Somebody else may have taken its name.
fn is_it(repository: &Listed, id: i64, found: i64) -> Result<(), ForgeError> {
    if id == found { Ok(()) } else { Err(ForgeError::Another(repository.name.to_string())) }
}

async fn pulls(
    context: &Context,
    (repository, baselines): (&Listed, &[Arc<Baseline>]),
    (seen, existing, ends): (&mut Seen, &[Existing], &mut Ends),
    now: DateTime<Utc>,
) -> Result<(), ResyncError> {
    let mut left = Left::default();
    let listing = context.forge.open_pulls(&repository.name, seen.pulls.as_ref()).await?;
    if let Listing::Now { items, validator } = listing {
        let id = seen.id.unwrap_or_default();
        items.iter().try_for_each(|pull| is_it(repository, id, pull.repository_id))?;
        let (mut heads, mut unwanted) = (HashMap::with_capacity(items.len()), Vec::new());
        for pull in items {
            let (number, before) = (pull.number, seen.heads.get(&pull.number));
            let head = Head { revision: pull.revision.clone(), draft: pull.draft };
            let known = existing.iter().any(|e| e.source.pull == Some(number));
            let passes = !known && is_long_over(&pull, baselines, now);
            let action = action(&pull, (before, seen), baselines);
            let event = event(repository, pull, action);
            let taken = passes || left.past(context.take(&event).await)?;
            unwanted.extend((known && context.ends_one(&event)).then_some(event));
            if taken {
                heads.insert(number, head);
            } else if let Some(before) = before {
                // Its push has to be told from other changes once more.
                heads.insert(number, before.clone());
            }
        }
        // Only now: what could not be recorded has to be found again.
        (seen.heads, seen.unwanted, seen.pulls) = (heads, unwanted, validator.filter(|_| left.is_nothing()));
        if left.is_nothing() {
            seen.listed_at = Some(now);
        }
        seen.unseen_since = seen.unseen_since.filter(|_| !left.is_nothing());
    }
    seen.unwanted.iter().for_each(|event| ends.found(event.clone()));
    missing_pulls(context, repository, (seen, existing), ends).await?;
    left.end()
}

/// Asks about the pull requests that count as open and are not listed. In each round, whether the list changed or not: an
/// answer can be older than the list.
async fn missing_pulls(
    context: &Context,
    repository: &Listed,
    (seen, existing): (&mut Seen, &[Existing]),
    ends: &mut Ends,
) -> Result<(), ResyncError> {
    let of_pulls = || existing.iter().filter(|e| is_open(e)).filter_map(|e| Some((e, e.source.pull?)));
    ends.stand(of_pulls().filter(|(_, number)| seen.heads.contains_key(number)).map(|(e, _)| e));
    let missing: BTreeSet<i64> = of_pulls().map(|(_, number)| number).filter(|number| !seen.heads.contains_key(number)).collect();
    let asked = ask_pulls(context, repository, (seen, &missing), (ends, &of_pulls)).await;
    ends.unasked(of_pulls().filter(|(_, number)| missing.contains(number) && !seen.pulls_turn.has_asked(number)).map(|(e, _)| e));
    asked
}

/// Asks about those whose turn it is.
async fn ask_pulls<'a, I: Iterator<Item = (&'a Existing, i64)>>(
    context: &Context,
    repository: &Listed,
    (seen, missing): (&mut Seen, &BTreeSet<i64>),
    (ends, of_pulls): (&mut Ends, &(impl Fn() -> I + Sync)),
) -> Result<(), ResyncError> {
    for number in seen.pulls_turn.next(missing) {
        seen.pulls_turn.asked(number);
        match context.forge.pull_request(&repository.name, number).await {
            Ok(pull) => {
                is_it(repository, seen.id.unwrap_or_default(), pull.repository_id)?;
                if pull.state == SourceState::Open {
                    ends.stand(of_pulls().filter(|(_, of)| *of == number).map(|(e, _)| e));
                } else {
                    ends.found(event(repository, pull, PullAction::Closed));
                }
            }
            // No proof: a forge that lies says so of everything.
            Err(ForgeError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn is_open(existing: &Existing) -> bool {
    existing.source.state == SourceState::Open
}

fn event(repository: &Listed, pull: PullRequest, action: PullAction) -> Event {
    Event::PullRequest { forge: repository.forge, action, pull: Box::new(pull), sender: NOBODY.to_owned() }
}

/// What most likely happened: a pull request that is younger than a Baseline was opened for it, another head was pushed, and what was not
/// open a moment ago and changed since is open again. Nobody knows the head of one that changed between two who looked. It counts as
/// pushed to: it was touched a moment ago, so a preview too many is of something that somebody works on, while a push that nobody shows
/// is one that was missed.
fn action(pull: &PullRequest, (before, seen): (Option<&Head>, &Seen), baselines: &[Arc<Baseline>]) -> PullAction {
    let has_changed_since = |at: Option<DateTime<Utc>>| at.is_some_and(|at| pull.updated_at >= at);
    match before {
        Some(before) if before.revision != pull.revision => PullAction::Synchronize,
        Some(before) if before.draft && !pull.draft => PullAction::ReadyForReview,
        None if has_changed_since(seen.unseen_since) => PullAction::Synchronize,
        // A list that was empty by mistake changed nothing.
        None if has_changed_since(seen.listed_at.map(|at| at - AHEAD)) => PullAction::Reopened,
        _ if baselines.iter().any(|b| b.created_at.is_none_or(|at| pull.created_at >= at)) => PullAction::Opened,
        _ => PullAction::Edited,
    }
}

/// Whether an environment would have expired by now, so that none has to be made to find that out.
fn is_long_over(pull: &PullRequest, baselines: &[Arc<Baseline>], now: DateTime<Utc>) -> bool {
    let age = (now - pull.updated_at).to_std().unwrap_or_default();
    baselines.iter().all(|baseline| age >= baseline.ttl)
}

async fn branches<'a>(
    context: &Context,
    (repository, baselines): (&Listed, &'a [Arc<Baseline>]),
    (seen, existing, ends): (&mut Seen, &[Existing], &mut Ends),
) -> Result<(), ResyncError> {
    let of_branch: Vec<&Existing> = existing.iter().filter(|e| e.source.pull.is_none() && is_open(e)).collect();
    let id = seen.id.unwrap_or_default();
    let trigger = |b: &'a Arc<Baseline>| Some(b.trigger_of(b.repository_by(repository.forge, id, &repository.name)?));
    let triggers: Vec<_> = baselines.iter().filter_map(trigger).collect();
    if of_branch.is_empty() && triggers.iter().all(|t| t.branches.is_empty()) {
        return Ok(());
    }
    let mut left = Left::default();
    let listing = context.forge.branches(&repository.name, seen.branches.as_ref()).await?;
    if let Listing::Now { items, validator } = listing {
        items.iter().try_for_each(|branch| is_it(repository, id, branch.repository_id))?;
        let known = |branch: &Branch| of_branch.iter().any(|e| e.source.branch.as_ref() == Some(&branch.name));
        let mut there = HashSet::new();
        for branch in items.iter().filter(|branch| known(branch) || triggers.iter().any(|t| t.wants_branch(&branch.name))) {
            left.past(context.take(&branch_event(repository, branch.clone(), true)).await)?;
            there.insert(branch.name.clone());
        }
        (seen.there, seen.branches) = (there, validator.filter(|_| left.is_nothing()));
    }
    missing_branches(context, repository, (seen, &of_branch), ends).await?;
    left.end()
}

/// Asks about the branches that count as open and are not listed.
async fn missing_branches(
    context: &Context,
    repository: &Listed,
    (seen, open): (&mut Seen, &[&Existing]),
    ends: &mut Ends,
) -> Result<(), ResyncError> {
    ends.stand(open.iter().copied().filter(|e| e.source.branch.as_ref().is_some_and(|name| seen.there.contains(name))));
    let mut missing: BTreeMap<String, &Source> = BTreeMap::new();
    for source in open.iter().map(|known| &known.source) {
        if let Some(name) = source.branch.as_ref().filter(|name| !seen.there.contains(*name)) {
            // The end has to be as new as the newest fact.
            let newest = missing.entry(name.clone()).or_insert(source);
            *newest = if source.observed_at > newest.observed_at { source } else { newest };
        }
    }
    let asked = ask_branches(context, repository, (seen, &missing), (ends, open)).await;
    let is_unasked = |name: &String| missing.contains_key(name) && !seen.branches_turn.has_asked(name);
    ends.unasked(open.iter().copied().filter(|e| e.source.branch.as_ref().is_some_and(is_unasked)));
    asked
}

/// Asks about those whose turn it is.
async fn ask_branches(
    context: &Context,
    repository: &Listed,
    (seen, missing): (&mut Seen, &BTreeMap<String, &Source>),
    (ends, open): (&mut Ends, &[&Existing]),
) -> Result<(), ResyncError> {
    let is_of = |e: &Existing, name: &str| e.source.branch.as_deref() == Some(name);
    for name in seen.branches_turn.next(&missing.keys().cloned().collect()) {
        seen.branches_turn.asked(name.clone());
        let place = (seen.id.unwrap_or_default(), &repository.name);
        if branch_if_there(context.forge.as_ref(), place, &name).await?.is_some() {
            ends.stand(open.iter().copied().filter(|e| is_of(e, &name)));
        } else if let Some(known) = missing.get(&name)
            && let Ok(revision) = known.revision.parse()
        {
            let (repository_id, name_of) = (known.repository_id, repository.name.clone());
            let branch = Branch { repository_id, repository: name_of, name, revision, observed_at: known.observed_at };
            ends.found(branch_event(repository, branch, false));
        }
    }
    Ok(())
}

fn branch_event(repository: &Listed, branch: Branch, exists: bool) -> Event {
    Event::Branch { forge: repository.forge, branch: Box::new(branch), exists, sender: NOBODY.to_owned() }
}

async fn comments(context: &Context, repository: &Listed, seen: &mut Seen, now: DateTime<Utc>) -> Result<(), ResyncError> {
    let listing = match context.forge.comments_since(&repository.name, seen.comments_since, seen.comments.as_ref()).await {
        Err(ForgeError::Unsupported(_)) => return Ok(()),
        other => other?,
    };
    let id = seen.id.unwrap_or_default();
    let Listing::Now { items, validator } = listing else {
        activity::note(context, (repository, id), Vec::new(), &mut seen.writers, now).await;
        return Ok(());
    };
    items.iter().try_for_each(|comment| is_it(repository, id, comment.repository_id))?;
    let newest = items.iter().map(|comment| comment.updated_at).max();
    let listed: HashSet<i64> = items.iter().map(|comment| comment.id).collect();
    let said: Vec<Said> = items.iter().filter(|comment| !seen.taken.contains(&comment.id)).filter_map(Said::of).collect();
    let (mut left, mut oldest_left) = (Left::default(), None);
    for comment in items {
        let (id, at) = (comment.id, comment.updated_at);
        let event = Event::Comment { forge: repository.forge, comment: Box::new(comment) };
        if seen.taken.contains(&id) {
            continue;
        }
        if left.past(context.take(&event).await)? {
            seen.taken.insert(id);
        } else {
            oldest_left = oldest_left.or(Some(at)).min(Some(at));
        }
    }
    seen.taken.retain(|id| listed.contains(id));
    activity::note(context, (repository, id), said, &mut seen.writers, now).await;
    // What was not taken is looked for again, for as long as it could be found after a start.
    let seen_to = oldest_left.map(|at: DateTime<Utc>| at.max(now - COMMENTS_BACK_MOST)).or(newest);
    match seen_to.filter(|at| *at > seen.comments_since) {
        // The question is another one now, so its answer is too.
        Some(at) => (seen.comments_since, seen.comments) = (at, None),
        None => seen.comments = validator.filter(|_| left.is_nothing()),
    }
    left.end()
}
