//! Actions on a pull request, to be written as a sentence: `on("acme/web", 7, "dev").close()`.

use super::{Action, Open};

/// A pull request and who does something to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct On {
    repo: String,
    number: u64,
    by: String,
}

/// Pull request `number` of `repo`, seen by the account `by`.
pub fn on(repo: &str, number: u64, by: &str) -> On {
    On { repo: repo.to_owned(), number, by: by.to_owned() }
}

impl From<Open> for Action {
    fn from(open: Open) -> Self {
        Self::Open(open)
    }
}

impl On {
    /// Pushes a commit.
    pub fn push(self) -> Action {
        Action::PushTo { repo: self.repo, number: self.number, by: self.by, force: false }
    }

    /// Replaces the commits by another.
    pub fn force_push(self) -> Action {
        Action::PushTo { repo: self.repo, number: self.number, by: self.by, force: true }
    }

    /// Changes the title.
    pub fn retitle(self, title: &str) -> Action {
        self.edit(Some(title.to_owned()), None, None)
    }

    /// Changes the description.
    pub fn describe(self, body: &str) -> Action {
        self.edit(None, Some(body.to_owned()), None)
    }

    /// Changes the branch that it is for.
    pub fn retarget(self, base: &str) -> Action {
        self.edit(None, None, Some(base.to_owned()))
    }

    fn edit(self, title: Option<String>, body: Option<String>, base: Option<String>) -> Action {
        Action::Edit { repo: self.repo, number: self.number, by: self.by, title, body, base }
    }

    /// Turns it into a draft.
    pub fn to_draft(self) -> Action {
        Action::ConvertToDraft { repo: self.repo, number: self.number, by: self.by }
    }

    /// Takes the draft mark off.
    pub fn ready(self) -> Action {
        Action::ReadyForReview { repo: self.repo, number: self.number, by: self.by }
    }

    /// Closes it.
    pub fn close(self) -> Action {
        Action::Close { repo: self.repo, number: self.number, by: self.by }
    }

    /// Merges it.
    pub fn merge(self) -> Action {
        Action::Merge { repo: self.repo, number: self.number, by: self.by }
    }

    /// Opens it again.
    pub fn reopen(self) -> Action {
        Action::Reopen { repo: self.repo, number: self.number, by: self.by }
    }

    /// Puts a label on it.
    pub fn label(self, label: &str) -> Action {
        Action::Label { repo: self.repo, number: self.number, by: self.by, label: label.to_owned() }
    }

    /// Takes a label off.
    pub fn unlabel(self, label: &str) -> Action {
        Action::Unlabel { repo: self.repo, number: self.number, by: self.by, label: label.to_owned() }
    }

    /// Limits the conversation to collaborators.
    pub fn lock(self) -> Action {
        Action::Lock { repo: self.repo, number: self.number, by: self.by }
    }

    /// Writes a comment.
    pub fn comment(self, body: &str) -> Action {
        Action::Comment { repo: self.repo, number: self.number, by: self.by, body: body.to_owned() }
    }
}
