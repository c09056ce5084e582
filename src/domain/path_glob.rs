//! Patterns of paths in a repository.

use std::str::FromStr;

/// Longest pattern, in bytes.
const LONGEST: usize = 200;

/// A pattern such as `services/web/**`: `*` stands for any part of a name, `?` for one character of it, `**` for any
/// number of folders. It is matched against the whole path from the repository's root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathGlob {
    parts: Vec<String>,
}

/// Why a text is no pattern of paths.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot read {0:?} as a pattern of paths; write it like services/web/** from the repository's root")]
pub struct InvalidPathGlob(String);

impl FromStr for PathGlob {
    type Err = InvalidPathGlob;

    fn from_str(text: &str) -> Result<Self, InvalidPathGlob> {
        let parts: Vec<String> = text.split('/').map(str::to_owned).collect();
        // An empty part would be a slash at the start or the end, or two in a row: no path has that.
        let mistaken = |part: &String| part.is_empty() || part == "." || part == ".." || (part.contains("**") && part != "**");
        if text.len() > LONGEST || text.starts_with('!') || parts.iter().any(mistaken) {
            return Err(InvalidPathGlob(text.chars().take(LONGEST).collect()));
        }
        Ok(Self { parts })
    }
}

impl PathGlob {
    /// Whether a path is one of those.
    pub fn matches(&self, path: &str) -> bool {
        let path: Vec<&str> = path.split('/').collect();
        // Which of the pattern's first parts can stand for the path so far, part by part: no pattern takes long.
        let mut reached = self.spread(vec![true]);
        for name in path {
            let next = |at: usize| {
                let by_name = at > 0 && reached[at - 1] && self.parts[at - 1] != "**" && is_name(&self.parts[at - 1], name);
                let by_folders = at > 0 && self.parts[at - 1] == "**" && (reached[at] || reached[at - 1]);
                by_name || by_folders
            };
            reached = self.spread((0..=self.parts.len()).map(next).collect());
        }
        reached[self.parts.len()]
    }

    /// `**` may stand for nothing at all, but at the end it stands for something: a folder is not in itself.
    fn spread(&self, mut reached: Vec<bool>) -> Vec<bool> {
        reached.resize(self.parts.len() + 1, false);
        for at in 0..self.parts.len().saturating_sub(1) {
            if reached[at] && self.parts[at] == "**" {
                reached[at + 1] = true;
            }
        }
        reached
    }
}

/// Whether one name is as a part of a pattern says.
fn is_name(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    for (at, character) in pattern.iter().enumerate() {
        reached[at + 1] = reached[at] && *character == '*';
    }
    for letter in name {
        let mut next = vec![false; pattern.len() + 1];
        for (at, character) in pattern.iter().enumerate() {
            next[at + 1] = match character {
                '*' => reached[at + 1] || next[at],
                '?' => reached[at],
                other => reached[at] && *other == letter,
            };
        }
        reached = next;
    }
    reached[pattern.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_matched_against_whole_paths() {
        for (pattern, path, matches) in [
            ("services/web/**", "services/web/src/main.rs", true),
            ("services/web/**", "services/web", false),
            ("services/web/**", "services/webs/x", false),
            ("services/web/**", "other/services/web/x", false),
            ("**/Dockerfile", "Dockerfile", true),
            ("**/Dockerfile", "a/b/Dockerfile", true),
            ("**/Dockerfile", "a/Dockerfile.old", false),
            ("*.md", "README.md", true),
            ("*.md", "docs/README.md", false),
            ("lib/*/src/**/*.rs", "lib/a/src/x.rs", true),
            ("lib/*/src/**/*.rs", "lib/a/src/b/c/x.rs", true),
            ("lib/*/src/**/*.rs", "lib/a/b/src/x.rs", false),
            ("go.?od", "go.mod", true),
            ("go.?od", "go.od", false),
            ("**", "anything/at/all", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXc", false),
        ] {
            assert_eq!(pattern.parse::<PathGlob>().unwrap().matches(path), matches, "{pattern} {path}");
        }
    }

    #[test]
    fn mistakes_are_refused_and_no_pattern_takes_long() {
        for text in ["", "/services", "services/", "a//b", "./a", "../a", "a/**b", "!a", &"a/".repeat(200)] {
            assert!(text.parse::<PathGlob>().is_err(), "{text}");
        }
        let slow = "*a".repeat(90).parse::<PathGlob>().unwrap();
        assert!(slow.matches(&"a".repeat(4000)) && !slow.matches(&"ab".repeat(2000)));
        let folders = "**/a/".repeat(30) + "b";
        assert!(!folders.parse::<PathGlob>().unwrap().matches(&"a/".repeat(1000)));
    }
}
