//! Which objects are not in an environment: one reason a file, each a function of the object and of what is known about
//! the whole. `LEAVE_OUT` looks at the baseline alone; `dangling` then leaves out what would refer to nothing.

mod absent_members;
mod answered;
mod autoscalers;
mod bindings;
mod claims;
mod cron_jobs;
pub(super) mod dangling;
mod everywhere;
mod external_names;
mod going;
mod guards;
mod hand_filled;
mod ingresses;
mod isolated;
mod jobs;
mod opt_in;
mod records;
mod roles;
mod routes;
mod set_claims;
mod tokens;

use super::answers::Answers;
use super::chosen::excluded;
use super::decision::LeftOutReason;
use super::hosts::{HostMap, named_hosts, serves_hosts};
use super::kinds::is_kind;
use super::manifest::{Manifest, ObjectName};
use super::types::{Snapshot, Target};

pub(super) use bindings::is_account;
pub(super) use going::is_being_deleted;

/// One reason to leave objects out, by the name that it has in docs/rules.md.
pub(super) struct LeaveOut {
    /// What it is called.
    pub name: &'static str,
    /// The reason for one object, if it is one.
    pub reason: fn(&Manifest, &Facts<'_>) -> Option<LeftOutReason>,
}

const fn because_of(name: &'static str, reason: fn(&Manifest, &Facts<'_>) -> Option<LeftOutReason>) -> LeaveOut {
    LeaveOut { name, reason }
}

/// The first reason that holds is the one that is said.
pub(super) const LEAVE_OUT: &[LeaveOut] = &[
    because_of("going", going::reason),
    // What the team chose by kind, name and labels.
    because_of("excluded", |object, facts| excluded(object, facts.target.baseline)),
    because_of("isolated", isolated::reason),
    because_of("jobs", jobs::reason),
    because_of("opt_in", opt_in::reason),
    because_of("everywhere", everywhere::reason),
    because_of("records", records::reason),
    because_of("tokens", tokens::reason),
    because_of("external_names", external_names::reason),
    because_of("hand_filled", hand_filled::reason),
    because_of("absent_members", absent_members::reason),
    because_of("ingresses", ingresses::reason),
    because_of("routes", routes::reason),
    because_of("guards", guards::reason),
    because_of("answered", answered::reason),
    because_of("set_claims", set_claims::reason),
    because_of("claims", claims::reason),
    because_of("cron_jobs", cron_jobs::reason),
    because_of("autoscalers", autoscalers::reason),
    because_of("roles", roles::reason),
    because_of("bindings", bindings::reason),
];

/// What must be known about the whole to decide on one.
pub(super) struct Facts<'a> {
    /// What the baseline holds.
    pub snapshot: &'a Snapshot,
    /// The environment.
    pub target: &'a Target<'a>,
    /// Whether anything names a host that an environment can have.
    names_a_host: bool,
    /// Beginnings of the names of claims that StatefulSets make, with the StatefulSet.
    claims: Vec<(String, &'a Manifest)>,
    /// Who answers which path, by all that serves hosts.
    answers: Option<Answers>,
}

impl<'a> Facts<'a> {
    /// Gathers them.
    pub fn of(snapshot: &'a Snapshot, target: &'a Target<'a>) -> Self {
        let staying = || snapshot.objects.iter().filter(|o| !is_being_deleted(o));
        // Sorted, since two StatefulSets can lay claim to one name.
        let mut claims: Vec<_> = staying().filter(|o| is_kind(o, "apps", "StatefulSet")).flat_map(set_claims::of).collect();
        claims.sort_unstable_by_key(|(prefix, set)| (prefix.clone(), set.name()));
        let names_a_host = staying().filter(|o| serves_hosts(o)).any(|o| named_hosts(o).next().is_some());
        let mut facts = Self { snapshot, target, names_a_host, claims, answers: None };
        let serving: Vec<_> = staying().filter(|o| serves_hosts(o) && facts.is_served(o)).collect();
        facts.answers = HostMap::of(&serving, target).map(|hosts| Answers::of(&serving, &hosts));
        facts
    }

    /// Whether nothing else than its paths speaks against an object that serves hosts.
    fn is_served(&self, object: &Manifest) -> bool {
        [ingresses::reason, routes::reason, guards::reason].iter().all(|reason| reason(object, self).is_none())
    }

    /// Whether the snapshot holds an object of that kind and name.
    fn holds(&self, kind: &str, name: &str) -> bool {
        self.snapshot.objects.iter().any(|o| o.kind() == kind && o.text("/metadata/name") == Some(name))
    }

    /// The names of objects that are known by name alone.
    fn named(&self) -> impl Iterator<Item = &ObjectName> {
        self.snapshot.others.iter()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what the rules end with, and they give none where an object stays")]
fn because(sentence: impl Into<String>) -> Option<LeftOutReason> {
    Some(LeftOutReason::Because(sentence.into()))
}
