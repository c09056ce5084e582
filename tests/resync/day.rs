//! A day of events at a team's repository. Whichever delivery is lost, and whichever two arrive in the wrong order: after the
//! next look everything is as if nothing had happened.
//!
//! What the forge lists is found by looking at it. A pressed button stands in no list: the forge alone knows of one whose
//! delivery was lost, and delivers it again when it is asked to.
//!
//! Compared are the pull requests and branches that are open in the evening, with everything that an environment follows from, and
//! which commands are held for each. Nobody leads here, so none is carried out: that comments come to the same in any order, lost and
//! found, is shown in `src/commands/any_order_tests.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use github_double::{Action, Delivery, Double, Hook, Key, NewApp, On, Open, Permission, on};
use preview_env::api::environment::SourceState;
use preview_env::clock::Clock;
use preview_env::config::{GithubConfig, GithubCredential};
use preview_env::domain::RepoName;
use preview_env::forge::github::{Arrival, GitHub, parse};
use preview_env::forge::pace::Limits;
use preview_env::forge::{
    Answer, Branch, ChangedFiles, Check, CheckAction, Comment, Conclusion, Cursor, Deliveries, FailedDeliveries, Forge, Listing,
    PostedComment, PullRequest, RepositoryFacts, Validator,
};
use preview_env::intent::{About, Intent, decide};
use preview_env::metrics::Metrics;
use preview_env::record::Recorder;
use preview_env::resync::{Context, Resync};
use preview_env::server::Environments;
use serde_json::json;

use crate::cluster::Cluster;

const REPO: &str = "acme/web";
/// A stranger's copy of it.
const FORK: &str = "eve/web";
/// Another one of the same owner, which the App has for a moment.
const BESIDE: &str = "acme/beside";
const MORNING: &str = "2026-01-05T08:00:00Z";
const APP: u64 = 7;

/// Something that people do.
enum Deed {
    /// On the forge.
    Act(Action),
    /// A button beside the head of that pull request.
    Press(i64, CheckAction),
    /// GitHub's own "Re-run" there.
    Rerun(i64),
    /// An approval of the commit at the head of that pull request.
    Approve(u64),
    /// To the App's installation.
    Installation(fn(u64) -> Action),
}

/// What happens: seconds after the one before, and the deed.
fn happenings() -> Vec<(i64, Deed)> {
    let push = |branch: &str| Deed::Act(Action::Push { repo: REPO.into(), branch: branch.into(), by: "ann".into(), force: false });
    let on = |number, by, act: fn(On) -> Action| Deed::Act(act(on(REPO, number, by)));
    vec![
        (1, Deed::Act(Open::new(REPO, "faster", "ann").into())),
        // Within the same second.
        (0, on(1, "ann", On::push)),
        (0, on(1, "ann", On::push)),
        (60, on(1, "bob", |on| on.comment("Nice. How does it look?\n\n/preview pin"))),
        (5, push("release/1")),
        (0, push("release/1")),
        (30, Deed::Act(Open::new(REPO, "darker", "bob").into())),
        (1, on(2, "bob", On::to_draft)),
        (600, on(2, "bob", On::force_push)),
        (3, on(2, "bob", |on| on.label("preview"))),
        (2, on(2, "bob", On::ready)),
        (9, on(1, "ann", On::close)),
        (7, on(1, "ann", On::reopen)),
        (1, on(1, "ann", On::push)),
        (300, push("release/2")),
        (20, Deed::Act(Action::DeleteBranch { repo: REPO.into(), branch: "release/1".into(), by: "ann".into() })),
        (2, on(2, "ann", |on| on.comment("/preview extend 24h"))),
        (4, on(2, "ann", |on| on.unlabel("preview"))),
        (1, on(2, "ann", |on| on.retarget("next"))),
        (1, on(2, "bob", On::push)),
        (60, Deed::Act(Open::new(REPO, "third", "ann").into())),
        (1, on(3, "ann", On::merge)),
        (40, on(1, "ann", |on| on.retitle("Much faster"))),
        (1, push("release/2")),
        (90, Deed::Press(1, CheckAction::Rebuild)),
        (2, Deed::Press(2, CheckAction::Delete)),
        (0, Deed::Press(1, CheckAction::Extend)),
        (20, Deed::Act(Open::new(REPO, "gift", "eve").from_fork(FORK).into())),
        (1, Deed::Approve(4)),
        (1, push_to_fork()),
        (8, on(4, "bob", |on| on.label("preview"))),
        (1, on(4, "eve", |on| on.comment("/preview create"))),
        (2, Deed::Approve(4)),
        (1, on(4, "bob", |on| on.unlabel("preview"))),
        (0, on(4, "bob", |on| on.label("later"))),
        (3, Deed::Installation(|installation| Action::Suspend { installation, by: "acme".into() })),
        (3, Deed::Installation(|installation| Action::Unsuspend { installation, by: "acme".into() })),
        (
            1,
            Deed::Installation(|installation| Action::AddRepositories {
                installation,
                repositories: vec![BESIDE.into()],
                by: "acme".into(),
            }),
        ),
        (
            1,
            Deed::Installation(|installation| Action::RemoveRepositories {
                installation,
                repositories: vec![BESIDE.into()],
                by: "acme".into(),
            }),
        ),
        (1, Deed::Rerun(2)),
        (1, push_to_fork()),
    ]
}

fn push_to_fork() -> Deed {
    Deed::Act(Action::PushTo { repo: REPO.into(), number: 4, by: "eve".into(), force: false })
}

/// The deliveries of the day, and the forge as it is in the evening.
struct Day {
    deliveries: Vec<Delivery>,
    evening: Arc<Evening>,
    now: DateTime<Utc>,
    _folder: tempfile::TempDir,
}

/// A repository, two who may write to it, and the App.
fn morning() -> (Double, u64) {
    let double = Double::start().unwrap();
    for login in ["ann", "bob", "eve"] {
        double.add_user(login);
    }
    double.add_private_repository(BESIDE).unwrap();
    double.add_private_repository(REPO).unwrap();
    for login in ["ann", "bob"] {
        double.permit(REPO, login, Permission::Write).unwrap();
    }
    double.permit(REPO, "eve", Permission::Read).unwrap();
    assert_eq!(double.fork(REPO, "eve").unwrap(), FORK);
    let permissions = [("checks", "write"), ("contents", "read"), ("issues", "write"), ("metadata", "read"), ("pull_requests", "write")];
    let app = NewApp::new(APP, "previews", &Key::shared().public).permissions(&permissions);
    let events = ["check_run", "issue_comment", "pull_request", "push", "repository"];
    double.add_app(app.events(&events).webhook(Hook::to("http://127.0.0.1:9/"))).unwrap();
    double.set_time(MORNING.parse().unwrap());
    let installation = double.install(APP, "acme", Some(&[REPO])).unwrap();
    double.act(Action::Push { repo: REPO.into(), branch: "next".into(), by: "ann".into(), force: false }).unwrap();
    (double, installation)
}

async fn record((double, installation): (&Double, u64), github: &GitHub) -> Vec<Delivery> {
    let mut at: DateTime<Utc> = MORNING.parse().unwrap();
    let mut deliveries = Vec::new();
    for (seconds, deed) in happenings() {
        at += TimeDelta::seconds(seconds);
        double.set_time(at);
        let action = match deed {
            Deed::Act(action) => action,
            Deed::Press(number, button) => {
                let (repo, check) = (REPO.to_owned(), check_beside(double, github, number).await);
                Action::Press { repo, check, button: button.as_str().into(), by: "ann".into() }
            }
            Deed::Rerun(number) => {
                Action::Rerequest { repo: REPO.into(), check: check_beside(double, github, number).await, by: "ann".into() }
            }
            Deed::Approve(number) => {
                let head = double.pull(REPO, number).unwrap().head_sha;
                on(REPO, number, "bob").comment(&format!("/preview approve {head}"))
            }
            Deed::Installation(act) => act(installation),
        };
        deliveries.extend(double.act(action).unwrap().deliveries);
    }
    double.set_time(at + TimeDelta::minutes(1));
    deliveries
}

/// The check beside the head, which is there before anything of it is pressed.
async fn check_beside(double: &Double, github: &GitHub, pull: i64) -> u64 {
    let head = double.pull(REPO, pull.unsigned_abs()).unwrap().head_sha;
    let check = Check {
        name: "preview / shop/main".into(),
        revision: head,
        pull: Some(pull),
        made_at: None,
        conclusion: Some(Conclusion::Success),
        title: "is ready".into(),
        summary: "is ready".into(),
        url: None,
        actions: CheckAction::ALL.to_vec(),
    };
    github.checks().unwrap().create(&REPO.parse().unwrap(), &check).await.unwrap().unwrap().unsigned_abs()
}

async fn day() -> Day {
    let (double, installation) = morning();
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key.pem");
    std::fs::write(&key_file, Key::shared().private).unwrap();
    let credential = GithubCredential::App { id: APP.to_string().parse().unwrap(), key_file };
    let github = GitHub::new(GithubConfig::with(double.base_url(), credential).unwrap().with_limits(Limits::NONE)).unwrap();
    let deliveries = record((&double, installation), &github).await;
    let evening = Arc::new(Evening::of(&github).await);
    assert_eq!(double.contract_violations(), []);
    Day { deliveries, evening, now: double.now(), _folder: folder }
}

/// What GitHub answers in the evening, asked once: a look at it costs nothing then.
struct Evening {
    home: RepositoryFacts,
    pulls: BTreeMap<i64, PullRequest>,
    branches: Vec<Branch>,
    comments: Vec<PostedComment>,
    questions: Mutex<usize>,
    log: Mutex<Log>,
}

/// What an App's log of deliveries says.
#[derive(Default)]
struct Log {
    /// What could not be delivered.
    failed: Vec<i64>,
    /// What was asked for again.
    again: Vec<i64>,
}

impl Deliveries for Evening {
    fn failed_since<'a>(&'a self, _: DateTime<Utc>, _: Option<&'a Cursor>) -> Answer<'a, FailedDeliveries> {
        let deliveries = self.log.lock().unwrap().failed.clone();
        self.answer(Some(FailedDeliveries { deliveries, newest: None, rest: None }))
    }

    fn redeliver(&self, delivery: i64) -> Answer<'_, ()> {
        self.log.lock().unwrap().again.push(delivery);
        self.answer(Some(()))
    }
}

impl Evening {
    async fn of(github: &GitHub) -> Self {
        let name: RepoName = REPO.parse().unwrap();
        let Listing::Now { items: open, .. } = github.open_pulls(&name, None).await.unwrap() else { panic!("no list") };
        let mut pulls: BTreeMap<i64, PullRequest> = open.into_iter().map(|pull| (pull.number, pull)).collect();
        for number in 1..=4 {
            pulls.insert(number, github.pull_request(&name, number).await.unwrap());
        }
        let Listing::Now { items: branches, .. } = github.branches(&name, None).await.unwrap() else { panic!("no list") };
        let since = MORNING.parse().unwrap();
        let Listing::Now { items: comments, .. } = github.comments_since(&name, since, None).await.unwrap() else { panic!("no list") };
        Self {
            home: github.repository(&name).await.unwrap(),
            pulls,
            branches,
            comments,
            questions: Mutex::default(),
            log: Mutex::default(),
        }
    }

    fn answer<T: Send + 'static>(&self, found: Option<T>) -> Answer<'static, T> {
        *self.questions.lock().unwrap() += 1;
        let answer = found.ok_or_else(|| preview_env::forge::ForgeError::NotFound("it".into()));
        std::future::ready(answer).boxed()
    }
}

impl Forge for Evening {
    fn repository<'a>(&'a self, _: &'a RepoName) -> Answer<'a, RepositoryFacts> {
        self.answer(Some(self.home.clone()))
    }

    fn pull_request<'a>(&'a self, _: &'a RepoName, number: i64) -> Answer<'a, PullRequest> {
        self.answer(self.pulls.get(&number).cloned())
    }

    fn open_pulls<'a>(&'a self, _: &'a RepoName, _: Option<&'a Validator>) -> Answer<'a, Listing<PullRequest>> {
        let open = self.pulls.values().filter(|pull| pull.state == SourceState::Open).cloned().collect();
        self.answer(Some(Listing::Now { items: open, validator: None }))
    }

    fn changed_files<'a>(&'a self, _: &'a RepoName, _: i64) -> Answer<'a, ChangedFiles> {
        self.answer(None)
    }

    fn branch<'a>(&'a self, _: &'a RepoName, name: &'a str) -> Answer<'a, Branch> {
        self.answer(self.branches.iter().find(|branch| branch.name == name).cloned())
    }

    fn branches<'a>(&'a self, _: &'a RepoName, _: Option<&'a Validator>) -> Answer<'a, Listing<Branch>> {
        self.answer(Some(Listing::Now { items: self.branches.clone(), validator: None }))
    }

    fn comments_since<'a>(&'a self, _: &'a RepoName, since: DateTime<Utc>, _: Option<&'a Validator>) -> Answer<'a, Listing<PostedComment>> {
        let items = self.comments.iter().filter(|comment| comment.updated_at >= since).cloned().collect();
        self.answer(Some(Listing::Now { items, validator: None }))
    }

    fn deliveries(&self) -> Option<&dyn Deliveries> {
        Some(self)
    }

    fn find_comments<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a [&'a str]) -> Answer<'a, Vec<Comment>> {
        self.answer(None)
    }

    fn create_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Answer<'a, i64> {
        self.answer(None)
    }

    fn edit_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Answer<'a, ()> {
        self.answer(None)
    }
}

/// What is open in the end, with everything that an environment follows from; and the commands that are held to be carried out.
type Outcome = BTreeMap<String, String>;

/// With the log of what failed: of all that was lost it is asked for presses alone, so that the rest is found by looking.
async fn live(day: &Day, heard: &[&Delivery]) -> Outcome {
    let is_lost = |delivery: &&Delivery| heard.iter().all(|one| one.id != delivery.id);
    let presses = day.deliveries.iter().filter(|delivery| delivery.event == "check_run");
    let failed = presses.filter(is_lost).map(|delivery| delivery.id.cast_signed()).collect();
    live_with(day, heard, failed).await
}

async fn live_with(day: &Day, deliveries: &[&Delivery], failed: Vec<i64>) -> Outcome {
    *day.evening.log.lock().unwrap() = Log { failed, again: vec![] };
    let trigger = json!({"branches": ["release/*"], "drafts": true});
    let cluster = Cluster::with(json!({"repositories": [{"name": REPO}], "trigger": trigger}), "2026-01-05T07:00:00Z");
    for delivery in deliveries {
        take(&cluster, delivery).await;
    }
    let context = Context {
        forge: day.evening.clone(),
        baselines: cluster.clone(),
        environments: cluster.clone(),
        recorder: cluster.clone(),
        heard: Arc::default(),
        activities: cluster.clone(),
        brake: cluster.clone(),
        soon: Arc::default(),
        confirmed: Arc::default(),
        metrics: Metrics::new(),
        clock: Clock::default(),
    };
    let mut resync = Resync::new(context, day.now);
    resync.round(day.now).await;
    let again = day.evening.log.lock().unwrap().again.clone();
    for delivery in day.deliveries.iter().filter(|delivery| again.contains(&delivery.id.cast_signed())) {
        take(&cluster, delivery).await;
    }
    day.evening.log.lock().unwrap().failed.clear();
    let writes = cluster.writes();
    resync.round(day.now).await;
    assert_eq!(cluster.writes(), writes, "the second look finds nothing more");
    outcome(&cluster)
}

async fn take(cluster: &Cluster, delivery: &Delivery) {
    let event = parse(&Arrival { event: &delivery.event, at: Utc::now() }, &delivery.body).unwrap();
    let existing = About::of(&event).map(|about| cluster.about(&about)).unwrap_or_default();
    let baselines = cluster.baselines.lock().unwrap().clone();
    match decide(&event, &baselines, &existing) {
        Intent::Record(facts) => {
            for fact in &facts {
                cluster.record(fact).await.unwrap();
            }
        }
        Intent::Command(commands) => {
            for command in &commands {
                cluster.command(command).await.unwrap();
            }
        }
        Intent::Ignore(_) | Intent::Pong => {}
    }
}

fn outcome(cluster: &Cluster) -> Outcome {
    let mut outcome = Outcome::new();
    for name in cluster.names() {
        let Some(source) = cluster.source(&name).filter(|source| source.state == SourceState::Open) else { continue };
        let (revision, base) = (source.revision, source.base_branch.unwrap_or_default());
        let mut commands = cluster.commands(&name);
        commands.sort();
        let place = if source.pull.is_some() && source.head_repository_id != Some(source.repository_id) { "elsewhere" } else { "here" };
        let is = format!("from {place} into {base:?} draft {} labels {:?}", source.draft, source.labels);
        outcome.insert(name, format!("{revision} {is} commands {commands:?}"));
    }
    outcome
}

#[tokio::test]
async fn a_day_ends_the_same_whichever_delivery_is_lost_and_whichever_two_change_places() {
    let day = day().await;
    let all: Vec<&Delivery> = day.deliveries.iter().collect();
    let expected = live(&day, &all).await;
    assert_eq!(expected.len(), 4, "three pull requests and a branch are open: {expected:#?}");
    assert!(expected.values().any(|held| held.contains("Pin")) && expected.values().any(|held| held.contains("Extend")), "{expected:#?}");
    let gift = &expected["web-pr-4"];
    assert!(gift.contains("from elsewhere") && gift.contains("later") && gift.matches("Approve").count() == 2, "{gift}");
    for lost in 0..all.len() {
        let mut heard = all.clone();
        let delivery = heard.remove(lost);
        assert_eq!(live(&day, &heard).await, expected, "without {} {:?}, number {lost}", delivery.event, delivery.action);
    }
    for first in 0..all.len() {
        for second in first + 1..all.len() {
            let mut heard = all.clone();
            heard.swap(first, second);
            let what = |at: usize| format!("{} {:?}", all[at].event, all[at].action);
            assert_eq!(live(&day, &heard).await, expected, "{first} {} and {second} {} in the other order", what(first), what(second));
        }
    }
    // Nothing was heard at all.
    assert_eq!(live(&day, &[]).await, expected);
}

#[tokio::test]
async fn a_lost_press_is_found_again_by_nothing_but_its_delivery() {
    let day = day().await;
    let all: Vec<&Delivery> = day.deliveries.iter().collect();
    let expected = live(&day, &all).await;
    let presses: Vec<usize> = (0..all.len()).filter(|at| all[*at].event == "check_run").collect();
    assert_eq!(presses.len(), 4);
    for at in presses {
        let mut heard = all.clone();
        heard.remove(at);
        assert_ne!(live_with(&day, &heard, vec![]).await, expected, "the forge does not say it in any list");
        assert_eq!(live_with(&day, &heard, vec![all[at].id.cast_signed()]).await, expected);
        // Delivered twice, as where the first answer was lost.
        assert_eq!(live_with(&day, &all, vec![all[at].id.cast_signed()]).await, expected);
    }
}
