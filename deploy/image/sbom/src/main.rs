//! `sbom TARGET`: prints what the service's binary is made of for a target, as a `CycloneDX` document. It is the same for the same
//! Cargo.lock: without a time and without a serial number.

mod document;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

fn main() -> Result<()> {
    let target = std::env::args().nth(1).context("say for which target, such as x86_64-unknown-linux-musl")?;
    let metadata = metadata(&target)?;
    let root = metadata["workspace_root"].as_str().context("cargo names no workspace")?;
    let lock = Path::new(root).join("Cargo.lock");
    let lock = std::fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    println!("{:#}", document::document(&metadata, &lock)?);
    Ok(())
}

/// What cargo knows of all packages that this target needs.
fn metadata(target: &str) -> Result<Value> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--format-version=1", "--locked", "--filter-platform", target]);
    let output = cargo.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "cargo metadata says: {}", String::from_utf8_lossy(&output.stderr).trim());
    serde_json::from_slice(&output.stdout).context("cannot read what cargo metadata says")
}
