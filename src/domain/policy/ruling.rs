//! What the policies of a cluster say of one Baseline, and of what is made from it.

use std::sync::Arc;
use std::time::Duration;

use super::{Ceilings, Policy};
use crate::api::baseline::isolation::Scheduling;
use crate::domain::ImageRef;
use crate::domain::baseline::isolation::Amounts;

/// What the policies that bind a Baseline say of it. Without policies it says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ruling {
    pending: bool,
    refusals: Vec<String>,
    binding: Vec<Arc<Policy>>,
    /// Whether one of them allows less to run of what comes from outside than the Baseline does.
    narrows_forks: bool,
}

impl Ruling {
    /// Nobody can say yet which policies bind the Baseline.
    pub(super) fn pending() -> Self {
        Self { pending: true, ..Self::default() }
    }

    pub(super) fn of(refusals: Vec<String>, binding: Vec<Arc<Policy>>, narrows_forks: bool) -> Self {
        Self { pending: false, refusals, binding, narrows_forks }
    }

    /// Whether it is not known yet which policies bind the Baseline. Nothing is begun before.
    pub const fn is_pending(&self) -> bool {
        self.pending
    }

    /// Whether what there is of changes from outside stays as it is, whatever `trust.forks` comes to: nobody knows yet what
    /// policies make of it, or they make less of it than the Baseline, for which nothing is taken down.
    pub const fn keeps_forks(&self) -> bool {
        self.pending || self.narrows_forks
    }

    /// Why nothing new is made from the Baseline, with the field and the ceiling, where that is so.
    pub fn refusal(&self) -> Option<String> {
        (!self.refusals.is_empty()).then(|| self.refusals.join("; "))
    }

    /// What tells this ruling from another one; nothing where no policy binds.
    pub fn versions(&self) -> Vec<String> {
        self.binding.iter().map(|policy| policy.version.clone()).collect()
    }

    fn ceilings(&self) -> impl Iterator<Item = (&Policy, &Ceilings)> {
        self.binding.iter().filter_map(|policy| Some((policy.as_ref(), policy.ceilings.as_ref().ok()?)))
    }

    /// The longest life after the last activity, and whose ceiling it is.
    pub fn ttl(&self) -> Option<(Duration, String)> {
        let all = self.ceilings().filter_map(|(policy, ceilings)| Some((ceilings.ttl?, policy.at("spec.lifetime.ttl"))));
        all.min_by_key(|(ttl, _)| *ttl)
    }

    /// How many environments may run at one time of all Baselines together that a policy binds: its name, how many, and whose
    /// ceiling it is.
    pub fn totals(&self) -> impl Iterator<Item = (&str, usize, String)> {
        let total = |(policy, ceilings): (&'_ Policy, &'_ Ceilings)| {
            Some((usize::try_from(ceilings.total?).unwrap_or_default(), policy.at("spec.limits.total")))
        };
        self.binding.iter().filter_map(move |policy| {
            let (most, at) = total((policy, policy.ceilings.as_ref().ok()?))?;
            Some((policy.name.as_str(), most, at))
        })
    }

    /// Whether that policy binds the Baseline.
    pub fn is_bound_by(&self, policy: &str) -> bool {
        self.binding.iter().any(|binding| binding.name == policy)
    }

    /// Why an image is not to run, if it is not.
    pub fn refuses_image(&self, wanted: &ImageRef) -> Option<String> {
        self.ceilings().find_map(|(policy, ceilings)| image(ceilings, policy, wanted))
    }

    /// Why an image that cannot be read may not run, if that is so: nobody can say which registry it is in.
    pub fn refuses_unread_image(&self, wanted: &str) -> Option<String> {
        let (policy, _) = self.ceilings().find(|(_, ceilings)| ceilings.registries.is_some())?;
        Some(format!("{wanted} cannot be read, and {} allows certain registries alone", policy.at("spec.registries")))
    }

    /// Why nothing may be reached at a host, if that is so.
    pub fn refuses_host(&self, wanted: &str) -> Option<String> {
        self.ceilings().find_map(|(policy, ceilings)| host(ceilings, policy, wanted))
    }

    /// Where pods have to run, each with whose ceiling it is.
    pub fn scheduling(&self) -> impl Iterator<Item = (&Scheduling, String)> {
        let given = self.ceilings().filter(|(_, ceilings)| ceilings.scheduling != Scheduling::default());
        given.map(|(policy, ceilings)| (&ceilings.scheduling, policy.at("spec.scheduling")))
    }

    /// Whose ceilings bound what an environment uses, where some do.
    pub fn bounds_quota(&self) -> Option<String> {
        let all: Vec<String> = self.ceilings().filter(|(_, c)| !c.quota.is_empty()).map(|(policy, _)| policy.at("spec.quota")).collect();
        (!all.is_empty()).then(|| all.join(" and "))
    }

    /// The most that an environment may use, by the names of a ResourceQuota.
    pub fn quota(&self) -> Amounts {
        let mut least = Amounts::new();
        for (name, amount) in self.ceilings().flat_map(|(_, ceilings)| &ceilings.quota) {
            least.entry(name.clone()).and_modify(|known| *known = (*known).min(*amount)).or_insert(*amount);
        }
        least
    }
}

pub(super) fn image(ceilings: &Ceilings, policy: &Policy, image: &ImageRef) -> Option<String> {
    let allowed = ceilings.registries.as_ref()?;
    let why = || format!("{} is in none of the registries that {} allows", image.repository(), policy.at("spec.registries"));
    (!allowed.iter().any(|prefix| prefix.holds(image))).then(why)
}

pub(super) fn host(ceilings: &Ceilings, policy: &Policy, host: &str) -> Option<String> {
    let allowed = ceilings.domains.as_ref()?;
    let is_under = |domain: &String| host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let why = || format!("{host} is under none of the domains that {} allows", policy.at("spec.domains"));
    (!allowed.iter().any(is_under)).then(why)
}
