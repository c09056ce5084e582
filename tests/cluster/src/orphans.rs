//! Ends components that outlived their owner.
//!
//! The system ends them with the owner (see [`crate::component`]); this is for the instant between a component's start
//! and its asking for that. A component is known by the unique data folder in its arguments.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::component::NAMES;

/// Ends the components whose arguments name this data folder, which no live process may own.
pub fn end(folder: &Path) -> Result<()> {
    for entry in fs::read_dir("/proc").context("cannot list processes")? {
        let path = entry?.path();
        let pid = path.file_name().and_then(|name| name.to_str()?.parse().ok()).and_then(Pid::from_raw);
        // A process may end while we look: then it has no arguments.
        let arguments = fs::read(path.join("cmdline")).unwrap_or_default();
        if let Some(pid) = pid.filter(|_| is_component_of(folder, &arguments)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    Ok(())
}

/// Judges by the arguments as `/proc` has them, each ended by a zero byte.
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
