//! Images by the names that people give them. No client, no clock, no logging.

use serde_json::json;

use super::effect::Part;
use crate::api::PreviewEnvironment;
use crate::api::names::manager_image;
use crate::domain::image_ref::is_tag;
use crate::domain::slug::hash8;
use crate::domain::{Baseline, ImageRef, nearest};

/// `web=pr-42-debug`: the image's whole name and the tag, or why not.
pub fn asked(text: &str, baseline: &Baseline, object: &PreviewEnvironment) -> Result<(String, String), String> {
    let Some((name, tag)) = text.split_once('=').filter(|(name, tag)| !name.is_empty() && !tag.is_empty()) else {
        return Err("Nothing was done: write it as /preview image <name>=<tag>.".to_owned());
    };
    if !is_tag(tag) {
        return Err("That is no tag: at most 128 letters, digits, '_', '.' and '-'.".to_owned());
    }
    Ok((named(name, baseline, object)?, tag.to_owned()))
}

/// The whole name of an image that the Baseline or the environment has, by it or by the last part of its path.
pub fn named(name: &str, baseline: &Baseline, object: &PreviewEnvironment) -> Result<String, String> {
    let known = known(baseline, object);
    let whole = name.parse::<ImageRef>().ok();
    let exact = known.iter().find(|image| whole.as_ref().is_some_and(|whole| whole.same_repository(image)));
    let short: Vec<&ImageRef> = known.iter().filter(|image| image.short_name() == name).collect();
    match (exact, short.as_slice()) {
        (Some(image), _) | (None, &[image]) => Ok(image.repository().to_owned()),
        (None, &[]) => {
            let names = known.iter().flat_map(|image| [image.short_name(), image.repository()]);
            Err(match nearest(name, names) {
                Some(near) => format!("No image is called so. Did you mean {near}?"),
                None if known.is_empty() => "The Baseline lists no images (repositories[].images).".to_owned(),
                None => format!("No image is called so. There are {}.", list(&known)),
            })
        }
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|image| image.repository()).collect();
            Err(format!("Several images end like this; write one of {}.", names.join(", ")))
        }
    }
}

fn list(known: &[ImageRef]) -> String {
    let names: Vec<&str> = known.iter().take(5).map(ImageRef::repository).collect();
    names.join(", ")
}

fn known(baseline: &Baseline, object: &PreviewEnvironment) -> Vec<ImageRef> {
    let listed = baseline.repositories.iter().flat_map(|r| &r.images).map(|rule| rule.image.clone());
    let own = object.spec.images.iter().map(|image| &image.name);
    let own = own.chain(object.status.iter().flat_map(|s| s.images.iter().map(|image| &image.name))).filter_map(|name| name.parse().ok());
    let mut known: Vec<ImageRef> = Vec::new();
    for image in listed.chain(own) {
        if !known.iter().any(|other| other.same_repository(&image)) {
            known.push(image);
        }
    }
    known
}

/// The part of spec that runs that tag, under a field manager for each image.
pub fn part(name: &str, tag: &str) -> Part {
    Part { manager: manager_image(&hash8(&[name])), field: "images", value: json!([{"name": name, "tag": tag}]) }
}
