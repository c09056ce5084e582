//! What the service asked of the API server, from the audit log.

use std::collections::BTreeMap;

use anyhow::Result;
use bench::course::counts;
use bench::service::USER;
use test_cluster::{Event, Mark};
use test_world::World;

/// Kinds that are written to by every replica at rest, and change nothing of what there is: the Lease, and the question who
/// we are, which is asked by POST.
const OF_THE_SERVICE_ITSELF: [&str; 2] = ["leases", "selfsubjectreviews"];

/// Requests of the service's user.
#[derive(Debug, Default)]
pub struct Asked {
    /// All of them.
    pub all: usize,
    /// Those that change something, by what they were.
    pub writes: BTreeMap<String, usize>,
    /// How many were answered 429.
    pub throttled: usize,
    /// By what was asked and how it was answered.
    pub kinds: BTreeMap<String, usize>,
}

impl Asked {
    /// Since then.
    pub async fn since(world: &World, mark: Mark) -> Result<Self> {
        Ok(Self::of(world.audit().since(mark).await?))
    }

    /// Of these events.
    pub fn of(mut events: Vec<Event>) -> Self {
        events.retain(|event| event.user == USER);
        let (all, kinds) = (events.len(), counts(&events));
        let throttled = events.iter().filter(|event| event.code == 429).count();
        events.retain(writes);
        Self { all, writes: counts(&events), throttled, kinds }
    }

    /// How many changed something.
    pub fn written(&self) -> usize {
        self.writes.values().sum()
    }
}

fn writes(event: &Event) -> bool {
    !matches!(event.verb.as_str(), "get" | "list" | "watch") && !OF_THE_SERVICE_ITSELF.contains(&event.resource.as_str())
}
