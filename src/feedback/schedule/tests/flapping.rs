//! One pull request whose states come and go: how often it is told, and how soon.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Longest time that a state that was told before is held back: the longest pause, and what every edit waits.
const LONGEST: Duration = Duration::from_secs(302);
/// Longest time that something new is held back.
const SOON: Duration = Duration::from_secs(4);
/// Deliveries within an hour, and within ten minutes, that tell nothing new.
const BOUNDS: [(usize, Duration); 2] = [(32, Duration::from_secs(3_600)), (16, Duration::from_secs(600))];

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// It becomes one of these states.
    State(usize),
    /// So many services are up.
    Count(u8),
    /// Somebody pushes, or commands something.
    Asked,
}

/// One pull request as people and the forge see it.
struct Pull {
    schedule: Schedule,
    now: Instant,
    pushes: usize,
    state: usize,
    count: u8,
    /// What is shown.
    shown: Option<Gist>,
    /// When what is not shown became so, and when the last push or command did.
    since: Instant,
    asked_at: Instant,
    /// What the deliveries began with, and whether it was new.
    told: Vec<(Instant, bool)>,
    known: News,
}

impl Pull {
    fn new() -> Self {
        let (schedule, now) = (Schedule::default(), Instant::now());
        let (shown, told, known) = (None, Vec::new(), News::default());
        let mut pull = Self { schedule, now, pushes: 0, state: 0, count: 0, shown, since: now, asked_at: now, told, known };
        pull.schedule.changes(key(), now);
        pull
    }

    fn gist(&self) -> Gist {
        let state = format!("state {}", self.state);
        let news = News { asked: vec![format!("push {}", self.pushes)], came: [state.clone()].into() };
        Gist { digest: format!("{state} {} {}", self.pushes, self.count), awaited: format!("{state} {}", self.pushes), news }
    }

    fn happens(&mut self, next: Next) {
        let before = self.gist();
        match next {
            Next::State(state) => self.state = state,
            Next::Count(count) => self.count = count,
            Next::Asked => (self.pushes, self.asked_at) = (self.pushes + 1, self.now),
        }
        if self.gist() != before && self.shown.as_ref() == Some(&before) {
            self.since = self.now;
        }
        self.schedule.changes(key(), self.now);
    }

    /// Time goes on until then, and what is due is delivered.
    fn goes_on_until(&mut self, until: Instant) {
        while let Some(due) = self.schedule.next_due(self.now).filter(|due| *due <= until) {
            self.now = self.now.max(due);
            let gist = self.gist();
            if self.shown.as_ref() == Some(&gist) {
                self.schedule.rest(&key(), None);
            } else if self.schedule.start(&key(), &gist, self.now).is_some() {
                self.is_told(gist);
            }
        }
        self.now = until;
    }

    fn is_told(&mut self, gist: Gist) {
        let is_new = self.known.asked != gist.news.asked || !gist.news.came.is_subset(&self.known.came);
        if self.known.asked == gist.news.asked {
            self.known.came.extend(gist.news.came.clone());
        } else {
            self.known = gist.news.clone();
        }
        self.told.push((self.now, is_new));
        self.shown = Some(gist.clone());
        self.schedule.done(&key(), Landed { gist, ..landed(Outcome::Delivered) }, self.now);
    }

    fn is_shown(&self) -> bool {
        self.shown.as_ref() == Some(&self.gist())
    }

    /// Most deliveries that tell nothing new within any such time.
    fn most_within(&self, window: Duration) -> usize {
        let old: Vec<_> = self.told.iter().filter(|(_, is_new)| !is_new).map(|(at, _)| *at).collect();
        old.iter().map(|from| old.iter().filter(|at| **at >= *from && **at < *from + window).count()).max().unwrap_or_default()
    }
}

fn nexts() -> impl Strategy<Value = Vec<(u64, Next)>> {
    let next = prop_oneof![
        12 => (0..4_usize).prop_map(Next::State),
        4 => (0..9_u8).prop_map(Next::Count),
        1 => Just(Next::Asked),
    ];
    let gap = prop_oneof![8 => 0..25_000_u64, 2 => 0..200_000_u64, 1 => 0..2_000_000_u64];
    vec((gap, next), 1..250)
}

proptest! {
    #[test]
    fn what_was_told_before_is_bounded_and_the_newest_state_is_told_in_the_end(nexts in nexts()) {
        let mut pull = Pull::new();
        for (millis, next) in nexts {
            pull.goes_on_until(pull.now + Duration::from_millis(millis));
            prop_assert!(pull.is_shown() || pull.now <= pull.since + LONGEST, "{:?}", pull.now - pull.since);
            pull.happens(next);
        }
        pull.goes_on_until(pull.now + LONGEST);
        prop_assert!(pull.is_shown());
        for (most, window) in BOUNDS {
            prop_assert!(pull.most_within(window) <= most, "{} within {window:?}", pull.most_within(window));
        }
    }

    #[test]
    fn a_push_is_told_within_seconds_however_chatty_it_was_before(nexts in nexts()) {
        let mut pull = Pull::new();
        for (millis, next) in nexts {
            let until = pull.now + Duration::from_millis(millis);
            pull.goes_on_until(until);
            let told = pull.shown.as_ref().is_some_and(|shown| shown.news.asked == pull.gist().news.asked);
            prop_assert!(told || pull.now <= pull.asked_at + SOON, "{:?} after the push", pull.now - pull.asked_at);
            pull.happens(next);
        }
    }
}

#[test]
fn one_that_flaps_is_told_at_once_then_every_minute_and_then_every_five() {
    let mut pull = Pull::new();
    for turn in 0..360 {
        pull.goes_on_until(pull.now + Duration::from_secs(10));
        pull.happens(Next::State(1 + turn % 2));
    }
    pull.goes_on_until(pull.now + LONGEST);
    let begun = pull.told[0].0;
    let minutes: Vec<_> = pull.told.iter().map(|(at, _)| (*at - begun).as_secs() / 60).collect();
    assert_eq!(minutes[..6], [0, 0, 0, 0, 0, 0]);
    assert!(minutes.len() <= 34, "it flapped 360 times within an hour and was told {minutes:?}");
    assert!(minutes.windows(2).skip(20).all(|pair| pair[1] - pair[0] >= 4), "{minutes:?}");
}

#[test]
fn what_fails_for_the_first_time_is_told_at_once() {
    let mut pull = Pull::new();
    for turn in 0..60 {
        pull.goes_on_until(pull.now + Duration::from_secs(10));
        pull.happens(Next::State(1 + turn % 2));
    }
    pull.happens(Next::State(3));
    let failed_at = pull.now;
    pull.goes_on_until(pull.now + SOON);
    assert!(pull.is_shown() && pull.told.last().unwrap().0 <= failed_at + SOON);
}
