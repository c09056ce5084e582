//! Which pull requests have the same commit at their heads. No client, no clock, no logging.
//!
//! A forge shows what stands beside a commit on every pull request that has it, and of several things with one name the newest
//! alone. So of each Baseline one pull request has the Baseline's own name there, and the others add their numbers.

use std::collections::HashMap;
use std::sync::Arc;

use super::group::pull_source;
use crate::api::PreviewEnvironment;
use crate::api::baseline::ForgeKind;
use crate::api::environment::SourceState;

/// A commit as far as one Baseline's environments stand beside it: the Baseline's namespace and name, the repository, the
/// commit.
type Head<'a> = (&'a str, &'a str, ForgeKind, i64, &'a str);

/// Environments of open pull requests by the commit at their heads.
#[derive(Debug, Default)]
pub struct Heads<'a>(HashMap<Head<'a>, Vec<(i64, &'a PreviewEnvironment)>>);

impl<'a> Heads<'a> {
    /// Those of all environments.
    pub fn of(all: &'a [Arc<PreviewEnvironment>]) -> Self {
        let mut heads = HashMap::<_, Vec<_>>::new();
        for environment in all.iter().map(AsRef::as_ref) {
            if let Some((head, pull)) = head(environment) {
                heads.entry(head).or_default().push((pull, environment));
            }
        }
        Self(heads)
    }

    /// Whether a pull request with a smaller number has the same commit.
    pub(super) fn has_before(&self, environment: &PreviewEnvironment) -> bool {
        head(environment).is_some_and(|(head, pull)| self.others(&head).any(|(other, _)| other < pull))
    }

    /// The environments of those with greater numbers: what stands beside the commit for them is called otherwise because of
    /// this one.
    pub(super) fn after<'b>(&'b self, environment: &'b PreviewEnvironment) -> impl Iterator<Item = &'a PreviewEnvironment> + 'b {
        let own = head(environment);
        own.into_iter().flat_map(|(head, pull)| self.others(&head).filter(move |(other, _)| *other > pull).map(|(_, other)| other))
    }

    fn others<'b>(&'b self, head: &Head<'b>) -> impl Iterator<Item = (i64, &'a PreviewEnvironment)> + use<'a, 'b> {
        self.0.get(head).into_iter().flatten().copied()
    }
}

/// Where the check of an environment stands, and for which pull request.
fn head(environment: &PreviewEnvironment) -> Option<(Head<'_>, i64)> {
    let source = pull_source(environment).filter(|source| source.state == SourceState::Open)?;
    let namespace = environment.metadata.namespace.as_deref().unwrap_or_default();
    let head = (namespace, environment.spec.baseline.as_str(), source.forge, source.repository_id, source.revision.as_str());
    Some((head, source.pull?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::tests::fixtures::{NEXT, all, ready, second};

    fn of_pull(number: i64) -> PreviewEnvironment {
        let mut object = ready();
        object.metadata.name = Some(format!("web-pr-{number}"));
        object.spec.sources[0].pull = Some(number);
        object
    }

    #[test]
    fn of_several_with_one_commit_the_smallest_number_is_before_the_others() {
        let members = all([of_pull(43), of_pull(42), of_pull(44)]);
        let heads = Heads::of(&members);
        let before: Vec<bool> = members.iter().map(|member| heads.has_before(member)).collect();
        assert_eq!(before, [true, false, true]);
        let mut after: Vec<_> = heads.after(&members[1]).filter_map(|other| pull_source(other)?.pull).collect();
        after.sort_unstable();
        assert_eq!(after, [43, 44]);
    }

    #[test]
    fn what_is_of_another_baseline_commit_or_repository_or_over_takes_no_name() {
        let mut others = vec![second(of_pull(1)), of_pull(2), of_pull(3), of_pull(4), of_pull(5)];
        others[1].spec.sources[0].revision = NEXT.into();
        others[2].spec.sources[0].repository_id = 8;
        others[3].spec.sources[0].state = SourceState::Merged;
        others[4].spec.baseline = "other".into();
        others.push(of_pull(42));
        let members = all(others);
        assert!(!Heads::of(&members).has_before(&members[5]));
    }
}
