//! The chart from its first version on: installed, upgraded, uninstalled and installed again, in a namespace that is not the usual
//! one, on a control plane of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, ListParams, PostParams};
use kube::discovery::{Discovery, verbs};
use kube::{Api, Client, ResourceExt};
use preview_env::api::{Baseline, PreviewEnvironment, PreviewPolicy};
use serde_json::json;
use test_cluster::Cluster;
use test_world::deadline;

use crate::helm::{Helm, chart};

const NAMESPACE: &str = "previews";
const VALUES: [&str; 2] = ["--set", "image.repository=registry.example.com/preview,domain=preview.example.com"];
/// What goes and comes by itself.
const PASSING: [&str; 4] = ["Event", "Lease", "EndpointSlice", "Endpoints"];

/// Copies a folder with what its links lead to.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() { copy(&path, &target)? } else { std::fs::copy(&path, &target).map(drop)? }
    }
    Ok(())
}

/// The chart as its version before, packaged: of another number, and with a definition that lacks a short name.
fn version_before(helm: &Helm, folder: &Path) -> Result<String> {
    let source = folder.join("preview-env");
    copy(&chart::folder(), &source)?;
    let edit = |name: &str, old: &str, new: &str| -> Result<()> {
        let text = std::fs::read_to_string(source.join(name))?;
        anyhow::ensure!(text.contains(old), "{name} has no {old:?}");
        Ok(std::fs::write(source.join(name), text.replace(old, new))?)
    };
    edit("Chart.yaml", &format!("ersion: {}", env!("CARGO_PKG_VERSION")), "ersion: 0.0.1")?;
    edit("files/crds.yaml", "    shortNames:\n    - ppol\n", "")?;
    helm.must(&["package", &source.display().to_string(), "--destination", &folder.display().to_string()])?;
    Ok(folder.join("preview-env-0.0.1.tgz").display().to_string())
}

/// Everything that there is, as `Kind namespace/name`, but for what goes and comes by itself.
async fn everything(client: &Client) -> Result<BTreeSet<String>> {
    let discovery = Discovery::new(client.clone()).run().await?;
    let mut all = BTreeSet::new();
    for (resource, capabilities) in discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources) {
        if !capabilities.supports_operation(verbs::LIST) || PASSING.contains(&resource.kind.as_str()) {
            continue;
        }
        let objects = Api::<DynamicObject>::all_with(client.clone(), &resource).list_metadata(&ListParams::default()).await;
        let objects = objects.with_context(|| format!("cannot list {}", resource.plural))?;
        all.extend(objects.iter().map(|o| format!("{} {}/{}", resource.kind, o.namespace().unwrap_or_default(), o.name_any())));
    }
    Ok(all)
}

async fn short_names(client: &Client) -> Result<Option<Vec<String>>> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    Ok(definitions.get("previewpolicies.preview-env.dev").await?.spec.names.short_names)
}

/// Makes a baseline with an environment, as people do.
async fn use_it(client: &Client) -> Result<()> {
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": "shop"}}))?;
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await?;
    let spec = json!({"repositories": [{"name": "acme/web"}]});
    let baseline = Baseline::new("shop", serde_json::from_value(spec)?);
    Api::namespaced(client.clone(), "shop").create(&PostParams::default(), &baseline).await?;
    let environment = PreviewEnvironment::new("web-pr-1", serde_json::from_value(json!({"baseline": "shop"}))?);
    Api::namespaced(client.clone(), "shop").create(&PostParams::default(), &environment).await?;
    Ok(())
}

/// Asks as the service for a namespace that is none of an environment, until the policy that forbids it is in force. Nothing
/// that could be watched says so.
async fn is_held_to_environments(cluster: &Cluster) -> Result<()> {
    let service = cluster.service_account_client(NAMESPACE, "preview-env").await?;
    let namespaces: Api<Namespace> = Api::all(service);
    let only_asked = PostParams { dry_run: true, ..PostParams::default() };
    let strange: Namespace = serde_json::from_value(json!({"metadata": {"name": "strange"}}))?;
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let asking = async {
        loop {
            ticks.tick().await;
            match namespaces.create(&only_asked, &strange).await {
                Err(kube::Error::Api(status)) if status.message.contains("only namespaces that carry its labels") => return anyhow::Ok(()),
                Err(kube::Error::Api(status)) if status.code != 403 => anyhow::bail!("{}", status.message),
                _ => {}
            }
        }
    };
    tokio::time::timeout(deadline(), asking).await.context("the policy is not in force")??;
    let labels = json!({"app.kubernetes.io/managed-by": "preview-env", "preview-env.dev/environment-uid": "1",
        "preview-env.dev/baseline-namespace": "shop", "pod-security.kubernetes.io/enforce": "baseline"});
    let own: Namespace = serde_json::from_value(json!({"metadata": {"name": "shop-web-pr-1", "labels": labels}}))?;
    namespaces.create(&only_asked, &own).await.context("its own namespaces are the service's to make")?;
    Ok(())
}

/// How many bytes Helm keeps of each version, where a Secret may have a million.
async fn largest_record(client: &Client) -> Result<usize> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let records = secrets.list(&ListParams::default().labels("owner=helm")).await?;
    let sizes = records.iter().flat_map(|s| s.data.iter().flatten()).map(|(_, value)| value.0.len());
    sizes.max().context("Helm keeps nothing")
}

/// What Helm is told of every version.
fn release<'a>(verb: &'a str, chart: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[verb, "preview-env", chart, "--namespace", NAMESPACE, "--wait", "--timeout", "3m"], &VALUES[..], more].concat()
}

/// What has to be the same throughout: the ceiling, and what people made.
#[derive(Debug, PartialEq)]
struct Kept {
    policy: Option<String>,
    environment: (Option<String>, Option<String>),
}

async fn kept(client: &Client) -> Result<Kept> {
    let policy = Api::<PreviewPolicy>::all(client.clone()).get("preview-env").await?;
    assert_eq!(policy.spec.domains.as_deref(), Some(&["preview.example.com".to_owned()][..]));
    let environment = Api::<PreviewEnvironment>::namespaced(client.clone(), "shop").get("web-pr-1").await?;
    Ok(Kept { policy: policy.uid(), environment: (environment.uid(), environment.resource_version()) })
}

const PEOPLE_MADE: [&str; 15] = [
    "APIService /v1alpha1.preview-env.dev",
    "Baseline shop/shop",
    "ClusterRole /preview-env:baseline-reader",
    "ClusterRole /preview-env:environment",
    "ConfigMap previews/kube-root-ca.crt",
    "ConfigMap shop/kube-root-ca.crt",
    "CustomResourceDefinition /baselines.preview-env.dev",
    "CustomResourceDefinition /previewenvironments.preview-env.dev",
    "CustomResourceDefinition /previewpolicies.preview-env.dev",
    "Namespace /previews",
    "Namespace /shop",
    "PreviewEnvironment shop/web-pr-1",
    "PreviewPolicy /preview-env",
    "ServiceAccount previews/default",
    "ServiceAccount shop/default",
];

#[tokio::test]
async fn it_is_installed_upgraded_and_uninstalled_and_what_people_made_stays() -> Result<()> {
    let cluster = Cluster::start(test_cluster::Options::default()).await?;
    let admin = cluster.admin_client().await?;
    let helm = Helm::on(&cluster)?;
    let folder = tempfile::tempdir()?;
    let (before, now) = (version_before(&helm, folder.path())?, chart());
    let at_first = everything(&admin).await?;

    helm.must(&release("install", &before, &["--create-namespace"]))?;
    assert_eq!(short_names(&admin).await?, None);
    is_held_to_environments(&cluster).await?;
    use_it(&admin).await?;
    let made = kept(&admin).await?;

    helm.must(&release("upgrade", &now, &[]))?;
    assert_eq!(short_names(&admin).await?, Some(vec!["ppol".to_owned()]));
    assert_eq!(kept(&admin).await?, made);
    let manifest = helm.must(&["get", "manifest", "preview-env", "--namespace", NAMESPACE])?;
    assert!(manifest.contains("kind: PreviewPolicy"), "from then on the policy is an object like any other");
    let size = largest_record(&admin).await?;
    assert!(size < 300_000, "Helm keeps {size} bytes of a version, and a Secret has room for a million");

    helm.must(&["rollback", "preview-env", "1", "--namespace", NAMESPACE, "--wait"])?;
    assert_eq!(short_names(&admin).await?, None);
    assert_eq!(kept(&admin).await?, made);

    helm.must(&release("upgrade", &now, &[]))?;
    helm.must(&["uninstall", "preview-env", "--namespace", NAMESPACE, "--wait"])?;
    assert_eq!(left(&admin, &at_first).await?, PEOPLE_MADE);

    helm.must(&release("install", &now, &[]))?;
    assert_eq!(kept(&admin).await?, made);
    Ok(())
}

/// Who applied deploy/ by hand and goes over to the chart.
#[tokio::test]
async fn it_takes_over_what_was_applied_by_hand() -> Result<()> {
    let cluster = Cluster::start(test_cluster::Options::default()).await?;
    let admin = cluster.admin_client().await?;
    test_world::install(&admin).await?;
    for object in test_world::read(&std::fs::read_to_string(test_world::root().join("deploy/service.yaml"))?)? {
        test_world::apply(&admin, &object, None).await?;
    }
    use_it(&admin).await?;
    let deployments: Api<Deployment> = Api::namespaced(admin.clone(), "preview-env");
    let by_hand = deployments.get("preview-env").await?.uid();

    let helm = Helm::on(&cluster)?;
    let now = chart();
    let install = [&["install", "preview-env", &now, "--namespace", "preview-env"], &VALUES[..]].concat();
    let refusal = helm.run(&install)?.expect_err("it is not Helm's");
    assert!(refusal.contains("cannot be imported into the current release"), "{refusal}");
    helm.must(&[&install[..], &["--take-ownership", "--force-conflicts", "--wait", "--timeout", "3m"]].concat())?;
    assert_eq!(deployments.get("preview-env").await?.uid(), by_hand);
    kept(&admin).await.map(drop)
}

/// What there is and was not at first, once what the garbage collector takes is gone. Nothing says when it has taken all.
async fn left(client: &Client, at_first: &BTreeSet<String>) -> Result<Vec<String>> {
    let mut ticks = tokio::time::interval(Duration::from_millis(250));
    let looking = async {
        loop {
            ticks.tick().await;
            let now = everything(client).await?;
            let of_deployment = |name: &&String| name.starts_with("Pod ") || name.starts_with("ReplicaSet ");
            if !now.difference(at_first).any(|name| of_deployment(&name)) {
                return anyhow::Ok(now.difference(at_first).cloned().collect());
            }
        }
    };
    tokio::time::timeout(deadline(), looking).await.context("its pods do not go")?
}
