//! What must have happened before the service can do its work, and whether it stops: the one source of `/readyz`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// One thing that must have happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Gate {
    /// The Baselines were listed.
    BaselinesListed = 1,
    /// The environments were listed.
    EnvironmentsListed = 2,
    /// The controller runs, here or in another replica.
    Controller = 4,
}

/// Stands beside the gates.
const STOPPING: u8 = 128;

impl Gate {
    /// Every gate.
    pub const ALL: [Self; 3] = [Self::BaselinesListed, Self::EnvironmentsListed, Self::Controller];
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BaselinesListed => "the list of Baselines",
            Self::EnvironmentsListed => "the list of PreviewEnvironments",
            Self::Controller => "the controller",
        })
    }
}

/// Which gates are still shut, and whether the service stops. Clones share them.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<AtomicU8>);

impl Readiness {
    /// Ready once all of these were opened.
    pub fn new(gates: &[Gate]) -> Self {
        Self(Arc::new(AtomicU8::new(gates.iter().fold(0, |shut, gate| shut | *gate as u8))))
    }

    /// Says that it happened.
    pub fn open(&self, gate: Gate) {
        self.0.fetch_and(!(gate as u8), Ordering::Relaxed);
    }

    /// Says that the service stops, so that it gets no more to do.
    pub fn stop(&self) {
        self.0.fetch_or(STOPPING, Ordering::Relaxed);
    }

    /// Whether it stops.
    pub fn is_stopping(&self) -> bool {
        self.0.load(Ordering::Relaxed) & STOPPING != 0
    }

    /// What did not happen yet.
    pub fn waits_for(&self) -> Vec<Gate> {
        let shut = self.0.load(Ordering::Relaxed);
        Gate::ALL.into_iter().filter(|gate| shut & *gate as u8 != 0).collect()
    }

    /// Why it is not ready, a line for each reason; nothing, where it is.
    pub fn why_not(&self) -> String {
        let mut lines: Vec<String> = self.waits_for().iter().map(|gate| format!("waits for {gate}\n")).collect();
        if self.is_stopping() {
            lines.push("is stopping\n".to_owned());
        }
        lines.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_every_gate_is_open() {
        let readiness = Readiness::new(&Gate::ALL);
        readiness.clone().open(Gate::EnvironmentsListed);
        assert_eq!(readiness.waits_for(), [Gate::BaselinesListed, Gate::Controller]);
        readiness.open(Gate::BaselinesListed);
        readiness.open(Gate::Controller);
        assert!(readiness.waits_for().is_empty() && readiness.why_not().is_empty());
        assert!(Readiness::new(&[]).waits_for().is_empty());
    }

    #[test]
    fn it_is_not_ready_any_more_once_it_stops() {
        let readiness = Readiness::new(&[Gate::Controller]);
        readiness.clone().stop();
        assert!(readiness.is_stopping());
        assert_eq!(readiness.why_not(), "waits for the controller\nis stopping\n");
        readiness.open(Gate::Controller);
        assert_eq!(readiness.why_not(), "is stopping\n");
    }
}
