//! A Service of type `ExternalName` that leads out of the namespace: a preview that follows it would work on somebody
//! else's data. One that leads to a Service of the baseline is rewritten instead.
//! <https://kubernetes.io/docs/concepts/services-networking/service/#externalname>

use super::{Facts, because};
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;
use crate::plan::service_names::local_service;

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    if !is_kind(object, "", "Service") || object.text("/spec/type") != Some("ExternalName") {
        return None;
    }
    let name = object.text("/spec/externalName").unwrap_or("nothing");
    if local_service(name, &facts.target.baseline.namespace).is_some() {
        return None;
    }
    because(format!("points outside, to {name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, service};

    #[test]
    fn a_name_outside_is_left_out_and_said() {
        for name in ["smtp.example.com", "redis.other.svc.cluster.local", "redis"] {
            let outside = service("mail").with("/spec", json!({"type": "ExternalName", "externalName": name}));
            assert_eq!(World::of([outside]).plan().said(), [format!("Service/mail left out: points outside, to {name}")]);
        }
    }
}
