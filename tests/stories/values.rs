//! Values that differ in an environment: names that are rewritten, variables, patches, and Secrets of its own.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, Patch, PatchParams};
use preview_env::api::Baseline;
use preview_env::api::conditions::{ConditionStatus, STALLED};
use serde_json::json;
use test_world::wait_for;

use crate::shop::{Pull, Shop, story};

/// Settings that name the shop's own host, its database by its full name, and somebody else's mail server.
const LINKS: &str = r"
apiVersion: v1
kind: ConfigMap
metadata:
  name: links
data:
  file.yaml: |
    url: https://values.example.com/x
    db: db.values.svc.cluster.local:5432
    other: db.values.example.org
    mail: smtp://mail.example.org:25
";

async fn in_environment<K>(pull: &Pull<'_>, name: &str) -> anyhow::Result<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    Ok(Api::<K>::namespaced(pull.shop.world.admin.clone(), &pull.namespace()).get(name).await?)
}

async fn secret_value(pull: &Pull<'_>, name: &str, key: &str) -> anyhow::Result<String> {
    let secret: Secret = in_environment(pull, name).await?;
    let value = secret.data.and_then(|data| data.get(key).cloned());
    Ok(value.map(|bytes| String::from_utf8(bytes.0)).transpose()?.unwrap_or_default())
}

async fn variable(pull: &Pull<'_>, workload: &str, name: &str) -> anyhow::Result<String> {
    let deployment: Deployment = in_environment(pull, workload).await?;
    let containers = deployment.spec.and_then(|s| s.template.spec).map(|s| s.containers).unwrap_or_default();
    let mut variables = containers.into_iter().flat_map(|c| c.env.unwrap_or_default());
    Ok(variables.find(|e| e.name == name).and_then(|e| e.value).unwrap_or_default())
}

#[test]
fn an_environment_has_names_and_values_of_its_own() {
    story(|world| async move {
        let shop = Shop::holding(world, "values", LINKS, |spec| {
            spec["clone"] = json!({
                "secrets": [
                    {"name": "listed"},
                    {"name": "db", "from": "listed", "generate": ["TOKEN"], "set": {"URL": "postgres://app:{{ generated.TOKEN }}@db.{{ namespace }}/x"}},
                ],
                "env": [{"name": "PUBLIC_URL", "value": "https://{{ host }}/{{ revision_short }}", "workloads": ["web"], "containers": ["web"]}],
                "patches": [
                    {"target": {"kind": "Deployment", "name": "api"}, "jsonPatch": [
                        {"op": "add", "path": "/spec/template/spec/containers/0/args", "value": ["--pull={{ pull }}"]}]},
                    {"target": {"kind": "ConfigMap", "name": "settings"}, "merge": {"data": {"GREETING": "hello from {{ env }}"}}},
                ],
            });
        })
        .await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let (name, host, space) = (pull.name(), format!("{}.values.preview.example.com", pull.name()), pull.namespace());

        let links: ConfigMap = in_environment(&pull, "links").await?;
        let file = format!(
            "url: https://{host}/x\ndb: db.{space}.svc.cluster.local:5432\nother: db.values.example.org\nmail: smtp://mail.example.org:25\n"
        );
        assert_eq!(links.data.and_then(|d| d.get("file.yaml").cloned()), Some(file));
        let settings: ConfigMap = in_environment(&pull, "settings").await?;
        assert_eq!(settings.data.and_then(|d| d.get("GREETING").cloned()), Some(format!("hello from {name}")));
        let api: Deployment = in_environment(&pull, "api").await?;
        let args = api.spec.and_then(|s| s.template.spec).and_then(|s| s.containers[0].args.clone());
        assert_eq!(args, Some(vec![format!("--pull={}", pull.number)]));

        let token = secret_value(&pull, "db", "TOKEN").await?;
        assert_eq!(token.len(), 32);
        assert_eq!(secret_value(&pull, "db", "URL").await?, format!("postgres://app:{token}@db.{space}/x"));
        assert_eq!(secret_value(&pull, "db", "password").await?, "of-the-baseline");
        assert_eq!(variable(&pull, "web", "PUBLIC_URL").await?, format!("https://{host}/{}", &pull.revision()?[..7]));

        pull.perform(github_double::On::push).await?;
        pull.wait_until_ready().await?;
        assert_eq!(secret_value(&pull, "db", "TOKEN").await?, token, "it stays as long as the environment");
        assert_eq!(variable(&pull, "web", "PUBLIC_URL").await?, format!("https://{host}/{}", &pull.revision()?[..7]));

        let baselines: Api<Baseline> = Api::namespaced(world.admin.clone(), "values");
        let externals = baselines.get("values").await?.status.map(|s| s.externals).unwrap_or_default();
        let mail = externals.iter().find(|e| e.host == "mail.example.org");
        assert!(mail.is_some_and(|e| e.port == Some(25) && e.used_by == ["ConfigMap/links data[file.yaml]"]), "{externals:?}");
        assert!(externals.iter().all(|e| !e.host.contains("values.svc") && e.host != "values.example.com"), "{externals:?}");
        Ok(())
    });
}

#[test]
fn what_cannot_be_done_is_named_and_nothing_is_applied() {
    story(|world| async move {
        let broken = json!([{"target": {"kind": "Deployment", "name": "web"}, "jsonPatch": [{"op": "remove", "path": "/spec/nope"}]}]);
        let shop = Shop::with(world, "patched", |spec| spec["clone"] = json!({"patches": broken})).await?;
        let pull = shop.pull_request("login").await?;
        let why = pull.wait_for_condition(STALLED, ConditionStatus::True, "Overrides").await?;
        assert!(why.contains("clone.patches[0]") && why.contains("Deployment/web") && why.contains("/spec/nope"), "{why}");
        assert!(!pull.has_namespace().await?, "half of what was asked for is made");

        let baselines: Api<Baseline> = Api::namespaced(world.admin.clone(), "patched");
        let bare = json!({"spec": {"template": {"spec": {"initContainers": null}}}});
        let mended = json!([{"target": {"kind": "Deployment", "name": "web"}, "merge": bare}]);
        // A merge patch, such as that of `kubectl apply`, would lose the null on its way.
        let mended = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "Baseline", "spec": {"clone": {"patches": mended}}});
        baselines.patch("patched", &PatchParams::apply("story").force(), &Patch::Apply(&mended)).await?;
        pull.wait_until_ready().await?;
        let web: Deployment = in_environment(&pull, "web").await?;
        assert!(web.spec.and_then(|s| s.template.spec).is_some_and(|s| s.init_containers.is_none()));
        let other = json!({"spec": {"clone": {"patches": [{"target": {"kind": "Deployment", "name": "wbe"}, "merge": {"spec": {"replicas": 2}}}]}}});
        baselines.patch("patched", &PatchParams::default(), &Patch::Merge(&other)).await?;
        let warns = |b: Option<&Baseline>| {
            let conditions = b.and_then(|b| b.status.as_ref()).map(|s| s.conditions.clone()).unwrap_or_default();
            conditions.iter().any(|c| c.type_ == "Warning" && c.message.contains("clone.patches[0]: the baseline has no Deployment/wbe"))
        };
        wait_for(&baselines, "patched", "a warning of a patch for nothing", warns).await?;
        Ok(())
    });
}
