//! Where the server learns which environments there are for a pull request.

use crate::intent::{About, Existing};

/// The environments of the cluster.
pub trait Environments: Send + Sync {
    /// Those that hold a fact of that, as far as they are known: one that is missing here gets its facts only while a
    /// Baseline lists the repository.
    fn about(&self, about: &About) -> Vec<Existing>;
}

impl<F: Fn(&About) -> Vec<Existing> + Send + Sync> Environments for F {
    fn about(&self, about: &About) -> Vec<Existing> {
        self(about)
    }
}
