//! How long to wait before an environment is tried again: twice as long each time, five minutes at most.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(300);

/// How often each environment failed in a row.
#[derive(Debug, Default)]
pub struct Retries {
    failures: Mutex<HashMap<String, u32>>,
}

impl Retries {
    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<String, u32>) -> T) -> T {
        work(&mut self.failures.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The pause after one more failure.
    pub fn next(&self, uid: &str) -> Duration {
        let failures = self.lock(|all| {
            let count = all.entry(uid.to_owned()).or_default();
            *count += 1;
            *count
        });
        FIRST.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST)
    }

    /// How often an environment failed in a row.
    pub fn failures(&self, uid: &str) -> u32 {
        self.lock(|all| all.get(uid).copied().unwrap_or_default())
    }

    /// Forgets the failures of an environment that got through.
    pub fn forget(&self, uid: &str) {
        self.lock(|all| all.remove(uid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let retries = Retries::default();
        let pauses: Vec<u128> = (0..20).map(|_| retries.next("u").as_millis()).collect();
        assert_eq!(pauses[..3], [250, 500, 1000]);
        assert_eq!(pauses[19], 300_000);
        assert_eq!(retries.failures("u"), 20);
        retries.forget("u");
        assert_eq!(retries.failures("u"), 0);
        assert_eq!(retries.next("u"), FIRST);
    }
}
