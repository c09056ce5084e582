//! Does the service run, is it of this version, and what says each Baseline? No client, no clock, no logging.

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use crate::api::Baseline;
use crate::api::conditions::{ConditionStatus, READY, REMOVALS_HELD, find};
use crate::cli::doctor::finding::{Fact, Finding, Unseen};
use crate::domain;

const SERVICE: &str = "service";
const VERSION: &str = "version";
const BASELINE: &str = "baseline";
/// The label that the chart puts the version into.
const LABEL: &str = "app.kubernetes.io/version";

/// Whether the service is there, and ready.
pub fn service(deployment: &Fact<Option<Deployment>>) -> Finding {
    let deployment = match deployment {
        Ok(Some(deployment)) => deployment,
        Ok(None) => {
            let why = "there is no Deployment preview-env with the label app.kubernetes.io/name=preview-env";
            let mend = "install it: helm install preview-env charts/preview-env -n preview-env (README, \"Install\"); or say where it is: --service-namespace";
            return Finding::failure(SERVICE, why).mend(mend);
        }
        Err(why) => return Finding::not_checked(SERVICE, why),
    };
    let (namespace, name) = (deployment.namespace().unwrap_or_default(), deployment.name_any());
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default();
    let said = format!("{ready} of {wanted} replicas of {namespace}/{name} are ready");
    match (wanted, ready) {
        (0, _) => Finding::failure(SERVICE, format!("{namespace}/{name} is scaled to 0"))
            .mend(format!("kubectl -n {namespace} scale deploy/{name} --replicas=2")),
        (_, 0) => Finding::failure(SERVICE, said)
            .mend(format!("see why: kubectl -n {namespace} describe pods; kubectl -n {namespace} logs deploy/{name}")),
        (wanted, ready) if ready < wanted => Finding::warning(SERVICE, said).mend(format!("see why: kubectl -n {namespace} describe pods")),
        _ => Finding::ok(SERVICE, said),
    }
}

/// Whether it is of the same version as this program, by what the chart or the image's tag says.
pub fn version(deployment: &Fact<Option<Deployment>>, own: &str) -> Finding {
    let deployment = match deployment {
        Ok(Some(deployment)) => deployment,
        Ok(None) => return Finding::not_checked(VERSION, &Unseen::new("there is no service")),
        Err(why) => return Finding::not_checked(VERSION, why),
    };
    let image = image(deployment).unwrap_or_default();
    let tag = image.parse::<domain::ImageRef>().ok().and_then(|image| image.tag().map(str::to_owned));
    // The chart's label says what the chart is for, so a tag that is a version counts for more.
    let tagged = tag.filter(|tag| is_version(tag));
    match tagged.or_else(|| deployment.labels().get(LABEL).cloned()) {
        Some(version) if version.trim_start_matches('v') == own => {
            Finding::ok(VERSION, format!("the service and this preview are both {own}"))
        }
        Some(version) => Finding::warning(VERSION, format!("the service is {version}, and this preview {own}"))
            .mend("update whichever is older, with the kinds and rights of the same version (docs/operations.md, \"Upgrade\")"),
        None => Finding::not_checked(VERSION, &Unseen(format!("neither a label nor its image {image} says the version of the service"))),
    }
}

fn image(deployment: &Deployment) -> Option<&str> {
    let pod = deployment.spec.as_ref()?.template.spec.as_ref()?;
    let named = pod.containers.iter().find(|container| container.name == "preview");
    named.or(pod.containers.first())?.image.as_deref()
}

fn is_version(tag: &str) -> bool {
    let numbers = tag.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = numbers.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What the service says of each Baseline.
pub fn baselines(baselines: &Fact<Vec<Baseline>>) -> Vec<Finding> {
    match baselines {
        Err(why) => vec![Finding::not_checked(BASELINE, why)],
        Ok(none) if none.is_empty() => vec![
            Finding::warning(BASELINE, "there is none, so no environment is made")
                .mend("draft one: preview plan --from-namespace NAMESPACE --write-baseline baseline.yaml"),
        ],
        Ok(all) => all.iter().map(|one| baseline(one).about(one.namespace().unwrap_or_default())).collect(),
    }
}

fn baseline(baseline: &Baseline) -> Finding {
    let (namespace, name) = (baseline.namespace().unwrap_or_default(), baseline.name_any());
    let conditions = baseline.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let see = format!("kubectl -n {namespace} describe baseline {name}");
    if let Some(held) = find(conditions, REMOVALS_HELD).filter(|condition| condition.status == ConditionStatus::True) {
        return Finding::warning(BASELINE, format!("{name} holds removals: {}", held.message)).mend(see);
    }
    match find(conditions, READY) {
        Some(ready) if ready.status == ConditionStatus::True => Finding::ok(BASELINE, format!("{name} is ready")),
        Some(ready) => Finding::failure(BASELINE, format!("{name} is not ready: {}", ready.message)).mend(see),
        None => Finding::failure(BASELINE, format!("the service has not looked at {name} yet")).mend("see the service above, and its log"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::doctor::finding::Verdict;

    fn deployment(replicas: i32, ready: Option<i32>, (label, image): (Option<&str>, &str)) -> Deployment {
        let container = json!({"name": "preview", "image": image});
        let labels = label.map(|label| json!({LABEL: label})).unwrap_or_default();
        let object = json!({"metadata": {"name": "preview-env", "namespace": "previews", "labels": labels}, "spec": {"replicas": replicas,
            "selector": {}, "template": {"spec": {"containers": [container]}}}, "status": {"readyReplicas": ready}});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_service_is_there_and_ready() {
        let image = (None, "x");
        for (fact, verdict) in [
            (Ok(Some(deployment(2, Some(2), image))), Verdict::Ok),
            (Ok(Some(deployment(2, Some(1), image))), Verdict::Warning),
            (Ok(Some(deployment(2, None, image))), Verdict::Failure),
            (Ok(Some(deployment(0, None, image))), Verdict::Failure),
            (Ok(None), Verdict::Failure),
            (Err(Unseen::new("you may not")), Verdict::NotChecked),
        ] {
            assert_eq!(service(&fact).result, verdict, "{fact:?}");
        }
    }

    #[test]
    fn its_version_is_that_of_its_tag_or_of_the_chart() {
        for (label, image, verdict) in [
            (Some("0.1.0"), "r.example.com/preview:main", Verdict::Ok),
            (None, "r.example.com/preview:0.1.0", Verdict::Ok),
            (None, "r.example.com:5000/preview:v0.1.0", Verdict::Ok),
            // That is no reference.
            (None, "r.example.com/preview:0.1.0@sha256:8be1", Verdict::NotChecked),
            (Some("0.1.0"), "r.example.com/preview:0.0.9", Verdict::Warning),
            (Some("0.0.9"), "r.example.com/preview", Verdict::Warning),
            (None, "r.example.com/preview:main", Verdict::NotChecked),
            (None, "", Verdict::NotChecked),
        ] {
            assert_eq!(version(&Ok(Some(deployment(1, Some(1), (label, image)))), "0.1.0").result, verdict, "{label:?} {image}");
        }
    }

    #[test]
    fn a_baseline_says_itself_how_it_is() {
        let of = |conditions: Value| {
            let object = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "Baseline", "metadata": {"name": "main", "namespace": "shop"},
                "spec": {"repositories": [{"name": "acme/web"}]}, "status": {"conditions": conditions}});
            baselines(&Ok(vec![serde_json::from_value(object).unwrap()])).remove(0)
        };
        let condition = |type_: &str, status: &str| json!({"type": type_, "status": status, "reason": "Some", "message": "because", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        assert_eq!(of(json!([condition("Ready", "True")])).result, Verdict::Ok);
        assert_eq!(of(json!([condition("Ready", "True"), condition("RemovalsHeld", "True")])).result, Verdict::Warning);
        let refused = of(json!([condition("Ready", "False")]));
        assert_eq!((refused.result, refused.message.as_str()), (Verdict::Failure, "main is not ready: because"));
        assert_eq!(of(json!([])).result, Verdict::Failure);
        assert_eq!(baselines(&Ok(Vec::new()))[0].result, Verdict::Warning);
    }
}
