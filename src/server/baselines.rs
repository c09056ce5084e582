//! Where the server learns which Baselines there are.

use std::sync::Arc;

use crate::domain::Baseline;

/// The valid Baselines of the cluster.
pub trait Baselines: Send + Sync {
    /// All of them; `None` until they were listed for the first time.
    fn list(&self) -> Option<Vec<Arc<Baseline>>>;
}

impl<F: Fn() -> Option<Vec<Arc<Baseline>>> + Send + Sync> Baselines for F {
    fn list(&self) -> Option<Vec<Arc<Baseline>>> {
        self()
    }
}
