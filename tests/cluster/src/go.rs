//! Runs Go.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use crate::tied::{self, Farewell};

/// How much of Go's output an error shows.
const LINES_SHOWN: usize = 20;

/// A Go that is new enough, at work in a recipe's folder.
#[derive(Debug)]
pub struct Go {
    folder: PathBuf,
}

impl Go {
    /// Checks that Go is there and not older than `needed`, such as `1.26.0`; Go fetches a newer self where it may.
    pub fn find(folder: PathBuf, needed: &str) -> Result<Self> {
        let go = Self { folder };
        let output = match go.command().args(["env", "GOVERSION"]).output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("Go is missing: install Go {needed} or newer, or set KUBEBUILDER_ASSETS")
            }
            other => other.context("cannot run Go")?,
        };
        let stdout = String::from_utf8_lossy(&output.stdout);
        if output.status.success() && at_least(stdout.trim(), needed) {
            return Ok(go);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let found = if stdout.trim().is_empty() { stderr.trim() } else { stdout.trim() };
        bail!("Go is too old: install Go {needed} or newer, or set KUBEBUILDER_ASSETS (found: {found})")
    }

    /// Builds a package into one file, without debug symbols, paths of this machine or C.
    ///
    /// Go's own default of one compiler per core is right: on two cores the build needs about 2 GiB.
    pub fn build(&self, package: &str, ld_flags: &str, to: &Path) -> Result<()> {
        // Go tidies up when it is interrupted, so a build that nobody waits for any more leaves nothing.
        let mut command = self.prepare(tied::command(Path::new("go"), Farewell::Interrupt));
        command.args(["build", "-trimpath", "-ldflags", ld_flags, "-o"]).arg(to).arg(package);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let output = tied::spawn(command).and_then(Child::wait_with_output).context("cannot run Go")?;
        checked(output).map(drop)
    }

    /// The folder with a module's sources, fetched and checked against `go.sum`.
    pub fn module_folder(&self, module: &str) -> Result<PathBuf> {
        let mut download = self.command();
        download.args(["mod", "download", module]);
        run(download)?;
        let mut list = self.command();
        list.args(["list", "-m", "-f", "{{.Dir}}", module]);
        let output = run(list)?;
        Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    }

    fn command(&self) -> Command {
        self.prepare(Command::new("go"))
    }

    /// What a developer's own settings for Go would change in the result is set here; proxies and caches are theirs.
    fn prepare(&self, mut command: Command) -> Command {
        command
            .current_dir(&self.folder)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-mod=readonly -buildvcs=false")
            .env("GOWORK", "off")
            .env_remove("GOOS")
            .env_remove("GOARCH");
        command
    }
}

fn run(mut command: Command) -> Result<Output> {
    checked(command.output().context("cannot run Go")?)
}

fn checked(output: Output) -> Result<Output> {
    if !output.status.success() {
        bail!("Go says:\n{}", last_lines(&String::from_utf8_lossy(&output.stderr), LINES_SHOWN));
    }
    Ok(output)
}

/// The last lines of a text.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Whether a Go version such as `go1.26.8` or `go1.27rc1` is at least `needed`, by major and minor.
fn at_least(found: &str, needed: &str) -> bool {
    match (major_and_minor(found.trim_start_matches("go")), major_and_minor(needed)) {
        (Some(found), Some(needed)) => found >= needed,
        _ => false,
    }
}

fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let (major, rest) = version.split_once('.')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((major.parse().ok()?, rest[..digits].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(at_least("go1.26.8", "1.26.0"));
        assert!(at_least("go1.100", "1.26.0"));
        assert!(at_least("go1.27rc1", "1.26.0"));
        assert!(at_least("go2.0", "1.26.0"));
        assert!(!at_least("go1.9.2", "1.26.0"));
        assert!(!at_least("devel", "1.26.0"));
    }

    #[test]
    fn only_the_end_of_a_long_output_is_shown() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
        assert_eq!(last_lines("", 2), "");
    }
}
