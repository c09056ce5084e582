//! A day of events at a team's repository. Whichever delivery is lost, and whichever two arrive in the wrong order: after the
//! next look everything is as if nothing had happened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use github_double::{Action, Delivery, Double, Hook, Open, Permission, on};
use preview_env::api::environment::SourceState;
use preview_env::config::GithubConfig;
use preview_env::domain::RepoName;
use preview_env::forge::github::{Arrival, GitHub, parse};
use preview_env::forge::{Answer, Branch, ChangedFiles, Comment, Forge, Listing, PostedComment, PullRequest, RepositoryFacts, Validator};
use preview_env::intent::{About, Intent, decide};
use preview_env::metrics::Metrics;
use preview_env::record::Recorder;
use preview_env::resync::{Context, Resync};
use preview_env::server::Environments;
use serde_json::json;

use crate::cluster::Cluster;

const REPO: &str = "acme/web";
const MORNING: &str = "2026-01-05T08:00:00Z";

/// What happens: seconds after the one before, and the action.
fn happenings() -> Vec<(i64, Action)> {
    let push = |branch: &str| Action::Push { repo: REPO.into(), branch: branch.into(), by: "ann".into(), force: false };
    vec![
        (1, Open::new(REPO, "faster", "ann").into()),
        // Within the same second.
        (0, on(REPO, 1, "ann").push()),
        (0, on(REPO, 1, "ann").push()),
        (60, on(REPO, 1, "bob").comment("Nice. How does it look?\n\n/preview pin")),
        (5, push("release/1")),
        (0, push("release/1")),
        (30, Open::new(REPO, "darker", "bob").into()),
        (1, on(REPO, 2, "bob").to_draft()),
        (600, on(REPO, 2, "bob").force_push()),
        (3, on(REPO, 2, "bob").label("preview")),
        (2, on(REPO, 2, "bob").ready()),
        (9, on(REPO, 1, "ann").close()),
        (7, on(REPO, 1, "ann").reopen()),
        (1, on(REPO, 1, "ann").push()),
        (300, push("release/2")),
        (20, Action::DeleteBranch { repo: REPO.into(), branch: "release/1".into(), by: "ann".into() }),
        (2, on(REPO, 2, "ann").comment("/preview extend 24h")),
        (4, on(REPO, 2, "ann").unlabel("preview")),
        (1, on(REPO, 2, "ann").retarget("next")),
        (1, on(REPO, 2, "bob").push()),
        (60, Open::new(REPO, "third", "ann").into()),
        (1, on(REPO, 3, "ann").merge()),
        (40, on(REPO, 1, "ann").retitle("Much faster")),
        (1, push("release/2")),
    ]
}

/// The deliveries of the day, and the forge as it is in the evening.
struct Day {
    deliveries: Vec<Delivery>,
    evening: Arc<Evening>,
    now: DateTime<Utc>,
    _folder: tempfile::TempDir,
}

fn record(double: &Double) -> Vec<Delivery> {
    for login in ["ann", "bob"] {
        double.add_user(login);
    }
    double.add_user("preview-bot");
    double.add_token("preview-bot", "t0ken").unwrap();
    double.add_private_repository(REPO).unwrap();
    for login in ["ann", "bob", "preview-bot"] {
        double.permit(REPO, login, Permission::Write).unwrap();
    }
    let mut hook = Hook::to("http://127.0.0.1:9/");
    hook.events = vec!["*".to_owned()];
    double.add_webhook(hook).unwrap();
    let mut at: DateTime<Utc> = MORNING.parse().unwrap();
    double.set_time(at);
    double.act(Action::Push { repo: REPO.into(), branch: "next".into(), by: "ann".into(), force: false }).unwrap();
    let mut deliveries = Vec::new();
    for (seconds, action) in happenings() {
        at += TimeDelta::seconds(seconds);
        double.set_time(at);
        deliveries.extend(double.act(action).unwrap().deliveries);
    }
    double.set_time(at + TimeDelta::minutes(1));
    deliveries
}

async fn day() -> Day {
    let double = Double::start().unwrap();
    let deliveries = record(&double);
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "t0ken").unwrap();
    let github = GitHub::new(GithubConfig::new(double.base_url(), token).unwrap()).unwrap();
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
}

impl Evening {
    async fn of(github: &GitHub) -> Self {
        let name: RepoName = REPO.parse().unwrap();
        let Listing::Now { items: open, .. } = github.open_pulls(&name, None).await.unwrap() else { panic!("no list") };
        let mut pulls: BTreeMap<i64, PullRequest> = open.into_iter().map(|pull| (pull.number, pull)).collect();
        for number in 1..=3 {
            pulls.insert(number, github.pull_request(&name, number).await.unwrap());
        }
        let Listing::Now { items: branches, .. } = github.branches(&name, None).await.unwrap() else { panic!("no list") };
        let since = MORNING.parse().unwrap();
        let Listing::Now { items: comments, .. } = github.comments_since(&name, since, None).await.unwrap() else { panic!("no list") };
        Self { home: github.repository(&name).await.unwrap(), pulls, branches, comments, questions: Mutex::default() }
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

    fn find_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Answer<'a, Option<Comment>> {
        self.answer(None)
    }

    fn create_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Answer<'a, i64> {
        self.answer(None)
    }

    fn edit_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Answer<'a, ()> {
        self.answer(None)
    }
}

/// What is open in the end, with everything that an environment follows from; and the commands that are to be executed.
type Outcome = BTreeMap<String, String>;

async fn live(day: &Day, deliveries: &[&Delivery]) -> Outcome {
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
        brake: cluster.clone(),
        soon: Arc::default(),
        metrics: Metrics::new(),
    };
    let mut resync = Resync::new(context, day.now);
    resync.round(day.now).await;
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
        outcome.insert(name, format!("{revision} into {base:?} draft {} labels {:?} commands {commands:?}", source.draft, source.labels));
    }
    outcome
}

#[tokio::test]
async fn a_day_ends_the_same_whichever_delivery_is_lost_and_whichever_two_change_places() {
    let day = day().await;
    let all: Vec<&Delivery> = day.deliveries.iter().collect();
    let expected = live(&day, &all).await;
    assert_eq!(expected.len(), 3, "two pull requests and a branch are open: {expected:#?}");
    assert!(expected.values().any(|held| held.contains("Pin")) && expected.values().any(|held| held.contains("Extend")), "{expected:#?}");
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
