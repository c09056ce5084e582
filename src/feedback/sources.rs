//! Where it is known what is to be shown. No client, no clock, no logging.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use super::group::{Group, PullKey, place};
use super::lanes::Account;
use super::marker::Marker;
use super::rules::{Rules, Surroundings};
use super::show::Show;
use crate::api::PreviewEnvironment;
use crate::domain::{Baseline, RepoName};
use crate::forge::{Counted, Forge};

/// The Baseline of that namespace and name, if it can be used.
pub type FindBaseline = Arc<dyn Fn(&str, &str) -> Option<Arc<Baseline>> + Send + Sync>;

/// What decides on what is shown, beside the environments.
#[derive(Clone)]
pub struct Sources {
    baselines: FindBaseline,
    probed: bool,
    deployments: bool,
    checks: bool,
    counted: Counted,
    marker: Marker,
}

impl Sources {
    /// By those Baselines. With `probed`, somebody asks environments whether they answer, and until one does it is not ready.
    pub fn new(baselines: FindBaseline, probed: bool) -> Self {
        Self { baselines, probed, deployments: true, checks: true, counted: Counted::default(), marker: Marker::default() }
    }

    /// The same with comments that no other service takes for its own.
    pub fn signed(self, marker: Marker) -> Self {
        Self { marker, ..self }
    }

    /// The same for what that forge has.
    pub fn on(self, forge: &dyn Forge) -> Self {
        Self { deployments: forge.deployments().is_some(), checks: forge.checks().is_some(), counted: forge.counted(), ..self }
    }

    /// The pull request that shows an environment, and whose limits count for it. None where there is no pull request.
    pub(super) fn change_of(&self, environment: &PreviewEnvironment) -> Option<(PullKey, Account)> {
        let key = PullKey::of(environment)?;
        let owner = place(environment).and_then(|place| place.repository.split('/').next()).unwrap_or_default();
        let account = match self.counted {
            Counted::Together => Account::default(),
            Counted::ByOwner => Account::from(owner.to_ascii_lowercase()),
        };
        Some((key, account))
    }

    /// What that pull request is to show at that moment; None while nothing is decided for any of its environments.
    pub fn show(&self, group: &Group, now: DateTime<Utc>) -> Option<Show> {
        let rules: Vec<_> = group.members().iter().map(|member| self.rules(member)).collect();
        let rules = rules.iter().map(Option::as_ref).enumerate();
        let around: Vec<_> = rules.map(|(index, rules)| Surroundings { rules, probed: self.probed, shares: group.shares(index) }).collect();
        Show::of(group, (&around, &self.marker), now)
    }

    /// The group under the name that its repository has today, where a Baseline knows it by its number.
    pub fn named(&self, group: Group) -> Group {
        let (forge, id) = (group.key.forge, group.key.repository_id);
        let name = group.members().iter().find_map(|member| -> Option<RepoName> {
            let baseline = (self.baselines)(&member.namespace()?, &member.spec.baseline)?;
            let listed = baseline.repository_by(forge, id, &group.repository).filter(|listed| listed.id == Some(id))?;
            Some(listed.current().clone())
        });
        group.called(name)
    }

    fn rules(&self, member: &PreviewEnvironment) -> Option<Rules> {
        let baseline = (self.baselines)(&member.namespace()?, &member.spec.baseline)?;
        let rules = Rules::of(&baseline, member);
        Some(Rules { deployment: rules.deployment && self.deployments, check: rules.check && self.checks, ..rules })
    }
}
