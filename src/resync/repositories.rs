//! The repositories that any Baseline lists, each once. No client, no clock, no logging.

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::baseline::ForgeKind;
use crate::domain::{Baseline, RepoName};

/// A repository as Baselines know it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Listed {
    pub(super) forge: ForgeKind,
    /// Its name of today, as far as that is known.
    pub(super) name: RepoName,
    /// Its number, where that is known.
    pub(super) id: Option<i64>,
}

/// The repositories, each with the Baselines that list it.
pub(super) fn listed(baselines: &[Arc<Baseline>]) -> HashMap<Listed, Vec<Arc<Baseline>>> {
    let mut all: HashMap<Listed, Vec<Arc<Baseline>>> = HashMap::new();
    for baseline in baselines {
        for repository in &baseline.repositories {
            let listed = Listed { forge: repository.forge, name: repository.current().clone(), id: repository.id };
            all.entry(listed).or_default().push(Arc::clone(baseline));
        }
    }
    all
}
