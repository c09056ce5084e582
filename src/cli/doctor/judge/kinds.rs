//! Are the kinds there, and those of this program? No client, no clock, no logging.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use crate::cli::doctor::finding::{Fact, Finding, some_of};

const KINDS: &str = "kinds";
const APPLY: &str = "preview crd | kubectl apply --server-side -f -";
/// As many fields as one line names.
const NAMED: usize = 3;

/// Compares what the cluster has with what this program would write.
pub fn kinds(wanted: &[CustomResourceDefinition], there: &Fact<Vec<CustomResourceDefinition>>) -> Vec<Finding> {
    let there = match there {
        Ok(there) => there,
        Err(why) => return vec![Finding::not_checked(KINDS, why)],
    };
    let name = |crd: &CustomResourceDefinition| crd.metadata.name.clone().unwrap_or_default();
    let found = |wanted: &CustomResourceDefinition| there.iter().find(|crd| name(crd) == name(wanted));
    let missing: Vec<String> = wanted.iter().filter(|wanted| found(wanted).is_none()).map(name).collect();
    let mut bad: Vec<Finding> = wanted.iter().filter_map(|wanted| compared(wanted, found(wanted)?)).collect();
    if !missing.is_empty() {
        bad.insert(0, Finding::failure(KINDS, format!("not there: {}", some_of(&missing, NAMED))).mend(APPLY));
    }
    if bad.is_empty() { vec![Finding::ok(KINDS, format!("all {} are there, and those of this preview", wanted.len()))] } else { bad }
}

fn compared(wanted: &CustomResourceDefinition, found: &CustomResourceDefinition) -> Option<Finding> {
    let plural = &wanted.spec.names.plural;
    let condition = |name: &str| {
        let conditions = found.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.into_iter().any(|condition| condition.type_ == name && condition.status == "True")
    };
    if !condition("Established") {
        let why = format!("{plural} are not served: the API server has not established them");
        return Some(Finding::failure(KINDS, why).mend(format!("see why: kubectl describe crd {plural}.{}", wanted.spec.group)));
    }
    let (ours, theirs) = (served(wanted), served(found));
    let (of_ours, of_theirs) = (fields(&ours), fields(&theirs));
    let missing: Vec<&String> = of_ours.difference(&of_theirs).collect();
    if !missing.is_empty() {
        let why = format!("{plural} are too old: they do not have {}", some_of(&missing, NAMED));
        return Some(Finding::failure(KINDS, why).mend(APPLY));
    }
    let more: Vec<&String> = of_theirs.difference(&of_ours).collect();
    if !more.is_empty() {
        let why = format!("{plural} are newer than this preview, which does not know {}", some_of(&more, NAMED));
        return Some(Finding::warning(KINDS, why).mend("update the preview command to the version of the service"));
    }
    (ours != theirs).then(|| {
        let why = format!("{plural} have other rules, defaults or columns than this preview's");
        Finding::warning(KINDS, why).mend(format!("where the service is of this version: {APPLY}"))
    })
}

/// What is served of a definition, without what only people read.
fn served(crd: &CustomResourceDefinition) -> Value {
    let mut versions = serde_json::to_value(&crd.spec.versions).unwrap_or_default();
    without_texts(&mut versions, false);
    versions
}

/// `named`: whether the keys here are names of fields, one of which may be called `description`.
fn without_texts(value: &mut Value, named: bool) {
    match value {
        Value::Object(fields) => {
            if !named && fields.get("description").is_some_and(Value::is_string) {
                fields.remove("description");
            }
            for (key, value) in fields {
                without_texts(value, !named && key == "properties");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without_texts(item, false)),
        _ => {}
    }
}

/// Every field of every version, such as `spec.hosts.domain`, and the version itself.
fn fields(versions: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for version in versions.as_array().into_iter().flatten().filter(|version| version["served"] == true) {
        found.insert(format!("the version {}", version["name"].as_str().unwrap_or_default()));
        below(&version["schema"]["openAPIV3Schema"], "", &mut found);
    }
    found
}

fn below(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        below(schema, &path, found);
        found.insert(path);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            below(&schema[inner], path, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::crds;
    use crate::cli::doctor::finding::Verdict;

    fn installed() -> Vec<CustomResourceDefinition> {
        let established = json!({"conditions": [{"type": "Established", "status": "True"}]});
        crds().map(|crd| CustomResourceDefinition { status: serde_json::from_value(established.clone()).unwrap(), ..crd }).into()
    }

    /// The Baseline's definition, changed, among the others as they are.
    fn with(change: impl FnOnce(&mut Value)) -> Vec<CustomResourceDefinition> {
        let mut all = installed();
        let mut baseline = serde_json::to_value(&all[0]).unwrap();
        change(&mut baseline);
        all[0] = serde_json::from_value(baseline).unwrap();
        all
    }

    fn judged(there: Vec<CustomResourceDefinition>) -> Finding {
        let mut all = kinds(&crds(), &Ok(there));
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";

    #[test]
    fn what_this_program_writes_is_current_whatever_its_texts_say() {
        assert_eq!(judged(installed()).result, Verdict::Ok);
        let texts = with(|crd| crd.pointer_mut(SPEC).unwrap()["description"] = json!("another text"));
        assert_eq!(judged(texts).result, Verdict::Ok);
    }

    #[test]
    fn a_definition_without_a_field_is_too_old_and_one_with_more_is_newer() {
        let old = judged(with(|crd| drop(crd.pointer_mut(SPEC).unwrap()["properties"].as_object_mut().unwrap().remove("access"))));
        assert_eq!((old.result, old.mend.as_deref()), (Verdict::Failure, Some(APPLY)));
        assert!(old.message.starts_with("baselines are too old: they do not have spec.access, spec.access.role"), "{}", old.message);
        let new = judged(with(|crd| crd.pointer_mut(SPEC).unwrap()["properties"]["sleep"] = json!({"type": "string"})));
        assert_eq!(new.result, Verdict::Warning);
        assert!(new.message.ends_with("does not know spec.sleep"), "{}", new.message);
        let rules = judged(with(|crd| drop(crd.pointer_mut(SPEC).unwrap().as_object_mut().unwrap().remove("x-kubernetes-validations"))));
        assert_eq!(rules.result, Verdict::Warning);
        assert!(rules.message.contains("other rules"), "{}", rules.message);
    }

    #[test]
    fn one_that_is_missing_or_not_served_is_a_failure() {
        let missing = judged(installed().into_iter().skip(1).collect());
        assert_eq!((missing.result, missing.message.as_str()), (Verdict::Failure, "not there: baselines.preview-env.dev"));
        let unserved = judged(with(|crd| crd["status"] = Value::Null));
        assert!(unserved.result == Verdict::Failure && unserved.message.contains("not served"), "{unserved:?}");
        let old = judged(with(|crd| crd["spec"]["versions"][0]["name"] = json!("v1alpha0")));
        assert!(old.message.contains("the version v1alpha1"), "{}", old.message);
    }
}
