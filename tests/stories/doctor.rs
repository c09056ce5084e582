//! What `preview doctor` says of an installation that is well, of one that is not, and to somebody who may not look.

use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::IngressClass;
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use test_world::{APP, World, apply, deadline, read, wait_for};

use crate::developer::Developer;
use crate::shop::{Shop, story, story_apart, story_of_an_app};

const SERVICE: &str = include_str!("../../deploy/service.yaml");
/// What a cluster has beside the service: a class for Ingresses, and a network that enforces policies.
const SURROUNDINGS: &str = include_str!("manifests/surroundings.yaml");
/// How often it is asked again until it says what is waited for.
const AGAIN: Duration = Duration::from_millis(200);

/// What the service says of itself in a cluster where it runs: here it runs beside it, and its pods are none.
async fn install_the_rest(world: &World) -> anyhow::Result<()> {
    let image = format!("preview:{}", env!("CARGO_PKG_VERSION"));
    let service = read(&SERVICE.replace("preview:replace-me", &image))?;
    for object in service.iter().chain(&read(SURROUNDINGS)?) {
        apply(&world.admin, object, None).await?;
    }
    let deployments: Api<Deployment> = Api::namespaced(world.admin.clone(), "preview-env");
    let ready = |d: Option<&Deployment>| d.and_then(|d| d.status.as_ref()).is_some_and(|s| s.ready_replicas == Some(2));
    wait_for(&deployments, "preview-env", "two ready replicas", ready).await.map(drop)
}

/// The checks, as scripts read them.
struct Checks {
    code: Option<i32>,
    all: Vec<Value>,
}

impl Checks {
    async fn of(developer: &Developer, flags: &[&str]) -> anyhow::Result<Self> {
        let ran = developer.run(&[&["doctor", "-o", "json"], flags].concat()).await?;
        let object: Value = serde_json::from_str(&ran.stdout).with_context(|| format!("{}{}", ran.stdout, ran.stderr))?;
        Ok(Self { code: ran.code, all: object["checks"].as_array().cloned().unwrap_or_default() })
    }

    /// Those of that name that ended so.
    fn of_result(&self, check: &str, result: &str) -> Vec<&str> {
        let is_it = |one: &&Value| one["check"] == check && one["result"] == result;
        self.all.iter().filter(is_it).filter_map(|one| one["message"].as_str()).collect()
    }

    fn names_of(&self, result: &str) -> Vec<&str> {
        self.all.iter().filter(|one| one["result"] == result).filter_map(|one| one["check"].as_str()).collect()
    }
}

/// Asks until these checks say so: the API server hears of rights some milliseconds after they were given, and serves a kind anew
/// for a moment after its definition changed.
async fn wait_until_said(developer: &Developer, result: &str, checks: &[&str]) -> anyhow::Result<Checks> {
    let asking = async {
        let mut ticks = tokio::time::interval(AGAIN);
        loop {
            ticks.tick().await;
            let said = Checks::of(developer, &[]).await?;
            if checks.iter().all(|check| !said.of_result(check, result).is_empty()) {
                return anyhow::Ok(said);
            }
        }
    };
    tokio::time::timeout(deadline(), asking).await.with_context(|| format!("{checks:?} are never all said to be {result}"))?
}

/// Opens a shop whose environments would be reached by a class that there is, and gives who administers the cluster.
async fn healthy(world: &'static World) -> anyhow::Result<(Shop, Developer)> {
    install_the_rest(world).await?;
    let shop = Shop::with(world, "doctor", |spec| spec["hosts"]["ingressClassName"] = json!("nginx")).await?;
    let developer = Developer::of(&shop).await?;
    developer.administers(&shop).await?;
    Ok((shop, developer))
}

#[test]
fn a_healthy_installation_is_said_to_be_one_and_each_thing_that_breaks_has_its_line() {
    story_apart(|world| async move {
        let (_shop, developer) = healthy(world).await?;
        let checks = Checks::of(&developer, &[]).await?;
        // Nobody has made a record for the shop's domain, nothing runs in these pods, and nobody gave an App or a registry.
        assert_eq!((checks.code, checks.names_of("failure")), (Some(1), vec!["dns"]), "{:#?}", checks.all);
        assert_eq!(checks.names_of("notChecked"), ["webhook", "deliveries", "app", "registry"], "{:#?}", checks.all);
        assert_eq!(checks.names_of("warning"), Vec::<&str>::new(), "{:#?}", checks.all);
        let well = ["cluster", "kinds", "service", "version", "rights", "rights", "rights", "excess", "policies", "baseline"];
        assert_eq!(checks.names_of("ok"), [&well[..], &["ingress", "certificate", "storage", "network", "clock"]].concat());

        break_it(world).await?;
        let checks = wait_until_said(&developer, "failure", &["kinds", "rights", "policies", "ingress"]).await?;
        assert_eq!(checks.code, Some(1));
        assert_eq!(
            checks.of_result("kinds", "failure"),
            ["baselines are too old: they do not have spec.access, spec.access.role, spec.access.subject, and 3 more"]
        );
        assert_eq!(checks.of_result("rights", "failure"), ["the service may not list nodes"]);
        let classes = checks.of_result("ingress", "failure");
        assert_eq!(classes, ["IngressClass nginx is not there; there is none"]);
        let policies = checks.of_result("policies", "failure");
        assert!(policies.iter().any(|said| said.ends_with(": preview-env-roles")), "{policies:?}");

        bind_cluster_admin(world).await?;
        let checks = wait_until_said(&developer, "failure", &["excess", "ingress"]).await?;
        assert_eq!(checks.of_result("rights", "failure"), Vec::<&str>::new(), "who may do all may do that too");
        let text = developer.run(&["doctor"]).await?.stdout;
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("failure      excess       the service is cluster-admin: "), "{text}");
        assert!(text.contains("mend: preview crd | kubectl apply --server-side -f -"), "{text}");

        // A cluster that takes connections and answers nothing holds nobody up for long.
        world.cluster.pause_api_server()?;
        let silent = Checks::of(&developer, &[]).await;
        world.cluster.resume_api_server()?;
        let silent = silent?;
        assert_eq!((silent.code, silent.names_of("failure"), silent.all.len()), (Some(1), vec!["cluster"], 1), "{:#?}", silent.all);
        Ok(())
    });
}

/// A field that the kinds of an older version did not have, a right and a policy that somebody took away, and no class.
async fn break_it(world: &World) -> anyhow::Result<()> {
    let crds: Api<CustomResourceDefinition> = Api::all(world.admin.clone());
    let field = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/access";
    let without: Patch<()> = Patch::Json(serde_json::from_value(json!([{"op": "remove", "path": field}]))?);
    crds.patch("baselines.preview-env.dev", &PatchParams::default(), &without).await?;

    let roles: Api<ClusterRole> = Api::all(world.admin.clone());
    let mut kept = roles.get("preview-env:controller").await?.rules.unwrap_or_default();
    kept.retain(|rule| rule.resources.as_deref().unwrap_or_default() != ["nodes"]);
    let patch = Patch::Merge(json!({"rules": kept}));
    roles.patch("preview-env:controller", &PatchParams::default(), &patch).await?;

    let bindings: Api<k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding> = Api::all(world.admin.clone());
    bindings.delete("preview-env-roles", &DeleteParams::default()).await?;
    let classes: Api<IngressClass> = Api::all(world.admin.clone());
    classes.delete("nginx", &DeleteParams::default()).await?;
    Ok(())
}

async fn bind_cluster_admin(world: &World) -> anyhow::Result<()> {
    let binding: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "too-much"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "preview-env", "namespace": "preview-env"}],
    }))?;
    apply(&world.admin, &binding, None).await
}

#[test]
fn whoever_may_not_look_is_told_what_was_not_checked_and_without_a_cluster_there_is_one_line() {
    story(|world| async move {
        let shop = Shop::open(world, "doctor-edit").await?;
        let developer = Developer::of(&shop).await?;
        let checks = Checks::of(&developer, &["-n", "doctor-edit"]).await?;
        for check in ["kinds", "service", "version", "rights", "excess", "policies", "network"] {
            assert_eq!(checks.of_result(check, "notChecked").len(), 1, "{check}: {:#?}", checks.all);
        }
        assert_eq!(checks.of_result("cluster", "ok").len(), 1);
        assert_eq!(checks.of_result("baseline", "ok"), ["doctor-edit is ready"]);
        assert!(checks.all.iter().all(|one| one["message"].as_str().is_some_and(|said| !said.is_empty())));

        let nowhere = developer.run(&["doctor", "--kubeconfig", "/nowhere/kubeconfig"]).await?;
        assert_eq!((nowhere.code, nowhere.stderr.as_str()), (Some(1), ""), "{}", nowhere.stdout);
        let lines: Vec<&str> = nowhere.stdout.lines().collect();
        assert!(lines[0].starts_with("failure      cluster  cannot use the kubeconfig: "), "{}", nowhere.stdout);
        assert!(nowhere.stdout.contains("mend: name one with --kubeconfig"), "{}", nowhere.stdout);
        assert_eq!(nowhere.stdout.matches("failure      ").count(), 1, "{}", nowhere.stdout);
        developer.run(&["doctor", "-o", "url"]).await?.fails(2);
        Ok(())
    });
}

#[test]
fn an_app_is_asked_what_it_may_do_and_what_it_could_deliver() {
    story_of_an_app(|world| async move {
        let shop = Shop::open(world, "doctor-app").await?;
        let developer = Developer::of(&shop).await?;
        shop.pull_request("login").await?.wait_until_ready().await?;
        let (key, url) = {
            let service = world.service.lock().await;
            (service.folder().join("github-app-key"), world.github.base_url().to_owned())
        };
        let (key, id) = (key.display().to_string(), APP.to_string());
        let flags = ["-n", "doctor-app", "--github-url", &url, "--github-app-id", &id, "--github-app-key-file", &key];
        let checks = Checks::of(&developer, &flags).await?;
        assert_eq!(checks.of_result("app", "ok").len(), 2, "{:#?}", checks.all);
        assert_eq!(checks.of_result("clock", "ok").len(), 2, "{:#?}", checks.all);
        let deliveries = checks.all.iter().find(|one| one["check"] == "deliveries").context("no line of deliveries")?;
        assert_ne!(deliveries["result"], "notChecked", "{deliveries}");
        assert!(!checks.all.iter().any(|one| one.to_string().contains("PRIVATE KEY")));
        Ok(())
    });
}
