//! The hidden first line of the comment: by it, and by our own login, the comment is found again. No client, no clock, no logging.

use crate::domain::Instance;

/// The line of a service that nothing tells from others, as all were at first. Such a comment is taken over by the first service
/// that looks for one.
pub const MARKER: &str = "<!-- preview-env -->";
/// The most that such a line has, in bytes.
pub(super) const LONGEST: usize = MARKER.len() + 1 + Instance::MOST;
/// What all such lines begin with.
pub(super) const BEGIN: &str = "<!-- preview-env ";

/// That of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Marker {
    line: String,
    name: Option<String>,
}

/// Who signed a comment that our account wrote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Whose {
    /// This service.
    Ours,
    /// Nobody: it is from before comments were signed.
    Nobodys,
    /// Another service.
    Anothers,
}

impl Default for Marker {
    fn default() -> Self {
        Self { line: MARKER.to_owned(), name: None }
    }
}

impl Marker {
    /// That of the service of that name.
    pub fn of(instance: &Instance) -> Self {
        Self { line: format!("{BEGIN}{instance} -->"), name: Some(instance.to_string()) }
    }

    /// The line.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The name of the service, where it has one.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Who signed a comment that contains a line of a service like this one.
    pub(super) fn whose(&self, body: &str) -> Whose {
        match body {
            body if body.contains(&self.line) => Whose::Ours,
            body if body.contains(MARKER) => Whose::Nobodys,
            _ => Whose::Anothers,
        }
    }

    /// A text that begins with the line of a service without a name, with this one instead.
    pub(super) fn sign(&self, text: &str) -> String {
        text.strip_prefix(MARKER).map_or_else(|| text.to_owned(), |rest| format!("{}{rest}", self.line))
    }
}

/// Whether a comment is that of a service like this one, whichever it is.
pub fn is_marked(body: &str) -> bool {
    body.starts_with(BEGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_services_comment_is_not_found_by_anothers_line() {
        let [staging, production] = ["staging", "staging-2"].map(|name| Marker::of(&name.parse().unwrap()));
        for (one, other) in [(&staging, &production), (&production, &staging), (&staging, &Marker::default())] {
            assert_eq!(one.sign(&format!("{MARKER}\ntext")), format!("{}\ntext", one.line()));
            assert!(is_marked(one.line()) && !one.line().contains(other.line()) && !other.line().contains(one.line()), "{one:?}");
        }
        for text in ["", "<!-- preview-environment -->", " <!-- preview-env -->", "/preview delete"] {
            assert!(!is_marked(text), "{text}");
        }
        let longest = "a".repeat(Instance::MOST).parse().unwrap();
        assert_eq!(Marker::of(&longest).line().len(), LONGEST);
    }
}
