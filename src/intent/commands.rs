//! What a comment or a pressed button makes us want.

use std::sync::Arc;

use super::{Existing, Intent};
use crate::api::baseline::ForgeKind;
use crate::domain::Baseline;
use crate::forge::PostedComment;
use crate::forge::event::Press;

/// The commands of a comment, for each environment of the pull request that is there or could be.
pub(super) fn of_comment(_forge: ForgeKind, _comment: &PostedComment, _baselines: &[Arc<Baseline>], _existing: &[Existing]) -> Intent {
    Intent::Ignore("the comment holds no command".to_owned())
}

/// The same of a pressed button.
pub(super) fn of_press(_forge: ForgeKind, _press: &Press, _baselines: &[Arc<Baseline>], _existing: &[Existing]) -> Intent {
    Intent::Ignore("the button is none of ours".to_owned())
}
