//! What of the chart is written from something else: the table of its values, and what `policy` may hold. No client, no clock,
//! no logging; the files are read and written by `main`.

mod ceilings;
mod reference;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The file with the table of values.
pub const README: &str = "README.md";
/// The file that says which values there are.
pub const SCHEMA: &str = "values.schema.json";

/// Where the chart is.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/preview-env")
}

/// A file of the chart.
pub fn read(name: &str) -> Result<String> {
    let path = folder().join(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// `README.md` and `values.schema.json` as they should be, by their names.
pub fn written() -> Result<[(&'static str, String); 2]> {
    let readme = reference::with_table(&read(README)?, &read("values.yaml")?)?;
    let schema = ceilings::with_policy(&read(SCHEMA)?, &read("files/crds.yaml")?)?;
    Ok([(README, readme), (SCHEMA, schema)])
}
