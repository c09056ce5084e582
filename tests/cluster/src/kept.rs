//! The cluster of `make cluster`, which stays until `make cluster-down`.
//!
//! Its owner is this program in the background, `test-cluster serve`, so it ends like any other: with its owner.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use tokio::runtime;

use crate::binaries::{Binaries, cache_folder};
use crate::cluster::{Cluster, Options};
use crate::credentials::ADMIN;
use crate::folder::{Folder, locked, private_folder};

/// In a data folder: the cluster in it had started.
const STARTED: &str = "started";
/// How often it looks whether a component has ended: more would show in the load at rest.
const LOOK: Duration = Duration::from_secs(2);
/// A name is part of a socket's path, which has few bytes.
const LONGEST_NAME: usize = 40;

/// A cluster that outlives the program that starts it.
#[derive(Debug)]
pub struct Kept {
    name: String,
    home: PathBuf,
}

/// Whether [`Kept::up`] or [`Kept::down`] had anything to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was so already.
    None,
    /// It is so now.
    Done,
}

impl Kept {
    /// The one with this name, or the one of this clone.
    pub fn new(name: Option<String>) -> Result<Self> {
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(name_of_clone);
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        ensure!(plain && name.len() <= LONGEST_NAME, "cannot call a cluster {name:?}: use letters, digits and -, at most {LONGEST_NAME}");
        Ok(Self { name, home: cache_folder()?.with_file_name("kept") })
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        Folder::kubeconfig_in(&self.folder(), ADMIN)
    }

    /// Starts it, unless it runs.
    pub fn up(&self) -> Result<Change> {
        Binaries::find_or_build()?;
        let _lock = self.lock()?;
        let folder = self.folder();
        if Folder::is_owned(&folder) {
            if folder.join(STARTED).exists() {
                return Ok(Change::None);
            }
            // Whoever started it was ended before it was ready, and nobody knows how far it came.
            Folder::evict(&folder)?;
        }
        self.start()?;
        Ok(Change::Done)
    }

    /// Ends it and removes its data.
    pub fn down(&self) -> Result<Change> {
        let _lock = self.lock()?;
        let folder = self.folder();
        if !folder.exists() {
            return Ok(Change::None);
        }
        let running = Folder::is_owned(&folder);
        if running {
            Folder::evict(&folder)?;
        }
        drop(Folder::at(&folder)?);
        fs::remove_file(self.log()).context("cannot remove the cluster's log")?;
        Ok(if running { Change::Done } else { Change::None })
    }

    /// Starts this program in the background and waits until it says that its cluster is there.
    fn start(&self) -> Result<()> {
        let log = self.log();
        let mut child = Command::new(std::env::current_exe().context("cannot find this program")?)
            .arg("serve")
            .arg(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).with_context(|| format!("cannot create {}", log.display()))?)
            // Ctrl-C in this terminal is not meant for it.
            .process_group(0)
            .spawn()
            .context("cannot start the cluster in the background")?;
        if !child.stdout.take().is_some_and(says_started) {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let _ = fs::remove_file(&log);
            bail!("{}", said.trim().trim_start_matches("test-cluster: "));
        }
        Ok(())
    }

    /// One `up` or `down` at a time.
    fn lock(&self) -> Result<File> {
        private_folder(&self.home)?;
        locked(&self.home.join("lock"))
    }

    /// What its owner says, beside the data folder, which its owner empties.
    fn log(&self) -> PathBuf {
        self.home.join(format!("{}.log", self.name))
    }

    fn folder(&self) -> PathBuf {
        self.home.join(&self.name)
    }
}

/// Runs a cluster in the folder until this process is ended, or until a component ends.
pub fn serve(folder: &Path) -> Result<()> {
    let cluster = Cluster::start_blocking(&Options { folder: Some(folder.to_owned()), ..Options::default() })?;
    fs::write(folder.join(STARTED), "").context("cannot say that the cluster has started")?;
    println!("{STARTED}");
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot make a runtime")?;
    Err(runtime.block_on(cluster.one_ends(LOOK)))
}

/// Reads until the line is there; a process that failed closes its output without it.
fn says_started(output: ChildStdout) -> bool {
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).is_ok() && line.trim() == STARTED
}

/// Two clones in different folders have different names.
fn name_of_clone() -> String {
    let clone = Path::new(env!("CARGO_MANIFEST_DIR"));
    let hash = hex::encode(Sha256::digest(clone.as_os_str().as_encoded_bytes()));
    format!("clone-{}", &hash[..8])
}
