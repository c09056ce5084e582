use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
/// Small, so that short sequences reach every limit.
const SMALL: Limits = Limits { apart: SECOND, per_minute: 5, per_hour: 12, reserve: 3 };

const fn write(of: &str) -> Kind<'_> {
    Kind::Write { of }
}

const fn left(left: u64, seconds: u64) -> Heard {
    Heard { wait: None, quota: Some(Quota { left, renewed_in: Duration::from_secs(seconds) }) }
}

const fn wait(seconds: u64) -> Heard {
    Heard { wait: Some(Duration::from_secs(seconds)), quota: None }
}

/// Asks again whenever it is told to, and gives the time that it was allowed.
fn patiently(pace: &mut Pace, mut now: Instant, kind: Kind<'_>) -> Instant {
    for _ in 0..10_000 {
        match pace.ask(now, kind) {
            Ok(()) => return now,
            Err(wait) => now += wait,
        }
    }
    panic!("it never comes to its turn");
}

fn breaks(limits: Limits, writes: &[Instant]) -> Option<String> {
    let broken = |(most, window): (usize, Duration)| {
        let pair = writes.windows(most + 1).find(|w| w[most] < w[0] + window)?;
        Some(format!("{} writes within {:?}", most + 1, pair[most] - pair[0]))
    };
    limits.windows().into_iter().find_map(broken)
}

#[test]
fn five_hundred_writes_take_as_long_as_the_limits_say_and_no_longer() {
    let (start, mut pace) = (Instant::now(), Pace::new(Limits::GITHUB));
    let mut now = start;
    let mut writes = Vec::new();
    for number in 0..501 {
        now = patiently(&mut pace, now, write(&format!("acme/web#{}", number % 25)));
        writes.push(now);
    }
    assert_eq!(breaks(Limits::GITHUB, &writes), None);
    assert_eq!((writes[1] - start, writes[499] - start, writes[500] - start), (SECOND, 499 * SECOND, HOUR));
    assert_eq!(pace.standing(now).writes, 0);
}

#[test]
fn reads_do_not_wait_for_writes_and_have_a_reserve() {
    let (now, mut pace) = (Instant::now(), Pace::new(Limits::GITHUB));
    pace.learn(now, left(101, 60));
    assert_eq!(pace.ask(now, write("a")), Ok(()));
    assert_eq!(pace.ask(now + SECOND, write("a")), Err(59 * SECOND), "the rest is for reads");
    for _ in 0..100 {
        assert_eq!(pace.ask(now + SECOND, Kind::Read), Ok(()));
    }
    assert_eq!(pace.ask(now + SECOND, Kind::Read), Err(59 * SECOND));
    assert_eq!(pace.ask(now + 60 * SECOND, Kind::Read), Ok(()), "it is full again");
    assert_eq!(pace.standing(now + 60 * SECOND).requests, None);
}

#[test]
fn nothing_is_sent_before_the_time_that_the_forge_names() {
    let (now, mut pace) = (Instant::now(), Pace::new(Limits::GITHUB));
    pace.learn(now, wait(30));
    pace.learn(now, wait(10));
    for kind in [Kind::Read, write("a")] {
        assert_eq!(pace.ask(now + SECOND, kind), Err(29 * SECOND));
        assert_eq!(pace.ask(now + 30 * SECOND, kind), Ok(()));
    }
}

#[test]
fn who_waits_longest_goes_first_and_a_chatty_one_starves_nobody() {
    let (start, mut pace) = (Instant::now(), Pace::new(Limits::GITHUB));
    assert_eq!(pace.ask(start, write("chatty")), Ok(()));
    let quiet = ["a", "b", "c"];
    for (place, of) in (1..).zip(quiet) {
        assert_eq!(pace.ask(start, write(of)), Err(place * SECOND), "{of}");
    }
    let mut got = Vec::new();
    for tenth in 0..60 {
        let now = start + tenth * SECOND / 10;
        for of in ["chatty", "c", "b", "a"] {
            // The quiet ones come once, when they were told to.
            let due = quiet.iter().zip(1..).any(|(q, place)| *q == of && now == start + place * SECOND);
            if (of == "chatty" || due) && pace.ask(now, write(of)).is_ok() {
                got.push(of);
            }
        }
    }
    assert_eq!(got, ["a", "b", "c", "chatty", "chatty"]);
}

#[test]
fn who_does_not_come_holds_nobody_up_and_keeps_his_place() {
    let (start, mut pace) = (Instant::now(), Pace::new(Limits::GITHUB));
    pace.ask(start, write("first")).unwrap();
    assert_eq!(pace.ask(start, write("away")), Err(SECOND));
    assert_eq!(pace.ask(start, write("next")), Err(2 * SECOND));
    assert_eq!(pace.ask(start + 2 * SECOND, write("next")), Err(SECOND), "he may still come");
    let late = start + SECOND + GRACE + Duration::from_millis(1);
    assert_eq!(pace.standing(late).waiting, 1, "only who still comes is counted");
    assert_eq!(pace.ask(late, write("next")), Ok(()));
    assert_eq!(pace.ask(late, write("younger")), Err(SECOND));
    assert_eq!(pace.ask(late, write("away")), Err(SECOND), "before the younger one, who came later");
    assert_eq!(pace.ask(late + SECOND, write("younger")), Err(SECOND));
    assert_eq!(pace.ask(late + SECOND, write("away")), Ok(()));
}

#[test]
fn only_those_whose_turn_is_near_have_a_place() {
    let (start, mut pace) = (Instant::now(), Pace::new(Limits::GITHUB));
    pace.ask(start, write("first")).unwrap();
    let told: Vec<_> = (1..=15).map(|who| pace.ask(start, write(&format!("acme/web#{who}"))).unwrap_err().as_secs()).collect();
    assert_eq!(told, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 11, 11, 11], "who would wait longer keeps nobody from writing");
    assert_eq!(pace.standing(start).waiting, LINE.as_secs());
    // All stay away, and somebody who was never told anything comes when nobody is expected any more.
    let later = start + LINE + GRACE + Duration::from_millis(1);
    assert_eq!(pace.ask(later, write("acme/web#16")), Ok(()));
}

#[test]
fn answers_keep_nobody_in_the_line_who_stays_away() {
    let (start, mut pace) = (Instant::now(), Pace::new(Limits::GITHUB));
    pace.ask(start, write("first")).unwrap();
    assert_eq!(pace.ask(start, write("away")), Err(SECOND));
    (1..=3).for_each(|second| pace.learn(start + second * SECOND, left(4_000, 60)));
    let late = start + SECOND + GRACE + Duration::from_millis(1);
    assert_eq!((pace.standing(late).waiting, pace.ask(late, write("next"))), (0, Ok(())));
}

#[test]
fn whoever_waits_while_nothing_is_open_is_expected_when_it_opens() {
    let (start, mut pace) = (Instant::now(), Pace::new(Limits::GITHUB));
    pace.ask(start, write("first")).unwrap();
    assert_eq!(pace.ask(start, write("patient")), Err(SECOND));
    pace.learn(start, wait(30));
    let open = start + 30 * SECOND;
    assert_eq!(pace.ask(open, write("younger")), Err(SECOND), "the patient one is let in first");
    assert_eq!(pace.ask(open, write("patient")), Ok(()));
}

#[test]
fn whoever_had_his_share_waits_once_half_of_the_hours_writes_are_used() {
    let all_of = |many: &[(&'static str, usize)]| many.iter().flat_map(|(of, times)| std::iter::repeat_n(*of, *times)).collect::<Vec<_>>();
    for (case, before, of, waits) in [
        ("half are left", all_of(&[("loop", 249)]), "loop", false),
        ("half are used", all_of(&[("loop", 250)]), "loop", true),
        ("another one comes", all_of(&[("loop", 250)]), "other", false),
        ("a share is not used up", all_of(&[("loop", 240), ("other", 24)]), "other", false),
        ("a share is used up", all_of(&[("loop", 240), ("other", 25)]), "other", true),
        ("many with a little", (0..300).map(|number| NUMBERS[number % NUMBERS.len()]).collect(), NUMBERS[0], true),
        ("and whoever comes then", (0..300).map(|number| NUMBERS[number % NUMBERS.len()]).collect(), "other", false),
    ] {
        let (start, mut pace) = (Instant::now(), Pace::new(Limits { apart: Duration::ZERO, per_minute: usize::MAX, ..Limits::GITHUB }));
        for (second, writer) in (0..).zip(&before) {
            // As if it had been allowed, so that each case stands by itself.
            pace.writes.push_back(start + second * SECOND);
            pace.writers.push_back((start + second * SECOND, (*writer).to_owned()));
        }
        let now = start + 1_000 * SECOND;
        assert_eq!((pace.had_its_share(now, write(of)), pace.ask(now, write(of)).is_err()), (waits, waits), "{case}");
        assert!(!pace.had_its_share(start + HOUR + 1_000 * SECOND, write(of)), "{case}: not an hour later");
    }
}

/// Some who write.
const NUMBERS: [&str; 10] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];

#[test]
fn a_loop_that_writes_whenever_it_may_leaves_others_their_writes_of_each_hour() {
    let (start, mut pace) = (Instant::now(), Pace::new(Limits::GITHUB));
    let (mut loops, mut others, mut longest, mut names) = (Vec::new(), 0, Duration::ZERO, NUMBERS.iter().cycle());
    for second in 0..4 * 3_600 {
        let now = start + second * SECOND;
        if pace.ask(now, write("loop")).is_ok() {
            loops.push(now);
        }
        // Every 20 seconds somebody else has something to say, and comes when he is told to.
        if second % 20 == 10 {
            let at = patiently(&mut pace, now, write(names.next().unwrap()));
            (others, longest) = (others + 1, longest.max(at - now));
        }
    }
    assert_eq!((others, longest <= 2 * SECOND), (720, true), "{longest:?}");
    let in_an_hour = |from: Instant| loops.iter().filter(|at| **at >= from && **at < from + HOUR).count();
    let most = loops.iter().map(|from| in_an_hour(*from)).max().unwrap();
    assert!((200..=250).contains(&most), "{most}");
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Read,
    Hear(Heard),
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let step = prop_oneof![
        6 => (0..4_usize).prop_map(Step::Write),
        1 => Just(Step::Read),
        1 => (0..8_u64, 1..90_u64).prop_map(|(n, s)| Step::Hear(left(n, s))),
        1 => (1..40_u64).prop_map(|s| Step::Hear(wait(s))),
    ];
    vec((prop_oneof![Just(0), 0..2_000_u64, 0..120_000_u64], step), 1..200)
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

proptest! {
    #[test]
    fn no_window_is_ever_broken_and_nothing_is_sent_while_told_to_wait(steps in steps()) {
        let (mut now, mut pace) = (Instant::now(), Pace::new(SMALL));
        let (mut writes, mut closed) = (Vec::new(), now);
        for (millis, step) in steps {
            now += Duration::from_millis(millis);
            let asked = match step {
                Step::Write(who) => pace.ask(now, write(NAMES[who])).inspect(|()| writes.push(now)),
                Step::Read => pace.ask(now, Kind::Read),
                Step::Hear(heard) => {
                    pace.learn(now, heard);
                    closed = heard.wait.map_or(closed, |wait| closed.max(now + wait));
                    Err(Duration::ZERO)
                }
            };
            prop_assert!(asked.is_err() || now >= closed);
        }
        prop_assert_eq!(breaks(SMALL, &writes), None);
    }

    #[test]
    fn nobody_waits_longer_than_he_has_to(steps in steps(), last in 0..4_usize) {
        let (mut now, mut pace) = (Instant::now(), Pace::new(SMALL));
        for (millis, step) in steps {
            now += Duration::from_millis(millis);
            match step {
                Step::Write(who) => {
                    let _ = pace.ask(now, write(NAMES[who]));
                }
                Step::Read => {
                    let _ = pace.ask(now, Kind::Read);
                }
                Step::Hear(heard) => pace.learn(now, heard),
            }
        }
        // Alone, he is let in at the very moment that he was told, and not before.
        let mut alone = Pace { waiting: Vec::new(), ..pace };
        if let Err(wait) = alone.clone().ask(now, write(NAMES[last])) {
            let before = now + wait.saturating_sub(Duration::from_nanos(1));
            prop_assert!(alone.clone().ask(before, write(NAMES[last])).is_err());
            prop_assert_eq!(alone.ask(now + wait, write(NAMES[last])), Ok(()));
        }
    }

    #[test]
    fn whoever_comes_when_told_is_let_in_then_and_in_order(arrivals in vec((0..3_000_u64, 0..40_usize), 1..120)) {
        let (start, mut pace) = (Instant::now(), Pace::new(Limits::GITHUB));
        let mut now = start;
        let mut told = BTreeMap::new();
        let mut late = 0;
        for (millis, who) in arrivals {
            let until = now + Duration::from_millis(millis);
            let name = |who: usize| format!("acme/web#{who}");
            // Those whose time comes before the next one arrives.
            while let Some((&who, &at)) = told.iter().min_by_key(|(_, at)| **at).filter(|(_, at)| **at <= until) {
                told.remove(&who);
                late += usize::from(pace.ask(at, write(&name(who))).is_err());
            }
            now = until;
            if let Err(wait) = pace.ask(now, write(&name(who))) {
                told.insert(who, now + wait);
            }
        }
        prop_assert_eq!(late, 0);
    }
}
