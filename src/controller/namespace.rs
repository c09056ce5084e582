//! The namespace of an environment: which name, made by POST, and the rights that the service gets inside it.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

use super::Context;
use super::orphans::made_for;
use super::requests::{self, RequestError};
use crate::api::baseline::isolation::NamespaceMarks;
use crate::api::names::{
    ANNOTATION_SOURCES, CLUSTER_ROLE_ENVIRONMENT, LABEL_BASELINE_NAMESPACE, LABEL_ENVIRONMENT, LABEL_ENVIRONMENT_UID, LABEL_MANAGED_BY,
    LABEL_TRUST, MANAGED_BY, POD_SECURITY_MODES, POD_SECURITY_PREFIX, ROLE_BINDING, TRUST_ISOLATED,
};
use crate::domain::Environment;
use crate::domain::names::namespace_names;
use crate::plan::admission;

/// How making a namespace ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NamespaceOutcome {
    /// It is there and ours.
    Ours,
    /// It is ours, or was, and is still going away.
    Terminating,
    /// Somebody else holds that name.
    Foreign,
    /// It is not there, and what was applied to it is gone with it.
    Gone,
}

/// Which namespace an environment gets.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether nobody approved what runs in it.
    pub isolated: bool,
    /// Whether something was applied to it already. A new one of that name would hold none of it, nor any rights, so it is
    /// not made before that is recorded.
    pub in_use: bool,
}

/// The names to try, in order: what is recorded, what is wanted, what nobody else would choose.
pub fn candidates(environment: &Environment, recorded: Option<&str>) -> Vec<String> {
    let names = namespace_names(&environment.baseline_namespace, &environment.name);
    let mut candidates: Vec<String> = recorded.map(str::to_owned).into_iter().collect();
    for name in [names.preferred, names.hashed] {
        if !candidates.contains(&name) {
            candidates.push(name);
        }
    }
    candidates
}

/// Whether somebody else holds the name, asked without making anything.
pub async fn is_foreign(context: &Context, environment: &Environment, name: &str) -> Result<bool, RequestError> {
    let there = requests::get_namespace(&context.client, name).await?.is_some();
    Ok(there && look_at(context, environment, name).await? == NamespaceOutcome::Foreign)
}

/// Makes sure that the namespace is there and ours. One POST where it is not; nothing where a watch saw it.
pub async fn ensure(context: &Context, environment: &Environment, wanted: Wanted<'_>) -> Result<NamespaceOutcome, RequestError> {
    let Wanted { name, isolated, in_use } = wanted;
    if let Some(seen) = context.index.namespace(name)
        && seen.environment_uid == environment.uid
    {
        return Ok(if seen.terminating { NamespaceOutcome::Terminating } else { NamespaceOutcome::Ours });
    }
    if in_use {
        let there = requests::get_namespace(&context.client, name).await?;
        return Ok(there.map_or(NamespaceOutcome::Gone, |there| owner_of(environment, &there.metadata)));
    }
    match requests::create_namespace(&context.client, &namespace(environment, name, &Marks::of(context, (environment, isolated)))).await {
        Ok(()) => Ok(NamespaceOutcome::Ours),
        Err(error) if error.code() == Some(409) => look_at(context, environment, name).await,
        Err(error) => Err(error),
    }
}

async fn look_at(context: &Context, environment: &Environment, name: &str) -> Result<NamespaceOutcome, RequestError> {
    let Some(there) = requests::get_namespace(&context.client, name).await? else {
        return Ok(NamespaceOutcome::Terminating);
    };
    Ok(owner_of(environment, &there.metadata))
}

fn owner_of(environment: &Environment, there: &ObjectMeta) -> NamespaceOutcome {
    let owner = there.labels.as_ref().and_then(|l| l.get(LABEL_ENVIRONMENT_UID));
    let terminating = there.deletion_timestamp.is_some();
    match owner {
        Some(uid) if *uid == environment.uid && terminating => NamespaceOutcome::Terminating,
        Some(uid) if *uid == environment.uid => NamespaceOutcome::Ours,
        // A predecessor of the same name: its namespace is going, and ours can have the name when it is gone.
        Some(_) if terminating && is_predecessor(there, environment) => NamespaceOutcome::Terminating,
        _ => NamespaceOutcome::Foreign,
    }
}

fn is_predecessor(there: &ObjectMeta, environment: &Environment) -> bool {
    let label = |name: &str| there.labels.as_ref().and_then(|l| l.get(name)).map(String::as_str);
    label(LABEL_ENVIRONMENT) == Some(environment.name.as_str()) && label(LABEL_BASELINE_NAMESPACE) == Some(&environment.baseline_namespace)
}

/// Gives the service its rights inside the namespace. False where the RoleBinding was there already.
pub async fn bind(context: &Context, environment: &Environment, namespace: &str) -> Result<bool, RequestError> {
    let binding = role_binding(environment, &context.identity);
    requests::create_role_binding(&context.client, namespace, &binding).await
}

fn labels(environment: &Environment) -> BTreeMap<String, String> {
    let pairs = [
        (LABEL_MANAGED_BY, MANAGED_BY),
        (LABEL_ENVIRONMENT, environment.name.as_str()),
        (LABEL_ENVIRONMENT_UID, environment.uid.as_str()),
        (LABEL_BASELINE_NAMESPACE, environment.baseline_namespace.as_str()),
    ];
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// What a new namespace carries beside our labels.
#[derive(Debug, Default)]
struct Marks {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl Marks {
    /// The Baseline's own, and the Pod Security Standard: its version is the one that the plan judges by, so that both
    /// say the same. What nobody approved is marked, for the policies of others. `warn` shows it to whoever applies a workload by hand, `audit` notes it.
    fn of(context: &Context, (environment, isolated): (&Environment, bool)) -> Self {
        let baseline = context.baselines.get(&environment.baseline_namespace, &environment.baseline);
        let isolation = baseline.map(|b| b.isolation.clone()).unwrap_or_default();
        let level = admission::level(context.baselines.pod_security(&environment.baseline_namespace).as_deref(), &isolation);
        let NamespaceMarks { mut labels, annotations } = isolation.namespace;
        for mode in POD_SECURITY_MODES {
            labels.insert(format!("{POD_SECURITY_PREFIX}{mode}"), level.as_str().to_owned());
            labels.insert(format!("{POD_SECURITY_PREFIX}{mode}-version"), admission::VERSION.to_owned());
        }
        labels.extend(isolated.then(|| (LABEL_TRUST.to_owned(), TRUST_ISOLATED.to_owned())));
        Self { labels, annotations }
    }
}

fn namespace(environment: &Environment, name: &str, marks: &Marks) -> Namespace {
    let mut all = marks.labels.clone();
    all.extend(labels(environment));
    let mut annotations = marks.annotations.clone();
    annotations.extend(made_for(environment).map(|sources| (ANNOTATION_SOURCES.to_owned(), sources)));
    let annotations = (!annotations.is_empty()).then_some(annotations);
    let metadata = ObjectMeta { name: Some(name.to_owned()), labels: Some(all), annotations, ..ObjectMeta::default() };
    Namespace { metadata, ..Namespace::default() }
}

fn role_binding(environment: &Environment, identity: &Subject) -> RoleBinding {
    let api_group = "rbac.authorization.k8s.io".to_owned();
    RoleBinding {
        metadata: ObjectMeta { name: Some(ROLE_BINDING.to_owned()), labels: Some(labels(environment)), ..ObjectMeta::default() },
        role_ref: RoleRef { api_group: Some(api_group), kind: "ClusterRole".to_owned(), name: CLUSTER_ROLE_ENVIRONMENT.to_owned() },
        subjects: Some(vec![identity.clone()]),
    }
}
