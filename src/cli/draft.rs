//! Drafts a Baseline from what a namespace holds, for one who has none yet. Everything in it is a guess, and says so.
//! Pure.

mod guess;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::output::clean;
use crate::api;
use crate::domain::baseline::InvalidBaseline;
use crate::domain::{Baseline, ImageRef, RepoName};
use crate::plan::{Manifest, images_of, named_hosts, serves_hosts};
use guess::SOMEBODY;

/// The schema's limits for `repositories` and their `images`.
const REPOSITORIES_MAX: usize = 50;
const IMAGES_MAX: usize = 100;
/// Where nothing says which domain a team has.
const SOME_DOMAIN: &str = "example.com";
/// The template of a tag where those that run say nothing.
const SOME_TAG: &str = "{{ revision }}";

/// A Secret that the workloads need, and who needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Needed {
    /// Its name.
    pub name: String,
    /// The workloads, for a sentence.
    pub users: String,
}

/// Where a part of a draft is from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Somebody said it.
    Said,
    /// What the namespace holds.
    Namespace,
    /// The remote of the git checkout.
    Checkout,
    /// Nothing: it stands for what a person has to write.
    Nothing,
}

/// A Baseline as it might be.
#[derive(Clone, Debug)]
pub struct Draft {
    namespace: String,
    /// The images that look like the team's own.
    own: Vec<ImageRef>,
    /// Repositories and the images that they build.
    repositories: BTreeMap<String, BTreeSet<String>>,
    /// Where the repositories' names are from.
    pub repositories_from: Origin,
    /// The repository of the git checkout, where it is none of them.
    pub elsewhere: Option<RepoName>,
    /// The team's own images that none of the named repositories seems to build.
    pub unclaimed: BTreeSet<String>,
    /// The images that were not taken for the team's own.
    pub others: BTreeSet<String>,
    tag: String,
    /// Where the template of the tags is from.
    pub tag_from: Origin,
    /// Where environments are reached.
    pub domain: Option<String>,
    /// Where the domain is from.
    pub domain_from: Origin,
    /// The hosts that the baseline answers to.
    pub hosts: Vec<String>,
    /// Services that are reached from outside without a route.
    pub expose: Vec<String>,
}

impl Draft {
    /// Guesses by what the namespace holds.
    pub fn of(namespace: &str, objects: &[Manifest]) -> Self {
        let images: BTreeSet<&str> = objects.iter().flat_map(images_of).collect();
        let images: Vec<ImageRef> = images.iter().filter_map(|image| image.parse().ok()).collect();
        let own = guess::own(&images);
        let others = images.iter().filter(|image| !own.contains(image)).map(|image| image.repository().to_owned()).collect();
        let tag = guess::tag(&own);
        let hosts: BTreeSet<&str> = objects.iter().filter(|o| serves_hosts(o)).flat_map(named_hosts).collect();
        let hosts: Vec<&str> = hosts.into_iter().collect();
        let has_routes = objects.iter().any(serves_hosts);
        let expose = if has_routes { Vec::new() } else { guess::reached_from_outside(objects) };
        let is_reached = has_routes || !expose.is_empty();
        let (named, some) = (guess::domain(&hosts), format!("preview.{SOME_DOMAIN}"));
        let draft = Self {
            namespace: namespace.to_owned(),
            repositories: BTreeMap::new(),
            repositories_from: Origin::Namespace,
            elsewhere: None,
            unclaimed: BTreeSet::new(),
            others,
            tag: tag.unwrap_or(SOME_TAG).to_owned(),
            tag_from: if tag.is_some() { Origin::Namespace } else { Origin::Nothing },
            domain_from: if named.is_some() { Origin::Namespace } else { Origin::Nothing },
            domain: is_reached.then(|| named.unwrap_or(some)),
            hosts: hosts.into_iter().map(str::to_owned).collect(),
            expose,
            own,
        };
        draft.guessed()
    }

    /// With the repositories that the images' names tell.
    fn guessed(mut self) -> Self {
        for image in &self.own {
            self.repositories.entry(guess::repository(image)).or_default().insert(image.repository().to_owned());
        }
        while self.repositories.len() > REPOSITORIES_MAX {
            self.repositories.pop_last();
        }
        if self.repositories.is_empty() {
            self.repositories.insert(format!("{SOMEBODY}/{}", self.namespace), BTreeSet::new());
        }
        if self.is_unnamed() {
            self.repositories_from = Origin::Nothing;
        }
        self.bounded()
    }

    /// Whether no name of an image tells an owner. All begin alike, so it is so of all or of none.
    fn is_unnamed(&self) -> bool {
        self.repositories.keys().all(|name| name.starts_with(&format!("{SOMEBODY}/")))
    }

    /// With no more images than the schema takes.
    fn bounded(mut self) -> Self {
        for images in self.repositories.values_mut() {
            *images = std::mem::take(images).into_iter().take(IMAGES_MAX).collect();
        }
        self
    }

    /// With repositories that somebody named.
    pub fn built_by(mut self, named: &[RepoName]) -> Self {
        let mut kept: Vec<RepoName> = Vec::new();
        for name in named {
            if !kept.contains(name) {
                kept.push(name.clone());
            }
        }
        self.repositories = kept.iter().map(|name| (name.to_string(), BTreeSet::new())).collect();
        self.repositories_from = Origin::Said;
        for image in &self.own {
            let name = image.repository().to_owned();
            match guess::builder(image, &kept) {
                Some(repository) => drop(self.repositories.entry(repository.to_string()).or_default().insert(name)),
                None => drop(self.unclaimed.insert(name)),
            }
        }
        self.bounded()
    }

    /// With what the remote of the git checkout tells: how a name is spelt, or the owner that the images' names do not say.
    pub fn from_checkout(mut self, here: &RepoName) -> Self {
        let all = std::mem::take(&mut self.repositories);
        let (same, unnamed) = (all.keys().any(|name| name.eq_ignore_ascii_case(here.as_str())), self.repositories_from == Origin::Nothing);
        let only = all.len() == 1;
        let renamed = |name: String| match name.split_once('/') {
            _ if name.eq_ignore_ascii_case(here.as_str()) => here.to_string(),
            Some((_, last)) if unnamed && (only || last.eq_ignore_ascii_case(here.name())) => here.to_string(),
            Some((_, last)) if unnamed => format!("{}/{last}", here.owner()),
            _ => name,
        };
        for (name, images) in all {
            self.repositories.entry(renamed(name)).or_default().extend(images);
        }
        if unnamed {
            self.repositories_from = Origin::Checkout;
        } else if !same {
            self.elsewhere = Some(here.clone());
        }
        self
    }

    /// With a domain that somebody named.
    pub fn under(self, domain: &str) -> Self {
        Self { domain: Some(domain.to_owned()), domain_from: Origin::Said, ..self }
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

    /// The same as YAML, with what a person has to look at as comments: short, for the end of a page.
    pub fn yaml(&self, needed: &[Needed]) -> String {
        let mut lines = self.heading();
        lines.push("  # Guessed by the images' names; tag: what CI pushes for a commit.".to_owned());
        lines.extend(self.repository_lines());
        if self.domain.is_some() {
            lines.push("  # Previews are labels under it: one wildcard DNS record serves them all.".to_owned());
            lines.extend(self.host_lines());
        }
        lines.extend(secrets(needed));
        lines.push(String::new());
        lines.join("\n")
    }

    /// The lines before what `spec` holds.
    pub fn heading(&self) -> Vec<String> {
        let name = scalar(&self.namespace);
        let (name, namespace) = (format!("  name: {name}"), format!("  namespace: {name}"));
        ["apiVersion: preview-env.dev/v1alpha1", "kind: Baseline", "metadata:", &name, &namespace, "spec:"].map(str::to_owned).into()
    }

    /// The lines of `repositories`.
    pub fn repository_lines(&self) -> Vec<String> {
        let mut lines = vec!["  repositories:".to_owned()];
        for (name, images) in &self.repositories {
            lines.push(format!("    - name: {}", scalar(name)));
            if !images.is_empty() {
                lines.push("      images:".to_owned());
            }
            for image in images {
                lines.push(format!("        - name: {}", scalar(image)));
                lines.push(format!("          tag: {}", scalar(&self.tag)));
            }
        }
        lines
    }

    /// The lines of `hosts`, where there are any.
    pub fn host_lines(&self) -> Vec<String> {
        let Some(domain) = &self.domain else { return Vec::new() };
        let mut lines = vec!["  hosts:".to_owned(), format!("    domain: {}", scalar(domain))];
        if !self.expose.is_empty() {
            lines.push("    # No route leads to these, and they are reached from outside.".to_owned());
            lines.push("    expose:".to_owned());
            lines.extend(self.expose.iter().map(|service| format!("      - service: {}", scalar(service))));
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
    lines.extend(needed.iter().map(|secret| format!("  #     - name: {}  # {}", scalar(&secret.name), clean(&secret.users))));
    lines
}

/// A text as a YAML scalar: as it is where no reader of YAML 1.1 or 1.2 could take it for something else than a text, else as
/// JSON's strings are written, which are YAML's too.
pub fn scalar(text: &str) -> String {
    /// What YAML 1.1, which kubectl reads, takes for a truth value or for nothing.
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._/:".contains(c);
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.ends_with(':');
    let is_word = WORDS.contains(&text.to_ascii_lowercase().as_str());
    if begins_well && text.chars().all(is_plain) && !is_word { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

#[cfg(test)]
mod tests;
