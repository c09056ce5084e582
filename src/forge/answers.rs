//! What a forge answers, and what it is told, in words that every forge shares.

use chrono::{DateTime, Utc};

use crate::api::baseline::Approvers;
use crate::domain::RepoName;

/// A repository as the forge describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RepositoryFacts {
    /// Its number, which stays through renames and transfers.
    pub id: i64,
    /// Its name at this moment.
    pub name: RepoName,
    /// Whether only its members may read it.
    pub private: bool,
}

/// Whether a forge still shows us a repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Access {
    /// It does, or does not say. With what the repository of that number is called now, where the forge says that.
    Granted(Option<RepositoryFacts>),
    /// Somebody took it from us for good, as by uninstalling an App.
    Revoked,
}

/// By what a forge knows whether an answer is still the same: an `ETag`, for example.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Validator(pub String);

/// Where the record of deliveries goes on, in the forge's own words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cursor(pub String);

/// A part of the record of what could not be delivered.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FailedDeliveries {
    /// The deliveries of it that were never taken, by their numbers, oldest first.
    pub deliveries: Vec<i64>,
    /// When the newest entry of it was made, by the forge's own clock.
    pub newest: Option<DateTime<Utc>>,
    /// Where it goes on, unless this was the end.
    pub rest: Option<Cursor>,
}

/// A list, or that it is the same as before.
#[derive(Clone, Debug, PartialEq)]
pub enum Listing<T> {
    /// Nothing changed since.
    Unchanged,
    /// This is so now.
    Now {
        /// What there is.
        items: Vec<T>,
        /// By what the next question can be asked for less.
        validator: Option<Validator>,
    },
}

/// What an account may do in a repository. What is greater includes what is smaller.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Permission {
    /// Nothing.
    None,
    /// See it.
    Read,
    /// Sort its issues.
    Triage,
    /// Push to it.
    Write,
    /// Look after it.
    Maintain,
    /// Everything.
    Admin,
}

impl Permission {
    /// As people say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }
}

/// What somebody needs to approve, to label and to command.
impl From<Approvers> for Permission {
    fn from(approvers: Approvers) -> Self {
        match approvers {
            Approvers::Write => Self::Write,
            Approvers::Maintain => Self::Maintain,
            Approvers::Admin => Self::Admin,
        }
    }
}

/// What somebody wrote on a pull request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PostedComment {
    /// The repository's number.
    pub repository_id: i64,
    /// The repository's name at this moment.
    pub repository: RepoName,
    /// Number of the pull request.
    pub pull: i64,
    /// Its number.
    pub id: i64,
    /// Login of the one who wrote it.
    pub author: String,
    /// Whether a bot or an app wrote it.
    pub by_bot: bool,
    /// What it says.
    pub body: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was changed; the same where it never was.
    pub updated_at: DateTime<Utc>,
}

/// When a pull request last was closed and reopened; None where it never was. A merge closes it too.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Turns {
    /// When it was last closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// When it was last reopened.
    pub reopened_at: Option<DateTime<Utc>>,
}

/// A sign under a comment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reaction {
    /// We saw it.
    Seen,
    /// It is done.
    Done,
    /// It is refused.
    Refused,
}

/// A new deployment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewDeployment {
    /// The commit.
    pub revision: String,
    /// Where it runs, as people read it. The same for all of a pull request.
    pub environment: String,
    /// What it is, in a sentence that tells it from those of other pull requests.
    pub description: String,
}

/// How a deployment is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DeploymentState {
    /// It waits for something.
    Queued,
    /// It is being made.
    InProgress,
    /// It runs.
    Success,
    /// It does not run.
    Failure,
    /// It cannot be made for reasons that have nothing to do with the change.
    Error,
    /// It is gone, or another has taken its place.
    Inactive,
}

/// What a deployment is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeploymentUpdate {
    /// How it is.
    pub state: DeploymentState,
    /// The same in at most 140 characters.
    pub description: String,
    /// Where it is reached, once it answers.
    pub url: Option<String>,
}

/// What stands beside a commit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// What it is called: the same for all commits.
    pub name: String,
    /// The commit.
    pub revision: String,
    /// Number of the pull request that it is about, if it is about one: by that it is told from the check of another one with
    /// the same commit, and a pressed button is known to be of it.
    pub pull: Option<i64>,
    /// When the environment was made that it shows: by that a pressed button is known to be of that one, and of none that was
    /// made anew since.
    pub made_at: Option<DateTime<Utc>>,
    /// How it ended; absent while it goes on.
    pub conclusion: Option<Conclusion>,
    /// One line.
    pub title: String,
    /// Markdown.
    pub summary: String,
    /// Where more is to be seen.
    pub url: Option<String>,
    /// Buttons, where the forge has them.
    pub actions: Vec<CheckAction>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Conclusion {
    /// The environment is up.
    Success,
    /// The change does not come up.
    Failure,
    /// Nothing can be said of the change.
    Neutral,
    /// Somebody has to act first.
    ActionRequired,
    /// There is nothing to check.
    Skipped,
}

impl Conclusion {
    /// Whether nobody waits for anything any more. What waits for somebody is ended when nobody can do it any more.
    pub const fn ends(self) -> bool {
        !matches!(self, Self::ActionRequired)
    }
}

/// A button beside a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CheckAction {
    /// Bring it up to its commit and its baseline.
    Rebuild,
    /// Keep it longer.
    Extend,
    /// Take it down.
    Delete,
}

impl CheckAction {
    /// Every button.
    pub const ALL: [Self; 3] = [Self::Rebuild, Self::Extend, Self::Delete];

    /// By what a press is known again.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Extend => "extend",
            Self::Delete => "delete",
        }
    }

    /// The button of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}
