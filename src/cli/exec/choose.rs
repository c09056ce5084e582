//! Where a command runs: which service, which of its pods, which container. No client, no clock, no logging.

use std::cmp::Reverse;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::api::PreviewEnvironment;
use crate::api::status::ImageOrigin;
use crate::cli::errors::{Exit, Failure};
use crate::cli::logs::pods::{of_services, status};

/// Kubernetes' own annotation by which a pod says which container is meant where none is named.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// A container that runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chosen {
    /// Its pod.
    pub pod: String,
    /// Its name.
    pub container: String,
    /// The pod's other containers that run, where nobody said which one is meant.
    pub unsaid: Vec<String>,
}

impl Chosen {
    /// The other containers, for a sentence.
    pub fn others(&self) -> Option<String> {
        (!self.unsaid.is_empty()).then(|| self.unsaid.join(", "))
    }
}

/// Why no container can run a command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NoPod {
    /// There is no pod.
    None,
    /// None that runs.
    NotRunning {
        /// The pod that is nearest to it.
        pod: String,
        /// The container.
        container: String,
        /// What it does instead.
        why: String,
    },
    /// The pod has no such container.
    NoContainer {
        /// The pod.
        pod: String,
        /// The container that was named.
        container: String,
        /// Those that there are.
        there: Vec<String>,
    },
}

/// The service that is named; else the only one, or the only one that the branch builds.
pub fn service(environment: &PreviewEnvironment, named: Option<&str>) -> Result<String, Failure> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let all = environment.status.as_ref().map_or(&[][..], |s| &s.services);
    let own: Vec<_> = all.iter().filter(|s| s.from == ImageOrigin::Branch).collect();
    match (all, own.as_slice()) {
        ([only], _) => Ok(only.name.clone()),
        (_, [own]) => Ok(own.name.clone()),
        _ => {
            let (name, there) = (environment.name_any(), all.iter().map(|s| s.name.as_str()).collect::<Vec<_>>());
            let failure = Failure::new(Exit::Usage, format!("{name} has several services, and nothing says which one is meant"));
            let failure = if there.is_empty() { failure } else { failure.next(format!("it has {}", there.join(", "))) };
            Err(failure.next(format!("name one: preview exec {name} SERVICE")))
        }
    }
}

/// The pod that serves best: one whose container runs, that is ready, and that came last; so during a roll-out it is the new
/// one once that is ready.
pub fn pod(pods: &[Pod], services: &[(String, String)], container: Option<&str>) -> Result<Chosen, NoPod> {
    let mut found: Vec<&Pod> = of_services(pods, services).into_iter().map(|(_, pod)| pod).collect();
    let runs = |pod: &Pod| name(pod, container).is_some_and(|name| is_running(pod, name));
    found.sort_by_cached_key(|pod| {
        let goes = pod.metadata.deletion_timestamp.is_some();
        (!runs(pod), goes, !is_ready(pod), Reverse(pod.creation_timestamp().map(|t| t.0)), pod.name_any())
    });
    let Some(pod) = found.first() else { return Err(NoPod::None) };
    let there: Vec<String> = names(pod).map(str::to_owned).collect();
    let Some(name) = name(pod, container) else {
        let container = container.unwrap_or_default().to_owned();
        return Err(NoPod::NoContainer { pod: pod.name_any(), container, there });
    };
    if !is_running(pod, name) {
        return Err(NoPod::NotRunning { pod: pod.name_any(), container: name.to_owned(), why: why(pod, name) });
    }
    let unsaid =
        if container.is_some() { Vec::new() } else { there.into_iter().filter(|other| other != name && is_running(pod, other)).collect() };
    Ok(Chosen { pod: pod.name_any(), container: name.to_owned(), unsaid })
}

/// The names of a pod's containers, those that run before the others last.
fn names(pod: &Pod) -> impl Iterator<Item = &str> {
    let spec = pod.spec.iter();
    spec.flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten())).map(|c| c.name.as_str())
}

/// The container that is meant, if the pod has it.
fn name<'a>(pod: &'a Pod, named: Option<&str>) -> Option<&'a str> {
    let said = pod.annotations().get(DEFAULT_CONTAINER).map(String::as_str);
    match named {
        Some(named) => names(pod).find(|name| *name == named),
        None => said.and_then(|said| names(pod).find(|name| *name == said)).or_else(|| names(pod).next()),
    }
}

fn is_running(pod: &Pod, container: &str) -> bool {
    status(pod, container).and_then(|status| status.state.as_ref()).is_some_and(|state| state.running.is_some())
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.filter(|condition| condition.type_ == "Ready").any(|condition| condition.status == "True")
}

/// What a container does instead of running, in Kubernetes' own word.
fn why(pod: &Pod, container: &str) -> String {
    let state = status(pod, container).and_then(|status| status.state.as_ref());
    let waits = state.and_then(|state| state.waiting.as_ref()?.reason.clone());
    let ended = state.and_then(|state| state.terminated.as_ref()).map(|ended| format!("it ended with {}", ended.exit_code));
    let phase = || pod.status.as_ref().and_then(|status| status.phase.clone());
    waits.or(ended).or_else(phase).unwrap_or_else(|| "nothing is known of it yet".to_owned())
}
