//! Many pull requests that seem to have ended at once, and nobody told of it.

use preview_env::api::baseline::Removals;
use preview_env::api::environment::SourceState;
use preview_env::forge::PullRequest;
use serde_json::json;

use crate::forge::Mood;
use crate::rounds::{World, at, pull, world};

fn closed(number: i64) -> PullRequest {
    PullRequest { state: SourceState::Closed, updated_at: at("2026-01-02T06:00:00Z"), ..pull(number) }
}

/// A braked world with so many open pull requests, each with its environment.
async fn braked(count: i64) -> World {
    let mut world = world(&json!({}));
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
