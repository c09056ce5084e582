//! The template that gives an image's tag, and how every template is read.

use std::fmt::Write;

use super::Revision;
use super::image_ref::is_tag;
use super::slug::Slug;

const VARIABLES: [&str; 4] = ["revision", "revision_short", "pull", "branch_slug"];

/// A tag with variables in double braces, such as `pr-{{ pull }}-{{ revision_short }}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TagTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Variable(&'static str),
}

/// What a template is filled from.
#[derive(Clone, Debug)]
pub struct TagValues<'a> {
    /// The commit that the image is built from.
    pub revision: &'a Revision,
    /// Number of the pull request, if there is one.
    pub pull: Option<i64>,
    /// Branch that the change is on.
    pub branch: Option<&'a str>,
}

/// What is wrong with a template or its result.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TemplateError {
    /// A brace that opens or closes nothing.
    #[error("cannot read the tag template {0:?}: '{{{{' and '}}}}' must come in pairs")]
    Braces(String),
    /// A variable that we do not know.
    #[error("cannot fill '{{{{ {0} }}}}' in a tag template: known are revision, revision_short, pull and branch_slug")]
    Unknown(String),
    /// A variable that this environment has no value for.
    #[error("cannot fill '{{{{ {0} }}}}' in a tag template: this environment is not for a {1}")]
    Missing(&'static str, &'static str),
    /// The result is not a tag.
    #[error("cannot use {0:?} as a tag: at most 128 letters, digits, '_', '.' and '-'")]
    NotATag(String),
}

impl TagTemplate {
    /// Reads a template. Unknown variables are refused.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let read = |piece: Piece<'_>| match piece {
            Piece::Text(text) => Ok(Part::Text(text.to_owned())),
            Piece::Variable(name) => {
                let known = VARIABLES.into_iter().find(|v| *v == name);
                known.map(Part::Variable).ok_or_else(|| TemplateError::Unknown(name.to_owned()))
            }
        };
        let pieces = pieces(text).ok_or_else(|| TemplateError::Braces(text.to_owned()))?;
        Ok(Self { parts: pieces.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    /// Whether a push changes the tag. One that does not needs `imagePullPolicy: Always` and a restart to be seen.
    pub fn names_a_revision(&self) -> bool {
        self.parts.iter().any(|p| matches!(p, Part::Variable("revision" | "revision_short")))
    }

    /// The tag for these values.
    pub fn fill(&self, values: &TagValues<'_>) -> Result<String, TemplateError> {
        let mut tag = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => tag.push_str(text),
                Part::Variable("pull") => {
                    let pull = values.pull.ok_or(TemplateError::Missing("pull", "pull request"))?;
                    // Writing to a String cannot fail.
                    let _ = write!(tag, "{pull}");
                }
                Part::Variable("branch_slug") => {
                    let branch = values.branch.ok_or(TemplateError::Missing("branch_slug", "branch with a name"))?;
                    tag.push_str(Slug::new(branch, 63).as_str());
                }
                Part::Variable("revision_short") => tag.push_str(values.revision.short()),
                Part::Variable(_) => tag.push_str(values.revision.as_str()),
            }
        }
        if is_tag(&tag) { Ok(tag) } else { Err(TemplateError::NotATag(tag)) }
    }
}

/// A part of a template's text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Piece<'a> {
    /// Text that stays.
    Text(&'a str),
    /// What stands between double braces, without the spaces around it.
    Variable(&'a str),
}

/// Takes a template apart. A text in double quotes between the braces stands for itself. `None` where a brace opens or
/// closes nothing.
pub(super) fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        if before.contains("}}") {
            return None;
        }
        let (piece, after) = braced(after)?;
        pieces.extend([Piece::Text(before), piece]);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    (!rest.contains("}}")).then_some(pieces)
}

/// What follows the opening braces, and the rest behind the closing ones.
fn braced(after: &str) -> Option<(Piece<'_>, &str)> {
    if let Some(quoted) = after.trim_start().strip_prefix('"') {
        let (literal, rest) = quoted.split_once('"')?;
        return Some((Piece::Text(literal), rest.trim_start().strip_prefix("}}")?));
    }
    let (name, rest) = after.split_once("}}")?;
    Some((Piece::Variable(name.trim()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, pull: Option<i64>, branch: Option<&str>) -> Result<String, TemplateError> {
        let revision = "3f9c2ab0".repeat(5).parse().unwrap();
        TagTemplate::parse(template)?.fill(&TagValues { revision: &revision, pull, branch })
    }

    #[test]
    fn variables_are_filled() {
        assert_eq!(fill("pr-{{ pull }}-{{revision_short}}", Some(42), None).unwrap(), "pr-42-3f9c2ab");
        assert_eq!(fill("{{ branch_slug }}", None, Some("feature/Login")).unwrap(), "feature-login");
        assert_eq!(fill("{{ revision }}", None, None).unwrap().len(), 40);
        assert_eq!(fill("latest", None, None).unwrap(), "latest");
    }

    #[test]
    fn mistakes_are_named() {
        for (template, says) in
            [("{{ sha }}", "sha"), ("{{ pull", "pairs"), ("x}}", "pairs"), ("a b", "tag"), ("{{ pull }}", "pull request")]
        {
            let error = fill(template, None, None).unwrap_err().to_string();
            assert!(error.contains(says), "{template}: {error}");
        }
    }

    #[test]
    fn a_template_knows_whether_a_push_changes_it() {
        assert!(TagTemplate::parse("{{ revision_short }}").unwrap().names_a_revision());
        assert!(!TagTemplate::parse("pr-{{ pull }}").unwrap().names_a_revision());
    }
}
