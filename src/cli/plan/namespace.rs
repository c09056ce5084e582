//! `--from-namespace`: a copy of a namespace that is no baseline yet.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::read::{Reading, read, stand_in};
use super::text::{About, Shown};
use super::{PlanArgs, answer, is_complete, objects, style};
use crate::cli::Global;
use crate::cli::cluster::Cluster;
use crate::cli::draft::{Draft, Needed};
use crate::cli::errors::{Exit, Failure};
use crate::cli::output::{Format, document, note, print, write_file};
use crate::domain::baseline::{Repository, is_secret_name};
use crate::domain::names::{Identity, Subject, namespace_names};
use crate::domain::{Baseline, EnvironmentName};
use crate::plan::complete::{Report, report};
use crate::plan::{Decision, Plan, ResolvedImages, Snapshot, Target, plan};

/// Runs it.
pub async fn run(global: &Global, args: &PlanArgs, name: &str) -> Result<Exit, Failure> {
    let cluster = Cluster::connect(global).await?;
    let reading = read(&cluster, name, &[], &[]).await?;
    let copied = Copied::of(name, reading)?;
    if copied.is_empty() {
        return Err(Failure::failed(format!("namespace {name} holds nothing that could be copied")).next("name another one"));
    }
    if let Some(path) = &args.write_baseline {
        write_file(path, &copied.yaml(), false).map_err(|failure| failure.next("name a file that is not there yet"))?;
        note(&format!("wrote {}; look at its comments, then: kubectl apply -f {}", path.display(), path.display()));
    }
    print(&copied.render(global.output, args.all)?)?;
    Ok(answer(is_complete(&copied.plan, &copied.report)))
}

/// What a copy would be.
pub struct Copied {
    /// The namespace.
    pub name: String,
    /// The repository whose first pull request is planned.
    pub first: String,
    /// The Baseline that it is planned with.
    pub draft: Draft,
    /// The plan, without any Secret.
    pub plan: Plan,
    report: Report,
    /// How complete it would be once every Secret that it needs is listed.
    pub with_secrets: Report,
    /// What may not be listed.
    pub unread: Vec<String>,
}

impl Copied {
    fn of(name: &str, reading: Reading) -> Result<Self, Failure> {
        let draft = Draft::of(name, &reading.snapshot.objects);
        Self::drafted(name, reading, draft)
    }

    /// Plans with that draft.
    pub fn drafted(name: &str, reading: Reading, draft: Draft) -> Result<Self, Failure> {
        let Reading { mut snapshot, evidence, unread, .. } = reading;
        let baseline = draft.baseline().map_err(|why| {
            Failure::failed(format!("cannot draft a Baseline for {name}: {why}"))
                .next("write one by hand: examples/quickstart/baseline.yaml")
        })?;
        let plan = copy(&snapshot, &baseline);
        let now = report(&snapshot, &plan, &evidence);
        let secrets = needed(&now);
        snapshot.objects.extend(secrets.iter().map(|secret| stand_in(&secret.name)));
        let with_secrets = report(&snapshot, &copy(&snapshot, &baseline), &evidence);
        let first = first(&baseline).map(|r| r.name.to_string()).unwrap_or_default();
        Ok(Self { name: name.to_owned(), first, draft, plan, report: now, with_secrets, unread })
    }

    /// Whether nothing of the namespace would be copied: what every namespace has, and what is added, is no copy.
    pub fn is_empty(&self) -> bool {
        self.plan.decisions.iter().all(|decision| decision.is_left_out() || matches!(decision, Decision::Added { .. }))
    }

    /// The Secrets that workloads need.
    pub fn needed(&self) -> Vec<Needed> {
        needed(&self.report)
    }

    fn yaml(&self) -> String {
        self.draft.yaml(&self.needed())
    }

    fn render(&self, format: Format, all: bool) -> Result<String, Failure> {
        let draft = self.yaml();
        Ok(match format {
            Format::Yaml => objects::yaml(&self.plan)?,
            Format::Json => document(format, &objects::whole(&self.plan, &self.report, self.more(&draft)))?,
            Format::Name => objects::names(&self.plan),
            Format::Url => self.plan.urls.iter().map(|u| u.url.clone() + "\n").collect(),
            Format::Table | Format::Wide => {
                let with_secrets = (self.with_secrets.would_start.len(), self.needed().len());
                let about = About::Namespace { name: &self.name, first: &self.first, with_secrets, draft: &draft };
                let notes = [format!(
                    "Nothing was changed, and no Secret was read. What a pull request builds runs in its own version. \
                     Every object: preview plan --from-namespace {} --all",
                    self.name
                )];
                let shown = Shown { about, plan: &self.plan, report: &self.report, unread: &self.unread, notes: &notes, all };
                shown.render(style())
            }
        })
    }

    fn more(&self, draft: &str) -> Map<String, Value> {
        let secrets: Vec<Value> = self.needed().iter().map(|s| json!({"name": s.name, "users": s.users})).collect();
        let more = json!({
            "namespace": self.name,
            "secretsNeeded": secrets,
            "notLookedAt": self.unread,
            "baseline": draft,
        });
        more.as_object().cloned().unwrap_or_default()
    }
}

/// The repository to show a first pull request of: one that builds what people look at, where a name says so.
fn first(baseline: &Baseline) -> Option<&Repository> {
    baseline.repositories.iter().find(|r| is_looked_at(&r.alias)).or(baseline.repositories.first())
}

/// Whether a name is that of what people look at.
pub fn is_looked_at(name: &str) -> bool {
    ["web", "frontend", "front-end", "ui", "www"].contains(&name)
}

/// The plan of a first environment, running what the namespace runs.
fn copy(snapshot: &Snapshot, baseline: &Baseline) -> Plan {
    let subject = Subject::Pull(1);
    let Some(repository) = first(baseline) else { return Plan::default() };
    let environment = EnvironmentName::of(&Identity {
        forge: repository.forge,
        repository: &repository.name,
        alias: &repository.alias,
        subject: &subject,
        baseline_namespace: &baseline.namespace,
    });
    let (none, namespace) = (HashSet::new(), namespace_names(&baseline.namespace, &environment).preferred);
    let target = Target {
        environment: &environment,
        uid: super::environment::NO_UID,
        namespace: &namespace,
        baseline,
        isolated: false,
        source: None,
        seed: None,
        held_hosts: &none,
        recorded_hosts: &none,
        run: "",
    };
    plan(snapshot, &target, &ResolvedImages::default())
}

/// The Secrets that workloads need and that are not listed. A name that no Secret can have is none to list.
fn needed(report: &Report) -> Vec<Needed> {
    let secrets = report.missing.iter().filter(|f| f.object.kind == "Secret" && is_secret_name(&f.object.name));
    let users = |stops: &[crate::plan::ObjectName]| stops.iter().map(|w| w.name.as_str()).collect::<Vec<_>>().join(", ");
    secrets.map(|f| Needed { name: f.object.name.clone(), users: format!("used by {}", users(&f.stops)) }).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
pub(crate) mod tests;
