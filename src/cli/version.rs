//! `preview version`.

use serde_json::json;

use super::errors::Failure;
use super::output::{Format, document, print};
use crate::api::PreviewEnvironment;
use kube::Resource;

/// Runs the command.
pub fn run(format: Format) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let api = PreviewEnvironment::api_version(&());
    print(&match format {
        Format::Json | Format::Yaml => document(format, &json!({"version": version, "api": api}))?,
        _ => format!("preview {version}, for {api}\n"),
    })
}
