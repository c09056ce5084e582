//! Drafts a Baseline from what a namespace holds, for one who has none yet. Everything in it is a guess, and says so.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::api;
use crate::domain::baseline::InvalidBaseline;
use crate::domain::{Baseline, ImageRef};
use crate::plan::Manifest;

/// Beginnings of images that anybody runs, which no team builds.
const PUBLIC: [&str; 22] = [
    "docker.io/library",
    "docker.io/bitnami",
    "docker.io/bitnamilegacy",
    "docker.io/grafana",
    "docker.io/prom",
    "docker.io/otel",
    "docker.io/axllent",
    "docker.io/mailhog",
    "docker.io/minio",
    "docker.io/curlimages",
    "docker.io/envoyproxy",
    "docker.io/istio",
    "docker.io/openzipkin",
    "docker.io/jaegertracing",
    "docker.io/hashicorp",
    "docker.io/confluentinc",
    "docker.io/apache",
    "registry.k8s.io",
    "k8s.gcr.io",
    "quay.io/prometheus",
    "quay.io/keycloak",
    "mcr.microsoft.com",
];
/// Stands for what a name does not say.
const SOMEBODY: &str = "your-org";
/// The schema's limits for `repositories` and their `images`.
const REPOSITORIES_MAX: usize = 50;
const IMAGES_MAX: usize = 100;
/// Digits of a whole commit, and of one as git shortens it.
const REVISION_LEN: usize = 40;
const SHORT_LEN: usize = 7;

/// A Secret that the workloads need, and who needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Needed {
    /// Its name.
    pub name: String,
    /// The workloads, for a sentence.
    pub users: String,
}

/// Most Services that a draft exposes.
const EXPOSED_MAX: usize = 10;
/// Where nothing says which domain a team has.
const SOME_DOMAIN: &str = "example.com";

/// A Baseline as it might be.
#[derive(Clone, Debug)]
pub struct Draft {
    namespace: String,
    /// Repositories and the images that they build.
    repositories: BTreeMap<String, BTreeSet<String>>,
    tag: String,
    domain: Option<String>,
    /// Services that are reached from outside without a route.
    expose: Vec<String>,
}

impl Draft {
    /// Guesses by what the namespace holds.
    pub fn of(namespace: &str, objects: &[Manifest]) -> Self {
        let images: BTreeSet<String> = objects.iter().flat_map(images).collect();
        let images: Vec<ImageRef> = images.iter().filter_map(|image| image.parse().ok()).collect();
        let own = own(&images);
        let mut repositories: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for image in &own {
            repositories.entry(repository(image)).or_default().insert(image.repository().to_owned());
        }
        for images in repositories.values_mut() {
            *images = images.iter().take(IMAGES_MAX).cloned().collect();
        }
        while repositories.len() > REPOSITORIES_MAX {
            repositories.pop_last();
        }
        if repositories.is_empty() {
            repositories.insert(format!("{SOMEBODY}/{namespace}"), BTreeSet::new());
        }
        let domain = domain(objects);
        let expose = if domain.is_none() { reached_from_outside(objects) } else { Vec::new() };
        let domain = domain.or_else(|| (!expose.is_empty()).then(|| format!("preview.{SOME_DOMAIN}")));
        Self { namespace: namespace.to_owned(), repositories, tag: tag(&own), domain, expose }
    }

    /// The Baseline, without Secrets: whether one may be copied is for a person to say.
    ///
    /// # Errors
    /// Where a name in the namespace gives no valid Baseline.
    pub fn baseline(&self) -> Result<Baseline, InvalidBaseline> {
        let repositories: Vec<Value> = self.repositories.iter().map(|(name, images)| self.repository(name, images)).collect();
        let mut spec = json!({ "repositories": repositories });
        if let Some(domain) = &self.domain {
            let expose: Vec<Value> = self.expose.iter().map(|service| json!({ "service": service })).collect();
            spec["hosts"] = json!({ "domain": domain, "expose": expose });
        }
        let spec = serde_json::from_value(spec).map_err(|why| InvalidBaseline { field: "spec".to_owned(), why: why.to_string() })?;
        let mut object = api::Baseline::new(&self.namespace, spec);
        object.metadata.namespace = Some(self.namespace.clone());
        Baseline::try_from(&object)
    }

    fn repository(&self, name: &str, images: &BTreeSet<String>) -> Value {
        let images: Vec<Value> = images.iter().map(|image| json!({"name": image, "tag": self.tag})).collect();
        json!({"name": name, "images": images})
    }

    /// The same as YAML, with what a person has to look at as comments.
    pub fn yaml(&self, needed: &[Needed]) -> String {
        let Self { namespace, .. } = self;
        let mut lines = vec![
            "apiVersion: preview-env.dev/v1alpha1".to_owned(),
            "kind: Baseline".to_owned(),
            "metadata:".to_owned(),
            format!("  name: {namespace}"),
            format!("  namespace: {namespace}"),
            "spec:".to_owned(),
            "  # Guessed by the images' names; tag: what CI pushes for a commit.".to_owned(),
            "  repositories:".to_owned(),
        ];
        for (name, images) in &self.repositories {
            lines.push(format!("    - name: {name}"));
            if !images.is_empty() {
                lines.push("      images:".to_owned());
            }
            for image in images {
                lines.push(format!("        - name: {image}"));
                lines.push(format!("          tag: {}", quoted(&self.tag)));
            }
        }
        lines.extend(self.hosts());
        lines.extend(secrets(needed));
        lines.push(String::new());
        lines.join("\n")
    }

    fn hosts(&self) -> Vec<String> {
        let Some(domain) = &self.domain else { return Vec::new() };
        let comment = "  # Previews are labels under it: one wildcard DNS record serves them all.";
        let mut lines = vec![comment.to_owned(), "  hosts:".to_owned(), format!("    domain: {domain}")];
        if !self.expose.is_empty() {
            lines.push("    # No route leads to these, and they are reached from outside.".to_owned());
            lines.push("    expose:".to_owned());
            lines.extend(self.expose.iter().map(|service| format!("      - service: {service}")));
        }
        lines
    }
}

fn secrets(needed: &[Needed]) -> Vec<String> {
    if needed.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        "  # Needed by workloads. What is listed is copied into every preview.".to_owned(),
        "  # clone:".to_owned(),
        "  #   secrets:".to_owned(),
    ];
    lines.extend(needed.iter().map(|secret| format!("  #     - name: {}  # {}", secret.name, secret.users)));
    lines
}

/// A text as a YAML scalar (JSON's strings are YAML's too).
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// Images in a workload's pod template, wherever that lies.
fn images(object: &Manifest) -> Vec<String> {
    let templates = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
    let lists = templates.iter().flat_map(|t| ["containers", "initContainers"].map(|list| format!("{t}/{list}")));
    let containers = lists.flat_map(|list| object.items(&list).cloned().collect::<Vec<_>>());
    containers.filter_map(|c| c.get("image")?.as_str().map(str::to_owned)).collect()
}

/// The registry, written out, and the parts of the path.
fn parts(image: &ImageRef) -> (String, Vec<String>) {
    let all: Vec<&str> = image.repository().split('/').collect();
    let is_registry = |first: &str| first.contains(['.', ':']) || first == "localhost";
    match all.as_slice() {
        [first, rest @ ..] if is_registry(first) && !rest.is_empty() => {
            ((*first).to_owned(), rest.iter().map(|p| (*p).to_owned()).collect())
        }
        [only] => ("docker.io".to_owned(), vec!["library".to_owned(), (*only).to_owned()]),
        _ => ("docker.io".to_owned(), all.iter().map(|p| (*p).to_owned()).collect()),
    }
}

/// Registry and first part of the path: what the images of one team have in common.
fn prefix(image: &ImageRef) -> String {
    let (registry, path) = parts(image);
    match path.as_slice() {
        [first, _, ..] => format!("{registry}/{first}"),
        _ => registry,
    }
}

/// The images that look like the team's own: those with the beginning that most have, but for what anybody runs. Where two
/// are as common, the one in a registry of its own.
fn own(images: &[ImageRef]) -> Vec<ImageRef> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let is_public = |prefix: &str| PUBLIC.iter().any(|p| prefix == *p || prefix.strip_prefix(p).is_some_and(|rest| rest.starts_with('/')));
    for image in images {
        let prefix = prefix(image);
        if !is_public(&prefix) {
            *counts.entry(prefix).or_default() += 1;
        }
    }
    let rank = |(prefix, count): &(&String, &usize)| (**count, !prefix.starts_with("docker.io/"), std::cmp::Reverse((*prefix).clone()));
    let Some((common, _)) = counts.iter().max_by_key(rank) else { return Vec::new() };
    images.iter().filter(|image| prefix(image) == *common).cloned().collect()
}

/// `owner/name` by the path: `acme/web` builds itself, `acme/shop/web` is built by `acme/shop`.
fn repository(image: &ImageRef) -> String {
    let (_, path) = parts(image);
    match path.as_slice() {
        [owner, name, ..] => format!("{}/{}", owner_name(owner), name),
        [name] => format!("{SOMEBODY}/{name}"),
        [] => format!("{SOMEBODY}/app"),
    }
}

/// Owners have fewer characters than paths of images.
fn owner_name(text: &str) -> String {
    let name: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { SOMEBODY.to_owned() } else { name.to_owned() }
}

/// The template that the running tags look like.
fn tag(own: &[ImageRef]) -> String {
    let tags: Vec<&str> = own.iter().filter_map(ImageRef::tag).collect();
    let is_commit = |tag: &str, len: usize| tag.len() == len && tag.bytes().all(|b| b.is_ascii_hexdigit());
    let most = |fits: &dyn Fn(&str) -> bool| tags.iter().filter(|tag| fits(tag)).count() * 2 > tags.len();
    let short = "{{ revision_short }}";
    match () {
        () if most(&|tag| is_commit(tag, SHORT_LEN)) => short.to_owned(),
        () if most(&|tag| tag.strip_prefix("sha-").is_some_and(|t| is_commit(t, SHORT_LEN))) => format!("sha-{short}"),
        () if most(&|tag| tag.strip_prefix("sha-").is_some_and(|t| is_commit(t, REVISION_LEN))) => "sha-{{ revision }}".to_owned(),
        () => "{{ revision }}".to_owned(),
    }
}

/// Services that are reached without a route, by a load balancer or a port of the nodes.
fn reached_from_outside(objects: &[Manifest]) -> Vec<String> {
    let is_outside = |o: &&Manifest| matches!(o.text("/spec/type"), Some("LoadBalancer" | "NodePort"));
    let services = objects.iter().filter(|o| o.kind() == "Service" && o.group().is_empty()).filter(is_outside);
    let mut names: Vec<String> = services.map(|o| o.name().name).collect();
    names.sort();
    names.truncate(EXPOSED_MAX);
    names
}

/// A domain beside the baseline's own: `preview.example.com` for `shop.example.com`.
fn domain(objects: &[Manifest]) -> Option<String> {
    let routes = objects.iter().filter(|o| o.kind() == "Ingress" || o.kind() == "HTTPRoute").collect::<Vec<_>>();
    let in_rules = routes.iter().flat_map(|o| o.items("/spec/rules")).filter_map(|rule| rule.get("host")?.as_str());
    let in_routes = routes.iter().flat_map(|o| o.items("/spec/hostnames")).filter_map(Value::as_str);
    let mut hosts: Vec<&str> = in_rules.chain(in_routes).map(|host| host.trim_start_matches("*.")).collect();
    // The shortest is the nearest to the domain, whatever order the routes come in.
    hosts.sort_by_key(|host| (host.split('.').count(), (*host).to_owned()));
    let parent = hosts.first().and_then(|host| host.split_once('.')).map(|(_, parent)| parent);
    let parent = parent.filter(|parent| parent.contains('.'));
    (!routes.is_empty()).then(|| format!("preview.{}", parent.unwrap_or(SOME_DOMAIN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(images: &[&str]) -> Vec<Manifest> {
        let object = |image: &&str| {
            let spec = json!({"template": {"spec": {"containers": [{"name": "c", "image": image}]}}});
            Manifest::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec}))
        };
        images.iter().map(object).collect()
    }

    fn ingress(host: &str) -> Manifest {
        Manifest::new(json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"},
            "spec": {"rules": [{"host": host}]}}))
    }

    fn repositories(images: &[&str]) -> Vec<String> {
        Draft::of("shop", &runs(images)).repositories.into_keys().collect()
    }

    #[test]
    fn repositories_are_guessed_by_what_most_images_begin_with() {
        assert_eq!(
            repositories(&["r.example.com/acme/web:1", "r.example.com/acme/api:1", "redis:8", "bitnami/x:1"]),
            ["acme/api", "acme/web"]
        );
        assert_eq!(repositories(&["ghcr.io/acme/shop/web:1", "ghcr.io/acme/shop/api:1"]), ["acme/shop"]);
        assert_eq!(repositories(&["weaveworksdemos/front-end:0.3", "mongo"]), ["weaveworksdemos/front-end"]);
        assert_eq!(repositories(&["me/tool:1", "r.example.com/acme/web:1"]), ["acme/web"]);
        assert_eq!(repositories(&["postgres:17"]), ["your-org/shop"]);
        assert_eq!(repositories(&["localhost:5000/web:1"]), ["your-org/web"]);
    }

    #[test]
    fn the_tag_follows_what_runs() {
        let of = |tag: &str| Draft::of("shop", &runs(&[&format!("r.example.com/acme/web:{tag}")])).tag;
        assert_eq!(of("1.8.2"), "{{ revision }}");
        assert_eq!(of("3f9c2ab"), "{{ revision_short }}");
        assert_eq!(of("sha-3f9c2ab"), "sha-{{ revision_short }}");
    }

    #[test]
    fn the_domain_stands_beside_the_baseline_s() {
        let of = |host: &str| Draft::of("shop", &[ingress(host)]).domain;
        assert_eq!(of("shop.example.org").as_deref(), Some("preview.example.org"));
        assert_eq!(of("shop.local").as_deref(), Some("preview.example.com"));
        assert_eq!(Draft::of("shop", &[]).domain, None);
        let front =
            Manifest::new(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"}, "spec": {"type": "NodePort"}}));
        let draft = Draft::of("shop", std::slice::from_ref(&front));
        assert_eq!((draft.domain.as_deref(), draft.expose.as_slice()), (Some("preview.example.com"), &["front".to_owned()][..]));
        assert!(draft.yaml(&[]).contains("    expose:\n      - service: front"));
        assert!(Draft::of("shop", &[front, ingress("shop.example.com")]).expose.is_empty(), "a route stands for what it leads to");
    }

    #[test]
    fn the_text_is_the_baseline_that_was_planned_with() {
        let mut objects = runs(&["r.example.com/acme/web:1", "r.example.com/acme/api:1"]);
        objects.push(ingress("shop.example.com"));
        let draft = Draft::of("shop", &objects);
        let text = draft.yaml(&[Needed { name: "db".into(), users: "api and web".into() }]);
        insta::assert_snapshot!(text, @r#"
        apiVersion: preview-env.dev/v1alpha1
        kind: Baseline
        metadata:
          name: shop
          namespace: shop
        spec:
          # Guessed by the images' names; tag: what CI pushes for a commit.
          repositories:
            - name: acme/api
              images:
                - name: r.example.com/acme/api
                  tag: "{{ revision }}"
            - name: acme/web
              images:
                - name: r.example.com/acme/web
                  tag: "{{ revision }}"
          # Previews are labels under it: one wildcard DNS record serves them all.
          hosts:
            domain: preview.example.com
          # Needed by workloads. What is listed is copied into every preview.
          # clone:
          #   secrets:
          #     - name: db  # api and web
        "#);
        let read = |text: &str| Baseline::try_from(&serde_saphyr::from_str::<api::Baseline>(text).unwrap()).unwrap();
        assert_eq!(read(&text), draft.baseline().unwrap());
        let listed = text.replace("  # clone", "  clone").replace("  #   s", "    s").replace("  #     -", "      -");
        assert_eq!(read(&listed).secrets.len(), 1);
    }

    #[test]
    fn every_guess_is_a_valid_baseline() {
        for images in [&["a_b/c:1"][..], &["r.example.com/x"], &["r.example.com/acme/web", "ghcr.io/acme/web"], &[]] {
            let baseline = Draft::of("shop", &runs(images)).baseline();
            assert!(baseline.is_ok_and(|b| !b.repositories.is_empty()), "{images:?}");
        }
    }
}
