//! What containers ask for, where the Baseline wants them to ask for less than in the baseline.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Notes, shown};
use crate::domain::baseline::isolation::{Amounts, Isolation, ResourceRules};
use crate::domain::quantity::Quantity;
use crate::plan::context::Context;
use crate::plan::isolation::amounts;
use crate::plan::kinds::runs_pods;
use crate::plan::manifest::Manifest;
use crate::plan::pods::{CONTAINER_LISTS, spec_path, spec_pointer, text};

/// The resources that a preview can do with less of. Others (GPUs, huge pages) are needed or they are not.
const COMMON: [&str; 2] = ["cpu", "memory"];
const WHY: &str = "clone.resources";

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let isolation = &context.target.baseline.isolation;
    if isolation.resources == ResourceRules::default() || !runs_pods(manifest) {
        return;
    }
    let path = spec_path(manifest);
    let Some(spec) = manifest.get_mut(spec_pointer(manifest)) else { return };
    for list in CONTAINER_LISTS {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let path = format!("{path}.{list}[{}].resources", text(container, "name").unwrap_or("?"));
            change(container, &path, isolation, notes);
        }
    }
}

fn change(container: &mut Value, path: &str, isolation: &Isolation, notes: &mut Notes) {
    let before = container.get("resources").cloned().unwrap_or_else(|| json!({}));
    let limits = limits(&amounts(container, "limits"), &isolation.resources);
    let requests = requests(&amounts(container, "requests"), &limits, isolation);
    let mut after = before.clone();
    put(&mut after, "limits", &limits);
    put(&mut after, "requests", &requests);
    if after != before {
        notes.changed(path, (&shown(&before), &shown(&after)), WHY);
        container["resources"] = after;
    }
}

type Wanted = BTreeMap<&'static str, Option<Quantity>>;

fn limits(before: &Amounts, rules: &ResourceRules) -> Wanted {
    COMMON.iter().map(|name| (*name, before.get(*name).copied().filter(|_| !rules.drops_limits))).collect()
}

/// A request that is left out beside a limit would become the limit, by the API server's own default. So it is the least
/// one instead.
fn requests(before: &Amounts, limits: &Wanted, isolation: &Isolation) -> Wanted {
    let rules = &isolation.resources;
    let request = |name: &'static str| {
        let limit = limits.get(name).copied().flatten();
        let least = || limit.map(|limit| isolation.default_request(name).map_or(limit, |least| least.min(limit)));
        let own = before.get(name).copied();
        let asked = if rules.drops_requests { least() } else { own };
        let most = rules.max_request.get(name).copied();
        match (asked.or(limit), most) {
            (Some(effective), Some(most)) if effective > most => Some(most),
            _ => asked,
        }
    };
    COMMON.iter().map(|name| (*name, request(name))).collect()
}

/// Writes the amounts that differ, and leaves the others as they are written.
fn put(resources: &mut Value, kind: &str, wanted: &Wanted) {
    for (name, amount) in wanted {
        let owner = json!({"resources": &*resources});
        if amounts(&owner, kind).get(*name).copied() == *amount {
            continue;
        }
        match amount {
            Some(amount) => resources[kind][*name] = json!(amount.to_string()),
            None => drop(resources[kind].as_object_mut().and_then(|all| all.remove(*name))),
        }
    }
    if resources[kind].as_object().is_none_or(serde_json::Map::is_empty)
        && let Some(all) = resources.as_object_mut()
    {
        all.remove(kind);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::sample::{World, deployment, isolation_of};

    fn after(resources: &Value, rules: &Value) -> Value {
        let web = deployment("web").with("/spec/template/spec/containers/0/resources", resources.clone());
        let made = World::of([web]).baseline(|b| b.isolation = isolation_of(json!({"clone": {"resources": rules}}))).plan();
        made.find("Deployment/web").value()["spec"]["template"]["spec"]["containers"][0]["resources"].clone()
    }

    #[test]
    fn containers_ask_for_what_the_baseline_s_owner_wants() {
        let both = json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}});
        for (rules, expected) in [
            (json!({}), both.clone()),
            (json!({"requests": "Drop", "limits": "Drop"}), json!({})),
            (json!({"limits": "Drop"}), json!({"requests": {"cpu": "1", "memory": "1Gi"}})),
            (json!({"requests": "Drop"}), json!({"requests": {"memory": "32Mi"}, "limits": {"memory": "2Gi"}})),
            (
                json!({"maxRequest": {"cpu": "250m", "memory": "4Gi"}}),
                json!({"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}),
            ),
        ] {
            assert_eq!(after(&both, &rules), expected, "{rules}");
        }
    }

    #[test]
    fn a_limit_that_stands_for_a_request_is_capped_as_one() {
        let limit = json!({"limits": {"cpu": "2"}});
        assert_eq!(after(&limit, &json!({"maxRequest": {"cpu": "500m"}})), json!({"requests": {"cpu": "500m"}, "limits": {"cpu": "2"}}));
    }

    #[test]
    fn what_a_pod_cannot_do_without_stays() {
        let gpu = json!({"limits": {"nvidia.com/gpu": "1", "cpu": "1"}});
        assert_eq!(after(&gpu, &json!({"requests": "Drop", "limits": "Drop"})), json!({"limits": {"nvidia.com/gpu": "1"}}));
    }

    #[test]
    fn each_change_is_said() {
        let web = deployment("web").with("/spec/template/spec/containers/0/resources", json!({"limits": {"cpu": "1"}}));
        let rules = json!({"clone": {"resources": {"limits": "Drop"}}});
        let said = World::of([web]).baseline(|b| b.isolation = isolation_of(rules)).plan().said();
        let line = r#"Deployment/web spec.template.spec.containers[web].resources: {"limits":{"cpu":"1"}} -> {} (clone.resources)"#;
        assert!(said.contains(&line.to_owned()), "{said:?}");
    }
}
