//! However the owner of a cluster ends, nothing of the cluster is left.
//!
//! The owners are this test binary again, told to run one of the tests that are ignored otherwise.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use test_cluster::{Cluster, Options};

use crate::fixtures::processes_of;

/// Within which every component must be gone.
const SOON: Duration = Duration::from_secs(2);
/// Before the folder in the owner's output.
const FOLDER: &str = "the folder is ";

#[tokio::test]
async fn an_owner_that_panics_leaves_nothing_running() -> Result<()> {
    let (mut owner, folder) = owner("ending::owner_that_panics")?;
    assert!(!owner.wait()?.success(), "it panicked");
    gone(&folder).await;
    swept(&folder).await
}

#[tokio::test]
async fn an_owner_that_is_killed_leaves_nothing_running() -> Result<()> {
    let (mut owner, folder) = owner("ending::owner_that_stays")?;
    assert_eq!(processes_of(&folder).len(), 5, "{:#?}", processes_of(&folder));
    owner.kill()?;
    owner.wait()?;
    gone(&folder).await;
    Ok(())
}

#[tokio::test]
#[ignore = "it is the child of another test"]
async fn owner_that_panics() {
    println!("\n{FOLDER}{}", test_cluster::shared().await.folder().display());
    panic!("as the test wants");
}

#[tokio::test]
#[ignore = "it is the child of another test"]
async fn owner_that_stays() {
    println!("\n{FOLDER}{}", test_cluster::shared().await.folder().display());
    std::future::pending::<()>().await;
}

fn owner(test: &str) -> Result<(Child, PathBuf)> {
    let mut owner = Command::new(std::env::current_exe()?)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let lines = BufReader::new(owner.stdout.take().context("its output")?).lines();
    let folder = lines.map_while(Result::ok).find_map(|line| line.strip_prefix(FOLDER).map(PathBuf::from));
    Ok((owner, folder.context("the owner starts a cluster")?))
}

/// Looks again and again: the end of another process's child cannot be waited for.
async fn gone(folder: &std::path::Path) {
    let start = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while !processes_of(folder).is_empty() {
        ticks.tick().await;
        assert!(start.elapsed() < SOON, "still there: {:#?}", processes_of(folder));
    }
}

/// The next start removes what a dead owner left.
async fn swept(folder: &std::path::Path) -> Result<()> {
    let next = Cluster::start(Options::default()).await?;
    assert!(!folder.exists(), "{} is still there", folder.display());
    assert!(next.folder().exists());
    Ok(())
}
