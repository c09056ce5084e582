//! A page for people: a heading, sections, and under each a column of names with what is said of them. What is long goes
//! on under itself, never beyond the width.

use crate::cli::output::{FLOWS, clean, wrap};

/// The widest column of names; what is longer stands on a line of its own.
const LABEL_MAX: usize = 30;

/// How a page looks.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Columns.
    pub width: usize,
    /// Whether it may be coloured.
    pub colour: bool,
}

/// How a text stands out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// The heading of a section.
    Strong,
    /// What mends something.
    Mend,
    /// Good news.
    Good,
    /// News that somebody has to act on.
    Bad,
    /// Beside the point.
    Faint,
}

/// One name and what is said of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// The name.
    pub label: String,
    /// What is said.
    pub says: Vec<Paragraph>,
}

/// One thing that is said, and why: behind it where both fit on the line, else below it.
#[derive(Clone, Debug, PartialEq)]
pub struct Paragraph {
    /// How it stands out.
    pub tone: Tone,
    /// What is said.
    pub text: String,
    /// Why, without brackets, or nothing.
    pub why: String,
}

impl Entry {
    /// A name of which nothing is said yet.
    pub fn of(label: impl Into<String>) -> Self {
        Self { label: label.into(), says: Vec::new() }
    }

    /// A name with one plain paragraph.
    pub fn new(label: impl Into<String>, says: impl Into<String>) -> Self {
        Self::of(label).and(Tone::Plain, says)
    }

    /// And another paragraph.
    pub fn and(mut self, tone: Tone, says: impl Into<String>) -> Self {
        self.says.push(Paragraph { tone, text: says.into(), why: String::new() });
        self
    }

    /// And a plain one with its reason.
    pub fn because(mut self, says: impl Into<String>, why: impl Into<String>) -> Self {
        self.says.push(Paragraph { tone: Tone::Plain, text: says.into(), why: why.into() });
        self
    }
}

impl Paragraph {
    /// Its lines.
    fn lines(&self, width: usize) -> Vec<(Tone, String)> {
        let (text, why) = (clean(&self.text), clean(&self.why));
        let whole = if why.is_empty() { text.clone() } else { format!("{text} ({why})") };
        if why.is_empty() || whole.chars().count() <= width {
            return wrap(&whole, width).into_iter().map(|line| (self.tone, line)).collect();
        }
        let reason = wrap(&format!("({why})"), width).into_iter().map(|line| (Tone::Faint, line));
        wrap(&text, width).into_iter().map(|line| (self.tone, line)).chain(reason).collect()
    }
}

/// The text so far.
#[derive(Debug)]
pub struct Page {
    style: Style,
    text: String,
}

impl Page {
    /// An empty page.
    pub const fn new(style: Style) -> Self {
        Self { style, text: String::new() }
    }

    /// A paragraph over the whole width.
    pub fn paragraph(&mut self, tone: Tone, text: &str) {
        for line in wrap(&clean(text), self.style.width) {
            self.line("", (tone, &line));
        }
    }

    /// A line that is not wrapped.
    pub fn raw(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// An empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A section, if there is anything in it.
    pub fn section(&mut self, title: &str, entries: &[Entry]) {
        if entries.is_empty() {
            return;
        }
        self.gap();
        self.line("", (Tone::Strong, title));
        let widest = entries.iter().map(|e| e.label.chars().count()).filter(|width| *width <= LABEL_MAX).max();
        let column = widest.unwrap_or_default();
        for entry in entries {
            self.entry(entry, column);
        }
    }

    fn entry(&mut self, entry: &Entry, column: usize) {
        let label = clean(&entry.label);
        let indent = " ".repeat(column + 4);
        let mut start = format!("  {label:<column$}  ");
        if label.chars().count() > column {
            self.raw(&format!("  {label}"));
            start.clone_from(&indent);
        }
        let width = self.style.width.saturating_sub(column + 4).max(FLOWS);
        for (tone, line) in entry.says.iter().flat_map(|paragraph| paragraph.lines(width)) {
            self.line(&start, (tone, &line));
            start.clone_from(&indent);
        }
    }

    fn line(&mut self, start: &str, (tone, text): (Tone, &str)) {
        let line = format!("{start}{}", self.style.paint(tone, text));
        self.raw(line.trim_end());
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.text
    }
}

impl Style {
    /// The text, coloured where that is wanted.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => "",
            Tone::Strong => "1",
            Tone::Mend => "36",
            Tone::Good => "1;32",
            Tone::Bad => "1;33",
            Tone::Faint => "2",
        };
        if code.is_empty() || !self.colour { text.to_owned() } else { format!("\u{1b}[{code}m{text}\u{1b}[0m") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_goes_on_under_itself() {
        let mut page = Page::new(Style { width: 40, colour: false });
        page.section(
            "needs you",
            &[
                Entry::new("Secret/db", "used by api, worker and mail; not copied").and(Tone::Mend, "clone.secrets"),
                Entry::new("Deployment/with-a-name-longer-than-that", "left out"),
            ],
        );
        page.section("nothing", &[]);
        insta::assert_snapshot!(page.finish(), @r"

        needs you
          Secret/db  used by api, worker and
                     mail; not copied
                     clone.secrets
          Deployment/with-a-name-longer-than-that
                     left out
        ");
    }

    #[test]
    fn colour_is_for_terminals_and_others_cannot_bring_their_own() {
        let shown = |colour| {
            let mut page = Page::new(Style { width: 80, colour });
            page.paragraph(Tone::Good, "all\u{1b}[2J well");
            page.finish()
        };
        assert_eq!(shown(false), "all[2J well\n");
        assert_eq!(shown(true), "\u{1b}[1;32mall[2J well\u{1b}[0m\n");
    }
}
