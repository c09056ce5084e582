//! Who of a Baseline's environments may run: one decision over all of them. No client, no clock, no logging.
//!
//! It follows from what is recorded and from nothing else, so it is the same after a restart, in another replica, and in
//! whatever order the environments are listed. The order is fair between authors: whoever has fewer places is the next, and
//! among those with as many the one that has waited for the longest time. Nobody who waits is passed over but for an author
//! who then has fewer places.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::baseline::{Evict, Limits};

/// An environment to which something happened within this time never gives way: somebody may be looking at it.
pub const IN_USE: TimeDelta = TimeDelta::hours(1);

/// One environment of a Baseline that has a place or wants one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contender<'a> {
    /// Its UID.
    pub uid: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Whose it is; a branch that nobody asked for is nobody's.
    pub author: Option<&'a str>,
    /// How it stands.
    pub stand: Stand,
}

/// How an environment stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stand {
    /// It has no place and wants one, since then.
    Waits(DateTime<Utc>),
    /// It has a place, and goes on. Nothing has happened to it since then; absent where it never gives way.
    Runs(Option<DateTime<Utc>>),
    /// It has a place until its workloads are gone.
    Goes,
}

/// What is decided of one environment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It runs: it has a place, or may take one now.
    Runs,
    /// It waits.
    Waits {
        /// The next one is at 1.
        position: usize,
        /// How many wait.
        of: usize,
        /// Whether its author has as many places as one may have.
        own: bool,
    },
    /// It gives way to the one of that name.
    GivesWay(String),
    /// It is going.
    Goes,
}

/// What is decided of all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Decision {
    /// What is decided of each, by UID.
    pub verdicts: HashMap<String, Verdict>,
    /// When it has to be decided again although nothing else happens: one that runs may give way then.
    pub again_at: Option<DateTime<Utc>>,
}

/// How many places are taken, in all and by each author.
#[derive(Clone, Debug, Default)]
struct Taken<'a> {
    all: usize,
    by: HashMap<&'a str, usize>,
}

impl<'a> Taken<'a> {
    fn take(&mut self, author: Option<&'a str>) {
        self.all += 1;
        if let Some(author) = author {
            *self.by.entry(author).or_default() += 1;
        }
    }

    fn give(&mut self, author: Option<&str>) {
        self.all = self.all.saturating_sub(1);
        if let Some(places) = author.and_then(|author| self.by.get_mut(author)) {
            *places = places.saturating_sub(1);
        }
    }

    fn of(&self, author: Option<&str>) -> usize {
        author.and_then(|author| self.by.get(author).copied()).unwrap_or_default()
    }

    fn has_room(&self, author: Option<&str>, limits: &Limits) -> bool {
        self.all < places(limits.environments) && !self.is_full_of(author, limits)
    }

    fn is_full_of(&self, author: Option<&str>, limits: &Limits) -> bool {
        author.is_some() && self.of(author) >= places(limits.per_author)
    }
}

fn places(limit: i32) -> usize {
    usize::try_from(limit).unwrap_or_default()
}

/// Decides over all environments of one Baseline.
pub fn decide(contenders: &[Contender<'_>], limits: &Limits, now: DateTime<Utc>) -> Decision {
    let mut taken = Taken::default();
    contenders.iter().filter(|c| !matches!(c.stand, Stand::Waits(_))).for_each(|c| taken.take(c.author));
    let order = order(contenders, &taken);
    let mut verdicts: HashMap<String, Verdict> =
        contenders.iter().map(|c| (c.uid.to_owned(), if c.stand == Stand::Goes { Verdict::Goes } else { Verdict::Runs })).collect();
    // What is left once those that go are gone: whoever fits into that waits for no one to give way.
    let mut after = taken.clone();
    contenders.iter().filter(|c| c.stand == Stand::Goes).for_each(|c| after.give(c.author));
    let mut waiting = Vec::new();
    for next in order {
        if taken.has_room(next.author, limits) {
            taken.take(next.author);
            after.take(next.author);
        } else {
            waiting.push(next);
        }
    }
    let of = waiting.len();
    for (index, next) in waiting.iter().enumerate() {
        let own = taken.is_full_of(next.author, limits);
        verdicts.insert(next.uid.to_owned(), Verdict::Waits { position: index + 1, of, own });
    }
    let again_at = match limits.evict {
        Evict::Never => None,
        Evict::OldestIdle => make_room(contenders, (&waiting, after), (limits, now), &mut verdicts),
    };
    Decision { verdicts, again_at }
}

/// Those that wait, the next one first. Each one's rank is how many places its author has before it gets one.
fn order<'a, 'b>(contenders: &'b [Contender<'a>], taken: &Taken<'_>) -> Vec<&'b Contender<'a>> {
    let since = |c: &Contender<'_>| if let Stand::Waits(since) = c.stand { Some(since) } else { None };
    // Forges know whole seconds: of one second, the lower number is the older one.
    let age = |c: &'b Contender<'a>| Some((since(c)?, c.name.len(), c.name, c.uid));
    let mut waiting: Vec<_> = contenders.iter().filter_map(|c| Some((age(c)?, c))).collect();
    waiting.sort_by_key(|(age, _)| *age);
    let mut before: HashMap<Option<&str>, usize> = HashMap::new();
    let nobodys = contenders.iter().filter(|c| c.author.is_none() && since(c).is_none()).count();
    let mut ranked: Vec<_> = waiting
        .into_iter()
        .map(|(age, contender)| {
            let count = before.entry(contender.author).or_insert_with(|| contender.author.map_or(nobodys, |a| taken.of(Some(a))));
            let rank = *count;
            *count += 1;
            (rank, age, contender)
        })
        .collect();
    ranked.sort_by_key(|(rank, age, _)| (*rank, *age));
    ranked.into_iter().map(|(.., contender)| contender).collect()
}

/// Lets the ones that nothing happened to for the longest time give way to those that wait and could then run: one to each, and
/// where a limit was lowered as many as it takes. Where nobody can give way yet, says when one can.
fn make_room(
    contenders: &[Contender<'_>],
    (waiting, mut after): (&[&Contender<'_>], Taken<'_>),
    (limits, now): (&Limits, DateTime<Utc>),
    verdicts: &mut HashMap<String, Verdict>,
) -> Option<DateTime<Utc>> {
    let idle = |c: &Contender<'_>| if let Stand::Runs(idle) = c.stand { idle } else { None };
    let mut unused: Vec<_> = contenders.iter().filter_map(|c| Some((idle(c)?, c.uid, c))).collect();
    unused.sort_by_key(|(since, uid, _)| (*since, *uid));
    let mut gone: HashSet<&str> = HashSet::new();
    let mut again_at: Option<DateTime<Utc>> = None;
    for next in waiting {
        if let Some((victims, free_at)) = victims(&unused, (&gone, next), (&after, limits)) {
            if free_at.is_some_and(|at| at > now) {
                again_at = earlier(again_at, free_at);
                continue;
            }
            for victim in victims {
                gone.insert(victim.uid);
                verdicts.insert(victim.uid.to_owned(), Verdict::GivesWay(next.name.to_owned()));
                after.give(victim.author);
            }
            after.take(next.author);
        }
    }
    again_at
}

/// Who gives way so that one that waits has room, and from when on all of them can; nothing where they would not be enough.
fn victims<'a, 'b>(
    unused: &[(DateTime<Utc>, &str, &'b Contender<'a>)],
    (gone, next): (&HashSet<&str>, &Contender<'_>),
    (after, limits): (&Taken<'a>, &Limits),
) -> Option<(Vec<&'b Contender<'a>>, Option<DateTime<Utc>>)> {
    let (mut then, mut chosen, mut free_at) = (after.clone(), Vec::new(), None);
    while !then.has_room(next.author, limits) {
        let own = then.is_full_of(next.author, limits);
        let fits = |c: &Contender<'_>| !gone.contains(c.uid) && (!own || c.author == next.author);
        let is_chosen = |c: &Contender<'_>| chosen.iter().any(|other: &&Contender<'_>| other.uid == c.uid);
        let (since, _, victim) = unused.iter().find(|(_, _, c)| fits(c) && !is_chosen(c))?;
        then.give(victim.author);
        chosen.push(*victim);
        free_at = free_at.max(Some(*since + IN_USE));
    }
    Some((chosen, free_at))
}

fn earlier(a: Option<DateTime<Utc>>, b: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
