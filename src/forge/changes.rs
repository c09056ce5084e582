//! What a pull request changes. No client, no clock, no logging.

use crate::domain::path_glob::PathGlob;

/// The files that a pull request touches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ChangedFiles {
    /// These; of a renamed file both names.
    Named(Vec<String>),
    /// More than the forge names.
    TooMany,
}

impl ChangedFiles {
    /// Whether one of them is among the patterns. Where not all are known, it may be.
    pub fn touch(&self, patterns: &[PathGlob]) -> bool {
        match self {
            Self::TooMany => true,
            Self::Named(files) => files.iter().any(|file| patterns.iter().any(|pattern| pattern.matches(file))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_may_be_touched() {
        let web = ["services/web/**".parse().unwrap()];
        assert!(ChangedFiles::TooMany.touch(&web));
        assert!(ChangedFiles::Named(vec!["README.md".into(), "services/web/a".into()]).touch(&web));
        assert!(!ChangedFiles::Named(vec!["services/api/a".into()]).touch(&web));
    }
}
