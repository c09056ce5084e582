//! `owner/name` of a repository.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// A repository's full name. Compared without regard to case, as GitHub does; shown as it was given.
#[derive(Clone, Debug)]
pub struct RepoName {
    text: String,
    slash: usize,
}

/// Why a text is not a repository's name.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot read {0:?} as a repository: expected owner/name")]
pub struct InvalidRepoName(String);

impl RepoName {
    /// The part before the slash.
    pub fn owner(&self) -> &str {
        &self.text[..self.slash]
    }

    /// The part after the slash.
    pub fn name(&self) -> &str {
        &self.text[self.slash + 1..]
    }

    /// Both, as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Both in lower case: the form that identities are hashed over.
    pub fn folded(&self) -> String {
        self.text.to_ascii_lowercase()
    }
}

impl FromStr for RepoName {
    type Err = InvalidRepoName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidRepoName(text.to_owned());
        let (owner, name) = text.split_once('/').ok_or_else(invalid)?;
        let plain = |part: &str, extra: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
        if !plain(owner, "-_") || !plain(name, "-_.") || name == "." || name == ".." || text.len() > 140 {
            return Err(invalid());
        }
        Ok(Self { text: text.to_owned(), slash: owner.len() })
    }
}

impl PartialEq for RepoName {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl Eq for RepoName {}

impl Hash for RepoName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case() {
        let a: RepoName = "Acme/Web".parse().unwrap();
        assert_eq!(a, "acme/web".parse().unwrap());
        assert_eq!((a.owner(), a.name(), a.to_string().as_str()), ("Acme", "Web", "Acme/Web"));
    }

    #[test]
    fn what_is_not_owner_slash_name_is_refused() {
        for text in ["", "web", "acme/", "/web", "acme/web/x", "acme/we b", "acme/..", "a\n/b"] {
            assert!(text.parse::<RepoName>().is_err(), "{text:?}");
        }
    }
}
