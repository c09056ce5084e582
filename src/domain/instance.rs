//! What tells one service from another that writes to a forge under the same account. No client, no clock, no logging.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// How many hexadecimal digits of the SHA-256 of a cluster's UID stand for it: 48 bits tell apart all that share an account.
const DIGITS: usize = 12;

/// The name of a service among all that write under one account: small letters, digits and single dashes between them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Instance(String);

/// Why a text is not the name of a service.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot use {0:?} as the name of a service: expected small letters, digits and single dashes between them, {most} at most", most = Instance::MOST)]
pub struct InvalidInstance(String);

impl Instance {
    /// Longest name, in characters: it stands in hidden texts that forges limit.
    pub const MOST: usize = 40;

    /// That of a cluster which nobody named, by the UID of a namespace that lives as long as the cluster does.
    pub fn of_cluster(uid: &str) -> Self {
        let mut digits = hex::encode(Sha256::digest(uid));
        digits.truncate(DIGITS);
        Self(digits)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Instance {
    type Err = InvalidInstance;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let is_name = text.len() <= Self::MOST && text.split('-').all(is_word);
        if is_name { Ok(Self(text.to_owned())) } else { Err(InvalidInstance(text.to_owned())) }
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_no_hidden_text_and_begins_none() {
        for name in ["production", "eu-1", "0f3c", &"a".repeat(Instance::MOST)] {
            assert_eq!(name.parse::<Instance>().unwrap().as_str(), name);
        }
        for name in ["", "-", "a-", "-a", "a--b", "a b", "A", "a.b", "a-->", "ä", &"a".repeat(Instance::MOST + 1)] {
            assert!(name.parse::<Instance>().unwrap_err().to_string().contains("small letters"), "{name}");
        }
    }

    #[test]
    fn two_clusters_have_two_names_that_are_as_good_as_given_ones() {
        let [staging, production] = ["1f6c", "1f6d"].map(Instance::of_cluster);
        assert_ne!(staging, production);
        assert_eq!(staging.as_str().parse(), Ok(staging));
    }
}
