//! What has to happen, and the sentence that says that it did.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant as Deadline, timeout_at};

use crate::paper::Paper;
use crate::state::State;
use crate::watches::Watches;

/// How long a chapter may take. Far above what any does, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(120);

type Reached = dyn Fn(&State) -> Option<String> + Send + Sync;

/// Something that has to happen.
pub struct Milestone {
    what: &'static str,
    reached: Box<Reached>,
}

impl Milestone {
    /// `what` names it for whoever waits in vain; `reached` gives the sentence once it happened.
    pub fn new(what: &'static str, reached: impl Fn(&State) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { what, reached: Box::new(reached) }
    }
}

/// What was seen, told as it happens.
pub struct Account {
    /// Where it is told.
    pub paper: Paper,
    /// What is seen.
    pub watches: Watches,
    /// What was seen.
    pub state: State,
    /// From when times are counted.
    pub since: std::time::Instant,
}

impl Account {
    /// Tells each milestone when it is reached, in whatever order, and returns the times once all are.
    pub async fn tell(&mut self, milestones: Vec<Milestone>) -> Result<Vec<Duration>> {
        let deadline = Deadline::now() + PATIENCE;
        let mut times = vec![None; milestones.len()];
        let mut now = self.since.elapsed();
        loop {
            for (milestone, time) in milestones.iter().zip(&mut times).filter(|(_, time)| time.is_none()) {
                if let Some(sentence) = (milestone.reached)(&self.state) {
                    *time = Some(now);
                    self.paper.timed(now, &sentence);
                }
            }
            if let Some(times) = times.iter().copied().collect() {
                return Ok(times);
            }
            let Ok(seen) = timeout_at(deadline, self.watches.next()).await else {
                let missing = milestones.iter().zip(&times).filter(|(_, time)| time.is_none()).map(|(milestone, _)| milestone.what);
                bail!("this did not happen within {} s: {}", PATIENCE.as_secs(), missing.collect::<Vec<_>>().join(", "));
            };
            let seen = seen?;
            now = seen.at.saturating_duration_since(self.since);
            self.state.see(seen.what);
        }
    }
}
