//! A Service without a selector: somebody filled its endpoints by hand, with addresses that no copy has. It is named
//! with the `EndpointSlice`s that hold them.
//! <https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors>

use serde_json::Value;

use super::{Facts, because};
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::{Manifest, ObjectName};

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    let has_selector = object.get("/spec/selector").and_then(Value::as_object).is_some_and(|s| !s.is_empty());
    if !is_kind(object, "", "Service") || has_selector || object.text("/spec/type") == Some("ExternalName") {
        return None;
    }
    let name = object.name().name;
    let held = facts.snapshot.objects.iter().map(Manifest::name);
    let mut slices: Vec<String> =
        facts.named().cloned().chain(held).filter(|other| is_filled_for(other, &name)).map(|slice| slice.to_string()).collect();
    slices.sort();
    slices.dedup();
    let with = if slices.is_empty() { String::new() } else { format!(" ({})", slices.join(", ")) };
    because(format!("has no selector: its endpoints were filled by hand{with}"))
}

/// The mirror of an `Endpoints` object carries the Service's name and five letters more.
fn is_filled_for(other: &ObjectName, service: &str) -> bool {
    let rest = other.name.strip_prefix(service);
    match other.kind.as_str() {
        "Endpoints" => rest == Some(""),
        "EndpointSlice" => rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::ObjectName;
    use crate::plan::sample::{World, service};

    #[test]
    fn a_service_without_a_selector_is_named_with_its_endpoints() {
        let legacy = || World::of([service("legacy").with("/spec", json!({"ports": [{"port": 80}]}))]);
        assert_eq!(legacy().plan().said(), ["Service/legacy left out: has no selector: its endpoints were filled by hand"]);
        let slice = ObjectName { api_version: "discovery.k8s.io/v1".into(), kind: "EndpointSlice".into(), name: "legacy-ab12c".into() };
        let said = legacy().other(slice).plan().said();
        assert!(said.contains(
            &"Service/legacy left out: has no selector: its endpoints were filled by hand (EndpointSlice/legacy-ab12c)".to_owned()
        ));
    }
}
