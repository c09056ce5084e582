//! What a plan reaches outside its namespace, as people read it. Pure.

use std::collections::BTreeMap;

use super::page::Entry;
use crate::api::baseline::{ExternalKind, Reach};
use crate::plan::{External, ExternalUse, Plan};

/// More places are counted.
const PLACES: usize = 3;

/// Each host with who names it and where, and at the end what the NetworkPolicy leaves of them.
pub fn entries(plan: &Plan) -> Vec<Entry> {
    let all = |reach: Reach| plan.externals.iter().all(|external| external.reach == reach);
    let is_mixed = !all(Reach::Closed) && !all(Reach::Open);
    let hosts = plan.externals.iter().map(|external| {
        let reach = if is_mixed { reached(external.reach) } else { "" };
        Entry::new(address(external), format!("{}{reach}", says(external)))
    });
    let isolation = match () {
        () if all(Reach::Open) => None,
        () if plan.isolated => Some("pods reach none of these, since the change comes from a fork (trust.forks: Isolated)"),
        () if is_mixed => Some("pods reach of these only what isolation.egress opens"),
        () => Some("pods reach none of these, until isolation.egress opens what a preview needs"),
    };
    hosts.chain(isolation.map(|says| Entry::new("isolation", says))).collect()
}

/// Whether pods reach it, behind everything else that is said of it.
const fn reached(reach: Reach) -> &'static str {
    match reach {
        Reach::Open => "; open",
        Reach::Closed => "; closed",
        Reach::Depends => "; open if its address is",
    }
}

/// `db.prod.internal:5432`, `[2001:db8::1]:5432`.
pub fn address(external: &External) -> String {
    let host = &external.host;
    match external.port {
        None => host.clone(),
        Some(port) if host.contains(':') => format!("[{host}]:{port}"),
        Some(port) => format!("{host}:{port}"),
    }
}

fn says(external: &External) -> String {
    let kind = match external.kind {
        ExternalKind::Namespace => "outside this namespace: ",
        ExternalKind::Database => "a database of a cloud: ",
        ExternalKind::Private => "in a private network: ",
        ExternalKind::Address => "an address: ",
        ExternalKind::Public => "",
    };
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for ExternalUse { object, path } in &external.used_by {
        let name = if matches!(object.kind.as_str(), "ConfigMap" | "Secret") { object.to_string() } else { object.name.clone() };
        places.entry(name).or_default().push(field(path));
    }
    let all: Vec<String> = places.into_iter().map(|(name, fields)| format!("{name} ({})", fields.join(", "))).collect();
    let more = if all.len() > PLACES { format!(" and {} more", all.len() - PLACES) } else { String::new() };
    format!("{kind}{}{more}", all.into_iter().take(PLACES).collect::<Vec<_>>().join(", "))
}

/// The part of a path that tells the place: `DATABASE_URL` of `spec...env[DATABASE_URL].value`.
fn field(path: &str) -> &str {
    let path = path.strip_suffix(".value").unwrap_or(path);
    let named = path.strip_suffix(']').and_then(|rest| rest.rsplit_once("env[")).map(|(_, name)| name);
    let data = path.strip_prefix("data.").or(path.strip_prefix("stringData."));
    named.or(data).unwrap_or_else(|| path.rsplit('.').next().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ObjectName;

    #[test]
    fn a_host_is_told_with_who_names_it_and_where() {
        let named = |kind: &str, name: &str, path: &str| ExternalUse {
            object: ObjectName { api_version: "v1".into(), kind: kind.into(), name: name.into() },
            path: path.into(),
        };
        let used_by = vec![
            named("Deployment", "api", "spec.template.spec.containers[api].env[DATABASE_URL]"),
            named("ConfigMap", "settings", "data.app.yaml"),
            named("Deployment", "web", "spec.template.spec.containers[web].args[2]"),
        ];
        let address =
            External { host: "2001:db8::1".into(), port: Some(80), kind: ExternalKind::Address, reach: Reach::Open, used_by: vec![] };
        assert_eq!(super::address(&address), "[2001:db8::1]:80");
        let external =
            External { host: "db.prod.internal".into(), port: Some(5432), kind: ExternalKind::Private, reach: Reach::Open, used_by };
        let plan = Plan { externals: vec![external], ..Plan::default() };
        assert_eq!(entries(&plan).len(), 1, "nothing is closed without a policy");
        let entry = entries(&plan).remove(0);
        assert_eq!(entry.label, "db.prod.internal:5432");
        assert_eq!(entry.says[0].text, "in a private network: ConfigMap/settings (app.yaml), api (DATABASE_URL), web (args[2])");
    }

    #[test]
    fn what_isolation_closes_is_told() {
        let host =
            |host: &str, reach: Reach| External { host: host.into(), port: None, kind: ExternalKind::Public, reach, used_by: vec![] };
        let said = |externals: Vec<External>, isolated: bool| {
            let plan = Plan { externals, isolated, ..Plan::default() };
            entries(&plan).iter().map(|entry| format!("{}: {}", entry.label, entry.says[0].text)).collect::<Vec<_>>()
        };
        let closed = || vec![host("a", Reach::Closed)];
        assert_eq!(said(closed(), false)[1], "isolation: pods reach none of these, until isolation.egress opens what a preview needs");
        assert_eq!(
            said(closed(), true)[1],
            "isolation: pods reach none of these, since the change comes from a fork (trust.forks: Isolated)"
        );
        assert_eq!(
            said(vec![host("a", Reach::Closed), host("b", Reach::Open), host("c", Reach::Depends)], false),
            ["a: ; closed", "b: ; open", "c: ; open if its address is", "isolation: pods reach of these only what isolation.egress opens",]
        );
        assert!(said(vec![], false).is_empty());
    }
}
