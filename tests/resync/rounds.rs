use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use preview_env::api::baseline::ForgeKind;
use preview_env::api::environment::SourceState;
use preview_env::clock::Clock;
use preview_env::commands::heard::Heard;
use preview_env::forge::{Branch, PostedComment, PullRequest};
use preview_env::intent::{fact_of_pull, given};
use preview_env::metrics::Metrics;
use preview_env::record::Recorder;
use preview_env::resync::{Context, Resync};
use serde_json::json;

use crate::cluster::Cluster;
use crate::forge::{Mood, REPOSITORY, Tiny};

const BASELINE_MADE: &str = "2026-01-02T00:00:00Z";

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn now() -> DateTime<Utc> {
    at("2026-01-02T12:00:00Z")
}

pub struct World {
    pub forge: Arc<Tiny>,
    pub cluster: Arc<Cluster>,
    heard: Arc<Heard>,
    resync: Resync,
}

pub fn world(trigger: &serde_json::Value) -> World {
    let (forge, cluster) =
        (Arc::new(Tiny::default()), Cluster::with(json!({"repositories": [{"name": "acme/web"}], "trigger": trigger}), BASELINE_MADE));
    let heard = Arc::<Heard>::default();
    let context = Context {
        forge: forge.clone(),
        baselines: cluster.clone(),
        environments: cluster.clone(),
        recorder: cluster.clone(),
        heard: heard.clone(),
        activities: cluster.clone(),
        brake: cluster.clone(),
        soon: Arc::default(),
        confirmed: Arc::default(),
        metrics: Metrics::new(),
        clock: Clock::default(),
    };
    World { forge, cluster, heard, resync: Resync::new(context, now()) }
}

pub fn pull(number: i64) -> PullRequest {
    PullRequest {
        repository_id: REPOSITORY,
        repository: "acme/web".parse().unwrap(),
        number,
        state: SourceState::Open,
        revision: "a".repeat(40).parse().unwrap(),
        head_branch: "faster".into(),
        head_repository_id: Some(REPOSITORY),
        base_branch: "main".into(),
        author: "ann".into(),
        draft: false,
        bot: false,
        labels: vec![],
        created_at: at("2026-01-02T03:00:00Z"),
        updated_at: at("2026-01-02T03:04:05Z"),
    }
}

pub fn comment(id: i64, body: &str) -> PostedComment {
    let at = at("2026-01-02T04:00:00Z") + TimeDelta::seconds(id);
    PostedComment {
        repository_id: REPOSITORY,
        repository: "acme/web".parse().unwrap(),
        pull: 1,
        id,
        author: "ann".into(),
        by_bot: false,
        body: body.into(),
        created_at: at,
        updated_at: at,
    }
}

impl World {
    pub fn has(&self, pull: PullRequest) {
        self.forge.change(|state| state.pulls.insert(pull.number, pull));
    }

    pub fn says(&self, mood: Mood) {
        self.forge.change(|state| state.mood = mood);
    }

    pub async fn round(&mut self) {
        self.resync.round(now()).await;
    }

    pub async fn look_again_at(&mut self, repository: i64) {
        self.resync.look_again(&HashSet::from([(ForgeKind::Github, repository)]), now()).await;
    }

    pub fn questions(&self) -> usize {
        self.forge.0.lock().unwrap().questions
    }

    pub fn log_reads(&self) -> usize {
        self.forge.0.lock().unwrap().log_reads
    }

    fn state(&self, name: &str) -> Option<SourceState> {
        self.cluster.source(name).map(|source| source.state)
    }
}

#[tokio::test]
async fn a_round_in_which_nothing_happened_writes_nothing_and_reads_no_list_again() {
    let mut world = world(&json!({"branches": ["next"]}));
    world.has(pull(1));
    world.round().await;
    let (writes, questions) = (world.cluster.writes(), world.forge.0.lock().unwrap().questions);
    assert_eq!((world.cluster.names(), writes), (vec!["web-pr-1".to_owned()], 1));
    world.round().await;
    assert_eq!(world.cluster.writes(), writes);
    assert!(world.forge.0.lock().unwrap().questions - questions <= 3, "one question for each list");
}

#[tokio::test]
async fn what_was_missed_is_found() {
    let mut world = world(&json!({}));
    world.has(pull(1));
    world.round().await;
    // A push, a label and a draft that no delivery told of.
    let pushed = PullRequest { revision: "b".repeat(40).parse().unwrap(), updated_at: at("2026-01-02T05:00:00Z"), ..pull(1) };
    world.has(PullRequest { draft: true, labels: vec!["preview".into()], ..pushed.clone() });
    world.round().await;
    let source = world.cluster.source("web-pr-1").unwrap();
    assert_eq!((source.revision.as_str(), source.draft, source.labels), (pushed.revision.as_str(), true, vec!["preview".to_owned()]));
    // Another label is held too, and nobody did anything about it.
    world.has(PullRequest { labels: vec!["stale".into()], updated_at: at("2026-01-02T05:30:00Z"), draft: true, ..pushed.clone() });
    world.round().await;
    let source = world.cluster.source("web-pr-1").unwrap();
    let told = (source.labels.as_slice(), source.observed_at, source.active_at());
    assert_eq!(told, (&["stale".to_owned()][..], at("2026-01-02T05:30:00Z"), at("2026-01-02T05:00:00Z")));
    world.has(PullRequest { state: SourceState::Merged, updated_at: at("2026-01-02T06:00:00Z"), ..pushed });
    world.round().await;
    assert_eq!(world.state("web-pr-1"), Some(SourceState::Merged));
}

#[tokio::test]
async fn a_comment_that_changes_nothing_else_is_no_reason_to_write() {
    let mut world = world(&json!({}));
    world.has(pull(1));
    world.round().await;
    world.has(PullRequest { updated_at: at("2026-01-02T05:00:00Z"), ..pull(1) });
    world.round().await;
    assert_eq!(world.cluster.writes(), 1);
}

#[tokio::test]
async fn a_forge_that_lies_ends_nothing() {
    for mood in [Mood::Empty, Mood::NotFound, Mood::Down] {
        let mut world = world(&json!({"branches": ["next"]}));
        world.has(pull(1));
        world.forge.change(|state| state.branches.insert("next".into(), branch()));
        world.round().await;
        assert_eq!(world.cluster.names().len(), 2);
        let writes = world.cluster.writes();
        world.says(mood);
        for _ in 0..3 {
            world.round().await;
        }
        assert_eq!(world.cluster.writes(), writes);
        assert_eq!(world.state("web-pr-1"), Some(SourceState::Open));
        // It comes to its senses, and what happened meanwhile is found.
        world.says(Mood::Honest);
        world.has(PullRequest { state: SourceState::Closed, updated_at: at("2026-01-02T06:00:00Z"), ..pull(1) });
        world.round().await;
        assert_eq!(world.state("web-pr-1"), Some(SourceState::Closed));
    }
}

fn branch() -> Branch {
    Branch {
        repository_id: REPOSITORY,
        repository: "acme/web".parse().unwrap(),
        name: "next".into(),
        revision: "c".repeat(40).parse().unwrap(),
        observed_at: at("2026-01-02T04:00:00Z"),
    }
}

#[tokio::test]
async fn a_branch_that_is_asked_for_comes_and_goes() {
    let mut world = world(&json!({"pullRequests": "None", "branches": ["next"]}));
    world.forge.change(|state| state.branches.insert("next".into(), branch()));
    world.forge.change(|state| state.branches.insert("other".into(), Branch { name: "other".into(), ..branch() }));
    world.round().await;
    let names = world.cluster.names();
    assert_eq!(names.len(), 1);
    world.forge.change(|state| state.branches.remove("next"));
    world.round().await;
    assert_eq!(world.state(&names[0]), Some(SourceState::Gone));
}

#[tokio::test]
async fn of_many_that_are_missing_each_is_asked_about_in_its_turn() {
    let mut world = world(&json!({"branches": ["topic-*"]}));
    let topic = |number: i64| Branch { name: format!("topic-{number:03}"), ..branch() };
    for number in 1..=120 {
        world.has(pull(number));
        world.forge.change(|state| state.branches.insert(topic(number).name, topic(number)));
    }
    world.round().await;
    assert_eq!(world.cluster.names().len(), 240);
    // The first of them cannot be told from what the forge hides, and the last ended.
    world.forge.change(|state| {
        state.pulls.clear();
        state.branches.clear();
        let closed = PullRequest { state: SourceState::Closed, updated_at: at("2026-01-02T06:00:00Z"), ..pull(120) };
        state.pulls.insert(120, closed);
    });
    for round in 1..=3 {
        let before = world.forge.0.lock().unwrap().questions;
        world.round().await;
        let asked = world.forge.0.lock().unwrap().questions - before;
        assert!(asked <= 3 + 50 + 2 * 50, "round {round}: {asked} questions");
    }
    assert_eq!(world.state("web-pr-120"), Some(SourceState::Closed));
    let gone = world.cluster.environments.lock().unwrap().values().filter(|e| e.spec.sources[0].state == SourceState::Gone).count();
    assert_eq!(gone, 120, "every branch that is gone");
    assert_eq!(world.state("web-pr-1"), Some(SourceState::Open));
}

#[tokio::test]
async fn an_answer_that_is_older_than_the_list_is_asked_for_again_while_the_list_stays() {
    let mut world = world(&json!({}));
    world.has(pull(1));
    world.round().await;
    // The list knows of the close already, and the pull request itself not yet.
    world.forge.change(|state| state.unlisted = vec![1]);
    world.round().await;
    assert_eq!(world.state("web-pr-1"), Some(SourceState::Open));
    let closed = PullRequest { state: SourceState::Closed, updated_at: at("2026-01-02T06:00:00Z"), ..pull(1) };
    world.forge.0.lock().unwrap().pulls.insert(1, closed);
    world.round().await;
    assert_eq!(world.state("web-pr-1"), Some(SourceState::Closed), "the list is the same as before");
}

#[tokio::test]
async fn what_could_not_be_recorded_is_found_again() {
    let mut world = world(&json!({}));
    world.has(pull(1));
    *world.cluster.refuses.lock().unwrap() = true;
    world.round().await;
    assert!(world.cluster.names().is_empty());
    *world.cluster.refuses.lock().unwrap() = false;
    world.round().await;
    assert_eq!(world.cluster.names(), ["web-pr-1"]);
}

#[tokio::test]
async fn an_environment_that_takes_nothing_keeps_no_other_from_being_looked_after() {
    let mut world = world(&json!({}));
    (1..=3).for_each(|number| world.has(pull(number)));
    world.round().await;
    *world.cluster.going.lock().unwrap() = Some("web-pr-1".to_owned());
    let pushed = |number| PullRequest { revision: "b".repeat(40).parse().unwrap(), updated_at: at("2026-01-02T05:00:00Z"), ..pull(number) };
    world.has(pushed(1));
    world.has(pushed(2));
    world.has(PullRequest { state: SourceState::Merged, ..pushed(3) });
    let on = |number, comment| PostedComment { pull: number, ..comment };
    world.forge.change(|state| state.comments = vec![on(1, comment(11, "/preview pin")), on(2, comment(12, "/preview pin"))]);
    for _ in 0..2 {
        world.round().await;
        assert_eq!(world.cluster.source("web-pr-2").unwrap().revision, "b".repeat(40));
        assert_eq!(world.state("web-pr-3"), Some(SourceState::Merged));
        assert_eq!(world.cluster.commands("web-pr-2"), ["12.1 Pin"]);
    }
    // It takes things again, and nothing is forgotten.
    *world.cluster.going.lock().unwrap() = None;
    world.round().await;
    assert_eq!(world.cluster.source("web-pr-1").unwrap().revision, "b".repeat(40));
    assert_eq!(world.cluster.commands("web-pr-1"), ["11.1 Pin"]);
}

#[tokio::test]
async fn old_pull_requests_get_nothing_until_they_are_pushed_to() {
    let mut world = world(&json!({}));
    let old = PullRequest { created_at: at("2025-12-01T00:00:00Z"), updated_at: at("2026-01-02T03:00:00Z"), ..pull(1) };
    world.has(old.clone());
    // Too old even if it had been opened since.
    world.has(PullRequest { updated_at: at("2025-12-20T00:00:00Z"), ..pull(2) });
    world.round().await;
    assert!(world.cluster.names().is_empty(), "{:?}", world.cluster.names());
    world.has(PullRequest { revision: "b".repeat(40).parse().unwrap(), updated_at: at("2026-01-02T05:00:00Z"), ..old });
    world.round().await;
    assert_eq!(world.cluster.names(), ["web-pr-1"]);
}

#[tokio::test]
async fn a_push_to_an_old_pull_request_counts_that_came_between_two_who_looked() {
    let minutes_ago = |minutes| now() - TimeDelta::minutes(minutes);
    for (case, keeps_no_log, away, changed, found) in [
        ("after the last sign of life", true, Some(10), 9, true),
        ("after the last look, which was before that", true, Some(10), 14, true),
        ("before the last look", true, Some(10), 60, false),
        ("nobody looked before", true, None, 9, false),
        ("the forge tells of what could not be delivered", false, Some(10), 9, false),
    ] {
        let mut world = world(&json!({}));
        world.forge.change(|state| state.keeps_no_log = keeps_no_log);
        let old = |number, ago| PullRequest { created_at: at("2025-12-01T00:00:00Z"), updated_at: minutes_ago(ago), ..pull(number) };
        world.has(old(1, changed));
        world.has(old(2, 300));
        world.resync = world.resync.away_since(away.map(minutes_ago)).every(Duration::from_secs(300));
        world.round().await;
        let names = if found { vec!["web-pr-1"] } else { vec![] };
        assert_eq!(world.cluster.names(), names, "{case}");
        // From then on heads tell.
        world.has(PullRequest { labels: vec!["stale".into()], ..old(2, 0) });
        world.round().await;
        assert_eq!(world.cluster.names(), names, "{case}: a label");
        world.has(PullRequest { revision: "b".repeat(40).parse().unwrap(), ..old(2, 0) });
        world.round().await;
        assert!(world.cluster.names().contains(&"web-pr-2".to_owned()), "{case}: a push");
    }
}

#[tokio::test]
async fn what_is_open_again_or_no_draft_any_more_counts_though_it_is_older_than_its_baseline() {
    type Change = fn(PullRequest) -> PullRequest;
    let old = |ago| PullRequest { created_at: at("2025-12-01T00:00:00Z"), updated_at: now() - TimeDelta::minutes(ago), ..pull(1) };
    let draft: Change = |pull| PullRequest { draft: true, ..pull };
    let closed: Change = |pull| PullRequest { state: SourceState::Closed, ..pull };
    let same: Change = |pull| pull;
    for (case, before, ago, found) in [
        ("it was closed and is open again", closed, 0, true),
        ("it was a draft", draft, 0, true),
        ("the list was empty by mistake", closed, 60, false),
        ("it got a label", same, 0, false),
    ] {
        let mut world = world(&json!({}));
        world.has(pull(2));
        world.has(before(old(300)));
        world.round().await;
        assert_eq!(world.cluster.names(), ["web-pr-2"], "{case}: before");
        world.has(old(ago));
        world.round().await;
        assert_eq!(world.cluster.names().contains(&"web-pr-1".to_owned()), found, "{case}");
    }
}

#[tokio::test]
async fn a_push_counts_that_came_while_its_baseline_could_not_be_used() {
    let mut world = world(&json!({}));
    let old = PullRequest { created_at: at("2025-12-01T00:00:00Z"), updated_at: at("2026-01-02T03:00:00Z"), ..pull(1) };
    world.has(old.clone());
    world.round().await;
    let usable = std::mem::take(&mut *world.cluster.baselines.lock().unwrap());
    world.has(PullRequest { revision: "b".repeat(40).parse().unwrap(), updated_at: at("2026-01-02T05:00:00Z"), ..old });
    let questions = world.forge.0.lock().unwrap().questions;
    world.round().await;
    assert_eq!(world.forge.0.lock().unwrap().questions, questions, "nobody asks for what nobody lists");
    assert!(world.cluster.names().is_empty());
    *world.cluster.baselines.lock().unwrap() = usable;
    world.round().await;
    assert_eq!(world.cluster.names(), ["web-pr-1"]);
}

#[tokio::test]
async fn a_command_whose_delivery_was_lost_is_found_once() {
    let mut world = world(&json!({}));
    world.has(pull(1));
    world.forge.change(|state| state.comments = vec![comment(11, "nice"), comment(12, "/preview pin"), comment(13, "/preview unpin")]);
    for _ in 0..3 {
        world.round().await;
        assert_eq!(world.cluster.commands("web-pr-1"), ["12.1 Pin", "13.1 Unpin"]);
    }
    assert_eq!(world.cluster.writes(), 3);
}

#[tokio::test]
async fn a_command_that_was_answered_where_no_environment_is_is_not_found_again() {
    for (answered_for, found) in [("web-pr-1", vec![]), ("other-pr-1", vec!["web-pr-1"])] {
        let mut world = world(&json!({"pullRequests": "OnCommand"}));
        let written = comment(11, "/preview extend");
        for command in given(ForgeKind::Github, &written).unwrap() {
            world.heard.end(("shop", answered_for), &command, true);
        }
        // Its pull request is in no list, so that nothing but the command makes an object.
        world.forge.change(|state| state.comments = vec![written]);
        for _ in 0..2 {
            world.round().await;
            assert_eq!(world.cluster.names(), found, "{answered_for}");
        }
    }
}

#[tokio::test]
async fn what_was_written_while_nobody_looked_is_found_for_a_week() {
    for (away, found) in [(None, vec!["13.1 Pin"]), (Some(4), vec!["12.1 Unpin", "13.1 Pin"]), (Some(400), vec!["12.1 Unpin", "13.1 Pin"])]
    {
        let mut world = world(&json!({}));
        world.cluster.made("2025-12-01T00:00:00Z");
        world.has(pull(1));
        let days = |id, body, days| {
            let at = now() - TimeDelta::days(days);
            PostedComment { created_at: at, updated_at: at, ..comment(id, body) }
        };
        let written = vec![days(11, "/preview delete", 8), days(12, "/preview unpin", 3), days(13, "/preview pin", 0)];
        world.forge.change(|state| state.comments = written);
        world.resync = world.resync.away_since(away.map(|away| now() - TimeDelta::days(away)));
        for _ in 0..2 {
            world.round().await;
            assert_eq!(world.cluster.commands("web-pr-1"), found, "{away:?}");
        }
    }
}

#[tokio::test]
async fn what_was_written_before_the_baseline_was_made_is_not_found_for_it_and_what_was_lost_is() {
    let mut world = world(&json!({"pullRequests": "OnCommand"}));
    world.has(pull(1));
    world.has(pull(2));
    let written = |id, pull, body, at_: &str| PostedComment { pull, created_at: at(at_), updated_at: at(at_), ..comment(id, body) };
    let before = written(11, 1, "/preview create", "2026-01-01T23:50:00Z");
    let lost = written(12, 2, "/preview create", "2026-01-02T00:10:00Z");
    world.forge.change(|state| state.comments = vec![before, lost]);
    world.round().await;
    assert_eq!(world.cluster.names(), ["web-pr-2"]);
    assert_eq!(world.cluster.commands("web-pr-2"), ["12.1 Create"]);
}

#[tokio::test]
async fn whoever_takes_the_name_of_a_repository_is_not_listened_to() {
    const STRANGER: i64 = 8;
    for known in [None, Some(REPOSITORY)] {
        let mut world = world(&json!({"branches": ["next"]}));
        world.cluster.knows(known);
        world.has(pull(1));
        world.round().await;
        let writes = world.cluster.writes();
        assert_eq!(writes, 1);
        // Everything under the name is another repository's: its pull request 1 is closed, and it has a branch and a command.
        world.forge.change(|state| {
            state.home = Some(STRANGER);
            let closed =
                PullRequest { repository_id: STRANGER, state: SourceState::Closed, updated_at: at("2026-01-02T06:00:00Z"), ..pull(1) };
            state.pulls = [(1, closed), (2, PullRequest { repository_id: STRANGER, ..pull(2) })].into();
            state.branches = [("next".to_owned(), Branch { repository_id: STRANGER, ..branch() })].into();
            state.comments = vec![PostedComment { repository_id: STRANGER, ..comment(11, "/preview delete") }];
        });
        for _ in 0..2 {
            world.round().await;
        }
        assert_eq!((world.cluster.writes(), world.state("web-pr-1")), (writes, Some(SourceState::Open)), "{known:?}");
    }
}

#[tokio::test]
async fn a_fact_is_the_same_whichever_way_it_came() {
    let mut found = world(&json!({}));
    found.has(pull(1));
    found.round().await;
    let delivered = world(&json!({}));
    let baseline = delivered.cluster.baselines.lock().unwrap()[0].clone();
    let fact = fact_of_pull(&baseline, ForgeKind::Github, &pull(1), None).unwrap();
    delivered.cluster.record(&fact).await.unwrap();
    let by = |world: &World| world.cluster.source("web-pr-1").map(|source| preview_env::api::Source { sender: None, ..source });
    assert_eq!(by(&found), by(&delivered));
}

#[tokio::test]
async fn what_is_recorded_from_the_future_or_hides_a_fork_gives_way_to_what_the_forge_lists() {
    for (case, recorded, listed) in [
        ("the future", PullRequest { draft: true, updated_at: Utc::now() + TimeDelta::days(1), ..pull(1) }, pull(1)),
        ("a fork", PullRequest { updated_at: now(), ..pull(1) }, PullRequest { head_repository_id: Some(8), ..pull(1) }),
    ] {
        let mut world = world(&json!({}));
        world.has(pull(1));
        world.round().await;
        let recorded = recorded.to_source(ForgeKind::Github, Some("ann"));
        world.cluster.environments.lock().unwrap().get_mut("web-pr-1").unwrap().spec.sources[0] = recorded;
        world.has(listed.clone());
        world.round().await;
        let source = world.cluster.source("web-pr-1").unwrap();
        assert_eq!((source.draft, source.head_repository_id), (false, listed.head_repository_id), "{case}");
        let writes = world.cluster.writes();
        world.round().await;
        assert_eq!(world.cluster.writes(), writes, "{case}: once");
    }
}
