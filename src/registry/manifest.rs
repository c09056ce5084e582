//! What a manifest, an index or a configuration says (OCI image specification 1.1). No client, no clock, no logging.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The kinds of manifest that container runtimes take.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
/// Kinds that describe an image of one platform.
const SINGLE: [&str; 2] = ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
/// The label and annotation that names the commit (OCI image specification, "Pre-defined annotation keys").
const REVISION: &str = "org.opencontainers.image.revision";
/// Longest commit that is kept, in characters.
const REVISION_MAX: usize = 80;

/// What a tag points to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Document {
    /// An image of one platform. Holds the digest of its configuration.
    Image { config: String, revision: Option<String> },
    /// Images of several platforms, each with its digest.
    Index { images: Vec<(String, String)>, revision: Option<String> },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    schema_version: u32,
    config: Option<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Deserialize)]
struct Configuration {
    config: Option<Settings>,
}

#[derive(Deserialize)]
struct Settings {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

/// Whether a content type, as a header says it, is that of an image of one platform.
pub(super) fn is_single(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    SINGLE.contains(&kind)
}

/// Reads a manifest or an index.
pub(super) fn read(body: &[u8]) -> Result<Document, &'static str> {
    let wire: Wire = serde_json::from_slice(body).map_err(|_| "its answer is no manifest")?;
    if wire.schema_version != 2 {
        return Err("the manifest is of an old version");
    }
    let revision = revision_in(&wire.annotations);
    match (wire.manifests, wire.config) {
        (Some(manifests), _) => Ok(Document::Index { images: manifests.into_iter().filter_map(of_platform).collect(), revision }),
        (None, Some(config)) if is_digest(&config.digest) => Ok(Document::Image { config: config.digest, revision }),
        _ => Err("its answer is no manifest"),
    }
}

/// Builders put attestations into an index as images for an unknown platform.
fn of_platform(descriptor: Descriptor) -> Option<(String, String)> {
    let Platform { architecture, os } = descriptor.platform.unwrap_or(Platform { architecture: String::new(), os: String::new() });
    let known = os != "unknown" && architecture != "unknown" && is_digest(&descriptor.digest);
    let platform = if os.is_empty() { String::new() } else { format!("{os}/{architecture}") };
    known.then_some((platform, descriptor.digest))
}

/// The commit that an image's configuration names.
pub(super) fn revision_of(configuration: &[u8]) -> Option<String> {
    let configuration: Configuration = serde_json::from_slice(configuration).ok()?;
    revision_in(&configuration.config?.labels?)
}

fn revision_in(labels: &BTreeMap<String, String>) -> Option<String> {
    labels.get(REVISION).map(|text| text.trim().chars().take(REVISION_MAX).collect())
}

/// The digest of bytes, as registries write it.
pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Whether a text is a digest that we can check.
pub(super) fn is_digest(text: &str) -> bool {
    let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(hexadecimal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn digest(digit: &str) -> String {
        format!("sha256:{}", digit.repeat(64))
    }

    #[test]
    fn both_kinds_are_read() {
        let image = json!({"schemaVersion": 2, "config": {"digest": digest("a")}, "layers": [], "annotations": {REVISION: "abc"}});
        assert_eq!(read(image.to_string().as_bytes()), Ok(Document::Image { config: digest("a"), revision: Some("abc".into()) }));
        let of = |os: &str, architecture: &str, digit: &str| json!({"digest": digest(digit), "platform": {"os": os, "architecture": architecture}});
        let index =
            json!({"schemaVersion": 2, "manifests": [of("linux", "amd64", "b"), of("linux", "arm64", "c"), of("unknown", "unknown", "d")]});
        let images = vec![("linux/amd64".to_owned(), digest("b")), ("linux/arm64".to_owned(), digest("c"))];
        assert_eq!(read(index.to_string().as_bytes()), Ok(Document::Index { images, revision: None }));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for body in [
            "",
            "<html>",
            "{}",
            r#"{"schemaVersion": 2}"#,
            r#"{"schemaVersion": 1, "config": {"digest": "x"}}"#,
            "[1]",
            r#"{"schemaVersion": 2, "config": {"digest": "sha256:../../etc"}}"#,
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn the_label_is_found_where_it_is() {
        let configuration = json!({"config": {"Labels": {REVISION: " 3f9c2ab "}}}).to_string();
        assert_eq!(revision_of(configuration.as_bytes()).as_deref(), Some("3f9c2ab"));
        for none in [json!({}), json!({"config": null}), json!({"config": {"Labels": null}}), json!({"config": {"Labels": {}}})] {
            assert_eq!(revision_of(none.to_string().as_bytes()), None);
        }
    }

    #[test]
    fn only_digests_that_can_be_checked_are_taken() {
        assert!(is_digest(&digest_of(b"")) && is_single("application/vnd.oci.image.manifest.v1+json; charset=utf-8"));
        for text in ["", "sha256:", "sha512:ab", &digest("A"), &digest("g"), &format!("{}/../x", digest("a"))] {
            assert!(!is_digest(text), "{text}");
        }
    }
}
