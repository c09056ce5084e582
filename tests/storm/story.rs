//! The storm: 500 pull requests within five minutes, half of them pushed to again, a tenth with a command, one that changes all the
//! time, and all of them merged in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{sleep, sleep_until};

use crate::cluster::State;
use crate::figures::Writes;
use crate::world::{As, REPOSITORY, World};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
/// Within that time everybody is told that the last commit is ready: docs/pull-request.md says it.
const TOLD_WITHIN: Duration = HOUR;
/// The one whose service goes up and down for three hours.
const CHATTY: u64 = 25;

/// What happens to a pull request.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Happening {
    Opened,
    Pushed,
    Commanded,
    Became(State),
}

/// What happens when, in that order.
type Story = Vec<(Duration, u64, Happening)>;

/// From the push to the first answer, as on a fast cluster.
fn rollout(story: &mut Story, number: u64, from: Duration) {
    for (milliseconds, state) in
        [(300, State::Starting(0)), (2_000, State::Starting(1)), (3_000, State::Starting(2)), (4_000, State::Up), (6_000, State::Ready)]
    {
        story.push((from + Duration::from_millis(milliseconds), number, Happening::Became(state)));
    }
}

fn story(pulls: u64) -> Story {
    let mut story = Story::new();
    for number in 1..=pulls {
        let place = u32::try_from(number).unwrap();
        let opened = place * SECOND * 6 / 10;
        story.push((opened, number, Happening::Opened));
        story.push((opened + SECOND / 20, number, Happening::Became(State::Prepared)));
        rollout(&mut story, number, opened);
        if number % 2 == 0 {
            let pushed = opened + 5 * 60 * SECOND + (place % 60) * 60 * SECOND;
            story.push((pushed, number, Happening::Pushed));
            rollout(&mut story, number, pushed);
        }
        match number % 20 {
            3 => story.push((opened + 12 * 60 * SECOND, number, Happening::Commanded)),
            // When there are writes to spare again.
            13 => story.push((opened + 6 * HOUR, number, Happening::Commanded)),
            _ => {}
        }
        let merged = 8 * HOUR + place * SECOND * 15;
        story.push((merged, number, Happening::Became(State::Removing)));
        story.push((merged + 10 * SECOND, number, Happening::Became(State::Removed)));
    }
    for turn in 0..270 {
        let at = 20 * 60 * SECOND + turn * 40 * SECOND;
        story.push((at, CHATTY, Happening::Became(State::Degraded)));
        story.push((at + 20 * SECOND, CHATTY, Happening::Became(State::Ready)));
    }
    story.sort();
    story
}

async fn play(world: &World, story: &[(Duration, u64, Happening)]) {
    for (at, number, happening) in story {
        sleep_until(world.began + *at).await;
        match happening {
            Happening::Opened => assert_eq!(world.open(), *number),
            Happening::Pushed => world.push(*number),
            Happening::Commanded => world.command(*number),
            Happening::Became(state) => world.cluster.becomes(*number, *state),
        }
    }
}

async fn weather(who: As, pulls: u64) {
    let (world, story) = (World::new(who), story(pulls));
    let (before, after) = story.split_at(story.partition_point(|(at, ..)| *at < 8 * HOUR));
    play(&world, before).await;
    sleep_until(world.began + 8 * HOUR - SECOND).await;
    let (pushes, writes) = (count(before, &[Happening::Opened, Happening::Pushed]), Writes::of(&world.double));
    let commands = count(before, &[Happening::Commanded]);
    println!("{who:?}: {pushes} pushes and {commands} commands, {writes:?} before the merges: {}", each(writes, pushes));
    // Half of the commands are given while all writes of the hour are taken, and a sign is not asked for again.
    assert!((commands..=2 * commands).contains(&writes.reactions), "{writes:?} for {commands} commands");
    assert!(10 * writes.comments <= 11 * (pushes + commands), "{writes:?} for {pushes} pushes and {commands} commands");
    assert!(10 * writes.all() <= 32 * (pushes + commands), "{writes:?} for {pushes} pushes and {commands} commands");
    nobody_waits_long(&world, before);
    play(&world, after).await;
    the_end_is_told(&world, pulls).await;
    let all = Writes::of(&world.double);
    // A push, a command and a merge are what somebody did: each is worth no more. A push alone has what follows it until the merge.
    let done = pushes + commands + usize::try_from(pulls).unwrap();
    println!("{who:?}: {all:?} in all, {} h", world.began.elapsed().as_secs() / 3_600);
    println!("{who:?}: of pushes alone {}; of pushes, commands and merges {}", each(all, pushes), each(all, done));
    assert!(2 * all.comments <= 3 * done && all.all() <= 5 * done, "{all:?} for {done} pushes, commands and merges");
    assert_eq!(world.double.contract_violations(), []);
    assert_eq!(world.double.limit_violations(), []);
}

fn count(story: &[(Duration, u64, Happening)], which: &[Happening]) -> usize {
    story.iter().filter(|(.., happening)| which.contains(happening)).count()
}

/// How many writes there are for each of so many.
fn each(writes: Writes, of: usize) -> String {
    let hundredths = |count: usize| format!("{}.{:02}", count / of, count * 100 / of % 100);
    format!("{} comment writes and {} writes in all for each", hundredths(writes.comments), hundredths(writes.all()))
}

/// Every pull request has one comment, of its end, and nothing else is left.
async fn the_end_is_told(world: &World, pulls: u64) {
    while !world.cluster.unfinished().is_empty() {
        assert!(world.began.elapsed() < 24 * HOUR, "not told: {:?}", world.cluster.unfinished());
        sleep(60 * SECOND).await;
    }
    for number in 1..=pulls {
        let comments = world.words(number);
        let [comment] = comments.as_slice() else { panic!("{number} has {} comments", comments.len()) };
        assert!(comment.contains("the pull request was merged"), "{number}: {comment}");
    }
    assert_eq!(world.double.repository(REPOSITORY).unwrap().records.deployments.len(), 0);
}

/// An hour's writes are enough for one to each pull request. Every one of them is told within that time that its last commit
/// is ready, whatever the chatty one does.
fn nobody_waits_long(world: &World, story: &[(Duration, u64, Happening)]) {
    let told = world.told.lock().unwrap();
    let last: BTreeMap<_, _> = story
        .iter()
        .filter(|(_, _, happening)| *happening == Happening::Became(State::Ready))
        .map(|(at, number, _)| (*number, *at))
        .collect();
    let mut longest = Duration::ZERO;
    for (number, at) in last.into_iter().filter(|(number, _)| *number != CHATTY) {
        let told = told.get(&(number, world.head(number))).unwrap_or_else(|| panic!("{number} is never told"));
        longest = longest.max(told.saturating_sub(at));
    }
    println!("the longest wait is {} min", longest.as_secs() / 60);
    assert!(longest <= TOLD_WITHIN, "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_500_keeps_within_the_limits_and_tells_everybody() {
    weather(As::Account, 500).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_storm_as_an_app_with_check_runs() {
    weather(As::App, 500).await;
}

/// Most deliveries within an hour that tell what was told before.
const TOLD_AGAIN: usize = 32;

#[tokio::test(start_paused = true)]
async fn a_pull_request_that_flaps_is_told_of_now_and_then_and_its_pushes_at_once() {
    let world = World::new(As::App);
    let mut story = vec![(Duration::ZERO, 1, Happening::Opened), (SECOND / 20, 1, Happening::Became(State::Prepared))];
    rollout(&mut story, 1, Duration::ZERO);
    for turn in 0..180 {
        let at = 60 * SECOND + turn * 40 * SECOND;
        story.push((at, 1, Happening::Became(State::Degraded)));
        story.push((at + 20 * SECOND, 1, Happening::Became(State::Ready)));
    }
    play(&world, &story[..180]).await;
    let first = Writes::of(&world.double);
    play(&world, &story[180..]).await;
    let both = Writes::of(&world.double);
    println!("it flapped 90 times an hour: {first:?} in the first hour, {both:?} in two");
    for comments in [first.comments, both.comments - first.comments] {
        assert!(comments <= TOLD_AGAIN, "{first:?} {both:?}");
    }
    assert!(both.all() <= 3 * 2 * TOLD_AGAIN, "what stands beside it waits as well: {both:?}");

    world.push(1);
    sleep(5 * SECOND).await;
    let comment = || world.double.comments(REPOSITORY, 1)[0].body.clone();
    assert!(comment().contains(&format!("Updating the preview to `{}`", &world.head(1)[..7])), "{}", comment());
    world.cluster.becomes(1, State::Ready);
    world.cluster.becomes(1, State::Degraded);
    sleep(5 * 60 * SECOND).await;
    assert!(comment().contains("is not ready"), "{}", comment());
    assert_eq!(world.double.limit_violations(), []);
}
