use serde_json::json;

use super::*;
use crate::api;
use crate::cli::doctor::finding::{Unseen, Verdict};

fn baseline(hosts: &Value) -> Baseline {
    let spec = json!({"repositories": [{"name": "acme/web"}], "hosts": hosts});
    let mut object = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some("shop".into());
    Baseline::try_from(&object).unwrap()
}

fn object(kind: &str, spec: &Value) -> Manifest {
    Manifest::new(json!({"apiVersion": "networking.k8s.io/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec}))
}

fn class(name: &str, default: bool) -> IngressClass {
    let annotations = if default { json!({DEFAULT_CLASS: "true"}) } else { json!({}) };
    serde_json::from_value(json!({"metadata": {"name": name, "annotations": annotations}})).unwrap()
}

fn edge(section: Option<&str>) -> GatewayName {
    GatewayName { namespace: "gateways".into(), name: "edge".into(), section: section.map(str::to_owned) }
}

#[test]
fn a_way_is_what_the_baseline_names_else_what_its_namespace_does() {
    let domain = json!({"domain": "preview.example.com"});
    let tls = object("Ingress", &json!({"ingressClassName": "nginx", "tls": [{"hosts": ["shop.example.com"]}]}));
    let route =
        object("HTTPRoute", &json!({"parentRefs": [{"name": "edge", "namespace": "gateways"}, {"kind": "Service", "name": "mesh"}]}));
    let found = ways(&baseline(&domain), &[tls.clone(), route.clone()]);
    assert_eq!((found.classes, found.tls, found.any), ([Some("nginx".to_owned())].into(), true, true));
    assert_eq!(found.gateways, [edge(None)].into());

    let named = json!({"domain": "preview.example.com", "ingressClassName": "traefik",
        "gateway": {"name": "edge", "namespace": "gateways", "sectionName": "https"}});
    let found = ways(&baseline(&named), &[tls, route]);
    assert_eq!((found.classes, found.gateways), ([Some("traefik".to_owned())].into(), [edge(Some("https"))].into()));

    let exposed = json!({"domain": "preview.example.com", "expose": [{"service": "web", "tls": true}]});
    let found = ways(&baseline(&exposed), &[]);
    assert_eq!((found.classes, found.tls, found.any), ([None].into(), true, true));
    assert!(!ways(&baseline(&domain), &[]).any);
}

#[test]
fn a_class_is_there_or_is_said_not_to_be() {
    let of = |wanted: &[Option<&str>], there: Vec<IngressClass>| {
        let classes = wanted.iter().map(|name| name.map(str::to_owned)).collect();
        way(&Ways { classes, any: true, ..Ways::default() }, &Ok(there), &Vec::new())
    };
    assert_eq!(of(&[Some("nginx")], vec![class("nginx", false)]).result, Verdict::Ok);
    assert_eq!(of(&[None], vec![class("nginx", true)]).message, "IngressClass nginx is there");
    assert_eq!(of(&[None], vec![class("nginx", false)]).result, Verdict::Warning);
    let missing = of(&[Some("nginx")], vec![class("traefik", true)]);
    assert_eq!((missing.result, missing.message.as_str()), (Verdict::Failure, "IngressClass nginx is not there; there are traefik"));
    assert_eq!(of(&[], Vec::new()).result, Verdict::Ok);
    assert_eq!(way(&Ways::default(), &Ok(Vec::new()), &Vec::new()).result, Verdict::Warning);
    let unseen = way(&Ways { classes: [None].into(), any: true, ..Ways::default() }, &Err(Unseen::new("you may not")), &Vec::new());
    assert_eq!(unseen.result, Verdict::NotChecked);
}

#[test]
fn a_gateway_is_there_and_programmed() {
    let gateway = |programmed: &str| {
        json!({"spec": {"listeners": [{"name": "https", "protocol": "HTTPS"}]},
            "status": {"conditions": [{"type": PROGRAMMED, "status": programmed}], "addresses": [{"value": "203.0.113.7"}]}})
    };
    let of = |section: Option<&str>, gateway: Option<Value>| {
        let gateways = vec![(edge(section), Ok(gateway))];
        (way(&Ways { any: true, ..Ways::default() }, &Ok(Vec::new()), &gateways).result, has_tls(&gateways), addresses(&gateways).len())
    };
    assert_eq!(of(None, Some(gateway("True"))), (Verdict::Ok, true, 1));
    assert_eq!(of(Some("https"), Some(gateway("True"))), (Verdict::Ok, true, 1));
    assert_eq!(of(Some("http"), Some(gateway("True"))), (Verdict::Failure, false, 1));
    assert_eq!(of(None, Some(gateway("False"))), (Verdict::Failure, true, 1));
    assert_eq!(of(None, Some(json!({}))), (Verdict::Warning, false, 0));
    assert_eq!(of(None, None), (Verdict::Failure, false, 0));
}

#[test]
fn a_name_leads_to_the_ingress() {
    let at = |found: &[&str], expected: &[&str]| {
        let read = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect::<Vec<IpAddr>>();
        dns("preview.example.com", &Resolved { found: Ok(read(found)), expected: read(expected) })
    };
    assert_eq!(at(&["203.0.113.7"], &["203.0.113.7"]).result, Verdict::Ok);
    assert_eq!(at(&["203.0.113.7"], &[]).result, Verdict::Ok);
    assert_eq!(at(&["203.0.113.7"], &["10.0.0.1"]).result, Verdict::Warning);
    let nothing = at(&[], &["10.0.0.1"]);
    assert_eq!(nothing.mend.as_deref(), Some("make a wildcard record *.preview.example.com that leads to 10.0.0.1"));
    assert_eq!(nothing.result, Verdict::Failure);
}

#[test]
fn a_certificate_is_good_for_some_days_yet() {
    let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    for (handshake, verdict) in [
        (Ok(Handshake::Trusted(Some(now + TimeDelta::days(60)))), Verdict::Ok),
        (Ok(Handshake::Trusted(None)), Verdict::Ok),
        (Ok(Handshake::Trusted(Some(now + TimeDelta::days(6)))), Verdict::Warning),
        (Ok(Handshake::Expired), Verdict::Failure),
        (Ok(Handshake::OtherName), Verdict::Failure),
        (Ok(Handshake::Untrusted), Verdict::Failure),
        (Ok(Handshake::Failed("no cipher in common".into())), Verdict::Failure),
        (Err(Unseen::new("its name does not resolve")), Verdict::NotChecked),
    ] {
        assert_eq!(certificate("preview.example.com", &handshake, now).result, verdict, "{handshake:?}");
    }
}
