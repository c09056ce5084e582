//! `preview plan`: before anything is installed, and of what is there.

use github_double::On;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use preview_env::api::status::HookState;
use serde_json::{Value, json};
use test_world::{apply, read, root, wait_for};

use crate::developer::{Developer, Ran};
use crate::shop::{Shop, story};

/// Somebody who may view a namespace by Kubernetes' own rules, and knows nothing of our kinds.
async fn onlooker(world: &'static test_world::World, namespace: &str) -> anyhow::Result<Developer> {
    let rules = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": format!("look-at-{namespace}")},
        "rules": [
            {"apiGroups": [""], "resources": ["configmaps", "endpoints", "persistentvolumeclaims", "pods", "serviceaccounts", "services"],
             "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["apps"], "resources": ["daemonsets", "deployments", "replicasets", "statefulsets"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["batch"], "resources": ["cronjobs", "jobs"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "networkpolicies"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]}]});
    apply(&world.admin, &serde_json::from_value(rules)?, None).await?;
    Developer::with_role(world, namespace, &format!("look-at-{namespace}")).await
}

/// Puts the example's objects into a namespace of that name, without a Baseline.
pub async fn hold_the_shop(world: &test_world::World, namespace: &str) -> anyhow::Result<()> {
    world.namespace(namespace).await?;
    for entry in std::fs::read_dir(root().join("examples/shop"))? {
        let path = entry?.path();
        let is_manifest = path.extension().is_some_and(|e| e == "yaml") && !path.ends_with("baseline.yaml");
        for mut object in if is_manifest { read(&std::fs::read_to_string(path)?)? } else { Vec::new() } {
            object.metadata.namespace = None;
            // A port of the nodes is one for the whole cluster, which has several of these namespaces.
            for port in object.data.pointer_mut("/spec/ports").and_then(Value::as_array_mut).into_iter().flatten() {
                port.as_object_mut().map(|port| port.remove("nodePort"));
            }
            if object.types.as_ref().is_some_and(|t| t.kind != "Namespace") {
                apply(&world.admin, &object, Some(namespace)).await?;
            }
        }
    }
    Ok(())
}

fn code(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
}

#[test]
fn a_namespace_is_explained_to_one_who_may_only_look() {
    story(|world| async move {
        let namespace = "plan-first";
        hold_the_shop(world, namespace).await?;
        let onlooker = onlooker(world, namespace).await?;
        let ran = onlooker.run(&["plan", "--from-namespace", namespace, "--write-baseline", "drafted.yaml"]).await?;
        code(&ran, 1);
        for line in [
            "8 of 12 workloads would start. 12 of 12 once the Secret below is listed.",
            "  Secret/shop-db  used by api, catalog, orders and db; not copied unless listed",
            "                  mend: clone.secrets: [{name: shop-db}]",
            "not looked at",
            "    - name: acme/web",
        ] {
            assert!(ran.stdout.contains(line), "{line:?} is not in\n{}", ran.stdout);
        }
        assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80 && !line.contains('\u{1b}')), "{}", ran.stdout);
        assert!(!ran.stdout.contains("may not list secrets"), "they are not asked for");

        let drafted = std::fs::read_to_string(onlooker.home().join("drafted.yaml"))?;
        assert!(ran.stdout.contains(drafted.trim_end()), "{drafted}");
        let again = onlooker.run(&["plan", "--from-namespace", namespace, "--write-baseline", "drafted.yaml"]).await?;
        again.fails(2);

        let json: Value = serde_json::from_str(&onlooker.run(&["plan", "--from-namespace", namespace, "-o", "json"]).await?.stdout)?;
        assert_eq!((&json["complete"], &json["workloads"]), (&json!(false), &json!(12)));
        assert_eq!(json["secretsNeeded"][0]["name"], "shop-db");

        let elsewhere = onlooker.run(&["plan", "--from-namespace", "default"]).await?.fails(2);
        assert!(elsewhere.contains("you may not list anything in namespace default"), "{elsewhere}");
        Ok(())
    });
}

/// What runs of an environment, by kind and name.
async fn live(shop: &Shop, namespace: &str, object: &Value) -> anyhow::Result<DynamicObject> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("/kind")));
    let api: Api<DynamicObject> = Api::namespaced_with(shop.world.admin.clone(), namespace, &resource);
    Ok(api.get(text("/metadata/name")).await?)
}

#[test]
fn a_plan_is_what_the_service_applied_and_a_diff_is_what_it_would() {
    story(|world| async move {
        let shop = Shop::open(world, "plan-made").await?;
        let developer = Developer::of(&shop).await?;
        let pull = shop.pull_request("login").await?;
        let status = pull.wait_until_ready().await?;
        let plan = status.plan.clone().unwrap_or_default();
        assert_eq!((plan.workloads, plan.would_start, status.missing.len()), (3, 3, 0));
        Developer::bind(world, &shop.namespace, &pull.namespace(), "edit").await?;

        let ran = developer.run(&["plan", "web-pr-1", "-o", "yaml"]).await?;
        assert!(ran.stderr.contains("digests"), "{}", ran.stderr);
        let objects: Vec<Value> =
            ran.stdout.split("---\n").filter(|t| !t.is_empty()).map(serde_saphyr::from_str).collect::<Result<_, _>>()?;
        assert_eq!(objects.len(), status.inventory.len());
        for object in &objects {
            let hash = &object["metadata"]["annotations"]["preview-env.dev/applied-hash"];
            let entry =
                status.inventory.iter().find(|e| object["kind"] == e.kind.as_str() && object["metadata"]["name"] == e.name.as_str());
            assert_eq!(hash.as_str(), entry.and_then(|e| e.hash.as_deref()), "{object}");
            let there = live(&shop, &pull.namespace(), object).await?;
            assert_eq!(
                there.metadata.annotations.as_ref().and_then(|a| a.get("preview-env.dev/applied-hash")).map(String::as_str),
                hash.as_str()
            );
        }
        assert!(!ran.stdout.contains("of-the-baseline"));

        let same = developer.run(&["plan", "web-pr-1", "--diff"]).await?;
        assert_eq!((same.code, same.stdout.as_str()), (Some(0), ""), "{}", same.stderr);

        let other = developer.run(&["plan", "--pull", "1", "--repo", &shop.repository, "--image", "web=debug-1", "--diff"]).await?;
        code(&other, 1);
        let changed: Vec<&str> = other.stdout.lines().filter(|l| l.starts_with(['+', '-'])).collect();
        assert!(changed.len() == 4 && changed.iter().all(|l| l.contains("image: ")), "web and its init container: {}", other.stdout);

        let before = pull.revision()?;
        pull.act_later(On::push)?;
        let after = pull.revision()?;
        let pushed = developer.run(&["plan", "web-pr-1", "--revision", &after, "--diff"]).await?;
        code(&pushed, 1);
        assert!(
            pushed.stdout.contains(&format!("+        image: registry.example.com:5000/acme/web:pr-1-{}", &after[..7])),
            "{}",
            pushed.stdout
        );
        assert_eq!(pushed.stdout.lines().filter(|l| l.starts_with(['+', '-'])).count(), 4, "{}", pushed.stdout);

        let missing = developer.run(&["plan", "--pull", "77", "--repo", &shop.repository, "--diff"]).await?.fails(2);
        assert!(missing.contains("web-pr-77 is not there"), "{missing}");
        let new = developer.run(&["plan", "--pull", "77", "--repo", &shop.repository, "--revision", &before]).await?;
        code(&new, 0);
        assert!(new.stdout.contains(&format!("web:pr-77-{}", &before[..7])), "{}", new.stdout);
        Ok(())
    });
}

/// Values that readers of YAML take for something else, and a Secret of which a tool wrote down everything.
const ODD: &str = r##"
apiVersion: v1
kind: ConfigMap
metadata: {name: odd, annotations: {"yes": "no"}}
data:
  "on": "off"
  "y": "1e3"
  octal: "0o14"
  date: "2026-11-28"
  time: "12:30:45"
  nothing: ""
  "null": "null"
  padded: " x "
  script: "#!/bin/sh\n...\n\techo a: b #c\n\n"
  windows: "a\r\nb\n"
---
apiVersion: v1
kind: Secret
metadata:
  name: vault
  annotations:
    kapp.k14s.io/original: '{"stringData":{"token":"hunter2-of-production"}}'
    kubectl.kubernetes.io/last-applied-configuration: '{"stringData":{"token":"hunter2-of-production"}}'
    example.com/copy: hunter2-of-production
stringData: {token: hunter2-of-production}
"##;

/// `hunter2-of-production`, as Secrets hold it.
const ENCODED: &str = "aHVudGVyMi1vZi1wcm9kdWN0aW9u";

#[test]
fn what_is_written_as_yaml_is_what_is_applied_to_the_byte_and_tells_no_secret() {
    story(|world| async move {
        let seed = json!({"template": {"spec": {"containers": [{"name": "seed", "image": "acme/seed:1"}]}}});
        let shop = Shop::holding(world, "plan-odd", ODD, |spec| {
            spec["clone"] = json!({"secrets": [{"name": "listed"}, {"name": "vault", "generate": ["key"]}]});
            spec["hooks"] = json!([{"name": "seed", "when": "AfterReady", "job": seed}]);
        })
        .await?;
        let developer = Developer::of(&shop).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let status = pull.wait("seeded", |s| s.hooks.iter().any(|h| h.state == HookState::Succeeded)).await?;
        Developer::bind(world, &shop.namespace, &pull.namespace(), "edit").await?;

        let json: Value = serde_json::from_str(&developer.run(&["plan", "web-pr-1", "-o", "json"]).await?.stdout)?;
        let yaml = developer.run(&["plan", "web-pr-1", "-o", "yaml"]).await?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&yaml.stdout)?;
        let jobs = json["hooks"].as_array().into_iter().flatten().map(|hook| hook["job"].clone());
        let objects: Vec<Value> = json["objects"].as_array().into_iter().flatten().cloned().chain(jobs).collect();
        assert_eq!(documents, objects, "yaml and json say the same");
        let job = documents.last().and_then(|job| job["metadata"]["name"].as_str());
        assert_eq!(job, status.hooks.first().map(|hook| hook.job.as_str()));

        for document in documents.iter().filter(|document| document["kind"] != "Secret") {
            let mut bare = document.clone();
            let annotations = bare.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
            let said = annotations.and_then(|annotations| annotations.remove("preview-env.dev/applied-hash"));
            if bare["metadata"]["annotations"] == json!({}) {
                bare["metadata"].as_object_mut().map(|metadata| metadata.remove("annotations"));
            }
            assert_eq!(said, Some(json!(preview_env::plan::hash(&bare))), "{document}");
            let there = live(&shop, &pull.namespace(), document).await?;
            let hash = there.metadata.annotations.as_ref().and_then(|a| a.get("preview-env.dev/applied-hash"));
            assert_eq!(hash.map(String::as_str), said.as_ref().and_then(Value::as_str), "{document}");
        }
        let there = live(&shop, &pull.namespace(), &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd"}})).await?;
        let odd = documents.iter().find(|document| document["metadata"]["name"] == "odd");
        assert_eq!(odd.map(|odd| &odd["data"]), Some(&there.data["data"]));

        for arguments in [&["-o", "json"][..], &["-o", "yaml"], &["--all"], &[], &["--diff"], &["--image", "web=x", "--diff"]] {
            let ran = developer.run(&[&["plan", "web-pr-1"], arguments].concat()).await?;
            let all = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!all.contains("hunter2") && !all.contains(ENCODED) && !all.contains("of-the-baseline"), "{arguments:?}: {all}");
        }
        Ok(())
    });
}

const LACKING: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: mail}
spec:
  selector: {matchLabels: {app: mail}}
  template:
    metadata: {labels: {app: mail}}
    spec:
      containers:
        - name: mail
          image: registry.example.com:5000/acme/mail:1
          env: [{name: BROKER, value: 'events:9092'}]
          envFrom: [{secretRef: {name: unlisted}}]
---
apiVersion: v1
kind: Service
metadata: {name: events}
spec: {selector: {app: events}, ports: [{port: 9092}]}
";

#[test]
fn what_environments_lack_is_said_where_people_look() {
    story(|world| async move {
        let shop = Shop::holding(world, "plan-lacking", LACKING, |_| ()).await?;
        let baselines: Api<preview_env::api::Baseline> = Api::namespaced(world.admin.clone(), &shop.namespace);
        let told = |b: Option<&preview_env::api::Baseline>| {
            b.and_then(|b| b.status.as_ref()).is_some_and(|s| !s.secrets_needed.is_empty() && !s.unbacked.is_empty())
        };
        let status = wait_for(&baselines, &shop.namespace, "told what is missing", told).await?.and_then(|b| b.status).unwrap_or_default();
        assert_eq!((status.secrets_needed[0].name.as_str(), status.secrets_needed[0].used_by.join(" ")), ("unlisted", "mail".to_owned()));
        assert_eq!(status.unbacked[0].name, "events");

        let pull = shop.pull_request("login").await?;
        pull.wait("told what is missing", |s| !s.missing.is_empty()).await?;
        let developer = Developer::of(&shop).await?;
        let described = developer.run(&["describe", "web-pr-1"]).await?.succeeds();
        for line in [
            "missing, 3 of 4 workloads have all they need",
            "Secret/unlisted  used by mail; not copied unless listed",
            "mend: clone.secrets: [{name: unlisted}]",
            "named by mail",
        ] {
            assert!(described.contains(line), "{line:?} is not in\n{described}");
        }
        let planned = developer.run(&["plan", "web-pr-1"]).await?;
        code(&planned, 1);
        assert!(planned.stdout.contains("3 of 4 workloads would start."), "{}", planned.stdout);
        assert!(!planned.stdout.contains("Service/events"), "it has no endpoints in the baseline either: {}", planned.stdout);
        Ok(())
    });
}
