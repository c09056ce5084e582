//! The branch's images: wherever a container runs an image of a repository that is swapped, it runs the tag of the swap,
//! by the digest that the registry has for it where that is known. The repository stays as it is written.

use serde_json::{Value, json};

use super::Notes;
use crate::api::status::ImageOrigin;
use crate::domain::ImageRef;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::pods;
use crate::plan::types::ImageSwap;

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    pods::for_each_container(manifest, |path, container| swap(path, container, (context, notes)));
}

fn swap(path: &str, container: &mut Value, (context, notes): (&Context<'_>, &mut Notes)) {
    let Some(image) = container.get_mut("image") else { return };
    let Some((before, swap)) = image.as_str().and_then(|text| context.images.find(text)) else { return };
    let after = swap.instead_of(&before);
    if before != after {
        notes.changed(format!("{path}.image"), (&before.to_string(), &after.to_string()), why(swap));
        *image = json!(after.to_string());
    }
}

fn why(swap: &ImageSwap) -> &'static str {
    match swap.from {
        ImageOrigin::Branch => "the branch builds this image",
        ImageOrigin::Override => "a person asked for this image",
        ImageOrigin::Baseline => "the baseline runs exactly this image",
    }
}

impl crate::plan::ResolvedImages {
    /// The image that a text names and what runs instead. Absent for an image that stays, and for a text that is not
    /// an image, such as one that a webhook fills in.
    pub(in crate::plan) fn find(&self, image: &str) -> Option<(ImageRef, &ImageSwap)> {
        let image: ImageRef = image.parse().ok()?;
        let swap = self.swaps.iter().find(|s| s.repository.same_repository(&image))?;
        Some((image, swap))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, cron_job, deployment};

    #[test]
    fn every_container_of_the_repository_gets_the_tag() {
        let digest = format!("registry.example.com/acme/web:1@sha256:{}", "0a".repeat(32));
        let web = deployment("web").image(&digest).with(
            "/spec/template/spec/initContainers",
            json!([{"name": "migrate", "image": "registry.example.com/acme/web"}, {"name": "wait", "image": "busybox:1"}]),
        );
        let plan = World::of([web]).branch("registry.example.com/acme/web", "pr-42").plan();
        let spec = &plan.find("Deployment/web").value()["spec"]["template"]["spec"];
        assert_eq!(spec["containers"][0]["image"], "registry.example.com/acme/web:pr-42");
        assert_eq!(spec["initContainers"][0]["image"], "registry.example.com/acme/web:pr-42");
        assert_eq!(spec["initContainers"][1]["image"], "busybox:1");
        assert_eq!(
            plan.said()[1],
            "Deployment/web spec.template.spec.initContainers[migrate].image: registry.example.com/acme/web -> \
             registry.example.com/acme/web:pr-42 (the branch builds this image)"
        );
    }

    #[test]
    fn every_way_to_write_an_image_is_swapped() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for image in [
            "registry.local:5000/acme/web".to_owned(),
            "registry.local:5000/acme/web:1".to_owned(),
            format!("registry.local:5000/acme/web@{digest}"),
            format!("registry.local:5000/acme/web:1@{digest}"),
        ] {
            let plan = World::of([deployment("web").image(&image), cron_job("nightly").image_of_jobs(&image)])
                .branch("registry.local:5000/acme/web", "pr-42")
                .plan();
            let expected = Some("registry.local:5000/acme/web:pr-42");
            assert_eq!(plan.find("Deployment/web").text("/spec/template/spec/containers/0/image"), expected, "{image}");
            let jobs = plan.find("CronJob/nightly").text("/spec/jobTemplate/spec/template/spec/containers/0/image");
            assert_eq!(jobs, expected, "{image}");
        }
    }

    #[test]
    fn what_the_registry_has_runs_by_its_digest() {
        let digest = format!("sha256:{}", "0b".repeat(32));
        let before = format!("r.example.com:5000/acme/web:1@sha256:{}", "0a".repeat(32));
        let mut world = World::of([deployment("web").image(&before)]).branch("r.example.com:5000/acme/web", "pr-42");
        world.images.swaps[0].digest = Some(digest.clone());
        let plan = world.plan();
        let image = plan.find("Deployment/web").text("/spec/template/spec/containers/0/image").unwrap();
        assert_eq!(image, format!("r.example.com:5000/acme/web:pr-42@{digest}"));
    }

    #[test]
    fn the_repository_stays_as_written_and_others_are_left_alone() {
        let objects =
            [deployment("a").image("docker.io/acme/web:1"), deployment("b").image("acme/web-admin:1"), deployment("c").image("$IMAGE")];
        let plan = World::of(objects).branch("acme/web", "pr-42").plan();
        let image = |name: &str| plan.find(name).text("/spec/template/spec/containers/0/image").unwrap().to_owned();
        assert_eq!(image("Deployment/a"), "docker.io/acme/web:pr-42");
        assert_eq!(image("Deployment/b"), "acme/web-admin:1");
        assert_eq!(image("Deployment/c"), "$IMAGE");
    }
}
