//! What holds for every plan, and the plan of `examples/shop`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::kinds::is_cloned;
use super::sample::{Made, World, controlled_by, deployment, object, service, stateful_set};
use super::{Decision, Manifest, ObjectName};
use crate::domain::Baseline;

const NETWORKING: &str = "networking.k8s.io/v1";

/// Objects with something about them, which properties are tested over in every selection and order.
fn pool() -> Vec<Manifest> {
    let secret_env = json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "unlisted", "key": "k"}}}, {"name": "A", "value": "2"}]);
    let hosts = |hosts: &[&str]| json!(hosts.iter().map(|h| json!({"host": h, "http": {"paths": [{"path": "/"}]}})).collect::<Vec<_>>());
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    vec![
        deployment("web").image("acme/web:1").replicas(3).with("/spec/template/spec/containers/0/env", secret_env),
        deployment("off").replicas(0).with("/spec/template/spec/nodeName", json!("n")),
        deployment("agent").image("acme/web:1").with("/spec/template/spec/hostPID", json!(true)),
        deployment("helm").pod_label("app.kubernetes.io/managed-by", "Helm").label("app.kubernetes.io/managed-by", "Helm"),
        controlled_by(deployment("canary"), "argoproj.io/v1alpha1", "Rollout/web"),
        controlled_by(object("v1", "ConfigMap", "made"), "apps/v1", "Deployment/web"),
        stateful_set("db").claim("data").replicas(2),
        stateful_set("b-db").claim("a").with("/spec/updateStrategy", json!({"type": "OnDelete"})),
        stateful_set("db-x").claim("a-b").with("/spec/template/spec/priorityClassName", json!("high")),
        object("v1", "PersistentVolumeClaim", "data-db-0"),
        object("v1", "PersistentVolumeClaim", "a-b-db-x-0"),
        object("v1", "PersistentVolumeClaim", "uploads").with("/spec", json!({"volumeName": "pv", "storageClassName": "fast"})),
        service("web").with("/spec/type", json!("LoadBalancer")).with("/spec/ports", json!([{"port": 80, "nodePort": 30000}])),
        service("db").with("/spec/clusterIP", json!("None")),
        service("odd").with("/spec/selector", json!({"app.kubernetes.io/managed-by": "Helm"})),
        service("outside").with("/spec", json!({"type": "ExternalName", "externalName": "x.example.com"})),
        object("v1", "ConfigMap", "settings").with("/immutable", json!(true)).annotation("meta.helm.sh/release-name", "shop"),
        object("v1", "ConfigMap", "kube-root-ca.crt"),
        object("v1", "Secret", "listed").with("/data", json!({"k": "dg=="})),
        object("v1", "Secret", "token").with("/type", json!("kubernetes.io/service-account-token")),
        object("v1", "ServiceAccount", "default").with("/imagePullSecrets", json!([{"name": "unlisted"}])),
        object("v1", "ServiceAccount", "api").annotation("iam.gke.io/gcp-service-account", "x").with("/secrets", json!([{"name": "t"}])),
        object(NETWORKING, "Ingress", "a").with("/spec", json!({"rules": hosts(&["shop.io", "api.a.io"]), "tls": [{"hosts": ["*.a.io"]}]})),
        object(NETWORKING, "Ingress", "b").with("/spec", json!({"rules": hosts(&["api.b.io", "*.b.io"]), "defaultBackend": backend})),
        object(NETWORKING, "Ingress", "c").with("/spec", json!({ "defaultBackend": backend })),
        object("apps/v1", "DaemonSet", "agent"),
    ]
}

/// What the API server adds to every object.
fn dressed(object: Manifest, age: u8) -> Manifest {
    object
        .with("/metadata/uid", json!("u"))
        .with("/metadata/resourceVersion", json!("7"))
        .with("/metadata/managedFields", json!([{}]))
        .with("/metadata/finalizers", json!(["x/y"]))
        .with("/metadata/creationTimestamp", json!(format!("2026-01-{age:02}T00:00:00Z")))
        .with("/status", json!({"x": 1}))
        .annotation("kubectl.kubernetes.io/last-applied-configuration", "{}")
        .annotation("volume.kubernetes.io/selected-node", "n")
}

fn objects() -> impl Strategy<Value = Vec<Manifest>> {
    let all = pool();
    let some = proptest::sample::subsequence(all.clone(), 0..=all.len()).prop_shuffle();
    (some, proptest::collection::vec(1..28u8, all.len()))
        .prop_map(|(some, ages)| some.into_iter().zip(ages).map(|(object, age)| dressed(object, age)).collect())
}

fn world(objects: Vec<Manifest>) -> World {
    World::of(objects).branch("acme/web", "pr-42").missing("gone")
}

fn cannot_be_a_copy(object: &Manifest) -> Option<&'static str> {
    let fields = object.get("/metadata").and_then(Value::as_object)?;
    let annotations = object.get("/metadata/annotations").and_then(Value::as_object)?;
    let foreign = |key: &String| key.contains("kubernetes.io/") || key.contains("helm.sh/");
    let ours = |key: &String| ["name", "namespace", "labels", "annotations"].contains(&key.as_str());
    let ports = object.items("/spec/ports").any(|p| p.get("nodePort").is_some());
    let hosts = || object.items("/spec/rules").filter_map(|r| r.get("host")?.as_str());
    match () {
        () if !fields.keys().all(ours) => Some("metadata of the baseline"),
        () if object.get("/status").is_some() => Some("status"),
        () if annotations.keys().any(foreign) => Some("annotations of another owner"),
        () if object.text("/metadata/namespace") != Some("shop-web-pr-42") => Some("the baseline's namespace"),
        () if object.get("/spec/volumeName").is_some() || object.get("/spec/defaultBackend").is_some() || ports => {
            Some("a field of the baseline")
        }
        () if hosts().any(|h| !h.ends_with(".preview.example.com")) => Some("a host of the baseline"),
        () => None,
    }
}

proptest! {
    #[test]
    fn a_plan_does_not_depend_on_the_order_of_the_snapshot(objects in objects()) {
        let mut sorted = objects.clone();
        sorted.sort_by_key(Manifest::name);
        let (one, two) = (world(objects).plan(), world(sorted).plan());
        prop_assert_eq!(format!("{:?}", one.plan), format!("{:?}", two.plan));
    }

    #[test]
    fn every_object_ends_in_a_decision(objects in objects()) {
        let plan = world(objects.clone()).plan();
        let decided: BTreeSet<_> = plan.plan.decisions.iter().map(Decision::object).collect();
        let left_out: BTreeSet<_> = plan.plan.decisions.iter().filter(|d| d.is_left_out()).map(Decision::object).collect();
        let planned: BTreeSet<_> = plan.objects().map(Manifest::name).collect();
        for object in objects {
            prop_assert!(decided.contains(&object.name()), "{}", object.name());
            prop_assert_ne!(left_out.contains(&object.name()), planned.contains(&object.name()), "{}", object.name());
        }
    }

    #[test]
    fn nothing_of_the_baseline_s_own_is_planned(objects in objects()) {
        for object in world(objects).plan().objects() {
            prop_assert_eq!(cannot_be_a_copy(object), None, "{}", object.value());
        }
    }

    #[test]
    fn only_secrets_of_the_snapshot_are_planned(objects in objects()) {
        let listed: BTreeSet<_> = objects.iter().map(Manifest::name).collect();
        let plan = world(objects).plan();
        prop_assert!(plan.objects().filter(|o| o.kind() == "Secret").all(|o| listed.contains(&o.name())));
    }

    #[test]
    fn a_copy_of_a_copy_is_the_copy(objects in objects()) {
        let first = world(objects).plan();
        let second = world(first.objects().cloned().collect()).plan();
        // Hosts of hosts are new ones, so Ingresses differ.
        let rest = |made: &Made| made.objects().filter(|o| o.kind() != "Ingress").cloned().collect::<Vec<_>>();
        prop_assert_eq!(rest(&first), rest(&second));
        let changed = second.plan.decisions.iter().find(|d| matches!(d, Decision::Changed { object, .. } if object.kind != "Ingress"));
        prop_assert_eq!(changed, None);
    }

    #[test]
    fn hosts_are_distinct_and_one_label_under_the_domain(objects in objects()) {
        let urls = world(objects).plan().plan.urls;
        let hosts: BTreeSet<_> = urls.iter().map(|u| u.host.as_str()).collect();
        prop_assert_eq!(hosts.len(), urls.len());
        for host in hosts {
            let label = host.strip_suffix(".preview.example.com").unwrap_or_default();
            prop_assert!(crate::domain::slug::is_dns_label(label), "{host}");
        }
    }
}

#[test]
fn what_pods_need_is_made_before_them() {
    let plan = world(pool()).plan().plan;
    let kinds = |stage: usize| plan.stages[stage].iter().map(|p| p.manifest.kind()).collect::<BTreeSet<_>>();
    assert_eq!(kinds(1), BTreeSet::from(["DaemonSet", "Deployment", "StatefulSet"]));
    assert!(kinds(0).is_disjoint(&kinds(1)));
    assert_eq!(plan.stages.len(), 2);
    assert_eq!(World::of([deployment("web")]).plan().plan.stages.len(), 1, "no stage is empty");
}

#[test]
fn the_hash_is_of_the_object_without_it() {
    let plan = World::of([deployment("web")]).plan().plan;
    let planned = &plan.stages[0][0];
    let annotation = "/metadata/annotations/preview-env.dev~1applied-hash";
    assert_eq!(planned.manifest.text(annotation), Some(planned.hash.as_str()));
    let without = planned.manifest.clone().without("/metadata", "annotations");
    assert_eq!(super::hash(without.value()), planned.hash);
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn read(path: &Path) -> Vec<Manifest> {
    let text = std::fs::read_to_string(path).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    documents.into_iter().map(Manifest::new).collect()
}

fn shop() -> Vec<Manifest> {
    let entries = std::fs::read_dir(examples().join("shop")).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files.iter().flat_map(|f| read(f)).collect()
}

fn baseline(path: &str) -> Baseline {
    let object = read(&examples().join(path)).remove(0);
    Baseline::try_from(&serde_json::from_value::<crate::api::Baseline>(object.value().clone()).unwrap()).unwrap()
}

/// The shop as a pull request of acme/web sees it.
fn shop_world() -> World {
    let baseline = baseline("shop/baseline.yaml");
    let ours = |o: &Manifest| matches!(o.kind(), "Namespace" | "Baseline");
    let unlisted = |o: &Manifest| o.kind() == "Secret" && !baseline.secrets.iter().any(|s| s.name == o.name().name);
    let (cloned, others): (Vec<_>, Vec<_>) = shop().into_iter().filter(|o| !ours(o) && !unlisted(o)).partition(|o| is_cloned(o, &baseline));
    let world = others.iter().map(Manifest::name).fold(World::of(cloned), World::other);
    let web = baseline.repositories.into_iter().find(|r| r.alias == "web").unwrap();
    web.images.iter().fold(world, |world, rule| world.branch(rule.image.repository(), "pr-42-3f9c2ab"))
}

#[test]
fn the_shop_is_planned_as_people_read_it() {
    let made = shop_world().plan();
    let mut text = made.said().join("\n");
    for (number, stage) in made.plan.stages.iter().enumerate() {
        let names: Vec<_> = stage.iter().map(|p| p.manifest.name().to_string()).collect();
        write!(text, "\n\nstage {}: {}", number + 1, names.join(", ")).unwrap();
    }
    text.push('\n');
    for url in &made.plan.urls {
        write!(text, "\n{}", url.url).unwrap();
    }
    text.push('\n');
    for workload in &made.plan.workloads {
        write!(text, "\n{} runs {} from {:?}, {} pod", workload.object, workload.image, workload.from, workload.replicas).unwrap();
    }
    insta::assert_snapshot!("shop", text);
}

#[test]
fn the_shop_has_twelve_services_and_every_one_starts_in_a_clone() {
    let made = shop_world().plan();
    assert_eq!(shop().iter().filter(|o| o.kind() == "Service").count(), 12);
    assert_eq!(made.plan.workloads.len(), 12);
    assert!(made.plan.stalled.is_empty());
    assert!(made.said().iter().all(|line| !line.contains("not start")), "{:#?}", made.said());
    let names: BTreeSet<ObjectName> = made.objects().map(Manifest::name).collect();
    for (kind, name) in made.objects().flat_map(|o| references(o.value())) {
        assert!(names.iter().any(|n| n.kind == kind && n.name == name), "{kind}/{name} is used and not planned");
    }
}

/// ConfigMaps, claims and accounts that an object cannot do without.
fn references(value: &Value) -> Vec<(&'static str, String)> {
    let Some(map) = value.as_object() else {
        return value.as_array().into_iter().flatten().flat_map(references).collect();
    };
    let named = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let found = [
        ("ConfigMap", named("/configMapRef/name")),
        ("ConfigMap", named("/configMap/name")),
        ("ConfigMap", named("/configMapKeyRef/name")),
        ("PersistentVolumeClaim", named("/persistentVolumeClaim/claimName")),
        ("ServiceAccount", named("/serviceAccountName")),
    ];
    let here = found.into_iter().filter_map(|(kind, name)| Some((kind, name?)));
    here.chain(map.values().flat_map(references)).collect()
}

#[test]
fn the_baselines_of_the_examples_are_right() {
    for (path, repositories) in [("shop/baseline.yaml", 2), ("quickstart/baseline.yaml", 1)] {
        let baseline = baseline(path);
        assert_eq!(baseline.repositories.len(), repositories, "{path}");
        assert!(baseline.warnings().is_empty(), "{path}");
    }
}
