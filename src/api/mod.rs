//! The kinds, their conditions, labels and field managers. Nothing else names the API group.

pub mod baseline;
pub mod conditions;
pub mod environment;
pub mod gaps;
pub mod names;
pub mod policy;
pub mod status;
pub mod time;

pub use baseline::{Baseline, BaselineSpec, BaselineStatus};
pub use environment::{PreviewEnvironment, PreviewEnvironmentSpec, Source, SourceState, Wish, WishState};
pub use policy::PreviewPolicy;
pub use status::PreviewEnvironmentStatus;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The API group of the kinds, and the prefix of every label and annotation that we write.
pub const GROUP: &str = "preview-env.dev";

/// The definitions of the kinds, as `preview crd` prints them.
pub fn crds() -> [CustomResourceDefinition; 3] {
    [Baseline::crd(), PreviewEnvironment::crd(), PreviewPolicy::crd()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_in_the_group() {
        for name in [
            names::FINALIZER,
            names::LABEL_ENVIRONMENT,
            names::LABEL_ENVIRONMENT_UID,
            names::LABEL_BASELINE_NAMESPACE,
            names::ANNOTATION_APPLIED_HASH,
        ] {
            assert!(name.starts_with(&format!("{GROUP}/")), "{name}");
        }
        assert!(crds().iter().all(|crd| crd.spec.group == GROUP));
    }
}
