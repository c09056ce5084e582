//! The program behind `make cluster`.

use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::Result;

use crate::fixtures::processes_of;

const PROGRAM: &str = env!("CARGO_BIN_EXE_test-cluster");

#[test]
fn a_kept_cluster_stays_until_it_is_ended() -> Result<()> {
    let named = Named(format!("test-{}", std::process::id()));
    let first = named.run("up")?;
    assert!(first.status.success(), "{first:?}");
    let text = String::from_utf8(first.stdout)?;
    let kubeconfig = PathBuf::from(text.lines().next().and_then(|line| line.strip_prefix("export KUBECONFIG=")).expect("a kubeconfig"));
    assert!(kubeconfig.exists());
    let folder = kubeconfig.parent().expect("a folder");
    assert_eq!(processes_of(folder).len(), 6, "five components and their owner");

    let again = String::from_utf8(named.run("up")?.stdout)?;
    assert_eq!(again.lines().next(), text.lines().next());
    assert!(again.contains("runs already"), "{again}");

    let ended = String::from_utf8(named.run("down")?.stdout)?;
    assert!(ended.contains("has ended"), "{ended}");
    assert!(!folder.exists());
    assert!(processes_of(folder).is_empty());
    assert!(String::from_utf8(named.run("down")?.stdout)?.contains("No cluster runs"));
    Ok(())
}

#[test]
fn without_go_one_line_says_what_to_install() -> Result<()> {
    let cache = tempfile::tempdir()?;
    let output = Command::new(PROGRAM).arg("build").env("PATH", cache.path()).env("XDG_CACHE_HOME", cache.path()).output()?;
    let text = String::from_utf8(output.stderr)?;
    assert!(!output.status.success());
    assert!(text.contains("Go is missing: install Go 1.") && text.lines().count() == 1, "{text}");
    Ok(())
}

#[test]
fn a_component_that_fails_is_named_with_its_log() -> Result<()> {
    let assets = tempfile::tempdir()?;
    std::os::unix::fs::symlink(PROGRAM, assets.path().join("kube-scheduler"))?;
    let folder = tempfile::tempdir()?;
    let output = Command::new(PROGRAM).arg("serve").arg(folder.path()).env("KUBEBUILDER_ASSETS", assets.path()).output()?;
    let text = String::from_utf8(output.stderr)?;
    assert!(!output.status.success());
    assert!(text.contains("kube-scheduler ended (exit status: 2); its log ends:") && text.contains("--kubeconfig"), "{text}");
    assert!(processes_of(folder.path()).is_empty());
    Ok(())
}

/// A kept cluster that goes with the test, whatever its end.
struct Named(String);

impl Named {
    fn run(&self, command: &str) -> Result<Output> {
        Ok(Command::new(PROGRAM).args([command, &self.0]).output()?)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = self.run("down");
    }
}
