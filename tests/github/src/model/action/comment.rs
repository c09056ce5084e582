//! What people write under a pull request.

use super::{At, Event, Extra, Refusal};
use crate::model::{Comment, CommentEdit, Model, NewComment, Permission};

impl Model {
    pub(super) fn say(&mut self, at: At<'_>, body: &str) -> Result<Vec<Event>, Refusal> {
        let author = self.user(at.by)?.id;
        self.require(at, Permission::Read, "comment")?;
        let comment = self.comment(NewComment { repo: at.repo, number: at.number, author, app: None, body, now: at.now })?;
        Ok(vec![self.comment_event(at.repo, "created", author, (comment, None))?])
    }

    pub(super) fn reword(&mut self, edit: CommentEdit<'_>, by: &str) -> Result<Vec<Event>, Refusal> {
        let sender = self.user(by)?.id;
        let repo = edit.repo;
        let old = self.repository(repo)?.comments.get(&edit.id).map(|comment| comment.body.clone());
        let comment = self.edit_comment(edit)?;
        Ok(vec![self.comment_event(repo, "edited", sender, (comment, old))?])
    }

    pub(super) fn unsay(&mut self, edit: CommentEdit<'_>, by: &str) -> Result<Vec<Event>, Refusal> {
        let sender = self.user(by)?.id;
        let repo = edit.repo;
        let comment = self.delete_comment(edit)?;
        Ok(vec![self.comment_event(repo, "deleted", sender, (comment, None))?])
    }

    /// The event of a comment, with its old text if it was edited.
    pub(crate) fn comment_event(
        &self,
        repo: &str,
        action: &'static str,
        sender: u64,
        (comment, old): (Comment, Option<String>),
    ) -> Result<Event, Refusal> {
        Ok(Event {
            name: "issue_comment",
            action: Some(action),
            repository: Some(self.repository(repo)?.id),
            installation: None,
            number: Some(comment.number),
            sender,
            extra: Extra::Comment(comment, old),
        })
    }
}
