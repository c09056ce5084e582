//! What the chart makes of its values.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::helm::{Helm, chart, matrix, only, values};

#[test]
fn helm_has_nothing_against_it() -> Result<()> {
    let helm = Helm::new()?;
    for file in matrix()? {
        helm.must(&["lint", "--strict", &chart(), "-f", &file.display().to_string()])?;
    }
    Ok(())
}

#[test]
fn no_object_holds_a_secret() -> Result<()> {
    let helm = Helm::new()?;
    for file in matrix()? {
        let objects = helm.rendered("preview-env", &["-f", &file.display().to_string()])?;
        assert!(only(&objects, "Secret").is_err(), "{}", file.display());
    }
    Ok(())
}

#[test]
fn the_kinds_stay_when_the_chart_goes() -> Result<()> {
    let objects = Helm::new()?.rendered("preview-env", &["-f", &values("app")])?;
    let stays = |kind: &str| {
        let of_kind = objects.iter().filter(|o| o.types.as_ref().is_some_and(|types| types.kind == kind));
        let policy = |o: &kube::api::DynamicObject| o.metadata.annotations.as_ref()?.get("helm.sh/resource-policy").cloned();
        of_kind.map(policy).collect::<Vec<_>>()
    };
    assert_eq!(stays("CustomResourceDefinition"), vec![Some("keep".to_owned()); 3]);
    assert_eq!(stays("PreviewPolicy"), [Some("keep".to_owned())]);
    Ok(())
}

#[test]
fn a_domain_becomes_a_ceiling_beside_what_else_the_policy_says() -> Result<()> {
    let helm = Helm::new()?;
    let spec = |more: &[&str]| -> Result<Value> {
        let image = "image.repository=registry.example.com/preview";
        let objects = helm.rendered("preview-env", &[&["--set", image], more].concat())?;
        Ok(only(&objects, "PreviewPolicy")?["spec"].clone())
    };
    assert_eq!(spec(&["--set", "domain=p.example.com"])?, json!({"domains": ["p.example.com"]}));
    let more = ["--set", "domain=p.example.com,policy.domains={q.example.com,p.example.com},policy.lifetime.ttl=7d"];
    assert_eq!(spec(&more)?, json!({"domains": ["p.example.com", "q.example.com"], "lifetime": {"ttl": "7d"}}));
    assert!(spec(&[]).is_err(), "without either there is no ceiling");
    Ok(())
}

#[test]
fn who_polls_exposes_nothing() -> Result<()> {
    let objects = Helm::new()?.rendered("preview-env", &["-f", &values("poll")])?;
    assert!(only(&objects, "Service").is_err());
    let network = only(&objects, "NetworkPolicy")?;
    assert_eq!(network["spec"]["ingress"], json!([{"ports": [{"port": "health"}]}]));
    Ok(())
}

#[test]
fn github_reaches_one_path() -> Result<()> {
    let helm = Helm::new()?;
    let ingress = only(&helm.rendered("preview-env", &["-f", &values("app")])?, "Ingress")?;
    let paths = ingress.pointer("/spec/rules/0/http/paths").context("no paths")?;
    assert_eq!(
        (paths.as_array().map(Vec::len), &paths[0]["path"], &paths[0]["pathType"]),
        (Some(1), &json!("/webhooks/github"), &json!("Exact"))
    );
    let route = only(&helm.rendered("preview-env", &["-f", &values("gateway")])?, "HTTPRoute")?;
    let matches = route.pointer("/spec/rules/0/matches").context("no matches")?;
    assert_eq!(matches, &json!([{"path": {"type": "Exact", "value": "/webhooks/github"}, "method": "POST"}]));
    Ok(())
}
