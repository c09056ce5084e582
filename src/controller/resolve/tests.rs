use super::*;
use crate::api;
use crate::registry::Unknown;
use serde_json::{Value, json};
use std::time::Duration;

fn revision() -> String {
    "3f9c2ab0".repeat(5)
}

fn worlds(images: &Value, repository: &str) -> (Environment, Baseline) {
    let spec = json!({"baseline": "shop", "images": images, "sources": [{
        "forge": "github", "repositoryId": 7, "repository": repository, "pull": 42, "state": "Open",
        "revision": revision(), "observedAt": "2026-01-01T00:00:00Z", "headRepositoryId": 7}]});
    let mut object = api::PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some("shop".into());
    object.metadata.uid = Some("u-1".into());
    let spec = json!({"repositories": [{"name": "acme/web", "images": [
        {"name": "acme/web", "tag": "pr-{{ pull }}-{{ revision_short }}", "revisionLabel": true}, {"name": "acme/bff"}]}]});
    let mut baseline = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
    baseline.metadata.namespace = Some("shop".into());
    (Environment::try_from(&object).unwrap(), Baseline::try_from(&baseline).unwrap())
}

fn swaps(images: &Value, repository: &str) -> Vec<String> {
    let (environment, baseline) = worlds(images, repository);
    let resolved = resolve(&environment, &baseline, &[]).unwrap();
    resolved.swaps.iter().map(|s| s.repository.with_tag(&s.tag).to_string()).collect()
}

#[test]
fn every_image_of_the_repository_gets_the_tag_of_the_revision() {
    assert_eq!(swaps(&json!([]), "Acme/Web"), ["acme/web:pr-42-3f9c2ab", &format!("acme/bff:{}", revision())]);
}

#[test]
fn what_stays_although_its_pull_request_was_closed_runs_what_it_ran() {
    let (mut environment, baseline) = worlds(&json!([]), "acme/web");
    let open = wanted(&environment, &baseline).unwrap();
    environment.sources[0].state = SourceState::Closed;
    assert_eq!(wanted(&environment, &baseline).unwrap(), open);
    // With another one that is open, one that was closed counts no more.
    let other = crate::domain::environment::Source {
        state: SourceState::Open,
        repository: "acme/api".parse().unwrap(),
        ..environment.sources[0].clone()
    };
    environment.sources.push(other);
    assert!(wanted(&environment, &baseline).unwrap().is_empty());
}

#[test]
fn an_override_stands_before_the_rule() {
    assert_eq!(swaps(&json!([{"name": "acme/web", "tag": "mine"}]), "acme/web")[0], "acme/web:mine");
}

#[test]
fn another_repository_changes_nothing() {
    assert!(swaps(&json!([]), "acme/api").is_empty());
}

/// What follows for `acme/web` from a record and an answer, so many minutes after midnight.
fn after(recorded: &[ImageStatus], answer: Option<Answer>, (minutes, missing): (i64, MissingImage)) -> Resolution {
    let (environment, baseline) = worlds(&json!([]), "acme/web");
    let wanted = wanted(&environment, &baseline).unwrap();
    let policy = ImagePolicy { wait: Duration::from_secs(1800), missing };
    let now = DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
    let known = Known { recorded, policy, nodes: vec!["linux/amd64".into()], now };
    let news = answer.map(News::Answered);
    resolution(&wanted[..1], &known, |_| news.clone())
}

fn found(revision: &str) -> Answer {
    Answer::Found(Found { digest: "sha256:ab".into(), platforms: vec![], revisions: vec![revision.into()] })
}

const WAIT: (i64, MissingImage) = (0, MissingImage::Wait);

#[test]
fn what_is_found_runs_by_its_digest_and_is_asked_for_no_more() {
    let there = after(&[], Some(found(&revision())), WAIT);
    assert_eq!(there.images.swaps[0].digest.as_deref(), Some("sha256:ab"));
    assert!(is_settled(&there.record[0]));
    let later = after(&there.record, Some(Answer::Absent), (100, MissingImage::Fail));
    assert_eq!(later, there, "what was found stays, whatever the tag points to later");
}

#[test]
fn an_image_for_other_nodes_runs_and_is_said() {
    let of = |platforms: &[&str]| {
        let platforms = platforms.iter().map(|&p| p.to_owned()).collect();
        let found = Found { digest: "sha256:ab".into(), platforms, revisions: vec![revision()] };
        after(&[], Some(Answer::Found(found)), WAIT).record.remove(0)
    };
    let other = of(&["linux/arm64", "linux/s390x"]);
    assert_eq!((other.state, other.reason.as_str()), (ImageState::Available, "OtherPlatform"));
    assert_eq!(other.message, "acme/web:pr-42-3f9c2ab is for linux/arm64, linux/s390x, and the nodes are linux/amd64");
    assert_eq!([of(&["linux/arm64", "linux/amd64"]).reason, of(&[]).reason], ["Found", "Found"]);
}

#[test]
fn a_build_of_another_commit_is_not_there_yet() {
    let stale = after(&[], Some(found("1111111aaaa")), WAIT);
    assert!(stale.images.swaps[0].awaited);
    assert_eq!(stale.record[0].message, "acme/web:pr-42-3f9c2ab is still the build of 1111111; it is waited for until 1 Jan, 00:30 UTC");
    assert_eq!(after(&stale.record, Some(found("3f9c2ab")), WAIT).record[0].reason, "Found", "a shortened commit is the same");
    let bare = after(&[], Some(Answer::Found(Found::default())), WAIT);
    assert!(bare.record[0].message.contains("names no commit"), "{}", bare.record[0].message);
}

#[test]
fn what_runs_of_an_approved_fork_is_of_exactly_the_commit_that_was_approved() {
    let (mut environment, baseline) = worlds(&json!([]), "acme/web");
    environment.sources[0].foreign = true;
    let wanted = wanted(&environment, &baseline).unwrap();
    let policy = ImagePolicy { wait: Duration::from_secs(1800), missing: MissingImage::Wait };
    let known = Known { recorded: &[], policy, nodes: vec![], now: DateTime::UNIX_EPOCH };
    let of = |at: usize, answer: Answer| {
        let news = News::Answered(answer);
        let resolution = resolution(&wanted[at..=at], &known, |_| Some(news.clone()));
        (resolution.record[0].reason.clone(), resolution.images.swaps[0].awaited, resolution.record[0].message.clone())
    };
    // Seven digits are cheap to make, and another commit with them can have been built before.
    for (answer, reason, awaited) in [
        (found(&revision()), "Found", false),
        (found("3f9c2ab"), "OtherRevision", true),
        (found(&format!("3f9c2ab{}", "1".repeat(33))), "OtherRevision", true),
        (Answer::Found(Found::default()), "OtherRevision", true),
        (Answer::Unknown(Unknown::Refused("it answers 403".into())), "OtherRevision", true),
    ] {
        let (why, waits, message) = of(0, answer);
        assert_eq!((why.as_str(), waits), (reason, awaited), "{message}");
        assert_eq!(message.contains("does not name the approved commit whole"), awaited, "{message}");
    }
    let (whole, other) = (of(1, Answer::Found(Found::default())), of(1, Answer::Unknown(Unknown::Refused("it answers 403".into()))));
    assert_eq!((whole.0.as_str(), whole.1, other.1), ("Found", false, false), "a tag that names the whole commit says enough");
}

#[test]
fn a_missing_image_is_waited_for_and_then_as_the_baseline_says() {
    let missed = after(&[], Some(Answer::Absent), WAIT);
    assert!(missed.images.swaps[0].awaited);
    assert_eq!(missed.record[0].message, "acme/web:pr-42-3f9c2ab is not in the registry yet; it is waited for until 1 Jan, 00:30 UTC");
    let at_29 = after(&missed.record, None, (29, MissingImage::UseBaseline));
    assert_eq!(at_29, missed, "nothing new is nothing to write");
    let reason = |missing| after(&missed.record, Some(Answer::Absent), (30, missing)).record[0].reason.clone();
    assert_eq!([MissingImage::Wait, MissingImage::UseBaseline, MissingImage::Fail].map(reason), ["NotFound", "BaselineInstead", "GaveUp"]);
    let instead = after(&missed.record, None, (31, MissingImage::UseBaseline));
    assert!(instead.images.swaps.is_empty(), "the baseline's image stays");
    let came = after(&instead.record, Some(found(&revision())), (40, MissingImage::UseBaseline));
    assert_eq!(came.record[0].reason, "Found", "it is never too late");
    let still = after(&instead.record, None, (50, MissingImage::UseBaseline));
    assert_eq!(still, instead);
    let changed = after(&instead.record, None, (50, MissingImage::Wait));
    assert_eq!(changed.record[0].reason, "NotFound", "another policy counts at once");
}

#[test]
fn what_nobody_can_say_runs_by_its_tag_unless_it_was_missing() {
    let refused = || Some(Answer::Unknown(Unknown::Refused("r does not show it".into())));
    let unknown = after(&[], refused(), WAIT);
    let swap = &unknown.images.swaps[0];
    assert_eq!((swap.digest.as_deref(), swap.awaited, unknown.record[0].reason.as_str()), (None, false, "RegistryRefuses"));
    let missed = after(&[], Some(Answer::Absent), WAIT);
    assert_eq!(after(&missed.record, refused(), WAIT), missed);
}

#[test]
fn an_image_that_the_change_does_not_touch_is_the_baseline_s() {
    let (environment, mut baseline) = worlds(&json!([]), "acme/web");
    assert_eq!(wanted(&environment, &baseline).unwrap()[0].built_from, None, "without paths everything counts");
    baseline.repositories[0].images[0].paths = vec!["services/web/**".parse().unwrap()];
    let wanted = wanted(&environment, &baseline).unwrap();
    let (_, change) = wanted[0].built_from.as_ref().unwrap();
    assert_eq!((change.repository.as_str(), change.pull, change.revision.as_str()), ("acme/web", 42, revision().as_str()));
    let known = Known { recorded: &[], policy: ImagePolicy::default(), nodes: vec![], now: DateTime::UNIX_EPOCH };
    let unchanged = resolution(&wanted[..1], &known, |_| Some(News::Unchanged));
    assert!(unchanged.images.swaps.is_empty() && is_settled(&unchanged.record[0]));
    let mut pinned = unchanged.clone();
    pinned.pin(&wanted[..1], |_| Some("sha256:cd".into()));
    let image: ImageRef = "acme/web:1.8".parse().unwrap();
    assert_eq!(pinned.images.swaps[0].instead_of(&image).to_string(), "acme/web:1.8@sha256:cd");
    let known = Known { recorded: &pinned.record, ..known };
    assert_eq!(resolution(&wanted[..1], &known, |_| None), pinned, "what is recorded stays so");
    assert_eq!(unchanged.record[0].message, "the change touches nothing that acme/web is built from");
}

#[test]
fn before_an_answer_the_workload_is_held_back() {
    let looking = after(&[], None, WAIT);
    assert!(looking.images.swaps[0].awaited);
    assert_eq!(after(&looking.record, None, (5, MissingImage::Fail)), looking);
}
