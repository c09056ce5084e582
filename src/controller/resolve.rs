//! Step 2 of 5, resolve: which images run here instead of the baseline's. No client, no clock, no logging.

use crate::api::environment::SourceState;
use crate::api::status::ImageOrigin;
use crate::domain::baseline::Repository;
use crate::domain::environment::Source;
use crate::domain::template::{TagValues, TemplateError};
use crate::domain::{Baseline, Environment};
use crate::plan::{ImageSwap, ResolvedImages};

/// The images of every open source by the Baseline's rules; what a person asked for stands before a rule.
pub fn resolve(environment: &Environment, baseline: &Baseline) -> Result<ResolvedImages, TemplateError> {
    let mut swaps: Vec<ImageSwap> = environment.images.iter().map(|(repository, tag)| override_of(repository, tag)).collect();
    for repository in &baseline.repositories {
        let Some(source) = environment.source(repository.forge, &repository.name).filter(|s| s.state == SourceState::Open) else {
            continue;
        };
        for swap in built_by(repository, source)? {
            if !swaps.iter().any(|s| s.repository.same_repository(&swap.repository)) {
                swaps.push(swap);
            }
        }
    }
    Ok(ResolvedImages { swaps })
}

fn override_of(repository: &crate::domain::ImageRef, tag: &str) -> ImageSwap {
    ImageSwap { repository: repository.clone(), tag: tag.to_owned(), from: ImageOrigin::Override }
}

fn built_by(repository: &Repository, source: &Source) -> Result<Vec<ImageSwap>, TemplateError> {
    let pull = if let crate::domain::names::Subject::Pull(number) = source.subject { Some(number) } else { None };
    let values = TagValues { revision: &source.revision, pull, branch: source.branch.as_deref() };
    let swap = |rule: &crate::domain::baseline::ImageRule| {
        Ok(ImageSwap { repository: rule.image.clone(), tag: rule.tag.fill(&values)?, from: ImageOrigin::Branch })
    };
    repository.images.iter().map(swap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;
    use serde_json::json;

    fn swaps(images: &serde_json::Value, repository: &str) -> Vec<String> {
        let spec = json!({"baseline": "shop", "images": images, "sources": [{
            "forge": "github", "repositoryId": 7, "repository": repository, "pull": 42, "state": "Open",
            "revision": "3f9c2ab0".repeat(5), "observedAt": "2026-01-01T00:00:00Z", "headRepositoryId": 7}]});
        let mut object = api::PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        object.metadata.uid = Some("u-1".into());
        let spec = json!({"repositories": [{"name": "acme/web", "images": [
            {"name": "acme/web", "tag": "pr-{{ pull }}-{{ revision_short }}"}, {"name": "acme/bff"}]}]});
        let mut baseline = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
        baseline.metadata.namespace = Some("shop".into());
        let resolved = resolve(&Environment::try_from(&object).unwrap(), &Baseline::try_from(&baseline).unwrap()).unwrap();
        resolved.swaps.iter().map(|s| s.repository.with_tag(&s.tag).to_string()).collect()
    }

    #[test]
    fn every_image_of_the_repository_gets_the_tag_of_the_revision() {
        assert_eq!(swaps(&json!([]), "Acme/Web"), ["acme/web:pr-42-3f9c2ab", &format!("acme/bff:{}", "3f9c2ab0".repeat(5))]);
    }

    #[test]
    fn an_override_stands_before_the_rule() {
        assert_eq!(swaps(&json!([{"name": "acme/web", "tag": "mine"}]), "acme/web")[0], "acme/web:mine");
    }

    #[test]
    fn another_repository_changes_nothing() {
        assert!(swaps(&json!([]), "acme/api").is_empty());
    }
}
