//! One comment, found again by its number or its marker.

use chrono::{DateTime, Utc};

use super::{Delivery, Step, refuse, within};
use crate::api::status::{Feedback, Shown, Surface};
use crate::feedback::MARKER;
use crate::feedback::group::pull_source;
use crate::feedback::show::Letter;
use crate::forge::{Class, ForgeError};

impl Delivery<'_> {
    pub(super) async fn bring_comment(&mut self) -> Step {
        let Some(letter) = &self.show.letter else { return Ok(()) };
        let known = self.feedbacks.iter().find_map(|feedback| feedback.comment_id);
        if self.show.says_comment(&self.feedbacks) {
            return Ok(());
        }
        let brought = self.proven(self.write(letter, known).await).await;
        match &brought {
            Ok(id) => self.shown(letter, *id),
            Err(error) => self.not_shown(letter, error),
        }
        brought.map(|_| ())
    }

    /// Edits the comment that we know; finds it by its marker where we know none, or where somebody deleted it.
    async fn write(&self, letter: &Letter, known: Option<i64>) -> Result<Option<i64>, ForgeError> {
        let repository = self.repository()?;
        if let Some(id) = known {
            match within("edit the comment", self.forge.edit_comment(repository, id, &letter.text)).await {
                Err(ForgeError::NotFound(_)) => self.still_home().await?,
                answer => return answer.map(|()| Some(id)),
            }
        }
        self.find_or_create(letter).await
    }

    /// Always looks before it writes: the answer to an earlier try may have been lost.
    async fn find_or_create(&self, letter: &Letter) -> Result<Option<i64>, ForgeError> {
        let (repository, pull) = (self.repository()?, self.group.key.number);
        let found = within("find the comment", self.forge.find_comment(repository, pull, &[letter.marker.line(), MARKER])).await?;
        match found {
            Some(comment) if same_text(&comment.body, &letter.text) => Ok(Some(comment.id)),
            Some(comment) => {
                within("edit the comment", self.forge.edit_comment(repository, comment.id, &letter.text)).await?;
                Ok(Some(comment.id))
            }
            None if !letter.opens => Ok(None),
            None => within("write the comment", self.forge.create_comment(repository, pull, &letter.text)).await.map(Some),
        }
    }

    fn shown(&mut self, letter: &Letter, id: Option<i64>) {
        // By the clock that the times of comments are by, since an approval is compared with it.
        let now = self.forge.time();
        for ((member, part), feedback) in self.group.members().iter().zip(&self.show.parts).zip(&mut self.feedbacks) {
            feedback.comment_id = id;
            feedback.digest = Some(letter.digest.clone());
            feedback.refused.retain(|refusal| refusal.surface != Surface::Comment);
            if let Some(source) = pull_source(member).filter(|_| part.names_the_commit && id.is_some()) {
                show_commit(feedback, (&source.revision, source.observed_at), now);
            }
        }
    }

    /// What the comment says now is not known, unless the forge says clearly that nothing was done.
    fn not_shown(&mut self, letter: &Letter, error: &ForgeError) {
        for feedback in &mut self.feedbacks {
            match error.class() {
                Class::Terminal => {
                    feedback.digest = None;
                    refuse(feedback, Surface::Comment, &letter.digest, error);
                }
                Class::Transient if matches!(error, ForgeError::RateLimited { .. }) => {}
                Class::Transient => feedback.digest = None,
            }
        }
    }
}

/// Since when the comment speaks of a commit stays while it does.
fn show_commit(feedback: &mut Feedback, (revision, observed_at): (&str, DateTime<Utc>), now: DateTime<Utc>) {
    if feedback.shows.as_ref().is_none_or(|shown| shown.revision != revision) {
        feedback.shows = Some(Shown { revision: revision.to_owned(), since: now, pushed_at: Some(observed_at) });
    }
}

/// A forge may keep other line ends and drop the last one.
fn same_text(found: &str, ours: &str) -> bool {
    found.replace("\r\n", "\n").trim_end() == ours.trim_end()
}
