//! Images that a registry does not have, or not for this cluster's nodes. Only what a registry said counts: an image that
//! nobody asked for is not spoken of.

use super::{Finding, View, listed};
use crate::api::status::{ImageState, ImageStatus};
use crate::domain::ImageRef;
use crate::plan::manifest::{Manifest, ObjectName};
use crate::plan::pods::{containers, text};

/// What stops workloads, and what runs in the place of an image and is worth knowing.
pub(super) fn findings(view: &View<'_>, images: &[ImageStatus]) -> (Vec<Finding>, Vec<Finding>) {
    let (mut stopping, mut instead) = (Vec::new(), Vec::new());
    for image in images {
        match (image.state, image.reason.as_str()) {
            (ImageState::Missing, "BaselineInstead") => instead.extend(found(view, image, instead_of_it)),
            (ImageState::Missing, _) => stopping.extend(found(view, image, missing)),
            (ImageState::Available, "OtherPlatform") => stopping.extend(found(view, image, other_platform)),
            _ => {}
        }
    }
    (stopping, instead)
}

/// The finding about an image, if anything runs it.
fn found(view: &View<'_>, image: &ImageStatus, about: fn(&ImageStatus, &str) -> Finding) -> Option<Finding> {
    let repository: ImageRef = image.name.parse().ok()?;
    let runs = |object: &Manifest| {
        let mut images = containers(object).filter_map(|(_, container)| text(container, "image")?.parse::<ImageRef>().ok());
        images.any(|image| image.same_repository(&repository))
    };
    let workloads: Vec<ObjectName> = view.running.iter().filter(|workload| runs(workload)).map(|workload| workload.name()).collect();
    let hooks = view.hooks.iter().filter(|(_, job)| runs(job)).map(|(name, _)| format!("hook {name}"));
    let users: Vec<String> = workloads.iter().map(|workload| workload.name.clone()).chain(hooks).collect();
    let used = format!("used by {}", listed(users.iter().map(String::as_str)));
    let is_instead = image.reason == "BaselineInstead";
    (!users.is_empty()).then(|| about(image, &used).stops(if is_instead { Vec::new() } else { workloads }))
}

fn missing(image: &ImageStatus, used: &str) -> Finding {
    let mend = "push it, or run a tag that is there: --image NAME=TAG, /preview image";
    Finding::new(name(image), format!("{used}; {}", said(image))).mend(mend)
}

fn instead_of_it(image: &ImageStatus, used: &str) -> Finding {
    let what = "the baseline's image runs instead, which is not the code of this change (images.missing: UseBaseline)";
    Finding::new(name(image), format!("{used}; {}: {what}", said(image)))
}

fn other_platform(image: &ImageStatus, used: &str) -> Finding {
    Finding::new(name(image), format!("{used}; {}", said(image))).mend("build it for a platform of the nodes too")
}

/// What the registry said: `it is not in the registry yet`, of `acme/web:1 is not in the registry yet; it is waited for
/// until ...`.
fn said(image: &ImageStatus) -> String {
    let first = image.message.split(';').next().unwrap_or_default();
    let name = format!("{}:{}", image.name, image.tag);
    first.strip_prefix(&name).map_or_else(|| first.to_owned(), |said| format!("it{said}"))
}

fn name(image: &ImageStatus) -> ObjectName {
    ObjectName { api_version: String::new(), kind: "Image".to_owned(), name: format!("{}:{}", image.name, image.tag) }
}
