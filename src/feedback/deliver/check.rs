//! One check for each commit at the head.

use super::{Delivery, Step, within};
use crate::api::status::{Begun, CheckStatus, Surface};
use crate::domain::RepoName;
use crate::feedback::begun;
use crate::feedback::check::Checking;
use crate::feedback::end::{End, forget};
use crate::forge::{Check, Checks, Class, Conclusion, ForgeError};

impl Delivery<'_> {
    pub(super) async fn bring_check(&mut self, index: usize) -> Step {
        let Some(checks) = self.forge.checks() else { return Err(ForgeError::Unsupported("checks")) };
        let Some(checking) = self.show.parts.get(index).and_then(|part| part.checking.as_ref()) else { return Ok(()) };
        self.repository()?;
        self.end_the_one_before(checks, checking, index).await?;
        self.end_begun(checks, checking, index).await?;
        if let Some(end) = checking.end.as_ref().filter(|_| !self.has_check_of(checking, index)) {
            self.end_unrecorded(checks, (checking, end), index).await?;
            begun::settle(&mut self.feedbacks[index], Surface::Check, &checking.check.revision);
            return Ok(());
        }
        let feedback = &mut self.feedbacks[index];
        if checking.end.is_none() {
            forget(feedback, Surface::Check);
        }
        let before = feedback.check.as_ref().filter(|check| check.revision == checking.check.revision);
        let (known, opens) = (before.and_then(|check| check.id), checking.opens || before.is_some());
        // Whatever comes of it, what was recorded is not known to be shown.
        if let Some(check) = &mut feedback.check {
            check.digest = None;
        }
        let written = self.write_check(checks, (checking, opens), (index, known)).await?;
        begun::settle(&mut self.feedbacks[index], Surface::Check, &checking.check.revision);
        let Some(Written { number: id }) = written else { return Ok(()) };
        let (revision, concluded) = (checking.check.revision.clone(), checking.check.conclusion.is_some_and(Conclusion::ends));
        let (name, digest) = (checking.other_name(), Some(checking.digest()));
        self.feedbacks[index].check = Some(CheckStatus { id, revision, name, digest, concluded });
        Ok(())
    }

    fn has_check_of(&self, checking: &Checking, index: usize) -> bool {
        self.feedbacks[index].check.as_ref().is_some_and(|check| check.revision == checking.check.revision)
    }

    /// Ends the one that goes on although nobody recorded it, if there is one.
    async fn end_unrecorded(&mut self, checks: &dyn Checks, (checking, end): (&Checking, &End), index: usize) -> Step {
        end_unfinished(checks, self.repository()?, &checking.check).await?;
        end.sought(&mut self.feedbacks[index], Surface::Check);
        Ok(())
    }

    /// Ends those of other commits that were begun and not recorded.
    async fn end_begun(&mut self, checks: &dyn Checks, checking: &Checking, index: usize) -> Step {
        let repository = self.repository()?;
        let head = Some(checking.check.revision.as_str());
        let begun: Vec<Begun> = begun::others(&self.feedbacks[index], Surface::Check, head).cloned().collect();
        for Begun { revision, name, .. } in begun {
            let before = CheckStatus { id: None, revision, name, digest: None, concluded: false };
            match end_unfinished(checks, repository, &checking.superseded(&before)).await {
                Ok(()) => {}
                // The commit may be gone for good, and nothing of it is shown any more.
                Err(error) if error.class() == Class::Terminal && !error.is_of_identity() => {}
                Err(error) => return Err(error),
            }
            begun::settle(&mut self.feedbacks[index], Surface::Check, &before.revision);
        }
        Ok(())
    }

    /// A check that goes on for ever would stand beside a commit that nobody waits for any more.
    async fn end_the_one_before(&mut self, checks: &dyn Checks, checking: &Checking, index: usize) -> Step {
        let open = |check: &&CheckStatus| check.revision != checking.check.revision && !check.concluded;
        let Some(before) = self.feedbacks[index].check.as_ref().filter(open) else { return Ok(()) };
        let (repository, check) = (self.repository()?, checking.superseded(before));
        let ended = match before.id {
            Some(id) => within("end the check of the commit before", checks.update(repository, id, &check)).await,
            None => within("end the check of the commit before", checks.create(repository, &check)).await.map(|_| ()),
        };
        match ended {
            // Somebody deleted it, or the commit.
            Ok(()) | Err(ForgeError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        if let Some(before) = &mut self.feedbacks[index].check {
            before.concluded = true;
        }
        Ok(())
    }

    /// Changes the check that we know, else the one of that name at that commit that is of this pull request, else makes one: the
    /// answer to an earlier try may have been lost. None where there is none and none is to be made.
    async fn write_check(
        &mut self,
        checks: &dyn Checks,
        (checking, opens): (&Checking, bool),
        (index, known): (usize, Option<i64>),
    ) -> Result<Option<Written>, ForgeError> {
        let (repository, check) = (self.repository()?, &checking.check);
        if let Some(id) = known {
            match within("change the check", checks.update(repository, id, check)).await {
                Err(ForgeError::NotFound(_)) => {}
                answer => return answer.map(|()| Some(Written { number: Some(id) })),
            }
        }
        match within("find the check", checks.find(repository, check)).await? {
            Some(id) => within("change the check", checks.update(repository, id, check)).await.map(|()| Some(Written { number: Some(id) })),
            None if !opens => Ok(None),
            None => {
                let made = within("make the check", checks.create(repository, check)).await;
                self.settled(Surface::Check, (index, &check.revision), made).map(|number| Some(Written { number }))
            }
        }
    }
}

/// Ends the check of that name, commit and pull request that goes on, if there is one.
async fn end_unfinished(checks: &dyn Checks, repository: &RepoName, check: &Check) -> Step {
    match within("find the check that goes on", checks.unfinished(repository, check)).await? {
        Some(id) => within("end the check", checks.update(repository, id, check)).await,
        None => Ok(()),
    }
}

/// A check that was written; a commit status has no number.
struct Written {
    number: Option<i64>,
}
