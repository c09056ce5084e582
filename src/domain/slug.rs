//! Texts as DNS labels, and the hash that tells them apart.

use std::fmt;

use sha2::{Digest, Sha256};

/// Longest DNS label (RFC 1035, section 2.3.4), and longest name of a namespace and value of a label in Kubernetes.
pub const LABEL_MAX: usize = 63;

/// A text turned into a DNS label (RFC 1123): a to z, 0 to 9 and single hyphens inside. Never empty.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Slug(String);

impl Slug {
    /// Lower case, everything else as one hyphen, at most `max` characters. A text without a letter or digit is `x`.
    pub fn new(text: &str, max: usize) -> Self {
        let mut out = String::with_capacity(text.len().min(max));
        for c in text.chars() {
            match c.to_ascii_lowercase() {
                c @ ('a'..='z' | '0'..='9') => out.push(c),
                _ if out.ends_with('-') || out.is_empty() => {}
                _ => out.push('-'),
            }
        }
        out.truncate(max);
        let trimmed = out.trim_end_matches('-');
        Self(if trimmed.is_empty() { "x".to_owned() } else { trimmed.to_owned() })
    }

    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Eight letters, a to z, of the parts' SHA-256: never reads as a number, and no separator can be forged, since
/// every part is hashed with its length.
pub fn hash8(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().iter().take(8).map(|byte| char::from(b'a' + byte % 26)).collect()
}

/// Whether a text is a DNS label (RFC 1123).
pub fn is_dns_label(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= LABEL_MAX
        && edge(text.as_bytes().first())
        && edge(text.as_bytes().last())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slugs_read_like_the_text() {
        for (text, slug) in [("feature/Login", "feature-login"), ("--x__y--", "x-y"), ("???", "x"), ("Ünïcode", "n-code")] {
            assert_eq!(Slug::new(text, 30).as_str(), slug);
        }
        assert_eq!(Slug::new("abc-def", 4).as_str(), "abc");
    }

    #[test]
    fn the_hash_knows_where_parts_end() {
        assert_ne!(hash8(&["ab", "c"]), hash8(&["a", "bc"]));
        assert_eq!(hash8(&["a"]).len(), 8);
    }

    proptest! {
        #[test]
        fn every_slug_is_a_dns_label(text in ".*", max in 1usize..63) {
            let slug = Slug::new(&text, max);
            prop_assert!(is_dns_label(slug.as_str()) && slug.as_str().len() <= max, "{slug}");
        }
    }
}
