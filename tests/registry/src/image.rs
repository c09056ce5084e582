//! Small images: a configuration, one layer, a manifest, and an index where there is more than one platform.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const REVISION: &str = "org.opencontainers.image.revision";

/// An image to push.
#[derive(Clone, Debug)]
pub struct Image {
    content: String,
    revision: Option<String>,
    platforms: Vec<String>,
}

/// One thing to upload: its digest, its media type, its bytes.
pub(crate) struct Part {
    pub digest: String,
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
}

/// The parts of an image in the order in which a registry takes them.
pub(crate) struct Parts {
    pub blobs: Vec<Part>,
    /// The last one gets the tag.
    pub manifests: Vec<Part>,
}

impl Image {
    /// An image for linux/amd64; another content makes another digest.
    pub fn new(content: &str) -> Self {
        Self { content: content.to_owned(), revision: None, platforms: vec!["linux/amd64".to_owned()] }
    }

    /// That says it is built from that commit.
    pub fn revision(mut self, revision: &str) -> Self {
        self.revision = Some(revision.to_owned());
        self
    }

    /// An index over those platforms.
    pub fn platforms(mut self, platforms: &[&str]) -> Self {
        self.platforms = platforms.iter().map(|&p| p.to_owned()).collect();
        self.platforms.push(String::new());
        self
    }

    pub(crate) fn parts(&self) -> Parts {
        let layer = part("application/vnd.oci.image.layer.v1.tar", self.content.as_bytes().to_vec());
        let mut parts = Parts { blobs: Vec::new(), manifests: Vec::new() };
        let mut entries = Vec::new();
        for platform in self.platforms.iter().filter(|p| !p.is_empty()) {
            let (os, architecture) = platform.split_once('/').unwrap_or(("linux", platform));
            let config = part("application/vnd.oci.image.config.v1+json", json_bytes(&self.config(os, architecture, &layer.digest)));
            let manifest = part(MANIFEST, json_bytes(&manifest(&config, &layer)));
            let platform = json!({"os": os, "architecture": architecture});
            entries.push(json!({"mediaType": MANIFEST, "digest": manifest.digest, "size": manifest.bytes.len(), "platform": platform}));
            parts.blobs.push(config);
            parts.manifests.push(manifest);
        }
        parts.blobs.push(layer);
        if self.platforms.iter().any(String::is_empty) {
            parts.manifests.push(part(INDEX, json_bytes(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}))));
        }
        parts
    }

    fn config(&self, os: &str, architecture: &str, layer: &str) -> Value {
        let labels = self.revision.as_ref().map(|revision| json!({REVISION: revision}));
        json!({"os": os, "architecture": architecture, "config": {"Labels": labels}, "rootfs": {"type": "layers", "diff_ids": [layer]}})
    }
}

fn manifest(config: &Part, layer: &Part) -> Value {
    let descriptor = |part: &Part| json!({"mediaType": part.media_type, "digest": part.digest, "size": part.bytes.len()});
    json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(config), "layers": [descriptor(layer)]})
}

fn json_bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn part(media_type: &'static str, bytes: Vec<u8>) -> Part {
    Part { digest: format!("sha256:{}", hex::encode(Sha256::digest(&bytes))), media_type, bytes }
}
