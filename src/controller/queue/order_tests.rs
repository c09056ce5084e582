use super::*;
use proptest::prelude::*;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn limits(environments: i32, per_author: i32, evict: Evict) -> Limits {
    Limits { environments, per_author, evict, ..Limits::default() }
}

/// `name author stand minutes`, where what never gives way has no minutes.
fn one(text: &'static str) -> Contender<'static> {
    let mut words = text.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (uid, author, stand, minutes) = (word(), word(), word(), word());
    let time = minutes.parse().ok().map(at);
    let stand = match stand {
        "waits" => Stand::Waits(time.unwrap()),
        "runs" => Stand::Runs(time),
        _ => Stand::Goes,
    };
    Contender { uid, name: uid, author: Some(author).filter(|a| *a != "-"), stand }
}

/// What is decided, in the order of the queue: who may run, who waits, and who gives way to whom.
fn decided(contenders: &[&'static str], limits: &Limits) -> String {
    let all: Vec<_> = contenders.iter().map(|text| one(text)).collect();
    let decision = decide(&all, limits, at(1_000));
    let mut said: Vec<(usize, String)> = all
        .iter()
        .filter_map(|c| match (&decision.verdicts[c.uid], c.stand) {
            (Verdict::Runs, Stand::Waits(_)) => Some((0, format!("{} runs", c.uid))),
            (Verdict::Waits { position, own, .. }, _) => {
                Some((*position, format!("{} {position}{}", c.uid, if *own { " own" } else { "" })))
            }
            (Verdict::GivesWay(to), _) => Some((usize::MAX, format!("{} for {to}", c.uid))),
            _ => None,
        })
        .collect();
    said.sort();
    said.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")
}

#[test]
fn what_follows_from_who_runs_and_who_waits() {
    let never = |environments, per_author| limits(environments, per_author, Evict::Never);
    let oldest = |environments, per_author| limits(environments, per_author, Evict::OldestIdle);
    for (case, contenders, limits, expected) in [
        ("there is room", &["a ann waits 1", "b bob waits 2"][..], never(2, 2), "a runs, b runs"),
        ("the older one is first", &["a ann waits 2", "b bob waits 1"], never(1, 2), "b runs, a 1"),
        ("of one second the lower number is first", &["pr-10 ann waits 1", "pr-9 bob waits 1"], never(1, 2), "pr-9 runs, pr-10 1"),
        ("nothing runs at zero", &["a ann waits 1"], never(0, 2), "a 1"),
        ("one that is going has its place still", &["a ann goes", "b bob waits 1"], never(1, 2), "b 1"),
        (
            "authors take turns, however much one of them asks for",
            &["a1 ann waits 1", "a2 ann waits 2", "a3 ann waits 3", "b1 bob waits 4", "c1 cid waits 5"],
            never(2, 9),
            "a1 runs, b1 runs, c1 1, a2 2, a3 3",
        ),
        (
            "who has fewer places is the next, also if it came last",
            &["a0 ann runs", "a1 ann waits 1", "b1 bob waits 2"],
            never(1, 9),
            "b1 1, a1 2",
        ),
        (
            "an author's own limit holds nobody else up",
            &["a0 ann runs", "a1 ann waits 1", "b1 bob waits 2"],
            never(3, 1),
            "b1 runs, a1 1 own",
        ),
        ("branches that nobody asked for have no limit of their own", &["x - runs", "y - runs", "z - waits 1"], never(3, 1), "z runs"),
        ("a lowered limit ends nothing", &["a ann runs 0", "b bob runs 0", "c cid runs 0", "d dan waits 1"], never(1, 9), "d 1"),
        ("nor does it where nobody waits", &["a ann runs 0", "b bob runs 0", "c cid runs 0"], oldest(1, 9), ""),
        (
            "below a limit that was lowered as many give way as it takes, the one that was used last stays if it can",
            &["a ann runs 20", "b bob runs 10", "c cid runs 30", "d dan waits 1"],
            oldest(2, 9),
            "d 1, a for d, b for d",
        ),
        ("and none where they are not enough", &["a ann runs 20", "b bob runs", "c cid runs", "d dan waits 1"], oldest(2, 9), "d 1"),
        (
            "nor while one of them was used in the last hour",
            &["a ann runs 20", "b bob runs 941", "c cid runs", "d dan waits 1"],
            oldest(2, 9),
            "d 1",
        ),
        (
            "the one that nobody used for the longest time gives way",
            &["a ann runs 20", "b bob runs 10", "c cid runs 30", "d dan waits 1"],
            oldest(3, 9),
            "d 1, b for d",
        ),
        (
            "never one that is kept, nor one that was used in the last hour",
            &["a ann runs", "b bob runs 941", "d dan waits 1"],
            oldest(2, 9),
            "d 1",
        ),
        ("an hour is enough", &["b bob runs 940", "d dan waits 1"], oldest(1, 9), "d 1, b for d"),
        (
            "whoever has too many makes room for himself and no one else does",
            &["a ann runs 20", "b bob runs 10", "a1 ann waits 1"],
            oldest(9, 1),
            "a1 1 own, a for a1",
        ),
        (
            "while one is going nobody else gives way for the same place",
            &["a ann runs 0", "b bob goes", "c cid waits 1"],
            oldest(2, 9),
            "c 1",
        ),
        (
            "each gives way to one of those that wait",
            &["a ann runs 1", "b bob runs 2", "c cid waits 1", "d dan waits 2", "e eve waits 3"],
            oldest(2, 9),
            "c 1, d 2, e 3, a for c, b for d",
        ),
    ] {
        assert_eq!(decided(contenders, &limits), expected, "{case}");
    }
}

#[test]
fn it_says_when_somebody_can_give_way() {
    let all = [one("a ann runs 990"), one("b bob runs 980"), one("c cid waits 1")];
    let of = |evict| decide(&all, &limits(2, 9, evict), at(1_000)).again_at;
    assert_eq!((of(Evict::OldestIdle), of(Evict::Never)), (Some(at(1_040)), None));
    assert_eq!(decide(&all[..2], &limits(2, 9, Evict::OldestIdle), at(1_000)).again_at, None, "nobody waits");
}

#[derive(Clone, Debug)]
struct Given {
    uid: String,
    author: Option<String>,
    stand: Stand,
}

impl Given {
    fn contender(&self) -> Contender<'_> {
        Contender { uid: &self.uid, name: &self.uid, author: self.author.as_deref(), stand: self.stand }
    }
}

fn given() -> impl Strategy<Value = Vec<Given>> {
    let stand = prop_oneof![
        4 => (0..100i64).prop_map(|m| Stand::Waits(at(m))),
        2 => (0..2_000i64).prop_map(|m| Stand::Runs(Some(at(m)))),
        1 => Just(Stand::Runs(None)),
        1 => Just(Stand::Goes),
    ];
    let author = prop_oneof![3 => (0..4u8).prop_map(|a| Some(format!("author-{a}"))), 1 => Just(None)];
    proptest::collection::vec((stand, author), 0..25)
        .prop_map(|all| all.into_iter().enumerate().map(|(n, (stand, author))| Given { uid: format!("u-{n}"), author, stand }).collect())
}

fn some_limits() -> impl Strategy<Value = Limits> {
    let evict = prop_oneof![Just(Evict::Never), Just(Evict::OldestIdle)];
    (0..12i32, 1..6i32, evict).prop_map(|(environments, per_author, evict)| limits(environments, per_author, evict))
}

fn all(given: &[Given]) -> Vec<Contender<'_>> {
    given.iter().map(Given::contender).collect()
}

fn is_new(given: &Given, decision: &Decision) -> bool {
    matches!(given.stand, Stand::Waits(_)) && decision.verdicts[&given.uid] == Verdict::Runs
}

/// Whether there are no more than the limits allow, as they were when all of them began.
fn is_within(given: &[Given], limits: &Limits) -> bool {
    let held: Vec<_> = given.iter().filter(|g| !matches!(g.stand, Stand::Waits(_))).collect();
    let by = |author: &Option<String>| held.iter().filter(|g| author.is_some() && g.author == *author).count();
    held.len() <= places(limits.environments) && held.iter().all(|g| by(&g.author) <= places(limits.per_author))
}

fn position(decision: &Decision, uid: &str) -> usize {
    if let Verdict::Waits { position, .. } = decision.verdicts[uid] { position } else { 0 }
}

proptest! {
    #[test]
    fn never_are_there_more_than_a_limit_allows(given in given(), limits in some_limits()) {
        let decision = decide(&all(&given), &limits, at(1_000));
        let has_place = |g: &&Given| !matches!(g.stand, Stand::Waits(_)) || is_new(g, &decision);
        let (before, after) = (given.iter().filter(|g| !matches!(g.stand, Stand::Waits(_))).count(), given.iter().filter(has_place).count());
        prop_assert!(after <= before.max(places(limits.environments)));
        for new in given.iter().filter(|g| is_new(g, &decision) && g.author.is_some()) {
            prop_assert!(given.iter().filter(has_place).filter(|g| g.author == new.author).count() <= places(limits.per_author));
        }
    }

    #[test]
    fn nobody_waits_while_there_is_room(given in given(), limits in some_limits()) {
        let decision = decide(&all(&given), &limits, at(1_000));
        let has_place = |g: &&Given| !matches!(g.stand, Stand::Waits(_)) || is_new(g, &decision);
        let full = given.iter().filter(has_place).count() >= places(limits.environments);
        for waits in given.iter().filter(|g| position(&decision, &g.uid) > 0) {
            let own = given.iter().filter(has_place).filter(|g| g.author == waits.author).count();
            prop_assert!(full || waits.author.is_some() && own >= places(limits.per_author), "{waits:?}");
        }
    }

    #[test]
    fn the_order_in_which_they_are_listed_does_not_matter(
        (given, shuffled) in given().prop_flat_map(|g| (Just(g.clone()), Just(g).prop_shuffle())), limits in some_limits(),
    ) {
        prop_assert_eq!(decide(&all(&given), &limits, at(1_000)), decide(&all(&shuffled), &limits, at(1_000)));
    }

    #[test]
    fn what_is_decided_is_decided_again_once_it_is_done(given in given(), limits in some_limits()) {
        // Above a limit that was lowered, one that goes can be the reason for the next one to go.
        prop_assume!(is_within(&given, &limits));
        let first = decide(&all(&given), &limits, at(1_000));
        let mut then = given.clone();
        for one in &mut then {
            match &first.verdicts[&one.uid] {
                Verdict::Runs if is_new(one, &first) => one.stand = Stand::Runs(None),
                Verdict::GivesWay(_) => one.stand = Stand::Goes,
                _ => {}
            }
        }
        let second = decide(&all(&then), &limits, at(1_000));
        for one in &given {
            prop_assert_eq!(position(&first, &one.uid), position(&second, &one.uid), "{}", &one.uid);
            prop_assert!(!matches!(second.verdicts[&one.uid], Verdict::GivesWay(_)), "no second one gives way for the same place");
        }
    }

    #[test]
    fn positions_are_counted_from_one_without_a_gap(given in given(), limits in some_limits()) {
        let decision = decide(&all(&given), &limits, at(1_000));
        let mut positions: Vec<_> = given.iter().map(|g| position(&decision, &g.uid)).filter(|p| *p > 0).collect();
        positions.sort_unstable();
        let of = positions.len();
        prop_assert_eq!(positions, (1..=of).collect::<Vec<_>>());
        let is_right = |v: &Verdict| if let Verdict::Waits { of: n, .. } = v { *n == of } else { true };
        prop_assert!(decision.verdicts.values().all(is_right));
    }

    #[test]
    fn what_ends_brings_nobody_further_back(given in given(), limits in some_limits(), which in any::<proptest::sample::Index>()) {
        prop_assume!(!given.is_empty() && is_within(&given, &limits));
        let before = decide(&all(&given), &limits, at(1_000));
        let mut rest = given.clone();
        rest.remove(which.index(given.len()));
        let after = decide(&all(&rest), &limits, at(1_000));
        for one in rest.iter().filter(|g| matches!(g.stand, Stand::Waits(_))) {
            prop_assert!(position(&after, &one.uid) <= position(&before, &one.uid), "{one:?}");
        }
    }

    #[test]
    fn a_higher_limit_brings_nobody_further_back(given in given(), limits in some_limits(), (more, own) in (0..3i32, 0..3i32)) {
        // What is nobody's has no limit of its own, so another one can come before it with a higher one.
        let own = if given.iter().all(|g| g.author.is_some()) { own } else { 0 };
        let higher = Limits { environments: limits.environments + more, per_author: limits.per_author + own, ..limits };
        let (before, after) = (decide(&all(&given), &limits, at(1_000)), decide(&all(&given), &higher, at(1_000)));
        for one in given.iter().filter(|g| matches!(g.stand, Stand::Waits(_))) {
            prop_assert!(position(&after, &one.uid) <= position(&before, &one.uid), "{one:?}");
        }
    }

    #[test]
    fn only_what_nobody_uses_gives_way_and_only_for_one_that_then_fits(given in given(), limits in some_limits()) {
        let decision = decide(&all(&given), &limits, at(1_000));
        let going = |g: &&Given| matches!(decision.verdicts[&g.uid], Verdict::GivesWay(_));
        for victim in given.iter().filter(going) {
            prop_assert!(matches!(victim.stand, Stand::Runs(Some(since)) if since + IN_USE <= at(1_000)), "{victim:?}");
        }
        // Once all have gone that are going, exactly as many more run as gave way. Above limits that were lowered several give way
        // to one, and those of its own author may leave more room in all than it needs: the next ones have that for nothing.
        let running = |is_left: &dyn Fn(&Given) -> bool| {
            let left: Vec<_> = given.iter().filter(|g| g.stand != Stand::Goes && is_left(g)).cloned().collect();
            let decision = decide(&all(&left), &Limits { evict: Evict::Never, ..limits }, at(1_000));
            left.iter().filter(|g| is_new(g, &decision)).count()
        };
        let to = |g: &Given| if let Verdict::GivesWay(to) = &decision.verdicts[&g.uid] { Some(to.clone()) } else { None };
        let made_room_for: std::collections::HashSet<String> = given.iter().filter_map(to).collect();
        let victims = given.iter().filter(going).count();
        let more = running(&|g| !going(&g)).checked_sub(running(&|_| true));
        prop_assert!(more.is_some_and(|more| (made_room_for.len()..=victims).contains(&more)), "{more:?} for {victims}");
        prop_assert!(!is_within(&given, &limits) || victims == made_room_for.len(), "one for each");
    }

    /// Environments come and end, one a step, and each lives for a while. However many others come, one that waits is passed
    /// over only by those that waited before it and by one of each other author for each place that its own author has.
    #[test]
    fn nobody_waits_for_ever(given in given(), limits in some_limits(), others in proptest::collection::vec(0..6u8, 60)) {
        prop_assume!(limits.environments > 0);
        let mut there = given.clone();
        let Some(patient) = there.iter().find(|g| matches!(g.stand, Stand::Waits(_))).map(|g| g.uid.clone()) else { return Ok(()) };
        // One of each comes first, so that each step has an end to give.
        let ends = there.len() * 2 + usize::try_from(limits.environments).unwrap() + 8;
        for (step, other) in others.iter().cycle().take(ends * 4).enumerate() {
            let decision = decide(&all(&there), &limits, at(1_000));
            for one in &mut there {
                if is_new(one, &decision) {
                    one.stand = Stand::Runs(None);
                }
            }
            if there.iter().any(|g| g.uid == patient && !matches!(g.stand, Stand::Waits(_))) {
                return Ok(());
            }
            let late = i64::try_from(step).unwrap() + 200;
            there.push(Given { uid: format!("late-{step}"), author: Some(format!("author-{other}")), stand: Stand::Waits(at(late)) });
            // The one that has run for the longest time ends.
            let oldest = there.iter().position(|g| !matches!(g.stand, Stand::Waits(_)));
            if let Some(oldest) = oldest {
                there.remove(oldest);
            }
        }
        prop_assert!(false, "{patient} still waits: {there:?}");
    }
}
