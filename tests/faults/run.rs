//! Tells the stories, each with each fault, many at the same time, and compares how they end.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use github_double::On;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::Value;
use test_cluster::{Event, Mark};
use test_world::BOT;
use tokio::sync::{Barrier, OnceCell, SetOnce};
use tokio::time::interval;

use crate::ending;
use crate::rules::{Fault, Mishap, Seen, row_of_namespace};
use crate::stage::Stage;
use crate::table::{ALONE, FOR_ALL, Line, Nth, STORIES, Story};
use crate::tale::{LOOK, NUMBER, Tale};
use crate::words::differences;

/// How many stories are told at the same time.
const AT_ONCE: usize = 14;
/// How long a story may take to its end from when it should be there, or from the end of the last outage. Pauses after failures
/// double.
const PATIENCE: Duration = Duration::from_secs(150);
/// How often nothing may have changed until a story is taken to be at its end.
const STILL: usize = 24;
/// Beginning of the names of rows.
const ROW: &str = "row";
/// Names the rows to tell, in part: all whose names hold it.
const ONLY: &str = "FAULTS_ONLY";
/// Names a file with what an earlier run printed: rows that ended well in it are not told again.
const DONE: &str = "FAULTS_DONE";
/// Stands between how long a row took and its name, where it ended as it should.
const ENDED: &str = " s  ";

/// How a story ends where nothing goes wrong.
struct Expected {
    shown: Value,
    objects: Value,
    writes: usize,
}

/// One story with one thing that goes wrong.
struct Row {
    name: String,
    story: &'static Story,
    mishap: Mishap,
    nth: usize,
    /// Those that begin at the same time, since they are to share an outage.
    together: Option<Arc<Barrier>>,
}

/// What came of a row.
struct Told {
    name: String,
    took: Duration,
    happened: bool,
    failure: Option<String>,
}

/// One runtime and one stage for all tests, so that what one of them starts outlives it.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: std::sync::OnceLock<tokio::runtime::Runtime> = std::sync::OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().expect("a runtime"))
}

pub async fn stage() -> &'static Stage {
    static STAGE: OnceCell<&'static Stage> = OnceCell::const_new();
    STAGE.get_or_init(async || Stage::start().await.expect("the stage is set")).await
}

/// All are of the same length, since what is printed is aligned.
pub fn next_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(1_000);
    format!("{ROW}{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Story {
    /// Tells it where nothing goes wrong, and waits until nothing changes any more.
    async fn as_it_should_be(&'static self, stage: &'static Stage) -> Result<Expected> {
        let tale = Tale::begin(stage, next_name(), (self.lifetime)()).await?;
        stage.rules.begin(&tale.name, None, stage.version().await?);
        (self.tell)(&tale).await.with_context(|| self.name)?;
        let shown = still(&tale).await?;
        let objects = ending::objects(&tale).await?;
        let Seen { writes, .. } = stage.rules.end(&tale.name);
        take_leave(&tale).await.with_context(|| self.name)?;
        Ok(Expected { shown, objects, writes })
    }
}

/// How things are once nothing has changed for some time.
async fn still(tale: &Tale) -> Result<Value> {
    let (mut last, mut same, mut ticks) = (Value::Null, 0, interval(LOOK));
    while same < STILL {
        ticks.tick().await;
        let shown = ending::shown(tale).await?;
        same = if shown == last { same + 1 } else { 0 };
        last = shown;
    }
    Ok(last)
}

impl Row {
    async fn run(self, stage: &'static Stage, expected: &SetOnce<Expected>) -> Told {
        let (began, name) = (Instant::now(), next_name());
        let told = self.tell(stage, expected, name.clone()).await;
        let Seen { happened, .. } = stage.rules.end(&name);
        let failure = match told {
            Ok(happened) => {
                println!("{:.0}{ENDED}{}", began.elapsed().as_secs_f64(), self.name);
                return Told { name: self.name, took: began.elapsed(), happened, failure: None };
            }
            Err(error) => {
                format!("{} ({name}): {error:#}\nthe last that the service's log says of {name}:\n{}", self.name, stage.log_about(&name))
            }
        };
        eprintln!("{failure}");
        Told { name: self.name, took: began.elapsed(), happened, failure: Some(failure) }
    }

    /// Whether it went wrong as it was to.
    async fn tell(&self, stage: &'static Stage, expected: &SetOnce<Expected>, name: String) -> Result<bool> {
        let tale = Tale::begin(stage, name, (self.story.lifetime)()).await.context("its baseline")?;
        if let Some(together) = &self.together {
            // One whose baseline is not there in time is not waited for.
            let _ = tokio::time::timeout(PATIENCE, together.wait()).await;
        }
        stage.rules.begin(&tale.name, Some((self.mishap, self.nth)), stage.version().await?);
        (self.story.tell)(&tale).await?;
        wait_until_as(&tale, expected.wait().await).await?;
        let Seen { happened, .. } = stage.rules.end(&tale.name);
        take_leave(&tale).await?;
        Ok(happened)
    }
}

/// Waits until everything is as it is where nothing goes wrong.
async fn wait_until_as(tale: &Tale, expected: &Expected) -> Result<()> {
    let (began, mut ticks) = (Instant::now(), interval(2 * LOOK));
    loop {
        ticks.tick().await;
        let mut found = differences(&expected.shown, &ending::shown(tale).await?);
        if found.is_empty() {
            found = differences(&expected.objects, &ending::objects(tale).await?);
        }
        if found.is_empty() {
            return Ok(());
        }
        let since = tale.stage.rules.up_since().map_or(began, |up| up.max(began));
        ensure!(since.elapsed() < PATIENCE, "it does not end as it should:\n  {}", found.join("\n  "));
    }
}

/// Closes the pull request, unless it was, and looks at what is left. Then the row makes room for others.
async fn take_leave(tale: &Tale) -> Result<()> {
    if tale.world().github.pull(&tale.repository(), NUMBER)?.is_open() {
        tale.act(On::close).await?;
    }
    tale.wait_until_gone().await?;
    let none_left = async {
        let mut ticks = interval(2 * LOOK);
        loop {
            ticks.tick().await;
            let left = ending::left(tale).await?;
            if left.is_empty() {
                return anyhow::Ok(());
            }
        }
    };
    if tokio::time::timeout(test_world::deadline(), none_left).await.is_err() {
        anyhow::bail!("this is left of it: {:?}", ending::left(tale).await?);
    }
    let github = &tale.world().github;
    let comments = github.comments(&tale.repository(), NUMBER).into_iter().filter(|c| github.login(c.author) == BOT).count();
    ensure!(comments <= 1, "it has {comments} comments of ours");
    let namespaces: Api<Namespace> = Api::all(tale.world().admin.clone());
    namespaces.delete(&tale.name, &DeleteParams::background()).await?;
    Ok(())
}

/// How each story ends, once it was told.
type AllExpected = BTreeMap<&'static str, SetOnce<Expected>>;

/// Tells every story where nothing goes wrong.
async fn expect(stage: &'static Stage, all: &AllExpected) -> Result<()> {
    let telling = stream::iter(&STORIES).map(async |story| {
        let ended = story.as_it_should_be(stage).await?;
        all[story.name].set(ended).map_err(|_| anyhow::anyhow!("{} is told twice", story.name))
    });
    telling.buffer_unordered(STORIES.len()).try_collect().await
}

fn row(story: &'static Story, line: &Line, nth: usize) -> Row {
    Row { name: format!("{}: {} (number {nth})", story.name, line.name), story, mishap: line.mishap, nth, together: None }
}

/// A story with a line, as often as the whole table has it.
fn of(story: &'static Story, line: &Line, expected: &AllExpected) -> Vec<Row> {
    let nths = match line.nth {
        Nth::Each => (1..=expected[story.name].get().map_or(0, |expected| expected.writes)).collect(),
        Nth::These(these) => these.to_vec(),
    };
    nths.into_iter().map(|nth| row(story, line, nth)).collect()
}

/// Every story with every line of what goes wrong for one story alone.
fn each_alone(expected: &AllExpected) -> Vec<Row> {
    STORIES.iter().flat_map(|story| ALONE.iter().flat_map(move |line| of(story, line, expected))).collect()
}

/// The same of what goes wrong for all that are told at the time, line by line. Stories that are to meet an outage at the same point begin
/// at the same time, and so share it.
fn each_for_all(expected: &AllExpected) -> Vec<Vec<Row>> {
    let batches = |line: &Line| {
        let mut by_nth: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
        for row in STORIES.iter().flat_map(|story| of(story, line, expected)) {
            let of_batch = if matches!(line.mishap.fault, Fault::Down(_)) { row.nth } else { 0 };
            by_nth.entry(of_batch).or_default().push(row);
        }
        by_nth.into_values()
    };
    FOR_ALL.iter().flat_map(batches).collect()
}

/// Has rows begin at the same time that are to share an outage: a second one soon after the first makes pauses longer than anybody
/// waits.
fn together(mut rows: Vec<Row>) -> Vec<Row> {
    let are_many = (2..=AT_ONCE).contains(&rows.len());
    if are_many && rows.iter().all(|row| matches!(row.mishap.fault, Fault::Down(_))) {
        let barrier = Arc::new(Barrier::new(rows.len()));
        for row in &mut rows {
            row.together = Some(Arc::clone(&barrier));
        }
    }
    rows
}

/// Every story with each fifth line, from another one on than the story before.
fn part(lines: &'static [Line]) -> Vec<Row> {
    let lines = || lines.iter().filter(|line| line.part > 0);
    let stories = STORIES.iter().enumerate();
    stories.flat_map(|(at, story)| lines().skip(at % 5).step_by(5).map(move |line| row(story, line, line.part))).collect()
}

/// Which rows are asked for.
struct Asked {
    only: String,
    done: HashSet<String>,
}

impl Asked {
    fn read() -> Result<Self> {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let done = match variable(DONE) {
            none if none.is_empty() => String::new(),
            file => std::fs::read_to_string(&file).with_context(|| format!("{DONE} names {file}"))?,
        };
        let done = done.lines().filter_map(|line| line.split_once(ENDED)).map(|(_, name)| name.to_owned()).collect();
        Ok(Self { only: variable(ONLY), done })
    }

    fn holds(&self, row: &Row) -> bool {
        row.name.contains(&self.only) && !self.done.contains(&row.name)
    }
}

async fn run(stage: &'static Stage, rows: impl IntoIterator<Item = Row>, (expected, asked): (&AllExpected, &Asked)) -> Vec<Told> {
    let rows: Vec<Row> = rows.into_iter().filter(|row| asked.holds(row)).collect();
    stream::iter(together(rows))
        .map(|row| {
            let expected = &expected[row.story.name];
            row.run(stage, expected)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// What the service wrote where it has nothing to write.
fn strange_writes(events: &[Event]) -> Vec<String> {
    let is_write = |e: &&Event| e.user.ends_with(":preview-env:preview-env") && !matches!(e.verb.as_str(), "get" | "list" | "watch");
    let is_ours = |e: &Event| match (e.group.as_str(), e.resource.as_str()) {
        ("authentication.k8s.io" | "authorization.k8s.io", _) => true,
        ("coordination.k8s.io", "leases") => e.namespace == "preview-env",
        ("preview-env.dev", "previewenvironments" | "baselines") => is_row(&e.namespace),
        ("", "namespaces") => e.name.contains('-') && is_row(row_of_namespace(&e.name)),
        ("" | "events.k8s.io", "events") => is_row(row_of_namespace(&e.namespace)),
        _ => e.namespace.contains('-') && is_row(row_of_namespace(&e.namespace)),
    };
    events.iter().filter(is_write).filter(|e| !is_ours(e)).map(|e| format!("{} {} {}", e.verb, e.uri, e.code)).collect()
}

fn is_row(name: &str) -> bool {
    name.strip_prefix(ROW).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Tells of all rows how they ended, and fails where one ended otherwise.
fn judge(told: &[Told], began: Instant) {
    let failed: Vec<&Told> = told.iter().filter(|told| told.failure.is_some()).collect();
    let (happened, slowest) = (told.iter().filter(|t| t.happened).count(), told.iter().max_by_key(|told| told.took));
    println!(
        "{} stories with a fault each in {:.0} s; it happened in {happened}; {} ended otherwise",
        told.len(),
        began.elapsed().as_secs_f64(),
        failed.len()
    );
    if let Some(told) = slowest {
        println!("the slowest: {} in {:.0} s", told.name, told.took.as_secs_f64());
    }
    let names: Vec<String> = failed.iter().map(|told| format!("ended otherwise: {}", told.name)).collect();
    println!("{}", names.join("\n"));
    let why: Vec<&str> = failed.iter().filter_map(|told| told.failure.as_deref()).collect();
    assert!(why.is_empty(), "{}", why.join("\n\n"));
}

/// The part that is always told. A fault of one story alone disturbs no other, so these begin together with what they are compared to.
async fn tell_part(stage: &'static Stage, (expected, asked): (&AllExpected, &Asked)) -> Result<Vec<Told>> {
    let alone = async { Ok(run(stage, part(&ALONE), (expected, asked)).await) };
    let ((), mut told) = tokio::try_join!(expect(stage, expected), alone)?;
    told.extend(run(stage, part(&FOR_ALL), (expected, asked)).await);
    Ok(told)
}

/// All of the table.
async fn tell_whole(stage: &'static Stage, (expected, asked): (&AllExpected, &Asked)) -> Result<Vec<Told>> {
    expect(stage, expected).await?;
    let writes = |story: &Story| (story.name, expected[story.name].get().map_or(0, |expected| expected.writes));
    println!("writes of each story: {:?}", STORIES.iter().map(writes).collect::<Vec<_>>());
    let mut told = run(stage, each_alone(expected), (expected, asked)).await;
    for batch in each_for_all(expected) {
        told.extend(run(stage, batch, (expected, asked)).await);
    }
    Ok(told)
}

async fn tell(is_whole: bool) -> Result<()> {
    let (stage, began, asked) = (stage().await, Instant::now(), Asked::read()?);
    let expected: AllExpected = STORIES.iter().map(|story| (story.name, SetOnce::new())).collect();
    let how = (&expected, &asked);
    let told = if is_whole { tell_whole(stage, how).await? } else { tell_part(stage, how).await? };
    judge(&told, began);
    let strange = strange_writes(&stage.world.audit().since(Mark::default()).await?);
    assert!(strange.is_empty(), "written where nothing of ours is:\n{}", strange.join("\n"));
    assert_eq!(stage.world.github.contract_violations(), [], "GitHub would not have taken or said this");
    Ok(())
}

#[test]
fn whatever_goes_wrong_a_story_ends_as_it_does_otherwise() {
    runtime().block_on(tell(false)).unwrap();
}

#[test]
#[ignore = "it takes long: make test-faults"]
fn whatever_goes_wrong_and_whenever_each_story_ends_as_it_does_otherwise() {
    runtime().block_on(tell(true)).unwrap();
}
