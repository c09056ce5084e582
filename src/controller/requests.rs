//! The requests that the controller sends to the API server, with the preconditions that each must carry.
//! Every request has a deadline of its own: kube's client has none.

use std::collections::HashSet;
use std::time::Duration;

use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::core::{ObjectList, PartialObjectMeta, Request};
use kube::{Api, Client, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::names::{FINALIZER, LABEL_ENVIRONMENT_UID, MANAGER_CONTROLLER, MANAGER_STATUS};
use crate::api::{GROUP, PreviewEnvironment};
use crate::kinds::Kind;
use crate::plan::Manifest;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::rbac::v1::RoleBinding;

/// How long one request may take. A healthy API server answers in milliseconds and cuts most requests off at 60 s.
const DEADLINE: Duration = Duration::from_secs(15);

/// What the API server answers where it does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It answered with a failure.
    #[error("cannot {what}: {message}")]
    Answered {
        /// What was asked.
        what: String,
        /// The HTTP status.
        code: u16,
        /// The API server's own sentence.
        message: String,
    },
    /// It did not answer.
    #[error("cannot {what}: {why}")]
    Unanswered {
        /// What was asked.
        what: String,
        /// What went wrong.
        why: String,
    },
}

impl RequestError {
    /// The HTTP status, if there was an answer.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Answered { code, .. } => Some(*code),
            Self::Unanswered { .. } => None,
        }
    }

    /// Whether the same request can succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        self.code().is_none_or(|code| matches!(code, 409 | 429) || code >= 500)
    }

    /// Whether the API server knows no role that allows it. Quotas and policies answer 403 too, in other words.
    pub fn lacks_rights(&self) -> bool {
        matches!(self, Self::Answered { code: 403, message, .. } if message.contains(": User \""))
    }

    /// Whether it looked for an object of that name and found none. Where the kind is not served the answer is 404 too.
    fn finds_no(&self, name: &str) -> bool {
        matches!(self, Self::Answered { code: 404, message, .. } if message.contains(&format!("\"{name}\" not found")))
    }

    /// Whether an object of that name is there. A conflict in a quota or with somebody else's write is a 409 too, and nothing
    /// was made then.
    pub fn says_it_is_there(&self) -> bool {
        matches!(self, Self::Answered { code: 409, message, .. } if message.ends_with("already exists"))
    }

    /// From kube's error. The texts of kube's errors hold no request bodies.
    pub fn from_kube(what: impl Into<String>, error: kube::Error) -> Self {
        let what = what.into();
        match error {
            kube::Error::Api(status) => Self::Answered { what, code: status.code, message: status.message.clone() },
            other => Self::Unanswered { what, why: other.to_string() },
        }
    }
}

/// Waits for an answer until the deadline.
pub async fn within_deadline<T>(what: &str, answer: impl Future<Output = kube::Result<T>>) -> Result<T, RequestError> {
    match tokio::time::timeout(DEADLINE, answer).await {
        Ok(result) => result.map_err(|error| RequestError::from_kube(what, error)),
        Err(_) => Err(RequestError::Unanswered { what: what.to_owned(), why: format!("no answer within {} s", DEADLINE.as_secs()) }),
    }
}

/// `None` where the API server answers 404.
pub fn found<T>(result: Result<T, RequestError>) -> Result<Option<T>, RequestError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Metadata of an answer; the rest of it is not read.
pub type Metadata = PartialObjectMeta<Namespace>;

/// Where the objects of a kind are.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The kind.
    pub kind: &'a Kind,
    /// The namespace.
    pub namespace: &'a str,
}

impl Place<'_> {
    fn path(&self) -> String {
        self.kind.path(self.namespace)
    }
}

/// One server-side apply of a whole object, taking over fields that others hold.
pub async fn apply(client: &Client, place: Place<'_>, manifest: &Manifest) -> Result<(), RequestError> {
    let object = manifest.name();
    let what = format!("apply {object} in namespace {}", place.namespace);
    let params = PatchParams::apply(MANAGER_CONTROLLER).force();
    let request = Request::new(place.path()).patch_metadata(&object.name, &params, &Patch::Apply(manifest.value()));
    send::<Metadata>(client, &what, request).await.map(drop)
}

/// Makes an object that nothing changes afterwards; one of that name that is there already is left as it is.
pub async fn create(client: &Client, place: Place<'_>, manifest: &Manifest) -> Result<(), RequestError> {
    let what = format!("create {} in namespace {}", manifest.name(), place.namespace);
    let body = manifest.value().to_string().into_bytes();
    let request = Request::new(place.path()).create(&PostParams::default(), body);
    match send::<Metadata>(client, &what, request).await {
        Err(error) if error.says_it_is_there() => Ok(()),
        other => other.map(drop),
    }
}

/// What the objects of a kind are called that carry the environment's UID, by their metadata.
pub async fn names(client: &Client, place: Place<'_>, environment_uid: &str) -> Result<HashSet<String>, RequestError> {
    let what = format!("list the {} of namespace {}", place.kind.plural, place.namespace);
    let request = Request::new(place.path()).list_metadata(&ours(environment_uid));
    let listed = send::<ObjectList<Metadata>>(client, &what, request).await?;
    Ok(listed.items.into_iter().filter_map(|object| object.metadata.name).collect())
}

/// Whether an object is there and carries the environment's UID, asked by who may write it and not read it: the API server tries
/// to change nothing of it, keeps nothing, and answers with its metadata.
pub async fn is_there(client: &Client, place: Place<'_>, name: &str, environment_uid: &str) -> Result<bool, RequestError> {
    let what = format!("look for {}/{name} in namespace {}", place.kind.kind, place.namespace);
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    let request = Request::new(place.path()).patch_metadata(name, &params, &Patch::Merge(json!({})));
    match send::<Metadata>(client, &what, request).await {
        Err(error) if error.finds_no(name) => Ok(false),
        other => other.map(|there| there.labels().get(LABEL_ENVIRONMENT_UID).is_some_and(|uid| uid == environment_uid)),
    }
}

/// Deletes one object if it is ours, in one request: the collection delete selects it by name and by the environment's
/// UID label.
pub async fn delete_ours(client: &Client, place: Place<'_>, name: &str, environment_uid: &str) -> Result<(), RequestError> {
    let what = format!("delete {}/{name} in namespace {}", place.kind.kind, place.namespace);
    let selected = ours(environment_uid).fields(&format!("metadata.name={name}"));
    delete_selected(client, &what, &place.path(), &selected).await
}

/// Deletes all objects of a kind that carry the environment's UID. A collection delete cannot carry preconditions,
/// so it selects by that label.
pub async fn delete_collection(client: &Client, place: Place<'_>, environment_uid: &str) -> Result<(), RequestError> {
    let what = format!("delete the {} of namespace {}", place.kind.plural, place.namespace);
    delete_selected(client, &what, &place.path(), &ours(environment_uid)).await
}

fn ours(environment_uid: &str) -> ListParams {
    ListParams::default().labels(&format!("{LABEL_ENVIRONMENT_UID}={environment_uid}"))
}

async fn delete_selected(client: &Client, what: &str, path: &str, selected: &ListParams) -> Result<(), RequestError> {
    let params = DeleteParams { propagation_policy: Some(PropagationPolicy::Background), ..DeleteParams::default() };
    let request = Request::new(path).delete_collection(&params, selected);
    found(send::<Value>(client, what, request).await).map(drop)
}

type Built = Result<http::Request<Vec<u8>>, kube::core::request::Error>;

async fn send<T: DeserializeOwned>(client: &Client, what: &str, request: Built) -> Result<T, RequestError> {
    let request = request.map_err(|e| RequestError::Unanswered { what: what.to_owned(), why: e.to_string() })?;
    within_deadline(what, client.request::<T>(request)).await
}

/// Makes a namespace. By POST, never by apply: an apply onto a foreign or terminating namespace answers 200.
pub async fn create_namespace(client: &Client, namespace: &Namespace) -> Result<(), RequestError> {
    let name = namespace.metadata.name.clone().unwrap_or_default();
    let api: Api<Namespace> = Api::all(client.clone());
    within_deadline(&format!("create namespace {name}"), api.create(&PostParams::default(), namespace)).await.map(drop)
}

/// UIDs of all environments in the namespace of a Baseline, as the API server knows them at this moment, whether the rest of
/// them can be read or not.
pub async fn environment_uids(client: &Client, namespace: &str) -> Result<HashSet<String>, RequestError> {
    let api: Api<PreviewEnvironment> = Api::namespaced(client.clone(), namespace);
    let what = format!("list the environments of namespace {namespace}");
    let listed = within_deadline(&what, api.list_metadata(&ListParams::default())).await?;
    Ok(listed.items.into_iter().filter_map(|object| object.metadata.uid).collect())
}

/// What a namespace's metadata says, if it exists.
pub async fn get_namespace(client: &Client, name: &str) -> Result<Option<Metadata>, RequestError> {
    let api: Api<Namespace> = Api::all(client.clone());
    within_deadline(&format!("get namespace {name}"), api.get_metadata_opt(name)).await
}

/// A namespace with all that Kubernetes says of it, if it exists.
pub async fn get_whole_namespace(client: &Client, name: &str) -> Result<Option<Namespace>, RequestError> {
    let api: Api<Namespace> = Api::all(client.clone());
    within_deadline(&format!("get namespace {name}"), api.get_opt(name)).await
}

/// Deletes the namespace with that UID, and no other of the same name.
pub async fn delete_namespace(client: &Client, name: &str, uid: &str) -> Result<(), RequestError> {
    let api: Api<Namespace> = Api::all(client.clone());
    let params = DeleteParams::background().preconditions(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
    found(within_deadline(&format!("delete namespace {name}"), api.delete(name, &params)).await).map(drop)
}

/// Makes a RoleBinding; one that is there already is left as it is, and then it is false.
pub async fn create_role_binding(client: &Client, namespace: &str, binding: &RoleBinding) -> Result<bool, RequestError> {
    let api: Api<RoleBinding> = Api::namespaced(client.clone(), namespace);
    let what = format!("create the RoleBinding of namespace {namespace}");
    match within_deadline(&what, api.create(&PostParams::default(), binding)).await {
        Err(error) if error.says_it_is_there() => Ok(false),
        other => other.map(|_| true),
    }
}

/// One Secret of a baseline, by name.
pub async fn get_secret(client: &Client, namespace: &str, name: &str) -> Result<Option<Secret>, RequestError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    within_deadline(&format!("get Secret {name} in namespace {namespace}"), api.get_opt(name)).await
}

/// Applies the part of an environment's status that the controller derives. On the status subresource a UID is no
/// precondition; what a successor of the same name gets by mistake, its own first pass replaces.
pub async fn apply_status(client: &Client, object: &PreviewEnvironment, status: &Value) -> Result<(), RequestError> {
    write_status(client, object, MANAGER_STATUS, status).await
}

/// The same for a part that somebody else owns. It is no failure where the environment is gone.
pub async fn apply_status_as(client: &Client, object: &PreviewEnvironment, manager: &str, status: &Value) -> Result<(), RequestError> {
    match write_status(client, object, manager, status).await {
        Err(error) if error.code() == Some(404) => Ok(()),
        other => other,
    }
}

async fn write_status(client: &Client, object: &PreviewEnvironment, manager: &str, status: &Value) -> Result<(), RequestError> {
    let (namespace, name) = names_of(object);
    let api: Api<PreviewEnvironment> = Api::namespaced(client.clone(), &namespace);
    let patch = json!({
        "apiVersion": format!("{GROUP}/v1alpha1"), "kind": "PreviewEnvironment",
        "metadata": {"name": name}, "status": status,
    });
    let params = PatchParams::apply(manager).force();
    let patch = Patch::Apply(&patch);
    let answer = api.patch_status(&name, &params, &patch);
    within_deadline(&format!("write the status of {namespace}/{name}"), answer).await.map(drop)
}

/// Takes back what one of our managers wrote, from exactly the version of an environment that was read, and gives the new version.
pub async fn take_back(client: &Client, object: &PreviewEnvironment, manager: &str) -> Result<PreviewEnvironment, RequestError> {
    let (namespace, name) = names_of(object);
    let api: Api<PreviewEnvironment> = Api::namespaced(client.clone(), &namespace);
    let patch = Patch::Apply(json!({
        "apiVersion": format!("{GROUP}/v1alpha1"), "kind": "PreviewEnvironment",
        "metadata": {"name": name, "uid": object.metadata.uid, "resourceVersion": object.metadata.resource_version},
    }));
    let params = PatchParams::apply(manager).force();
    let answer = api.patch(&name, &params, &patch);
    within_deadline(&format!("take back what {manager} wrote into {namespace}/{name}"), answer).await
}

/// Adds our finalizer, whatever else changed in the object meanwhile. The UID keeps it from a successor of the same name.
pub async fn hold(client: &Client, object: &PreviewEnvironment) -> Result<(), RequestError> {
    let (namespace, name) = names_of(object);
    let api: Api<PreviewEnvironment> = Api::namespaced(client.clone(), &namespace);
    let patch = Patch::Apply(json!({
        "apiVersion": format!("{GROUP}/v1alpha1"), "kind": "PreviewEnvironment",
        "metadata": {"name": name, "uid": object.metadata.uid, "finalizers": [FINALIZER]},
    }));
    let params = PatchParams::apply(MANAGER_CONTROLLER).force();
    let answer = api.patch_metadata(&name, &params, &patch);
    within_deadline(&format!("hold {namespace}/{name}"), answer).await.map(drop)
}

/// Takes our finalizer from exactly the version of an environment that was read, and gives the new version.
pub async fn let_go(client: &Client, object: &PreviewEnvironment) -> Result<PreviewEnvironment, RequestError> {
    let (namespace, name) = names_of(object);
    let api: Api<PreviewEnvironment> = Api::namespaced(client.clone(), &namespace);
    let others: Vec<&String> = object.finalizers().iter().filter(|f| *f != FINALIZER).collect();
    let patch = Patch::Merge(
        json!({"metadata": {"resourceVersion": object.metadata.resource_version, "uid": object.metadata.uid, "finalizers": others}}),
    );
    let params = PatchParams::default();
    let answer = api.patch(&name, &params, &patch);
    within_deadline(&format!("let go of {namespace}/{name}"), answer).await
}

/// Deletes exactly the version of an environment that was read.
pub async fn delete_environment(client: &Client, object: &PreviewEnvironment) -> Result<bool, RequestError> {
    let (namespace, name) = names_of(object);
    let api: Api<PreviewEnvironment> = Api::namespaced(client.clone(), &namespace);
    let preconditions = Preconditions { uid: object.metadata.uid.clone(), resource_version: object.metadata.resource_version.clone() };
    let params = DeleteParams::default().preconditions(preconditions);
    let answer = api.delete(&name, &params);
    found(within_deadline(&format!("delete {namespace}/{name}"), answer).await).map(|there| there.is_some())
}

fn names_of(object: &PreviewEnvironment) -> (String, String) {
    (object.metadata.namespace.clone().unwrap_or_default(), object.metadata.name.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_rights_is_told_from_other_refusals() {
        let answered = |code, message: &str| RequestError::Answered { what: "apply".into(), code, message: message.into() };
        let rights = r#"services "web" is forbidden: User "system:serviceaccount:p:p" cannot patch resource "services""#;
        assert!(answered(403, rights).lacks_rights());
        assert!(!answered(403, r#"pods "web" is forbidden: exceeded quota: q"#).lacks_rights());
        assert!(!answered(422, rights).lacks_rights());
    }

    #[test]
    fn an_object_that_is_gone_is_told_from_a_kind_that_is() {
        let answered = |code, message: &str| RequestError::Answered { what: "look".into(), code, message: message.into() };
        assert!(answered(404, r#"databases.db.example.com "main" not found"#).finds_no("main"));
        assert!(!answered(404, "the server could not find the requested resource").finds_no("main"));
        assert!(!answered(403, r#"secrets "main" is forbidden: User "x" cannot patch"#).finds_no("main"));
    }

    #[test]
    fn what_is_there_is_told_from_what_could_not_be_made_just_now() {
        let answered = |code, message: &str| RequestError::Answered { what: "create".into(), code, message: message.into() };
        assert!(answered(409, r#"jobs.batch "migrate" already exists"#).says_it_is_there());
        let conflict = r#"Operation cannot be fulfilled on resourcequotas "quota": the object has been modified"#;
        assert!(!answered(409, conflict).says_it_is_there() && answered(409, conflict).is_transient());
        assert!(!answered(422, r#"jobs.batch "migrate" already exists"#).says_it_is_there());
    }
}
