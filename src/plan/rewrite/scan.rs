//! Finds what could be a name of a host in any text, and what stands around it. One pass, no regular expressions.

use std::ops::Range;

/// A run of characters that names of hosts consist of, inside a text.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

/// Every run with a dot in it, without dots at its end: those end a sentence, or say that the name is a whole one.
pub fn spots(text: &str) -> impl Iterator<Item = Spot<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + text.as_bytes()[at..].iter().position(|b| is_part(*b))?;
            let length = text.as_bytes()[start..].iter().position(|b| !is_part(*b)).unwrap_or(text.len() - start);
            at = start + length;
            let end = start + text[start..at].trim_end_matches('.').len();
            if text.as_bytes()[start..end].contains(&b'.') {
                return Some(Spot { text, start, end });
            }
        }
    })
}

/// An underscore is no part of a host's name, and of a word that is none.
const fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

impl<'a> Spot<'a> {
    /// The run.
    pub fn name(&self) -> &'a str {
        &self.text[self.start..self.end]
    }

    /// Where it is in the text.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// All that stands before it.
    pub fn before(&self) -> &'a str {
        &self.text[..self.start]
    }

    /// All that stands behind it.
    pub fn after(&self) -> &'a str {
        &self.text[self.end..]
    }

    /// The ways to read it: as it is, and without what belongs to an escape before it, such as `2F` after a `%` or the
    /// `n` of a line break inside a JSON text.
    pub fn readings(self) -> impl Iterator<Item = Self> {
        // A letter that is not ASCII before or behind it makes it a part of a longer word.
        let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_whole = !joins(self.before().chars().next_back()) && !joins(self.after().chars().next());
        let escaped = self.escape().map(|length| Self { start: self.start + length, ..self });
        is_whole.then_some([Some(self), escaped]).into_iter().flatten().flatten()
    }

    /// How much of the beginning belongs to an escape.
    fn escape(&self) -> Option<usize> {
        let name = self.name();
        match self.before().as_bytes().last()? {
            b'%' => is_separator(name.get(..2)?).then_some(2),
            b'\\' if name.starts_with(['n', 'r', 't', 'b', 'f']) => Some(1),
            b'\\' if name.starts_with("u00") => is_separator(name.get(3..5)?).then_some(5),
            _ => None,
        }
    }

    /// Whether a URL's `//` or a single `/` stands before it, escaped or not.
    pub fn slashes(&self) -> Slashes {
        let before = self.before();
        let ends = |ends: &[&str]| ends.iter().any(|end| has_end(before, end));
        match () {
            () if ends(&["//", "\\/\\/", "%2F%2F", "\\u002f\\u002f"]) => Slashes::Two,
            () if ends(&["/", "%2F", "\\u002f"]) => Slashes::One,
            () => Slashes::None,
        }
    }

    /// Whether a port follows.
    pub fn has_port(&self) -> bool {
        self.port().is_some()
    }

    /// The port that follows, behind a colon, escaped or not.
    pub fn port(&self) -> Option<u16> {
        let after = self.after();
        let digits = after.strip_prefix(':').or_else(|| after.get(..3).filter(|e| e.eq_ignore_ascii_case("%3A")).map(|_| &after[3..]))?;
        let length = digits.bytes().take_while(u8::is_ascii_digit).count();
        let ends = !digits[length..].starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '_' || c == '-');
        digits[..length].parse().ok().filter(|port| *port > 0 && ends)
    }

    /// Whether a variable of a shell, a template or a program begins right before it: then it is that one's name.
    pub fn is_variable(&self) -> bool {
        let before = self.before();
        ["$", "${", "$("].iter().any(|start| before.ends_with(start)) || before.trim_end_matches(' ').ends_with("{{")
    }

    /// Whether it is a key: `name=`, a quoted name before a colon, or `name:` at the beginning of a line with a space
    /// behind it.
    pub fn is_key(&self) -> bool {
        let after = self.after();
        let spaces = [' ', '\t'];
        if after.trim_start_matches(spaces).starts_with('=') {
            return true;
        }
        if let Some(unquoted) = after.strip_prefix(['"', '\'']) {
            return unquoted.trim_start_matches(spaces).starts_with(':');
        }
        let begins = || self.before().rsplit('\n').next().is_none_or(|line| line.trim_matches(spaces).is_empty());
        after.strip_prefix(':').is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) && begins()
    }

    /// Whether it is the part of an e-mail address behind the `@`. In a DSN something with a colon stands before it, and
    /// a port may follow.
    pub fn is_mail_domain(&self) -> bool {
        let Some(before) = self.before().strip_suffix('@') else { return false };
        let word = before.rsplit(|c: char| c.is_whitespace() || "\"'<>,;()[]".contains(c)).next().unwrap_or(before);
        let word = word.strip_prefix("mailto:").unwrap_or(word);
        !word.is_empty() && !word.contains([':', '/']) && !self.has_port()
    }
}

/// The slashes before a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Slashes {
    /// None.
    None,
    /// One: it is a part of a path, unless a port follows.
    One,
    /// Two: it is the host of a URL.
    Two,
}

/// Whether two hexadecimal digits stand for an ASCII character that ends a name.
fn is_separator(digits: &str) -> bool {
    let is_hexadecimal = digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_hexadecimal && u8::from_str_radix(digits, 16).is_ok_and(|byte| byte.is_ascii() && byte != b'%' && !is_part(byte))
}

/// Whether the text ends so, in upper or lower case.
fn has_end(text: &str, end: &str) -> bool {
    let at = text.len().checked_sub(end.len());
    at.and_then(|at| text.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Spot<'_> {
        spots(text).next().unwrap()
    }

    #[test]
    fn runs_with_a_dot_are_found() {
        let names: Vec<_> = spots("a.b, (c.d.) plain ..x.y- _e.f").map(|s| s.name()).collect();
        assert_eq!(names, ["a.b", "c.d", "..x.y-", "_e.f"]);
        assert_eq!(spots("").count() + spots("...").count() + spots("no dot").count(), 0);
    }

    #[test]
    fn escapes_before_a_name_are_not_part_of_it() {
        let readings = |text: &str| first(text).readings().map(|s| s.name().to_owned()).collect::<Vec<_>>();
        assert_eq!(readings("%2Fa.b"), ["2Fa.b", "a.b"]);
        assert_eq!(readings("\\na.b"), ["na.b", "a.b"]);
        assert_eq!(readings("\\u0026a.b"), ["u0026a.b", "a.b"]);
        assert_eq!(readings("%41a.b"), ["41a.b"]);
        assert!(readings("éa.b").is_empty() && readings("a.bé").is_empty());
        assert_eq!(readings("„a.b“"), ["a.b"]);
    }

    #[test]
    fn what_stands_around_is_seen() {
        assert_eq!(
            [first("x://a.b").slashes(), first("/a.b").slashes(), first("a.b").slashes()],
            [Slashes::Two, Slashes::One, Slashes::None]
        );
        assert_eq!(first(r"http:\/\/a.b").slashes(), Slashes::Two);
        assert_eq!(
            [first("a.b:80").port(), first("a.b%3A80").port(), first("a.b:80x").port(), first("a.b:0").port()],
            [Some(80), Some(80), None, None]
        );
        assert!(first("${a.b}").is_variable() && first("{{ a.b }}").is_variable() && !first("{a.b}").is_variable());
        assert!(first("a.b = 1").is_key() && first(" \"a.b\": 1").is_key() && !first("to a.b: yes").is_key() && !first("a.b:80").is_key());
        assert!(first("me@a.b").is_mail_domain() && first("mailto:me@a.b").is_mail_domain());
        assert!(!first("u:p@a.b").is_mail_domain() && !first("x://u@a.b").is_mail_domain() && !first("u@a.b:1").is_mail_domain());
    }
}
