//! The baseline's hosts and Service names, wherever a program reads them, become the environment's: otherwise a preview
//! would talk to the baseline. A namespace that stands alone is no name of a Service, so it changes only where the text
//! is called a namespace.
//!
//! How a Service is called by others: <https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/>

use serde_json::{Value, json};

use super::{HIDDEN, Notes};
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::places::{self, Place};
use crate::plan::pods;
use crate::plan::rewrite::{Names, Rewritten, differences};
use crate::plan::secret_values::{decoded, encoded};

const NAMESPACE: &str = "it is called a namespace (rewrite.serviceNames)";

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let names = &context.names;
    for place in places::of_object(manifest) {
        rewrite_at(manifest.value_mut(), ("", &place), names, notes);
    }
    pods::for_each_container(manifest, |path, container| {
        let path = format!("{path}.");
        for place in places::of_container(container) {
            rewrite_at(container, (&path, &place), names, notes);
        }
    });
    if manifest.group().is_empty() && manifest.kind() == "Secret" {
        rewrite_secret(manifest, context, notes);
    }
}

fn rewrite_at(value: &mut Value, (prefix, place): (&str, &Place), names: &Names, notes: &mut Notes) {
    let Some(Value::String(text)) = value.pointer_mut(&place.pointer) else { return };
    let path = || format!("{prefix}{}", place.path);
    if let Some(new) = namespace(&place.key, text, names) {
        notes.changed(path(), (text, &new), NAMESPACE);
        *text = new;
    } else if let Some(new) = names.rewrite(text) {
        note(&path(), text, &new, notes);
        *text = new.text;
    }
}

/// One note for each line that differs.
fn note(path: &str, before: &str, after: &Rewritten, notes: &mut Notes) {
    let (shown, more) = differences(before, &after.text);
    for difference in shown {
        let path = difference.line.map_or_else(|| path.to_owned(), |line| format!("{path}:{line}"));
        notes.changed(path, (&difference.before, &difference.after), after.why(difference.line));
    }
    if more > 0 {
        notes.changed(path, (&format!("{more} more lines"), "rewritten likewise"), after.why(None));
    }
}

/// The environment's namespace for a text that is called a namespace: a variable, a key or a flag.
fn namespace(key: &str, text: &str, names: &Names) -> Option<String> {
    let is_called_so = |name: &str| name.to_ascii_lowercase().ends_with("namespace");
    if is_called_so(key) {
        return names.namespace(text).map(str::to_owned);
    }
    let (flag, value) = text.split_once('=')?;
    let is_flag = flag.starts_with('-') && is_called_so(flag);
    names.namespace(value).filter(|_| is_flag).map(|new| format!("{flag}={new}"))
}

/// The keys that the Baseline lists under `rewrite.secrets`. Neither value is shown.
fn rewrite_secret(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let Some(keys) = context.target.baseline.rewrite.secrets.get(&manifest.name().name) else { return };
    for key in keys {
        let place = places::keyed("/data", "data", key);
        let Some(value) = manifest.get_mut(&place.pointer) else {
            notes.warn(format!("rewrite.secrets lists the key {key}, which is not there"));
            continue;
        };
        if let Some(new) = decoded(value).and_then(|text| context.names.rewrite(&text)) {
            *value = json!(encoded(&new.text));
            notes.changed(place.path, (HIDDEN, HIDDEN), new.why(None));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::Manifest;
    use crate::plan::sample::{World, deployment, object, service};
    use crate::plan::secret_values::{decoded, encoded};

    const CONTAINER: &str = "/spec/template/spec/containers/0";

    fn shop() -> Vec<Manifest> {
        let ingress = object("networking.k8s.io/v1", "Ingress", "shop").with("/spec/rules", json!([{"host": "shop.io"}]));
        vec![ingress, service("redis"), service("db")]
    }

    fn world(object: Manifest) -> World {
        World::of(shop().into_iter().chain([object]))
    }

    #[test]
    fn every_text_that_a_program_reads_is_rewritten() {
        let web = deployment("web").with(
            "/spec/template/spec/containers",
            json!([{"name": "web", "image": "web:1", "command": ["run", "redis.shop"], "args": ["--db=db.shop:5432", "--namespace=shop"],
                "env": [{"name": "URL", "value": "https://shop.io/"}, {"name": "POD_NAMESPACE", "value": "shop"}, {"name": "APP", "value": "shop"},
                    {"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "redis.shop"}}}],
                "readinessProbe": {"exec": {"command": ["ping", "redis.shop.svc"]}},
                "livenessProbe": {"httpGet": {"path": "/redis.shop", "httpHeaders": [{"name": "Host", "value": "shop.io"}]}},
                "lifecycle": {"preStop": {"exec": {"command": ["leave", "db.shop"]}}}}]),
        );
        let plan = world(web).plan();
        let shown: Vec<_> = plan.said().into_iter().filter(|s| s.starts_with("Deployment/web")).collect();
        let path = "Deployment/web spec.template.spec.containers[web]";
        assert_eq!(
            shown,
            [
                format!("{path}.env[URL]: https://shop.io/ -> https://web-pr-42.preview.example.com/ (rewrite.hosts)"),
                format!("{path}.env[POD_NAMESPACE]: shop -> shop-web-pr-42 (it is called a namespace (rewrite.serviceNames))"),
                format!("{path}.command[1]: redis.shop -> redis.shop-web-pr-42 (rewrite.serviceNames)"),
                format!("{path}.args[0]: --db=db.shop:5432 -> --db=db.shop-web-pr-42:5432 (rewrite.serviceNames)"),
                format!("{path}.args[1]: --namespace=shop -> --namespace=shop-web-pr-42 (it is called a namespace (rewrite.serviceNames))"),
                format!("{path}.livenessProbe.httpGet.httpHeaders[0]: shop.io -> web-pr-42.preview.example.com (rewrite.hosts)"),
                format!("{path}.readinessProbe.exec.command[1]: redis.shop.svc -> redis.shop-web-pr-42.svc (rewrite.serviceNames)"),
                format!("{path}.lifecycle.preStop.exec.command[1]: db.shop -> db.shop-web-pr-42 (rewrite.serviceNames)"),
            ]
        );
    }

    #[test]
    fn files_in_config_maps_are_rewritten_line_by_line() {
        let file = "a: 1\nurl: redis://redis.shop:6379\nhost: shop.io\n";
        let config = object("v1", "ConfigMap", "c")
            .with("/data", json!({"app.yaml": file, "plain": "redis"}))
            .with("/binaryData", json!({"x": "cmVkaXMuc2hvcA=="}));
        let plan = world(config).plan();
        let copy = plan.find("ConfigMap/c");
        assert!(copy.text("/data/app.yaml").unwrap().contains("redis.shop-web-pr-42:6379\nhost: web-pr-42.preview"));
        assert_eq!(copy.text("/binaryData/x"), Some("cmVkaXMuc2hvcA=="));
        assert_eq!(
            plan.said()[..2],
            [
                "ConfigMap/c data[app.yaml]:2: url: redis://redis.shop:6379 -> url: redis://redis.shop-web-pr-42:6379 (rewrite.serviceNames)",
                "ConfigMap/c data[app.yaml]:3: host: shop.io -> host: web-pr-42.preview.example.com (rewrite.hosts)",
            ]
        );
    }

    #[test]
    fn only_listed_keys_of_secrets_are_rewritten_and_none_is_shown() {
        let url = encoded("postgres://u:hunter2@db.shop/x");
        let secret = object("v1", "Secret", "s").with("/data", json!({"URL": url, "OTHER": url}));
        let plan = world(secret).baseline(|b| drop(b.rewrite.secrets.insert("s".into(), vec!["URL".into(), "GONE".into()]))).plan();
        let copy = plan.find("Secret/s");
        assert_eq!(decoded(copy.get("/data/URL").unwrap()).unwrap(), "postgres://u:hunter2@db.shop-web-pr-42/x");
        assert_eq!(copy.get("/data/OTHER"), Some(&json!(url)));
        let said = plan.said().join("\n");
        assert!(said.contains("Secret/s data[URL]: (hidden) -> (hidden) (rewrite.serviceNames)"), "{said}");
        assert!(!format!("{:?}", plan.plan.decisions).contains("hunter2"));
        assert!(plan.plan.warnings[0].contains("GONE"));
    }

    #[test]
    fn only_services_that_come_along_are_rewritten() {
        let by_hand = service("legacy").without("/spec", "selector");
        let web = deployment("web").with(&format!("{CONTAINER}/args"), json!(["legacy.shop.svc", "gone.shop.svc"]));
        let plan = World::of(shop().into_iter().chain([by_hand, web])).plan();
        assert_eq!(plan.find("Deployment/web").get(&format!("{CONTAINER}/args")).unwrap(), &json!(["legacy.shop.svc", "gone.shop.svc"]));
    }

    #[test]
    fn each_half_can_be_switched_off() {
        let args = |hosts, names| {
            let web = deployment("web").with(&format!("{CONTAINER}/args"), json!(["redis.shop", "shop.io", "--namespace=shop"]));
            let plan = world(web).baseline(|b| (b.rewrite.hosts, b.rewrite.service_names) = (hosts, names)).plan();
            plan.find("Deployment/web").get(&format!("{CONTAINER}/args")).unwrap().clone()
        };
        assert_eq!(args(true, false), json!(["redis.shop", "web-pr-42.preview.example.com", "--namespace=shop"]));
        assert_eq!(args(false, true), json!(["redis.shop-web-pr-42", "shop.io", "--namespace=shop-web-pr-42"]));
    }

    #[test]
    fn annotations_that_lead_somewhere_and_custom_resources_are_rewritten() {
        let ingress = object("networking.k8s.io/v1", "Ingress", "other")
            .with("/spec/rules", json!([{"host": "other.io"}]))
            .annotation("nginx.ingress.kubernetes.io/auth-url", "http://redis.shop.svc/check")
            .annotation("example.com/note", "redis.shop");
        let plan = world(ingress).plan();
        let annotations = plan.find("Ingress/other").get("/metadata/annotations").unwrap();
        assert_eq!(annotations["nginx.ingress.kubernetes.io/auth-url"], "http://redis.shop-web-pr-42.svc/check");
        assert_eq!(annotations["example.com/note"], "redis.shop");
    }
}
