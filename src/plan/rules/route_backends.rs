//! What Gateway API routes lead to. A backend in the baseline's namespace becomes the environment's own; one in another
//! namespace goes, since the grant there names the baseline's routes and not ours.
//! <https://gateway-api.sigs.k8s.io/api-types/referencegrant/>

use serde_json::Value;

use super::{ABSENT, Notes};
use crate::plan::context::Context;
use crate::plan::kinds::is_route;
use crate::plan::manifest::Manifest;
use crate::plan::pods::text;
use crate::plan::route_names::{is_elsewhere, leads_somewhere};

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    if !is_route(manifest) {
        return;
    }
    let namespace = context.target.baseline.namespace.as_str();
    let Some(rules) = manifest.get_mut("/spec/rules").and_then(Value::as_array_mut) else { return };
    let mut index = 0_usize..;
    rules.retain_mut(|rule| {
        let path = format!("spec.rules[{}]", index.next().unwrap_or_default());
        let stays = leads_somewhere(rule, namespace);
        if !stays {
            notes.changed(path.clone(), ("leads to other namespaces", ABSENT), ELSEWHERE);
            return false;
        }
        keep_local(rule, "backendRefs", (&path, namespace), notes);
        keep_local(rule, "filters", (&path, namespace), notes);
        true
    });
}

const ELSEWHERE: &str = "another namespace grants nothing to a copy";

/// The reference inside of an entry: a mirror keeps it one level deeper.
fn reference(entry: &mut Value) -> &mut Value {
    if entry.pointer("/requestMirror/backendRef").is_some() { &mut entry["requestMirror"]["backendRef"] } else { entry }
}

fn keep_local(rule: &mut Value, list: &str, (path, namespace): (&str, &str), notes: &mut Notes) {
    let Some(entries) = rule.get_mut(list).and_then(Value::as_array_mut) else { return };
    let mut index = 0_usize..;
    entries.retain_mut(|entry| {
        let path = format!("{path}.{list}[{}]", index.next().unwrap_or_default());
        let reference = reference(entry);
        if is_elsewhere(reference, namespace) {
            let name = format!("{} in {}", text(reference, "name").unwrap_or("?"), text(reference, "namespace").unwrap_or("?"));
            notes.changed(path, (&name, ABSENT), ELSEWHERE);
            return false;
        }
        if let Some(before) = reference.as_object_mut().and_then(|map| map.remove("namespace")) {
            notes.removed(format!("{path}.namespace"), &before, "the environment has a Service of its own");
        }
        true
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, http_route};

    #[test]
    fn backends_are_the_environment_s_own() {
        let rules = json!([
            {"backendRefs": [{"name": "web", "namespace": "shop", "port": 80}, {"name": "old", "namespace": "other", "port": 80}]},
            {"backendRefs": [{"name": "old", "namespace": "other", "port": 80}]},
            {"backendRefs": [{"name": "api", "port": 80}],
             "filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "spy", "namespace": "other", "port": 80}}}]},
        ]);
        let plan = World::of([http_route("web", &["shop.io"]).with("/spec/rules", rules)]).plan();
        let expected =
            json!([{"backendRefs": [{"name": "web", "port": 80}]}, {"backendRefs": [{"name": "api", "port": 80}], "filters": []}]);
        assert_eq!(plan.find("HTTPRoute/web").get("/spec/rules"), Some(&expected));
        let said = plan.said();
        assert!(said.contains(
            &"HTTPRoute/web spec.rules[0].backendRefs[1]: old in other -> (none) (another namespace grants nothing to a copy)".into()
        ));
        assert_eq!(said.iter().filter(|line| line.ends_with("(another namespace grants nothing to a copy)")).count(), 3);
    }
}
