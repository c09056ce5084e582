//! Our labels: on every object, and on what workloads make, so that pods and claims can be selected by the UID. Never in
//! selectors, which cannot be changed later.

use serde_json::json;

use super::Notes;
use crate::api::names::{LABEL_BASELINE_NAMESPACE, LABEL_ENVIRONMENT, LABEL_ENVIRONMENT_UID, LABEL_MANAGED_BY, MANAGED_BY};
use crate::plan::context::Context;
use crate::plan::kinds::runs_pods;
use crate::plan::manifest::{Manifest, set_in};
use crate::plan::pods::template_pointer;

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, _: &mut Notes) {
    let target = context.target;
    let mark = [(LABEL_ENVIRONMENT, target.environment.as_str()), (LABEL_ENVIRONMENT_UID, target.uid)];
    let more = [(LABEL_BASELINE_NAMESPACE, target.baseline.namespace.as_str()), (LABEL_MANAGED_BY, MANAGED_BY)];
    for (key, value) in mark.into_iter().chain(more) {
        manifest.set(&["metadata", "labels"], key, json!(value));
    }
    if !runs_pods(manifest) {
        return;
    }
    // What a CronJob makes are Jobs, and those make the pods.
    let made =
        if manifest.kind() == "CronJob" { &["/spec/jobTemplate", template_pointer(manifest)][..] } else { &[template_pointer(manifest)] };
    for (path, (key, value)) in made.iter().flat_map(|path| mark.map(|label| (path, label))) {
        let path: Vec<&str> = path.split('/').skip(1).chain(["metadata", "labels"]).collect();
        manifest.set(&path, key, json!(value));
    }
    for claim in manifest.items_mut("/spec/volumeClaimTemplates") {
        for (key, value) in mark {
            set_in(claim, &["metadata", "labels"], key, json!(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::api::names::{LABEL_BASELINE_NAMESPACE, LABEL_ENVIRONMENT, LABEL_ENVIRONMENT_UID};
    use crate::plan::sample::{World, stateful_set};

    #[test]
    fn objects_pods_and_claims_carry_the_uid_and_selectors_do_not() {
        let plan = World::of([stateful_set("db").claim("data")]).plan();
        let db = plan.find("StatefulSet/db").value();
        assert_eq!(db["metadata"]["labels"][LABEL_BASELINE_NAMESPACE], "shop");
        for labels in [
            &db["metadata"]["labels"],
            &db["spec"]["template"]["metadata"]["labels"],
            &db["spec"]["volumeClaimTemplates"][0]["metadata"]["labels"],
        ] {
            assert_eq!(labels[LABEL_ENVIRONMENT], "web-pr-42");
            assert_eq!(labels[LABEL_ENVIRONMENT_UID], "uid-42");
        }
        assert_eq!(db["spec"]["selector"]["matchLabels"].as_object().unwrap().len(), 1);
    }
}
