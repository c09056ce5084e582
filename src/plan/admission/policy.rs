//! What a PreviewPolicy of the cluster does not allow, judged on the objects as they will be, after every rule and patch.

use serde_json::{Value, json};

use super::{Refusal, Template};
use crate::api::baseline::isolation::Scheduling;
use crate::domain::policy::Ruling;
use crate::plan::manifest::Manifest;
use crate::plan::pods::text;

/// Who can change it.
const MEND: &str = "change it in the baseline, or ask whoever runs the cluster";
/// Annotations that have a controller answer for more hosts, or write names of its zone.
const HOSTS_BY_ANNOTATION: [&str; 3] = [
    "nginx.ingress.kubernetes.io/server-alias",
    "external-dns.alpha.kubernetes.io/hostname",
    "external-dns.alpha.kubernetes.io/internal-hostname",
];

/// Why the object is not made, where a policy does not allow it.
pub fn refusal(object: &Manifest, ruling: &Ruling) -> Option<Refusal> {
    if *ruling == Ruling::default() {
        return None;
    }
    let in_pods = || Template::of(object).and_then(|template| image(&template, ruling).or_else(|| place(&template, ruling)));
    let why = in_pods().or_else(|| host(object, ruling))?;
    Some(Refusal { why, mend: MEND.to_owned() })
}

fn image(template: &Template<'_>, ruling: &Ruling) -> Option<String> {
    let in_containers = template.containers().filter_map(|(list, container)| {
        Some((format!("{list}[{}].image", text(container, "name").unwrap_or("?")), text(container, "image")?))
    });
    let volumes = template.spec.get("volumes").and_then(Value::as_array).into_iter().flatten();
    let in_volumes = volumes.filter_map(|volume| {
        Some((format!("volumes[{}].image", text(volume, "name").unwrap_or("?")), text(volume.get("image")?, "reference")?))
    });
    in_containers.chain(in_volumes).find_map(|(path, image)| {
        // What we cannot read, a container runtime may.
        let why = image.parse().map_or_else(|_| ruling.refuses_unread_image(image), |image| ruling.refuses_image(&image))?;
        Some(format!("runs an image that is not allowed ({}.{path}): {why}", template.path))
    })
}

/// A patch can put a pod elsewhere than the policy has it.
fn place(template: &Template<'_>, ruling: &Ruling) -> Option<String> {
    let spec = template.spec;
    ruling.scheduling().find_map(|(forced, at)| {
        let field = misplaced(spec, forced)?;
        Some(format!("is to run elsewhere ({}.{field}) than {at} says", template.path))
    })
}

fn misplaced(spec: &Value, forced: &Scheduling) -> Option<&'static str> {
    let selects = |(key, value): (&String, &String)| spec.get("nodeSelector").and_then(|s| s.get(key)) == Some(&json!(value));
    let has = |field: &str, wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| text(spec, field) == Some(wanted));
    match () {
        () if !forced.node_selector.iter().all(selects) => Some("nodeSelector"),
        // It stands above every selector.
        () if !forced.node_selector.is_empty() && spec.get("nodeName").is_some() => Some("nodeName"),
        () if !has("runtimeClassName", &forced.runtime_class_name) => Some("runtimeClassName"),
        () if !has("priorityClassName", &forced.priority_class_name) => Some("priorityClassName"),
        () => None,
    }
}

/// The hosts of routes are under the Baseline's domain in any case, whatever a patch says.
fn host(object: &Manifest, ruling: &Ruling) -> Option<String> {
    let annotations = object.get("/metadata/annotations")?;
    HOSTS_BY_ANNOTATION.into_iter().find_map(|key| {
        let mut hosts = text(annotations, key)?.split(',').map(str::trim).filter(|host| !host.is_empty());
        let why = hosts.find_map(|host| ruling.refuses_host(host))?;
        Some(format!("is reached elsewhere (metadata.annotations[{key}]): {why}"))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::PreviewPolicy;
    use crate::domain::baseline::{PatchChange, PatchRule};
    use crate::domain::{Baseline, Policy};
    use crate::plan::sample::{World, deployment, object};

    fn under(world: World, spec: Value) -> World {
        let policy = Arc::new(Policy::read(&PreviewPolicy::new("default", serde_json::from_value(spec).unwrap())));
        world.baseline(|b: &mut Baseline| *b = b.clone().under(Some(&[policy]), None))
    }

    fn patched(kind: &str, change: &Value) -> PatchRule {
        let change = PatchChange::Merge(json!({ "spec": change }).as_object().cloned().unwrap());
        PatchRule { kind: kind.into(), name: None, group: None, change }
    }

    fn left_out(world: World, spec: Value) -> Vec<String> {
        under(world, spec).plan().said().into_iter().filter(|line| line.contains(" left out: ")).collect()
    }

    #[test]
    fn an_image_from_elsewhere_is_left_out_with_its_path_and_the_ceiling() {
        let world = || World::of([deployment("web").image("ghcr.io/acme/web:1"), deployment("spy").image("evil.example.com/spy:1")]);
        assert_eq!(
            left_out(world(), json!({"registries": ["ghcr.io/acme"]})),
            ["Deployment/spy left out: runs an image that is not allowed (spec.template.spec.containers[spy].image): \
              evil.example.com/spy is in none of the registries that PreviewPolicy default (spec.registries) allows"]
        );
        assert!(left_out(world(), json!({"registries": ["ghcr.io", "evil.example.com"]})).is_empty());
        let strange = World::of([deployment("spy").image("EVIL/spy:1")]);
        assert!(left_out(strange, json!({"registries": ["ghcr.io"]}))[0].contains("EVIL/spy:1 cannot be read"));
        let asked = world().asked("ghcr.io/acme/web", "2");
        assert_eq!(left_out(asked, json!({"registries": []})).len(), 2, "what a person asked for is judged too");
    }

    #[test]
    fn a_patch_brings_nothing_past_a_ceiling() {
        let web = || deployment("web").image("ghcr.io/acme/web:1");
        let containers = json!({"template": {"spec": {"initContainers": [{"name": "i", "image": "evil.example.com/i:1"}]}}});
        let world = || World::of([web()]).baseline(|b| b.patches = vec![patched("Deployment", &containers)]);
        assert_eq!(left_out(world(), json!({"registries": ["ghcr.io/acme"]})).len(), 1);

        let elsewhere = json!({"template": {"spec": {"nodeSelector": {"pool": "prod"}}}});
        let world = World::of([web()]).baseline(|b| b.patches = vec![patched("Deployment", &elsewhere)]);
        let said = left_out(world, json!({"scheduling": {"nodeSelector": {"pool": "previews"}}}));
        assert_eq!(
            said,
            [
                "Deployment/web left out: is to run elsewhere (spec.template.spec.nodeSelector) than PreviewPolicy default (spec.scheduling) says"
            ]
        );

        let named = json!({"template": {"spec": {"nodeName": "prod-1"}}});
        let world = World::of([web()]).baseline(|b| b.patches = vec![patched("Deployment", &named)]);
        assert!(left_out(world, json!({"scheduling": {"nodeSelector": {"pool": "previews"}}}))[0].contains("spec.template.spec.nodeName"));
    }

    #[test]
    fn pods_run_where_the_policy_has_them() {
        let forced = json!({"scheduling": {"nodeSelector": {"pool": "previews"}, "runtimeClassName": "gvisor"}});
        let made = under(World::of([deployment("web")]), forced).plan();
        let spec = made.find("Deployment/web").get("/spec/template/spec").cloned().unwrap();
        assert_eq!((&spec["nodeSelector"], &spec["runtimeClassName"]), (&json!({"pool": "previews"}), &json!("gvisor")));
    }

    #[test]
    fn no_host_is_elsewhere_by_an_annotation() {
        let domains = || json!({"domains": ["preview.example.com"]});
        let world = || World::of([object("networking.k8s.io/v1", "Ingress", "web").with("/spec", json!({"rules": [{"host": "shop.io"}]}))]);
        assert!(left_out(world(), domains()).is_empty(), "hosts are under the Baseline's domain");
        for key in HOSTS_BY_ANNOTATION {
            let change = PatchChange::Merge(
                json!({"metadata": {"annotations": {key: "a.preview.example.com, shop.io"}}}).as_object().cloned().unwrap(),
            );
            let patch = PatchRule { kind: "Ingress".into(), name: None, group: None, change };
            let said = left_out(world().baseline(|b| b.patches = vec![patch]), domains());
            assert!(said.len() == 1 && said[0].contains(&format!("metadata.annotations[{key}]")), "{said:?}");
        }
    }

    #[test]
    fn without_a_policy_nothing_is_judged() {
        assert!(left_out(World::of([deployment("web").image("evil.example.com/x:1")]), json!({})).is_empty());
        assert_eq!(refusal(&deployment("web"), &Ruling::default()), None);
    }
}
