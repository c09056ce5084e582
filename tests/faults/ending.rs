//! How things are at the end of a story, in words that are the same for each row.

use std::collections::BTreeSet;

use github_double::Repository;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, ResourceExt};
use preview_env::api::PreviewEnvironment;
use preview_env::api::conditions::{LOOKED_UP, REACHABLE};
use preview_env::api::names::LABEL_BASELINE_NAMESPACE;
use serde_json::{Value, json};
use test_world::BOT;

use crate::tale::{ENVIRONMENT, NUMBER, Tale};
use crate::words::Words;

/// What is looked at in an environment's namespace. What Kubernetes makes of it by itself is not.
const KINDS: [(&str, &str, &str); 12] = [
    ("apps", "Deployment", "deployments"),
    ("apps", "StatefulSet", "statefulsets"),
    ("", "Service", "services"),
    ("", "ConfigMap", "configmaps"),
    ("", "Secret", "secrets"),
    ("", "ServiceAccount", "serviceaccounts"),
    ("", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("", "ResourceQuota", "resourcequotas"),
    ("", "LimitRange", "limitranges"),
    ("networking.k8s.io", "Ingress", "ingresses"),
    ("networking.k8s.io", "NetworkPolicy", "networkpolicies"),
    ("rbac.authorization.k8s.io", "RoleBinding", "rolebindings"),
];
/// What a claim gets by itself.
const OF_CLAIMS: [&str; 2] = ["volumeName", "finalizers"];

/// What people and the cluster see of a story: the environment, and what the pull request shows.
pub async fn shown(tale: &Tale) -> anyhow::Result<Value> {
    let object = tale.environments().get_opt(ENVIRONMENT).await?;
    let words = words(tale, object.as_ref())?;
    let (github, repository) = (&tale.world().github, tale.world().github.repository(&tale.repository())?);
    let ours = |author: u64| github.login(author) == BOT;
    let comments: Vec<_> = github.comments(&tale.repository(), NUMBER).into_iter().filter(|c| ours(c.author)).collect();
    let is_there = object.as_ref().is_some_and(|object| object.status.as_ref().is_some_and(|s| s.phase.as_deref() != Some("Removed")));
    let strange = |body: &str| is_there || !says_that_it_ended(body);
    let comments: Vec<String> = comments.iter().map(|comment| words.text(&comment.body)).filter(|body| strange(body)).collect();
    Ok(json!({
        "environment": object.as_ref().map(|object| environment(object, &words)),
        "comments": comments,
        "forge": words.value(&forge(&repository, &tale.revision()?, is_there)),
    }))
}

/// Whether it says that there is none any more. Whether there ever was one, and hence a comment, is a matter of how soon it ended.
fn says_that_it_ended(body: &str) -> bool {
    ["### Preview removed: ", "### No preview: "].iter().any(|words| body.contains(words))
}

fn words(tale: &Tale, object: Option<&PreviewEnvironment>) -> anyhow::Result<Words> {
    let repository = tale.world().github.repository(&tale.repository())?;
    let head = tale.revision()?;
    let before = repository.records.deployments.values().map(|deployment| &deployment.sha).filter(|sha| **sha != head);
    let revisions: Vec<String> = [&head].into_iter().chain(before).cloned().collect();
    Ok(Words::new(&tale.name, &revisions, object.and_then(|object| object.metadata.uid.as_deref())))
}

/// Spec and status, and whether the status speaks of the spec.
fn environment(object: &PreviewEnvironment, words: &Words) -> Value {
    let status = object.status.clone().unwrap_or_default();
    let mut shown = json!({
        "spec": words.value(&serde_json::to_value(&object.spec).unwrap_or_default()),
        "status": words.value(&serde_json::to_value(&status).unwrap_or_default()),
        "is_current": status.observed_generation == object.metadata.generation,
        "finalizers": object.finalizers(),
    });
    let conditions = shown["status"]["conditions"].as_array().cloned().unwrap_or_default();
    // Whether somebody had to look is a matter of what was lost.
    let counts = |condition: &Value| condition["type"] != LOOKED_UP || condition["status"] != "True";
    let by_type =
        conditions.into_iter().filter(counts).map(|condition| (condition["type"].as_str().unwrap_or_default().to_owned(), condition));
    shown["status"]["conditions"] = Value::Object(by_type.collect());
    if status.phase.as_deref() == Some("Removed") {
        // So is whether it ever ran, where it ended by itself, and was asked for an answer.
        shown["status"]["revision"] = Value::Null;
        shown["status"]["probe"] = Value::Null;
        shown["status"]["conditions"][REACHABLE] = Value::Null;
    }
    // Which commits were shown on the way is a matter of how fast one was after the other.
    shown["status"]["feedback"]["deployments"] = Value::Null;
    shown
}

/// What else the pull request shows: of its head all of it, of what was before that nothing of it is left in use. The signs
/// under comments are a help that a command does not wait for.
fn forge(repository: &Repository, head: &str, is_there: bool) -> Value {
    let records = &repository.records;
    let of_head = records.deployments.values().filter(|d| d.sha == head).map(|d| d.state().map(str::to_owned));
    let in_use = records.deployments.values().filter(|d| d.sha != head && !d.is_inactive()).count();
    let before: BTreeSet<&str> = records.statuses.iter().map(|status| status.sha.as_str()).filter(|sha| *sha != head).collect();
    let going_on =
        before.into_iter().flat_map(|sha| records.combined(sha).into_values()).filter(|status| status.state == "pending").count();
    let statuses = records.combined(head).into_iter().map(|(context, status)| (context.to_owned(), status.state.clone()));
    // Of what was closed before anything was said there is no status, and of the rest a good one.
    let statuses = statuses.filter(|(_, state)| is_there || state != "success");
    let of_head = of_head.filter(|state| is_there || state.as_deref() != Some("inactive"));
    json!({
        "deployments": of_head.collect::<Vec<_>>(), "others in use": in_use,
        "statuses": statuses.collect::<Vec<_>>(), "others going on": going_on,
    })
}

/// The objects in the environment's namespace, and the namespace.
pub async fn objects(tale: &Tale) -> anyhow::Result<Value> {
    let object = tale.environments().get_opt(ENVIRONMENT).await?;
    let words = words(tale, object.as_ref())?;
    let mut all = Vec::new();
    for (group, kind, plural) in KINDS {
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural);
        let api: Api<DynamicObject> = Api::namespaced_with(tale.world().admin.clone(), &tale.namespace(), &resource);
        let there = api.list(&ListParams::default()).await?.items;
        all.extend(there.iter().map(|object| (format!("{kind}/{}", object.name_any()), essence(object, &words))));
    }
    let namespace = Api::<Namespace>::all(tale.world().admin.clone()).get_opt(&tale.namespace()).await?;
    all.extend(namespace.map(|namespace| ("Namespace".to_owned(), words.value(&json!(namespace.labels())))));
    Ok(Value::Object(all.into_iter().collect()))
}

fn essence(object: &DynamicObject, words: &Words) -> Value {
    let mut data = object.data.clone();
    if let Some(fields) = data.as_object_mut() {
        fields.remove("status");
    }
    if let Some(spec) = data.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|field, _| !OF_CLAIMS.contains(&field.as_str()));
    }
    let annotations = object.annotations().iter().filter(|(name, _)| !name.contains("kubernetes.io/"));
    let annotations: Value = annotations.map(|(name, value)| (name.clone(), json!(value))).collect::<serde_json::Map<_, _>>().into();
    words.value(&json!({"labels": object.labels(), "annotations": annotations, "data": data}))
}

/// What is left of an environment whose pull request was closed, which should be nothing.
pub async fn left(tale: &Tale) -> anyhow::Result<Vec<String>> {
    let selected = ListParams::default().labels(&format!("{LABEL_BASELINE_NAMESPACE}={}", tale.name));
    let namespaces = Api::<Namespace>::all(tale.world().admin.clone()).list_metadata(&selected).await?.items;
    let environments = tale.environments().list_metadata(&ListParams::default()).await?.items;
    let names = |of: &str, name: String| format!("{of} {name}");
    let repository = tale.world().github.repository(&tale.repository())?;
    let in_use = repository.records.deployments.values().filter(|deployment| !deployment.is_inactive());
    Ok(namespaces
        .iter()
        .map(|namespace| names("namespace", namespace.name_any()))
        .chain(environments.iter().map(|environment| names("environment", environment.name_any())))
        .chain(in_use.map(|deployment| names("deployment", deployment.environment.clone())))
        .collect())
}
