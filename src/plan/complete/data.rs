//! Databases that start empty, and what filled them in the baseline and does not run here.

use serde_json::Value;

use super::{Finding, View, listed, services};
use crate::domain::ImageRef;
use crate::plan::manifest::Manifest;
use crate::plan::pods::{containers, spec_pointer, text};

/// Words in the last part of an image's name that say that it keeps data which somebody has to put there.
const DATABASES: [&str; 20] = [
    "postgres",
    "postgresql",
    "postgis",
    "timescaledb",
    "mysql",
    "mariadb",
    "percona",
    "mongo",
    "mongodb",
    "cockroach",
    "mssql",
    "cassandra",
    "scylla",
    "couchdb",
    "clickhouse",
    "influxdb",
    "neo4j",
    "elasticsearch",
    "opensearch",
    "oracle",
];
/// Where the official images look for files to fill themselves from.
const FILLS_ITSELF: &str = "/docker-entrypoint-initdb.d";
/// Words in the name, command or arguments of a container that fills a database.
const FILLERS: [&str; 8] = ["migrat", "seed", "flyway", "liquibase", "alembic", "db:setup", "schema", "fixture"];
/// Annotations that make a Job part of a deployment, with the tool that runs it.
const HOOKS: [(&str, &str); 2] =
    [("/metadata/annotations/helm.sh~1hook", "Helm"), ("/metadata/annotations/argocd.argoproj.io~1hook", "Argo CD")];

/// Warnings about data that the environment does not have.
pub(super) fn empty(view: &View<'_>) -> Vec<Finding> {
    let hooks: Vec<Finding> = jobs(view).filter_map(hook).collect();
    let filled = !view.hooks.is_empty() || view.planned.iter().any(|o| o.kind() == "Job") || view.running.iter().any(|w| fills(w));
    let databases = view.running.iter().copied().filter(|_| !filled).filter(|w| is_database(w) && !fills_itself(w));
    let databases = databases.filter(|w| starts_empty(view, w)).map(|w| database(view, w));
    hooks.into_iter().chain(databases).collect()
}

fn database(view: &View<'_>, workload: &Manifest) -> Finding {
    let users = services::users_of(view, workload);
    let users = listed(users.iter().map(String::as_str));
    let users = if users.is_empty() { users } else { format!("; used by {users}") };
    let what = format!("starts empty: nothing in the plan fills it, unless a workload does so at its start{users}");
    Finding::new(workload.name(), what).mend("hooks: [{name: seed, when: BeforeWorkloads, job: {...}}]")
}

/// Jobs that are not planned, since they ended.
fn jobs<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Manifest> {
    let jobs = view.snapshot.objects.iter().filter(|o| o.kind() == "Job");
    jobs.filter(|job| view.find("Job", &job.name().name).is_none())
}

/// A Job that ran once, when the baseline was deployed.
fn hook(job: &Manifest) -> Option<Finding> {
    let (_, tool) = HOOKS.into_iter().find(|(annotation, _)| job.text(annotation).is_some())?;
    let finding = Finding::new(job.name(), format!("ran when {tool} deployed the baseline, and does not run in a preview"));
    Some(finding.mend(format!("hooks: [{{name: {}, when: BeforeWorkloads, job: {{...}}}}], with its spec", job.name().name)))
}

fn is_database(workload: &Manifest) -> bool {
    containers(workload).filter_map(|(_, c)| text(c, "image")?.parse::<ImageRef>().ok()).any(|image| {
        let mut words = image.short_name().split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| DATABASES.contains(&word))
    })
}

/// Whether its data lie on a claim in the baseline, and nothing is copied into the one that it gets here, if it gets one.
/// Without a claim they are lost with every pod there too, so the image itself knows how to fill them.
fn starts_empty(view: &View<'_>, workload: &Manifest) -> bool {
    let (name, is_filled) =
        (workload.name(), |claim: &Value| claim.pointer("/spec/dataSource").or(claim.pointer("/spec/dataSourceRef")).is_some());
    let original = view.snapshot.objects.iter().find(|o| o.kind() == name.kind && o.text("/metadata/name") == Some(&name.name));
    let has_claim = original.is_some_and(|o| o.items("/spec/volumeClaimTemplates").next().is_some() || claims(o).next().is_some());
    let mut mounted = claims(workload).filter_map(|claim| view.find("PersistentVolumeClaim", claim)).map(Manifest::value);
    has_claim && !workload.items("/spec/volumeClaimTemplates").any(is_filled) && !mounted.any(is_filled)
}

/// The names of the claims that its pods mount.
fn claims(workload: &Manifest) -> impl Iterator<Item = &str> {
    let volumes = workload.items(&format!("{}/volumes", spec_pointer(workload)));
    volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str())
}

fn fills_itself(workload: &Manifest) -> bool {
    let mounts = |container: &Value| {
        let mut all = container.get("volumeMounts").and_then(Value::as_array).into_iter().flatten();
        all.any(|mount| text(mount, "mountPath").is_some_and(|path| path.starts_with(FILLS_ITSELF)))
    };
    containers(workload).any(|(_, container)| mounts(container))
}

fn fills(workload: &Manifest) -> bool {
    let says = |value: &Value| value.as_str().is_some_and(|text| FILLERS.iter().any(|word| text.to_lowercase().contains(word)));
    let list = |container: &Value, field: &str| container.get(field).and_then(Value::as_array).is_some_and(|all| all.iter().any(says));
    let init = workload.items(&format!("{}/initContainers", spec_pointer(workload))).any(|c| c.get("name").is_some_and(says));
    init || containers(workload).any(|(_, container)| list(container, "args") || list(container, "command"))
}
