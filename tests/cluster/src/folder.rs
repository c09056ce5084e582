//! The data folder of one cluster: who owns it, what lies where, and how those of dead owners are swept away.
//!
//! The owner holds a lock on a file in the folder for as long as it lives. The system lets go of the lock however the
//! owner ends, so a folder whose lock can be had belongs to nobody; unlike a pid, that cannot be mistaken.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{self, Path, PathBuf};
use std::process;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, getuid, kill_process};

use crate::orphans;

const OWNER: &str = "owner.lock";
/// A Unix socket's path has at most 107 bytes (`man 7 unix`); etcd's socket is in the folder.
const LONGEST_SOCKET_PATH: usize = 107;

/// A data folder that this process owns; dropping it removes it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _owner: File,
}

impl Folder {
    /// Makes a folder below the system's folder for temporary files, and sweeps what dead owners left there.
    pub fn temporary() -> Result<Self> {
        let base = path::absolute(env::temp_dir())?.join(format!("preview-env-clusters-{}", getuid().as_raw()));
        private_folder(&base)?;
        // Held while folders are made and swept: a new folder is never seen before its owner has its lock.
        let _lock = locked(&base.join("lock"))?;
        sweep(&base)?;
        let path = tempfile::Builder::new().prefix("c-").tempdir_in(&base)?.keep();
        Self::own(path)
    }

    /// Makes a folder at a path of the caller's choice, or takes over the one of a dead owner, emptied.
    pub fn at(path: &Path) -> Result<Self> {
        private_folder(path)?;
        let folder = Self::own(path.to_owned())?;
        orphans::end(path)?;
        for entry in fs::read_dir(path)? {
            let entry = entry?.path();
            if !entry.ends_with(OWNER) {
                remove(&entry)?;
            }
        }
        Ok(folder)
    }

    /// Whether a live process owns the folder at this path.
    pub fn is_owned(path: &Path) -> bool {
        File::open(path.join(OWNER)).is_ok_and(|file| file.try_lock().is_err())
    }

    /// Ends the process that owns the folder at this path, and with it its cluster; returns when it is gone.
    ///
    /// The owner must have the folder in its arguments, so that no other process is ended by mistake.
    pub fn evict(path: &Path) -> Result<()> {
        let text = fs::read_to_string(path.join(OWNER)).with_context(|| format!("cannot read who owns {}", path.display()))?;
        let owner = text.parse().ok().and_then(Pid::from_raw).with_context(|| format!("cannot read who owns {}", path.display()))?;
        ensure!(orphans::mentions(owner, path), "cannot end process {owner}: it does not seem to run {}", path.display());
        kill_process(owner, Signal::KILL).with_context(|| format!("cannot end process {owner}"))?;
        locked(&path.join(OWNER)).map(drop)
    }

    fn own(path: PathBuf) -> Result<Self> {
        let lock = path.join(OWNER);
        let opened = File::options().create(true).truncate(false).write(true).open(&lock);
        let mut file = opened.with_context(|| format!("cannot create {}", lock.display()))?;
        if file.try_lock().is_err() {
            bail!("cannot use {}: another process owns it", path.display());
        }
        file.set_len(0)?;
        write!(file, "{}", process::id()).with_context(|| format!("cannot write {}", lock.display()))?;
        let folder = Self { path, _owner: file };
        let socket = folder.etcd_socket();
        ensure!(
            socket.as_os_str().len() <= LONGEST_SOCKET_PATH,
            "cannot use {}: too long for a socket (set TMPDIR to a shorter path)",
            socket.display()
        );
        Ok(folder)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where a component's output goes.
    pub fn log(&self, component: &str) -> PathBuf {
        self.file(&format!("{component}.log"))
    }

    /// Where etcd listens: no port to clash, and no other user gets in.
    pub fn etcd_socket(&self) -> PathBuf {
        self.file("etcd.sock")
    }

    /// A user's kubeconfig.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        Self::kubeconfig_in(&self.path, user)
    }

    /// A user's kubeconfig in a folder that another process owns.
    pub fn kubeconfig_in(folder: &Path, user: &str) -> PathBuf {
        folder.join(format!("{}.kubeconfig", user.replace(':', "-")))
    }

    /// Where the API server writes its audit log.
    pub fn audit_log(&self) -> PathBuf {
        self.file("audit.log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now is swept at the next start.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Makes a folder that only this user can enter; refuses one that belongs to somebody else.
pub(crate) fn private_folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let owner = fs::symlink_metadata(path)?.uid();
    ensure!(owner == getuid().as_raw(), "cannot use {}: it belongs to user {owner}", path.display());
    Ok(())
}

/// Waits until no other process holds a lock on the file, and holds it until it is dropped.
pub(crate) fn locked(path: &Path) -> Result<File> {
    let opened = File::options().create(true).truncate(false).write(true).open(path);
    let file = opened.with_context(|| format!("cannot create {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Removes the folders without a live owner, and ends the components that outlived it.
fn sweep(base: &Path) -> Result<()> {
    for entry in fs::read_dir(base)? {
        let path = entry?.path();
        if path.is_dir() && !Folder::is_owned(&path) {
            orphans::end(&path)?;
            // What cannot be removed yet, because a component is still ending, is swept by a later start.
            let _ = fs::remove_dir_all(&path);
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner() {
        let folder = Folder::temporary().expect("a folder");
        let path = folder.path().to_owned();
        assert!(Folder::is_owned(&path));
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn an_owned_folder_is_neither_swept_nor_taken_over() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("kept");
        let folder = Folder::at(&path).expect("a folder");
        sweep(parent.path()).expect("a sweep");
        assert!(path.exists());
        let error = Folder::at(&path).expect_err("is owned");
        assert!(error.to_string().contains("another process owns it"), "{error}");
        drop(folder);
    }

    #[test]
    fn a_folder_without_an_owner_is_swept_or_emptied() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("stale");
        fs::create_dir_all(path.join("data")).expect("a folder");
        let folder = Folder::at(&path).expect("the folder");
        assert!(!path.join("data").exists());
        drop(folder);
        fs::create_dir_all(path.join("data")).expect("a folder");
        sweep(parent.path()).expect("a sweep");
        assert!(!path.exists());
    }
}
