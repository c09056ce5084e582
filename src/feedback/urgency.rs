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
