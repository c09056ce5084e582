//! Many pull requests that seem to have ended at once, and nobody told of it.

use preview_env::api::baseline::{Removals, Removed};
use preview_env::api::environment::SourceState;
use preview_env::forge::PullRequest;
use serde_json::json;

use crate::forge::{Mood, REPOSITORY};
use crate::rounds::{World, at, pull, world};

fn closed(number: i64) -> PullRequest {
    PullRequest { state: SourceState::Closed, updated_at: at("2026-01-02T06:00:00Z"), ..pull(number) }
}

/// A braked world with so many open pull requests, each with its environment.
async fn braked(count: i64) -> World {
    braked_by(&json!({}), count).await
}

/// The same with a Baseline of that trigger.
async fn braked_by(trigger: &serde_json::Value, count: i64) -> World {
    let mut world = world(trigger);
    *world.cluster.brake.lock().unwrap() = Some(Removals::default());
    (1..=count).for_each(|number| world.has(pull(number)));
    world.round().await;
    assert_eq!(open(&world), usize::try_from(count).unwrap());
    world
}

fn open(world: &World) -> usize {
    let environments = world.cluster.environments.lock().unwrap();
    environments.values().filter(|e| e.spec.sources[0].state == SourceState::Open).count()
}

fn held(world: &World) -> Removals {
    world.cluster.brake.lock().unwrap().clone().unwrap()
}

#[tokio::test]
async fn a_forge_that_says_of_everything_that_it_was_closed_ends_nothing() {
    let mut world = braked(50).await;
    (1..=50).for_each(|number| world.has(closed(number)));
    let writes = world.cluster.writes();
    for _ in 0..3 {
        world.round().await;
    }
    assert_eq!((open(&world), held(&world).held.len(), world.cluster.writes()), (50, 50, writes));
    // It comes to its senses, and nothing has to be told.
    (1..=50).for_each(|number| world.has(pull(number)));
    world.round().await;
    assert_eq!((open(&world), held(&world).held.len(), held(&world).held_at), (50, 0, None));
}

#[tokio::test]
async fn what_is_held_goes_once_somebody_confirms_it() {
    let mut world = braked(8).await;
    (1..=6).for_each(|number| world.has(closed(number)));
    world.round().await;
    assert_eq!((open(&world), held(&world).held.len()), (8, 6));
    *world.cluster.confirmed.lock().unwrap() = held(&world).held_at;
    world.round().await;
    assert_eq!((open(&world), held(&world).held.len()), (2, 0));
}

#[tokio::test]
async fn few_ends_go_at_once_and_a_forge_that_is_away_lets_nothing_that_is_held_through() {
    let mut world = braked(8).await;
    (1..=3).for_each(|number| world.has(closed(number)));
    world.round().await;
    assert_eq!(open(&world), 5);
    (4..=5).for_each(|number| world.has(closed(number)));
    world.round().await;
    assert_eq!((open(&world), held(&world).held.len()), (5, 2), "they are more than three within ten minutes");
    for mood in [Mood::Down, Mood::NotFound, Mood::Empty] {
        world.says(mood);
        world.round().await;
        assert_eq!((open(&world), held(&world).held.len()), (5, 2));
    }
}

#[tokio::test]
async fn what_waits_for_a_place_has_nothing_to_lose_and_its_end_is_recorded() {
    let mut world = braked(4).await;
    *world.cluster.waits.lock().unwrap() = true;
    (5..=20).for_each(|number| world.has(pull(number)));
    world.round().await;
    assert_eq!(open(&world), 20);
    (1..=20).for_each(|number| world.has(closed(number)));
    world.round().await;
    assert_eq!((open(&world), held(&world).held.len()), (4, 4), "four of the four that run");
}

#[tokio::test]
async fn a_confirmation_is_good_for_what_was_held_until_then_whatever_was_held_since() {
    let mut world = braked(10).await;
    (1..=5).for_each(|number| world.has(closed(number)));
    world.round().await;
    let copied = held(&world).held_at;
    (6..=7).for_each(|number| world.has(closed(number)));
    world.round().await;
    assert_eq!(held(&world).held.len(), 7);
    *world.cluster.confirmed.lock().unwrap() = copied;
    world.round().await;
    assert_eq!((open(&world), held(&world).held.len()), (5, 2));
}

#[tokio::test]
async fn a_portion_of_what_is_missing_does_not_hide_how_much_it_is() {
    let mut world = braked(300).await;
    (1..=120).for_each(|number| world.has(closed(number)));
    world.round().await;
    assert_eq!((open(&world), held(&world).held.len()), (300, 120), "fifty were asked about, which is less than a fifth");
    // The others turn out to be open.
    (51..=120).for_each(|number| world.has(pull(number)));
    world.round().await;
    assert_eq!((open(&world), held(&world).held.len()), (300, 50));
}

/// What the forge says of all pull requests from one moment to the other, and what undoes it again.
type Twist = (serde_json::Value, fn(PullRequest) -> PullRequest);

/// Each with the trigger that does not want it.
fn twists() -> Vec<(&'static str, Twist)> {
    vec![
        ("base branch", (json!({"baseBranches": ["main"]}), |pull| PullRequest { base_branch: "trunk".into(), ..pull })),
        ("draft", (json!({}), |pull| PullRequest { draft: true, ..pull })),
        ("bot", (json!({}), |pull| PullRequest { bot: true, ..pull })),
    ]
}

fn later(pull: PullRequest) -> PullRequest {
    PullRequest { updated_at: at("2026-01-02T06:00:00Z"), ..pull }
}

/// Of how many environments the fact is as it was.
fn as_made(world: &World) -> usize {
    let environments = world.cluster.environments.lock().unwrap();
    environments.values().filter(|e| e.spec.sources[0].observed_at == pull(1).updated_at).count()
}

#[tokio::test]
async fn what_a_trigger_stops_wanting_by_looking_is_held_where_it_is_much_and_let_go_of_where_it_was_wrong() {
    for (case, (trigger, twist)) in twists() {
        let mut world = braked_by(&trigger, 8).await;
        (1..=6).for_each(|number| world.has(later(twist(pull(number)))));
        let writes = world.cluster.writes();
        for _ in 0..3 {
            world.round().await;
        }
        assert_eq!((as_made(&world), held(&world).held.len(), world.cluster.writes()), (8, 6, writes), "{case}");
        assert!(held(&world).held.iter().all(|held| held.what == Removed::Unwanted), "{case}: nothing was closed");
        (1..=6).for_each(|number| world.has(pull(number)));
        world.round().await;
        assert_eq!((as_made(&world), held(&world).held.len(), held(&world).held_at), (8, 0, None), "{case}");
    }
}

#[tokio::test]
async fn what_a_trigger_stops_wanting_goes_where_it_is_little_or_confirmed_also_while_the_list_is_the_same() {
    for (case, (trigger, twist)) in twists() {
        let mut world = braked_by(&trigger, 8).await;
        world.has(later(twist(pull(1))));
        world.round().await;
        assert_eq!((as_made(&world), held(&world).passed.len()), (7, 1), "{case}");
        (2..=6).for_each(|number| world.has(later(twist(pull(number)))));
        world.has(later(PullRequest { labels: vec!["bug".into()], ..pull(7) }));
        world.round().await;
        assert_eq!((as_made(&world), held(&world).held.len()), (6, 5), "{case}: only what ends is held back");
        *world.cluster.confirmed.lock().unwrap() = held(&world).held_at;
        world.round().await;
        assert_eq!((as_made(&world), held(&world).held.len()), (1, 0), "{case}");
    }
}

#[tokio::test]
async fn closes_and_what_no_trigger_wants_count_together() {
    let mut world = braked_by(&json!({"baseBranches": ["main"]}), 8).await;
    (1..=2).for_each(|number| world.has(closed(number)));
    (3..=4).for_each(|number| world.has(later(PullRequest { base_branch: "trunk".into(), ..pull(number) })));
    world.round().await;
    assert_eq!((as_made(&world), held(&world).held.len()), (8, 4));
}

#[tokio::test]
async fn what_a_person_wished_for_needs_no_trigger_and_is_recorded() {
    let mut world = braked(8).await;
    let wish = json!({"state": "Present", "actor": "ann", "at": "2026-01-02T05:00:00Z"});
    for environment in world.cluster.environments.lock().unwrap().values_mut() {
        environment.spec.wish = Some(serde_json::from_value(wish.clone()).unwrap());
    }
    (1..=6).for_each(|number| world.has(later(PullRequest { draft: true, ..pull(number) })));
    world.round().await;
    assert_eq!((as_made(&world), held(&world)), (2, Removals::default()));
}

#[tokio::test]
async fn a_list_that_is_the_same_is_read_again_where_a_late_delivery_overwrote_what_was_found_in_it() {
    let mut world = braked(0).await;
    world.has(later(PullRequest { draft: true, ..pull(1) }));
    world.round().await;
    assert!(world.cluster.source("web-pr-1").unwrap().draft, "it was never wanted");
    // Of the same second.
    let opened = later(pull(1)).to_source(preview_env::api::baseline::ForgeKind::Github, Some("ann"));
    world.cluster.environments.lock().unwrap().get_mut("web-pr-1").unwrap().spec.sources[0] = opened;
    world.round().await;
    assert!(!world.cluster.source("web-pr-1").unwrap().draft, "nothing says that the list would be another one");
    let before = world.questions();
    world.look_again_at(REPOSITORY + 1).await;
    assert_eq!(world.questions(), before, "another repository is no reason to ask about this one");
    let log = world.log_reads();
    world.look_again_at(REPOSITORY).await;
    assert!(world.cluster.source("web-pr-1").unwrap().draft);
    assert_eq!((world.questions() - before, world.log_reads()), (2, log), "two lists, and nothing of what could not be delivered");
}
