//! What a 404 proves. A forge that answers it to everything, or whose token lost its rights for a while, says nothing of one
//! comment or deployment: what is let go of because it is not found is not found by a forge that knows its repository.

use futures::FutureExt;

use super::{Delivery, Step, within};
use crate::api::environment::SourceState;
use crate::domain::RepoName;
use crate::feedback::group::{Group, pull_source};
use crate::forge::{ForgeError, home};

/// A repository that is not found is looked for again, unless it was taken from us for good, as its environments say.
pub(super) fn home_or_doubt(found: Result<RepoName, ForgeError>, group: &Group) -> Result<RepoName, ForgeError> {
    let is_taken = group.members().iter().filter_map(|member| pull_source(member)).any(|source| source.state == SourceState::Gone);
    if is_taken { found } else { found.map_err(in_doubt) }
}

fn in_doubt(error: ForgeError) -> ForgeError {
    match &error {
        ForgeError::NotFound(_) | ForgeError::Refused { status: 404 | 410, .. } => {
            ForgeError::Unavailable { what: "find the repository".to_owned(), why: error.to_string() }
        }
        _ => error,
    }
}

impl Delivery<'_> {
    /// Ends well where the forge still knows the repository, at this moment.
    pub(super) async fn still_home(&self) -> Step {
        let name = self.repository()?;
        within("find the repository", home(self.forge, self.group.key.repository_id, &[name]).boxed()).await.map(drop).map_err(in_doubt)
    }

    /// The same answer, unless it is a 404 that proves nothing.
    pub(super) async fn proven<T>(&self, answer: Result<T, ForgeError>) -> Result<T, ForgeError> {
        if matches!(answer, Err(ForgeError::NotFound(_))) {
            self.still_home().await?;
        }
        answer
    }
}
