//! What is made around the copies of a baseline, understood: what their pods may reach, ask for and use, and who may look
//! at them.

mod marks;
mod peers;

use std::collections::BTreeMap;

pub use peers::{Ends, Peer};

use super::{InvalidBaseline, invalid};
use crate::api::baseline::isolation::{
    self as api, KeepOrDrop, NetworkIsolation, PodSecurity, QuotaMode, Resources, Role, Scheduling, Subject, SubjectKind, Tokens,
};
use crate::api::baseline::{BaselineSpec, CloneRules};
use crate::domain::quantity::Quantity;

/// Amounts by the names of resources.
pub type Amounts = BTreeMap<String, Quantity>;

/// What a container requests that says nothing. Ours: little enough that many environments fit on a node, and more than
/// nothing, so that the scheduler counts them at all.
const DEFAULT_REQUEST: [(&str, Quantity); 2] = [("cpu", Quantity::milli(10)), ("memory", Quantity::mebi(32))];
/// Names in a ResourceQuota that stand alone.
const COUNTED: [&str; 12] = [
    "pods",
    "cpu",
    "memory",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "persistentvolumeclaims",
    "configmaps",
    "secrets",
    "replicationcontrollers",
    "resourcequotas",
    "ephemeral-storage",
];
/// Beginnings of the others.
const COUNTED_BY: [&str; 3] = ["requests.", "limits.", "count/"];

/// What is made around a copy. The default is nothing at all, which no Baseline says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Isolation {
    /// What the pods may reach, where that is limited.
    pub network: Option<Network>,
    /// The level that their namespaces enforce at least.
    pub pod_security: PodSecurity,
    /// Whether pods get a token only where the baseline asks for one.
    pub withholds_tokens: bool,
    /// Limits of an environment that replace computed ones, where it has limits.
    pub quota: Option<Amounts>,
    /// What a container gets that does not say what it needs, where that is given.
    pub limits: Option<Limits>,
    /// Labels and annotations of new namespaces.
    pub namespace: api::NamespaceMarks,
    /// Where the pods run.
    pub scheduling: Scheduling,
    /// Who may look at the environments.
    pub access: Vec<Access>,
    /// What of `resources` is copied.
    pub resources: ResourceRules,
}

/// What the pods of an environment may reach, besides each other and DNS.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// Where they may connect to.
    pub egress: Vec<Peer>,
    /// Where connections may come from; empty for the usual places.
    pub ingress_from: Vec<Peer>,
}

/// What a container gets that does not say what it needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Its requests.
    pub default_request: Amounts,
    /// Its limits.
    pub default: Amounts,
    /// The highest limits.
    pub max: Amounts,
}

impl Limits {
    /// What a container gets where a quota stands and the Baseline says nothing.
    pub fn usual() -> Self {
        Self { default_request: DEFAULT_REQUEST.map(|(name, amount)| (name.to_owned(), amount)).into(), ..Self::default() }
    }
}

/// Who may do what in the environments.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// Who.
    pub subject: Subject,
    /// What.
    pub role: Role,
}

/// What of `resources` is copied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceRules {
    /// Whether requests of cpu and memory are left out.
    pub drops_requests: bool,
    /// Whether limits of cpu and memory are left out.
    pub drops_limits: bool,
    /// The most that a container requests.
    pub max_request: Amounts,
}

impl Isolation {
    /// Reads everything about it from a Baseline's spec.
    pub(super) fn read(spec: &BaselineSpec) -> Result<Self, InvalidBaseline> {
        let isolation = &spec.isolation;
        Ok(Self {
            network: network(isolation)?,
            pod_security: isolation.pod_security.unwrap_or_default(),
            withholds_tokens: isolation.service_account_tokens == Tokens::WhereAsked,
            quota: quota(&isolation.quota)?,
            limits: limits(isolation)?,
            namespace: marks::read(&spec.namespace)?,
            scheduling: scheduling(&spec.scheduling)?,
            access: access(&spec.access)?,
            resources: resources(&spec.clone)?,
        })
    }

    /// What a container requests of that resource that says nothing.
    pub fn default_request(&self, resource: &str) -> Option<Quantity> {
        let given = self.limits.as_ref().and_then(|l| l.default_request.get(resource)).copied();
        given.or_else(|| DEFAULT_REQUEST.iter().find(|(name, _)| *name == resource).map(|(_, amount)| *amount))
    }
}

fn network(isolation: &api::Isolation) -> Result<Option<Network>, InvalidBaseline> {
    let egress = peers::read("spec.isolation.egress", &isolation.egress)?;
    let ingress_from = peers::read("spec.isolation.ingressFrom", &isolation.ingress_from)?;
    Ok((isolation.network_policy == NetworkIsolation::Isolated).then_some(Network { egress, ingress_from }))
}

fn quota(listed: &api::Quota) -> Result<Option<Amounts>, InvalidBaseline> {
    let path = "spec.isolation.quota.hard";
    let is_known = |name: &str| {
        COUNTED.contains(&name)
            || COUNTED_BY.iter().any(|start| name.len() > start.len() && name.starts_with(start))
            || name.contains(".storageclass.storage.k8s.io/")
    };
    if let Some(unknown) = listed.hard.keys().find(|name| !is_known(name)) {
        return Err(invalid(
            format!("{path}[{unknown}]"),
            &"is nothing that a ResourceQuota counts; see pods, requests.cpu, limits.memory",
        ));
    }
    let hard = amounts(path, &listed.hard)?;
    Ok((listed.mode == QuotaMode::Computed).then_some(hard))
}

/// A LimitRange stands beside every quota, and without one where it is asked for.
fn limits(isolation: &api::Isolation) -> Result<Option<Limits>, InvalidBaseline> {
    let (path, listed) = ("spec.isolation.limitRange", &isolation.limit_range);
    let mut limits = Limits {
        default_request: amounts(&format!("{path}.defaultRequest"), &listed.default_request)?,
        default: amounts(&format!("{path}.default"), &listed.default_limit)?,
        max: amounts(&format!("{path}.max"), &listed.max)?,
    };
    let is_given = *listed != api::LimitRange::default();
    for (name, amount) in DEFAULT_REQUEST {
        // The API server refuses a default above its own limit.
        let most = [&limits.default, &limits.max].into_iter().filter_map(|l| l.get(name)).min().copied();
        limits.default_request.entry(name.to_owned()).or_insert(most.map_or(amount, |most| most.min(amount)));
    }
    for (name, max) in limits.max.clone() {
        limits.default.entry(name).or_insert(max);
    }
    in_order(&format!("{path}.defaultRequest"), &limits.default_request, (&limits.default, "default"))?;
    in_order(&format!("{path}.default"), &limits.default, (&limits.max, "max"))?;
    Ok((is_given || isolation.quota.mode == QuotaMode::Computed).then_some(limits))
}

/// The API server refuses a LimitRange whose amounts are not in order.
fn in_order(path: &str, lower: &Amounts, (upper, called): (&Amounts, &str)) -> Result<(), InvalidBaseline> {
    for (name, amount) in lower {
        if let Some(most) = upper.get(name).filter(|most| *most < amount) {
            return Err(invalid(format!("{path}[{name}]"), &format!("{amount} is more than {called} allows, which is {most}")));
        }
    }
    Ok(())
}

fn amounts(path: &str, listed: &BTreeMap<String, String>) -> Result<Amounts, InvalidBaseline> {
    let read = |(name, text): (&String, &String)| {
        let amount = text.parse().map_err(|e| invalid(format!("{path}[{name}]"), &e))?;
        Ok((name.clone(), amount))
    };
    listed.iter().map(read).collect()
}

/// Classes whose names begin with `system-` are Kubernetes' own, for what a node or the cluster cannot do without.
fn scheduling(listed: &Scheduling) -> Result<Scheduling, InvalidBaseline> {
    if let Some(class) = listed.priority_class_name.as_ref().filter(|class| class.starts_with("system-")) {
        return Err(invalid("spec.scheduling.priorityClassName", &format!("{class} is for parts of the cluster, not for copies")));
    }
    marks::labels("spec.scheduling.nodeSelector", &listed.node_selector)?;
    for (index, toleration) in listed.tolerations.iter().enumerate() {
        let exists = toleration.operator == api::TolerationOperator::Exists;
        let path = format!("spec.scheduling.tolerations[{index}]");
        if toleration.key.is_none() && !exists {
            return Err(invalid(format!("{path}.operator"), &"must be Exists where no key is given"));
        }
        if exists && toleration.value.as_ref().is_some_and(|value| !value.is_empty()) {
            return Err(invalid(format!("{path}.value"), &"must be empty where the operator is Exists"));
        }
    }
    Ok(listed.clone())
}

fn access(listed: &[api::Access]) -> Result<Vec<Access>, InvalidBaseline> {
    let read = |(index, access): (usize, &api::Access)| {
        let subject = &access.subject;
        let path = format!("spec.access[{index}].subject");
        if (subject.kind == SubjectKind::ServiceAccount) != subject.namespace.is_some() {
            return Err(invalid(format!("{path}.namespace"), &"goes with a ServiceAccount, and only with one"));
        }
        if is_everybody(subject) {
            let why = format!("{} is not one of your people; name a user, a group or a ServiceAccount", subject.name);
            return Err(invalid(format!("{path}.name"), &why));
        }
        Ok(Access { subject: subject.clone(), role: access.role })
    };
    listed.iter().enumerate().map(read).collect()
}

/// Kubernetes' own users and groups: administrators, whoever is logged in, whoever is not, every program of the cluster.
/// The programs of one namespace are not everybody.
fn is_everybody(subject: &Subject) -> bool {
    let of_a_namespace = subject.name.strip_prefix("system:serviceaccounts:").is_some_and(|namespace| !namespace.is_empty());
    match subject.kind {
        SubjectKind::ServiceAccount => false,
        SubjectKind::User => subject.name.starts_with("system:"),
        SubjectKind::Group => subject.name.starts_with("system:") && !of_a_namespace,
    }
}

fn resources(clone: &CloneRules) -> Result<ResourceRules, InvalidBaseline> {
    let Resources { requests, limits, max_request } = &clone.resources;
    Ok(ResourceRules {
        drops_requests: *requests == KeepOrDrop::Drop,
        drops_limits: *limits == KeepOrDrop::Drop,
        max_request: amounts("spec.clone.resources.maxRequest", max_request)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(more: Value) -> Result<Isolation, InvalidBaseline> {
        let mut spec = json!({"repositories": [{"name": "acme/web"}]});
        if let (Some(spec), Value::Object(mut more)) = (spec.as_object_mut(), more) {
            spec.append(&mut more);
        }
        Isolation::read(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn a_baseline_that_says_nothing_is_isolated() {
        let isolation = read(json!({})).unwrap();
        assert_eq!(isolation.network, Some(Network::default()));
        assert!(isolation.withholds_tokens && isolation.quota == Some(Amounts::new()));
        let limits = isolation.limits.unwrap();
        assert_eq!((limits.default_request.len(), limits.default.len()), (2, 0), "no limit that the baseline has not");
    }

    #[test]
    fn all_of_it_can_be_left_off() {
        let off = json!({"networkPolicy": "None", "serviceAccountTokens": "AsInBaseline", "quota": {"mode": "None"}});
        assert_eq!(read(json!({"isolation": off})).unwrap(), Isolation::default());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let access = |subject: Value| json!({"access": [{"subject": subject}]});
        for (spec, field) in [
            (json!({"isolation": {"quota": {"hard": {"cores": "1"}}}}), "spec.isolation.quota.hard[cores]"),
            (json!({"isolation": {"quota": {"hard": {"pods": "many"}}}}), "spec.isolation.quota.hard[pods]"),
            (json!({"isolation": {"limitRange": {"default": {"cpu": "1x"}}}}), "spec.isolation.limitRange.default[cpu]"),
            (
                json!({"isolation": {"limitRange": {"defaultRequest": {"cpu": "2"}, "default": {"cpu": "1"}}}}),
                "spec.isolation.limitRange.defaultRequest[cpu]",
            ),
            (
                json!({"isolation": {"limitRange": {"default": {"memory": "2Gi"}, "max": {"memory": "1Gi"}}}}),
                "spec.isolation.limitRange.default[memory]",
            ),
            (json!({"scheduling": {"priorityClassName": "system-node-critical"}}), "spec.scheduling.priorityClassName"),
            (json!({"scheduling": {"tolerations": [{"value": "x"}]}}), "spec.scheduling.tolerations[0].operator"),
            (json!({"scheduling": {"nodeSelector": {"a b": "c"}}}), "spec.scheduling.nodeSelector[a b]"),
            (access(json!({"kind": "Group", "name": "system:masters"})), "spec.access[0].subject.name"),
            (access(json!({"kind": "Group", "name": "system:authenticated"})), "spec.access[0].subject.name"),
            (access(json!({"kind": "Group", "name": "system:serviceaccounts"})), "spec.access[0].subject.name"),
            (access(json!({"kind": "User", "name": "system:anonymous"})), "spec.access[0].subject.name"),
            (access(json!({"kind": "ServiceAccount", "name": "ci"})), "spec.access[0].subject.namespace"),
            (json!({"clone": {"resources": {"maxRequest": {"cpu": "-1"}}}}), "spec.clone.resources.maxRequest[cpu]"),
        ] {
            assert_eq!(read(spec).unwrap_err().field, field);
        }
    }

    #[test]
    fn programs_of_one_namespace_may_be_named() {
        assert!(read(json!({"access": [{"subject": {"kind": "Group", "name": "system:serviceaccounts:ci"}}]})).is_ok());
        let account = json!({"kind": "ServiceAccount", "name": "ci", "namespace": "ci"});
        assert_eq!(read(json!({"access": [{"subject": account, "role": "Edit"}]})).unwrap().access[0].role, Role::Edit);
    }

    #[test]
    fn a_default_fits_below_its_limit() {
        let limits = read(json!({"isolation": {"limitRange": {"max": {"memory": "16Mi"}}}})).unwrap().limits.unwrap();
        assert_eq!(limits.default_request["memory"], Quantity::mebi(16));
        assert_eq!(limits.default["memory"], Quantity::mebi(16), "what the API server fills in is said");
    }
}
