//! Why a namespace does not go: what Kubernetes says of it, as a sentence with names and a way out. No client, no clock, no
//! logging.
//!
//! The namespace controller writes all of it into the namespace's conditions, in sentences of its own
//! (`pkg/controller/namespace/deletion/status_condition_utils.go` in k8s.io/kubernetes); where they read otherwise some day, they are
//! shown as they are.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition};

/// How long a namespace may take to go before it is asked what holds it up. Pods have 5 s to end, and what holds pods' volumes
/// a few more.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What is left of one kind in a namespace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remaining {
    /// The plural of the kind, such as `configmaps`.
    pub plural: String,
    /// Its group, empty for the core group.
    pub group: String,
    /// How many objects.
    pub count: u32,
}

/// What holds a namespace up: nothing where Kubernetes says nothing of it. `names` knows which objects of a kind are left.
/// `environment` is the namespace of the PreviewEnvironment and its name.
pub fn why(namespace: &Namespace, environment: (&str, &str), names: impl Fn(&Remaining) -> Vec<String>) -> Option<String> {
    let name = namespace.metadata.name.as_deref().unwrap_or_default();
    let mut parts: Vec<String> = Vec::new();
    parts.extend(message(namespace, "NamespaceDeletionDiscoveryFailure").map(no_answer));
    parts.extend(message(namespace, "NamespaceDeletionGroupVersionParsingFailure").map(str::to_owned));
    let finalizers = message(namespace, "NamespaceFinalizersRemaining").map(held_by);
    let left = left(namespace, names);
    parts.extend(match (left, finalizers) {
        (Some(left), Some(finalizers)) => Some(format!("{left} {finalizers}; {}", way_out(environment))),
        (Some(left), None) => Some(format!("{left} still there: kubectl -n {name} get events")),
        (None, finalizers) => finalizers.map(|held| format!("something is {held}; {}", way_out(environment))),
    });
    parts.extend(message(namespace, "NamespaceDeletionContentFailure").map(|text| format!("Kubernetes says: {text}")));
    parts.extend(own_finalizers(namespace));
    (!parts.is_empty()).then(|| format!("namespace {name} does not go: {}", parts.join("; ")))
}

/// The kinds of which something is left, as Kubernetes counted them last.
pub fn remaining(namespace: &Namespace) -> Vec<Remaining> {
    let listed = message(namespace, "NamespaceContentRemaining").and_then(|text| text.strip_prefix("Some resources are remaining: "));
    listed.into_iter().flat_map(|listed| listed.split(", ")).filter_map(one).collect()
}

/// Of `configmaps. has 2 resource instances`.
fn one(text: &str) -> Option<Remaining> {
    let (resource, count) = text.strip_suffix(" resource instances")?.split_once(" has ")?;
    let (plural, group) = resource.split_once('.')?;
    Some(Remaining { plural: plural.to_owned(), group: group.to_owned(), count: count.parse().ok()? })
}

/// The message of a condition that is True.
fn message<'a>(namespace: &'a Namespace, type_: &str) -> Option<&'a str> {
    let conditions = namespace.status.as_ref()?.conditions.as_deref()?;
    let is_so = |c: &&NamespaceCondition| c.type_ == type_ && c.status == "True";
    conditions.iter().find(is_so).map(|c| c.message.as_deref().unwrap_or_default())
}

/// `Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: g/v: why, g/v: why`.
fn no_answer(text: &str) -> String {
    let listed = text.rsplit_once("server APIs: ").map_or("", |(_, listed)| listed);
    let is_version =
        |version: &&str| version.split_once('/').is_some_and(|(group, version)| group.contains('.') && version.starts_with('v'));
    let versions =
        listed.split(", ").filter_map(|part| part.split_once(": ")).map(|(version, _)| version).filter(|version| is_version(version));
    let services: Vec<String> =
        versions.filter_map(|version| version.split_once('/')).map(|(group, version)| format!("{version}.{group}")).collect();
    match services.as_slice() {
        [] => format!("an API service does not answer, and nothing goes before all do (kubectl get apiservices): {text}"),
        services => {
            let names = services.join(" and ");
            format!(
                "the API service {names} does not answer, and nothing goes before all do; mend it, or delete it where nothing is behind \
                 it any more: kubectl delete apiservice {}",
                services.join(" ")
            )
        }
    }
}

/// Of `Some content in the namespace has finalizers remaining: a/b in 1 resource instances`.
fn held_by(text: &str) -> String {
    let listed = text.strip_prefix("Some content in the namespace has finalizers remaining: ").unwrap_or(text);
    let names: Vec<&str> = listed.split(", ").map(|part| part.split_once(" in ").map_or(part, |(name, _)| name)).collect();
    match names.as_slice() {
        [one] => format!("held by the finalizer {one}"),
        all => format!("held by the finalizers {}", all.join(" and ")),
    }
}

fn left(namespace: &Namespace, names: impl Fn(&Remaining) -> Vec<String>) -> Option<String> {
    let of_kind = |remaining: &Remaining| {
        let Remaining { plural, group, count } = remaining;
        let dot = if group.is_empty() { "" } else { "." };
        let names = names(remaining);
        let which = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        format!("{count} of {plural}{dot}{group}{which}")
    };
    let all: Vec<String> = remaining(namespace).iter().map(of_kind).collect();
    match all.len() {
        0 => None,
        1 if all[0].starts_with("1 of ") => Some(format!("{} is", all[0])),
        _ => Some(format!("{} are", all.join(", "))),
    }
}

fn way_out((namespace, name): (&str, &str)) -> String {
    format!(
        "whoever set a finalizer has to take it off, so look whether its controller runs; where it never will again: preview delete \
         {name} -n {namespace} --force-finalizers"
    )
}

/// Those of the namespace itself, which others set.
fn own_finalizers(namespace: &Namespace) -> Option<String> {
    let own = namespace.metadata.finalizers.as_ref().filter(|own| !own.is_empty())?;
    Some(format!("the namespace itself is held by {}, which whoever set it has to take off", own.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn namespace(conditions: &[(&str, &str)], finalizers: &[&str]) -> Namespace {
        let conditions: Vec<_> = conditions.iter().map(|(t, m)| json!({"type": t, "status": "True", "message": m})).collect();
        serde_json::from_value(json!({"metadata": {"name": "shop-web-pr-42", "finalizers": finalizers},
            "status": {"phase": "Terminating", "conditions": conditions}}))
        .unwrap()
    }

    fn said(conditions: &[(&str, &str)], finalizers: &[&str]) -> Option<String> {
        let names = |r: &Remaining| if r.plural == "deployments" { vec!["web".to_owned()] } else { Vec::new() };
        why(&namespace(conditions, finalizers), ("shop", "web-pr-42"), names)
    }

    const CONTENT: &str = "NamespaceContentRemaining";
    const FINALIZERS: &str = "NamespaceFinalizersRemaining";

    #[test]
    fn what_holds_it_up_is_named_with_the_way_out() {
        let content = (CONTENT, "Some resources are remaining: deployments.apps has 1 resource instances");
        let held = (FINALIZERS, "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances");
        insta::assert_snapshot!(said(&[content, held], &[]).unwrap(), @"namespace shop-web-pr-42 does not go: 1 of deployments.apps (web) is held by the finalizer example.com/hold; whoever set a finalizer has to take it off, so look whether its controller runs; where it never will again: preview delete web-pr-42 -n shop --force-finalizers");
        let content = (CONTENT, "Some resources are remaining: configmaps. has 2 resource instances, pods. has 1 resource instances");
        insta::assert_snapshot!(said(&[content], &["cloud.example.com/x"]).unwrap(), @"namespace shop-web-pr-42 does not go: 2 of configmaps, 1 of pods are still there: kubectl -n shop-web-pr-42 get events; the namespace itself is held by cloud.example.com/x, which whoever set it has to take off");
        let discovery = (
            "NamespaceDeletionDiscoveryFailure",
            "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: \
             stale GroupVersion discovery: metrics.k8s.io/v1beta1",
        );
        insta::assert_snapshot!(said(&[discovery], &[]).unwrap(), @"namespace shop-web-pr-42 does not go: the API service v1beta1.metrics.k8s.io does not answer, and nothing goes before all do; mend it, or delete it where nothing is behind it any more: kubectl delete apiservice v1beta1.metrics.k8s.io");
        let failure = ("NamespaceDeletionContentFailure", "Failed to delete all resource types, 1 remaining: failed calling webhook \"x\"");
        assert!(
            said(&[failure], &[])
                .unwrap()
                .ends_with("Kubernetes says: Failed to delete all resource types, 1 remaining: failed calling webhook \"x\"")
        );
    }

    #[test]
    fn what_reads_otherwise_some_day_is_shown_as_it_is_and_nothing_is_made_up() {
        assert_eq!(said(&[], &[]), None);
        let whole = |type_: &str| said(&[(type_, "something else")], &[]);
        assert!(whole(FINALIZERS).unwrap().contains("held by the finalizer something else"));
        assert!(whole("NamespaceDeletionDiscoveryFailure").unwrap().contains("(kubectl get apiservices): something else"));
        assert_eq!(whole(CONTENT), None, "the other conditions say the rest");
        let mut over = namespace(&[(FINALIZERS, "All content-preserving finalizers finished")], &[]);
        over.status.as_mut().unwrap().conditions.as_mut().unwrap()[0].status = "False".to_owned();
        assert_eq!(why(&over, ("shop", "web-pr-42"), |_| Vec::new()), None);
    }

    #[test]
    fn the_kinds_that_are_left_are_read() {
        let text = "Some resources are remaining: configmaps. has 2 resource instances, databases.db.example.com has 1 resource instances";
        let read: Vec<_> = remaining(&namespace(&[(CONTENT, text)], &[])).into_iter().map(|r| (r.plural, r.group, r.count)).collect();
        assert_eq!(read, [("configmaps".into(), String::new(), 2), ("databases".into(), "db.example.com".into(), 1)]);
    }
}
