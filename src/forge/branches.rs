//! Whether a branch is still there. The forge is asked here.
//!
//! Nothing is found for many reasons, and each but one is no proof: a branch alone is gone where the forge knows its
//! repository, by its number, and not the branch.

use super::{Branch, Forge, ForgeError};
use crate::domain::RepoName;

/// The branch of the repository of that number, or nothing where it is gone. Whatever leaves a doubt is an error.
pub async fn branch_if_there(forge: &dyn Forge, (id, repository): (i64, &RepoName), name: &str) -> Result<Option<Branch>, ForgeError> {
    let (home, branch) = match forge.branch(repository, name).await {
        Ok(branch) => (branch.repository_id, Some(branch)),
        Err(ForgeError::NotFound(_)) => (forge.repository(repository).await?.id, None),
        Err(error) => return Err(error),
    };
    if home == id { Ok(branch) } else { Err(ForgeError::Another(repository.to_string())) }
}
