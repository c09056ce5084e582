//! Whoever takes over the service: everything is tried with its own token, and what deploy/rbac.yaml keeps back is tried once
//! more with every right of RBAC on top.

use anyhow::Context;
use github_double::On;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::core::Request;
use kube::{Client, ResourceExt};
use preview_env::api::names::{LABEL_BASELINE_NAMESPACE, LABEL_ENVIRONMENT_UID, LABEL_MANAGED_BY, LABEL_POD_SECURITY, MANAGED_BY};
use serde_json::{Value, json};
use test_world::{World, apply, wait_for};

use crate::shop::{Shop, story_apart};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
/// What only the policies say.
const NAMESPACE: &str = "are its own";
const STAYS: &str = "stays with its environment";
const LEVEL: &str = "enforce the Pod Security level";
const ELSEWHERE: &str = "gives rights in namespaces of environments alone";
const OWN: &str = "its own RoleBinding binds it";
const OTHERS: &str = "others are bound to Roles";
const ITSELF: &str = "no other RoleBinding is for itself";
const GUARDS: &str = "no Role opens what keeps an environment apart";
/// What RBAC says.
const CANNOT: &str = "cannot";
const GRANTS: &str = "is attempting to grant RBAC permissions not currently held";

/// One request, and what it is refused with.
struct Attempt {
    method: &'static str,
    path: String,
    body: Value,
    refused: &'static str,
}

fn post(path: impl Into<String>, body: Value, refused: &'static str) -> Attempt {
    Attempt { method: "POST", path: path.into(), body, refused }
}

fn patch(path: impl Into<String>, body: Value, refused: &'static str) -> Attempt {
    Attempt { method: "PATCH", path: path.into(), body, refused }
}

fn get(path: impl Into<String>) -> Attempt {
    Attempt { method: "GET", path: path.into(), body: Value::Null, refused: CANNOT }
}

fn delete(path: impl Into<String>, refused: &'static str) -> Attempt {
    Attempt { method: "DELETE", path: path.into(), body: Value::Null, refused }
}

/// Sends it, and expects to be refused in those words.
async fn refused(client: &Client, attempt: &Attempt) -> anyhow::Result<()> {
    let Attempt { method, path, body, refused } = attempt;
    let kind = if *method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = http::Request::builder().method(*method).uri(path).header("Content-Type", kind).body(bytes)?;
    match client.request::<Value>(request).await {
        Err(kube::Error::Api(status)) if status.code == 403 && status.message.contains(refused) => Ok(()),
        answer => anyhow::bail!("{method} {path} {body} is not refused with {refused:?}: {answer:?}"),
    }
}

fn namespace(name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut labels =
        json!({LABEL_MANAGED_BY: MANAGED_BY, LABEL_ENVIRONMENT_UID: "1", LABEL_BASELINE_NAMESPACE: "prey", LABEL_POD_SECURITY: "baseline"});
    change(&mut labels);
    if let Some(labels) = labels.as_object_mut() {
        labels.retain(|_, value| !value.is_null());
    }
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

fn account(namespace: &str, name: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
}

fn binding(name: &str, (kind, role): (&str, &str), subjects: &[Value]) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name}, "subjects": subjects,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}})
}

fn bindings(namespace: &str) -> String {
    format!("{RBAC}/namespaces/{namespace}/rolebindings")
}

/// What is refused whatever RBAC says. `home` is the namespace of an environment, `freed` one whose labels are gone.
fn against_policies(home: &str, freed: &str) -> Vec<Attempt> {
    let all = "/api/v1/namespaces";
    let itself = account("preview-env", "preview-env");
    let environment = ("ClusterRole", "preview-env:environment");
    let edit = ("ClusterRole", "edit");
    let mut attempts = vec![
        post(all, namespace("prey-x", |labels| *labels = json!({})), NAMESPACE),
        post(all, namespace("prey-x", |labels| labels[LABEL_ENVIRONMENT_UID] = json!("")), NAMESPACE),
        post(all, namespace("other-x", |_| ()), NAMESPACE),
        post(all, namespace("preying", |_| ()), NAMESPACE),
        post(all, namespace("prey-x", |labels| labels[LABEL_POD_SECURITY] = json!("privileged")), LEVEL),
        post(all, namespace("prey-x", |labels| labels[LABEL_POD_SECURITY] = Value::Null), LEVEL),
        delete(format!("{all}/kube-system"), "may not be deleted"),
        delete(format!("{all}/prey"), NAMESPACE),
        delete(format!("{all}/{freed}"), NAMESPACE),
        post(bindings(home), binding("x", edit, std::slice::from_ref(&itself)), ITSELF),
        post(bindings(home), binding("x", edit, &[json!({"kind": "Group", "name": "system:serviceaccounts"})]), ITSELF),
        post(bindings(home), binding("x", edit, &[json!({"kind": "Group", "name": "system:serviceaccounts:preview-env"})]), ITSELF),
        post(
            bindings(home),
            binding("x", edit, &[json!({"kind": "User", "name": "system:serviceaccount:preview-env:preview-env"})]),
            ITSELF,
        ),
        post(bindings(home), binding("preview-env", edit, std::slice::from_ref(&itself)), OWN),
        post(bindings(home), binding("preview-env", environment, &[itself.clone(), account(home, "web")]), OWN),
        // Nobody else in its place.
        post(bindings(home), binding("preview-env", environment, &[account(home, "web")]), OWN),
        post(bindings(home), binding("preview-env", environment, &[account("preview-env", "other")]), OWN),
        post(bindings(home), binding("preview-env", environment, &[json!({"kind": "User", "name": "mallory"})]), OWN),
        post(bindings(home), binding("x", environment, &[json!({"kind": "User", "name": "mallory"})]), OTHERS),
    ];
    for elsewhere in ["default", "kube-system", "prey", "preview-env"] {
        attempts.push(post(bindings(elsewhere), binding("preview-env", environment, std::slice::from_ref(&itself)), ELSEWHERE));
    }
    attempts
}

/// What is refused by policies where RBAC would let it through.
fn with_every_right(home: &str) -> Vec<Attempt> {
    let all = "/api/v1/namespaces";
    let labels = |labels: Value| json!({"metadata": {"labels": labels}});
    let role =
        |rules: Value| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "x"}, "rules": rules});
    let opening = |resource: &str| {
        role(
            json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}, {"apiGroups": ["", "networking.k8s.io"], "resources": [resource], "verbs": ["update"]}]),
        )
    };
    let mut attempts = vec![
        patch(format!("{all}/kube-system"), labels(json!({LABEL_ENVIRONMENT_UID: "1"})), NAMESPACE),
        patch(
            format!("{all}/prey"),
            labels(json!({LABEL_ENVIRONMENT_UID: "1", LABEL_BASELINE_NAMESPACE: "prey", LABEL_MANAGED_BY: MANAGED_BY})),
            NAMESPACE,
        ),
        patch(format!("{all}/{home}"), labels(json!({LABEL_ENVIRONMENT_UID: null})), NAMESPACE),
        patch(format!("{all}/{home}"), labels(json!({LABEL_ENVIRONMENT_UID: "other"})), STAYS),
        patch(format!("{all}/{home}"), labels(json!({LABEL_POD_SECURITY: "privileged"})), LEVEL),
        patch(format!("{all}/{home}/status"), labels(json!({LABEL_POD_SECURITY: "privileged"})), LEVEL),
        post(bindings(home), binding("x", ("ClusterRole", "cluster-admin"), &[account(home, "web")]), OTHERS),
        delete(format!("{}/x", bindings("prey")), ELSEWHERE),
    ];
    for resource in ["*", "*/finalize", "namespaces", "namespaces/status", "networkpolicies", "rolebindings", "serviceaccounts/token"] {
        attempts.push(post(format!("{RBAC}/namespaces/{home}/roles"), opening(resource), GUARDS));
    }
    attempts
}

/// What its rights do not hold.
fn against_rights(home: &str, pod: &str) -> Vec<Attempt> {
    let everywhere = ["kube-system", "default", "prey", home];
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "x", "image": "x"}]}}}});
    let admin = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "x"},
        "subjects": [account("preview-env", "preview-env")],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}});
    let ours = "/apis/preview-env.dev/v1alpha1";
    let mut attempts = vec![
        post(bindings(home), binding("x", ("ClusterRole", "cluster-admin"), &[account(home, "web")]), GRANTS),
        post(format!("{RBAC}/clusterrolebindings"), admin, CANNOT),
        patch(format!("{RBAC}/clusterroles/preview-env:controller"), json!({"rules": []}), CANNOT),
        patch(format!("/api/v1/namespaces/{home}"), json!({"metadata": {"labels": {LABEL_POD_SECURITY: "privileged"}}}), CANNOT),
        patch("/api/v1/namespaces/kube-system", json!({"metadata": {"labels": {LABEL_ENVIRONMENT_UID: "1"}}}), CANNOT),
        post(format!("/api/v1/namespaces/{home}/pods/{pod}/exec?command=sh"), Value::Null, CANNOT),
        post(
            format!("/api/v1/namespaces/{home}/serviceaccounts/default/token"),
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}),
            CANNOT,
        ),
        post(
            "/api/v1/namespaces/kube-system/serviceaccounts/default/token",
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}),
            CANNOT,
        ),
        patch(format!("{ours}/namespaces/prey/baselines/prey"), json!({"spec": {"access": []}}), CANNOT),
        post(
            format!("{ours}/previewpolicies"),
            json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewPolicy", "metadata": {"name": "x"}, "spec": {}}),
            CANNOT,
        ),
        delete("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/preview-env-namespaces", CANNOT),
        delete("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/preview-env-rolebindings", CANNOT),
        get("/api/v1/secrets"),
        get("/api/v1/namespaces/prey/secrets/unlisted"),
        get(format!("/api/v1/namespaces/{home}/secrets/listed")),
    ];
    for namespace in everywhere {
        attempts.push(get(format!("/api/v1/namespaces/{namespace}/secrets")));
    }
    for namespace in ["kube-system", "default", "prey", "preview-env"] {
        attempts.push(post(format!("/apis/apps/v1/namespaces/{namespace}/deployments"), deployment.clone(), CANNOT));
        attempts.push(post(
            format!("/api/v1/namespaces/{namespace}/pods"),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}),
            CANNOT,
        ));
    }
    attempts
}

/// Makes a namespace of an environment, as the service would, and has an administrator take its labels away.
async fn freed(world: &World, service: &Client) -> anyhow::Result<String> {
    let name = "prey-freed".to_owned();
    let namespaces: Api<Namespace> = Api::all(service.clone());
    namespaces.create(&kube::api::PostParams::default(), &serde_json::from_value(namespace(&name, |_| ()))?).await?;
    let none = json!({"metadata": {"labels": {LABEL_ENVIRONMENT_UID: null}}});
    Api::<Namespace>::all(world.admin.clone()).patch(&name, &PatchParams::default(), &Patch::Merge(none)).await?;
    Ok(name)
}

/// A pod of an environment.
async fn pod(world: &World, namespace: &str) -> anyhow::Result<String> {
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(world.admin.clone(), namespace);
    Ok(pods.list(&kube::api::ListParams::default()).await?.items.first().context("no pod")?.name_any())
}

/// Gives the service every right that RBAC has, and waits until it has it.
async fn give_every_right(world: &World, service: &Client) -> anyhow::Result<()> {
    let all = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "too-much"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [account("preview-env", "preview-env")]});
    apply(&world.admin, &serde_json::from_value(all)?, None).await?;
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
    let asking = async {
        loop {
            ticks.tick().await;
            let secrets = Request::new("/api/v1/secrets").list(&kube::api::ListParams::default())?;
            if service.request::<Value>(secrets).await.is_ok() {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(test_world::deadline(), asking).await.context("cluster-admin does not count")?
}

#[test]
fn whoever_takes_over_the_service_gets_no_further_than_environments() {
    story_apart(|world| async move {
        let shop = Shop::open(world, "prey").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let (home, service) = (pull.namespace(), world.cluster.service_account_client("preview-env", "preview-env").await?);
        let (pod, freed) = (pod(world, &home).await?, freed(world, &service).await?);
        for attempt in against_rights(&home, &pod).iter().chain(&against_policies(&home, &freed)) {
            refused(&service, attempt).await?;
        }
        give_every_right(world, &service).await?;
        apply(&world.admin, &serde_json::from_value(binding("x", ("ClusterRole", "view"), &[account("prey", "web")]))?, Some("prey"))
            .await?;
        for attempt in with_every_right(&home).iter().chain(&against_policies(&home, &freed)) {
            refused(&service, attempt).await?;
        }
        let bindings: Api<ClusterRoleBinding> = Api::all(world.admin.clone());
        bindings.delete("too-much", &DeleteParams::default()).await?;
        // What it is there for still works.
        pull.perform(On::close).await?;
        pull.wait_until_gone().await
    });
}

#[test]
fn the_policies_are_understood_by_the_api_server() {
    story_apart(|world| async move {
        use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(world.admin.clone());
        for name in ["preview-env-namespaces", "preview-env-rolebindings", "preview-env-roles", "preview-env-approval", "preview-env"] {
            let checked =
                |p: Option<&ValidatingAdmissionPolicy>| p.and_then(|p| p.status.as_ref()).is_some_and(|s| s.type_checking.is_some());
            let policy = wait_for(&policies, name, "checked", checked).await?.unwrap_or_default();
            let warnings = policy.status.and_then(|s| s.type_checking).and_then(|t| t.expression_warnings).unwrap_or_default();
            assert!(warnings.is_empty(), "{name}: {warnings:#?}");
        }
        Ok(())
    });
}
