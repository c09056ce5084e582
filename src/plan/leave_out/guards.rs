//! Ingresses whose guard does not come along. Who may pass is said in annotations; where what they name is the
//! baseline's own, or a Secret that is not cloned, or text that is dropped, the copy would be open or dead. It fails
//! closed: the route is left out.
//! <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#authentication>

use serde_json::Value;

use super::{Facts, because};
use crate::plan::decision::LeftOutReason;
use crate::plan::hosts::{named_hosts, serves_hosts};
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;
use crate::plan::service_names::{mentions_host, services_in};

/// Words of a snippet that let somebody pass or not, in the languages of nginx, Lua and `HAProxy`.
const GUARDING_WORDS: [&str; 9] = ["auth", "deny", "allow", "access_by_lua", "satisfy", "401", "403", "http-request", "if "];

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    if !is_kind(object, "networking.k8s.io", "Ingress") {
        return None;
    }
    let annotations = object.get("/metadata/annotations").and_then(Value::as_object)?;
    let texts = || annotations.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
    if let Some(why) = texts().find_map(|(key, value)| broken(key, value, facts)) {
        return because(format!("{why}: without its guard the route would be open"));
    }
    let class = facts.target.baseline.hosts.as_ref()?;
    let guarded_anew = class.annotations.keys().any(|key| is_guard(key));
    let new_class = class.ingress_class_name.as_deref().filter(|_| !guarded_anew)?;
    let (stranger, _) = texts().find(|(key, _)| is_guard(key) && !is_of_class(key, new_class))?;
    because(format!("the class {new_class} may not know its guard ({stranger}); say one in hosts.annotations"))
}

fn name_of(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// Whether an annotation says who may pass.
fn is_guard(key: &str) -> bool {
    let name = name_of(key);
    let lists = ["whitelist-source-range", "allowlist-source-range", "denylist-source-range", "inbound-cidrs", "router.middlewares"];
    name.starts_with("auth-") || lists.contains(&name) || key == "konghq.com/plugins"
}

/// A controller knows the annotations with its own name in front: `nginx.ingress.kubernetes.io/`.
fn is_of_class(key: &str, class: &str) -> bool {
    let maker = key.split(['.', '-', '/']).next().unwrap_or_default();
    maker == "ingress" || class.contains(maker)
}

/// What is wrong with one annotation that guards.
fn broken(key: &str, value: &str, facts: &Facts<'_>) -> Option<String> {
    let name = name_of(key);
    if name.ends_with("-snippet") || name.ends_with("-snippets") {
        let text = value.to_ascii_lowercase();
        let guards = name.starts_with("auth-") || GUARDING_WORDS.iter().any(|word| text.contains(word));
        return guards.then(|| format!("{key} is dropped, and it says who may pass"));
    }
    if key == "konghq.com/plugins" {
        let missing = value.split(',').map(str::trim).find(|plugin| !facts.holds("KongPlugin", plugin))?;
        return Some(format!("{key} needs KongPlugin/{missing}, which is not cloned"));
    }
    if !name.starts_with("auth-") {
        return None;
    }
    if let Some(secret) = secret_of(name, value, &facts.target.baseline.namespace) {
        return (!facts.holds("Secret", &secret)).then(|| format!("{key} needs Secret/{secret}, which is not in clone.secrets"));
    }
    names_the_baseline(value, facts).then(|| format!("{key} points to the baseline"))
}

/// The Secret of the baseline that an annotation names: alone, behind its namespace, or in JSON (AWS).
fn secret_of(name: &str, value: &str, namespace: &str) -> Option<String> {
    match name {
        "auth-secret" | "auth-tls-secret" => match value.split_once('/') {
            Some((other, secret)) => (other == namespace).then(|| secret.to_owned()),
            None => Some(value.to_owned()),
        },
        "auth-idp-oidc" => serde_json::from_str::<Value>(value).ok()?.get("secretName")?.as_str().map(str::to_owned),
        _ => None,
    }
}

/// A Service that is cloned is no matter: the name is rewritten, and the environment's own answers.
fn names_the_baseline(value: &str, facts: &Facts<'_>) -> bool {
    let baseline = facts.target.baseline;
    let is_own = |service: &str| baseline.rewrite.service_names && facts.holds("Service", service);
    let mut hosts = facts.snapshot.objects.iter().filter(|o| serves_hosts(o)).flat_map(named_hosts);
    !services_in(value, &baseline.namespace).iter().all(|service| is_own(service)) || hosts.any(|host| mentions_host(value, host))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::Manifest;
    use crate::plan::sample::{World, object};

    const NGINX: &str = "nginx.ingress.kubernetes.io";

    fn ingress(name: &str, value: &str) -> Manifest {
        let rules = json!([{"host": "shop.io", "http": {"paths": [{"path": "/"}]}}]);
        object("networking.k8s.io/v1", "Ingress", "shop").with("/spec", json!({ "rules": rules })).annotation(name, value)
    }

    fn said(name: &str, value: &str) -> String {
        World::of([ingress(&format!("{NGINX}/{name}"), value)]).plan().said().remove(0)
    }

    #[test]
    fn a_guard_that_does_not_come_along_takes_the_route_with_it() {
        let open = "without its guard the route would be open";
        for (name, value, why) in [
            ("auth-url", "https://shop.io/oauth2/auth", "points to the baseline"),
            ("auth-url", "http://oauth2-proxy.shop.svc.cluster.local/auth", "points to the baseline"),
            ("auth-secret", "basic", "needs Secret/basic, which is not in clone.secrets"),
            ("auth-tls-secret", "shop/ca", "needs Secret/ca, which is not in clone.secrets"),
            ("auth-snippet", "proxy_set_header X y;", "is dropped, and it says who may pass"),
            ("configuration-snippet", "deny all;", "is dropped, and it says who may pass"),
        ] {
            assert_eq!(said(name, value), format!("Ingress/shop left out: {NGINX}/{name} {why}: {open}"));
        }
    }

    #[test]
    fn a_guard_that_works_for_a_copy_stays() {
        for (name, value) in [
            ("auth-url", "https://login.example.com/check"),
            ("auth-url", "https://$host/oauth2/auth"),
            ("auth-type", "basic"),
            ("auth-tls-secret", "other/ca"),
        ] {
            assert!(said(name, value).contains("spec.rules[0].host"), "{name}");
        }
        let listed = World::of([ingress(&format!("{NGINX}/auth-secret"), "shop/basic"), object("v1", "Secret", "basic")]).plan();
        let annotations = listed.find("Ingress/shop").get("/metadata/annotations").unwrap();
        assert_eq!(annotations[format!("{NGINX}/auth-secret")], "shop-web-pr-42/basic");
    }

    #[test]
    fn another_class_may_not_know_a_guard() {
        let guarded = || World::of([ingress(&format!("{NGINX}/auth-url"), "https://login.example.com/check")]);
        assert!(guarded().class("traefik").plan().said()[0].contains("the class traefik may not know its guard"));
        assert!(guarded().class("nginx-internal").plan().find("Ingress/shop").get("/spec").is_some());
        let anew = guarded().class("traefik").annotated("traefik.ingress.kubernetes.io/router.middlewares", "infra-auth@kubernetescrd");
        assert!(anew.plan().find("Ingress/shop").get("/spec").is_some());
    }

    #[test]
    fn a_plugin_that_is_not_cloned_guards_nothing() {
        let plan = World::of([ingress("konghq.com/plugins", "key-auth")]).plan();
        assert!(plan.said()[0].contains("needs KongPlugin/key-auth, which is not cloned"), "{:?}", plan.said());
    }
}
