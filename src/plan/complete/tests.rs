//! Reports on small worlds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::{Behind, Evidence, Finding, Report, baseline_gaps, report};
use crate::api::baseline::{HookMoment, OnFailure};
use crate::domain::baseline::{Hook, JobSource};
use crate::plan::manifest::{Manifest, ObjectName};
use crate::plan::sample::{World, controlled_by, deployment, object, service, stateful_set};

const SPEC: &str = "/spec/template/spec";

fn of(world: &World) -> Report {
    with(world, &Evidence::default())
}

fn with(world: &World, evidence: &Evidence) -> Report {
    report(&world.snapshot, &world.plan().plan, evidence)
}

fn lines(findings: &[Finding]) -> Vec<String> {
    let mend = |f: &Finding| f.mend.as_ref().map(|m| format!(" => {m}")).unwrap_or_default();
    findings.iter().map(|f| format!("{}: {}{}", f.object, f.what, mend(f))).collect()
}

fn env_from(workload: Manifest, kind: &str, name: &str) -> Manifest {
    workload.with(&format!("{SPEC}/containers/0/envFrom"), json!([{ kind: {"name": name} }]))
}

#[test]
fn a_system_that_holds_what_it_names_is_complete() {
    let web = env_from(deployment("web"), "configMapRef", "settings").with(&format!("{SPEC}/serviceAccountName"), json!("web"));
    let world = World::of([
        web.with(&format!("{SPEC}/volumes"), json!([{"name": "t", "configMap": {"name": "kube-root-ca.crt"}}, {"name": "c", "persistentVolumeClaim": {"claimName": "uploads"}}])),
        object("v1", "ConfigMap", "settings"),
        object("v1", "ServiceAccount", "web"),
        object("v1", "PersistentVolumeClaim", "uploads"),
        service("web"),
    ]);
    let report = of(&world);
    assert!(report.is_complete() && report.warnings.is_empty(), "{report:?}");
    assert_eq!(report.count(), "1 of 1");
}

#[test]
fn every_reference_that_leads_nowhere_is_named_with_its_mend() {
    let web = deployment("web")
        .with(
            &format!("{SPEC}/containers/0/env"),
            json!([
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "may", "key": "x", "optional": true}}},
                {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "GONE"}}}]),
        )
        .with(
            &format!("{SPEC}/volumes"),
            json!([{"name": "p", "projected": {"sources": [{"configMap": {"name": "absent"}}, {"secret": {"name": "tls"}}]}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "none"}}]),
        )
        .with(&format!("{SPEC}/imagePullSecrets"), json!([{"name": "registry"}]))
        .with(&format!("{SPEC}/serviceAccountName"), json!("nobody"));
    let report = of(&World::of([web, object("v1", "ConfigMap", "settings").with("/data", json!({"HERE": "1"}))]).missing("tls"));
    assert_eq!(report.count(), "0 of 1");
    assert_eq!(
        lines(&report.missing),
        [
            "ConfigMap/absent: used by web; not in the baseline either => make it in the baseline, or take the reference away",
            "ConfigMap/settings: used by web; it has no GONE => add GONE to ConfigMap/settings, or have the reference say optional",
            "PersistentVolumeClaim/none: used by web; not in the baseline either => make it in the baseline, or take the reference away",
            "Secret/db: used by web; not copied unless listed => clone.secrets: [{name: db}]",
            "Secret/registry: web pulls images with it; not copied unless listed => clone.secrets: [{name: registry}]",
            "Secret/tls: used by web; listed, and not in the baseline => make it in the baseline, or have the reference say optional",
            "ServiceAccount/nobody: used by web; not in the baseline either => make it in the baseline, or take the reference away",
        ]
    );
}

#[test]
fn what_a_hook_needs_is_named_too() {
    let container = json!({"name": "c", "image": "x:1", "envFrom": [{"secretRef": {"name": "db"}}]});
    let migrate = Hook {
        name: "migrate".into(),
        when: HookMoment::BeforeWorkloads,
        source: JobSource::Spec(json!({"template": {"spec": {"containers": [container]}}})),
        service: None,
        after: vec![],
        timeout: Duration::from_secs(60),
        on_failure: OnFailure::Stall,
    };
    let report = of(&World::of([deployment("web")]).baseline(|b| b.hooks = vec![migrate]));
    assert_eq!(lines(&report.missing), ["Secret/db: used by hook migrate; not copied unless listed => clone.secrets: [{name: db}]"]);
    assert_eq!((report.count(), report.is_complete()), ("1 of 1".to_owned(), false));
}

#[test]
fn a_key_counts_where_the_secret_was_read() {
    let uses = deployment("web")
        .with(&format!("{SPEC}/containers/0/env"), json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}]));
    let secret = object("v1", "Secret", "db");
    assert!(of(&World::of([uses.clone(), secret.clone()])).is_complete(), "who may not read it does not know its keys");
    assert!(of(&World::of([uses.clone(), secret.clone().with("/data", json!({"url": ""}))])).is_complete());
    let report = of(&World::of([uses, secret.with("/data", json!({"uri": ""}))]));
    assert_eq!(report.missing[0].mend.as_deref(), Some("add url to Secret/db, or have the reference say optional"));
}

#[test]
fn what_stops_most_stands_first_and_what_is_off_does_not_count() {
    let a = env_from(deployment("a"), "secretRef", "one");
    let b = env_from(deployment("b"), "secretRef", "two");
    let c = env_from(deployment("c"), "secretRef", "two");
    let off = env_from(deployment("off"), "secretRef", "three").replicas(0);
    let report = of(&World::of([a, b, c, off, deployment("d")]));
    assert_eq!(report.count(), "1 of 4");
    let stops: Vec<_> = report.missing.iter().map(|f| (f.object.name.as_str(), f.stops.len())).collect();
    assert_eq!(stops, [("two", 2), ("one", 1)]);
}

#[test]
fn an_account_lends_its_pull_secrets_to_pods_that_have_none() {
    let account = object("v1", "ServiceAccount", "web").with("/imagePullSecrets", json!([{"name": "registry"}]));
    let web = deployment("web").with(&format!("{SPEC}/serviceAccountName"), json!("web"));
    let own = deployment("own")
        .with(&format!("{SPEC}/serviceAccountName"), json!("web"))
        .with(&format!("{SPEC}/imagePullSecrets"), json!([{"name": "listed"}]));
    let report = of(&World::of([account, web, own, object("v1", "Secret", "listed")]));
    assert_eq!(report.missing[0].stops.iter().map(|w| w.name.as_str()).collect::<Vec<_>>(), ["web"]);
}

#[test]
fn a_workload_that_is_left_out_would_not_start() {
    let agent = deployment("agent").with(&format!("{SPEC}/hostNetwork"), json!(true));
    let report = of(&World::of([agent, service("agent"), deployment("web")]));
    assert_eq!((report.count().as_str(), report.is_complete()), ("1 of 2", false));
    assert_eq!(
        lines(&report.missing),
        [
            "Deployment/agent: left out: asks for the node's network (spec.template.spec.hostNetwork) => \
             take spec.template.spec.hostNetwork out of it, or do without it in previews",
            "Service/agent: nothing behind it: Deployment/agent is left out",
        ]
    );
}

fn named(text: &str) -> ObjectName {
    let (kind, name) = text.split_once('/').unwrap();
    let api_version = if kind == "Deployment" { "apps/v1" } else { "kafka.strimzi.io/v1" };
    ObjectName { api_version: api_version.into(), kind: kind.into(), name: name.into() }
}

#[test]
fn a_service_that_nothing_stands_behind_is_named_with_who_names_it() {
    let names =
        |name: &str, value: &str| deployment(name).with(&format!("{SPEC}/containers/0/env"), json!([{"name": "BROKERS", "value": value}]));
    let settings = object("v1", "ConfigMap", "settings").with("/data", json!({"app.yaml": "broker: kafka://events:9092/x"}));
    let reads = env_from(deployment("worker"), "configMapRef", "settings");
    let objects = [names("web", "events:9092"), names("api", "myevents:9092"), reads, settings, service("events"), service("web")];
    let (world, behind) = (World::of(objects), |endpoints, maker: &str| Behind { endpoints, makers: BTreeSet::from([named(maker)]) });
    let evidence = |events: Behind| Evidence {
        behind: Some(BTreeMap::from([("events".to_owned(), events), ("web".to_owned(), behind(1, "Deployment/web"))])),
    };
    let made = with(&world, &evidence(behind(3, "Kafka/events")));
    assert_eq!(
        lines(&made.missing),
        ["Service/events: nothing behind it: its pods are made by Kafka/events, which is not cloned; named by web and worker => \
            clone.customResources: [{group: kafka.strimzi.io, kind: Kafka}], where its operator looks after new namespaces"]
    );
    assert!(made.would_not_start.is_empty() && !made.is_complete());
    assert!(with(&world, &evidence(Behind::default())).is_complete(), "without endpoints in the baseline it is as it was");
    assert_eq!(
        lines(&of(&world).missing),
        ["Service/events: nothing behind it: no workload here has the labels that it selects; named by web and worker"]
    );
}

#[test]
fn services_that_lead_outside_are_worth_knowing() {
    let legacy = service("legacy").with("/spec", json!({"ports": [{"port": 80}]}));
    let web = deployment("web").with(&format!("{SPEC}/containers/0/args"), json!(["--upstream=http://legacy"]));
    let report = of(&World::of([legacy, web]));
    assert_eq!(lines(&report.warnings), ["Service/legacy: left out: has no selector: its endpoints were filled by hand; named by web"]);
}

#[test]
fn a_database_that_starts_empty_is_said_unless_something_fills_it() {
    let db = || stateful_set("db").image("registry.example.com/library/postgres:17").claim("data");
    let empty = ["StatefulSet/db: starts empty: nothing in the plan fills it, unless a workload does so at its start => \
        hooks: [{name: seed, when: BeforeWorkloads, job: {...}}]"];
    assert_eq!(lines(&of(&World::of([db()])).warnings), empty);
    let script = json!([{"name": "sql", "mountPath": "/docker-entrypoint-initdb.d/"}]);
    assert!(of(&World::of([db().with(&format!("{SPEC}/containers/0/volumeMounts"), script)])).warnings.is_empty());
    let migrates = deployment("web").with(&format!("{SPEC}/initContainers"), json!([{"name": "migrate", "image": "web:1"}]));
    assert!(of(&World::of([db(), migrates])).warnings.is_empty());
    assert!(of(&World::of([stateful_set("db").image("postgres:17")])).warnings.is_empty(), "it is as empty in the baseline");
    assert!(of(&World::of([stateful_set("db").image("redis:8").claim("data")])).warnings.is_empty());
}

#[test]
fn a_job_that_only_a_deploy_hook_ran_is_said() {
    let done = |name: &str| object("batch/v1", "Job", name).with("/status/conditions", json!([{"type": "Complete", "status": "True"}]));
    let report = of(&World::of([done("migrate").annotation("helm.sh/hook", "pre-upgrade"), done("other")]));
    assert_eq!(
        lines(&report.warnings),
        ["Job/migrate: ran when Helm deployed the baseline, and does not run in a preview => \
            hooks: [{name: migrate, when: BeforeWorkloads, job: {...}}], with its spec"]
    );
}

#[test]
fn an_operator_that_stays_behind_is_said_once() {
    let made = |o: Manifest| controlled_by(o, "postgresql.cnpg.io/v1", "Cluster/db");
    let report = of(&World::of([made(stateful_set("db")), made(service("db"))]));
    assert_eq!(
        lines(&report.warnings),
        ["Cluster/db: makes Service/db and StatefulSet/db here; the copies run without it => \
            clone.customResources: [{group: postgresql.cnpg.io, kind: Cluster}], where its operator looks after new namespaces"]
    );
}

#[test]
fn what_others_find_stops_workloads_too() {
    let mut report = of(&World::of([deployment("web"), deployment("api")]));
    let web = ObjectName { api_version: "apps/v1".into(), kind: "Deployment".into(), name: "web".into() };
    report.add([Finding::new(web.clone(), "its image is not for these nodes").stops(vec![web.clone()])]);
    assert_eq!((report.count().as_str(), report.would_not_start.as_slice()), ("1 of 2", &[web][..]));
    assert!(!report.is_complete());
}

#[test]
fn a_baseline_tells_what_every_environment_lacks() {
    let web = env_from(deployment("web"), "secretRef", "db");
    let api = env_from(deployment("api"), "secretRef", "listed");
    let world = World::of([web, api, service("events"), service("web")]);
    let gaps = baseline_gaps(&world.snapshot, world.its_baseline(), |name| name == "listed");
    assert_eq!(gaps.secrets.iter().map(|g| (g.name.as_str(), g.why.join(" "))).collect::<Vec<_>>(), [("db", "web".to_owned())]);
    assert_eq!(gaps.unbacked.iter().map(|g| g.name.as_str()).collect::<Vec<_>>(), ["events"]);
}
