//! The plan of one environment: of one that is there, or of one that a pull request or branch would get.

use std::collections::HashSet;

use chrono::Utc;
use kube::ResourceExt;
use serde_json::json;

use super::read::{Reading, read};
use super::text::{About, Shown};
use super::{PlanArgs, answer, is_complete, objects, running, style};
use crate::api::{PreviewEnvironment, SourceState};
use crate::cli::Global;
use crate::cli::cluster::Cluster;
use crate::cli::create::images;
use crate::cli::errors::{Exit, Failure};
use crate::cli::find::Which;
use crate::cli::git::Git;
use crate::cli::output::{Format, document, note, print};
use crate::cli::target::{self, Wanted, choose};
use crate::controller::resolve::{known, resolve};
use crate::domain::names::{Identity, Subject, namespace_names};
use crate::domain::{Baseline, Environment, EnvironmentName, Seed};
use crate::plan::complete::{Evidence, Report, report};
use crate::plan::{Plan, Target, plan};

/// Stands for the UID of an environment that is not there yet.
pub const NO_UID: &str = "00000000-0000-0000-0000-000000000000";
/// Stands for a commit that only the forge knows.
const NO_REVISION: &str = "0000000000000000000000000000000000000000";

/// Runs it.
pub async fn run(global: &Global, args: &PlanArgs) -> Result<Exit, Failure> {
    let cluster = Cluster::connect(global).await?;
    let wanted = Wished::of(&cluster, args).await?;
    let planned = wanted.plan(&cluster).await?;
    if args.diff {
        return planned.diff(&cluster).await;
    }
    for name in &planned.reading.closed_secrets {
        note(&format!("you may not read Secret/{name}: its keys and values are missing here"));
    }
    print(&planned.render(global.output, args.all)?)?;
    Ok(answer(is_complete(&planned.plan, &planned.report)))
}

/// The environment that is meant, there or not.
struct Wished {
    baseline: Baseline,
    object: PreviewEnvironment,
    is_there: bool,
    /// Hosts of other environments.
    held_hosts: HashSet<String>,
    notes: Vec<String>,
}

impl Wished {
    async fn of(cluster: &Cluster, args: &PlanArgs) -> Result<Self, Failure> {
        let mut wished = if args.name.is_some() { Self::named(cluster, args).await? } else { Self::chosen(cluster, args).await? };
        let asked = images(&wished.baseline, &args.image)?;
        if !asked.is_empty() {
            wished.object.spec.images = asked;
        }
        if let (Some(revision), Some(source)) = (&args.revision, wished.object.spec.sources.first_mut()) {
            source.revision = revision.to_string();
        }
        Ok(wished)
    }

    async fn named(cluster: &Cluster, args: &PlanArgs) -> Result<Self, Failure> {
        let all = cluster.environments().await?;
        let which = Which { name: args.name.clone(), pull: None, branch: None, repo: None };
        let object = which.find(cluster).await?;
        let baseline = target::usable(&cluster.namespace, &cluster.baselines().await?, Some(&object.spec.baseline))?.remove(0);
        let held_hosts = held(&all, &object);
        Ok(Self { baseline, object, is_there: true, held_hosts, notes: Vec::new() })
    }

    /// By the flags, else by the git checkout. Who may not see environments gets the plan of a new one.
    async fn chosen(cluster: &Cluster, args: &PlanArgs) -> Result<Self, Failure> {
        let subject = args.pull.map(Subject::Pull).or(args.branch.clone().map(Subject::Branch));
        let wanted = Wanted { baseline: args.baseline.clone(), repository: args.repo.clone(), subject };
        let target = choose(cluster, &Git::at("."), &wanted).await?;
        let name = name_of(&target);
        let all = cluster.environments().await.unwrap_or_default();
        let there = all.iter().find(|e| e.name_any() == name.as_str()).cloned();
        let mut notes = Vec::new();
        let is_there = there.is_some();
        let object = if let Some(object) = there {
            object
        } else {
            if args.revision.is_none() {
                notes.push(format!("{name} is not there yet, and its commit not known here: zeros stand for it. Name one with --revision"));
            }
            new(&target, &name)?
        };
        let held_hosts = held(&all, &object);
        Ok(Self { baseline: target.baseline, object, is_there, held_hosts, notes })
    }

    async fn plan(self, cluster: &Cluster) -> Result<Planned, Failure> {
        let Self { baseline, object, is_there, held_hosts, notes } = self;
        let environment =
            Environment::try_from(&object).map_err(|why| Failure::failed(format!("{} cannot be used: {why}", object.name_any())))?;
        let reading = read(cluster, &baseline.namespace, &baseline.secrets, &baseline.selection.custom_resources).await?;
        let status = object.status.clone().unwrap_or_default();
        let images =
            resolve(&environment, &baseline, &status.images).and_then(|i| Ok((i, known(&environment, &baseline, &status.images)?)));
        let (resolved, images) = images.map_err(|why| Failure::failed(format!("cannot name the images: {why}")))?;
        let namespace = status.namespace.unwrap_or_else(|| namespace_names(&baseline.namespace, &environment.name).preferred);
        let recorded_hosts: HashSet<String> = status.urls.iter().map(|u| u.host.clone()).collect();
        // The service has a seed of its own, which nobody else sees: what it generates is another text.
        let seed = Seed::for_show();
        let run = environment.hook_run();
        let target = Target {
            environment: &environment.name,
            uid: &environment.uid,
            namespace: &namespace,
            baseline: &baseline,
            isolated: environment.is_isolated(&baseline),
            source: environment.main_source(),
            seed: Some(&seed),
            held_hosts: &held_hosts,
            recorded_hosts: &recorded_hosts,
            run: &run,
        };
        let plan = plan(&reading.snapshot, &target, &resolved);
        let report = report(&reading.snapshot, &plan, &Evidence { images, ..reading.evidence.clone() });
        Ok(Planned { object, is_there, namespace, plan, report, reading, notes })
    }
}

fn name_of(target: &target::Target) -> EnvironmentName {
    EnvironmentName::of(&Identity {
        forge: target.repository.forge,
        repository: &target.repository.name,
        alias: &target.repository.alias,
        subject: &target.subject,
        baseline_namespace: &target.baseline.namespace,
    })
}

/// The hosts that others than this environment have.
fn held(all: &[PreviewEnvironment], object: &PreviewEnvironment) -> HashSet<String> {
    let others = all.iter().filter(|e| e.name_any() != object.name_any());
    others.filter_map(|e| e.status.as_ref()).flat_map(|s| &s.urls).map(|u| u.host.clone()).collect()
}

/// The environment as the service would record it.
fn new(target: &target::Target, name: &EnvironmentName) -> Result<PreviewEnvironment, Failure> {
    let (pull, branch) = match &target.subject {
        Subject::Pull(number) => (Some(*number), None),
        Subject::Branch(name) => (None, Some(name.clone())),
    };
    let spec = json!({"baseline": target.baseline.name, "sources": [{
        "forge": target.repository.forge, "repositoryId": 1, "headRepositoryId": 1, "repository": target.repository.name.to_string(),
        "pull": pull, "branch": branch, "state": SourceState::Open, "revision": NO_REVISION, "observedAt": Utc::now()}]});
    let spec = serde_json::from_value(spec).map_err(|why| Failure::failed(format!("cannot plan {name}: {why}")))?;
    let mut object = PreviewEnvironment::new(name.as_str(), spec);
    object.metadata.namespace = Some(target.baseline.namespace.clone());
    object.metadata.uid = Some(NO_UID.to_owned());
    Ok(object)
}

/// A plan and everything that is told with it.
struct Planned {
    object: PreviewEnvironment,
    is_there: bool,
    namespace: String,
    plan: Plan,
    report: Report,
    reading: Reading,
    notes: Vec<String>,
}

impl Planned {
    fn render(&self, format: Format, all: bool) -> Result<String, Failure> {
        Ok(match format {
            Format::Yaml => {
                if self.plan.stages.iter().flatten().any(|p| p.manifest.kind() == "Secret") {
                    note("# values of Secrets are shown as digests; everything else is what is applied, to the byte");
                }
                objects::yaml(&self.plan)?
            }
            Format::Json => {
                let more = json!({"environment": self.object.name_any(), "namespace": self.namespace, "exists": self.is_there,
                    "notLookedAt": self.reading.unread});
                document(format, &objects::whole(&self.plan, &self.report, more.as_object().cloned().unwrap_or_default()))?
            }
            Format::Name => objects::names(&self.plan),
            Format::Url => self.plan.urls.iter().map(|u| u.url.clone() + "\n").collect(),
            Format::Table | Format::Wide => {
                let (name, baseline) = (self.object.name_any(), self.object.namespace().unwrap_or_default());
                let about = About::Environment { name: &name, namespace: &self.namespace, baseline: &baseline };
                let shown = Shown { about, plan: &self.plan, report: &self.report, unread: &self.reading.unread, notes: &self.notes, all };
                shown.render(style())
            }
        })
    }

    async fn diff(&self, cluster: &Cluster) -> Result<Exit, Failure> {
        if !self.is_there || self.object.status.as_ref().and_then(|s| s.namespace.as_ref()).is_none() {
            let name = self.object.name_any();
            return Err(Failure::new(Exit::NotFound, format!("{name} is not there, so there is nothing to compare with"))
                .next(format!("see what it would be: {} without --diff", "preview plan")));
        }
        let live = running::Running { cluster, namespace: &self.namespace, reading: &self.reading };
        let text = live.diff(&self.object, &self.plan, style()).await?;
        print(&text)?;
        Ok(answer(text.is_empty()))
    }
}
