//! Where the server learns which environments there are for a pull request.

use crate::api::baseline::ForgeKind;
use crate::forge::PullRequest;
use crate::intent::Existing;

/// The environments of the cluster.
pub trait Environments: Send + Sync {
    /// Those that hold a fact of that pull request, as far as they are known: one that is missing here gets its facts
    /// only while a Baseline lists the repository.
    fn about(&self, forge: ForgeKind, pull: &PullRequest) -> Vec<Existing>;
}

impl<F: Fn(ForgeKind, &PullRequest) -> Vec<Existing> + Send + Sync> Environments for F {
    fn about(&self, forge: ForgeKind, pull: &PullRequest) -> Vec<Existing> {
        self(forge, pull)
    }
}
