//! The ResourceQuota of an environment, and what would exceed it: said in the plan, since the API server says it of single
//! pods, and of an update only when there is one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::demand::{Load, loads};
use super::{Everything, Extra, limit_range, object, written};
use crate::api::names::OWN_OBJECT;
use crate::domain::baseline::isolation::Amounts;
use crate::domain::quantity::Quantity;
use crate::plan::admission::{Refusal, Template};
use crate::plan::context::Context;
use crate::plan::manifest::{Manifest, ObjectName};
use crate::plan::types::{Planned, PlannedHook, Shortage, WithoutRoom};
use crate::plan::workloads::is_built;

/// What there is room for beyond what the workloads ask for while all of them are updated at once: as much again, and
/// this. Ours: for Jobs, for what a person starts by hand, and for a baseline that grows.
const ROOM: i64 = 2;
const MORE_PODS: Quantity = Quantity::whole(10);
const MORE_CPU: Quantity = Quantity::whole(1);
const MORE_MEMORY: Quantity = Quantity::mebi(1024);
const MORE_CLAIMS: Quantity = Quantity::whole(2);
const MORE_STORAGE: Quantity = Quantity::mebi(10 * 1024);

/// The quota, where the Baseline wants one.
pub fn quota(everything: &Everything<'_>, context: &Context<'_>) -> Option<Extra> {
    let given = given(context)?;
    let loads = Loads::of(everything, context);
    let hard = capped(hard(&loads, &given, context.target.isolated), context);
    let mut manifest = object("v1", "ResourceQuota", OWN_OBJECT);
    manifest.set(&[], "spec", json!({"hard": written(&hard)}));
    let usual = if context.target.isolated {
        "half of what others get, since the change comes from a fork (trust.forks: Isolated)"
    } else {
        "a bound for what it can use, with room for updates"
    };
    let why = no_room_to_update(&loads.copies, &hard).map_or_else(|| usual.to_owned(), |short| short.why);
    Some(Extra { manifest, why })
}

/// What the given quota is short of for an update, although it has room for what is at rest.
pub fn narrow(stages: &[Vec<Planned>], hooks: &[PlannedHook], context: &Context<'_>) -> Option<Shortage> {
    // What is computed has room by itself.
    let given = given(context).filter(|given| !given.is_empty())?;
    let loads = Loads::of(&Everything::of(stages, hooks), context);
    let short = no_room_to_update(&loads.copies, &given)?;
    let (resource, without_room) = (short.resource, WithoutRoom::UpdatesOf(short.object));
    let given = given.get(&resource).copied()?;
    Some(Shortage { resource, asked: given + short.lacks, given, without_room })
}

/// What everything takes.
struct Loads {
    copies: Vec<Load>,
    jobs: Vec<Load>,
}

impl Loads {
    fn of(everything: &Everything<'_>, context: &Context<'_>) -> Self {
        let limits = limit_range::effective(&everything.all(), context);
        let of = |objects: &[&Manifest]| objects.iter().flat_map(|object| loads(object, limits.as_ref())).collect();
        Self { copies: of(&everything.copies), jobs: of(&everything.jobs) }
    }

    /// The most that one Job takes of it.
    fn greediest_job(&self, name: &str) -> Quantity {
        self.jobs.iter().filter_map(|load| taken(load, name)).max().unwrap_or_default()
    }
}

/// What the Baseline gives, where there is a quota: half of it for what nobody approved, which has one in any case.
pub(super) fn given(context: &Context<'_>) -> Option<Amounts> {
    let given = context.target.baseline.isolation.quota.as_ref();
    if context.target.isolated { Some(halved(given.cloned().unwrap_or_default())) } else { given.cloned() }
}

/// What is counted stays a whole number.
fn halved(mut amounts: Amounts) -> Amounts {
    for (name, amount) in &mut amounts {
        let half = amount.share(2);
        *amount = if name.ends_with("cpu") { half } else { half.in_steps_of(Quantity::whole(1)) };
    }
    amounts
}

/// No more than PreviewPolicies allow.
fn capped(mut amounts: Amounts, context: &Context<'_>) -> Amounts {
    for (name, most) in context.target.baseline.policy.quota() {
        // Two names of one thing.
        let own = name.strip_prefix("requests.").filter(|short| amounts.contains_key(*short)).unwrap_or(&name).to_owned();
        amounts.entry(own).and_modify(|amount| *amount = (*amount).min(most)).or_insert(most);
    }
    amounts
}

/// What is computed, with what the Baseline gives in its place.
fn hard(loads: &Loads, given: &Amounts, isolated: bool) -> Amounts {
    let most = |name: &str, more: Quantity| {
        let one = |load: &Load| load.each.get(name).copied().unwrap_or_default() * (load.times + load.surge);
        // What is halved below holds a Job whole.
        let job = loads.greediest_job(name) * if isolated { 2 } else { 1 };
        (name.to_owned(), loads.copies.iter().map(one).sum::<Quantity>() * ROOM + more + job)
    };
    let none = |name: &str| (name.to_owned(), Quantity::ZERO);
    let mut hard = Amounts::from([
        none("services.loadbalancers"),
        none("services.nodeports"),
        most("persistentvolumeclaims", MORE_CLAIMS),
        most("requests.storage", MORE_STORAGE),
    ]);
    if !loads.copies.iter().any(|load| load.unbounded) {
        hard.extend([most("pods", MORE_PODS), most("requests.cpu", MORE_CPU), most("requests.memory", MORE_MEMORY)]);
    }
    if isolated {
        hard = halved(hard);
    }
    for name in given.keys() {
        // Two names of one thing.
        hard.remove(&format!("requests.{name}"));
    }
    hard.extend(given.clone());
    hard
}

/// What finds no room in the quota or the LimitRange.
#[derive(Default)]
pub struct OverQuota {
    /// Why each object would be refused.
    pub refused: BTreeMap<ObjectName, Refusal>,
    /// What the given quota is short of.
    pub shortages: Vec<Shortage>,
}

/// The planned objects that find no room in the quota or the LimitRange. What the branch builds has room first.
pub fn over_quota(stages: &[Vec<Planned>], context: &Context<'_>) -> OverQuota {
    let mut planned: Vec<&Manifest> = stages.iter().flatten().map(|planned| &planned.manifest).collect();
    let limits = limit_range::effective(&planned, context);
    planned.sort_by_key(|object| !is_built(object, context.images));
    let given = given(context);
    let (mut over, mut counted) = (OverQuota::default(), Counted::of(capped(given.clone().unwrap_or_default(), context), context));
    for object in planned {
        let range = limits.as_ref().and_then(|limits| limit_range::refusal(&Template::of(object)?, limits));
        let range = range.map(|why| Refusal { why, mend: "raise isolation.limitRange, or lower clone.resources".to_owned() });
        let public = || given.as_ref().and_then(|given| public(object, given));
        // What is computed has room by itself, so most often nothing has to be counted here.
        let quota = || if counted.is_idle() { None } else { counted.count(object, &loads(object, limits.as_ref())) };
        if let Some(refusal) = range.or_else(public).or_else(quota) {
            over.refused.insert(object.name(), refusal);
        }
    }
    over.shortages = counted.shortages();
    over
}

/// A given quota while objects take from it.
struct Counted {
    given: Amounts,
    left: Amounts,
    /// What all of them ask for, whether they get it or not.
    asked: Amounts,
    /// Those that get nothing, by what there is too little of.
    without_room: BTreeMap<String, Vec<ObjectName>>,
    /// The PreviewPolicies that hold it down.
    bounded_by: Option<String>,
}

impl Counted {
    fn of(given: Amounts, context: &Context<'_>) -> Self {
        let bounded_by = context.target.baseline.policy.bounds_quota();
        Self { left: given.clone(), given, asked: Amounts::new(), without_room: BTreeMap::new(), bounded_by }
    }

    fn is_idle(&self) -> bool {
        self.given.is_empty()
    }

    /// Gives the object what it asks for, or says why not.
    fn count(&mut self, object: &Manifest, loads: &[Load]) -> Option<Refusal> {
        for name in self.given.keys() {
            let asked = self.asked.entry(name.clone()).or_default();
            *asked = loads.iter().filter_map(|load| taken(load, name)).fold(*asked, |sum, taken| sum + taken);
        }
        let Some(Excess { resource, why }) = too_much(loads, &self.left) else {
            take(loads, &mut self.left);
            return None;
        };
        if let Some(resource) = resource {
            self.without_room.entry(resource).or_default().push(object.name());
        }
        let why = match &self.bounded_by {
            Some(at) => format!("{why}, which {at} bounds"),
            None => why,
        };
        Some(Refusal { why, mend: "raise isolation.quota, or lower clone.resources".to_owned() })
    }

    fn shortages(self) -> Vec<Shortage> {
        let amount = |amounts: &Amounts, name: &str| amounts.get(name).copied().unwrap_or_default();
        let shortage = |(resource, objects): (String, Vec<ObjectName>)| Shortage {
            asked: amount(&self.asked, &resource),
            given: amount(&self.given, &resource),
            without_room: WithoutRoom::Objects(objects),
            resource,
        };
        self.without_room.into_iter().map(shortage).collect()
    }
}

/// Why a Service would be refused that a patch gave an address or ports outside the cluster: there are none, unless the
/// Baseline's quota says so.
fn public(object: &Manifest, given: &Amounts) -> Option<Refusal> {
    let kind = object.text("/spec/type").filter(|_| object.group().is_empty() && object.kind() == "Service")?;
    let has_ports = object.get("/spec/allocateLoadBalancerNodePorts") != Some(&Value::Bool(false));
    let counted: &[&str] = match kind {
        "LoadBalancer" if has_ports => &["services.loadbalancers", "services.nodeports"],
        "LoadBalancer" => &["services.loadbalancers"],
        "NodePort" => &["services.nodeports"],
        _ => return None,
    };
    let name = counted.iter().find(|name| given.get(**name).copied().unwrap_or_default() <= Quantity::ZERO)?;
    let mend = format!("raise isolation.quota.hard[{name}], or leave its type as it is");
    Some(Refusal { why: format!("is of type {kind} (spec.type), and isolation.quota allows no {name}"), mend })
}

/// Why each of the Jobs would be refused beside the copies, by the quota that the Baseline gives. One runs at a time.
pub fn jobs_over_quota(stages: &[Vec<Planned>], hooks: &[PlannedHook], context: &Context<'_>) -> Vec<Option<String>> {
    let given = given(context).map(|given| capped(given, context));
    let Some(mut left) = given.filter(|given| !given.is_empty()) else { return vec![None; hooks.len()] };
    let everything = Everything::of(stages, hooks);
    let limits = limit_range::effective(&everything.all(), context);
    let loads = |object: &Manifest| loads(object, limits.as_ref());
    everything.copies.iter().for_each(|copy| take(&loads(copy), &mut left));
    everything.jobs.iter().map(|job| too_much(&loads(job), &left).map(|excess| excess.why)).collect()
}

/// What a load takes at rest under that name of a quota: `cpu` is another name of `requests.cpu`.
fn taken(load: &Load, name: &str) -> Option<Quantity> {
    let amount = load.each.get(name).or_else(|| load.each.get(&format!("requests.{name}")));
    amount.map(|amount| *amount * load.times)
}

fn take(loads: &[Load], left: &mut Amounts) {
    for (name, amount) in left {
        *amount = loads.iter().filter_map(|load| taken(load, name)).fold(*amount, |left, taken| left - taken);
    }
}

/// Why something finds no room.
struct Excess {
    /// What there is too little of; absent where there is no saying how much it asks for.
    resource: Option<String>,
    why: String,
}

fn too_much(loads: &[Load], left: &Amounts) -> Option<Excess> {
    left.iter().find_map(|(name, left)| {
        let asked: Quantity = loads.iter().filter_map(|load| taken(load, name)).sum();
        let kind = name.split('.').next().unwrap_or_default();
        let is_counted = kind == "limits" && loads.iter().any(|load| load.times > 0 && load.each.contains_key("pods"));
        if is_counted && !loads.iter().any(|load| load.each.contains_key(name)) {
            let why = format!("says nothing about {name} ({}), and isolation.quota counts it", field(loads, name));
            return Some(Excess { resource: None, why });
        }
        let why = || format!("asks for {asked} of {name} ({}), and isolation.quota has {left} left", field(loads, name));
        (asked > *left).then(|| Excess { resource: Some(name.clone()), why: why() })
    })
}

/// The field that says how much of it the object asks for.
fn field(loads: &[Load], name: &str) -> &'static str {
    let is_claim = loads.first().is_some_and(|load| load.object.kind == "PersistentVolumeClaim");
    match name {
        "pods" if loads.first().is_some_and(|load| matches!(load.object.kind.as_str(), "Job" | "CronJob")) => "parallelism",
        "pods" => "spec.replicas",
        "persistentvolumeclaims" | "requests.storage" if is_claim => "spec.resources",
        "persistentvolumeclaims" | "requests.storage" => "spec.volumeClaimTemplates",
        _ => "resources of its containers",
    }
}

/// An update that finds no room.
struct NoUpdate {
    object: ObjectName,
    resource: String,
    lacks: Quantity,
    why: String,
}

/// Where an update would find no room, although what is at rest does.
fn no_room_to_update(loads: &[Load], hard: &Amounts) -> Option<NoUpdate> {
    let mut left = hard.clone();
    take(loads, &mut left);
    let short = |load: &Load| {
        left.iter().find_map(|(name, left)| {
            let each = load.each.get(name).copied().unwrap_or_default() * load.surge;
            let object = &load.object;
            let why = || format!("an update of {object} needs {each} of {name} for a while, and isolation.quota has {left} left");
            (each > *left).then(|| NoUpdate { object: object.clone(), resource: name.clone(), lacks: each - *left, why: why() })
        })
    };
    loads.iter().find_map(short)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::Manifest;
    use crate::plan::sample::{Made, World, deployment, isolated, object, service, stateful_set};

    fn requesting(name: &str, cpu: &str) -> Manifest {
        deployment(name)
            .image(&format!("acme/{name}:1"))
            .with("/spec/template/spec/containers/0/resources", json!({"requests": {"cpu": cpu, "memory": "64Mi"}}))
    }

    fn made(objects: Vec<Manifest>, hard: &Value) -> Made {
        World::of(objects).baseline(|b| b.isolation = isolated(json!({"quota": {"hard": hard}}))).branch("acme/web", "2").plan()
    }

    fn hard(objects: Vec<Manifest>, given: &Value) -> Value {
        made(objects, given).find("ResourceQuota/preview-env-isolation").value()["spec"]["hard"].clone()
    }

    #[test]
    fn there_is_room_for_updates_and_none_for_public_addresses() {
        let db = stateful_set("db").claim("data");
        let hard = hard(vec![requesting("web", "500m"), db], &json!({}));
        assert_eq!((&hard["services.loadbalancers"], &hard["services.nodeports"]), (&json!("0"), &json!("0")));
        // Two pods of web during an update and one of db, twice, and ten.
        assert_eq!(hard["pods"], json!("16"));
        assert_eq!(hard["requests.cpu"], json!("3020m"));
        assert_eq!((&hard["persistentvolumeclaims"], &hard["requests.storage"]), (&json!("4"), &json!("10Gi")));
        assert!(hard.get("limits.memory").is_none(), "no limit that the baseline has not");
    }

    #[test]
    fn what_is_given_stands_in_place_of_what_is_computed() {
        let hard = hard(vec![], &json!({"pods": "7", "cpu": "3", "limits.memory": "1Gi"}));
        assert_eq!((&hard["pods"], &hard["cpu"], &hard["limits.memory"]), (&json!("7"), &json!("3"), &json!("1Gi")));
        assert!(hard.get("requests.cpu").is_none());
    }

    #[test]
    fn no_policy_is_exceeded_by_what_is_computed_or_given() {
        let policy =
            crate::api::PreviewPolicy::new("default", serde_json::from_value(json!({"quota": {"cpu": "1", "pods": "8"}})).unwrap());
        let policies = [std::sync::Arc::new(crate::domain::Policy::read(&policy))];
        let made = |objects: Vec<Manifest>, hard: Value| {
            let world = World::of(objects).baseline(|b| b.isolation = isolated(json!({"quota": {"hard": hard}})));
            world.baseline(|b| *b = b.clone().under(Some(&policies), None)).plan()
        };
        let hard = |made: &Made| made.find("ResourceQuota/preview-env-isolation").value()["spec"]["hard"].clone();
        let computed = hard(&made(vec![requesting("web", "500m")], json!({})));
        assert_eq!((&computed["requests.cpu"], &computed["pods"]), (&json!("1"), &json!("8")));
        let given = hard(&made(vec![], json!({"cpu": "500m"})));
        assert_eq!((&given["cpu"], given.get("requests.cpu")), (&json!("500m"), None));
        let said = made(vec![requesting("web", "2")], json!({})).said();
        let line = "Deployment/web left out: asks for 2 of requests.cpu (resources of its containers), and isolation.quota has 1 left, \
            which PreviewPolicy default (spec.quota) bounds";
        assert!(said.contains(&line.to_owned()), "{said:?}");
    }

    #[test]
    fn a_workload_without_room_is_left_out_and_what_the_branch_builds_comes_first() {
        let said = made(vec![requesting("api", "500m"), requesting("web", "600m")], &json!({"requests.cpu": "1"})).said();
        assert!(
            said.contains(
                &"Deployment/api left out: asks for 500m of requests.cpu (resources of its containers), and isolation.quota has 400m left"
                    .to_owned()
            ),
            "{said:?}"
        );
        assert!(said.iter().any(|line| line.starts_with("Deployment/web spec.template.spec.containers[web].image")), "{said:?}");
        let stalled = made(vec![requesting("web", "2")], &json!({"requests.cpu": "1"})).plan.stalled;
        assert!(stalled[0].contains("asks for 2 of requests.cpu ("), "{stalled:?}");
    }

    #[test]
    fn room_that_only_an_update_lacks_is_said() {
        let made = made(vec![requesting("web", "600m")], &json!({"requests.cpu": "1"}));
        let said = made.said();
        let line = "ResourceQuota/preview-env-isolation added: \
            an update of Deployment/web needs 600m of requests.cpu for a while, and isolation.quota has 400m left";
        assert!(said.contains(&line.to_owned()), "{said:?}");
        assert_eq!(made.plan.workloads.len(), 1);
    }

    #[test]
    fn a_service_that_a_patch_made_public_is_left_out_unless_there_is_room() {
        let patch = |spec: Value| {
            let change = crate::domain::baseline::PatchChange::Merge(json!({ "spec": spec }).as_object().cloned().unwrap());
            vec![crate::domain::baseline::PatchRule { kind: "Service".into(), name: None, group: None, change }]
        };
        let said = |spec: Value, hard: Value| {
            let world = World::of([service("web")]).baseline(|b| b.isolation = isolated(json!({"quota": {"hard": hard}})));
            world.baseline(|b| b.patches = patch(spec)).plan().said().into_iter().find(|line| line.starts_with("Service/web left out"))
        };
        let balancer = || json!({"type": "LoadBalancer"});
        for (spec, hard, name) in [
            (json!({"type": "NodePort"}), json!({}), "services.nodeports"),
            (balancer(), json!({}), "services.loadbalancers"),
            (balancer(), json!({"services.loadbalancers": "1"}), "services.nodeports"),
        ] {
            let said = said(spec, hard).unwrap_or_default();
            assert!(said.ends_with(&format!("(spec.type), and isolation.quota allows no {name}")), "{said}");
        }
        assert_eq!(said(balancer(), json!({"services.loadbalancers": "1", "services.nodeports": "1"})), None);
        assert_eq!(said(json!({"type": "ClusterIP"}), json!({})), None);
    }

    #[test]
    fn claims_without_room_are_left_out_too() {
        let claim =
            |name: &str| object("v1", "PersistentVolumeClaim", name).with("/spec/resources", json!({"requests": {"storage": "2Gi"}}));
        let said = made(vec![claim("a"), claim("b")], &json!({"requests.storage": "3Gi"})).said();
        assert!(said[3].contains("asks for 2Gi of requests.storage (spec.resources), and isolation.quota has 1Gi left"), "{said:?}");
    }

    #[test]
    fn what_nobody_approved_gets_half_and_has_a_quota_in_any_case() {
        let hard = |isolation: Value, isolated_too: bool| {
            let world = World::of([requesting("web", "200m")]).baseline(|b| b.isolation = isolated(isolation));
            let made = if isolated_too { world.isolated().plan() } else { world.plan() };
            made.find("ResourceQuota/preview-env-isolation").value()["spec"]["hard"].clone()
        };
        let (whole, half) = (hard(json!({}), false), hard(json!({}), true));
        assert_eq!((&whole["requests.cpu"], &half["requests.cpu"]), (&json!("1800m"), &json!("900m")));
        assert_eq!((&whole["pods"], &half["pods"]), (&json!("14"), &json!("7")));
        assert_eq!(hard(json!({"quota": {"mode": "None"}}), true), half);
        let given = json!({"quota": {"hard": {"pods": "5", "requests.cpu": "1"}}});
        let half = hard(given, true);
        assert_eq!((&half["pods"], &half["requests.cpu"]), (&json!("2"), &json!("500m")));
    }
}
