//! What a service logged last: which of its pods to ask, and who may read it. No client, no clock, no logging.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::effect::Refusal;
use crate::api::PreviewEnvironment;
use crate::api::baseline::LogRule;
use crate::api::environment::Command;
use crate::api::status::ServiceStatus;
use crate::controller::logs::{self, Speaker, failing};
use crate::controller::pods::owner;
use crate::domain::{Baseline, nearest};

/// Lines where no number is given, and most of them.
const LINES: i64 = 50;
const LINES_MAX: i64 = 200;
/// Most of what is shown, in bytes: status is stored with every change.
const OUTPUT_MAX: usize = 4_096;

/// The logs that are asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// The namespace.
    pub namespace: String,
    /// Kind of the workload.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// How many lines.
    pub lines: i64,
}

/// What is asked for, if it may be shown where the command was written.
pub fn wanted(command: &Command, object: &PreviewEnvironment, baseline: &Baseline) -> Result<Wanted, Refusal> {
    let typed = command.args.first().map(String::as_str).unwrap_or_default();
    let lines = match command.args.get(1).map(|n| n.parse::<i64>()) {
        None => LINES,
        Some(Ok(lines)) if lines > 0 => lines.min(LINES_MAX),
        Some(_) => return Err(Refusal("Nothing was done: write it as /preview logs <service> <lines>.".to_owned())),
    };
    let status = object.status.as_ref();
    let services = status.map_or(&[][..], |s| &s.services);
    let Some(namespace) = status.and_then(|s| s.namespace.clone()) else {
        return Err(Refusal("Nothing runs yet, so nothing was logged.".to_owned()));
    };
    let service = named(typed, services)?;
    let wanted = Wanted { namespace, kind: service.kind.clone(), name: service.name.clone(), lines };
    if may_be_shown(command, baseline) { Ok(wanted) } else { Err(elsewhere(&wanted)) }
}

fn named<'a>(typed: &str, services: &'a [ServiceStatus]) -> Result<&'a ServiceStatus, Refusal> {
    if let Some(service) = services.iter().find(|s| s.name == typed) {
        return Ok(service);
    }
    let names: Vec<&str> = services.iter().map(|s| s.name.as_str()).collect();
    Err(Refusal(match nearest(typed, names.iter().copied()) {
        Some(near) => format!("No service is called so. Did you mean /preview logs {near}?"),
        None => format!("No service is called so. There are {}.", names.iter().take(10).copied().collect::<Vec<_>>().join(", ")),
    }))
}

/// Whoever may read the pull request may read what our comment shows.
pub fn may_be_shown(command: &Command, baseline: &Baseline) -> bool {
    let private = || {
        let name = command.repository.parse().ok();
        name.and_then(|name| baseline.repository_by(command.forge, command.repository_id, &name)).is_some_and(|r| r.private)
    };
    match baseline.feedback.logs {
        LogRule::Always => true,
        LogRule::Never => false,
        LogRule::PrivateRepositories => private(),
    }
}

/// How to read them where they are not shown here.
fn elsewhere(wanted: &Wanted) -> Refusal {
    let Wanted { namespace, kind, name, lines } = wanted;
    let shell = format!("kubectl -n {namespace} logs {}/{name} --tail={lines}", kind.to_lowercase());
    Refusal(format!("The Baseline does not show logs here (feedback.logs). In a shell: {shell}"))
}

/// The pod of a workload that has most to say: one that fails before one that runs, then the newest.
pub fn speaker(pods: &[Pod], wanted: &Wanted) -> Option<Speaker> {
    let ours = pods.iter().filter(|pod| owner(pod).is_some_and(|(kind, name)| kind == wanted.kind && name == wanted.name));
    let pod = ours.max_by_key(|pod| (failing(pod).is_some(), pod.creation_timestamp().map(|t| t.0)))?;
    Some(Speaker::of(pod))
}

/// The end of a log as it can be shown.
pub fn output(text: &str) -> Option<String> {
    logs::shown(text, OUTPUT_MAX)
}

/// What is said beside the lines of a service, or where it logged none.
pub fn said(name: &str, has_lines: bool) -> String {
    if has_lines { format!("the last lines of {name}.") } else { format!("{name} logged nothing yet.") }
}

#[cfg(test)]
mod tests {
    use super::super::order::tests::command;
    use super::*;
    use crate::api;
    use crate::api::environment::Verb;
    use serde_json::{Value, json};

    fn baseline(rule: &str, private: bool) -> Baseline {
        let spec = json!({"repositories": [{"name": "acme/web"}], "feedback": {"logs": rule}});
        let mut object = api::Baseline::new("main", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        let known = json!({"repositories": [{"forge": "github", "name": "acme/web", "id": 7, "private": private}]});
        object.status = serde_json::from_value(known).unwrap();
        Baseline::try_from(&object).unwrap()
    }

    fn environment() -> PreviewEnvironment {
        let mut object = PreviewEnvironment::new("web-pr-42", serde_json::from_value(json!({"baseline": "main"})).unwrap());
        let service = |name: &str| json!({"kind": "Deployment", "name": name, "from": "Branch", "ready": true});
        object.status =
            serde_json::from_value(json!({"namespace": "shop-web-pr-42", "services": [service("web"), service("worker")]})).unwrap();
        object
    }

    fn asked(args: &[&str], baseline: &Baseline) -> Result<Wanted, Refusal> {
        wanted(&command("1.1", 0, Verb::Logs, args), &environment(), baseline)
    }

    #[test]
    fn logs_are_shown_where_the_baseline_says_so() {
        for (rule, private, shown) in
            [("PrivateRepositories", true, true), ("PrivateRepositories", false, false), ("Always", false, true), ("Never", true, false)]
        {
            let answer = asked(&["web"], &baseline(rule, private));
            assert_eq!(answer.is_ok(), shown, "{rule} {private}");
            if let Err(Refusal(why)) = answer {
                assert!(why.ends_with("kubectl -n shop-web-pr-42 logs deployment/web --tail=50"), "{why}");
            }
        }
    }

    #[test]
    fn a_service_is_named_and_the_number_of_lines_is_one() {
        let baseline = baseline("Always", false);
        assert_eq!(asked(&["worker", "1000"], &baseline).unwrap().lines, LINES_MAX);
        let refused = |args: &[&str]| asked(args, &baseline).unwrap_err().0;
        assert!(refused(&["worke"]).contains("Did you mean /preview logs worker?"));
        assert!(refused(&["nothing"]).contains("There are web, worker."));
        assert!(refused(&["web", "all"]).contains("<lines>") && refused(&["web", "0"]).contains("<lines>"));
    }

    fn pod(name: &str, of: &str, second: u32, container: &Value) -> Pod {
        let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{of}-6f7"), "uid": "u", "controller": true});
        let metadata = json!({"name": name, "labels": {"pod-template-hash": "6f7"}, "ownerReferences": [owner],
            "creationTimestamp": format!("2026-01-02T03:04:{second:02}Z")});
        let spec = json!({"containers": [{"name": "app"}, {"name": "proxy"}]});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": {"containerStatuses": [container]}})).unwrap()
    }

    #[test]
    fn the_failing_pod_speaks_before_the_newest() {
        let status = |ready: bool, restarts: i32, state: Value| json!({"name": "proxy", "image": "", "imageID": "", "ready": ready, "restartCount": restarts, "state": state});
        let runs = status(true, 0, json!({"running": {}}));
        let crashes = status(false, 3, json!({"waiting": {"reason": "CrashLoopBackOff"}}));
        let wanted = asked(&["web"], &baseline("Always", false)).unwrap();
        let said = |pods: &[Pod]| speaker(pods, &wanted).map(|s| (s.pod, s.container.unwrap_or_default(), s.previous));
        let (old, new, other) = (pod("old", "web", 1, &runs), pod("new", "web", 2, &runs), pod("other", "worker", 3, &crashes));
        assert_eq!(said(&[new, old, other.clone()]), Some(("new".into(), "app".into(), false)));
        let (broken, new) = (pod("broken", "web", 1, &crashes), pod("new", "web", 2, &runs));
        assert_eq!(said(&[broken, new]), Some(("broken".into(), "proxy".into(), true)));
        assert_eq!(said(&[other]), None);
    }
}
