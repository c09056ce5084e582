//! Which changes get an environment, understood.

use super::{InvalidBaseline, invalid};
use crate::api::baseline as api;
use crate::api::baseline::PullRequests;
use crate::domain::path_glob::PathGlob;
use crate::domain::slug::hash8;

/// Branches that a merge queue makes for itself ("Merging a pull request with a merge queue").
const MERGE_QUEUE: &str = "gh-readonly-queue/";

/// Which pull requests and branches get an environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trigger {
    /// Which pull requests.
    pub pull_requests: PullRequests,
    /// The label that asks for one.
    pub label: String,
    /// Branches that get one with a push.
    pub branches: Vec<PathGlob>,
    /// The branches that pull requests go into; any, where this is empty.
    pub base_branches: Vec<PathGlob>,
    /// The files that pull requests change; any, where this is empty.
    pub paths: Vec<PathGlob>,
    /// The same as they are written, for digests and sentences.
    pub path_texts: Vec<String>,
    /// Whether drafts get one too.
    pub drafts: bool,
    /// Whether what a bot opened gets one too.
    pub bots: bool,
}

impl Trigger {
    /// Reads it; `path` is where it stands in the Baseline.
    pub(super) fn read(path: &str, spec: &api::Trigger) -> Result<Self, InvalidBaseline> {
        let globs = |field: &str, texts: &[String]| -> Result<Vec<PathGlob>, InvalidBaseline> {
            let parse = |(i, text): (usize, &String)| text.parse().map_err(|e| invalid(format!("{path}.{field}[{i}]"), &e));
            texts.iter().enumerate().map(parse).collect()
        };
        Ok(Self {
            pull_requests: spec.pull_requests,
            label: spec.label.clone(),
            branches: globs("branches", &spec.branches)?,
            base_branches: globs("baseBranches", &spec.base_branches)?,
            paths: globs("paths", &spec.paths)?,
            path_texts: spec.paths.clone(),
            drafts: spec.drafts,
            bots: spec.bots,
        })
    }

    /// Whether a push to that branch asks for an environment.
    pub fn wants_branch(&self, branch: &str) -> bool {
        !is_merge_queue(branch) && self.branches.iter().any(|glob| glob.matches(branch))
    }

    /// Whether one of the labels is the one that asks for an environment. Forges tell no labels apart by case alone.
    pub fn is_labelled(&self, labels: &[String]) -> bool {
        labels.iter().any(|label| label.eq_ignore_ascii_case(&self.label))
    }

    /// Digest of `paths`, by which an answer about them is known to be about these.
    pub fn paths_digest(&self) -> String {
        hash8(&self.path_texts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Whether pull requests into that branch may get one.
    pub fn wants_base(&self, branch: &str) -> bool {
        self.base_branches.is_empty() || self.base_branches.iter().any(|glob| glob.matches(branch))
    }
}

/// Whether a merge queue made the branch for itself.
pub fn is_merge_queue(branch: &str) -> bool {
    branch.starts_with(MERGE_QUEUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(spec: serde_json::Value) -> Result<Trigger, InvalidBaseline> {
        Trigger::read("spec.trigger", &serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn branches_are_asked_for_by_pattern_and_merge_queues_never() {
        let trigger = trigger(serde_json::json!({"branches": ["feature/**", "next"], "baseBranches": ["main", "release/*"]})).unwrap();
        for (branch, wanted) in [("feature/a/b", true), ("next", true), ("main", false), ("feature", false)] {
            assert_eq!(trigger.wants_branch(branch), wanted, "{branch}");
        }
        for (base, wanted) in [("main", true), ("release/1", true), ("release/1/x", false), ("next", false)] {
            assert_eq!(trigger.wants_base(base), wanted, "{base}");
        }
        let all = Trigger { branches: vec!["**".parse().unwrap()], ..Trigger::default() };
        assert!(all.wants_branch("main") && !all.wants_branch("gh-readonly-queue/main/pr-1-abc"));
    }

    #[test]
    fn a_wrong_pattern_is_named() {
        let error = trigger(serde_json::json!({"paths": ["ok/**", "/wrong"]})).unwrap_err();
        assert_eq!(error.field, "spec.trigger.paths[1]");
    }
}
