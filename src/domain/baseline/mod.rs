//! A Baseline whose every field was understood.

mod hooks;
pub mod isolation;
mod overrides;
mod secrets;
mod selection;
mod trigger;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use self::isolation::Isolation;
use super::lifetime::parse_ttl;
use super::path_glob::PathGlob;
use super::policy::Ruling;
use super::slug::Slug;
use super::{ImageRef, RepoName, TagTemplate, ValueTemplate};
use crate::api;
use crate::api::baseline::{
    Autoscalers, CloneRules, CronJobs, FeedbackRules, Follow, ForgeKind, Gateway, Limits, MissingImage, Probe, Rbac, Removals, Removed,
    Replicas, RepositoryStatus, Trust, Volumes,
};

pub use crate::api::baseline::Expose;
pub use hooks::{Hook, JobSource};

pub use overrides::{EnvRule, PatchChange, PatchRule};
pub use secrets::{Rewrite, SecretRule, is_secret_name};
pub use selection::{GroupKind, ObjectMatch, Selection};
pub use trigger::{Trigger, is_merge_queue};

/// Longest alias, so that names built on it fit into a DNS label.
const ALIAS_MAX: usize = 30;

/// A validated Baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Its namespace, the one that is cloned.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// UID of the object, which tells it from another of the same name.
    pub uid: String,
    /// Generation of the spec that this was read from.
    pub generation: i64,
    /// The repositories whose changes are previewed.
    pub repositories: Vec<Repository>,
    /// When it was made, by the API server's clock.
    pub created_at: Option<DateTime<Utc>>,
    /// When the forge last said that repositories may be out of our sight. Told from other moments, never compared.
    pub doubted_at: Option<DateTime<Utc>>,
    /// The environments that stay although they seem to have ended, until a person confirms it: by UID, with what seems to be.
    pub held: BTreeMap<String, Removed>,
    /// Which changes get an environment, where a repository says nothing else.
    pub trigger: Trigger,
    /// Whose changes may run.
    pub trust: Trust,
    /// What the forge shows.
    pub feedback: FeedbackRules,
    /// Where environments are reached.
    pub hosts: Option<Hosts>,
    /// What happens while an image is not there.
    pub images: ImagePolicy,
    /// The Secrets that environments get.
    pub secrets: Vec<SecretRule>,
    /// Variables that differ.
    pub env: Vec<EnvRule>,
    /// Changes of single objects, in order.
    pub patches: Vec<PatchRule>,
    /// Which names are rewritten.
    pub rewrite: Rewrite,
    /// Which objects are cloned.
    pub selection: Selection,
    /// How what is cloned differs.
    pub choices: Choices,
    /// Time from the last activity to the end of an environment.
    pub ttl: Duration,
    /// Time from the start of an environment to its end, whatever happens to it; absent where there is no such end.
    pub max: Option<Duration>,
    /// How long before that end the pull request says so.
    pub warn_before: Duration,
    /// How long an environment stays after its pull request has ended.
    pub grace: Duration,
    /// How many environments there are at one time.
    pub limits: Limits,
    /// When environments move on with the baseline.
    pub follow: Follow,
    /// Jobs that run in each environment, in their order.
    pub hooks: Vec<Hook>,
    /// What is made around the copies.
    pub isolation: Isolation,
    /// What the cluster's PreviewPolicies say of it.
    pub policy: Ruling,
}

/// The choices of `clone` that are one word each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Choices {
    /// What becomes of volumes.
    pub volumes: Volumes,
    /// What becomes of `CronJob`s.
    pub cron_jobs: CronJobs,
    /// What becomes of `HorizontalPodAutoscaler`s.
    pub autoscalers: Autoscalers,
    /// How many pods workloads run.
    pub replicas: Replicas,
    /// What becomes of Roles and `RoleBinding`s.
    pub rbac: Rbac,
}

/// What happens while an image is not there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ImagePolicy {
    /// How long it is waited for.
    pub wait: Duration,
    /// What happens then.
    pub missing: MissingImage,
}

impl Default for ImagePolicy {
    fn default() -> Self {
        Self { wait: Duration::from_secs(1800), missing: MissingImage::Wait }
    }
}

/// One repository and the images that it builds.
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    /// The forge.
    pub forge: ForgeKind,
    /// Its name as the Baseline spells it.
    pub name: RepoName,
    /// What its environments are called by.
    pub alias: String,
    /// The images that it builds.
    pub images: Vec<ImageRule>,
    /// Which of its changes get an environment, where that differs from the Baseline's.
    pub trigger: Option<Trigger>,
    /// Its number, where the forge was asked.
    pub id: Option<i64>,
    /// Its name on the forge now, where that is another one.
    pub renamed: Option<RepoName>,
    /// Whether only its members may read it; it counts as public until the forge was asked.
    pub private: bool,
}

impl Repository {
    /// Its name on the forge, as far as that is known.
    pub fn current(&self) -> &RepoName {
        self.renamed.as_ref().unwrap_or(&self.name)
    }
}

/// One image and how the tag of a change's build is made.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageRule {
    /// The image's repository.
    pub image: ImageRef,
    /// Gives the tag.
    pub tag: TagTemplate,
    /// What in the repository it is built from; everything, where this is empty.
    pub paths: Vec<PathGlob>,
    /// Whether its label has to name the commit.
    pub revision_label: bool,
}

/// Where environments are reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Hosts {
    /// Every host is one label under this.
    pub domain: String,
    /// Class of the cloned Ingresses, where it differs.
    pub ingress_class_name: Option<String>,
    /// Annotations for the cloned Ingresses.
    pub annotations: BTreeMap<String, String>,
    /// What the cloned routes are attached to, where it differs.
    pub gateway: Option<Gateway>,
    /// Services that get a host without a route in the baseline.
    pub expose: Vec<Expose>,
    /// How it is found out that an environment answers.
    pub probe: Probe,
}

/// The field of a Baseline that cannot be used, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct InvalidBaseline {
    /// Path of the field.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

fn invalid(field: impl Into<String>, why: &dyn fmt::Display) -> InvalidBaseline {
    InvalidBaseline { field: field.into(), why: why.to_string() }
}

impl Baseline {
    /// The repository of that name, if the Baseline lists it.
    pub fn repository(&self, forge: ForgeKind, name: &RepoName) -> Option<&Repository> {
        self.repositories.iter().find(|r| r.forge == forge && r.name == *name)
    }

    /// The repository of that number, or where no number is known, of that name.
    pub fn repository_by(&self, forge: ForgeKind, id: i64, name: &RepoName) -> Option<&Repository> {
        let by_id = self.repositories.iter().find(|r| r.forge == forge && r.id == Some(id));
        by_id.or_else(|| self.repository(forge, name).filter(|r| r.id.is_none()))
    }

    /// Which of a repository's changes get an environment.
    pub fn trigger_of<'a>(&'a self, repository: &'a Repository) -> &'a Trigger {
        repository.trigger.as_ref().unwrap_or(&self.trigger)
    }

    /// Whether a value in it names the commit, so that every push changes what is made.
    pub fn names_a_revision(&self) -> bool {
        let env = self.env.iter().filter_map(|e| e.value.as_ref());
        let set = self.secrets.iter().flat_map(|s| s.set.values());
        let patches = self.patches.iter().flat_map(overrides::templates_of);
        env.chain(set).any(ValueTemplate::names_a_revision) || patches.into_iter().any(|t| t.names_a_revision())
    }

    /// What works and is probably not meant.
    pub fn warnings(&self) -> Vec<String> {
        let images = self.repositories.iter().flat_map(|r| &r.images);
        let fixed = images.filter(|i| !i.tag.names_a_revision() && !i.revision_label);
        let mut warnings: Vec<String> = fixed
            .map(|i| {
                let name = i.image.repository();
                format!("the tag of image {name} names no revision, so a push may run the build before it; set revisionLabel")
            })
            .collect();
        let unlisted = self.rewrite.secrets.keys().filter(|name| !self.secrets.iter().any(|s| s.name == **name));
        warnings.extend(unlisted.map(|name| format!("rewrite.secrets names {name}, which is not in clone.secrets")));
        if self.repositories.iter().all(|r| r.images.is_empty()) {
            warnings.push("no repository has images, so every environment runs what the baseline runs".to_owned());
        }
        warnings
    }
}

impl TryFrom<&api::Baseline> for Baseline {
    type Error = InvalidBaseline;

    fn try_from(object: &api::Baseline) -> Result<Self, InvalidBaseline> {
        let spec = &object.spec;
        Ok(Self {
            namespace: object.namespace().ok_or_else(|| invalid("metadata.namespace", &"is missing"))?,
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            generation: object.metadata.generation.unwrap_or_default(),
            repositories: repositories(&spec.repositories, object.status.as_ref().map_or(&[], |s| &s.repositories))?,
            doubted_at: object.status.as_ref().and_then(|status| status.doubted_at),
            held: object.status.as_ref().and_then(|status| status.removals.as_ref()).map(held).unwrap_or_default(),
            created_at: api::time::created_at(object),
            trigger: Trigger::read("spec.trigger", &spec.trigger)?,
            trust: spec.trust,
            feedback: spec.feedback,
            hosts: spec.hosts.as_ref().map(hosts),
            images: images(&spec.images)?,
            secrets: secrets::secrets(&spec.clone.secrets)?,
            env: overrides::env(&spec.clone.env)?,
            patches: overrides::patches(&spec.clone.patches)?,
            rewrite: secrets::rewrite(&spec.rewrite),
            selection: Selection::read(&spec.clone)?,
            choices: choices(&spec.clone),
            ttl: parse_ttl(&spec.lifetime.ttl).map_err(|e| invalid("spec.lifetime.ttl", &e))?,
            max: optional("spec.lifetime.max", spec.lifetime.max.as_deref())?,
            warn_before: parse_ttl(&spec.lifetime.warn_before).map_err(|e| invalid("spec.lifetime.warnBefore", &e))?,
            grace: optional("spec.lifetime.grace", spec.lifetime.grace.as_deref())?.unwrap_or_default(),
            limits: spec.limits,
            follow: spec.lifetime.follow,
            hooks: hooks::read(&spec.hooks)?,
            isolation: Isolation::read(spec)?,
            policy: Ruling::default(),
        })
    }
}

fn held(removals: &Removals) -> BTreeMap<String, Removed> {
    let environments = removals.held.iter().filter(|held| held.what != Removed::Namespace);
    environments.map(|held| (held.uid.clone(), held.what)).collect()
}

fn optional(field: &str, span: Option<&str>) -> Result<Option<Duration>, InvalidBaseline> {
    span.map(|text| parse_ttl(text).map_err(|e| invalid(field, &e))).transpose()
}

fn repositories(listed: &[api::baseline::Repository], known: &[RepositoryStatus]) -> Result<Vec<Repository>, InvalidBaseline> {
    let mut parsed: Vec<Repository> = Vec::with_capacity(listed.len());
    for (index, repository) in listed.iter().enumerate() {
        let next = read_repository(index, repository, known)?;
        if let Some(other) = parsed.iter().find(|r| r.alias == next.alias) {
            let why = format!("{:?} is the alias of {} too; give one of them another", next.alias, other.name);
            return Err(invalid(format!("spec.repositories[{index}].alias"), &why));
        }
        parsed.push(next);
    }
    Ok(parsed)
}

fn read_repository(index: usize, listed: &api::baseline::Repository, known: &[RepositoryStatus]) -> Result<Repository, InvalidBaseline> {
    let path = format!("spec.repositories[{index}]");
    let name: RepoName = listed.name.parse().map_err(|e| invalid(format!("{path}.name"), &e))?;
    let alias = listed.alias.clone().unwrap_or_else(|| Slug::new(name.name(), ALIAS_MAX).to_string());
    let images = listed.images.iter().enumerate().map(|(i, image)| read_image(&format!("{path}.images[{i}]"), image));
    let trigger = listed.trigger.as_ref().map(|trigger| Trigger::read(&format!("{path}.trigger"), trigger)).transpose()?;
    let found = known.iter().find(|k| k.forge == listed.forge && k.name == listed.name);
    let (id, private) = (found.map(|k| k.id), found.is_some_and(|k| k.private));
    let renamed = found.and_then(|k| k.renamed.as_ref()?.parse().ok());
    Ok(Repository { forge: listed.forge, name, alias, images: images.collect::<Result<_, _>>()?, trigger, id, renamed, private })
}

fn read_image(path: &str, listed: &api::baseline::Image) -> Result<ImageRule, InvalidBaseline> {
    let image: ImageRef = listed.name.parse().map_err(|e| invalid(format!("{path}.name"), &e))?;
    if image.tag().is_some() || image.digest().is_some() {
        let why = format!("{:?} carries a tag or digest; name the repository alone", listed.name);
        return Err(invalid(format!("{path}.name"), &why));
    }
    let tag = TagTemplate::parse(&listed.tag).map_err(|e| invalid(format!("{path}.tag"), &e))?;
    let paths = listed.paths.iter().enumerate().map(|(i, text)| text.parse().map_err(|e| invalid(format!("{path}.paths[{i}]"), &e)));
    Ok(ImageRule { image, tag, paths: paths.collect::<Result<_, _>>()?, revision_label: listed.revision_label })
}

fn images(listed: &api::baseline::Images) -> Result<ImagePolicy, InvalidBaseline> {
    let wait = parse_ttl(&listed.wait).map_err(|e| invalid("spec.images.wait", &e))?;
    Ok(ImagePolicy { wait, missing: listed.missing })
}

fn hosts(listed: &api::baseline::Hosts) -> Hosts {
    Hosts {
        domain: listed.domain.clone(),
        ingress_class_name: listed.ingress_class_name.clone(),
        annotations: listed.annotations.clone(),
        gateway: listed.gateway.clone(),
        expose: listed.expose.clone(),
        probe: listed.probe.clone(),
    }
}

fn choices(listed: &CloneRules) -> Choices {
    let CloneRules { volumes, cron_jobs, autoscalers, replicas, rbac, .. } = listed;
    Choices { volumes: *volumes, cron_jobs: *cron_jobs, autoscalers: *autoscalers, replicas: *replicas, rbac: *rbac }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::baseline::Evict;

    fn read(spec: serde_json::Value) -> Result<Baseline, InvalidBaseline> {
        let mut object = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        Baseline::try_from(&object)
    }

    #[test]
    fn defaults_are_filled_in() {
        let spec = serde_json::json!({"repositories": [{"name": "acme/Web.App", "images": [{"name": "acme/web"}]}]});
        let baseline = read(spec).unwrap();
        assert_eq!(baseline.repositories[0].alias, "web-app");
        assert_eq!(baseline.ttl.as_secs(), 5 * 86_400);
        assert_eq!((baseline.max, baseline.grace), (None, Duration::ZERO));
        let Limits { environments, per_author, pinned, evict } = baseline.limits;
        assert_eq!((environments, per_author, pinned, evict), (20, 5, 5, Evict::Never));
        assert!(baseline.warnings().is_empty());
    }

    #[test]
    fn environments_whose_removal_is_held_are_known_by_their_uid() {
        let mut object =
            api::Baseline::new("shop", serde_json::from_value(serde_json::json!({"repositories": [{"name": "a/b"}]})).unwrap());
        object.metadata.namespace = Some("shop".into());
        let held = |what: &str, uid: &str| serde_json::json!({"what": what, "name": "web-pr-1", "uid": uid});
        let all = [("Environment", "uid-1"), ("Namespace", "uid-2"), ("Unwanted", "uid-3"), ("Answered", "uid-4")];
        let removals = serde_json::json!({"held": all.map(|(what, uid)| held(what, uid))});
        object.status = Some(serde_json::from_value(serde_json::json!({"removals": removals})).unwrap());
        let known = Baseline::try_from(&object).unwrap().held.into_iter().collect::<Vec<_>>();
        let expected = [("uid-1", Removed::Environment), ("uid-3", Removed::Unwanted), ("uid-4", Removed::Answered)];
        assert_eq!(known, expected.map(|(uid, what)| (uid.to_owned(), what)));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let image =
            |name: &str, tag: &str| serde_json::json!({"repositories": [{"name": "acme/web", "images": [{"name": name, "tag": tag}]}]});
        for (spec, field) in [
            (image("acme/web:1", "x"), "spec.repositories[0].images[0].name"),
            (image("acme/web", "{{ sha }}"), "spec.repositories[0].images[0].tag"),
            (serde_json::json!({"repositories": [{"name": "acme/web"}, {"name": "other/web"}]}), "spec.repositories[1].alias"),
            (clone(&serde_json::json!({"env": [{"name": "A", "value": "{{ sha }}"}]})), "spec.clone.env[0].value"),
            (clone(&serde_json::json!({"env": [{"name": "A"}]})), "spec.clone.env[0]"),
            (clone(&serde_json::json!({"env": [{"name": "A=B", "value": "x"}]})), "spec.clone.env[0].name"),
            (clone(&serde_json::json!({"secrets": [{"name": "My_Secret"}]})), "spec.clone.secrets[0].name"),
            (clone(&serde_json::json!({"secrets": [{"name": "s", "set": {"a b": "x"}}]})), "spec.clone.secrets[0].set[a b]"),
            (
                clone(&serde_json::json!({"patches": [{"target": {"kind": "Service"}, "merge": {"spec": {"x": ["a", "{{ b"]}}}]})),
                "spec.clone.patches[0].merge.spec.x[1]",
            ),
            (
                clone(&serde_json::json!({"patches": [{"target": {"kind": "Service"}, "jsonPatch": [{"op": "add", "path": "/x"}]}]})),
                "spec.clone.patches[0].jsonPatch[0]",
            ),
            (clone(&serde_json::json!({"patches": [{"target": {"kind": "Service"}}]})), "spec.clone.patches[0]"),
            (clone(&serde_json::json!({"secrets": [{"name": "s", "set": {"A": "{{ generated.B }}"}}]})), "spec.clone.secrets[0].set[A]"),
            (
                clone(&serde_json::json!({"secrets": [{"name": "s", "set": {"A": ""}, "generate": ["A"]}]})),
                "spec.clone.secrets[0].generate",
            ),
            (serde_json::json!({"repositories": [{"name": "acme/web"}], "lifetime": {"ttl": "0s"}}), "spec.lifetime.ttl"),
            (serde_json::json!({"repositories": [{"name": "acme/web"}], "lifetime": {"max": "0s"}}), "spec.lifetime.max"),
            (serde_json::json!({"repositories": [{"name": "acme/web"}], "lifetime": {"grace": "soon"}}), "spec.lifetime.grace"),
            (serde_json::json!({"repositories": [{"name": "acme/web"}], "images": {"wait": "0s"}}), "spec.images.wait"),
        ] {
            assert_eq!(read(spec).unwrap_err().field, field);
        }
    }

    fn clone(rules: &serde_json::Value) -> serde_json::Value {
        serde_json::json!({"repositories": [{"name": "acme/web"}], "clone": rules})
    }

    #[test]
    fn a_secret_with_values_of_its_own_copies_only_what_is_asked_for() {
        let secrets = serde_json::json!({"secrets": [
            {"name": "a"}, {"name": "b", "from": "c"}, {"name": "d", "set": {"K": "v"}}, {"name": "e", "generate": ["K"]},
            {"name": "f", "keys": ["X"], "set": {"K": "v"}}, {"name": "g", "from": "g", "generate": ["K"]}]});
        let sources: Vec<_> = read(clone(&secrets)).unwrap().secrets.into_iter().map(|s| s.source).collect();
        let source = |name: &str| Some(name.to_owned());
        assert_eq!(sources, [source("a"), source("c"), None, None, source("f"), source("g")]);
    }

    #[test]
    fn a_baseline_knows_whether_a_push_changes_its_values() {
        for (rules, names) in [
            (serde_json::json!({"env": [{"name": "A", "value": "{{ revision }}"}]}), true),
            (serde_json::json!({"env": [{"name": "A", "value": "{{ env }}"}]}), false),
            (serde_json::json!({"secrets": [{"name": "s", "set": {"A": "{{ revision_short }}"}}]}), true),
            (serde_json::json!({"patches": [{"target": {"kind": "S"}, "merge": {"a": ["{{ revision }}"]}}]}), true),
        ] {
            assert_eq!(read(clone(&rules)).unwrap().names_a_revision(), names, "{rules}");
        }
    }

    #[test]
    fn a_tag_without_a_revision_warns() {
        let spec = serde_json::json!({"repositories": [{"name": "acme/web", "images": [{"name": "acme/web", "tag": "pr-{{ pull }}"}]}]});
        assert!(read(spec.clone()).unwrap().warnings()[0].contains("acme/web"));
        let mut labelled = spec;
        labelled["repositories"][0]["images"][0]["revisionLabel"] = true.into();
        assert!(read(labelled).unwrap().warnings().is_empty());
    }
}
