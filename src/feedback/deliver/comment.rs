//! One comment, found again by its number or its marker.

use chrono::{DateTime, Utc};

use super::{Delivery, Step, refuse, within};
use crate::api::status::{Feedback, Shown, Surface};
use crate::feedback::group::pull_source;
use crate::feedback::marker::{BEGIN, Marker, Whose};
use crate::feedback::show::Letter;
use crate::forge::{Class, Comment, ForgeError};

/// A comment that is taken for ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Ours {
    id: i64,
    /// Whether it was seen to be signed by us, so that no other service has it too.
    signed: bool,
}

impl Delivery<'_> {
    pub(super) async fn bring_comment(&mut self) -> Step {
        let Some(letter) = &self.show.letter else { return Ok(()) };
        if self.show.says_comment(&self.feedbacks) {
            return Ok(());
        }
        let brought = self.proven(self.write(letter, self.recorded()).await).await;
        match &brought {
            Ok(ours) => self.shown(letter, *ours),
            Err(error) => self.not_shown(letter, error),
        }
        brought.map(|_| ())
    }

    fn recorded(&self) -> Option<Ours> {
        let id = self.feedbacks.iter().find_map(|feedback| feedback.comment_id)?;
        let signed = self.feedbacks.iter().any(|feedback| feedback.comment_id == Some(id) && feedback.comment_by.is_some());
        Some(Ours { id, signed })
    }

    /// Edits the comment that we know to be ours. Finds it by its marker where we know none, where somebody deleted it, or where it
    /// is recorded from before comments were signed: another service may have recorded the same one.
    async fn write(&self, letter: &Letter, recorded: Option<Ours>) -> Result<Option<Ours>, ForgeError> {
        let repository = self.repository()?;
        if let Some(ours) = recorded.filter(|ours| ours.signed || letter.marker.name().is_none()) {
            match within("edit the comment", self.forge.edit_comment(repository, ours.id, &letter.text)).await {
                Err(ForgeError::NotFound(_)) => self.still_home().await?,
                answer => return answer.map(|()| Some(ours)),
            }
        }
        self.find_or_create(letter, recorded.map(|ours| ours.id)).await
    }

    /// Always looks before it writes: the answer to an earlier try may have been lost.
    async fn find_or_create(&self, letter: &Letter, recorded: Option<i64>) -> Result<Option<Ours>, ForgeError> {
        let (repository, pull) = (self.repository()?, self.group.key.number);
        let found = within("find the comment", self.forge.find_comments(repository, pull, &[letter.marker.line(), BEGIN])).await?;
        match ours_among(&found, &letter.marker, recorded) {
            Some((comment, ours)) if same_text(&comment.body, &letter.text) => Ok(Some(ours)),
            Some((_, ours)) => {
                within("edit the comment", self.forge.edit_comment(repository, ours.id, &letter.text)).await?;
                Ok(Some(ours))
            }
            None if !letter.opens => Ok(None),
            None => {
                let id = within("write the comment", self.forge.create_comment(repository, pull, &letter.text)).await?;
                Ok(Some(Ours { id, signed: true }))
            }
        }
    }

    fn shown(&mut self, letter: &Letter, ours: Option<Ours>) {
        // By the clock that the times of comments are by, since an approval is compared with it.
        let now = self.forge.time();
        for ((member, part), feedback) in self.group.members().iter().zip(&self.show.parts).zip(&mut self.feedbacks) {
            feedback.comment_id = ours.map(|ours| ours.id);
            feedback.comment_by = ours.filter(|ours| ours.signed).and_then(|_| letter.marker.name()).map(str::to_owned);
            feedback.digest = Some(letter.digest.clone());
            feedback.refused.retain(|refusal| refusal.surface != Surface::Comment);
            if let Some(source) = pull_source(member).filter(|_| part.names_the_commit && ours.is_some()) {
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
                Class::Transient if error.wait().is_some() => {}
                Class::Transient => feedback.digest = None,
            }
        }
    }
}

/// Ours among what our account wrote: the one that we signed, else the recorded one if nobody signed it, else the oldest that nobody
/// signed, unless another service is at work here. One that is taken over counts as signed when it is found again: two services can
/// take the same one at the same moment.
fn ours_among<'a>(found: &'a [Comment], marker: &Marker, recorded: Option<i64>) -> Option<(&'a Comment, Ours)> {
    let is = |whose: Whose| move |comment: &&Comment| marker.whose(&comment.body) == whose;
    if let Some(comment) = found.iter().find(is(Whose::Ours)) {
        return Some((comment, Ours { id: comment.id, signed: true }));
    }
    let is_recorded = |comment: &&Comment| recorded == Some(comment.id) && is(Whose::Nobodys)(comment);
    let is_shared = found.iter().any(|comment| is(Whose::Anothers)(&comment));
    let comment = found.iter().find(is_recorded).or_else(|| found.iter().find(is(Whose::Nobodys)).filter(|_| !is_shared))?;
    Some((comment, Ours { id: comment.id, signed: false }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::MARKER;

    #[test]
    fn ours_is_what_we_signed_else_what_nobody_did_and_never_what_may_be_anothers() {
        let line = |name: &str| Marker::of(&name.parse().unwrap()).line().to_owned();
        let (mine, other, nobodys) = (line("mine"), line("other"), MARKER.to_owned());
        for (bodies, recorded, expected) in [
            (vec![], Some(1), None),
            (vec![&mine], None, Some((1, true))),
            (vec![&nobodys, &mine], Some(1), Some((2, true))),
            (vec![&nobodys, &nobodys], None, Some((1, false))),
            (vec![&nobodys, &nobodys], Some(2), Some((2, false))),
            (vec![&nobodys, &other], Some(1), Some((1, false))),
            (vec![&nobodys, &other], None, None),
            (vec![&other, &nobodys], Some(1), None),
            (vec![&other], Some(1), None),
        ] {
            let found: Vec<_> = (1..).zip(&bodies).map(|(id, body)| Comment { id, body: format!("{body}\ntext") }).collect();
            let ours = ours_among(&found, &Marker::of(&"mine".parse().unwrap()), recorded).map(|(_, ours)| (ours.id, ours.signed));
            assert_eq!(ours, expected, "{bodies:?} {recorded:?}");
        }
    }
}
