//! What goes first where a forge takes less than there is to say. No client, no clock, no logging.

use super::show::Show;
use crate::api::status::{Feedback, Surface};

/// How much what is left to say matters, the most first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Urgency {
    /// A pull request on which nothing was said yet.
    First,
    /// The comment says what is not so any more.
    News,
    /// The comment is right, and the check or the deployment is not.
    Beside,
    /// What is left to say will be something else before long.
    Passing,
}

impl Urgency {
    /// Of what those records do not say that it is shown.
    pub fn of(show: &Show, feedbacks: &[Feedback]) -> Self {
        let is_new = feedbacks.iter().all(|feedback| feedback.comment_id.is_none());
        match &show.letter {
            Some(letter) if is_new && letter.opens && !show.says_comment(feedbacks) => Self::First,
            _ if show.passes => Self::Passing,
            _ if !show.says_comment(feedbacks) => Self::News,
            _ => Self::Beside,
        }
    }

    /// Whether that is worth a write, at this urgency.
    pub fn is_worth(self, surface: Surface) -> bool {
        match self {
            Self::First => surface == Surface::Comment,
            Self::News | Self::Beside => true,
            Self::Passing => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PreviewEnvironment;
    use crate::feedback::tests::fixtures::*;
    use crate::feedback::{Group, PullKey};

    fn show(member: PreviewEnvironment) -> Show {
        let key = PullKey::of(&member).unwrap();
        plain().show(&Group::of(key, all([member])).unwrap(), early()).unwrap()
    }

    /// What the forge shows: no comment, one of another state, or that of this one.
    fn shown(show: &Show, comment: Option<bool>) -> Vec<Feedback> {
        let digest = comment.map(|is_right| if is_right { show.letter.as_ref().unwrap().digest.clone() } else { "other".to_owned() });
        vec![Feedback { comment_id: comment.map(|_| 9), digest, ..Feedback::default() }]
    }

    #[test]
    fn the_first_word_matters_most_and_what_passes_least() {
        for (what, member, comment, urgency) in [
            ("nothing was said yet", started(), None, Urgency::First),
            ("it says that it is being made, which it was", ready(), Some(false), Urgency::News),
            ("it says something else, and so it will in a minute", started(), Some(false), Urgency::Passing),
            ("it is right, and the rest is not", ready(), Some(true), Urgency::Beside),
            ("it is right, and all will be something else in a minute", started(), Some(true), Urgency::Passing),
            ("what ended opens no comment", ready().unwanted("Merged", "Removed"), None, Urgency::News),
            ("it is going away", ready().unwanted("Merged", "Removing"), Some(false), Urgency::Passing),
        ] {
            let show = show(member);
            assert_eq!(Urgency::of(&show, &shown(&show, comment)), urgency, "{what}");
        }
    }

    #[test]
    fn they_stand_in_the_order_in_which_they_are_told() {
        assert!(Urgency::First < Urgency::News && Urgency::News < Urgency::Beside && Urgency::Beside < Urgency::Passing);
    }

    #[test]
    fn the_first_word_is_the_comment_and_what_passes_is_worth_nothing() {
        let all = [Surface::Comment, Surface::Check, Surface::Deployment];
        for (urgency, worth) in [
            (Urgency::First, [true, false, false]),
            (Urgency::News, [true; 3]),
            (Urgency::Beside, [true; 3]),
            (Urgency::Passing, [false; 3]),
        ] {
            assert_eq!(all.map(|surface| urgency.is_worth(surface)), worth, "{urgency:?}");
        }
    }
}
