//! Changes of single objects that the Baseline asks for: `clone.patches`, in their order, after every other rule. What an
//! object is called, whose it is and where it lives is not theirs to change.

use json_patch::PatchOperation;
use serde_json::{Map, Value};

use super::{ABSENT, HIDDEN, Notes, shown};
use crate::api::GROUP;
use crate::api::names::LABEL_MANAGED_BY;
use crate::domain::baseline::{PatchChange, PatchRule};
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::places::is_custom;
use crate::plan::rewrite::masked_value;
use crate::plan::{strategic, typed};

const WHY: &str = "clone.patches";
/// How many fields of one object are shown, so that a patch of a whole list does not bury the rest.
const SHOWN: usize = 20;

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let name = manifest.name();
    let is_meant = |(_, rule): &(usize, &PatchRule)| rule.is_for(manifest.group(), &name.kind, &name.name);
    let meant: Vec<_> = context.target.baseline.patches.iter().enumerate().filter(is_meant).collect();
    if meant.is_empty() {
        return;
    }
    let before = manifest.clone();
    for (index, rule) in meant {
        match patched(manifest, rule, context) {
            Ok(new) => *manifest = new,
            Err(why) => return notes.fail(format!("clone.patches[{index}] cannot be applied to {name}: {why}")),
        }
    }
    let hides = name.kind == "Secret";
    let mut found = Vec::new();
    collect(Some(before.value()), Some(manifest.value()), "", &mut found);
    for (path, before, after) in found.into_iter().take(SHOWN) {
        let text = |value: Option<&Value>| match value {
            None => ABSENT.to_owned(),
            Some(_) if hides => HIDDEN.to_owned(),
            Some(value) => shown(&masked_inside(called(&path), value)),
        };
        notes.changed(path.as_str(), (&text(before), &text(after)), WHY);
    }
}

/// What the value at a path is called: `A` of `spec.containers[c].env[A].value`, `key` of `data.key`.
fn called(path: &str) -> &str {
    let path = path.strip_suffix(".value").unwrap_or(path);
    let name = path.strip_suffix(']').and_then(|front| front.rsplit_once('[')).or_else(|| path.rsplit_once('.'));
    name.map_or(path, |(_, name)| name)
}

/// A value without what is called like a password: a field, or a variable by the name beside it.
fn masked_inside(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(masked_value(name, text)),
        Value::Array(items) => items.iter().map(|item| masked_inside(name, item)).collect(),
        Value::Object(map) => {
            let variable = map.get("name").and_then(Value::as_str).unwrap_or_default();
            let called = |key: &str| if key == "value" { variable.to_owned() } else { key.to_owned() };
            Value::Object(map.iter().map(|(key, value)| (key.clone(), masked_inside(&called(key), value))).collect())
        }
        other => other.clone(),
    }
}

fn patched(manifest: &Manifest, rule: &PatchRule, context: &Context<'_>) -> Result<Manifest, String> {
    let mut value = manifest.value().clone();
    match rule.change.filled(&context.values).map_err(|error| error.to_string())? {
        PatchChange::Json(operations) => apply_operations(&mut value, &operations)?,
        PatchChange::Merge(patch) if is_custom(manifest) => json_patch::merge(&mut value, &Value::Object(patch)),
        PatchChange::Merge(patch) => strategic::merge(&mut value, &patch).map_err(|error| error.to_string())?,
    }
    let new = Manifest::new(value);
    if let Some(field) = forbidden(manifest, &new) {
        return Err(format!("{field} is not to be changed"));
    }
    typed::misfit(&new).or_else(|| strange_host(manifest, &new, context)).map_or(Ok(new), Err)
}

/// What a route would serve after a patch and not before, if that is no host of the environment: it may be another's, the
/// baseline's own first of all.
fn strange_host(before: &Manifest, after: &Manifest, context: &Context<'_>) -> Option<String> {
    let ours = |host: &str| context.hosts.as_ref().is_some_and(|h| h.first() == host || h.pairs().any(|(_, new)| new == host));
    let known = served(before);
    let strange = served(after).into_iter().find(|host| !known.contains(host) && !ours(host))?;
    let what = if strange.is_empty() { "any host" } else { strange };
    Some(format!("it would serve {what}, and only hosts of the environment can be served: see hosts.expose"))
}

/// The hosts that an Ingress or a route names; an empty one where it serves any.
fn served(object: &Manifest) -> Vec<&str> {
    let texts = |pointer: &'static str| object.items(pointer).filter_map(Value::as_str);
    match object.kind() {
        "Ingress" if object.group() == "networking.k8s.io" => {
            let hosts = object.items("/spec/rules").map(|rule| rule.get("host").and_then(Value::as_str).unwrap_or_default());
            let tls = object.items("/spec/tls").filter_map(|tls| tls.get("hosts")?.as_array()).flatten().filter_map(Value::as_str);
            hosts.chain(tls).chain(object.get("/spec/defaultBackend").map(|_| "")).collect()
        }
        "HTTPRoute" | "GRPCRoute" if object.items("/spec/hostnames").next().is_none() => vec![""],
        "HTTPRoute" | "GRPCRoute" => texts("/spec/hostnames").collect(),
        _ => Vec::new(),
    }
}

fn apply_operations(value: &mut Value, operations: &[PatchOperation]) -> Result<(), String> {
    json_patch::patch(value, operations).map_err(|error| format!("operation {}, {}: {}", error.operation, error.path, error.kind))
}

/// The first field that differs and may not.
fn forbidden(before: &Manifest, after: &Manifest) -> Option<String> {
    if let Some(field) = ["apiVersion", "kind", "status"].into_iter().find(|f| before.value().get(f) != after.value().get(f)) {
        return Some(field.to_owned());
    }
    let metadata = |manifest: &Manifest| manifest.get("/metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    let (before, after) = (metadata(before), metadata(after));
    let ours = |key: &str| key.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/')) || key == LABEL_MANAGED_BY;
    let is_free = |field: &str| matches!(field, "labels" | "annotations");
    let changed = differing(&before, &after).find(|field| !is_free(field)).map(|field| format!("metadata.{field}"));
    changed.or_else(|| {
        let map = |metadata: &Map<String, Value>, field: &str| metadata.get(field).and_then(Value::as_object).cloned().unwrap_or_default();
        ["labels", "annotations"].into_iter().find_map(|field| {
            let (before, after) = (map(&before, field), map(&after, field));
            let key = differing(&before, &after).find(|key| ours(key))?;
            Some(format!("metadata.{field}[{key}]"))
        })
    })
}

fn differing<'a>(one: &'a Map<String, Value>, two: &'a Map<String, Value>) -> impl Iterator<Item = &'a str> {
    let new = two.keys().filter(|key| !one.contains_key(*key));
    one.keys().chain(new).filter(|key| one.get(*key) != two.get(*key)).map(String::as_str)
}

type Difference<'a> = (String, Option<&'a Value>, Option<&'a Value>);

/// Every field that differs, as deep as both sides have the same shape.
fn collect<'a>(before: Option<&'a Value>, after: Option<&'a Value>, path: &str, found: &mut Vec<Difference<'a>>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(one)), Some(Value::Object(two))) => {
            let joined = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            for key in differing(one, two) {
                collect(one.get(key), two.get(key), &joined(key), found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(two))) if have_names(one) && have_names(two) => {
            let find = |list: &'a [Value], name: &str| list.iter().find(|item| name_of(item) == Some(name));
            let new = two.iter().filter_map(name_of).filter(|name| find(one, name).is_none());
            for name in one.iter().filter_map(name_of).chain(new) {
                collect(find(one, name), find(two, name), &format!("{path}[{name}]"), found);
            }
        }
        _ => found.push((path.to_owned(), before, after)),
    }
}

fn name_of(item: &Value) -> Option<&str> {
    item.get("name")?.as_str()
}

fn have_names(list: &[Value]) -> bool {
    list.iter().all(|item| name_of(item).is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api;
    use crate::domain::Baseline;
    use crate::plan::Manifest;
    use crate::plan::sample::{World, deployment, http_route, object, service};

    fn with(patches: &Value, objects: impl IntoIterator<Item = Manifest>) -> World {
        let spec = json!({"repositories": [{"name": "acme/web"}], "clone": {"patches": patches}});
        let mut listed = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
        listed.metadata.namespace = Some("shop".into());
        let patches = Baseline::try_from(&listed).unwrap().patches;
        World::of(objects).baseline(|b| b.patches = patches)
    }

    fn json_patch(kind: &str, operations: &Value) -> Value {
        json!([{"target": {"kind": kind}, "jsonPatch": operations}])
    }

    fn merge(kind: &str, patch: &Value) -> Value {
        json!([{"target": {"kind": kind}, "merge": patch}])
    }

    #[test]
    fn both_ways_to_patch_are_filled_and_said() {
        let patches = json!([
            {"target": {"kind": "Deployment", "name": "web"}, "jsonPatch": [
                {"op": "add", "path": "/spec/template/spec/containers/0/args", "value": ["--host={{ host }}"]},
                {"op": "replace", "path": "/spec/replicas", "value": 2}]},
            {"target": {"kind": "Deployment"}, "merge": {"spec": {"template": {"spec": {"containers": [{"name": "web", "tty": true}]}}}}},
        ]);
        let plan = with(&patches, [deployment("web"), service("web")]).plan();
        let web = plan.find("Deployment/web");
        assert_eq!(web.text("/spec/template/spec/containers/0/args/0"), Some("--host=web-pr-42.preview.example.com"));
        assert_eq!(plan.plan.workloads[0].replicas, 2, "patches come after the rules");
        assert_eq!(
            plan.said(),
            [
                "Deployment/web spec.replicas: 1 -> 2 (clone.patches)",
                "Deployment/web spec.template.spec.containers[web].args: (none) -> [\"--host=web-pr-42.preview.example.com\"] (clone.patches)",
                "Deployment/web spec.template.spec.containers[web].tty: (none) -> true (clone.patches)",
                "Service/web kept",
            ]
        );
    }

    #[test]
    fn what_does_not_fit_names_the_patch_and_stops_the_plan() {
        let cases = [
            (json_patch("Service", &json!([{"op": "remove", "path": "/spec/nope"}])), "operation 0, /spec/nope: path is invalid"),
            (json_patch("Service", &json!([{"op": "test", "path": "/spec/type", "value": "x"}])), "operation 0, /spec/type"),
            (merge("Service", &json!({"spec": {"ports": [{"name": "x"}]}})), "/spec/ports/0: an entry needs containerPort"),
            (merge("Service", &json!({"spec": {"x": "{{ pull }}"}})), "cannot fill '{{ pull }}'"),
            (merge("Service", &json!({"kind": "Secret"})), "kind is not to be changed"),
            (merge("Service", &json!({"metadata": {"name": "other"}})), "metadata.name is not to be changed"),
            (merge("Service", &json!({"metadata": {"namespace": "kube-system"}})), "metadata.namespace is not to be changed"),
            (merge("Service", &json!({"metadata": {"finalizers": ["x/y"]}})), "metadata.finalizers is not to be changed"),
            (
                merge("Service", &json!({"metadata": {"labels": {"preview-env.dev/environment-uid": "x"}}})),
                "metadata.labels[preview-env.dev/environment-uid] is not to be changed",
            ),
            (json_patch("Service", &json!([{"op": "replace", "path": "", "value": "x"}])), "is not to be changed"),
        ];
        for (patches, says) in cases {
            let plan = with(&patches, [service("web")]).plan().plan;
            let expected = "clone.patches[0] cannot be applied to Service/web: ";
            assert!(
                plan.invalid.len() == 1 && plan.invalid[0].starts_with(expected) && plan.invalid[0].contains(says),
                "{:?}",
                plan.invalid
            );
        }
    }

    #[test]
    fn a_patch_for_nothing_warns() {
        let plan = with(&json!([{"target": {"kind": "Service", "name": "wbe"}, "merge": {"a": 1}}]), [service("web")]).plan().plan;
        assert_eq!(plan.warnings, ["clone.patches[0]: the baseline has no Service/wbe that is cloned"]);
        assert!(plan.invalid.is_empty());
    }

    #[test]
    fn refusals_are_judged_after_patches() {
        let agent = || deployment("agent").with("/spec/template/spec/hostPID", json!(true));
        let mended = merge("Deployment", &json!({"spec": {"template": {"spec": {"hostPID": null}}}}));
        assert!(with(&mended, [agent()]).plan().find("Deployment/agent").get("/spec/template/spec/hostPID").is_none());
        let broken = merge("Deployment", &json!({"spec": {"template": {"spec": {"hostNetwork": true}}}}));
        let world = with(&broken, [deployment("web").image("acme/web:1")]).branch("acme/web", "2");
        let plan = world.plan();
        assert_eq!(plan.said(), ["Deployment/web left out: asks for the node's network (spec.template.spec.hostNetwork)"]);
        assert_eq!((plan.objects().count(), plan.plan.stalled.len()), (0, 1));
    }

    #[test]
    fn values_of_secrets_are_not_shown() {
        let secret = object("v1", "Secret", "s").with("/data", json!({"K": "aHVudGVyMg=="}));
        let patches = merge("Secret", &json!({"data": {"K": "aHVudGVyMw=="}}));
        let plan = with(&patches, [secret]).plan();
        assert_eq!(plan.said(), ["Secret/s data.K: (hidden) -> (hidden) (clone.patches)"]);
    }

    #[test]
    fn a_patch_takes_no_host_that_is_not_the_environment_s() {
        let ingress = object("networking.k8s.io/v1", "Ingress", "web").with("/spec/rules", json!([{"host": "shop.example.com"}]));
        let route = http_route("web", &["shop.example.com"]);
        let plan = |kind: &str, spec: Value| {
            let world = with(&merge(kind, &json!({ "spec": spec })), [service("web"), ingress.clone(), route.clone()]);
            world.plan().plan.invalid
        };
        for (kind, spec, what) in [
            ("Ingress", json!({"rules": [{"host": "shop.example.com"}]}), "shop.example.com"),
            ("Ingress", json!({"rules": [{"http": {}}]}), "any host"),
            ("Ingress", json!({"tls": [{"hosts": ["login.example.com"]}]}), "login.example.com"),
            ("Ingress", json!({"defaultBackend": {"service": {"name": "web"}}}), "any host"),
            ("HTTPRoute", json!({"hostnames": ["x.preview.example.com"]}), "x.preview.example.com"),
            ("HTTPRoute", json!({"hostnames": null}), "any host"),
        ] {
            let invalid = plan(kind, spec);
            assert!(invalid.len() == 1 && invalid[0].contains(&format!("it would serve {what}, and only")), "{kind} {what}: {invalid:?}");
        }
        assert!(plan("Ingress", json!({"rules": [{"host": "{{ host }}"}], "ingressClassName": "x"})).is_empty());
    }

    #[test]
    fn what_is_called_a_password_is_not_shown() {
        let variables = json!([{"name": "DB_PASSWORD", "value": "hunter2"}]);
        let web = || deployment("web").with("/spec/template/spec/containers/0/env", variables.clone());
        let settings = object("v1", "ConfigMap", "settings").with("/data", json!({"password": "hunter2"}));
        for patch in [
            json!([{"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value", "value": "hunter3"}]),
            json!([{"op": "replace", "path": "/spec/template/spec/containers", "value": [{"image": "x:1"}]}]),
        ] {
            let said = with(&json_patch("Deployment", &patch), [web()]).plan().said();
            assert!(said[0].contains("***") && !said[0].contains("hunter"), "{said:?}");
        }
        let said = with(&merge("ConfigMap", &json!({"data": {"password": "hunter3"}})), [settings]).plan().said();
        assert_eq!(said, ["ConfigMap/settings data.password: *** -> *** (clone.patches)"]);
    }

    #[test]
    fn custom_resources_are_merged_plainly() {
        // Lists with a key are replaced as a whole there.
        let rollout = object("example.com/v1", "Thing", "t").with("/spec", json!({"env": [{"name": "A"}, {"name": "B"}]}));
        let mut value = rollout.value().clone();
        json_patch::merge(&mut value, &json!({"spec": {"env": [{"name": "C"}]}}));
        assert_eq!(value["spec"]["env"], json!([{"name": "C"}]));
        assert!(crate::plan::places::is_custom(&rollout) && !crate::plan::places::is_custom(&service("x")));
    }
}
