//! Ends components that outlived their owner.
//!
//! The system ends them with the owner (see [`crate::component`]); this is for the instant between a component's start
//! and its asking for that. A component is known by the unique data folder in its arguments.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::component::NAMES;

/// How long the system may take to free a big process's memory.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often it is asked: the end of somebody else's child cannot be waited for.
const POLL: Duration = Duration::from_millis(10);

/// Ends the components whose arguments name this data folder, which no live process may own; returns when they are
/// gone.
pub fn end(folder: &Path) -> Result<()> {
    let start = Instant::now();
    loop {
        let left = of(folder)?;
        if left.is_empty() {
            return Ok(());
        }
        if start.elapsed() > DEADLINE {
            bail!("cannot end the components of {}: {left:?}", folder.display());
        }
        for pid in left {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
        thread::sleep(POLL);
    }
}

/// Whether a process has a path among its arguments.
pub fn mentions(pid: Pid, path: &Path) -> bool {
    arguments(pid).split(|byte| *byte == 0).any(|argument| argument == path.as_os_str().as_bytes())
}

/// The components whose arguments name this data folder.
fn of(folder: &Path) -> Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot list processes")? {
        let pid = entry?.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        found.extend(pid.filter(|pid| is_component_of(folder, &arguments(*pid))));
    }
    Ok(found)
}

/// A process's arguments as `/proc` has them, each ended by a zero byte; none where it has ended.
fn arguments(pid: Pid) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

fn is_component_of(folder: &Path, arguments: &[u8]) -> bool {
    let mut arguments = arguments.split(|byte| *byte == 0);
    let program = arguments.next().unwrap_or_default();
    let known = NAMES.iter().any(|name| program.ends_with(format!("/{name}").as_bytes()));
    let mut inside = folder.as_os_str().as_bytes().to_owned();
    inside.push(b'/');
    known && arguments.any(|argument| argument.windows(inside.len()).any(|part| part == inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_components_with_the_folder_in_their_arguments_are_meant() {
        let folder = Path::new("/tmp/x/c-1");
        assert!(is_component_of(folder, b"/cache/etcd\0--data-dir=/tmp/x/c-1/etcd\0"));
        assert!(!is_component_of(folder, b"/cache/etcd\0--data-dir=/tmp/x/c-12/etcd\0"));
        assert!(!is_component_of(folder, b"/usr/bin/tail\0-f\0/tmp/x/c-1/etcd.log\0"));
        assert!(!is_component_of(folder, b""));
    }
}
