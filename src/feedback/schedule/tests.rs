use super::*;
use crate::api::baseline::ForgeKind;
use crate::feedback::brake::News;

mod flapping;

fn key() -> PullKey {
    PullKey { forge: ForgeKind::Github, repository_id: 7, number: 42 }
}

fn pull(number: i64) -> PullKey {
    PullKey { number, ..key() }
}

fn account(owner: &str) -> Account {
    owner.into()
}

/// A text, what a reader waits for in it, and news that nobody was told of that text.
fn gist(digest: &str, awaited: &str) -> Gist {
    let news = News { asked: vec![awaited.to_owned()], ..News::default() };
    Gist { digest: digest.to_owned(), awaited: awaited.to_owned(), news }
}

fn landed(outcome: Outcome) -> Landed {
    Landed { memory: Memory::default(), outcome, gist: gist("a", "a"), changes_at: None }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Schedule {
    /// Something about a pull request of the one owner changed.
    fn changes(&mut self, key: PullKey, now: Instant) {
        self.changed(key, account("acme"), now);
    }

    /// Those that are due, all of which matter the same.
    fn all_due(&mut self, now: Instant) -> Vec<PullKey> {
        self.due(now, |_, _| Some(Urgency::News))
    }

    /// A delivery to it that ends at once.
    fn delivers(&mut self, key: &PullKey, outcome: Outcome, now: Instant) {
        assert!(self.start(key, &gist("a", "a"), now).is_some(), "it is not too early");
        self.done(key, landed(outcome), now);
    }
}

/// A schedule whose first delivery ended so, at the moment given with it.
fn after(outcome: Outcome) -> (Schedule, Instant) {
    let (mut schedule, now) = (Schedule::default(), Instant::now());
    schedule.changes(key(), now);
    assert_eq!(schedule.all_due(now), [key()], "the first is due at once");
    schedule.delivers(&key(), outcome, now);
    (schedule, now)
}

#[test]
fn edits_keep_their_distance() {
    let (mut schedule, now) = after(Outcome::Delivered);
    assert_eq!(schedule.next_due(now), None);
    schedule.changes(key(), now);
    assert_eq!(schedule.next_due(now), Some(now + PACE));
    schedule.changes(key(), now + DEBOUNCE);
    assert_eq!(schedule.next_due(now), Some(now + PACE), "later changes do not put it off");
}

#[test]
fn what_changes_in_flight_is_looked_at_after() {
    let (mut schedule, now) = after(Outcome::Delivered);
    schedule.changes(key(), now);
    assert!(schedule.start(&key(), &gist("b", "b"), now + PACE).is_some());
    schedule.changes(key(), now + PACE);
    assert!(schedule.all_due(now + BACKOFF_MAX).is_empty(), "one delivery at a time");
    schedule.done(&key(), landed(Outcome::Delivered), now + PACE);
    assert_eq!(schedule.next_due(now + PACE), Some(now + PACE + PACE));
}

#[test]
fn failures_wait_longer_each_time_and_changes_do_not_hurry_them() {
    let (mut schedule, mut now) = after(Outcome::Retry(None));
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        schedule.changes(key(), now);
        assert_eq!(schedule.next_due(now), Some(now + seconds(wait)));
        now += seconds(wait);
        schedule.delivers(&key(), Outcome::Retry(None), now);
    }
}

#[test]
fn the_forge_is_left_alone_as_long_as_it_asks() {
    let (mut schedule, now) = after(Outcome::Retry(Some(seconds(900))));
    schedule.changes(pull(43), now);
    assert_eq!(schedule.next_due(now), Some(now + seconds(900)), "by all of that account");
    assert!(schedule.all_due(now).is_empty());
}

#[test]
fn whoever_had_its_share_waits_alone() {
    let (mut schedule, now) = after(Outcome::Enough(seconds(900)));
    schedule.changes(key(), now);
    assert_eq!(schedule.next_due(now), Some(now + seconds(900)), "whatever changes");
    schedule.changes(pull(43), now);
    assert_eq!((schedule.next_due(now), schedule.all_due(now)), (Some(now), vec![pull(43)]));
    assert!(!schedule.is_thrifty(&pull(43), now), "the account is short of nothing");
}

#[test]
fn another_account_goes_on_while_one_has_to_wait() {
    let (mut schedule, now) = after(Outcome::Retry(Some(seconds(900))));
    schedule.changed(pull(43), account("other"), now);
    assert_eq!((schedule.next_due(now), schedule.all_due(now)), (Some(now), vec![pull(43)]));
    assert!(schedule.is_thrifty(&key(), now) && !schedule.is_thrifty(&pull(43), now));
}

#[test]
fn an_account_takes_no_more_than_its_own_flights() {
    let (mut schedule, now) = (Schedule::default(), Instant::now());
    (1..=9).for_each(|number| schedule.changes(pull(number), now));
    schedule.changed(pull(10), account("other"), now);
    for number in 1..=4 {
        assert!(schedule.has_room(&pull(number), now));
        assert!(schedule.start(&pull(number), &gist("a", "a"), now).is_some());
    }
    assert!(!schedule.has_room(&pull(5), now) && schedule.has_room(&pull(10), now));
    assert_eq!(schedule.all_due(now), [pull(10)]);
    assert!(schedule.start(&pull(10), &gist("a", "a"), now).is_some());
    assert_eq!(schedule.next_due(now), None, "until one of them lands");
    schedule.done(&pull(1), landed(Outcome::Delivered), now);
    assert_eq!(schedule.next_due(now), Some(now));
    schedule.done(&pull(2), landed(Outcome::Retry(Some(seconds(1)))), now);
    assert!(!schedule.has_room(&pull(5), now), "two at a time where the forge takes less than there is to say");
    schedule.done(&pull(3), landed(Outcome::Delivered), now);
    assert!(schedule.has_room(&pull(5), now));
}

#[test]
fn the_next_ones_turn_is_the_shortest_wait_that_was_asked_for() {
    let (mut schedule, now) = (Schedule::default(), Instant::now());
    let both = [(key(), 9), (pull(43), 3)];
    for (key, _) in &both {
        schedule.changes(key.clone(), now);
        assert!(schedule.start(key, &gist("a", "a"), now).is_some());
    }
    for (key, asked) in &both {
        schedule.done(key, landed(Outcome::Retry(Some(seconds(*asked)))), now);
    }
    assert_eq!(schedule.next_due(now), Some(now + seconds(3)));
    assert_eq!(schedule.all_due(now + seconds(3)), [pull(43)], "the first keeps its own wait");
}

#[test]
fn where_writes_are_short_what_matters_most_goes_first() {
    let (mut schedule, now) = after(Outcome::Retry(Some(seconds(1))));
    let urgencies = [
        (1, Some(Urgency::Beside)),
        (2, Some(Urgency::Passing)),
        (3, Some(Urgency::News)),
        (4, Some(Urgency::First)),
        (5, None),
        (6, Some(Urgency::News)),
    ];
    for (number, _) in urgencies {
        schedule.changes(pull(number), now);
    }
    let weigh = |key: &PullKey, _: &Memory| {
        let of = urgencies.iter().find(|(number, _)| *number == key.number);
        of.map_or(Some(Urgency::News), |(_, urgency)| *urgency)
    };
    let later = now + seconds(1);
    let order: Vec<_> = schedule.due(later, weigh).into_iter().map(|key| key.number).collect();
    assert_eq!(order, [42, 5, 4, 3, 6, 1], "who was told to come now, what is nothing, the first word, news, and the rest");
    schedule.rest(&pull(5), None);
    schedule.changed(pull(9), account("other"), now);
    let again = schedule.due(later, |key, _| panic!("{key:?} was weighed, or needs not be"));
    let again: Vec<_> = again.into_iter().map(|key| key.number).collect();
    assert_eq!(again, [9, 42, 4, 3, 6, 1], "those whose account has writes to spare come as they are due");
}

#[test]
fn what_passes_waits_until_there_is_room_again() {
    let (mut schedule, now) = after(Outcome::Retry(Some(seconds(1))));
    schedule.changes(pull(2), now);
    let passing = |key: &PullKey, _: &Memory| Some(if key.number == 2 { Urgency::Passing } else { Urgency::News });
    assert_eq!(schedule.due(now + seconds(1), passing), [key()]);
    schedule.delivers(&key(), Outcome::Delivered, now + seconds(1));
    assert_eq!(schedule.next_due(now + seconds(1)), Some(now + seconds(61)), "a minute after nobody was asked to wait any more");
    assert_eq!(schedule.all_due(now + seconds(61)), [pull(2)]);
    schedule.changes(pull(2), now + seconds(2));
    assert_eq!(schedule.all_due(now + seconds(3)), [pull(2)], "unless it is something else before");
}

#[test]
fn what_nobody_waits_for_is_told_later() {
    let (mut schedule, now) = after(Outcome::Delivered);
    schedule.changes(key(), now);
    assert!(schedule.start(&key(), &gist("b", "a"), now + PACE).is_none(), "a count moved");
    assert_eq!(schedule.next_due(now), Some(now + CALM));
    assert!(schedule.start(&key(), &gist("c", "c"), now + PACE).is_some(), "the state did");
    schedule.done(&key(), landed(Outcome::Delivered), now + PACE);
    schedule.changes(key(), now + PACE);
    assert!(schedule.start(&key(), &gist("d", "a"), now + PACE + CALM).is_some());
}

#[test]
fn what_changes_by_itself_is_looked_at_then() {
    let (mut schedule, now) = after(Outcome::Delivered);
    let later = now + seconds(3_600);
    schedule.changes(key(), now);
    assert!(schedule.start(&key(), &gist("b", "b"), now + PACE).is_some());
    schedule.done(&key(), Landed { changes_at: Some(later), ..landed(Outcome::Delivered) }, now + PACE);
    assert_eq!(schedule.next_due(now), Some(later));
    schedule.rest(&key(), None);
    assert_eq!(schedule.next_due(now), None);
}

#[test]
fn a_refused_text_waits_and_another_one_does_not() {
    let (mut schedule, now) = after(Outcome::Refused);
    schedule.changes(key(), now);
    assert_eq!(schedule.next_due(now), Some(now + PACE));
    assert!(schedule.start(&key(), &gist("a", "b"), now + PACE).is_none());
    assert_eq!(schedule.next_due(now), Some(now + REFUSED_WAIT));
    assert!(schedule.start(&key(), &gist("b", "b"), now + PACE).is_some());
}

#[test]
fn what_could_not_be_told_is_tried_again_and_not_held_back() {
    let (mut schedule, mut now) = after(Outcome::Delivered);
    let told = |digest: &str| Gist { digest: digest.to_owned(), awaited: digest.to_owned(), ..gist("a", "a") };
    for digest in ["b", "a", "b", "a", "b"] {
        now += PACE;
        assert!(schedule.start(&key(), &told(digest), now).is_some(), "{digest}");
        schedule.done(&key(), Landed { gist: told(digest), ..landed(Outcome::Delivered) }, now);
    }
    assert!(schedule.start(&key(), &told("a"), now + PACE).is_none(), "six of them within ten minutes");
    let opens = now + seconds(60);
    assert_eq!(schedule.next_due(now), Some(opens));
    assert!(schedule.start(&key(), &told("a"), opens).is_some());
    schedule.done(&key(), Landed { gist: told("a"), ..landed(Outcome::Retry(None)) }, opens);
    assert_eq!(schedule.next_due(opens), Some(opens + BACKOFF));
    assert!(schedule.start(&key(), &told("a"), opens + BACKOFF).is_some(), "the same again");
}

#[test]
fn what_is_gone_is_forgotten_but_not_in_flight() {
    let (mut schedule, now) = (Schedule::default(), Instant::now());
    for number in [1, 2] {
        schedule.changes(pull(number), now);
    }
    assert!(schedule.start(&pull(1), &gist("a", "a"), now).is_some());
    schedule.retain(|_| false);
    assert_eq!(schedule.len(), 1);
    schedule.done(&pull(1), landed(Outcome::Retry(Some(seconds(9)))), now);
    schedule.changes(pull(3), now);
    assert!(schedule.all_due(now).is_empty(), "its account is known as long as it is");
}
