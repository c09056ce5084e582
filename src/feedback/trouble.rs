//! Whose fault it is that something does not come up, as far as its reasons say. No client, no clock, no logging.

use crate::api::conditions::Condition;
use crate::api::status::{ImageOrigin, PreviewEnvironmentStatus, ServiceStatus};

/// What a program that ends, or does not get ready, is known by.
const CRASHES: [&str; 8] = [
    "CrashLoopBackOff",
    "crash",
    "exit code",
    "exit ",
    "OOMKilled",
    "RunContainerError",
    "BackoffLimitExceeded",
    // What runs and had its time (`controller/pods.rs`).
    "does not get ready",
];
/// What pods are kept from running by that no change can help: room, rights, the registry, what they are given.
const SURROUNDINGS: [&str; 11] = [
    "Unschedulable",
    "exceeded quota",
    "is forbidden",
    "ImagePullBackOff",
    "ErrImagePull",
    "RegistryUnavailable",
    "CreateContainerConfigError",
    "CreateContainerError",
    "FailedMount",
    "InvalidImageName",
    // A Deployment whose deadline has passed, and no pod of it says that it runs: a volume, the network, a slow registry.
    "has timed out progressing",
];

/// Whose fault something is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// The change's: what it builds does not run.
    Change,
    /// Its surroundings': nothing can be said of the change.
    Surroundings,
}

/// Whose fault it is that a service does not come up; None while it may only be slow.
pub(super) fn of_service(service: &ServiceStatus) -> Option<Fault> {
    if service.ready || service.waits_for.is_some() {
        return None;
    }
    let reason = service.reason.as_deref().unwrap_or_default();
    let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    // What a pod cannot get is no crash, whatever else its message says.
    if has(&SURROUNDINGS) {
        return Some(Fault::Surroundings);
    }
    let crashes = has(&CRASHES) || service.log.is_some();
    crashes.then_some(if service.from == ImageOrigin::Baseline { Fault::Surroundings } else { Fault::Change })
}

/// The same of all services: what the change breaks stands first.
pub(super) fn of_services(status: &PreviewEnvironmentStatus) -> Option<Fault> {
    let faults: Vec<_> = status.services.iter().filter_map(of_service).collect();
    let is_the_changes = faults.contains(&Fault::Change);
    is_the_changes.then_some(Fault::Change).or(faults.first().copied())
}

/// Whose fault it is that an environment is stalled. An image that was never built and a hook that failed are the change's;
/// what the Baseline says, who holds a name and what the cluster refuses are not.
pub(super) fn of_stalled(stalled: &Condition) -> Fault {
    match stalled.reason.as_str() {
        "ImageMissing" | "HookFailed" => Fault::Change,
        _ => Fault::Surroundings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(from: ImageOrigin, reason: &str) -> ServiceStatus {
        let (kind, name, image) = ("Deployment".into(), "web".into(), "web:1".into());
        ServiceStatus { kind, name, image, from, ready: false, reason: Some(reason.into()), log: None, waits_for: None }
    }

    #[test]
    fn only_what_the_branch_builds_and_what_ends_is_the_changes_fault() {
        for (from, reason, fault) in [
            (ImageOrigin::Branch, "CrashLoopBackOff: back-off 40s restarting failed container", Some(Fault::Change)),
            (ImageOrigin::Branch, "crashes: exit 1, 3 restarts", Some(Fault::Change)),
            (ImageOrigin::Baseline, "CrashLoopBackOff: back-off 40s", Some(Fault::Surroundings)),
            (ImageOrigin::Branch, "ImagePullBackOff: Back-off pulling image: exit status 1", Some(Fault::Surroundings)),
            (ImageOrigin::Branch, "Unschedulable: 0/3 nodes are available", Some(Fault::Surroundings)),
            (ImageOrigin::Branch, "pods \"web\" is forbidden: exceeded quota", Some(Fault::Surroundings)),
            (ImageOrigin::Branch, "0 of 1 replicas are ready", None),
            (ImageOrigin::Branch, "web runs and is not ready", None),
            (ImageOrigin::Branch, "web runs and does not get ready", Some(Fault::Change)),
            (ImageOrigin::Override, "web runs and does not get ready", Some(Fault::Change)),
            (ImageOrigin::Baseline, "web runs and does not get ready", Some(Fault::Surroundings)),
            (ImageOrigin::Branch, "ReplicaSet \"web-6f7\" has timed out progressing.", Some(Fault::Surroundings)),
        ] {
            assert_eq!(of_service(&service(from, reason)), fault, "{reason}");
        }
    }

    #[test]
    fn what_the_change_breaks_stands_before_what_its_surroundings_do() {
        let services = vec![service(ImageOrigin::Baseline, "CrashLoopBackOff"), service(ImageOrigin::Branch, "exit code 2")];
        assert_eq!(of_services(&PreviewEnvironmentStatus { services, ..Default::default() }), Some(Fault::Change));
    }
}
