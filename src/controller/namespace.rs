//! The namespace of an environment: which name, made by POST, and the rights that the service gets inside it.

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

use super::Context;
use super::index::NamespaceState;
use super::orphans::made_for;
use super::requests::{self, RequestError};
use crate::api::baseline::isolation::{NamespaceMarks, PodSecurity};
use crate::api::names::{
    ANNOTATION_SOURCES, CLUSTER_ROLE_ENVIRONMENT, LABEL_BASELINE_NAMESPACE, LABEL_ENVIRONMENT, LABEL_ENVIRONMENT_UID, LABEL_MANAGED_BY,
    LABEL_TRUST, MANAGED_BY, POD_SECURITY_MODES, POD_SECURITY_PREFIX, ROLE_BINDING, TRUST_ISOLATED,
};
use crate::domain::Environment;
use crate::domain::names::namespace_names;
use crate::plan::admission;

/// How far the clocks of several API servers may be apart: of two objects that were made at once, one can seem to be older.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(1);

/// How far one API server's own stamps and our reading of its clock may be apart.
const SAME_SERVER: TimeDelta = TimeDelta::seconds(2);

/// How making a namespace ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NamespaceOutcome {
    /// It is there and ours.
    Ours,
    /// It is ours, or was, and is still going away.
    Terminating,
    /// Somebody else holds that name.
    Foreign,
    /// It is the one that something was applied to, and somebody took our label off.
    Unmarked,
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
    /// When something was applied to it last.
    pub applied_at: Option<DateTime<Utc>>,
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
    let Wanted { name, isolated, in_use, applied_at } = wanted;
    let whose = |there: &NamespaceState| match in_use {
        true if was_ours(environment, there, applied_at) => NamespaceOutcome::Unmarked,
        true => owner_by_label(environment, there),
        false => owner_by_marks((environment, level(context, environment)), there),
    };
    if let Some(seen) = context.index.namespace(name)
        && seen.environment_uid == environment.uid
    {
        return Ok(whose(&seen));
    }
    if in_use {
        let there = requests::get_namespace(&context.client, name).await?;
        return Ok(there.map_or(NamespaceOutcome::Gone, |there| whose(&NamespaceState::of(&there.metadata))));
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
    Ok(owner_by_marks((environment, level(context, environment)), &NamespaceState::of(&there.metadata)))
}

/// Whose a namespace is that something was applied to already, and that was judged before that. What somebody changed of its
/// labels since does not make the environment move to another one.
fn owner_by_label(environment: &Environment, there: &NamespaceState) -> NamespaceOutcome {
    match there.environment_uid == environment.uid {
        true if there.terminating => NamespaceOutcome::Terminating,
        true => NamespaceOutcome::Ours,
        // A predecessor of the same name: its namespace is going, and ours can have the name when it is gone.
        false if there.terminating && is_predecessor(there, environment) => NamespaceOutcome::Terminating,
        false => NamespaceOutcome::Foreign,
    }
}

/// Whether it was there when something was applied to it last, so that it was ours, and does not carry our label any more. Whoever
/// takes that off takes it from us: it is not provably ours, and nothing of it is touched.
pub fn was_ours(environment: &Environment, there: &NamespaceState, applied_at: Option<DateTime<Utc>>) -> bool {
    let was_there = there.created_at.zip(applied_at).is_some_and(|(made, applied)| made <= applied + SAME_SERVER);
    was_there && !there.terminating && there.environment_uid != environment.uid
}

/// What to do about a namespace that [`was_ours`].
pub fn how_to_mend(environment: &Environment, name: &str) -> String {
    let uid = &environment.uid;
    format!(
        "namespace {name} does not carry the label {LABEL_ENVIRONMENT_UID}={uid} any more, so it is not provably this environment's, and \
         nothing in it is changed or deleted: put the label back (kubectl label --overwrite namespace {name} \
         {LABEL_ENVIRONMENT_UID}={uid}), or delete it by hand (kubectl delete namespace {name})"
    )
}

/// Whose a namespace is that nothing was applied to yet. Ours is one that a pass before made and could not record. Somebody
/// else can give theirs the label of an environment that waits, so everything has to be there that we make one with.
fn owner_by_marks((environment, level): (&Environment, PodSecurity), there: &NamespaceState) -> NamespaceOutcome {
    match owner_by_label(environment, there) {
        NamespaceOutcome::Ours if !is_as_made((environment, level), there) => NamespaceOutcome::Foreign,
        owner => owner,
    }
}

/// Whether it carries our labels and holds its pods to at least that level, and is no older than its environment.
fn is_as_made((environment, level): (&Environment, PodSecurity), there: &NamespaceState) -> bool {
    let mark = |name: &str| there.marks.get(name).map(String::as_str);
    let is_strict = |value: &str| [PodSecurity::Baseline, PodSecurity::Restricted].iter().any(|l| *l >= level && l.as_str() == value);
    let is_secured = |mode: &&str| {
        let name = format!("{POD_SECURITY_PREFIX}{mode}");
        mark(&name).is_some_and(is_strict) && mark(&format!("{name}-version")) == Some(admission::VERSION)
    };
    let is_older = environment.created_at.is_some_and(|made| there.created_at.is_none_or(|at| at < made - CLOCKS_APART));
    labels(environment).iter().all(|(name, value)| mark(name) == Some(value.as_str()))
        && POD_SECURITY_MODES.iter().all(is_secured)
        && !is_older
}

fn is_predecessor(there: &NamespaceState, environment: &Environment) -> bool {
    let mark = |name: &str| there.marks.get(name).map(String::as_str);
    mark(LABEL_ENVIRONMENT) == Some(environment.name.as_str()) && mark(LABEL_BASELINE_NAMESPACE) == Some(&environment.baseline_namespace)
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

/// The Pod Security level of a new namespace.
fn level(context: &Context, environment: &Environment) -> PodSecurity {
    let isolation = context.baselines.get(&environment.baseline_namespace, &environment.baseline).map(|b| b.isolation.clone());
    let own = context.baselines.pod_security(&environment.baseline_namespace);
    admission::level(own.as_deref(), &isolation.unwrap_or_default())
}

impl Marks {
    /// The Baseline's own, and the Pod Security Standard: its version is the one that the plan judges by, so that both
    /// say the same. What nobody approved is marked, for the policies of others. `warn` shows it to whoever applies a workload by hand, `audit` notes it.
    fn of(context: &Context, (environment, isolated): (&Environment, bool)) -> Self {
        let baseline = context.baselines.get(&environment.baseline_namespace, &environment.baseline);
        let level = level(context, environment);
        let NamespaceMarks { mut labels, annotations } = baseline.map(|b| b.isolation.namespace.clone()).unwrap_or_default();
        labels.extend(isolated.then(|| (LABEL_TRUST.to_owned(), TRUST_ISOLATED.to_owned())));
        let mut marks = Self { labels, annotations };
        marks.secure(level);
        marks
    }

    /// Holds pods to that level, in every mode.
    fn secure(&mut self, level: PodSecurity) {
        for mode in POD_SECURITY_MODES {
            self.labels.insert(format!("{POD_SECURITY_PREFIX}{mode}"), level.as_str().to_owned());
            self.labels.insert(format!("{POD_SECURITY_PREFIX}{mode}-version"), admission::VERSION.to_owned());
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PreviewEnvironment;
    use serde_json::{Value, json};

    fn environment() -> Environment {
        let object: PreviewEnvironment =
            serde_json::from_value(json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
            "metadata": {"name": "web-pr-42", "namespace": "shop", "uid": "e1", "creationTimestamp": "2027-01-15T08:00:00Z"},
            "spec": {"baseline": "main"}}))
            .unwrap();
        Environment::try_from(&object).unwrap()
    }

    /// As it is made at that level, and then changed.
    fn made_with(level: PodSecurity, (field, value): (&str, Value)) -> NamespaceState {
        let mut marks = Marks::default();
        marks.secure(level);
        let made = namespace(&environment(), "shop-web-pr-42", &marks);
        let mut metadata = serde_json::to_value(&made.metadata).unwrap();
        metadata["uid"] = json!("n1");
        metadata["creationTimestamp"] = json!("2027-01-15T08:00:00Z");
        if !field.is_empty() {
            let (parent, name) = field.rsplit_once('/').unwrap();
            metadata.pointer_mut(parent).unwrap()[name.replace("~1", "/")] = value;
        }
        NamespaceState::of(&serde_json::from_value(metadata).unwrap())
    }

    #[test]
    fn what_a_pass_before_made_and_did_not_record_is_ours() {
        for (found, wanted, expected) in [
            (PodSecurity::Baseline, PodSecurity::Baseline, NamespaceOutcome::Ours),
            (PodSecurity::Restricted, PodSecurity::Baseline, NamespaceOutcome::Ours),
            (PodSecurity::Baseline, PodSecurity::Restricted, NamespaceOutcome::Foreign),
        ] {
            let there = made_with(found, ("", json!(null)));
            assert_eq!(owner_by_marks((&environment(), wanted), &there), expected, "{found:?} {wanted:?}");
        }
        let going = made_with(PodSecurity::Baseline, ("/deletionTimestamp", json!("2027-01-15T08:01:00Z")));
        assert_eq!(owner_by_marks((&environment(), PodSecurity::Baseline), &going), NamespaceOutcome::Terminating);
    }

    #[test]
    fn a_namespace_that_somebody_made_with_our_labels_while_the_environment_waited_is_foreign() {
        for (field, value) in [
            ("/labels/app.kubernetes.io~1managed-by", json!("helm")),
            ("/labels/preview-env.dev~1environment", json!("web-pr-43")),
            ("/labels/preview-env.dev~1baseline-namespace", json!("other")),
            ("/labels/preview-env.dev~1environment-uid", json!("e2")),
            ("/labels/pod-security.kubernetes.io~1enforce", json!("privileged")),
            ("/labels/pod-security.kubernetes.io~1warn", json!("")),
            ("/labels/pod-security.kubernetes.io~1audit", json!("privileged")),
            ("/labels/pod-security.kubernetes.io~1enforce-version", json!("v1.0")),
            (
                "/labels",
                json!({"preview-env.dev/environment-uid": "e1", "preview-env.dev/environment": "web-pr-42",
                "preview-env.dev/baseline-namespace": "shop", "app.kubernetes.io/managed-by": "preview-env"}),
            ),
            ("/creationTimestamp", json!("2027-01-15T07:58:59Z")),
        ] {
            let there = made_with(PodSecurity::Baseline, (field, value.clone()));
            let owner = owner_by_marks((&environment(), PodSecurity::Baseline), &there);
            assert_eq!(owner, NamespaceOutcome::Foreign, "{field} {value}");
        }
        let at_once = made_with(PodSecurity::Baseline, ("/creationTimestamp", json!("2027-01-15T07:59:58Z")));
        let owner = owner_by_marks((&environment(), PodSecurity::Baseline), &at_once);
        assert_eq!(owner, NamespaceOutcome::Ours, "by an API server whose clock is two seconds behind");
    }

    #[test]
    fn what_was_there_when_something_was_applied_was_ours_whatever_its_label_says_now() {
        let uid = "/labels/preview-env.dev~1environment-uid";
        let off = ("/labels", json!({"team": "web"}));
        for (case, change, applied_at, expected) in [
            ("taken off", off.clone(), Some("2027-01-15T08:00:01Z"), true),
            ("another one", (uid, json!("e2")), Some("2027-01-15T08:00:01Z"), true),
            ("made in its place", off.clone(), Some("2027-01-15T07:59:50Z"), false),
            ("nothing was applied", off, None, false),
            ("going", ("/deletionTimestamp", json!("2027-01-15T08:01:00Z")), Some("2027-01-15T08:00:01Z"), false),
            ("ours", ("", json!(null)), Some("2027-01-15T08:00:01Z"), false),
        ] {
            let there = made_with(PodSecurity::Baseline, change);
            assert_eq!(was_ours(&environment(), &there, applied_at.map(|at| at.parse().unwrap())), expected, "{case}");
        }
    }

    #[test]
    fn what_something_was_applied_to_stays_ours_whatever_becomes_of_its_other_labels() {
        let relabelled = made_with(PodSecurity::Baseline, ("/labels/pod-security.kubernetes.io~1enforce", json!("privileged")));
        assert_eq!(owner_by_label(&environment(), &relabelled), NamespaceOutcome::Ours);
    }
}
