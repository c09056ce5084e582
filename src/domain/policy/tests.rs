//! A Baseline under policies, field by field.

use serde_json::{Value, json};

use super::*;
use crate::api;
use crate::api::baseline::isolation::PodSecurity;
use crate::api::baseline::{Approvers, Forks};

fn policy(name: &str, spec: Value) -> Arc<Policy> {
    Arc::new(Policy::read(&PreviewPolicy::new(name, serde_json::from_value(spec).unwrap())))
}

fn baseline(change: impl FnOnce(&mut Value)) -> Baseline {
    let mut spec = json!({
        "repositories": [{"name": "Acme/Web", "images": [{"name": "ghcr.io/acme/web"}]}],
        "hosts": {"domain": "shop.preview.example.com"},
    });
    change(&mut spec);
    let mut object = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some("shop".into());
    Baseline::try_from(&object).unwrap()
}

fn labels(team: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("team".to_owned(), team.to_owned())])
}

fn refusal(baseline: Baseline, spec: Value) -> String {
    baseline.under(Some(&[policy("default", spec)]), Some(&labels("shop"))).policy.refusal().unwrap_or_default()
}

#[test]
fn each_field_is_refused_by_its_path_with_the_ceiling_and_whose_it_is() {
    for (change, spec, refused) in [
        (
            json!({}),
            json!({"repositories": ["other/*"]}),
            "spec.repositories[0].name: Acme/Web is none of those that PreviewPolicy default (spec.repositories) allows",
        ),
        (
            json!({}),
            json!({"registries": ["registry.example.com"]}),
            "spec.repositories[0].images[0].name: ghcr.io/acme/web is in none of the registries that PreviewPolicy default (spec.registries) allows",
        ),
        (
            json!({}),
            json!({"domains": ["example.org", "w.example.com"]}),
            "spec.hosts.domain: shop.preview.example.com is under none of the domains that PreviewPolicy default (spec.domains) allows",
        ),
        (
            json!({"clone": {"customResources": [{"group": "db.example.com", "kind": "Database"}]}}),
            json!({"customResources": []}),
            "spec.clone.customResources[0]: Database of db.example.com is none of those that PreviewPolicy default (spec.customResources) allows",
        ),
        (
            json!({"trust": {"forks": "Isolated"}}),
            json!({"trust": {"forks": "Approve"}}),
            "spec.trust.forks: Isolated is more than Approve, the most that PreviewPolicy default (spec.trust.forks) allows",
        ),
        (
            json!({}),
            json!({"trust": {"approvers": "Maintain"}}),
            "spec.trust.approvers: Write is less than Maintain, the least that PreviewPolicy default (spec.trust.approvers) takes",
        ),
        (
            json!({"isolation": {"networkPolicy": "None"}}),
            json!({"isolation": {"networkPolicy": "Isolated"}}),
            "spec.isolation.networkPolicy: None is more than Isolated, the most that PreviewPolicy default (spec.isolation.networkPolicy) allows",
        ),
        (
            json!({"isolation": {"quota": {"hard": {"cpu": "8"}}}}),
            json!({"quota": {"requests.cpu": "4"}}),
            "spec.isolation.quota.hard[cpu]: 8 is more than 4, the most that PreviewPolicy default (spec.quota) allows",
        ),
        (
            json!({"isolation": {"quota": {"mode": "None"}}}),
            json!({"quota": {"pods": "9"}}),
            "spec.isolation.quota.mode: None is not for a namespace with a quota by PreviewPolicy default (spec.quota)",
        ),
        (
            json!({"lifetime": {"ttl": "8d"}}),
            json!({"lifetime": {"ttl": "7d"}}),
            "spec.lifetime.ttl: 8days is more than 7days, the most that PreviewPolicy default (spec.lifetime.ttl) allows",
        ),
        (
            json!({"lifetime": {"max": "31d"}}),
            json!({"lifetime": {"max": "30d"}}),
            "spec.lifetime.max: 1month 13h 26m 24s is more than 30days, the most that PreviewPolicy default (spec.lifetime.max) allows",
        ),
        (
            json!({"lifetime": {"grace": "2h"}}),
            json!({"lifetime": {"grace": "1h"}}),
            "spec.lifetime.grace: 2h is more than 1h, the most that PreviewPolicy default (spec.lifetime.grace) allows",
        ),
        (
            json!({"limits": {"environments": 30}}),
            json!({"limits": {"environments": 25}}),
            "spec.limits.environments: 30 is more than 25, the most that PreviewPolicy default (spec.limits.environments) allows",
        ),
    ] {
        let given = baseline(|own| own.as_object_mut().unwrap().extend(change.as_object().unwrap().clone()));
        assert_eq!(refusal(given, spec), refused);
    }
}

#[test]
fn what_keeps_within_every_ceiling_is_not_refused() {
    let all = json!({
        "domains": ["preview.example.com"], "repositories": ["acme/*"], "registries": ["ghcr.io/acme"], "customResources": [],
        "trust": {"forks": "Approve", "approvers": "Write"}, "isolation": {"networkPolicy": "Isolated", "podSecurity": "baseline"},
        "lifetime": {"ttl": "5d", "max": "30d", "grace": "1h"}, "limits": {"environments": 20, "total": 1}, "quota": {"requests.cpu": "1"},
    });
    assert_eq!(refusal(baseline(|_| ()), all), "");
    assert_eq!(refusal(baseline(|_| ()), json!({})), "");
}

#[test]
fn all_policies_that_select_the_namespace_bind_it_and_one_has_to() {
    let selects = |team: &str| json!({"matchLabels": {"team": team}});
    let shop = policy("shop", json!({"namespaceSelector": selects("shop"), "lifetime": {"ttl": "1d"}}));
    let all = policy("all", json!({"domains": ["example.org"]}));
    let both = baseline(|_| ()).under(Some(&[shop.clone(), all]), Some(&labels("shop"))).policy.refusal().unwrap();
    assert!(both.contains("PreviewPolicy shop (spec.lifetime.ttl)") && both.contains("PreviewPolicy all (spec.domains)"), "{both}");
    let none = baseline(|_| ()).under(Some(std::slice::from_ref(&shop)), Some(&labels("billing"))).policy;
    assert!(none.refusal().is_some_and(|why| why.starts_with("no PreviewPolicy selects this namespace")));
    assert!(baseline(|_| ()).under(Some(&[shop]), None).policy.is_pending(), "its labels are not known yet");
    assert!(baseline(|_| ()).under(None, Some(&labels("shop"))).policy.is_pending(), "the policies are not known yet");
    assert_eq!(baseline(|_| ()).under(Some(&[]), None).policy, Ruling::default(), "without policies nothing is limited");
}

#[test]
fn a_policy_that_cannot_be_read_allows_nothing_to_anybody() {
    let selector = json!({"matchLabels": {"team": "billing"}});
    for (spec, why) in [
        (json!({"namespaceSelector": selector, "quota": {"pods": "many"}}), "spec.quota[pods]"),
        (json!({"namespaceSelector": selector, "registries": ["acme"]}), "spec.registries[0]"),
        (json!({"namespaceSelector": selector, "lifetime": {"ttl": "soon"}}), "spec.lifetime.ttl"),
        (json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Like"}]}}), "spec.namespaceSelector"),
    ] {
        let refused = refusal(baseline(|_| ()), spec);
        assert!(refused.starts_with(&format!("PreviewPolicy default cannot be read: {why}")), "{refused}");
    }
    let unreadable = Arc::new(Policy::unreadable("default", "missing field"));
    let refused = baseline(|_| ()).under(Some(&[unreadable]), None).policy.refusal();
    assert_eq!(refused.as_deref(), Some("PreviewPolicy default cannot be read: missing field"));
}

#[test]
fn what_a_policy_says_counts_in_place_of_what_the_baseline_says() {
    let spec = json!({
        "trust": {"forks": "Deny", "approvers": "Admin"}, "isolation": {"podSecurity": "restricted"},
        "namespaceLabels": {"cost": "previews"},
        "scheduling": {"nodeSelector": {"pool": "previews"}, "runtimeClassName": "gvisor"},
    });
    let own = baseline(|spec| {
        spec["namespace"] = json!({"labels": {"cost": "shop", "mesh": "on"}});
        spec["scheduling"] = json!({"nodeSelector": {"pool": "any", "arch": "arm64"}, "priorityClassName": "low"});
    });
    let under = own.under(Some(&[policy("default", spec)]), Some(&labels("shop")));
    assert_eq!((under.trust.forks, under.trust.approvers), (Forks::Deny, Approvers::Admin));
    assert_eq!(under.isolation.pod_security, PodSecurity::Restricted);
    assert_eq!(json!(under.isolation.namespace.labels), json!({"cost": "previews", "mesh": "on"}));
    let scheduling = &under.isolation.scheduling;
    assert_eq!(json!(scheduling.node_selector), json!({"pool": "previews", "arch": "arm64"}));
    assert_eq!((scheduling.runtime_class_name.as_deref(), scheduling.priority_class_name.as_deref()), (Some("gvisor"), Some("low")));
    assert!(!under.policy.versions().is_empty());
}

#[test]
fn of_two_ceilings_the_lower_one_holds() {
    let one = policy("one", json!({"quota": {"pods": "9", "cpu": "2"}, "lifetime": {"ttl": "7d"}}));
    let two = policy("two", json!({"quota": {"pods": "7"}, "lifetime": {"ttl": "6d"}}));
    let ruling = baseline(|_| ()).under(Some(&[one, two]), None).policy;
    let quota: Vec<String> = ruling.quota().iter().map(|(name, amount)| format!("{name} {amount}")).collect();
    assert_eq!(quota, ["pods 7", "requests.cpu 2"]);
    assert_eq!(ruling.ttl().map(|(_, at)| at).as_deref(), Some("PreviewPolicy two (spec.lifetime.ttl)"));
}

#[test]
fn a_life_without_an_end_ends_with_the_ceiling_and_a_shorter_one_as_it_was() {
    let under = |own: Value, most: Value| baseline(|spec| spec["lifetime"] = own).under(Some(&[policy("default", most)]), None).max;
    let day = |days: u64| Some(std::time::Duration::from_secs(days * 86_400));
    assert_eq!(under(json!({}), json!({"lifetime": {"max": "30d"}})), day(30));
    assert_eq!(under(json!({"max": "7d"}), json!({"lifetime": {"max": "30d"}})), day(7));
    assert_eq!(under(json!({}), json!({})), None);
}

#[test]
fn a_total_is_told_with_whose_it_is_and_binds_those_that_the_policy_selects() {
    let total = policy("few", json!({"namespaceSelector": {"matchLabels": {"team": "shop"}}, "limits": {"total": 3}}));
    let all = [total, policy("all", json!({}))];
    let ruling = |team| baseline(|_| ()).under(Some(&all), Some(&labels(team))).policy;
    let told: Vec<_> = ruling("shop").totals().map(|(name, most, at)| format!("{name} {most} {at}")).collect();
    assert_eq!(told, ["few 3 PreviewPolicy few (spec.limits.total)"]);
    assert!(ruling("shop").is_bound_by("few") && !ruling("billing").is_bound_by("few"));
    assert_eq!(ruling("billing").totals().count(), 0);
}
