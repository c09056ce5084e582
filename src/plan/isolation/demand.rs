//! What the pods of an object ask for, counted as a ResourceQuota counts it.

use serde_json::Value;

use crate::domain::baseline::isolation::{Amounts, Limits};
use crate::domain::quantity::Quantity;
use crate::plan::admission::Template;
use crate::plan::manifest::{Manifest, ObjectName, at};
use crate::plan::pods::text;

/// The share of replicas that a rollout adds where the Deployment says nothing, in percent (the API server's default).
const DEFAULT_SURGE: i64 = 25;

/// What one object takes from a quota, so and so many times.
#[derive(Clone, Debug)]
pub struct Load {
    /// The object.
    pub object: ObjectName,
    /// What is counted each time, by the names of a quota.
    pub each: Amounts,
    /// How many times: pods, mostly.
    pub times: i64,
    /// How many times more while it is updated.
    pub surge: i64,
    /// Whether it is one on each node, of which nobody here knows how many there are.
    pub unbounded: bool,
}

/// The loads of an object: of its pods, and of its claims.
pub fn loads(object: &Manifest, limits: Option<&Limits>) -> Vec<Load> {
    let claim = |each: Amounts, times: i64| Load { object: object.name(), each, times, surge: 0, unbounded: false };
    if object.group().is_empty() && object.kind() == "PersistentVolumeClaim" {
        return vec![claim(storage(object.get("/spec")), 1)];
    }
    let Some(template) = Template::of(object) else { return Vec::new() };
    let (times, surge) = pods(object);
    let unbounded = object.kind() == "DaemonSet";
    let mut loads = vec![Load { object: object.name(), each: of_pod(&template, limits), times, surge, unbounded }];
    let claims = object.items("/spec/volumeClaimTemplates").map(|claim| claim.get("spec"));
    loads.extend(claims.map(|spec| claim(storage(spec), times)));
    loads
}

fn storage(spec: Option<&Value>) -> Amounts {
    let asked = spec.and_then(|spec| at(spec, "/resources/requests/storage")).and_then(quantity).unwrap_or_default();
    Amounts::from([("persistentvolumeclaims".to_owned(), Quantity::whole(1)), ("requests.storage".to_owned(), asked)])
}

/// How many pods there are at rest, and how many more while they are replaced.
fn pods(object: &Manifest) -> (i64, i64) {
    let number = |pointer: &str| object.get(pointer).and_then(Value::as_i64);
    let suspended = object.get("/spec/suspend") == Some(&Value::Bool(true));
    match object.kind() {
        "Deployment" => {
            let replicas = number("/spec/replicas").unwrap_or(1);
            (replicas, surge(object, replicas))
        }
        "StatefulSet" | "ReplicaSet" => (number("/spec/replicas").unwrap_or(1), 0),
        "Job" | "CronJob" if suspended => (0, 0),
        "Job" => (number("/spec/parallelism").unwrap_or(1), 0),
        "CronJob" => (number("/spec/jobTemplate/spec/parallelism").unwrap_or(1), 0),
        _ => (1, 0),
    }
}

/// Shares are rounded up, as the Deployment controller does.
fn surge(deployment: &Manifest, replicas: i64) -> i64 {
    if deployment.text("/spec/strategy/type") == Some("Recreate") || replicas == 0 {
        return 0;
    }
    let share = |percent: i64| (replicas * percent + 99) / 100;
    match deployment.get("/spec/strategy/rollingUpdate/maxSurge") {
        Some(Value::Number(count)) => count.as_i64().unwrap_or(0),
        Some(Value::String(text)) => text.strip_suffix('%').and_then(|p| p.parse().ok()).map_or(0, share),
        _ => share(DEFAULT_SURGE),
    }
}

/// Containers run side by side, and so do init containers that stay (sidecars); the other init containers run before,
/// one after the other.
fn of_pod(template: &Template<'_>, limits: Option<&Limits>) -> Amounts {
    let (mut together, mut before) = (Amounts::new(), Amounts::new());
    for (list, container) in template.containers() {
        let stays = list == "containers" || text(container, "restartPolicy") == Some("Always");
        for (name, amount) in of_container(container, limits) {
            let sum = if stays { &mut together } else { &mut before }.entry(name).or_default();
            *sum = if stays { *sum + amount } else { (*sum).max(amount) };
        }
    }
    for (name, amount) in before {
        let sum = together.entry(name).or_default();
        *sum = (*sum).max(amount);
    }
    // What a pod says for all its containers counts instead of their sum (KEP-2837).
    for (kind, amounts) in [("requests", amounts(template.spec, "requests")), ("limits", amounts(template.spec, "limits"))] {
        together.extend(amounts.into_iter().map(|(name, amount)| (format!("{kind}.{name}"), amount)));
    }
    together.insert("pods".to_owned(), Quantity::whole(1));
    together
}

/// What a container asks for, with what the API server fills in: a limit stands for a request that is missing, then the
/// LimitRange for both.
pub fn of_container(container: &Value, range: Option<&Limits>) -> Amounts {
    let (requests, limits) = filled_in(container, range);
    let named =
        |kind: &str, amounts: Amounts| amounts.into_iter().map(|(name, amount)| (format!("{kind}.{name}"), amount)).collect::<Vec<_>>();
    named("requests", requests).into_iter().chain(named("limits", limits)).collect()
}

/// Requests and limits of a container, as the API server fills them in.
pub fn filled_in(container: &Value, range: Option<&Limits>) -> (Amounts, Amounts) {
    let mut limits = amounts(container, "limits");
    let mut requests = limits.clone();
    requests.extend(amounts(container, "requests"));
    if let Some(range) = range {
        for (name, amount) in range.default_request.iter().chain(&range.default) {
            requests.entry(name.clone()).or_insert(*amount);
        }
        for (name, amount) in &range.default {
            limits.entry(name.clone()).or_insert(*amount);
        }
    }
    (requests, limits)
}

/// The amounts under `resources` of a container or a pod.
pub fn amounts(owner: &Value, kind: &str) -> Amounts {
    let listed = owner.get("resources").and_then(|resources| resources.get(kind)).and_then(Value::as_object).into_iter().flatten();
    listed.filter_map(|(name, value)| Some((name.clone(), quantity(value)?))).collect()
}

fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::sample::{deployment, object, stateful_set};

    const SPEC: &str = "/spec/template/spec";

    fn asked(object: &Manifest, name: &str) -> String {
        loads(object, None)[0].each.get(name).copied().unwrap_or_default().to_string()
    }

    fn with(requests: &Value, limits: &Value) -> Value {
        json!({"name": "c", "resources": {"requests": requests, "limits": limits}})
    }

    #[test]
    fn containers_are_added_up_and_init_containers_are_not() {
        let web = deployment("web")
            .with(&format!("{SPEC}/containers"), json!([with(&json!({"cpu": "100m"}), &json!({})), with(&json!({"cpu": 1}), &json!({}))]))
            .with(
                &format!("{SPEC}/initContainers"),
                json!([with(&json!({"cpu": "3"}), &json!({})), with(&json!({"cpu": "2"}), &json!({}))]),
            );
        assert_eq!(asked(&web, "requests.cpu"), "3");
        let mut sidecar = with(&json!({"cpu": "500m"}), &json!({}));
        sidecar["restartPolicy"] = json!("Always");
        let web = web.with(&format!("{SPEC}/initContainers"), json!([sidecar]));
        assert_eq!((asked(&web, "requests.cpu"), asked(&web, "pods")), ("1600m".into(), "1".into()));
    }

    #[test]
    fn what_is_not_said_is_filled_in() {
        let range = Limits {
            default_request: Amounts::from([("cpu".into(), Quantity::milli(10))]),
            default: Amounts::from([("memory".into(), Quantity::mebi(64))]),
            max: Amounts::new(),
        };
        let asked = of_container(&with(&json!({}), &json!({"cpu": "1"})), Some(&range));
        assert_eq!(asked["requests.cpu"], Quantity::whole(1), "a limit stands for the request");
        assert_eq!((asked["requests.memory"], asked["limits.memory"]), (Quantity::mebi(64), Quantity::mebi(64)));
    }

    #[test]
    fn updates_take_more_than_what_is_at_rest() {
        let surge = |value: Value| deployment("web").replicas(3).with("/spec/strategy", value);
        for (strategy, more) in [
            (json!({}), 1),
            (json!({"type": "Recreate"}), 0),
            (json!({"rollingUpdate": {"maxSurge": 2}}), 2),
            (json!({"rollingUpdate": {"maxSurge": "50%"}}), 2),
        ] {
            assert_eq!(pods(&surge(strategy.clone())), (3, more), "{strategy}");
        }
        assert_eq!(pods(&stateful_set("db").replicas(3)), (3, 0));
        assert_eq!(pods(&deployment("off").replicas(0)), (0, 0));
        assert_eq!(pods(&object("batch/v1", "CronJob", "c").with("/spec/suspend", json!(true))), (0, 0));
    }

    #[test]
    fn claims_are_counted_for_each_pod() {
        let spec = json!({"resources": {"requests": {"storage": "2Gi"}}});
        let db =
            stateful_set("db").replicas(3).with("/spec/volumeClaimTemplates", json!([{"metadata": {"name": "d"}, "spec": spec.clone()}]));
        let claims = &loads(&db, None)[1];
        assert_eq!((claims.times, claims.each["requests.storage"].to_string()), (3, "2Gi".to_owned()));
        let alone = object("v1", "PersistentVolumeClaim", "c").with("/spec", spec);
        assert_eq!(loads(&alone, None)[0].each["persistentvolumeclaims"], Quantity::whole(1));
    }
}
