//! The workloads of a plan: what the comment lists, and whose readiness is the environment's.

use serde_json::Value;

use super::decision::{Decision, LeftOutReason};
use super::kinds::is_workload;
use super::manifest::Manifest;
use super::pods::{containers, text};
use super::types::{Planned, ResolvedImages, Snapshot, Workload};
use crate::api::status::ImageOrigin;

/// Every workload among the objects, in their order.
pub(super) fn workloads(stages: &[Vec<Planned>], images: &ResolvedImages) -> Vec<Workload> {
    let planned = stages.iter().flatten().map(|p| &p.manifest);
    planned.filter(|m| is_workload(m)).map(|m| workload(m, images)).collect()
}

fn workload(manifest: &Manifest, images: &ResolvedImages) -> Workload {
    let (image, from) = main_image(manifest, images);
    let replicas = manifest.get("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    Workload { object: manifest.name(), image: image.to_owned(), from, replicas, waits_for: waits_for(manifest, images) }
}

/// Whether any of these objects runs an image that is not there yet.
pub(super) fn awaits<'a>(mut planned: impl Iterator<Item = &'a Planned>, images: &ResolvedImages) -> bool {
    planned.any(|planned| waits_for(&planned.manifest, images).is_some())
}

fn waits_for(manifest: &Manifest, images: &ResolvedImages) -> Option<String> {
    let all = containers(manifest).filter_map(|(_, container)| text(container, "image"));
    let mut awaited = all.filter(|image| images.find(image).is_some_and(|(_, swap)| swap.awaited));
    awaited.next().map(str::to_owned)
}

/// The image that the branch builds, else one that a person asked for, else that of the first container.
fn main_image<'a>(manifest: &'a Manifest, images: &ResolvedImages) -> (&'a str, ImageOrigin) {
    let all: Vec<&str> = containers(manifest).filter_map(|(_, container)| text(container, "image")).collect();
    let from = |origin: ImageOrigin| all.iter().find(|image| images.find(image).is_some_and(|(_, swap)| swap.from == origin));
    for origin in [ImageOrigin::Branch, ImageOrigin::Override] {
        if let Some(image) = from(origin) {
            return (image, origin);
        }
    }
    (all.first().copied().unwrap_or_default(), ImageOrigin::Baseline)
}

/// Whether the branch builds an image of the workload.
pub(super) fn is_built(manifest: &Manifest, images: &ResolvedImages) -> bool {
    is_workload(manifest) && main_image(manifest, images).1 == ImageOrigin::Branch
}

/// A sentence for each workload that the branch builds and that is refused.
pub(super) fn stalled(snapshot: &Snapshot, decisions: &[Decision], images: &ResolvedImages) -> Vec<String> {
    let refused = |decision: &&Decision| matches!(decision, Decision::LeftOut { reason: LeftOutReason::NotAdmitted { .. }, .. });
    let is_built = |decision: &&Decision| {
        let mut named = snapshot.objects.iter().filter(|o| o.name() == *decision.object());
        named.any(|o| is_built(o, images))
    };
    let sentence = |d: &Decision| format!("the branch builds {}, which is left out: it {}", d.object(), d.why());
    decisions.iter().filter(refused).filter(is_built).map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::status::ImageOrigin;
    use crate::plan::sample::{World, deployment, stateful_set};

    #[test]
    fn each_workload_shows_the_image_that_matters() {
        let sidecar = json!([{"name": "proxy", "image": "envoy:1"}, {"name": "web", "image": "acme/web:1"}]);
        let objects = [
            deployment("web").with("/spec/template/spec/containers", sidecar),
            deployment("api").image("acme/api:1").replicas(0),
            stateful_set("db").image("postgres:17"),
        ];
        let plan = World::of(objects).branch("acme/web", "2").asked("acme/api", "3").plan();
        let shown: Vec<_> = plan.plan.workloads.iter().map(|w| (w.object.to_string(), w.image.as_str(), w.from, w.replicas)).collect();
        assert_eq!(
            shown,
            [
                ("Deployment/api".into(), "acme/api:3", ImageOrigin::Override, 0),
                ("Deployment/web".into(), "acme/web:2", ImageOrigin::Branch, 1),
                ("StatefulSet/db".into(), "postgres:17", ImageOrigin::Baseline, 1),
            ]
        );
    }

    #[test]
    fn only_a_workload_whose_image_is_not_there_is_held_back() {
        let init = json!([{"name": "migrate", "image": "acme/web:1"}]);
        let objects =
            [deployment("api").with("/spec/template/spec/initContainers", init), deployment("db"), deployment("web").image("acme/web:1")];
        let mut world = World::of(objects).branch("acme/web", "2");
        world.images.swaps[0].awaited = true;
        let plan = world.plan().plan;
        let waiting: Vec<_> = plan.workloads.iter().map(|w| (w.object.name.as_str(), w.waits_for.as_deref())).collect();
        assert_eq!(waiting, [("api", Some("acme/web:2")), ("db", None), ("web", Some("acme/web:2"))]);
        let held: Vec<bool> = plan.workloads.iter().map(|w| plan.holds_back(&w.object)).collect();
        assert_eq!(held, [true, false, true]);
    }

    #[test]
    fn an_image_that_is_the_branch_s_already_still_comes_from_it() {
        let plan = World::of([deployment("web").image("acme/web:2")]).branch("acme/web", "2").plan();
        assert_eq!(plan.plan.workloads[0].from, ImageOrigin::Branch);
        assert_eq!(plan.said(), ["Deployment/web kept"]);
    }
}
