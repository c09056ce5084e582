//! What people do on GitHub, and the events that follow from it.

mod check;
mod comment;
mod installation;
mod on;
mod open;
mod pull;
mod push;
mod repository;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Comment, CommentEdit, IssueEvent, Model, Permission, PullRequest, Refusal, whole_seconds};

pub use on::{On, on};
pub use open::Open;

/// Something that a person does. `by` is a login, `repo` is `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is named for what it holds: see the lines on the variants")]
pub enum Action {
    /// Opens a pull request.
    Open(Open),
    /// Pushes a commit to a branch, which is made if new. Every open pull request of it follows.
    Push {
        repo: String,
        branch: String,
        by: String,
        #[serde(default)]
        force: bool,
    },
    /// Pushes a commit to the branch of a pull request, wherever that is.
    PushTo {
        repo: String,
        number: u64,
        by: String,
        #[serde(default)]
        force: bool,
    },
    /// Edits title, description or base branch.
    Edit { repo: String, number: u64, by: String, title: Option<String>, body: Option<String>, base: Option<String> },
    /// Turns it into a draft.
    ConvertToDraft { repo: String, number: u64, by: String },
    /// Takes the draft mark off.
    ReadyForReview { repo: String, number: u64, by: String },
    /// Closes it without merging.
    Close { repo: String, number: u64, by: String },
    /// Merges it, which closes it.
    Merge { repo: String, number: u64, by: String },
    /// Opens it again; the head moves to where the branch is by now.
    Reopen { repo: String, number: u64, by: String },
    /// Puts a label on it.
    Label { repo: String, number: u64, by: String, label: String },
    /// Takes a label off.
    Unlabel { repo: String, number: u64, by: String, label: String },
    /// Limits the conversation to collaborators. (No event that the double sends.)
    Lock { repo: String, number: u64, by: String },
    /// Writes a comment.
    Comment { repo: String, number: u64, by: String, body: String },
    /// Edits a comment.
    EditComment { repo: String, comment: u64, by: String, body: String },
    /// Deletes a comment.
    DeleteComment { repo: String, comment: u64, by: String },
    /// Deletes a branch, which closes its pull requests.
    DeleteBranch { repo: String, branch: String, by: String },
    /// Deletes a repository. Pull requests from it stay open, their `head.repo` is null.
    DeleteRepository { repo: String, by: String },
    /// Gives a repository another name under the same owner; `to` is that name alone. The old one redirects.
    RenameRepository { repo: String, to: String, by: String },
    /// Gives a repository to another account.
    TransferRepository { repo: String, to: String, by: String },
    /// Makes a repository private, or public.
    SetPrivate { repo: String, private: bool, by: String },
    /// Presses a button of a check run; `button` is its identifier. Its App is told.
    Press { repo: String, check: u64, button: String, by: String },
    /// Presses GitHub's own "Re-run" of a check run. Its App is told.
    Rerequest { repo: String, check: u64, by: String },
    /// Presses GitHub's "Re-run all checks" for the commit and the App of that check run. Its App is told.
    RerequestAll { repo: String, check: u64, by: String },
    /// Installs an App on an account: on all of its repositories, or on these, as `owner/name`.
    Install {
        app: u64,
        owner: String,
        #[serde(default)]
        repositories: Option<Vec<String>>,
        by: String,
    },
    /// Uninstalls it.
    Uninstall { installation: u64, by: String },
    /// Suspends it: its tokens stop working.
    Suspend { installation: u64, by: String },
    /// Ends that.
    Unsuspend { installation: u64, by: String },
    /// Adds repositories to an installation on selected ones.
    AddRepositories { installation: u64, repositories: Vec<String>, by: String },
    /// Takes repositories from an installation on selected ones.
    RemoveRepositories { installation: u64, repositories: Vec<String>, by: String },
    /// GitHub's test of a webhook, as on its creation.
    Ping { hook: u64 },
}

/// Something that happened, from which deliveries are built.
#[derive(Debug, Clone)]
pub struct Event {
    /// The event's name, as in `X-GitHub-Event`.
    pub name: &'static str,
    /// The action within the event.
    pub action: Option<&'static str>,
    /// The repository; none where it is about an installation.
    pub repository: Option<u64>,
    /// The installation that it is about, or that is told although it is no more on the repository.
    pub installation: Option<u64>,
    /// The pull request.
    pub number: Option<u64>,
    /// Who did it.
    pub sender: u64,
    /// What only this event carries.
    pub extra: Extra,
}

/// What only some events carry.
#[derive(Debug, Clone)]
pub enum Extra {
    /// Nothing more.
    None,
    /// A push: the commits before and after.
    Moved {
        /// The commit before.
        before: String,
        /// The commit after.
        after: String,
    },
    /// A push to a branch.
    Pushed(Pushed),
    /// An edit: the old values, in GitHub's form.
    Changes(Value),
    /// The label that was put on or taken off.
    Label(String),
    /// The comment, and its old text if edited.
    Comment(Comment, Option<String>),
    /// The check run, and the button that was pressed.
    Check(u64, Option<String>),
    /// Repositories that an installation got or lost.
    Repositories(Vec<u64>),
    /// The webhook that is tested.
    Hook(u64),
}

/// A branch that was made, moved or deleted.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// The branch.
    pub branch: String,
    /// Where it was; none if it is new.
    pub before: Option<String>,
    /// Where it is; none if it was deleted.
    pub after: Option<String>,
    /// Whether commits were taken away.
    pub forced: bool,
}

/// Where and by whom something is done.
#[derive(Clone, Copy)]
struct At<'a> {
    repo: &'a str,
    number: u64,
    by: &'a str,
    now: DateTime<Utc>,
}

impl Model {
    /// Does `action` at `now` and returns what happened, which may be nothing that GitHub tells.
    pub fn act(&mut self, action: &Action, now: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        let now = whole_seconds(now);
        match action {
            Action::Open(open) => self.open(open, now),
            Action::Push { repo, branch, by, force } => self.push(push::To { force: *force, repo, branch, by, now }),
            Action::PushTo { repo, number, by, force } => self.push_to(At { repo, number: *number, by, now }, *force),
            Action::DeleteBranch { repo, branch, by } => self.delete_branch(push::To { force: false, repo, branch, by, now }),
            Action::DeleteRepository { repo, by } => self.delete_repository(repo, by),
            Action::RenameRepository { repo, to, by } => self.rename_repository(repo, to, by),
            Action::TransferRepository { repo, to, by } => self.transfer_repository(repo, to, by),
            Action::SetPrivate { repo, private, by } => self.set_private(repo, *private, by),
            Action::Press { repo, check, button, by } => self.press((repo, *check), by, Some(button)),
            Action::Rerequest { repo, check, by } => self.press((repo, *check), by, None),
            Action::RerequestAll { repo, check, by } => self.press_all((repo, *check), by),
            Action::Install { app, owner, repositories, by } => self.install((*app, owner), repositories.as_deref(), by, now),
            Action::Uninstall { installation, by }
            | Action::Suspend { installation, by }
            | Action::Unsuspend { installation, by }
            | Action::AddRepositories { installation, by, .. }
            | Action::RemoveRepositories { installation, by, .. } => self.act_on_installation((*installation, by), action, now),
            Action::Ping { hook } => self.ping(*hook),
            Action::Comment { repo, number, by, body } => self.say(At { repo, number: *number, by, now }, body),
            Action::EditComment { repo, comment, by, body } => self.reword(CommentEdit { repo, id: *comment, body, now }, by),
            Action::DeleteComment { repo, comment, by } => self.unsay(CommentEdit { repo, id: *comment, body: "", now }, by),
            Action::Edit { repo, number, by, .. } => self.edit(At { repo, number: *number, by, now }, action),
            _ => self.act_on_pull(action, now),
        }
    }

    fn act_on_pull(&mut self, action: &Action, now: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        let (Action::ConvertToDraft { repo, number, by }
        | Action::ReadyForReview { repo, number, by }
        | Action::Close { repo, number, by }
        | Action::Merge { repo, number, by }
        | Action::Reopen { repo, number, by }
        | Action::Label { repo, number, by, .. }
        | Action::Unlabel { repo, number, by, .. }
        | Action::Lock { repo, number, by }) = action
        else {
            return Ok(Vec::new());
        };
        let at = At { repo, number: *number, by, now };
        match action {
            Action::ConvertToDraft { .. } => self.set_draft(at, true),
            Action::ReadyForReview { .. } => self.set_draft(at, false),
            Action::Close { .. } => self.close(at),
            Action::Merge { .. } => self.merge(at),
            Action::Reopen { .. } => self.reopen(at),
            Action::Label { label, .. } => self.label(at, label, true),
            Action::Unlabel { label, .. } => self.label(at, label, false),
            _ => self.lock(at),
        }
    }

    fn ping(&self, hook: u64) -> Result<Vec<Event>, Refusal> {
        let webhook = self.webhook(hook)?;
        let any = self.repositories.values().next();
        let repository = webhook.repository.or(any.map(|repo| repo.id)).unwrap_or_default();
        let owner = self.repositories.get(&repository).map(|repo| repo.owner).unwrap_or_default();
        Ok(vec![Event {
            name: "ping",
            action: None,
            repository: Some(repository),
            installation: None,
            number: None,
            sender: owner,
            extra: Extra::Hook(hook),
        }])
    }

    /// The pull request, marked as changed now.
    fn touch(&mut self, at: At<'_>) -> Result<&mut PullRequest, Refusal> {
        let pull = self.pull_mut(at.repo, at.number)?;
        pull.updated_at = at.now;
        Ok(pull)
    }

    /// Keeps what happened to a pull request.
    fn noted(&mut self, at: At<'_>, event: &'static str, label: Option<&str>) -> Result<(), Refusal> {
        let (id, actor) = (self.next_id(), self.user(at.by)?.id);
        let kept = IssueEvent { id, number: at.number, event, actor, label: label.map(str::to_owned), at: at.now };
        self.repository_mut(at.repo)?.records.issue_events.push(kept);
        Ok(())
    }

    fn told(&self, at: At<'_>, action: &'static str, extra: Extra) -> Result<Vec<Event>, Refusal> {
        Ok(vec![Event {
            name: "pull_request",
            action: Some(action),
            repository: Some(self.repository(at.repo)?.id),
            installation: None,
            number: Some(at.number),
            sender: self.user(at.by)?.id,
            extra,
        }])
    }

    fn require(&self, at: At<'_>, least: Permission, what: &'static str) -> Result<(), Refusal> {
        let user = self.user(at.by)?;
        let held = self.repository(at.repo)?.permission(Some(user.id));
        if held >= least {
            return Ok(());
        }
        Err(Refusal::Forbidden { what, login: user.login.clone(), role: held.role(), repo: at.repo.to_owned() })
    }

    fn require_author_or(&self, at: At<'_>, least: Permission, what: &'static str) -> Result<(), Refusal> {
        let author = self.pull(at.repo, at.number)?.author;
        if self.user(at.by)?.id == author { Ok(()) } else { self.require(at, least, what) }
    }

    fn base_of(&self, repo: &str, branch: &str) -> Result<(String, String), Refusal> {
        let missing = || Refusal::NoBranch { repo: repo.to_owned(), branch: branch.to_owned() };
        let sha = self.repository(repo)?.branches.get(branch).ok_or_else(missing)?;
        Ok((branch.to_owned(), sha.clone()))
    }
}
