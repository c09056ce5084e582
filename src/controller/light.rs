//! Objects of environments in no more than the part of their metadata that is used. What watches bring of thousands is read
//! once and forgotten, so what is not read costs neither time nor memory; of the metadata most is `managedFields`. No client, no
//! clock, no logging.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope};
use kube::runtime::watcher;
use serde::{Deserialize, Deserializer};

/// Objects of one page of a list: few, since a page is held whole while it is read. A thousand environments are some more
/// requests at the start, each of a few milliseconds.
const PAGE: u32 = 100;

/// How lists are read that may be long.
pub fn in_pages() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

/// An object of any kind, of which only the metadata is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Light {
    #[serde(deserialize_with = "metadata")]
    metadata: ObjectMeta,
}

/// What is used of the metadata.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Used {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

/// Reads what is used of the metadata.
pub fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let Used { name, namespace, uid, resource_version, generation, creation_timestamp, deletion_timestamp, labels, annotations } =
        Used::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name,
        namespace,
        uid,
        resource_version,
        generation,
        creation_timestamp,
        deletion_timestamp,
        labels,
        annotations,
        ..ObjectMeta::default()
    })
}

impl Resource for Light {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn metadata_api() -> bool {
        true
    }
    fn kind(dt: &ApiResource) -> Cow<'_, str> {
        dt.kind.as_str().into()
    }
    fn group(dt: &ApiResource) -> Cow<'_, str> {
        dt.group.as_str().into()
    }
    fn version(dt: &ApiResource) -> Cow<'_, str> {
        dt.version.as_str().into()
    }
    fn api_version(dt: &ApiResource) -> Cow<'_, str> {
        dt.api_version.as_str().into()
    }
    fn plural(dt: &ApiResource) -> Cow<'_, str> {
        dt.plural.as_str().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_used_of_the_metadata_is_read_and_the_rest_is_not() {
        let metadata = json!({
            "name": "web", "namespace": "shop-web-pr-1", "uid": "u", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "2025-12-31T00:00:00Z", "deletionTimestamp": "2026-01-01T00:00:00Z", "labels": {"a": "b"}, "annotations": {"c": "d"},
            "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {}}}], "finalizers": ["x/y"],
        });
        let read: Light = serde_json::from_value(json!({"kind": "Service", "metadata": metadata.clone()})).unwrap();
        let mut all: ObjectMeta = serde_json::from_value(metadata).unwrap();
        (all.managed_fields, all.finalizers) = (None, None);
        assert_eq!(read.metadata, all);
    }

    #[test]
    fn an_object_without_metadata_is_read_too() {
        let read: Light = serde_json::from_value(json!({})).unwrap();
        assert_eq!(read.metadata, ObjectMeta::default());
    }
}
