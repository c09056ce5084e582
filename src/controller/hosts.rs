//! Which environment holds which host name, so that two never get the same one. No client, no clock, no logging.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// The host names that are given away.
#[derive(Debug, Default)]
pub struct HostClaims {
    holders: Mutex<HashMap<String, String>>,
}

impl HostClaims {
    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<String, String>) -> T) -> T {
        work(&mut self.holders.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The hosts that others than this environment hold.
    pub fn held_by_others(&self, uid: &str) -> HashSet<String> {
        self.lock(|holders| holders.iter().filter(|(_, holder)| *holder != uid).map(|(host, _)| host.clone()).collect())
    }

    /// Takes all of the hosts for one environment, or none: false where another holds one of them.
    pub fn claim(&self, uid: &str, hosts: &[&str]) -> bool {
        self.lock(|holders| {
            let free = hosts.iter().all(|host| holders.get(*host).is_none_or(|holder| holder == uid));
            if free {
                holders.extend(hosts.iter().map(|host| ((*host).to_owned(), uid.to_owned())));
            }
            free
        })
    }

    /// Gives back everything that an environment holds.
    pub fn release(&self, uid: &str) {
        self.lock(|holders| holders.retain(|_, holder| holder != uid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_holder_until_it_is_given_back() {
        let claims = HostClaims::default();
        assert!(claims.claim("u-1", &["a", "b"]));
        assert!(!claims.claim("u-2", &["c", "b"]));
        assert!(claims.claim("u-2", &["c"]), "nothing was taken by the failed claim, and nothing is lost");
        assert_eq!(claims.held_by_others("u-2"), HashSet::from(["a".to_owned(), "b".to_owned()]));
        claims.release("u-1");
        assert!(claims.claim("u-2", &["b"]));
    }
}
