//! The object name of a commit.

use std::fmt;
use std::str::FromStr;

/// A commit's full object name: 40 hexadecimal digits, or 64 in a SHA-256 repository.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Revision(String);

/// Why a text is not a revision.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot read {0:?} as a revision: expected 40 or 64 hexadecimal digits in lower case")]
pub struct InvalidRevision(String);

impl Revision {
    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, as people and git shorten it.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl FromStr for Revision {
    type Err = InvalidRevision;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hexadecimal = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hexadecimal && matches!(text.len(), 40 | 64) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRevision(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_object_names_are_taken() {
        assert_eq!("3f9c2ab".repeat(6)[..40].parse::<Revision>().unwrap().short(), "3f9c2ab");
        for text in ["", "3f9c2ab", &"F".repeat(40), &"g".repeat(40), &"a".repeat(41)] {
            assert!(text.parse::<Revision>().is_err(), "{text}");
        }
    }
}
