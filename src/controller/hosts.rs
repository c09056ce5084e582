//! Which environment holds which host name, so that two never get the same one, and none that somebody else's route
//! serves. No client, no clock, no logging.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// The host names that are given away, and those that routes of others serve.
#[derive(Debug, Default)]
pub struct HostClaims {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// UID of the environment by host.
    holders: HashMap<String, String>,
    /// Hosts by the route that serves them.
    routes: HashMap<Route, Vec<String>>,
    /// Routes by the host that they serve.
    served: HashMap<String, BTreeSet<Route>>,
}

/// Kind, namespace and name of a route that is none of ours.
pub type Route = (&'static str, String, String);

/// A host that somebody else has.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Taken {
    /// Another environment.
    #[error("another environment has {0}")]
    ByEnvironment(String),
    /// A route outside of all environments.
    #[error("{kind} {namespace}/{name} has {host}")]
    ByRoute {
        /// The host.
        host: String,
        /// The route's kind.
        kind: &'static str,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl Inner {
    /// Who else has the host. What an environment has it keeps, whoever serves it later.
    fn taken(&self, uid: &str, host: &str) -> Option<Taken> {
        match self.holders.get(host) {
            Some(holder) if holder == uid => None,
            Some(_) => Some(Taken::ByEnvironment(host.to_owned())),
            None => self.served.get(host)?.first().map(|(kind, namespace, name)| Taken::ByRoute {
                host: host.to_owned(),
                kind,
                namespace: namespace.clone(),
                name: name.clone(),
            }),
        }
    }

    fn drop_route(&mut self, route: &Route) {
        for host in self.routes.remove(route).unwrap_or_default() {
            if let Some(routes) = self.served.get_mut(&host) {
                routes.remove(route);
                if routes.is_empty() {
                    self.served.remove(&host);
                }
            }
        }
    }
}

impl HostClaims {
    fn lock<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The hosts under a domain that others than this environment hold or serve.
    pub fn held_by_others(&self, uid: &str, domain: &str) -> HashSet<String> {
        self.lock(|i| {
            let held = i.holders.iter().filter(|(_, holder)| *holder != uid).map(|(host, _)| host);
            held.chain(i.served.keys()).filter(|host| host.ends_with(domain)).cloned().collect()
        })
    }

    /// Takes all of the hosts for one environment, or none where somebody else has one of them. What it had before and
    /// does not name any more is free again.
    pub fn claim(&self, uid: &str, hosts: &[&str]) -> Result<(), Taken> {
        self.lock(|i| {
            if let Some(taken) = hosts.iter().find_map(|host| i.taken(uid, host)) {
                return Err(taken);
            }
            i.holders.retain(|host, holder| holder != uid || hosts.contains(&host.as_str()));
            i.holders.extend(hosts.iter().map(|host| ((*host).to_owned(), uid.to_owned())));
            Ok(())
        })
    }

    /// Takes hosts that are recorded for an environment, whoever else serves them. False where another environment has one.
    pub fn restore(&self, uid: &str, hosts: &[&str]) -> bool {
        self.lock(|i| {
            let free = hosts.iter().all(|host| i.holders.get(*host).is_none_or(|holder| holder == uid));
            if free {
                i.holders.extend(hosts.iter().map(|host| ((*host).to_owned(), uid.to_owned())));
            }
            free
        })
    }

    /// Gives back everything that an environment holds.
    pub fn release(&self, uid: &str) {
        self.lock(|i| i.holders.retain(|_, holder| holder != uid));
    }

    /// Records the hosts that a route of others serves.
    pub fn put_route(&self, route: Route, hosts: Vec<String>) {
        self.lock(|i| {
            i.drop_route(&route);
            if hosts.is_empty() {
                return;
            }
            for host in &hosts {
                i.served.entry(host.clone()).or_default().insert(route.clone());
            }
            i.routes.insert(route, hosts);
        });
    }

    /// Forgets a route.
    pub fn drop_route(&self, route: &Route) {
        self.lock(|i| i.drop_route(route));
    }

    /// Forgets all routes of a kind that a list did not name.
    pub fn keep_routes(&self, kind: &'static str, listed: &HashSet<(String, String)>) {
        self.lock(|i| {
            let is_gone = |route: &&Route| route.0 == kind && !listed.contains(&(route.1.clone(), route.2.clone()));
            let gone: Vec<Route> = i.routes.keys().filter(is_gone).cloned().collect();
            for route in &gone {
                i.drop_route(route);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_holder_until_it_is_given_back() {
        let claims = HostClaims::default();
        claims.claim("u-1", &["a", "b"]).unwrap();
        assert_eq!(claims.claim("u-2", &["c", "b"]), Err(Taken::ByEnvironment("b".into())));
        claims.claim("u-2", &["c"]).unwrap();
        assert_eq!(
            claims.held_by_others("u-2", ""),
            HashSet::from(["a".to_owned(), "b".to_owned()]),
            "nothing was taken by the failed claim"
        );
        claims.claim("u-1", &["a"]).unwrap();
        claims.claim("u-2", &["b"]).unwrap();
        assert!(!claims.restore("u-3", &["a"]));
        claims.release("u-1");
        assert!(claims.restore("u-3", &["a"]));
    }

    #[test]
    fn a_host_that_somebody_serves_is_not_given_away() {
        let claims = HostClaims::default();
        let route = |name: &str| ("Ingress", "infra".to_owned(), name.to_owned());
        claims.claim("u-1", &["mine.x"]).unwrap();
        claims.put_route(route("web"), vec!["web.x".into(), "mine.x".into()]);
        let taken = claims.claim("u-1", &["web.x"]).unwrap_err();
        assert_eq!(taken.to_string(), "Ingress infra/web has web.x");
        assert!(claims.held_by_others("u-1", "x").contains("web.x") && claims.held_by_others("u-1", "y").is_empty());
        claims.claim("u-1", &["mine.x"]).expect("what it has it keeps");
        claims.put_route(route("web"), vec!["other.x".into()]);
        claims.claim("u-1", &["mine.x", "web.x"]).unwrap();
        claims.keep_routes("Ingress", &HashSet::new());
        claims.claim("u-2", &["other.x"]).unwrap();
    }
}
