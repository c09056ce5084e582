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
    /// Whether pods of environments reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
}

/// Whether pods of an environment reach a host, by its NetworkPolicy.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Reach {
    /// They do not: `isolation.egress` does not open it.
    Closed,
    /// It depends on the address or pods that it leads to: `isolation.egress` opens some.
    Depends,
    /// They do: there is no policy, or `isolation.egress` opens it.
    Open,
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
