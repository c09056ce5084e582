//! Workloads that reach into their node are left out by name and path.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;
use preview_env::api::conditions::{ConditionStatus, READY, STALLED};
use serde_json::json;

use crate::said::kept;
use crate::shop::{Shop, story};

const AGENTS: &str = include_str!("manifests/agents.yaml");

#[test]
fn workloads_that_reach_into_the_node_are_left_out_by_name_and_path() {
    story(|world| async move {
        let shop = Shop::holding(world, "refused", AGENTS, |_| ()).await?;
        let pull = shop.pull_request("login").await?;
        let status = pull.wait_until_ready().await?;
        let why = |name: &str| status.left_out.iter().find(|l| l.kind == "Deployment" && l.name == name).map(|l| l.why.as_str());
        for (name, path) in [
            ("logs", "spec.template.spec.volumes[logs].hostPath"),
            ("network", "spec.template.spec.hostNetwork"),
            ("root", "spec.template.spec.containers[root].securityContext.privileged"),
        ] {
            assert!(why(name).is_some_and(|why| why.contains(path)), "{name}: {:?}", why(name));
        }
        pull.wait_for_comment(|body| body.contains("Deployment/root")).await?;
        Ok(())
    });
}

#[test]
fn an_environment_is_stalled_where_its_own_branch_builds_such_a_workload() {
    story(|world| async move {
        let agent = json!({"name": "registry.example.com:5000/acme/agent"});
        let shop = Shop::holding(world, "stalled", AGENTS, |spec| {
            let images = spec["repositories"][0]["images"].as_array_mut().expect("a list");
            images.push(agent);
        })
        .await?;
        let pull = shop.pull_request("login").await?;
        let why = pull.wait_for_condition(STALLED, ConditionStatus::True, "Refused").await?;
        assert!(why.contains("Deployment/root") && why.contains("securityContext.privileged"), "{why}");
        pull.wait_for_condition(READY, ConditionStatus::False, "Refused").await?;
        let made = Api::<Deployment>::namespaced(world.admin.clone(), &pull.namespace()).get_opt("api").await?;
        assert!(made.is_some(), "the rest is there");
        let settled = |body: &str| body.contains("is stalled") && body.matches(" | ready |").count() == 3;
        let comment = pull.wait_for_comment(settled).await?;
        assert!(comment.contains("Deployment/root"), "{comment}");
        kept("stalled", &pull, &comment, None).await?;
        Ok(())
    });
}
