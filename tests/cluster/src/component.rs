//! One running component, which ends with this process at the latest (see [`crate::tied`]).

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Error, Result, anyhow, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::go::last_lines;
use crate::tied::{self, Farewell};

/// The components' names, which are also their binaries' names.
pub const NAMES: [&str; 5] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"];

/// How much of a log an error shows.
const LOG_LINES: usize = 20;

/// How to start a component.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Such as `etcd`; for messages and the log.
    pub name: &'static str,
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Takes its output, appended.
    pub log: PathBuf,
    /// Stands in for the home folder, so that no developer's settings reach it.
    pub home: PathBuf,
}

/// A component that runs until this value is dropped.
#[derive(Debug)]
pub struct Component {
    launch: Launch,
    child: Child,
}

impl Component {
    /// Starts it. Returns before it is ready for work.
    pub fn start(launch: Launch) -> Result<Self> {
        // setpriv only says "failed to execute" once it is too late for an error of ours.
        ensure!(launch.program.is_file(), "cannot start {}: {} is gone", launch.name, launch.program.display());
        let command = command(&launch).with_context(|| format!("cannot write {}", launch.log.display()))?;
        let child = tied::spawn(command).with_context(|| format!("cannot start {}", launch.name))?;
        Ok(Self { launch, child })
    }

    /// What it is called.
    pub const fn name(&self) -> &'static str {
        self.launch.name
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Starts it again, where it ended.
    pub fn start_again(&mut self) -> Result<()> {
        *self = Self::start(self.launch.clone())?;
        Ok(())
    }

    /// Stops it where it stands: connections stay open and nothing answers.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Asks it to end, as Kubernetes does.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Ends it at once, as a crash does. What it stored is of no use to anybody, so it has nothing to put in order.
    pub fn kill(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// An error with the end of its log.
    pub fn error(&self, what: &str) -> Error {
        anyhow!("{} {what}; its log ends:\n{}", self.launch.name, log_end(&self.launch.log))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal).with_context(|| format!("cannot signal {}", self.launch.name))
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        self.kill();
    }
}

fn command(launch: &Launch) -> io::Result<Command> {
    let log = File::options().create(true).append(true).open(&launch.log)?;
    let mut command = tied::command(&launch.program, Farewell::Kill);
    command
        .args(&launch.arguments)
        .env_clear()
        .env("HOME", &launch.home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(&launch.home)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    Ok(command)
}

fn log_end(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&text), LOG_LINES)
}
