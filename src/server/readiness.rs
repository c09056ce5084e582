//! What must have happened before the service can do its work: the one source of `/readyz`.

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
    /// The controller runs.
    Controller = 4,
}

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

/// Which gates are still shut. Clones share them.
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

    /// What did not happen yet.
    pub fn waits_for(&self) -> Vec<Gate> {
        let shut = self.0.load(Ordering::Relaxed);
        Gate::ALL.into_iter().filter(|gate| shut & *gate as u8 != 0).collect()
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
        assert!(readiness.waits_for().is_empty());
        assert!(Readiness::new(&[]).waits_for().is_empty());
    }
}
