//! A GitHub that loses its mind for an hour, each way that it can, while fifty environments run: none is lost, none is wrongly
//! deleted, and five minutes after all is right. By default GitHub is asked every five minutes; here it is every five seconds, so
//! an hour is the twelve rounds of questions that it would be. The five minutes after it are real ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{TryStreamExt, stream};
use github_double::{Action, Failure, Fault, Open, on};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use preview_env::api::PreviewEnvironment;
use preview_env::api::conditions::{READY, is_true};
use preview_env::api::names::LABEL_ENVIRONMENT_UID;
use serde_json::json;
use test_world::{BOT, DEVELOPER, OWNER, Setup, World, wait_for};
use tokio::time::{interval, timeout};

use crate::tale::{LOOK, baseline};

/// Baselines, each with a repository of its own.
const BASELINES: [&str; 5] = ["lied0", "lied1", "lied2", "lied3", "lied4"];
/// Pull requests of each.
const PULLS: u64 = 10;
/// How often GitHub is asked.
const EVERY: &str = "5s";
/// Rounds of questions in an hour, by default.
const ROUNDS: u64 = 12;
/// How late an answer is that nobody waits for any more.
const LATE: Duration = Duration::from_secs(30);
/// Until when all is to be right.
const AFTER: Duration = Duration::from_secs(300);

/// One environment: its baseline and its pull request.
type Pull = (&'static str, u64);
/// Who each environment and its namespace are, by UID.
type Identities = BTreeMap<Pull, (String, String)>;

/// What happens while it lies, each time in another baseline: an hour is a minute here, and the brake would hold what four of them found
/// within ten minutes.
struct Happened(&'static str);

const CLOSED: u64 = 1;
const PUSHED: u64 = 2;
const OPENED: u64 = PULLS + 1;

fn repository(baseline: &str) -> String {
    format!("{OWNER}/{baseline}")
}

fn name_of(pull: u64) -> String {
    format!("web-pr-{pull}")
}

fn revision(world: &World, (baseline, pull): Pull) -> Result<String> {
    Ok(world.github.pull(&repository(baseline), pull)?.head_sha)
}

/// Waits until an environment runs the commit at its head.
async fn ready(world: &World, pull: Pull) -> Result<()> {
    let revision = revision(world, pull)?;
    let fits = |e: Option<&PreviewEnvironment>| {
        e.and_then(|e| e.status.as_ref()).is_some_and(|s| is_true(&s.conditions, READY) && s.revision.as_ref() == Some(&revision))
    };
    wait_for(&world.environments(pull.0), &name_of(pull.1), "Ready at its head", fits).await.map(drop)
}

/// The service as it is where GitHub cannot reach it.
async fn begin() -> Result<World> {
    let cluster = test_cluster::Options { controller_requests_per_second: Some(200), ..test_cluster::Options::default() };
    let world = World::start_with(Path::new(env!("CARGO_BIN_EXE_preview")), Setup { cluster, ..Setup::default() }).await?;
    {
        let mut service = world.service.lock().await;
        service.kill();
        service.poll(Some(EVERY));
        service.launch()?;
        service.wait_until_ready().await?;
    }
    let more = json!({"limits": {"perAuthor": 50}});
    stream::iter(BASELINES.map(anyhow::Ok)).try_for_each_concurrent(None, |name| baseline(&world, name, more.clone())).await?;
    for name in BASELINES {
        for number in 1..=PULLS {
            world.github.act(Open::new(&repository(name), &format!("branch-{number}"), DEVELOPER))?;
        }
    }
    let all = BASELINES.iter().flat_map(|name| (1..=PULLS).map(move |number| anyhow::Ok((*name, number))));
    stream::iter(all).try_for_each_concurrent(None, |pull| ready(&world, pull)).await?;
    Ok(world)
}

/// Who is there.
async fn identities(world: &World) -> Result<Identities> {
    let selected = ListParams::default().labels(LABEL_ENVIRONMENT_UID);
    let namespaces = Api::<Namespace>::all(world.admin.clone()).list_metadata(&selected).await?.items;
    let going = |namespace: &&kube::core::PartialObjectMeta<Namespace>| namespace.metadata.deletion_timestamp.is_none();
    let by_name: BTreeMap<String, String> = namespaces.iter().filter(going).map(|n| (n.name_any(), n.uid().unwrap_or_default())).collect();
    let mut all = Identities::new();
    for name in BASELINES {
        for environment in world.environments(name).list(&ListParams::default()).await?.items {
            let number = environment.name_any().trim_start_matches("web-pr-").parse()?;
            let namespace = by_name.get(&format!("{name}-{}", environment.name_any())).cloned().unwrap_or_default();
            all.insert((name, number), (environment.uid().unwrap_or_default(), namespace));
        }
    }
    Ok(all)
}

/// How many rounds of questions there were so far, by the service's own count: one for each repository.
async fn rounds(world: &World) -> Result<u64> {
    let text = test_world::get(&world.service.lock().await.url("/metrics")).await?.body;
    let counts = text.lines().filter(|line| line.starts_with("preview_resyncs_total{")).filter_map(|line| line.rsplit_once(' '));
    let all: u64 = counts.map(|(_, count)| count.parse::<u64>()).sum::<Result<u64, _>>()?;
    Ok(all / BASELINES.len() as u64)
}

/// Does a few things while GitHub lies, and waits until the hour is over.
async fn lie(world: &World, failure: Failure, happened: &Happened) -> Result<()> {
    let before = rounds(world).await?;
    world.github.inject(Fault::always(failure));
    let repository = repository(happened.0);
    world.github.act(on(&repository, CLOSED, DEVELOPER).close())?;
    world.github.act(Action::PushTo { repo: repository.clone(), number: PUSHED, by: DEVELOPER.to_owned(), force: false })?;
    let opened = world.github.act(Open::new(&repository, &format!("branch-{OPENED}"), DEVELOPER))?.number();
    ensure!(opened == OPENED, "the next number is {opened}");
    let hour = async {
        let mut ticks = interval(LOOK);
        while rounds(world).await? < before + ROUNDS {
            ticks.tick().await;
        }
        anyhow::Ok(())
    };
    timeout(2 * AFTER, hour).await.context("GitHub is not asked any more")?
}

/// Waits until what happened meanwhile is known.
async fn right(world: &World, happened: &Happened) -> Result<()> {
    let Happened(name) = *happened;
    let gone = |e: Option<&PreviewEnvironment>| e.is_none();
    let closed = async { wait_for(&world.environments(name), &name_of(CLOSED), "gone", gone).await.map(drop) };
    tokio::try_join!(closed, ready(world, (name, PUSHED)), ready(world, (name, OPENED))).map(drop)
}

/// Every environment says that its pull request shows it, in one comment.
async fn told(world: &World, all: &Identities) -> Result<()> {
    let shown = stream::iter(all.keys().map(anyhow::Ok)).try_for_each_concurrent(None, async |(name, number)| {
        let told = |e: Option<&PreviewEnvironment>| e.is_some_and(crate::stories::is_told);
        wait_for(&world.environments(name), &name_of(*number), "told", told).await?;
        let comments = world.github.comments(&repository(name), *number);
        let ours = comments.iter().filter(|comment| world.github.login(comment.author) == BOT).count();
        ensure!(ours == 1, "{name} {number} has {ours} comments of ours");
        Ok(())
    });
    shown.await
}

#[test]
#[ignore = "it takes minutes: make test-faults"]
fn a_forge_that_loses_its_mind_for_an_hour_costs_no_environment() {
    let ways = [
        ("a page of HTML", Failure::page()),
        ("an empty list", Failure::empty_list()),
        ("404", Failure::status(404)),
        ("500", Failure::status(500)),
        ("an answer that is too late", Failure::late_answer(LATE)),
    ];
    let telling = async {
        let world = begin().await?;
        for ((way, failure), name) in ways.into_iter().zip(BASELINES) {
            let happened = Happened(name);
            let before = identities(&world).await?;
            ensure!(before.len() as u64 == 5 * PULLS && before.values().all(|(_, namespace)| !namespace.is_empty()), "{before:?}");
            lie(&world, failure, &happened).await.context(way)?;
            ensure!(identities(&world).await? == before, "{way}: something is lost or made anew");
            world.github.clear_faults();
            let began = Instant::now();
            timeout(AFTER, Box::pin(right(&world, &happened))).await.with_context(|| format!("{way}: not right after five minutes"))??;
            let after = identities(&world).await?;
            timeout(AFTER, told(&world, &after)).await.with_context(|| format!("{way}: not told after five minutes"))??;
            println!("{way} to everything for {ROUNDS} rounds: all right {:.1} s after", began.elapsed().as_secs_f64());
            let changed: BTreeSet<Pull> = [(name, CLOSED), (name, OPENED)].into();
            let kept = |all: &Identities| -> Identities { all.clone().into_iter().filter(|(pull, _)| !changed.contains(pull)).collect() };
            ensure!(kept(&before) == kept(&after) && after.len() == before.len(), "{way}: something else changed");
        }
        world.cluster.end();
        Ok(())
    };
    tokio::runtime::Runtime::new().unwrap().block_on(telling).unwrap();
}
