//! What the forge's list of deployments is to say of an environment. No client, no clock, no logging.

use super::begun;
use super::digest::digest;
use super::end::{End, commits};
use super::facts::Facts;
use super::markdown::short;
use super::rules::Surroundings;
use super::state::{Reach, State};
use super::trouble::Fault;
use crate::api::status::{Feedback, Surface};
use crate::forge::{DeploymentState, DeploymentUpdate, NewDeployment};

/// What is recorded of a deployment that another one, or the end, has taken the place of.
pub const INACTIVE: &str = "inactive";
/// GitHub cuts nothing and refuses longer ones ("Create a deployment status"), in characters.
const DESCRIPTION_MAX: usize = 140;
/// As many of an environment are kept; the oldest go with the next push.
pub const KEPT: usize = 5;

/// What deployments an environment is to have.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Deploying {
    /// Those that it has.
    #[default]
    Keep,
    /// One of the commit at the head, that says this.
    Show {
        /// How it is made.
        new: NewDeployment,
        /// How it is.
        update: DeploymentUpdate,
        /// Whether it is made where there is none.
        opens: bool,
    },
    /// None.
    End {
        /// Those that the forge may list although nobody recorded them.
        unrecorded: Vec<NewDeployment>,
        /// By what it is known whether they were looked for; None where there is nothing to look for.
        end: Option<End>,
    },
}

impl Deploying {
    /// What that environment is to have.
    pub(super) fn of(facts: &Facts<'_>, around: Surroundings<'_>) -> Self {
        let is_off = around.rules.is_some_and(|rules| !rules.deployment);
        match &facts.state {
            // GitHub runs workflows that begin with a deployment as its commit has them, with the repository's own secrets
            // ("Events that trigger workflows"). Whoever approves a preview has not approved that.
            _ if is_off || facts.source.is_foreign() => Self::End { unrecorded: Vec::new(), end: None },
            State::Removing(_) | State::Gone(_) | State::Fork | State::Denied => Self::ended(facts),
            state if !state.is_deployed() => Self::Keep,
            state => Self::Show { new: new(facts, &facts.source.revision), update: update(facts, state), opens: around.rules.is_some() },
        }
    }

    fn ended(facts: &Facts<'_>) -> Self {
        let end = End::of(facts);
        let commits = if end.is_some() { commits(facts) } else { Vec::new() };
        Self::End { unrecorded: commits.iter().map(|commit| new(facts, commit)).collect(), end }
    }

    /// What tells it from another.
    pub fn digest(&self) -> String {
        match self {
            Self::Keep => "keep".to_owned(),
            Self::End { .. } => INACTIVE.to_owned(),
            Self::Show { update, .. } => said(update),
        }
    }

    /// Whether the records say that the forge shows this.
    pub fn is_shown(&self, feedback: &Feedback) -> bool {
        match self {
            Self::Keep => true,
            Self::End { end, .. } => {
                let is_sought = end.as_ref().is_none_or(|end| end.is_sought(feedback, Surface::Deployment));
                is_sought && feedback.deployments.is_empty() && begun::has_no_others(feedback, Surface::Deployment, None)
            }
            Self::Show { new, .. } if !begun::has_no_others(feedback, Surface::Deployment, Some(&new.revision)) => false,
            Self::Show { new, update, opens } => match feedback.deployments.split_last() {
                Some((last, older)) if last.revision == new.revision => {
                    let told = last.digest.as_deref() == Some(&said(update));
                    told && (update.state != DeploymentState::Success || older.iter().all(|d| d.digest.as_deref() == Some(INACTIVE)))
                }
                _ => !opens,
            },
        }
    }
}

/// What tells one state of a deployment from another.
pub fn said(update: &DeploymentUpdate) -> String {
    digest(&format!("{:?}\n{}\n{}", update.state, update.description, update.url.as_deref().unwrap_or_default()))
}

/// One name for all environments of a Baseline: a forge keeps a page for each name for ever, and one for each pull request
/// would fill its list. So the description tells those of two pull requests with one commit apart.
pub fn of_commit(environment: &str, pull: i64, revision: &str) -> NewDeployment {
    let description = clipped(&format!("Preview of #{pull} at {}", short(revision)));
    NewDeployment { revision: revision.to_owned(), environment: environment.to_owned(), description }
}

/// What the forge calls the environment that all deployments of a Baseline are to.
pub(super) fn environment_of(facts: &Facts<'_>) -> String {
    format!("preview/{}", facts.rules.label)
}

fn new(facts: &Facts<'_>, revision: &str) -> NewDeployment {
    of_commit(&environment_of(facts), facts.source.pull.unwrap_or_default(), revision)
}

fn update(facts: &Facts<'_>, state: &State) -> DeploymentUpdate {
    let (state, says) = match state {
        State::Waiting(_) => (DeploymentState::Queued, "waits for its image or its turn"),
        State::Instead(_) => (DeploymentState::Queued, "is up without the code of this commit"),
        State::Stalled(_, Fault::Change) | State::Failed => (DeploymentState::Failure, "does not come up"),
        State::Stalled(_, Fault::Surroundings) => (DeploymentState::Error, "cannot be made, whatever the change is"),
        State::Degraded => (DeploymentState::Failure, "was up, and is not any more"),
        State::Ready(Reach::Answered(_)) => (DeploymentState::Success, "is up and answers"),
        State::Ready(_) => (DeploymentState::Success, "is up"),
        State::Silent(Some(_)) => (DeploymentState::InProgress, "is up and does not answer yet"),
        _ => (DeploymentState::InProgress, "is being made"),
    };
    let pull = facts.source.pull.unwrap_or_default();
    let url = (state == DeploymentState::Success).then(|| facts.status.urls.first().map(|url| url.url.clone())).flatten();
    DeploymentUpdate { state, description: clipped(&format!("Preview of #{pull} {says}")), url }
}

fn clipped(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(DESCRIPTION_MAX).collect()
}
