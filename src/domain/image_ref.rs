//! References to container images.

use std::fmt;
use std::str::FromStr;

/// An image reference, `[registry[:port]/]path[:tag][@digest]`, after the grammar of the distribution project's
/// reference package. The repository is kept as it was written.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ImageRef {
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Why a text is not an image reference.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot read {0:?} as an image: expected repository[:tag][@digest]")]
pub struct InvalidImageRef(String);

impl ImageRef {
    /// The repository as written, without tag and digest.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one is written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one is written.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The same repository with that tag and no digest.
    pub fn with_tag(&self, tag: &str) -> Self {
        Self { repository: self.repository.clone(), tag: Some(tag.to_owned()), digest: None }
    }

    /// Whether both name the same repository once Docker's defaults are written out
    /// (`nginx` is `docker.io/library/nginx`).
    pub fn same_repository(&self, other: &Self) -> bool {
        self.normal_repository() == other.normal_repository()
    }

    /// The last part of the repository's path: `web` of `registry.example.com/acme/web`.
    pub fn short_name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// The same repository with that tag and that digest. Of such a reference the digest alone is pulled; the tag is for
    /// people (Kubernetes documentation, "Images").
    pub fn with_digest(&self, tag: &str, digest: &str) -> Self {
        Self { digest: Some(digest.to_owned()), ..self.with_tag(tag) }
    }

    /// The same image by that digest, its tag kept for people.
    pub fn pinned_to(&self, digest: &str) -> Self {
        Self { digest: Some(digest.to_owned()), ..self.clone() }
    }

    /// The registry and the repository in it, with Docker's defaults written out: `docker.io` and `library/nginx`.
    pub fn registry_and_path(&self) -> (String, String) {
        let (registry, path) = match self.repository.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest),
            _ => ("docker.io", self.repository.as_str()),
        };
        let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
        let library = if registry == "docker.io" && !path.contains('/') { "library/" } else { "" };
        (registry.to_owned(), format!("{library}{path}"))
    }

    fn normal_repository(&self) -> String {
        let (registry, path) = self.registry_and_path();
        format!("{registry}/{path}")
    }
}

fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

impl FromStr for ImageRef {
    type Err = InvalidImageRef;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let after_slash = name.rfind('/').map_or(0, |at| at + 1);
        let (repository, tag) = match name[after_slash..].find(':') {
            Some(at) => (&name[..after_slash + at], Some(&name[after_slash + at + 1..])),
            None => (name, None),
        };
        let valid = is_repository(repository) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest);
        if !valid {
            return Err(InvalidImageRef(text.chars().take(300).collect()));
        }
        Ok(Self { repository: repository.to_owned(), tag: tag.map(str::to_owned), digest: digest.map(str::to_owned) })
    }
}

fn is_repository(text: &str) -> bool {
    let (registry, path) = match text.split_once('/') {
        Some((first, rest)) if is_registry(first) => (Some(first), rest),
        _ => (None, text),
    };
    let host = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b));
    text.len() <= 255 && registry.is_none_or(|r| r.bytes().all(host)) && path.split('/').all(part)
}

/// Whether a text is a tag: at most 128 of letters, digits, `_`, `.` and `-`, not starting with the last two.
pub fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128 && text.bytes().next().is_some_and(word) && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && hex.len() >= 32
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
            && algorithm.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(text: &str) -> ImageRef {
        text.parse().unwrap()
    }

    #[test]
    fn every_spelling_is_taken_apart_and_put_together() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (text, repository, tag) in [
            ("nginx", "nginx", None),
            ("acme/web:1.2", "acme/web", Some("1.2")),
            ("localhost:5000/web", "localhost:5000/web", None),
            ("r.example.com:5000/acme/web:v1", "r.example.com:5000/acme/web", Some("v1")),
            (&format!("acme/web:1@{digest}"), "acme/web", Some("1")),
            (&format!("acme/web@{digest}"), "acme/web", None),
        ] {
            let parsed = image(text);
            assert_eq!((parsed.repository(), parsed.tag(), parsed.to_string().as_str()), (repository, tag, text));
        }
    }

    #[test]
    fn a_new_tag_takes_the_digest_away() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(image(&format!("r:5000/web:1@{digest}")).with_tag("pr-1").to_string(), "r:5000/web:pr-1");
    }

    #[test]
    fn a_digest_stands_behind_the_tag() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let text = image("r:5000/web").with_digest("pr-1", &digest).to_string();
        assert_eq!(text, format!("r:5000/web:pr-1@{digest}"));
        assert_eq!(image(&text).tag(), Some("pr-1"));
    }

    #[test]
    fn the_registry_is_told_from_the_path() {
        for (text, registry, path) in [
            ("nginx:1", "docker.io", "library/nginx"),
            ("index.docker.io/acme/web", "docker.io", "acme/web"),
            ("localhost/web", "localhost", "web"),
            ("r.example.com:5000/a/b", "r.example.com:5000", "a/b"),
        ] {
            assert_eq!(image(text).registry_and_path(), (registry.to_owned(), path.to_owned()), "{text}");
        }
    }

    #[test]
    fn repositories_are_compared_with_the_defaults_written_out() {
        assert!(image("nginx:1").same_repository(&image("docker.io/library/nginx")));
        assert!(image("acme/web").same_repository(&image("index.docker.io/acme/web:2")));
        assert!(!image("acme/web").same_repository(&image("acme/web-2")));
        assert!(!image("r:5000/acme/web").same_repository(&image("acme/web")));
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for text in ["", "a b", "acme/web:", "acme//web", "acme/web@sha256:xyz", ":1", "Acme/web", "a/b:c d", &"a".repeat(300)] {
            assert!(text.parse::<ImageRef>().is_err(), "{text:?}");
        }
    }
}
