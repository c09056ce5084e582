//! What stands around the copies: that it is there, that it is the service's, and what people see of it.

use k8s_openapi::api::core::v1::{LimitRange, Namespace, Pod, ResourceQuota, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, ListParams};
use kube::{Resource, ResourceExt};
use preview_env::api::names::{LABEL_ENVIRONMENT_UID, MANAGER_CONTROLLER, OWN_OBJECT};
use preview_env::plan::admission::VERSION;
use serde_json::json;
use test_world::{apply, wait_for};

use crate::shop::{Shop, story};

/// That an object carries the environment's UID and nobody but the service wrote its spec.
fn assert_ours<K: Resource<DynamicType = ()>>(object: &K, uid: &str) {
    let kind = K::kind(&());
    assert_eq!(object.labels().get(LABEL_ENVIRONMENT_UID).map(String::as_str), Some(uid), "{kind}");
    let managers = object.managed_fields().iter().filter(|entry| entry.subresource.is_none());
    let managers: Vec<_> = managers.filter_map(|entry| entry.manager.as_deref()).collect();
    assert!(managers.contains(&MANAGER_CONTROLLER), "{kind}: {managers:?}");
}

#[test]
fn an_environment_has_everything_that_stands_around_the_copies() {
    story(|world| async move {
        let shop = Shop::open(world, "surrounded").await?;
        let pull = shop.pull_request("login").await?;
        let status = pull.wait_until_ready().await?;
        let (namespace, uid) = (pull.namespace(), pull.environment().await?.uid().unwrap_or_default());
        let admin = &world.admin;

        let policy = Api::<NetworkPolicy>::namespaced(admin.clone(), &namespace).get(OWN_OBJECT).await?;
        assert_ours(&policy, &uid);
        let spec = policy.spec.unwrap_or_default();
        assert_eq!(spec.policy_types, Some(vec!["Ingress".to_owned(), "Egress".to_owned()]));
        assert_eq!((spec.ingress.map(|i| i.len()), spec.egress.map(|e| e.len())), (Some(2), Some(2)));

        assert_ours(&Api::<LimitRange>::namespaced(admin.clone(), &namespace).get(OWN_OBJECT).await?, &uid);
        let quotas: Api<ResourceQuota> = Api::namespaced(admin.clone(), &namespace);
        let counts = |q: Option<&ResourceQuota>| q.and_then(|q| q.status.as_ref()).is_some_and(|s| s.used.is_some());
        let quota = wait_for(&quotas, OWN_OBJECT, "counting", counts).await?.unwrap_or_default();
        assert_ours(&quota, &uid);
        let account = Api::<ServiceAccount>::namespaced(admin.clone(), &namespace).get("default").await?;
        assert_ours(&account, &uid);

        for pod in Api::<Pod>::namespaced(admin.clone(), &namespace).list(&ListParams::default()).await? {
            let volumes = pod.spec.iter().flat_map(|s| s.volumes.iter().flatten()).map(|v| v.name.as_str());
            assert!(volumes.into_iter().all(|name| !name.starts_with("kube-api-access")), "{} has a token", pod.name_any());
        }
        let bindings = Api::<RoleBinding>::namespaced(admin.clone(), &namespace).list(&ListParams::default()).await?;
        assert_eq!(bindings.items.len(), 1, "nobody but the service has rights");
        let made = |kind: &str| status.inventory.iter().any(|e| e.kind == kind && e.name == OWN_OBJECT);
        assert!(["NetworkPolicy", "ResourceQuota", "LimitRange"].into_iter().all(made), "they are pruned like everything else");

        pull.perform(github_double::On::close).await?;
        pull.wait_until_gone().await
    });
}

#[test]
fn a_namespace_says_what_the_baseline_and_the_standard_want() {
    story(|world| async move {
        let shop = Shop::with(world, "marked", |spec| {
            spec["isolation"] = json!({"podSecurity": "baseline"});
            spec["namespace"] =
                json!({"labels": {"cost.example.com/team": "shop"}, "annotations": {"example.com/owner": "the shop's team"}});
        })
        .await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let namespace = Api::<Namespace>::all(world.admin.clone()).get(&pull.namespace()).await?;
        let label = |name: &str| namespace.labels().get(name).cloned().unwrap_or_default();
        for mode in ["enforce", "warn", "audit"] {
            assert_eq!(label(&format!("pod-security.kubernetes.io/{mode}")), "baseline");
            assert_eq!(label(&format!("pod-security.kubernetes.io/{mode}-version")), VERSION);
        }
        assert_eq!(label("cost.example.com/team"), "shop");
        assert_eq!(namespace.annotations().get("example.com/owner").map(String::as_str), Some("the shop's team"));
        Ok(())
    });
}

#[test]
fn whoever_has_access_sees_the_pods_there_and_not_in_the_baseline() {
    story(|world| async move {
        let shop = Shop::with(world, "accessible", |spec| {
            let subject = json!({"kind": "ServiceAccount", "name": "viewer", "namespace": "accessible"});
            spec["access"] = json!([{"subject": subject}, {"subject": {"kind": "User", "name": "ann"}, "role": "Edit"}]);
        })
        .await?;
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "viewer"}});
        apply(&world.admin, &serde_json::from_value(account)?, Some(&shop.namespace)).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let viewer = world.cluster.service_account_client(&shop.namespace, "viewer").await?;
        let pods = |namespace: &str| Api::<Pod>::namespaced(viewer.clone(), namespace);
        let there = pods(&pull.namespace()).list(&ListParams::default()).await?;
        assert!(!there.items.is_empty());
        let refused = pods(&shop.namespace).list(&ListParams::default()).await;
        assert!(matches!(&refused, Err(kube::Error::Api(status)) if status.code == 403), "{refused:?}");
        let edit = Api::<RoleBinding>::namespaced(world.admin.clone(), &pull.namespace()).get("preview-env-edit").await?;
        assert_eq!((edit.role_ref.name.as_str(), edit.subjects.unwrap_or_default()[0].name.as_str()), ("edit", "ann"));
        Ok(())
    });
}

#[test]
fn a_quota_that_is_too_small_is_said_with_the_workload() {
    story(|world| async move {
        let shop = Shop::with(world, "narrow", |spec| spec["isolation"] = json!({"quota": {"hard": {"pods": "1"}}})).await?;
        let pull = shop.pull_request("login").await?;
        let status = pull.wait_until_ready().await?;
        let why = |kind: &str, name: &str| status.left_out.iter().find(|l| l.kind == kind && l.name == name).map(|l| l.why.as_str());
        for (kind, name) in [("Deployment", "api"), ("StatefulSet", "db")] {
            assert_eq!(
                why(kind, name),
                Some("asks for 1 of pods (spec.replicas), and isolation.quota has 0 left"),
                "{:?}",
                status.left_out
            );
        }
        assert!(status.services.iter().any(|s| s.name == "web" && s.ready), "what the branch builds has room first");
        pull.wait_for_comment(|body| body.contains("StatefulSet/db")).await?;
        Ok(())
    });
}

#[test]
fn what_the_copies_of_a_strict_baseline_lack_is_said_before_they_are_made() {
    story(|world| async move {
        let shop = Shop::with(world, "strict", |spec| spec["isolation"] = json!({"podSecurity": "restricted"})).await?;
        let pull = shop.pull_request("login").await?;
        let why = pull
            .wait_for_condition(preview_env::api::conditions::STALLED, preview_env::api::conditions::ConditionStatus::True, "Refused")
            .await?;
        assert!(why.contains("Deployment/web") && why.contains("containers[web].securityContext.runAsNonRoot"), "{why}");
        Ok(())
    });
}

#[test]
fn what_a_baseline_may_not_ask_for_is_refused_with_its_field() {
    story(|world| async move {
        world.namespace("kinds-isolation").await?;
        let baselines: Api<preview_env::api::Baseline> = Api::namespaced(world.admin.clone(), "kinds-isolation");
        let only_asked = kube::api::PatchParams { dry_run: true, ..kube::api::PatchParams::apply("kinds").force().validation_strict() };
        let wrong = [
            (json!({"isolation": {"podSecurity": "privileged"}}), "spec.isolation.podSecurity"),
            (
                json!({"isolation": {"egress": [{"cidr": "10.0.0.0/8", "namespace": "a"}]}}),
                "give exactly one of cidr, namespace and namespaceLabels",
            ),
            (json!({"isolation": {"egress": [{"namespace": "a", "except": ["10.0.0.0/8"]}]}}), "except goes with cidr"),
            (
                json!({"isolation": {"ingressFrom": [{"namespace": "a", "ports": [{"port": 0}]}]}}),
                "spec.isolation.ingressFrom[0].ports[0].port",
            ),
            (json!({"isolation": {"networkPolicy": "Off"}}), "spec.isolation.networkPolicy"),
            (json!({"access": [{"subject": {"kind": "ServiceAccount", "name": "a"}}]}), "namespace: goes with a ServiceAccount"),
            (json!({"access": [{"subject": {"kind": "User", "name": "a"}, "role": "Admin"}]}), "spec.access[0].role"),
        ];
        for (more, words) in wrong {
            let mut spec = json!({"repositories": [{"name": "acme/web"}]});
            if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
                spec.extend(more.clone());
            }
            let object = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "Baseline", "metadata": {"name": "b"}, "spec": spec});
            let answer = baselines.patch("b", &only_asked, &kube::api::Patch::Apply(&object)).await;
            let message = answer.map_or_else(|error| error.to_string(), |taken| format!("it is taken: {taken:?}"));
            assert!(message.contains(words), "{words:?} is not in {message}");
        }
        Ok(())
    });
}
