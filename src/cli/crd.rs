//! `preview crd`: the definitions of the kinds.

use super::errors::Failure;
use super::output::print;
use crate::api::crds;

/// Runs the command.
pub fn run() -> Result<(), Failure> {
    print(&text()?)
}

/// The definitions as one YAML stream; `deploy/crds.yaml` is this.
pub fn text() -> Result<String, Failure> {
    let mut text = String::from("# The kinds of preview-env, as `preview crd` prints them.\n");
    for crd in crds() {
        let document = serde_saphyr::to_string(&crd).map_err(|e| Failure::failed(format!("cannot write the kinds: {e}")))?;
        text.push_str("---\n");
        text.push_str(&document);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

    #[test]
    fn the_committed_file_is_what_is_printed() {
        let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/crds.yaml")).unwrap_or_default();
        assert!(committed == text().unwrap(), "deploy/crds.yaml is old; write it anew: cargo run -- crd > deploy/crds.yaml");
    }

    #[test]
    fn what_is_printed_reads_back_as_the_kinds() {
        let read: Vec<CustomResourceDefinition> = serde_saphyr::from_multiple(&text().unwrap()).unwrap();
        assert_eq!(read, crds());
    }
}
