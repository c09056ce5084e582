//! A Service of type `ExternalName` that means a Service of the baseline means that of the environment instead. Those that
//! lead elsewhere are left out.
//! <https://kubernetes.io/docs/concepts/services-networking/service/#externalname>

use serde_json::json;

use super::Notes;
use crate::plan::context::Context;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;
use crate::plan::service_names::{in_namespace, local_service};

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    if !is_kind(manifest, "", "Service") {
        return;
    }
    let Some(before) = manifest.text("/spec/externalName").map(str::to_owned) else { return };
    if local_service(&before, &context.target.baseline.namespace).is_some() {
        let after = in_namespace(&before, context.target.namespace);
        notes.changed("spec.externalName", (&before, &after), "the environment has a Service of its own");
        manifest.set(&["spec"], "externalName", json!(after));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, service};

    #[test]
    fn an_alias_inside_the_namespace_stays_inside() {
        let cache = service("cache").with("/spec", json!({"type": "ExternalName", "externalName": "redis.shop.svc.cluster.local"}));
        let plan = World::of([cache, service("redis")]).plan();
        let alias = json!({"type": "ExternalName", "externalName": "redis.shop-web-pr-42.svc.cluster.local"});
        assert_eq!(plan.find("Service/cache").get("/spec"), Some(&alias));
    }
}
