//! `make chart`: writes the chart's reference of values anew.

use anyhow::{Context, Result};

fn main() -> Result<()> {
    for (name, text) in chart::written()? {
        let path = chart::folder().join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
