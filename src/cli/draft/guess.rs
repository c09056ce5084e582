//! What images and routes tell of a team: which images are its own, who builds them, which domain it has. Pure.

use std::collections::BTreeMap;

use crate::domain::{ImageRef, RepoName};
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
pub(super) const SOMEBODY: &str = "your-org";
/// Most Services that a draft exposes.
const EXPOSED_MAX: usize = 10;
/// Digits of a whole commit, and of one as git shortens it.
const REVISION_LEN: usize = 40;
const SHORT_LEN: usize = 7;

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
pub(super) fn own(images: &[ImageRef]) -> Vec<ImageRef> {
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
pub(super) fn repository(image: &ImageRef) -> String {
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

/// The template that the running tags look like, where most of them look like a commit's.
pub(super) fn tag(own: &[ImageRef]) -> Option<&'static str> {
    let tags: Vec<&str> = own.iter().filter_map(ImageRef::tag).collect();
    let is_commit = |tag: &str, len: usize| tag.len() == len && tag.bytes().all(|b| b.is_ascii_hexdigit());
    let most = |fits: &dyn Fn(&str) -> bool| tags.iter().filter(|tag| fits(tag)).count() * 2 > tags.len();
    match () {
        () if most(&|tag| is_commit(tag, SHORT_LEN)) => Some("{{ revision_short }}"),
        () if most(&|tag| is_commit(tag, REVISION_LEN)) => Some("{{ revision }}"),
        () if most(&|tag| tag.strip_prefix("sha-").is_some_and(|t| is_commit(t, SHORT_LEN))) => Some("sha-{{ revision_short }}"),
        () if most(&|tag| tag.strip_prefix("sha-").is_some_and(|t| is_commit(t, REVISION_LEN))) => Some("sha-{{ revision }}"),
        () => None,
    }
}

/// Services that are reached without a route, by a load balancer or a port of the nodes.
pub(super) fn reached_from_outside(objects: &[Manifest]) -> Vec<String> {
    let is_outside = |o: &&Manifest| matches!(o.text("/spec/type"), Some("LoadBalancer" | "NodePort"));
    let services = objects.iter().filter(|o| o.kind() == "Service" && o.group().is_empty()).filter(is_outside);
    let mut names: Vec<String> = services.map(|o| o.name().name).collect();
    names.sort();
    names.truncate(EXPOSED_MAX);
    names
}

/// A domain beside the baseline's own: `preview.example.com` for `shop.example.com`; none where no host says one.
pub(super) fn domain(hosts: &[&str]) -> Option<String> {
    let mut hosts: Vec<&str> = hosts.iter().map(|host| host.trim_start_matches("*.")).collect();
    // The shortest is the nearest to the domain, whatever order the routes come in.
    hosts.sort_by_key(|host| (host.split('.').count(), (*host).to_owned()));
    let (_, parent) = hosts.first()?.split_once('.')?;
    parent.contains('.').then(|| format!("preview.{parent}"))
}

/// Which of some named repositories builds an image: the only one, the one that its name says, or the one that is called as
/// a part of its path is.
pub(super) fn builder<'a>(image: &ImageRef, named: &'a [RepoName]) -> Option<&'a RepoName> {
    if let [only] = named {
        return Some(only);
    }
    let (guess, (_, path)) = (repository(image), parts(image));
    let mut called = named.iter().filter(|repo| path.iter().any(|part| part.eq_ignore_ascii_case(repo.name())));
    let exact = named.iter().find(|repo| repo.as_str().eq_ignore_ascii_case(&guess));
    exact.or_else(|| called.next().filter(|_| called.next().is_none()))
}
