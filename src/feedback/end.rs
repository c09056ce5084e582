//! What a forge may still show of an environment that ends although nobody recorded it: what was made while the API server was away,
//! or right before the service stopped. It is looked for once, at the end. No client, no clock, no logging.

use super::facts::Facts;
use super::group::recorded;
use super::state::{State, Why};
use crate::api::status::{Feedback, Sought, Surface};

/// An end, as far as the forge has to be asked what it still shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct End {
    /// The commit at the head. A later one can be deployed again, so it is looked for anew.
    revision: String,
}

impl End {
    /// That of an environment; None where it has not ended, or where there was never anything to show.
    pub(super) fn of(facts: &Facts<'_>) -> Option<Self> {
        let has_ended = match &facts.state {
            State::Removing(_) => true,
            State::Gone(why) => why.is_the_end() || *why == Why::Deleted || facts.ever_ran(),
            _ => false,
        };
        has_ended.then(|| Self { revision: facts.source.revision.clone() })
    }

    /// Whether those records say that the forge was asked.
    pub fn is_sought(&self, feedback: &Feedback, surface: Surface) -> bool {
        feedback.sought.as_ref().is_some_and(|sought| sought.revision == self.revision && sought.surfaces.contains(&surface))
    }

    /// Records that it was.
    pub(super) fn sought(&self, feedback: &mut Feedback, surface: Surface) {
        if self.is_sought(feedback, surface) {
            return;
        }
        let before = feedback.sought.take().filter(|sought| sought.revision == self.revision);
        let mut surfaces = before.map(|sought| sought.surfaces).unwrap_or_default();
        surfaces.push(surface);
        surfaces.sort_unstable();
        feedback.sought = Some(Sought { revision: self.revision.clone(), surfaces });
    }
}

/// Forgets that the forge was asked: what it shows goes on, and its next end is another one.
pub(super) fn forget(feedback: &mut Feedback, surface: Surface) {
    let Some(mut sought) = feedback.sought.take() else { return };
    sought.surfaces.retain(|asked| *asked != surface);
    feedback.sought = Some(sought).filter(|sought| !sought.surfaces.is_empty());
}

/// Every commit that an environment is known to have been brought to, or was on its way to, each once.
pub(super) fn commits(facts: &Facts<'_>) -> Vec<String> {
    let shown = recorded(facts.environment).and_then(|feedback| feedback.shows.as_ref()).map(|shown| &shown.revision);
    let ran = [facts.status.revision.as_ref(), facts.status.ready_revision.as_ref()];
    let mut all: Vec<String> = Vec::new();
    for commit in [Some(&facts.source.revision), shown].into_iter().chain(ran).flatten() {
        if !all.contains(commit) {
            all.push(commit.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_looked_for_anew_at_its_next_end() {
        let (end, mut feedback) = (End { revision: "a".repeat(40) }, Feedback::default());
        end.sought(&mut feedback, Surface::Deployment);
        end.sought(&mut feedback, Surface::Check);
        forget(&mut feedback, Surface::Deployment);
        assert!(!end.is_sought(&feedback, Surface::Deployment) && end.is_sought(&feedback, Surface::Check));
        forget(&mut feedback, Surface::Check);
        assert_eq!(feedback, Feedback::default());
    }
}
