//! Do the volumes of environments have a class? No client, no clock, no logging.

use std::collections::BTreeSet;

use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt;
use serde_json::Value;

use crate::api::baseline::Volumes;
use crate::cli::doctor::finding::{Fact, Finding, some_of};
use crate::domain::Baseline;
use crate::plan::Manifest;

/// The check of volumes.
pub const STORAGE: &str = "storage";
const NAMED: usize = 4;
const DEFAULT: [&str; 2] = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

/// The classes that the volumes of an environment ask for; none stands for the default one. One that is set to nothing asks for
/// a volume that somebody made.
pub fn wanted(baseline: &Baseline, objects: &[Manifest]) -> BTreeSet<Option<String>> {
    if baseline.choices.volumes == Volumes::Skip {
        return BTreeSet::new();
    }
    let class = |claim: Option<&Value>| claim.and_then(|claim| claim.get("storageClassName")).and_then(Value::as_str).map(str::to_owned);
    let mut wanted = BTreeSet::new();
    for object in objects {
        match object.kind() {
            "StatefulSet" => wanted.extend(object.items("/spec/volumeClaimTemplates").map(|template| class(template.get("spec")))),
            "PersistentVolumeClaim" => drop(wanted.insert(class(object.get("/spec")))),
            _ => {}
        }
    }
    wanted
}

/// Whether they are there.
pub fn storage(wanted: &BTreeSet<Option<String>>, there: &Fact<Vec<StorageClass>>) -> Finding {
    if wanted.is_empty() {
        return Finding::ok(STORAGE, "no environment has a volume");
    }
    let there = match there {
        Ok(there) => there,
        Err(why) => return Finding::not_checked(STORAGE, why),
    };
    let names: Vec<String> = there.iter().map(ResourceExt::name_any).collect();
    if let Some(missing) = wanted.iter().flatten().find(|name| !name.is_empty() && !names.contains(name)) {
        return Finding::failure(STORAGE, format!("StorageClass {missing} is not there, so pods with such a volume never start"))
            .mend("make it, or leave volumes out: clone.volumes: Skip in the Baseline");
    }
    let is_default = |class: &StorageClass| DEFAULT.iter().any(|key| class.annotations().get(*key).is_some_and(|value| value == "true"));
    if wanted.contains(&None) && !there.iter().any(is_default) {
        let mend =
            "kubectl annotate storageclass NAME storageclass.kubernetes.io/is-default-class=true; or clone.volumes: Skip in the Baseline";
        let why = "volumes name no class, and no StorageClass is the cluster's default, so pods with a volume never start";
        return Finding::failure(STORAGE, why).mend(mend);
    }
    let used: Vec<&str> = wanted.iter().map(|name| name.as_deref().unwrap_or("the default one")).collect();
    Finding::ok(STORAGE, format!("the classes that volumes name are there: {}", some_of(&used, NAMED)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api;
    use crate::cli::doctor::finding::{Unseen, Verdict};

    fn baseline(volumes: &str) -> Baseline {
        let spec = json!({"repositories": [{"name": "acme/web"}], "clone": {"volumes": volumes}});
        let mut object = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        Baseline::try_from(&object).unwrap()
    }

    fn set(class: &Value) -> Manifest {
        let spec = json!({"volumeClaimTemplates": [{"spec": {"storageClassName": class}}]});
        Manifest::new(json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": spec}))
    }

    fn class(name: &str, annotation: &str) -> StorageClass {
        serde_json::from_value(json!({"metadata": {"name": name, "annotations": {annotation: "true"}}, "provisioner": "x"})).unwrap()
    }

    #[test]
    fn a_default_class_is_needed_where_a_volume_names_none() {
        let nameless = wanted(&baseline("Empty"), &[set(&Value::Null)]);
        assert_eq!(nameless, [None].into());
        assert_eq!(storage(&nameless, &Ok(vec![class("fast", DEFAULT[0])])).result, Verdict::Ok);
        assert_eq!(storage(&nameless, &Ok(vec![class("fast", "other")])).result, Verdict::Failure);
        assert_eq!(storage(&nameless, &Err(Unseen::new("you may not"))).result, Verdict::NotChecked);
        assert_eq!(storage(&wanted(&baseline("Skip"), &[set(&Value::Null)]), &Ok(Vec::new())).result, Verdict::Ok);
    }

    #[test]
    fn a_class_that_is_named_has_to_be_there() {
        let fast = wanted(&baseline("Empty"), &[set(&json!("fast"))]);
        assert_eq!(storage(&fast, &Ok(vec![class("fast", "other")])).result, Verdict::Ok);
        let missing = storage(&fast, &Ok(Vec::new()));
        assert!(missing.result == Verdict::Failure && missing.message.contains("StorageClass fast"), "{missing:?}");
        assert_eq!(storage(&wanted(&baseline("Empty"), &[set(&json!(""))]), &Ok(Vec::new())).result, Verdict::Ok);
    }
}
