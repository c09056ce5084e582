//! Reports on small worlds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::{Behind, Evidence, Finding, Report, baseline_gaps, report};
use crate::api::baseline::{HookMoment, OnFailure, Volumes};
use crate::api::status::{ImageState, ImageStatus};
use crate::domain::baseline::{Hook, JobSource, PatchChange, PatchRule};
use crate::plan::manifest::{Manifest, ObjectName};
use crate::plan::sample::{World, controlled_by, cron_job, deployment, isolated, object, service, stateful_set};

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
        ..Evidence::default()
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
fn an_empty_database_is_said_with_who_uses_it() {
    let db = || stateful_set("db").image("postgres:17").claim("data");
    let api = deployment("api").with(&format!("{SPEC}/containers/0/env"), json!([{"name": "DATABASE_HOST", "value": "db"}]));
    let world = || World::of([db(), service("db"), api.clone(), deployment("web")]);
    let said = "StatefulSet/db: starts empty: nothing in the plan fills it, unless a workload does so at its start; used by api => \
        hooks: [{name: seed, when: BeforeWorkloads, job: {...}}]";
    assert_eq!(lines(&of(&world()).warnings), [said]);
    assert_eq!(lines(&of(&world().baseline(|b| b.choices.volumes = Volumes::Skip)).warnings), [said], "no claim is no data either");
    let copy = json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"dataSource": {"kind": "VolumeSnapshot", "name": "s"}}}]}});
    let change = PatchChange::Merge(copy.as_object().cloned().unwrap());
    let patched = world().baseline(|b| b.patches = vec![PatchRule { kind: "StatefulSet".into(), name: None, group: None, change }]);
    assert!(of(&patched).warnings.is_empty(), "a patch of the team's fills it");
}

#[test]
fn a_quota_without_room_is_one_finding_that_says_what_would_be_enough() {
    let asks = |name: &str, cpu: &str| deployment(name).with(&format!("{SPEC}/containers/0/resources"), json!({"requests": {"cpu": cpu}}));
    let world = |cpus: [&str; 3], hard: &str| {
        let objects = ["api", "web", "worker"].into_iter().zip(cpus).map(|(name, cpu)| asks(name, cpu));
        World::of(objects).baseline(|b| b.isolation = isolated(json!({"quota": {"hard": {"requests.cpu": hard}}})))
    };
    let short = of(&world(["500m", "400m", "300m"], "600m"));
    assert_eq!(
        lines(&short.missing),
        ["ResourceQuota/preview-env-isolation: everything asks for 1200m of requests.cpu together, and isolation.quota gives 600m; \
            Deployment/web and Deployment/worker are left out => \
            isolation.quota.hard: {requests.cpu: \"1200m\"}, or lower clone.resources"]
    );
    let stopped: Vec<_> = short.missing[0].stops.iter().map(|w| w.name.as_str()).collect();
    assert_eq!((short.count().as_str(), stopped), ("1 of 3", vec!["web", "worker"]));
    let fork = of(&world(["500m", "400m", "300m"], "1200m").isolated());
    assert_eq!(
        lines(&fork.missing),
        ["ResourceQuota/preview-env-isolation: everything asks for 1200m of requests.cpu together, and \
            half of isolation.quota, which a change from a fork gets, is 600m; Deployment/web and Deployment/worker are left out => \
            isolation.quota.hard: {requests.cpu: \"2400m\"}, or lower clone.resources"]
    );
    let narrow = of(&world(["500m", "400m", "300m"], "1300m"));
    assert!(narrow.is_complete());
    assert_eq!(
        lines(&narrow.warnings),
        ["ResourceQuota/preview-env-isolation: an update of Deployment/api brings requests.cpu to 1700m for a while, and \
            isolation.quota gives 1300m => isolation.quota.hard: {requests.cpu: \"1700m\"}, or lower clone.resources"]
    );
}

#[test]
fn what_a_workload_mounts_and_the_quota_refuses_is_mended_by_the_quota() {
    let claim = object("v1", "PersistentVolumeClaim", "files").with("/spec/resources", json!({"requests": {"storage": "2Gi"}}));
    let volume = json!([{"name": "f", "persistentVolumeClaim": {"claimName": "files"}}]);
    let world = World::of([claim, deployment("web").with(&format!("{SPEC}/volumes"), volume)]);
    let report = of(&world.baseline(|b| b.isolation = isolated(json!({"quota": {"hard": {"requests.storage": "1Gi"}}}))));
    assert_eq!(
        lines(&report.missing),
        [
            "PersistentVolumeClaim/files: used by web; left out: asks for 2Gi of requests.storage (spec.resources), and isolation.quota \
                has 1Gi left => raise isolation.quota, or lower clone.resources",
            "ResourceQuota/preview-env-isolation: everything asks for 2Gi of requests.storage together, and isolation.quota gives 1Gi; \
                PersistentVolumeClaim/files is left out => isolation.quota.hard: {requests.storage: \"2Gi\"}",
        ]
    );
}

#[test]
fn what_is_refused_and_stops_no_workload_is_worth_knowing() {
    let spec = json!({"containers": [{"name": "c", "image": "x:1"}], "hostPID": true});
    let nightly = cron_job("nightly").with("/spec/jobTemplate/spec/template/spec", spec);
    let report = of(&World::of([nightly, deployment("web")]));
    assert!(report.is_complete());
    assert_eq!(
        lines(&report.warnings),
        ["CronJob/nightly: left out: asks for the node's processes (spec.jobTemplate.spec.template.spec.hostPID) => \
            take spec.jobTemplate.spec.template.spec.hostPID out of it, or do without it in previews"]
    );
}

#[test]
fn a_fork_s_environment_is_not_told_to_list_a_secret() {
    let world = World::of([env_from(deployment("web"), "secretRef", "db")]).missing("db").isolated();
    assert_eq!(
        lines(&of(&world).missing),
        ["Secret/db: used by web; a change from a fork gets no Secrets (trust.forks: Isolated) => have the reference say optional, \
            or trust.forks: Approve, by which a commit that somebody approved gets them"]
    );
}

fn image(name: &str, state: ImageState, reason: &str, message: &str) -> ImageStatus {
    let (name, reason, message) = (name.to_owned(), reason.to_owned(), message.to_owned());
    let since = chrono::DateTime::UNIX_EPOCH;
    ImageStatus { name, tag: "2".into(), revision: None, state, reason, message, digest: None, since, until: None }
}

#[test]
fn what_a_registry_said_of_an_image_counts_and_what_nobody_asked_does_not() {
    let migrates = json!([{"name": "m", "image": "docker.io/acme/web:1"}]);
    let objects = [
        deployment("web").image("acme/web:1"),
        deployment("api").image("acme/api:1"),
        deployment("worker").with(&format!("{SPEC}/initContainers"), migrates),
    ];
    let world = World::of(objects).branch("acme/web", "2").branch("acme/api", "2");
    let said = |image: ImageStatus| {
        let report = with(&world, &Evidence { images: vec![image], ..Evidence::default() });
        (report.count(), [lines(&report.missing), lines(&report.warnings)].concat())
    };
    let waited = "acme/web:2 is not in the registry yet; it is waited for until 27 Nov, 14:05 UTC";
    let push = "push it, or run a tag that is there: --image NAME=TAG, /preview image";
    assert_eq!(
        said(image("acme/web", ImageState::Missing, "NotFound", waited)),
        ("1 of 3".to_owned(), vec![format!("Image/acme/web:2: used by web and worker; it is not in the registry yet => {push}")])
    );
    let platform = "acme/api:2 is for linux/arm64, and the nodes are linux/amd64";
    assert_eq!(
        said(image("acme/api", ImageState::Available, "OtherPlatform", platform)),
        (
            "2 of 3".to_owned(),
            vec![
                "Image/acme/api:2: used by api; it is for linux/arm64, and the nodes are linux/amd64 => \
                build it for a platform of the nodes too"
                    .to_owned()
            ]
        )
    );
    let instead = said(image("acme/api", ImageState::Missing, "BaselineInstead", "acme/api:2 is not in the registry yet; x"));
    assert!(instead.0 == "3 of 3" && instead.1[0].contains("the baseline's image runs instead"), "{instead:?}");
    for (state, reason) in [
        (ImageState::Looking, "Looking"),
        (ImageState::Unknown, "RegistryRefuses"),
        (ImageState::Available, "Found"),
        (ImageState::Unchanged, "Unchanged"),
    ] {
        assert_eq!(said(image("acme/web", state, reason, "x")), ("3 of 3".to_owned(), vec![]), "{reason}");
    }
    assert_eq!(said(image("acme/other", ImageState::Missing, "NotFound", waited)).0, "3 of 3", "nothing runs it");
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
