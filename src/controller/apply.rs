//! Step 4 of 5, apply: makes the plan so. The client is used here.
//!
//! One server-side apply for each object that is not as planned, no GET before it, stage after stage. What became of
//! each object comes back as a value; nothing here waits for a workload to be ready.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use tokio::time::Instant;

use super::Context;
use super::index::{WorkloadKey, watched_key};
use super::recorded::Recorded;
use super::requests::{self, Place, RequestError};
use crate::api::names::LABEL_AGGREGATE_ENVIRONMENT;
use crate::api::status::InventoryEntry;
use crate::domain::Environment;
use crate::kinds::{Kind, Known, Treatment, group_of};
use crate::plan::{ObjectName, Plan, Planned, is_made_anew};

/// RBAC follows a new RoleBinding with a lag of some milliseconds; until then the API server answers 403.
const RBAC_LAG: Duration = Duration::from_secs(2);
const RBAC_PAUSE: Duration = Duration::from_millis(5);

/// What came of applying a plan.
#[derive(Debug, Default)]
pub struct Applied {
    /// Every object that is there now, with the hash that it was applied with; failed ones without.
    pub inventory: Vec<InventoryEntry>,
    /// How many objects were written.
    pub written: usize,
    /// Objects that could not be applied.
    pub failures: Vec<RequestError>,
}

/// Where a plan is applied.
pub struct Destination<'a> {
    /// The environment.
    pub environment: &'a Environment,
    /// Its namespace.
    pub namespace: &'a str,
    /// Whether the rights inside it may still be on their way.
    pub new: bool,
    /// Whether the watches had time to bring back what was written last.
    pub watch_is_current: bool,
    /// Objects whose time has not come.
    pub held: &'a HashSet<ObjectName>,
    /// Whether nothing is applied but what others deleted or replaced since.
    pub mending: bool,
}

/// The objects of a plan that are not as planned, by what was recorded and what the watches saw.
fn outdated<'a>(context: &Context, to: &Destination<'_>, plan: &'a Plan, recorded: &Recorded) -> Vec<Vec<&'a Planned>> {
    let is_current = |planned: &Planned| {
        let object = planned.manifest.name();
        if to.held.contains(&object) {
            return true;
        }
        let seen = seen_as(context, (&to.environment.uid, to.namespace), &object).filter(|_| to.watch_is_current);
        if to.mending {
            return recorded.hash_of(&object).is_none_or(|hash| seen.is_none_or(|seen| seen == hash));
        }
        recorded.hash_of(&object) == Some(planned.hash.as_str()) && seen.is_none_or(|hash| hash == planned.hash)
    };
    let is_due = |planned: &&Planned| !is_current(planned) && !plan.holds_back(&planned.manifest.name());
    plan.stages.iter().map(|stage| stage.iter().filter(is_due).collect()).collect()
}

/// What somebody else deleted or replaced since it was applied, as far as the watches and the rounds see that.
pub fn drifted<'a>(
    context: &'a Context,
    recorded: &'a Recorded,
    (uid, namespace): (&'a str, &'a str),
) -> impl Iterator<Item = ObjectName> + 'a {
    let applied = recorded.status.inventory.iter().filter_map(|entry| Some((entry.hash.as_ref()?, object_name(entry))));
    let differs =
        move |(hash, object): &(&String, ObjectName)| seen_as(context, (uid, namespace), object).is_some_and(|seen| seen != **hash);
    applied.filter(differs).map(|(_, object)| object)
}

/// The hash that an object was last seen with: empty where it is gone. `None` where no watch follows it and no round missed
/// it.
fn seen_as(context: &Context, (uid, namespace): (&str, &str), object: &ObjectName) -> Option<String> {
    match followed_as(context, object) {
        Some(key) => Some(context.index.workload(namespace, &key).and_then(|w| w.applied_hash).unwrap_or_default()),
        None => context.rounds.misses(uid, object).then(String::new),
    }
}

/// Whether a watch follows an object, and its first list is complete.
pub(super) fn is_followed(context: &Context, object: &ObjectName) -> bool {
    followed_as(context, object).is_some()
}

fn followed_as(context: &Context, object: &ObjectName) -> Option<WorkloadKey> {
    // The group counts: others have a kind `Job` too.
    let key = watched_key(&object.kind, &object.name).filter(|_| Kind::find(&object.api_version, &object.kind).is_some())?;
    context.index.is_listed(key.0).then_some(key)
}

/// Applies what is not as planned and prunes what the plan no longer has. An object that the API server refuses does not
/// hold up the others; one that it cannot take right now ends the round, since the rest would fare no better.
pub async fn apply(context: &Context, to: &Destination<'_>, plan: &Plan, recorded: &Recorded) -> Applied {
    let mut written = HashMap::new();
    let mut failures = Vec::new();
    let deadline = Instant::now() + if to.new { RBAC_LAG } else { Duration::ZERO };
    let mut stages = outdated(context, to, plan, recorded);
    if to.new {
        send_one_ahead(&mut stages);
    }
    for stage in stages {
        let writes: Vec<_> = stage.into_iter().map(|planned| apply_one(context, to, planned, deadline)).collect();
        let mut writes = stream::iter(writes).buffer_unordered(context.config.in_flight);
        while let Some((object, result)) = writes.next().await {
            written.insert(object, result.is_ok());
            failures.extend(result.err());
        }
        if failures.iter().any(RequestError::is_transient) {
            break;
        }
    }
    if !failures.iter().any(RequestError::is_transient) {
        context.rounds.settle(&to.environment.uid);
    }
    let mut applied = Applied { inventory: inventory(plan, recorded, (&written, to.mending)), written: written.len(), failures };
    prune(context, to, plan, recorded, &mut applied).await;
    applied.inventory.sort();
    applied
}

/// While the rights are on their way everything is refused, so one object alone finds out whether they have arrived.
fn send_one_ahead(stages: &mut Vec<Vec<&Planned>>) {
    if let Some(first) = stages.first_mut().and_then(Vec::pop) {
        stages.insert(0, vec![first]);
    }
}

async fn apply_one(
    context: &Context,
    to: &Destination<'_>,
    planned: &Planned,
    deadline: Instant,
) -> (ObjectName, Result<(), RequestError>) {
    let object = planned.manifest.name();
    let Some(kind) = context.baselines.discovery.kind_of(&object) else {
        let error = not_served(&object, to.namespace);
        return (object, Err(error));
    };
    let place = Place { kind: &kind, namespace: to.namespace };
    let mut is_anew = false;
    loop {
        let result = {
            let _permit = context.permits.acquire().await;
            requests::apply(&context.client, place, &planned.manifest).await
        };
        match result {
            Err(error) if error.code() == Some(403) && Instant::now() < deadline => tokio::time::sleep(RBAC_PAUSE).await,
            Err(RequestError::Answered { code: 422, message, .. }) if !is_anew && is_made_anew(&object, &message) => {
                is_anew = true;
                if let Err(error) = requests::delete_ours(&context.client, place, &object.name, &to.environment.uid).await {
                    return (object, Err(error));
                }
            }
            other => return (object, other.map_err(|error| advised(&kind, error))),
        }
    }
}

fn not_served(object: &ObjectName, namespace: &str) -> RequestError {
    let message = format!("the API server serves no kind {} in {}", object.kind, object.api_version);
    RequestError::Answered { what: format!("apply {object} in namespace {namespace}"), code: 404, message }
}

/// For a kind that we have no rights for by ourselves: who may grant them, and how.
fn advised(kind: &Kind, error: RequestError) -> RequestError {
    let by_opt_in = Known::find(kind.group(), &kind.kind).is_none_or(|known| matches!(known.treatment, Treatment::OptIn(..)));
    match error {
        RequestError::Answered { what, code: 403, message } if by_opt_in => {
            let message = format!("{message}; a ClusterRole with the label {LABEL_AGGREGATE_ENVIRONMENT}: \"true\" grants it");
            RequestError::Answered { what, code: 403, message }
        }
        other => other,
    }
}

/// What is there now: planned objects with their hash where it was written or held before, without where it was not.
fn inventory(plan: &Plan, recorded: &Recorded, (written, mending): (&HashMap<ObjectName, bool>, bool)) -> Vec<InventoryEntry> {
    let entry = |planned: &Planned| {
        let object = planned.manifest.name();
        let before = recorded.entry(&object);
        if mending && before.is_none() {
            return None;
        }
        let hash = match written.get(&object) {
            Some(true) => Some(planned.hash.clone()),
            Some(false) => None,
            None => before.and_then(|entry| entry.hash.clone()),
        };
        let is_as_planned = hash.as_ref() == Some(&planned.hash);
        let source = if is_as_planned { planned.source.clone() } else { before.and_then(|entry| entry.source.clone()) };
        Some(InventoryEntry { api_version: object.api_version, kind: object.kind, name: object.name, hash, source })
    };
    plan.stages.iter().flatten().filter_map(entry).collect()
}

/// What was applied and is not planned. An object that is planned in another version of its group is the same object.
fn leftovers<'a>(plan: &'a Plan, recorded: &'a Recorded) -> impl Iterator<Item = &'a InventoryEntry> {
    let same = |name: &ObjectName| (group_of(&name.api_version).to_owned(), name.kind.clone(), name.name.clone());
    let planned: HashSet<_> = plan.stages.iter().flatten().map(|p| same(&p.manifest.name())).collect();
    recorded.status.inventory.iter().filter(move |entry| !planned.contains(&same(&object_name(entry))))
}

/// The object that an entry is about.
pub(super) fn object_name(entry: &InventoryEntry) -> ObjectName {
    ObjectName { api_version: entry.api_version.clone(), kind: entry.kind.clone(), name: entry.name.clone() }
}

/// Deletes what the plan no longer has, once everything that it has is there. Of a kind that is not served any more
/// nothing is left.
async fn prune(context: &Context, to: &Destination<'_>, plan: &Plan, recorded: &Recorded, applied: &mut Applied) {
    if !applied.failures.is_empty() || !to.held.is_empty() || to.mending {
        applied.inventory.extend(leftovers(plan, recorded).cloned());
        return;
    }
    for entry in leftovers(plan, recorded) {
        let Some(kind) = context.baselines.discovery.kind_of(&object_name(entry)) else { continue };
        let place = Place { kind: &kind, namespace: to.namespace };
        if let Err(error) = requests::delete_ours(&context.client, place, &entry.name, &to.environment.uid).await {
            applied.inventory.push(entry.clone());
            applied.failures.push(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PreviewEnvironmentStatus;
    use crate::plan::Manifest;
    use serde_json::json;

    fn planned(name: &str, version: &str) -> Planned {
        let manifest = Manifest::new(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}}));
        Planned { manifest, hash: version.to_owned(), source: Some(version.to_owned()) }
    }

    fn entry(name: &str, hash: Option<&str>, source: &str) -> InventoryEntry {
        let (hash, source) = (hash.map(str::to_owned), Some(source.to_owned()));
        InventoryEntry { api_version: "v1".into(), kind: "Service".into(), name: name.into(), hash, source }
    }

    /// `same` is as planned, `moved` differs in the baseline by now, and `new` is new there.
    fn after(written: &[(&str, bool)], mending: bool) -> Vec<InventoryEntry> {
        let inventory = vec![entry("moved", Some("1"), "1"), entry("same", Some("2"), "2")];
        let status = PreviewEnvironmentStatus { inventory, ..PreviewEnvironmentStatus::default() };
        let plan = Plan { stages: vec![vec![planned("moved", "2"), planned("new", "2"), planned("same", "2")]], ..Plan::default() };
        let written = written.iter().map(|(name, done)| (planned(name, "").manifest.name(), *done)).collect();
        super::inventory(&plan, &Recorded { status, written_at: None }, (&written, mending))
    }

    #[test]
    fn what_was_written_is_as_planned_and_what_was_not_is_as_before() {
        let all = after(&[("moved", true), ("new", false)], false);
        assert_eq!(
            all,
            [entry("moved", Some("2"), "2"), InventoryEntry { source: None, ..entry("new", None, "") }, entry("same", Some("2"), "2")]
        );
    }

    #[test]
    fn mending_adds_nothing_that_is_new_and_leaves_what_moved() {
        assert_eq!(after(&[("same", true)], true), [entry("moved", Some("1"), "1"), entry("same", Some("2"), "2")]);
    }

    fn named(api_version: &str, kind: &str, name: &str) -> InventoryEntry {
        serde_json::from_value(json!({"apiVersion": api_version, "kind": kind, "name": name})).unwrap()
    }

    #[test]
    fn an_object_in_another_version_of_its_group_is_no_leftover() {
        let manifest = Manifest::new(json!({"apiVersion": "db.example.com/v1", "kind": "Database", "metadata": {"name": "main"}}));
        let planned = Planned { manifest, hash: "h".into(), source: None };
        let plan = Plan { stages: vec![vec![planned]], ..Plan::default() };
        let inventory = vec![
            named("db.example.com/v1beta1", "Database", "main"),
            named("db.example.com/v1beta1", "Database", "old"),
            named("other.example.com/v1", "Database", "main"),
        ];
        let recorded = Recorded { status: PreviewEnvironmentStatus { inventory, ..Default::default() }, ..Recorded::default() };
        let left: Vec<_> = leftovers(&plan, &recorded).map(|e| (e.api_version.as_str(), e.name.as_str())).collect();
        assert_eq!(left, [("db.example.com/v1beta1", "old"), ("other.example.com/v1", "main")]);
    }

    #[test]
    fn a_missing_right_is_advised_where_an_administrator_gives_it() {
        let refused = || RequestError::Answered { what: "apply Database/main".into(), code: 403, message: "forbidden".into() };
        let custom = Kind::new("db.example.com/v1", "Database", "databases");
        assert!(advised(&custom, refused()).to_string().contains("preview-env.dev/aggregate-to-environment"));
        let ours = Kind::new("apps/v1", "Deployment", "deployments");
        assert_eq!(advised(&ours, refused()).to_string(), refused().to_string());
    }
}
