//! Helm, with a home of its own and without what the surroundings set for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use kube::api::DynamicObject;
use serde_json::Value;
use tempfile::TempDir;
use test_cluster::Cluster;

/// The chart's folder, for Helm's command line.
pub fn chart() -> String {
    chart::folder().display().to_string()
}

/// The files of the matrix: one for each way to use the chart.
pub fn matrix() -> Result<Vec<PathBuf>> {
    let mut files: Vec<_> = std::fs::read_dir(chart::folder().join("ci"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    Ok(files)
}

/// One of them.
pub fn values(name: &str) -> String {
    chart::folder().join(format!("ci/{name}-values.yaml")).display().to_string()
}

/// Runs Helm.
pub struct Helm {
    binary: PathBuf,
    home: TempDir,
    kubeconfig: Option<PathBuf>,
}

impl Helm {
    /// Without a cluster.
    pub fn new() -> Result<Self> {
        Ok(Self { binary: test_cluster::helm()?, home: tempfile::tempdir()?, kubeconfig: None })
    }

    /// As the administrator of a cluster.
    pub fn on(cluster: &Cluster) -> Result<Self> {
        Ok(Self { kubeconfig: Some(cluster.kubeconfig_path()), ..Self::new()? })
    }

    /// What it prints, or what it complains of.
    pub fn run<S: AsRef<str>>(&self, arguments: &[S]) -> Result<Result<String, String>> {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HELM_") || name.to_lowercase().ends_with("_proxy")) {
            command.env_remove(name);
        }
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(name, self.home.path());
        }
        command.env("KUBECONFIG", self.kubeconfig.as_deref().unwrap_or(Path::new("/dev/null")));
        let output = command.args(arguments.iter().map(AsRef::as_ref)).output().context("cannot run Helm")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr) + &text(&output.stdout)) })
    }

    /// What it prints.
    pub fn must<S: AsRef<str>>(&self, arguments: &[S]) -> Result<String> {
        match self.run(arguments)? {
            Ok(printed) => Ok(printed),
            Err(complaint) => bail!("helm {}: {complaint}", arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ")),
        }
    }

    /// The objects that the chart makes in a namespace, with more of Helm's flags.
    pub fn rendered(&self, namespace: &str, more: &[&str]) -> Result<Vec<DynamicObject>> {
        let chart = chart();
        let arguments = [&["template", "preview-env", &chart, "--namespace", namespace], more].concat();
        test_world::read(&self.must(&arguments)?)
    }
}

/// The only object of a kind.
pub fn only(objects: &[DynamicObject], kind: &str) -> Result<Value> {
    let of_kind: Vec<_> = objects.iter().filter(|object| object.types.as_ref().is_some_and(|types| types.kind == kind)).collect();
    match of_kind.as_slice() {
        [one] => Ok(serde_json::to_value(one)?),
        several => bail!("{} objects of the kind {kind}", several.len()),
    }
}
