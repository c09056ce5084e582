//! `preview init`: a Baseline for a namespace, with comments, by looking at what it holds, and the rights that go with it.
//!
//! It looks with the user's own rights, changes nothing, and reads no Secret. What it holds is read, planned and guessed by
//! what `preview plan --from-namespace` does that with.

mod often;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::Global;
use super::cluster::Cluster;
use super::draft::Draft;
use super::errors::{Asked, Failure};
use super::git::Git;
use super::output::{Format, document, note, print, write_file};
use super::plan::namespace::Copied;
use super::plan::read::{Reading, read};
use super::plan::rights::{self, SERVICE_NAMESPACE};
use crate::api;
use crate::api::names::{LABEL_BASELINE_NAMESPACE, LABEL_ENVIRONMENT};
use crate::domain::slug::is_dns_label;
use crate::domain::{Baseline, RepoName};
use crate::plan::{Manifest, images_of};

/// The schema's limit for `hosts.domain`.
const DOMAIN_MAX: usize = 190;
/// What runs pods for as long as a system is there.
const WORKLOADS: [&str; 3] = ["deployments", "statefulsets", "daemonsets"];

/// Flags of `preview init`.
#[derive(Args, Debug)]
#[command(after_help = "It changes nothing in the cluster. What it cannot know stands in the file as a comment.

Examples:
  preview init -n shop
  preview init -n shop -f shop.yaml
  preview init -n shop --repo acme/web --repo acme/api --domain preview.example.com -f shop.yaml
  kubectl apply -f shop.yaml                        # as whoever administers the namespace")]
pub struct InitArgs {
    /// Write a new file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Write the file also where there is one of that name
    #[arg(long, requires = "file")]
    pub force: bool,
    /// A repository that builds images of the namespace; repeat it for more [default: guessed]
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo: Vec<RepoName>,
    /// The domain under which environments are reached [default: guessed]
    #[arg(long, value_name = "DOMAIN", value_parser = parse_domain)]
    pub domain: Option<String>,
    /// The namespace that the service runs in, whose account gets the rights
    #[arg(long, value_name = "NAMESPACE", default_value = SERVICE_NAMESPACE)]
    pub service_namespace: String,
}

fn parse_domain(text: &str) -> Result<String, String> {
    let domain = text.trim_start_matches("*.").to_ascii_lowercase();
    let is_domain = domain.len() <= DOMAIN_MAX && domain.split('.').all(is_dns_label);
    is_domain.then_some(domain).ok_or_else(|| "write it like preview.example.com, without https://".to_owned())
}

/// Runs the command.
pub async fn run(global: &Global, args: InitArgs) -> Result<(), Failure> {
    let cluster = Cluster::connect(global).await?;
    let namespace = cluster.namespace.clone();
    let reading = read(&cluster, &namespace, &[], &[]).await?;
    refuse_copies(&namespace, &reading.snapshot.objects)?;
    let draft = drafted(&namespace, &reading, &args).await;
    let copied = Copied::drafted(&namespace, reading, draft)?;
    refuse_nothing(&namespace, &copied)?;
    let there = baselines(&cluster).await?;
    let file = written(&copied, &there, &args.service_namespace)?;
    let text = shown(global.output, &file, &copied)?;
    if let Some(other) = there.first() {
        note(&format!("namespace {namespace} has the Baseline {other} already, and may have one: change that, or delete it first"));
    }
    let Some(path) = &args.file else { return print(&text) };
    write_file(path, &text, args.force).map_err(|failure| taken(failure, path))?;
    note(&format!("wrote {0}; look at its comments, then: kubectl apply -f {0}", path.display()));
    Ok(())
}

async fn drafted(namespace: &str, reading: &Reading, args: &InitArgs) -> Draft {
    let mut draft = Draft::of(namespace, &reading.snapshot.objects);
    if !args.repo.is_empty() {
        draft = draft.built_by(&args.repo);
    } else if let Some(here) = checked_out().await {
        draft = draft.from_checkout(&here);
    }
    match &args.domain {
        Some(domain) => draft.under(domain),
        None => draft,
    }
}

/// The repository of the git checkout, if there is one here.
async fn checked_out() -> Option<RepoName> {
    let checkout = Git::at(".").checkout().await.ok().flatten()?;
    checkout.remotes.into_iter().find_map(|remote| remote.repository)
}

/// The names of the Baselines that the namespace has. Who may not list them is told when they apply one.
async fn baselines(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let api: Api<api::Baseline> = Api::namespaced(cluster.client(), &cluster.namespace);
    let asked = Asked { verb: "list", resource: "baselines", namespace: Some(&cluster.namespace) };
    let list = cluster.may_ask(asked, async { api.list_metadata(&ListParams::default()).await }).await?;
    Ok(list.map(|list| list.items.iter().map(ResourceExt::name_any).collect()).unwrap_or_default())
}

/// The namespace of an environment is a copy, and no baseline: all that runs there is of one environment.
fn refuse_copies(namespace: &str, objects: &[Manifest]) -> Result<(), Failure> {
    let label = |object: &Manifest, label: &str| {
        let labels = object.get("/metadata/labels").and_then(Value::as_object);
        labels.and_then(|labels| labels.get(label)).and_then(Value::as_str).map(str::to_owned)
    };
    let running = objects.iter().filter(|object| images_of(object).next().is_some());
    let of: BTreeSet<_> = running.map(|object| (label(object, LABEL_ENVIRONMENT), label(object, LABEL_BASELINE_NAMESPACE))).collect();
    let (Some((Some(environment), Some(baseline))), 1) = (of.first(), of.len()) else { return Ok(()) };
    Err(Failure::failed(format!("namespace {namespace} is that of the environment {environment}, a copy of {baseline}"))
        .next(format!("write a Baseline for what it is a copy of: preview init -n {baseline}")))
}

fn refuse_nothing(namespace: &str, copied: &Copied) -> Result<(), Failure> {
    if copied.with_secrets.workloads() > 0 {
        return Ok(());
    }
    let unread: Vec<&str> = WORKLOADS.into_iter().filter(|kind| copied.unread.iter().any(|unread| unread == kind)).collect();
    Err(match (unread.as_slice(), copied.is_empty()) {
        ([], true) => Failure::failed(format!("namespace {namespace} holds nothing that could be copied"))
            .next("name the namespace that is to be copied: -n NAMESPACE")
            .next("see what there is: kubectl get namespaces"),
        ([], false) => Failure::failed(format!("namespace {namespace} runs nothing: it holds no Deployment, StatefulSet or DaemonSet"))
            .next("deploy the system there first, or name another namespace: -n NAMESPACE"),
        (kinds, _) => {
            Failure::failed(format!("you may not list {} in namespace {namespace}, so nothing says what it runs", kinds.join(", ")))
                .next(format!("ask whoever runs it for the role view there: kubectl create rolebinding -n {namespace} ..."))
        }
    })
}

fn taken(failure: Failure, path: &Path) -> Failure {
    if path.exists() { failure.next("name a file that is not there yet, or replace it: --force") } else { failure }
}

/// What the command writes.
struct Written {
    /// All of it.
    yaml: String,
    /// The same as objects.
    objects: Vec<Value>,
}

/// The Baseline as text, and the rights for exactly what that says.
fn written(copied: &Copied, there: &[String], service: &str) -> Result<Written, Failure> {
    let name = &copied.name;
    let unwritable = |why: String| {
        Failure::failed(format!("cannot write a Baseline for {name}: {why}")).next("write one by hand: examples/quickstart/baseline.yaml")
    };
    let mut yaml = text::baseline(copied, there);
    let read: Value = serde_saphyr::from_str(&yaml).map_err(|why| unwritable(why.to_string()))?;
    let object: api::Baseline = serde_json::from_value(read.clone()).map_err(|why| unwritable(why.to_string()))?;
    let baseline = Baseline::try_from(&object).map_err(|why| unwritable(why.to_string()))?;
    yaml.push('\n');
    yaml.push_str(&text::about_rights(!baseline.secrets.is_empty()));
    yaml.push_str(&rights::text(&baseline, service)?);
    let objects = [vec![read], rights::objects(&baseline, service)?].concat();
    Ok(Written { yaml, objects })
}

fn shown(format: Format, file: &Written, copied: &Copied) -> Result<String, Failure> {
    let name = |object: &Value| {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let group = text("/apiVersion").split_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
        format!("{}{group}/{}\n", text("/kind").to_lowercase(), text("/metadata/name"))
    };
    Ok(match format {
        Format::Table | Format::Wide | Format::Yaml => file.yaml.clone(),
        Format::Json => document(format, &json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": file.objects}))?,
        Format::Name => file.objects.iter().map(name).collect(),
        Format::Url => copied.plan.urls.iter().map(|u| u.url.clone() + "\n").collect(),
    })
}

#[cfg(test)]
mod tests;
