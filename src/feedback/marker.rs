//! The hidden first line of the comment: by it, and by our own login, the comment is found again. No client, no clock, no logging.

use crate::domain::Instance;

/// The line of a service that nothing tells from others, as all were at first. Such a comment is taken over by the first service
/// that looks for one.
pub const MARKER: &str = "<!-- preview-env -->";
/// The most that such a line has, in bytes.
pub(super) const LONGEST: usize = MARKER.len() + 1 + Instance::MOST;
/// What all such lines begin with.
const BEGIN: &str = "<!-- preview-env";

/// That of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Marker(String);

impl Default for Marker {
    fn default() -> Self {
        Self(MARKER.to_owned())
    }
}

impl Marker {
    /// That of the service of that name.
    pub fn of(instance: &Instance) -> Self {
        Self(format!("{BEGIN} {instance} -->"))
    }

    /// The line.
    pub fn line(&self) -> &str {
        &self.0
    }

    /// A text that begins with the line of a service without a name, with this one instead.
    pub(super) fn sign(&self, text: &str) -> String {
        text.strip_prefix(MARKER).map_or_else(|| text.to_owned(), |rest| format!("{}{rest}", self.0))
    }
}

/// Whether a comment is that of a service like this one, whichever it is.
pub fn is_marked(body: &str) -> bool {
    body.strip_prefix(BEGIN).is_some_and(|rest| rest.starts_with(' '))
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
