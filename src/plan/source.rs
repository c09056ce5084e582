//! What of a baseline's object an environment follows, as a hash: when it differs from the one that is recorded, the
//! baseline has moved on.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::hash::hash;
use super::kinds::has_replicas;
use super::manifest::{Manifest, ObjectName};
use super::types::{ResolvedImages, Snapshot, Target};
use super::{pods, rules};
use crate::api::status::{ImageOrigin, InventoryEntry};
use crate::domain::ImageRef;

/// Hexadecimal digits that are kept: 32 bits tell the versions of one object apart, and there are many objects.
const SHOWN: usize = 8;
/// Containers whose images can be told apart; the images of more count as they stand.
const CONTAINERS_MAX: u32 = 64;

/// The hash of an object of the baseline. Absent for a Secret: nobody watches those, so nobody could compare it.
///
/// What moves by itself or does not reach the environment is left out: what the server writes, how many replicas an
/// autoscaler wants, and the tags of images that the environment runs in another version anyway. Which containers those
/// are stands behind the hash, so that it can be compared by somebody who does not know the environment's images.
pub(super) fn source_hash(object: &Manifest, images: &ResolvedImages) -> Option<String> {
    if object.kind() == "Secret" && object.group().is_empty() {
        return None;
    }
    let swapped = |container: &Value| container.get("image").and_then(Value::as_str).is_some_and(|i| runs_another(i, images));
    let all = pods::containers(object).take(CONTAINERS_MAX as usize).enumerate();
    let masked = all.filter(|(_, (_, container))| swapped(container)).fold(0_u64, |mask, (index, _)| mask | (1 << index));
    Some(hash_without(object, masked))
}

/// Whether the environment runs another image than this one of the baseline's.
fn runs_another(image: &str, images: &ResolvedImages) -> bool {
    images.find(image).is_some_and(|(_, swap)| swap.from != ImageOrigin::Baseline)
}

fn hash_without(object: &Manifest, masked: u64) -> String {
    let mut bare = rules::bare(object);
    if let Some(replicas) = bare.get("/spec/replicas").and_then(Value::as_i64).filter(|_| has_replicas(object)) {
        bare.set(&["spec"], "replicas", json!(replicas.min(1)));
    }
    if object.kind() == "PersistentVolumeClaim" {
        // Written when the claim is bound, which is often later than its first copy.
        bare.remove("/spec", "volumeName");
    }
    if masked != 0 {
        forget_tags(&mut bare, masked);
    }
    let mut text = hash(bare.value());
    text.truncate(SHOWN);
    if masked == 0 { text } else { format!("{text}.{masked:x}") }
}

fn forget_tags(bare: &mut Manifest, masked: u64) {
    let mut index = 0;
    pods::for_each_container(bare, |_, container| {
        if index < CONTAINERS_MAX && masked & (1 << index) != 0 {
            forget_tag(container);
        }
        index += 1;
    });
}

fn forget_tag(container: &mut Value) {
    let Some(image) = container.get_mut("image") else { return };
    if let Some(parsed) = image.as_str().and_then(|text| text.parse::<ImageRef>().ok()) {
        *image = json!(parsed.repository().to_string());
    }
}

/// The objects of a baseline that its environments are made from, to compare inventories with.
pub struct Sources<'a> {
    objects: HashMap<ObjectName, &'a Manifest>,
    hashes: HashMap<(ObjectName, u64), String>,
}

impl<'a> Sources<'a> {
    /// What the snapshot gives an environment like this one. Which objects those are is the same for all of a Baseline.
    pub fn of(snapshot: &'a Snapshot, target: &Target<'_>) -> Self {
        let plan = super::plan(&with_secrets(snapshot, target), target, &ResolvedImages::default());
        let planned = plan.stages.iter().flatten().filter(|planned| planned.source.is_some()).map(|planned| planned.manifest.name());
        let mut there: HashMap<ObjectName, &Manifest> = snapshot.objects.iter().map(|o| (o.name(), o)).collect();
        let objects = planned.filter_map(|name| there.remove_entry(&name)).collect();
        Self { objects, hashes: HashMap::new() }
    }

    /// How many objects are new, different or gone since that inventory was applied.
    pub fn behind(&mut self, inventory: &[InventoryEntry]) -> usize {
        let mut known = 0;
        let mut moved = 0;
        for entry in inventory {
            let name = ObjectName { api_version: entry.api_version.clone(), kind: entry.kind.clone(), name: entry.name.clone() };
            let is_there = self.objects.contains_key(&name);
            known += usize::from(is_there);
            let Some(recorded) = &entry.source else { continue };
            moved += usize::from(!is_there || self.hash(name, mask_of(recorded)) != Some(recorded));
        }
        moved + self.objects.len().saturating_sub(known)
    }

    fn hash(&mut self, name: ObjectName, masked: u64) -> Option<&String> {
        let object = *self.objects.get(&name)?;
        Some(self.hashes.entry((name, masked)).or_insert_with(|| hash_without(object, masked)))
    }
}

/// The snapshot with the Secrets that are listed, by name alone: nobody reads them to count, and an Ingress that one of
/// them guards is cloned because it is there.
fn with_secrets(snapshot: &Snapshot, target: &Target<'_>) -> Snapshot {
    let mut snapshot = snapshot.clone();
    let is_there = |name: &str| snapshot.objects.iter().any(|o| o.kind() == "Secret" && o.text("/metadata/name") == Some(name));
    let absent = target.baseline.secrets.iter().map(|rule| &rule.name).filter(|name| !is_there(name));
    let stand_in = |name: &String| Manifest::new(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}));
    let absent: Vec<Manifest> = absent.map(stand_in).collect();
    snapshot.objects.extend(absent);
    snapshot
}

fn mask_of(recorded: &str) -> u64 {
    recorded.split_once('.').and_then(|(_, mask)| u64::from_str_radix(mask, 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Sources;
    use crate::api::status::InventoryEntry;
    use crate::domain::baseline::SecretRule;
    use crate::plan::sample::{World, deployment, object, service};
    use crate::plan::{Manifest, Plan};

    fn source(object: Manifest) -> Option<String> {
        let plan = World::of([object]).branch("acme/web", "2").plan().plan;
        plan.stages[0][0].source.clone()
    }

    fn inventory(plan: &Plan) -> Vec<InventoryEntry> {
        let entry = |planned: &crate::plan::Planned| {
            let name = planned.manifest.name();
            let (hash, source) = (Some(planned.hash.clone()), planned.source.clone());
            InventoryEntry { api_version: name.api_version, kind: name.kind, name: name.name, hash, source }
        };
        plan.stages.iter().flatten().map(entry).collect()
    }

    #[test]
    fn what_people_change_shows_and_what_moves_by_itself_does_not() {
        let web = || deployment("web").image("acme/web:1");
        let first = source(web());
        assert!(first.as_ref().is_some_and(|hash| hash.len() == 10 && hash.ends_with(".1")), "{first:?}");
        let same = [
            web().replicas(7),
            web().image("acme/web:9"),
            web().with("/status", json!({"replicas": 3})),
            web().with("/metadata/resourceVersion", json!("12")),
            web().annotation("deployment.kubernetes.io/revision", "4"),
        ];
        for object in same {
            assert_eq!(source(object), first);
        }
        let env = json!([{"name": "MODE", "value": "new"}]);
        for object in [web().replicas(0), web().label("team", "a"), web().with("/spec/template/spec/containers/0/env", env)] {
            assert_ne!(source(object), first);
        }
        assert_ne!(source(deployment("web").image("acme/api:1")), source(deployment("web").image("acme/api:2")));
    }

    #[test]
    fn a_claim_that_is_bound_has_not_moved() {
        let claim = || object("v1", "PersistentVolumeClaim", "uploads").with("/spec", json!({"storageClassName": "fast"}));
        assert_eq!(source(claim().with("/spec/volumeName", json!("pvc-1"))), source(claim()));
        assert_ne!(source(claim().with("/spec/storageClassName", json!("slow"))), source(claim()));
    }

    #[test]
    fn secrets_have_none() {
        assert_eq!(source(object("v1", "Secret", "s")), None);
    }

    #[test]
    fn an_ingress_that_a_listed_secret_guards_has_not_moved() {
        let ingress = object("networking.k8s.io/v1", "Ingress", "web")
            .annotation("nginx.ingress.kubernetes.io/auth-secret", "login")
            .with("/spec/rules", json!([{"host": "shop.example.com"}]));
        let listed = |world: World| world.baseline(|b| b.secrets = vec![SecretRule::copy_of("login")]);
        let applied = inventory(&listed(World::of([ingress.clone(), object("v1", "Secret", "login")])).plan().plan);
        assert!(applied.iter().any(|entry| entry.kind == "Ingress"));
        let world = listed(World::of([ingress]));
        assert_eq!(world.with_target(|target| Sources::of(&world.snapshot, target).behind(&applied)), 0);
    }

    #[test]
    fn an_environment_is_behind_by_what_is_new_different_or_gone() {
        let secret = object("v1", "Secret", "listed");
        let first = [deployment("web").image("acme/web:1"), deployment("api").image("acme/api:1"), service("web"), secret];
        let applied = inventory(&World::of(first).branch("acme/web", "2").plan().plan);
        let behind = |objects: Vec<Manifest>| {
            let world = World::of(objects);
            world.with_target(|target| Sources::of(&world.snapshot, target).behind(&applied))
        };
        let (web, api) = (|| deployment("web").image("acme/web:1"), || deployment("api").image("acme/api:1"));
        assert_eq!(behind(vec![web(), api(), service("web")]), 0, "a Secret does not count");
        assert_eq!(behind(vec![web().image("acme/web:3"), api(), service("web")]), 0, "the branch runs its own");
        assert_eq!(behind(vec![web(), api().image("acme/api:3"), service("web")]), 1);
        assert_eq!(behind(vec![web(), service("web"), service("api")]), 2, "one is gone, one is new");
    }
}
