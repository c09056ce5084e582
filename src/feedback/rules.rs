//! What a Baseline says of the things that a pull request shows. No client, no clock, no logging.

use chrono::TimeDelta;
use kube::ResourceExt;

use super::group::pull_source;
use crate::api::PreviewEnvironment;
use crate::api::baseline::{Approvers, CommentRule, Forks, LogRule, PullRequests, Removed};
use crate::domain::{Baseline, RepoName};

/// Shown where `lifetime.warnBefore` cannot be counted with, in hours: its default.
const WARN_HOURS: i64 = 4;

/// What a Baseline says of one environment's feedback.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// What the Baseline is called on the forge: the same for all its environments, and another for every other Baseline.
    pub label: String,
    /// When there is a comment.
    pub comment: CommentRule,
    /// Whether each commit gets a deployment.
    pub deployment: bool,
    /// Whether each commit gets a check.
    pub check: bool,
    /// Whether everybody who reads the pull request may read what services logged.
    pub logs: bool,
    /// How long before its end an environment expires soon.
    pub warn_before: TimeDelta,
    /// How long an environment may be there, whatever happens.
    pub max: Option<TimeDelta>,
    /// What becomes of pull requests from forks.
    pub forks: Forks,
    /// Who may approve and command.
    pub approvers: Approvers,
    /// Which pull requests get one by themselves.
    pub pulls: PullRequests,
    /// What seems to have become of its pull request, where it stays until a person confirms that.
    pub held: Option<Removed>,
}

/// What is to be shown of one environment, and by which rules.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The Baseline's rules. Without a Baseline that can be used, what is shown already is kept true and nothing is added.
    pub rules: Option<&'a Rules>,
    /// Whether somebody asks environments whether they answer, so that a URL counts only once it did.
    pub probed: bool,
    /// Whether a pull request with a smaller number has the same commit, so that the check needs a name of its own.
    pub shares: bool,
}

impl Rules {
    /// What the Baseline says of that environment.
    pub fn of(baseline: &Baseline, environment: &PreviewEnvironment) -> Self {
        let feedback = baseline.feedback;
        Self {
            label: label(&baseline.namespace, &baseline.name),
            comment: feedback.comment,
            deployment: feedback.deployment,
            check: feedback.check_run,
            logs: match feedback.logs {
                LogRule::Always => true,
                LogRule::PrivateRepositories => is_private(baseline, environment),
                LogRule::Never => false,
            },
            warn_before: TimeDelta::from_std(baseline.warn_before).unwrap_or(TimeDelta::hours(WARN_HOURS)),
            max: baseline.max.and_then(|max| TimeDelta::from_std(max).ok()),
            forks: baseline.trust.forks,
            approvers: baseline.trust.approvers,
            pulls: pulls(baseline, environment),
            held: environment.uid().and_then(|uid| baseline.held.get(&uid).copied()),
        }
    }
}

impl Rules {
    /// What the check is called.
    pub(super) fn check_name(&self) -> String {
        check_called(&self.label)
    }

    /// Those of an environment whose Baseline cannot be used: nothing that not everybody may read.
    pub(super) fn unknown(environment: &PreviewEnvironment) -> Self {
        Self {
            label: label(&environment.namespace().unwrap_or_default(), &environment.spec.baseline),
            comment: CommentRule::default(),
            deployment: true,
            check: true,
            logs: false,
            warn_before: TimeDelta::hours(WARN_HOURS),
            max: None,
            forks: Forks::default(),
            approvers: Approvers::default(),
            pulls: PullRequests::default(),
            held: None,
        }
    }
}

/// Whether that is what the check of a Baseline's environment for that pull request is called, alone at its commit or not.
pub fn is_check_of((namespace, baseline): (&str, &str), pull: i64, name: &str) -> bool {
    let usual = check_called(&label(namespace, baseline));
    name == usual || name == beside_others(&usual, pull)
}

/// What a check is called where another pull request with the same commit has the usual name.
pub(super) fn beside_others(usual: &str, pull: i64) -> String {
    format!("{usual} (#{pull})")
}

fn check_called(label: &str) -> String {
    format!("preview / {label}")
}

/// A Baseline is called by its name, and where its namespace has another one, by both: a namespace is one Baseline's.
fn label(namespace: &str, name: &str) -> String {
    if namespace == name { name.to_owned() } else { format!("{namespace}/{name}") }
}

/// What the trigger says of the repository of its pull request.
fn pulls(baseline: &Baseline, environment: &PreviewEnvironment) -> PullRequests {
    let source = pull_source(environment).and_then(|source| Some((source, source.repository.parse::<RepoName>().ok()?)));
    let repository = source.and_then(|(source, name)| baseline.repository_by(source.forge, source.repository_id, &name));
    repository.map_or(baseline.trigger.pull_requests, |repository| baseline.trigger_of(repository).pull_requests)
}

/// Whether every repository that the environment shows code of is closed to the public, as far as the forge has said.
fn is_private(baseline: &Baseline, environment: &PreviewEnvironment) -> bool {
    let private = |source: &crate::api::Source| {
        let name: Option<RepoName> = source.repository.parse().ok();
        name.and_then(|name| baseline.repository_by(source.forge, source.repository_id, &name)).is_some_and(|r| r.private)
    };
    pull_source(environment).is_some() && environment.spec.sources.iter().all(private)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::tests::fixtures::{recorded, shop};

    #[test]
    fn logs_are_shown_to_members_only_unless_the_baseline_says_so() {
        for (logs, private, shown) in
            [("PrivateRepositories", true, true), ("PrivateRepositories", false, false), ("Always", false, true), ("Never", true, false)]
        {
            let baseline = shop(&serde_json::json!({"logs": logs}), private);
            assert_eq!(Rules::of(&baseline, &recorded()).logs, shown, "{logs} {private}");
        }
    }

    #[test]
    fn a_repository_that_nobody_asked_about_counts_as_public() {
        let mut baseline = shop(&serde_json::json!({}), true);
        baseline.repositories[0].id = Some(8);
        assert!(!Rules::of(&baseline, &recorded()).logs, "another repository of the same name");
    }

    #[test]
    fn a_check_is_known_by_its_name_with_and_without_the_number_of_its_own_pull_request() {
        for (name, is_it) in [
            ("preview / shop", true),
            ("preview / shop (#42)", true),
            ("preview / shop (#43)", false),
            ("preview / eu/shop", false),
            ("preview / shop (#42) ", false),
        ] {
            assert_eq!(is_check_of(("shop", "shop"), 42, name), is_it, "{name}");
        }
    }

    #[test]
    fn two_baselines_are_never_called_the_same() {
        assert_eq!((label("shop", "shop"), label("eu", "shop")), ("shop".into(), "eu/shop".into()));
    }
}
