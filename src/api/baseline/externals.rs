//! Hosts outside the namespace that its configuration names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A host outside the namespace.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct External {
    /// Its name or address.
    pub host: String,
    /// The port, where one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// What it is, judged by its name.
    pub kind: ExternalKind,
    /// Where it is named, such as `Deployment/api spec.template.spec.containers[api].env[DATABASE_URL]`: at most 5 places.
    pub used_by: Vec<String>,
}

/// What a host outside the namespace is, judged by its name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub enum ExternalKind {
    /// A Service of another namespace of this cluster, or one of the baseline that environments do not have.
    Namespace,
    /// A database, cache, queue or search of a cloud.
    Database,
    /// A host with a name that only an own network knows, such as `db.prod.internal`.
    Private,
    /// Any other host.
    Public,
    /// An IP address.
    Address,
}
