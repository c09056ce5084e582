//! What a status says of the images that are not there. No client, no clock, no logging.

use chrono::{DateTime, Utc};

use super::status::Progress;
use crate::api::PreviewEnvironmentStatus;
use crate::api::conditions::{ConditionStatus, IMAGES_AVAILABLE, Observation};
use crate::api::status::{ImageState, ImageStatus};

/// As many images are named in one sentence.
const NAMED: usize = 3;

/// The condition `ImagesAvailable`. Without images that differ from the baseline's there is none.
pub fn observation(images: &[ImageStatus]) -> Option<Observation> {
    let of = |states: &[ImageState]| images.iter().filter(|i| states.contains(&i.state)).collect::<Vec<_>>();
    let (missing, unknown) = (of(&[ImageState::Missing]), of(&[ImageState::Unknown, ImageState::Looking]));
    let (status, named) = match (missing.as_slice(), unknown.as_slice()) {
        ([], []) => (ConditionStatus::True, of(&[ImageState::Available, ImageState::Unchanged])),
        ([], _) => (ConditionStatus::Unknown, unknown),
        _ => (ConditionStatus::False, missing),
    };
    let first = named.iter().find(|i| i.reason == "OtherPlatform").or(named.first())?;
    Some(Observation::new(IMAGES_AVAILABLE, status, known_reason(&first.reason), sentences(&named)))
}

fn sentences(images: &[&ImageStatus]) -> String {
    let messages: Vec<&str> = images.iter().map(|i| i.message.as_str()).filter(|m| !m.is_empty()).take(NAMED).collect();
    let more = images.len().saturating_sub(NAMED);
    let more = if more > 0 && messages.len() == NAMED { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", messages.join(". "))
}

/// A reason as it was recorded.
fn known_reason(recorded: &str) -> &'static str {
    const REASONS: [&str; 12] = [
        "Found",
        "Unchanged",
        "OtherPlatform",
        "NotFound",
        "OtherRevision",
        "BaselineInstead",
        "GaveUp",
        "Looking",
        "RegistryNotAllowed",
        "RegistryRefuses",
        "RegistryUnreachable",
        "RegistryFails",
    ];
    REASONS.into_iter().find(|reason| *reason == recorded).unwrap_or("Found")
}

/// How far we came, where everything is applied but what waits for its image.
pub fn progress(progress: Progress, status: &PreviewEnvironmentStatus) -> Progress {
    let missing = || status.images.iter().filter(|i| i.state == ImageState::Missing && i.reason != "BaselineInstead");
    match (progress, missing().find(|i| i.reason == "GaveUp").or(missing().next())) {
        (Progress::Applied, Some(image)) if image.reason == "GaveUp" => Progress::Stalled("ImageMissing", image.message.clone()),
        (Progress::Applied, Some(image)) => Progress::Waiting("ImageMissing", image.message.clone()),
        (progress, _) => progress,
    }
}

/// When the next missing image is waited for no longer.
pub fn next_end(images: &[ImageStatus], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    images.iter().filter(|i| i.state == ImageState::Missing).filter_map(|i| i.until).filter(|until| *until > now).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(state: ImageState, reason: &str, message: &str) -> ImageStatus {
        ImageStatus {
            name: "acme/web".into(),
            tag: "1".into(),
            revision: None,
            state,
            reason: reason.into(),
            message: message.into(),
            digest: None,
            since: DateTime::UNIX_EPOCH,
            until: None,
        }
    }

    #[test]
    fn what_is_missing_stands_before_what_is_unknown() {
        let found = image(ImageState::Available, "Found", "");
        let refused = image(ImageState::Unknown, "RegistryRefuses", "no");
        let missing = image(ImageState::Missing, "NotFound", "not there");
        let said = |images: &[&ImageStatus]| {
            let images: Vec<_> = images.iter().map(|i| (*i).clone()).collect();
            observation(&images).map(|o| (o.status, o.reason, o.message))
        };
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[&found]), Some((ConditionStatus::True, "Found", String::new())));
        assert_eq!(said(&[&found, &refused]), Some((ConditionStatus::Unknown, "RegistryRefuses", "no".into())));
        assert_eq!(said(&[&refused, &missing]), Some((ConditionStatus::False, "NotFound", "not there".into())));
    }

    #[test]
    fn only_what_is_complete_but_for_an_image_waits_for_it() {
        let with = |reason: &str| PreviewEnvironmentStatus { images: vec![image(ImageState::Missing, reason, "m")], ..Default::default() };
        assert_eq!(progress(Progress::Applied, &with("NotFound")), Progress::Waiting("ImageMissing", "m".into()));
        assert_eq!(progress(Progress::Applied, &with("GaveUp")), Progress::Stalled("ImageMissing", "m".into()));
        assert_eq!(progress(Progress::Applied, &with("BaselineInstead")), Progress::Applied);
        assert_eq!(progress(Progress::Removed, &with("NotFound")), Progress::Removed);
    }
}
