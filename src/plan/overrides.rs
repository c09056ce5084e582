//! Overrides that nothing in the baseline is meant by: they work, and are probably misspelt.

use super::manifest::Manifest;
use super::pods::{containers, text};
use super::types::ResolvedImages;
use crate::api::status::ImageOrigin;
use crate::domain::Baseline;
use crate::domain::baseline::PatchRule;

/// A sentence for each rule of the Baseline that is for none of the objects.
pub fn unused_rules(objects: &[&Manifest], baseline: &Baseline) -> Vec<String> {
    let is_container = |object: &Manifest, container: &serde_json::Value, rule: &crate::domain::baseline::EnvRule| {
        let (workload, container) = (object.text("/metadata/name"), text(container, "name"));
        rule.is_for(workload.unwrap_or_default(), container.unwrap_or_default())
    };
    let env = baseline.env.iter().enumerate().filter(|(_, rule)| {
        let mut all = objects.iter().flat_map(|object| containers(object).map(move |(_, container)| (object, container)));
        !all.any(|(object, container)| is_container(object, container, rule))
    });
    let env = env.map(|(index, rule)| format!("clone.env[{index}] ({}): no container of the baseline is meant by it", rule.name));
    let patches = baseline.patches.iter().enumerate().filter(|(_, rule)| !is_used(rule, objects, baseline));
    env.chain(patches.map(|(index, rule)| format!("clone.patches[{index}]: the baseline has no {} that is cloned", target_of(rule))))
        .collect()
}

/// Secrets are not among the objects of a Baseline's own status, so what is listed counts.
fn is_used(rule: &PatchRule, objects: &[&Manifest], baseline: &Baseline) -> bool {
    let is_object = |o: &&Manifest| rule.is_for(o.group(), o.kind(), o.text("/metadata/name").unwrap_or_default());
    objects.iter().copied().any(|o| is_object(&o)) || baseline.secrets.iter().any(|secret| rule.is_for("", "Secret", &secret.name))
}

fn target_of(rule: &PatchRule) -> String {
    rule.name.as_ref().map_or_else(|| rule.kind.clone(), |name| format!("{}/{name}", rule.kind))
}

/// A sentence for each image that a person asked for and nothing runs.
pub(super) fn unused_images(objects: &[&Manifest], images: &ResolvedImages) -> Vec<String> {
    let asked = images.swaps.iter().filter(|swap| swap.from == ImageOrigin::Override);
    let runs = |swap: &super::ImageSwap| {
        let mut all = objects.iter().flat_map(|object| containers(object)).filter_map(|(_, container)| text(container, "image"));
        all.any(|image| images.find(image).is_some_and(|(_, found)| found == swap))
    };
    let unused = asked.filter(|swap| !runs(swap));
    unused
        .map(|swap| format!("images: {} was asked for, and no container of the baseline runs it", swap.repository.with_tag(&swap.tag)))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::plan::sample::{World, deployment};

    #[test]
    fn an_image_that_nothing_runs_is_said() {
        let world =
            World::of([deployment("web").image("acme/web:1")]).asked("acme/web", "2").asked("acme/wbe", "3").branch("acme/api", "4");
        assert_eq!(world.plan().plan.warnings, ["images: acme/wbe:3 was asked for, and no container of the baseline runs it"]);
    }
}
