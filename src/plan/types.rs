//! What goes into a plan and what comes out.

use std::collections::HashSet;

use super::decision::Decision;
use super::externals::External;
use super::manifest::{Manifest, ObjectName};
use crate::api::status::{ImageOrigin, Url};
use crate::domain::baseline::Hook;
use crate::domain::environment::Source;
use crate::domain::quantity::Quantity;
use crate::domain::{Baseline, EnvironmentName, ImageRef, Seed};

/// What the baseline's namespace held at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Objects of the kinds that are cloned, and the Secrets that are listed, each as `clone.secrets` names it (see
    /// [`listed`](super::listed)).
    pub objects: Vec<Manifest>,
    /// Objects of other kinds that nothing controls, by name alone.
    pub others: Vec<ObjectName>,
    /// Objects of other kinds that another one controls, by name alone.
    pub controlled: Vec<Controlled>,
    /// Listed Secrets that are not there.
    pub missing_secrets: Vec<String>,
    /// The Pod Security level that the namespace enforces, if it enforces one.
    pub pod_security: Option<String>,
}

/// An object that another one controls.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Controlled {
    /// What it is called.
    pub object: ObjectName,
    /// What makes it, and makes it anew when it is gone.
    pub owner: ObjectName,
}

/// The environment that a plan is made for.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// Its name.
    pub environment: &'a EnvironmentName,
    /// UID of its object, the proof of ownership.
    pub uid: &'a str,
    /// The namespace to make it in.
    pub namespace: &'a str,
    /// Its Baseline, with every rule that a team set.
    pub baseline: &'a Baseline,
    /// Whether it is for a change from outside that nobody approved: it gets no Secrets, no way out, and half the quota.
    pub isolated: bool,
    /// What it is for, as far as that is known: templates name it.
    pub source: Option<&'a Source>,
    /// What `clone.secrets[].generate` follows from, where the service has a seed.
    pub seed: Option<&'a Seed>,
    /// Hosts that other environments hold.
    pub held_hosts: &'a HashSet<String>,
    /// Hosts that this environment was given before, which it keeps.
    pub recorded_hosts: &'a HashSet<String>,
    /// What tells one run of the hooks from another: the revision, and when somebody last asked for a refresh.
    pub run: &'a str,
}

/// One image to run instead of the baseline's.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSwap {
    /// Which image: every reference to this repository, whatever its tag or digest.
    pub repository: ImageRef,
    /// The tag to run.
    pub tag: String,
    /// The digest that the tag had when the registry was asked; without it the tag alone is run.
    pub digest: Option<String>,
    /// Whether it is not there yet: a workload that needs it stays as it is until then.
    pub awaited: bool,
    /// Whose wish it is.
    pub from: ImageOrigin,
}

impl ImageSwap {
    /// The image by its tag, before a registry was asked.
    pub fn by_tag(repository: ImageRef, tag: String, from: ImageOrigin) -> Self {
        Self { repository, tag, digest: None, awaited: false, from }
    }

    /// What runs instead of an image of this repository, which stays as it is written.
    pub fn instead_of(&self, image: &ImageRef) -> ImageRef {
        match &self.digest {
            // The baseline's own, held to what runs there.
            Some(digest) if self.from == ImageOrigin::Baseline => image.pinned_to(digest),
            Some(digest) => image.with_digest(&self.tag, digest),
            None => image.with_tag(&self.tag),
        }
    }
}

/// The images that differ from the baseline's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResolvedImages {
    /// At most one entry a repository; an override stands before a rule.
    pub swaps: Vec<ImageSwap>,
}

/// What to make, in order, and why.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Objects in stages: each stage is applied when the one before it was.
    pub stages: Vec<Vec<Planned>>,
    /// One or more per object of the baseline, in the order of kinds and names.
    pub decisions: Vec<Decision>,
    /// Where the environment is reached.
    pub urls: Vec<Url>,
    /// The workloads among the objects.
    pub workloads: Vec<Workload>,
    /// Whether something in it runs an image that is not there yet.
    pub awaits_images: bool,
    /// What it would reach outside its namespace, as far as its configuration says.
    pub externals: Vec<External>,
    /// What works and is probably not meant.
    pub warnings: Vec<String>,
    /// What the Baseline says and what cannot be done: nothing of the plan may be applied.
    pub invalid: Vec<String>,
    /// The Baseline's hooks, each with the Job that it runs as.
    pub hooks: Vec<PlannedHook>,
    /// Workloads that the branch builds and that cannot be made, with the reason: the environment is Stalled.
    pub stalled: Vec<String>,
    /// Where the quota that the Baseline gives has no room.
    pub shortages: Vec<Shortage>,
    /// Whether it is for a change from outside that nobody approved.
    pub isolated: bool,
}

/// A resource of which the Baseline's quota has less than an environment asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Shortage {
    /// Its name in the quota, such as `requests.cpu`.
    pub resource: String,
    /// What would be enough.
    pub asked: Quantity,
    /// What there is.
    pub given: Quantity,
    /// What finds no room.
    pub without_room: WithoutRoom,
}

/// What finds no room in a quota.
#[derive(Clone, Debug, PartialEq)]
pub enum WithoutRoom {
    /// These objects, which are left out.
    Objects(Vec<ObjectName>),
    /// Updates of this one: while it is updated, old pods and new ones run side by side.
    UpdatesOf(ObjectName),
}

impl Plan {
    /// Whether an object is a workload that is left as it is until its image is there.
    pub fn holds_back(&self, object: &ObjectName) -> bool {
        self.workloads.iter().any(|w| w.waits_for.is_some() && w.object == *object)
    }
}

/// One object to apply.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The object, with our labels and the hash as its annotation.
    pub manifest: Manifest,
    /// Hash of the object without the annotation that carries it.
    pub hash: String,
    /// Hash of the baseline's object that it was made from; absent where there is none that is watched.
    pub source: Option<String>,
}

/// A hook and its Job.
#[derive(Clone, Debug)]
pub struct PlannedHook {
    /// The hook.
    pub hook: Hook,
    /// Its Job, named after this run.
    pub job: Planned,
}

/// A workload of the plan, whose readiness is the environment's.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// What it is called.
    pub object: ObjectName,
    /// The image that the branch builds, or that of the first container.
    pub image: String,
    /// Where that image comes from.
    pub from: ImageOrigin,
    /// Replicas that it is to have.
    pub replicas: i64,
    /// The image that is not there yet, and without which the workload is left as it is.
    pub waits_for: Option<String>,
}
