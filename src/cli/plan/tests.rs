//! Pages, as people see them at 80 columns.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::api::status::ImageOrigin;
use crate::cli::plan::page::Style;
use crate::kinds::{Known, Reading as Treated};
use crate::plan::complete::{Behind, Evidence};
use crate::plan::{ImageSwap, Manifest, ObjectName};

const PLAIN: Style = Style { width: 80, colour: false };

/// The objects of a YAML stream.
pub(crate) fn manifests(text: &str) -> Vec<Manifest> {
    serde_saphyr::from_multiple::<Value>(text).unwrap().into_iter().map(Manifest::new).collect()
}

/// Those of the example.
pub(crate) fn shop() -> Vec<Manifest> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    files.iter().flat_map(|path| manifests(&std::fs::read_to_string(path).unwrap())).collect()
}

/// As `view` reads them: no Secret, and of kinds that are not cloned the names.
pub(crate) fn reading(objects: Vec<Manifest>) -> Reading {
    let mut reading = Reading::default();
    for object in objects.into_iter().filter(|o| !matches!(o.kind(), "Namespace" | "Baseline" | "Secret")) {
        let name = object.name();
        match Known::find(object.group(), object.kind()).map(|known| known.treatment.reading()) {
            Some(Treated::Whole) => reading.snapshot.objects.push(object),
            _ => reading.snapshot.others.push(name),
        }
    }
    reading
}

fn page(copied: &Copied, all: bool) -> String {
    let draft = copied.yaml();
    let with_secrets = (copied.with_secrets.would_start.len(), needed(&copied.report).len());
    let about = About::Namespace { name: &copied.name, first: &copied.first, with_secrets, draft: &draft };
    Shown { about, plan: &copied.plan, report: &copied.report, unread: &copied.unread, notes: &[], all }.render(PLAIN)
}

/// What breaks those who copy namespaces, in a few lines.
pub(crate) const NASTY: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: payments}
spec:
  selector: {matchLabels: {app: payments}}
  template:
    metadata: {labels: {app: payments}}
    spec:
      serviceAccountName: payments
      containers:
        - name: payments
          image: registry.example.com/acme/payments:3f9c2ab
          args: ["--events=kafka://events:9092", "--ledger=http://ledger.shop.svc:80"]
          envFrom: [{secretRef: {name: stripe-live}}, {configMapRef: {name: gone}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.example.com/acme/web:91bd001
          env: [{name: DATABASE_URL, valueFrom: {secretKeyRef: {name: db, key: url}}}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, ownerReferences: [{apiVersion: db.example.com/v1, kind: Database, name: main, uid: u, controller: true}]}
spec:
  serviceName: db
  replicas: 1
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: db, image: "postgres:17", envFrom: [{secretRef: {name: db}}]}]
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce]}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: logs}
spec:
  selector: {matchLabels: {app: logs}}
  template:
    metadata: {labels: {app: logs}}
    spec:
      containers: [{name: logs, image: "fluent/fluent-bit:4"}]
      volumes: [{name: node, hostPath: {path: /var/log}}]
---
apiVersion: v1
kind: Service
metadata: {name: events}
spec: {selector: {strimzi.io/cluster: events}, ports: [{port: 9092}]}
---
apiVersion: v1
kind: Service
metadata: {name: ledger}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: payments}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-upgrade}}
status: {conditions: [{type: Complete, status: "True"}]}
---
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: events}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {rules: [{host: shop.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}
"#;

fn nasty() -> Copied {
    let mut reading = reading(manifests(NASTY));
    let kafka = ObjectName { api_version: "kafka.strimzi.io/v1".into(), kind: "Kafka".into(), name: "events".into() };
    let behind = Behind { endpoints: 3, makers: BTreeSet::from([kafka]) };
    reading.evidence = Evidence { behind: Some(BTreeMap::from([("events".to_owned(), behind)])), ..Evidence::default() };
    reading.unread = vec!["rolebindings".to_owned(), "roles".to_owned()];
    Copied::of("shop", reading).unwrap()
}

#[test]
fn what_a_person_has_to_see_to_comes_first() {
    let copied = nasty();
    assert!(!copied.report.is_complete());
    insta::assert_snapshot!("nasty", page(&copied, false));
}

#[test]
fn the_shop_is_told_on_a_page() {
    let copied = Copied::of("shop", reading(shop())).unwrap();
    assert_eq!(copied.with_secrets.would_start.len(), 12);
    insta::assert_snapshot!("shop_copied", page(&copied, false));
}

#[test]
fn with_all_every_object_is_told() {
    let copied = nasty();
    let text = page(&copied, true);
    for decision in &copied.plan.decisions {
        assert!(text.contains(&decision.object().to_string()), "{decision}");
    }
    assert!(text.contains("Service/events") && !text.contains("\nleft out\n"), "{text}");
}

#[test]
fn no_line_is_wider_than_the_page() {
    let words = |line: &str| line.split_whitespace().count();
    for text in [page(&nasty(), false), page(&nasty(), true)] {
        let wide = text.lines().find(|line| line.chars().count() > 80 && words(line) > 2);
        assert_eq!(wide, None);
    }
}

#[test]
fn an_environment_is_told_with_its_images_first() {
    let copied = nasty();
    let baseline = copied.draft.baseline().unwrap();
    let snapshot = reading(manifests(NASTY)).snapshot;
    let (environment, none) = (EnvironmentName::recorded("web-pr-42"), HashSet::new());
    let target = Target {
        environment: &environment,
        uid: "u",
        namespace: "shop-web-pr-42",
        baseline: &baseline,
        isolated: false,
        source: None,
        seed: None,
        held_hosts: &none,
        recorded_hosts: &none,
        run: "",
    };
    let repository = "registry.example.com/acme/web".parse().unwrap();
    let images = ResolvedImages { swaps: vec![ImageSwap::by_tag(repository, "77aa120".into(), ImageOrigin::Branch)] };
    let plan = plan(&snapshot, &target, &images);
    let report = report(&snapshot, &plan, &Evidence::default());
    let about = About::Environment { name: "web-pr-42", namespace: "shop-web-pr-42", baseline: "shop" };
    let text = Shown { about, plan: &plan, report: &report, unread: &[], notes: &["a note".to_owned()], all: false }.render(PLAIN);
    insta::assert_snapshot!("environment", text);
}

#[test]
fn machines_get_everything() {
    let copied = nasty();
    let value: Value = serde_json::from_str(&copied.render(Format::Json, false).unwrap()).unwrap();
    assert_eq!((&value["complete"], &value["workloads"]), (&Value::Bool(false), &4.into()));
    assert_eq!(value["secretsNeeded"][0]["name"], "db");
    let stops: Vec<_> = value["report"]["missing"][0]["stops"].as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap()).collect();
    assert_eq!(stops, ["web", "db"]);
    assert_eq!(value["notLookedAt"][0], "rolebindings");
    let yaml = copied.render(Format::Yaml, false).unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&yaml).unwrap();
    assert_eq!(objects, value["objects"].as_array().unwrap().clone());
    assert!(copied.render(Format::Name, false).unwrap().contains("deployment.apps/web\n"));
}

#[test]
fn what_every_namespace_has_is_nothing_to_copy() {
    let every = "{apiVersion: v1, kind: ConfigMap, metadata: {name: kube-root-ca.crt}}\n---\n{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}";
    assert!(Copied::of("shop", reading(manifests(every))).unwrap().is_empty());
    let more = format!("{every}\n---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings}}}}");
    assert!(!Copied::of("shop", reading(manifests(&more))).unwrap().is_empty());
}
