//! Which containers of which pods are asked for. No client, no clock, no logging.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use super::super::errors::{Exit, Failure};
use crate::api::PreviewEnvironment;
use crate::controller::pods::owner;
use crate::domain::nearest;

/// A container that logs.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Voice {
    /// The service.
    pub service: String,
    /// Its pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The container's name where the pod has several.
    pub shown: Option<String>,
    /// Whether it has been started, so that it has a log.
    pub speaks: bool,
}

impl Voice {
    /// What stands in front of its lines.
    pub fn label(&self) -> String {
        self.shown.as_ref().map_or_else(|| self.service.clone(), |container| format!("{}/{container}", self.service))
    }
}

/// Kind and name of the services that are named, or of all.
pub fn chosen(environment: &PreviewEnvironment, names: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let services = environment.status.as_ref().map_or(&[][..], |s| &s.services);
    let all: Vec<&str> = services.iter().map(|s| s.name.as_str()).collect();
    if let Some(wrong) = names.iter().find(|name| !all.contains(&name.as_str())) {
        let failure = Failure::new(Exit::NotFound, format!("{} has no service {wrong}", environment.name_any()));
        return Err(match nearest(wrong, all.iter().copied()) {
            Some(near) => failure.next(format!("did you mean: {near}")),
            None => failure.next(format!("it has {}", all.join(", "))),
        });
    }
    let wanted = services.iter().filter(|s| names.is_empty() || names.contains(&s.name));
    Ok(wanted.map(|s| (s.kind.clone(), s.name.clone())).collect())
}

/// The pods that belong to those services, each with which of them, by service and age.
pub fn of_services<'a>(pods: &'a [Pod], services: &[(String, String)]) -> Vec<(usize, &'a Pod)> {
    let mut found: Vec<(usize, &Pod)> = pods
        .iter()
        .filter_map(|pod| {
            let (kind, name) = owner(pod)?;
            Some((services.iter().position(|(k, n)| *k == kind && *n == name)?, pod))
        })
        .collect();
    found.sort_by_key(|(service, pod)| (*service, pod.creation_timestamp().map(|t| t.0), pod.name_any()));
    found
}

/// The containers of the pods that belong to those services, by service and the age of their pods.
pub fn voices(pods: &[Pod], services: &[(String, String)], only: Option<&str>) -> Vec<Voice> {
    let found = of_services(pods, services);
    found.into_iter().flat_map(|(service, pod)| of_pod(pod, &services[service].1, only)).collect()
}

fn of_pod(pod: &Pod, service: &str, only: Option<&str>) -> Vec<Voice> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let init = spec.init_containers.iter().flatten();
    let names: Vec<&str> = init.chain(&spec.containers).map(|c| c.name.as_str()).collect();
    let several = names.len() > 1;
    let voice = |name: &&str| Voice {
        service: service.to_owned(),
        pod: pod.name_any(),
        container: (*name).to_owned(),
        shown: several.then(|| (*name).to_owned()),
        speaks: status(pod, name).is_some_and(has_started),
    };
    names.iter().filter(|name| only.is_none_or(|only| only == **name)).map(voice).collect()
}

/// What Kubernetes says of a container.
pub fn status<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    status.init_container_statuses.iter().chain(&status.container_statuses).flatten().find(|s| s.name == container)
}

/// Whether there is a log: it runs, or it ran.
fn has_started(status: &ContainerStatus) -> bool {
    let of = |state: &Option<k8s_openapi::api::core::v1::ContainerState>| {
        state.as_ref().is_some_and(|state| state.running.is_some() || state.terminated.is_some())
    };
    of(&status.state) || of(&status.last_state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn environment() -> PreviewEnvironment {
        let mut object = PreviewEnvironment::new("web-pr-42", serde_json::from_value(json!({"baseline": "shop"})).unwrap());
        let service = |name: &str| json!({"kind": "Deployment", "name": name, "from": "Branch", "ready": true});
        object.status = serde_json::from_value(json!({"namespace": "n", "services": [service("web"), service("worker")]})).unwrap();
        object
    }

    fn pod(name: &str, of: &str, containers: &[(&str, bool)]) -> Pod {
        let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{of}-6f7"), "uid": "u", "controller": true});
        let state = |runs: bool| if runs { json!({"running": {}}) } else { json!({"waiting": {"reason": "ContainerCreating"}}) };
        let statuses: Vec<Value> = containers
            .iter()
            .map(|(name, runs)| json!({"name": name, "image": "", "imageID": "", "ready": runs, "restartCount": 0, "state": state(*runs)}))
            .collect();
        let names: Vec<Value> = containers.iter().map(|(name, _)| json!({"name": name})).collect();
        serde_json::from_value(json!({
            "metadata": {"name": name, "labels": {"pod-template-hash": "6f7"}, "ownerReferences": [owner]},
            "spec": {"containers": names}, "status": {"containerStatuses": statuses}
        }))
        .unwrap()
    }

    #[test]
    fn services_are_named_and_a_typo_is_told() {
        assert_eq!(chosen(&environment(), &[]).unwrap().len(), 2);
        assert_eq!(chosen(&environment(), &["worker".into()]).unwrap(), [("Deployment".to_owned(), "worker".to_owned())]);
        let refused = ["worke", "nothing"].map(|name| chosen(&environment(), &[name.to_owned()]).unwrap_err().to_string());
        insta::assert_snapshot!(refused.join("\n"), @r"
        error: web-pr-42 has no service worke
          did you mean: worker
        error: web-pr-42 has no service nothing
          it has web, worker
        ");
    }

    #[test]
    fn the_containers_of_their_pods_speak_once_they_were_started() {
        let pods = [
            pod("worker-1", "worker", &[("app", true), ("proxy", false)]),
            pod("web-1", "web", &[("app", true)]),
            pod("other-1", "other", &[("app", true)]),
        ];
        let all = chosen(&environment(), &[]).unwrap();
        let said = |only| voices(&pods, &all, only).iter().map(|v| (v.label(), v.speaks)).collect::<Vec<_>>();
        let of = |label: &str, speaks| (label.to_owned(), speaks);
        assert_eq!(said(None), [of("web", true), of("worker/app", true), of("worker/proxy", false)]);
        assert_eq!(said(Some("proxy")), [of("worker/proxy", false)]);
    }
}
