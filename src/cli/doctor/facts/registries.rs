//! What registries say of the images that a baseline runs and its repositories build, with the logins of the pods.

use super::{Namespace, within};
use crate::cli::doctor::finding::Fact;
use crate::cli::doctor::judge::registries::{Asked, Images};
use crate::cli::plan::read::Reading;
use crate::controller::inquiry::{logins_for, registries_of};
use crate::domain::{Baseline, ImageRef};
use crate::plan::images_of;
use crate::registry::{Answer, Query, Registry, Unknown};

/// The tag of an image that names none.
const USUAL_TAG: &str = "latest";

/// Asks for each image that runs in the namespace and that a repository of its Baseline builds.
pub async fn ask(registry: &Registry, namespace: &Namespace, holds: &Reading) -> Images {
    let objects = &holds.snapshot.objects;
    let used = registries_of(objects);
    let mut images = Images { asked: Vec::new(), closed: holds.closed_secrets.clone() };
    for image in running(&namespace.baseline, holds) {
        let (host, _) = image.registry_and_path();
        let answer = if registry.config().allows(&host, &used) {
            let query = Query::of(&image, image.digest().or(image.tag()).unwrap_or(USUAL_TAG), false);
            let logins = logins_for(&image, objects);
            let asking: Fact<Answer> = within(&host, async { Ok(registry.look_up(&query, &logins).await) }).await;
            asking.unwrap_or_else(|why| Answer::Unknown(Unknown::Unreachable(why.to_string())))
        } else {
            Answer::Unknown(Unknown::NotAllowed(format!("{host} is not among those of --registry")))
        };
        images.asked.push(Asked { image: image.to_string(), answer });
    }
    images
}

/// The images as they run, one for each that the Baseline names.
fn running(baseline: &Baseline, holds: &Reading) -> Vec<ImageRef> {
    let all: Vec<ImageRef> = holds.snapshot.objects.iter().flat_map(images_of).filter_map(|image| image.parse().ok()).collect();
    let rules = baseline.repositories.iter().flat_map(|repository| &repository.images);
    rules.filter_map(|rule| all.iter().find(|image| image.same_repository(&rule.image)).cloned()).collect()
}
