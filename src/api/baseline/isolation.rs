//! What is made around the copies: `isolation`, `namespace`, `scheduling`, `access` and `clone.resources`.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the pods of an environment may reach, ask for and use.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Isolation {
    /// Whether the pods of an environment are cut off from everything but each other, DNS, and what lets requests in.
    #[serde(default)]
    pub network_policy: NetworkIsolation,
    /// What the pods may reach besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub egress: Vec<Peer>,
    /// Where requests to the pods may come from: where the ingress controller or gateway runs. Default: the namespaces
    /// in which they usually run, and those with the label `preview-env.dev/ingress: "true"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub ingress_from: Vec<Peer>,
    /// The Pod Security Standard that the pods have to meet. Default: the one that the baseline's namespace enforces, and
    /// at least `baseline`. It can only be stricter than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_security: Option<PodSecurity>,
    /// Whether pods get a token for the API server.
    #[serde(default)]
    pub service_account_tokens: Tokens,
    /// How much an environment may use.
    #[serde(default)]
    pub quota: Quota,
    /// What a container gets that does not say what it needs, and the most that one may ask for.
    #[serde(default)]
    pub limit_range: LimitRange,
}

/// Whether a NetworkPolicy is made in each environment.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum NetworkIsolation {
    /// One that denies what it does not allow.
    #[default]
    Isolated,
    /// None.
    None,
}

/// The other end of a connection: exactly one of `cidr`, `namespace` and `namespaceLabels`.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new(
    "[has(self.cidr), has(self.namespace), has(self.namespaceLabels)].filter(given, given).size() == 1"
).message("give exactly one of cidr, namespace and namespaceLabels"))]
#[x_kube(validation = Rule::new("has(self.cidr) || !has(self.except)").message("except goes with cidr"))]
#[x_kube(validation = Rule::new("!has(self.cidr) || !has(self.podLabels)").message("podLabels goes with a namespace"))]
pub struct Peer {
    /// A range of addresses, such as `203.0.113.0/24`. The addresses at which cloud providers hand out credentials are
    /// taken out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 49))]
    pub cidr: Option<String>,
    /// Ranges inside `cidr` that are not meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub except: Vec<String>,
    /// A namespace by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// All namespaces with these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub namespace_labels: BTreeMap<String, String>,
    /// Only pods with these labels in the namespace. Default: all of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pod_labels: BTreeMap<String, String>,
    /// Only these ports. Default: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub ports: Vec<PeerPort>,
}

/// A port, or a range of ports.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!has(self.endPort) || self.endPort >= self.port").message("endPort: must not be before port"))]
pub struct PeerPort {
    /// The port, or the first of a range.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// The last port of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub end_port: Option<i32>,
    /// Its protocol.
    #[serde(default)]
    pub protocol: Protocol,
}

/// A protocol above IP.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// As Kubernetes writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

/// A level of the Pod Security Standards. The third, `privileged`, is not for copies.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PodSecurity {
    /// No known way into the node.
    #[default]
    Baseline,
    /// Hardened as is best practice.
    Restricted,
}

impl PodSecurity {
    /// As the standard writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// Which pods get a token for the API server.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Tokens {
    /// Those whose pod template or ServiceAccount says `automountServiceAccountToken: true`, and those whose
    /// ServiceAccount holds rights by a cloned RoleBinding.
    #[default]
    WhereAsked,
    /// The same as in the baseline.
    AsInBaseline,
}

/// How much an environment may use.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quota {
    /// Whether there is a ResourceQuota.
    #[serde(default)]
    pub mode: QuotaMode,
    /// Limits by the names that a ResourceQuota uses, such as `requests.cpu: "4"`. They replace what is computed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hard: BTreeMap<String, String>,
}

/// Whether there is a ResourceQuota.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum QuotaMode {
    /// One that follows from what the workloads ask for, with room for updates.
    #[default]
    Computed,
    /// None.
    None,
}

/// Amounts of `cpu`, `memory` and the like for one container.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitRange {
    /// What a container requests that says nothing. Default: 10m of cpu and 32Mi of memory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub default_request: BTreeMap<String, String>,
    /// The limit of a container that has none. Default: none, unless the quota counts limits.
    #[serde(default, rename = "default", skip_serializing_if = "BTreeMap::is_empty")]
    pub default_limit: BTreeMap<String, String>,
    /// The highest limit of a container.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub max: BTreeMap<String, String>,
}

/// Labels and annotations for new namespaces.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceMarks {
    /// Labels, for a mesh, a policy engine or the bill.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Where the pods run.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scheduling {
    /// Labels that their nodes must have, beside those that the baseline asks for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that they tolerate, beside those that the baseline tolerates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub tolerations: Vec<Toleration>,
    /// How their containers are run. Default: as in the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
    /// Their priority. Default: none, whatever the baseline has, since a copy must not push other pods out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
}

/// A taint that is tolerated, as in a pod.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toleration {
    /// The taint's key; absent, with the operator `Exists`, for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 317))]
    pub key: Option<String>,
    /// How the value is compared.
    #[serde(default)]
    pub operator: TolerationOperator,
    /// The taint's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// The taint's effect. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
}

/// How a toleration compares values.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum TolerationOperator {
    /// The value is the same.
    #[default]
    Equal,
    /// Any value.
    Exists,
}

/// What a taint does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum TaintEffect {
    /// Keeps new pods away.
    NoSchedule,
    /// Keeps new pods away where it can.
    PreferNoSchedule,
    /// Keeps new pods away and stops running ones.
    NoExecute,
}

/// Who may look into the environments, or change what is in them.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Access {
    /// Who.
    pub subject: Subject,
    /// What they may do.
    #[serde(default)]
    pub role: Role,
}

/// A person, a group or a program.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("(self.kind == 'ServiceAccount') == has(self.namespace)").message("namespace: goes with a ServiceAccount"))]
pub struct Subject {
    /// Which of them.
    pub kind: SubjectKind,
    /// Its name, as the cluster knows it.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The namespace of a ServiceAccount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
}

/// What a subject is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum SubjectKind {
    /// A person.
    User,
    /// A group of people.
    Group,
    /// A program in the cluster.
    ServiceAccount,
}

/// What somebody may do: the ClusterRoles that Kubernetes brings.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Role {
    /// Read everything but Secrets, logs included: the ClusterRole `view`.
    #[default]
    View,
    /// Change most things, `exec` and Secrets included: the ClusterRole `edit`.
    Edit,
}

/// What of `resources` is copied.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// Requests of cpu and memory. Without them a container requests what `isolation.limitRange` gives.
    #[serde(default)]
    pub requests: KeepOrDrop,
    /// Limits of cpu and memory.
    #[serde(default)]
    pub limits: KeepOrDrop,
    /// The most that a container requests, such as `cpu: 250m`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub max_request: BTreeMap<String, String>,
}

/// Whether something is copied.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum KeepOrDrop {
    /// As in the baseline.
    #[default]
    Keep,
    /// Left out.
    Drop,
}
