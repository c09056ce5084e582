//! Writes to standard output: colour on a terminal only, lines that fit 80 columns.

use std::io::{IsTerminal, Write, stdout};
use std::time::Duration;

use crate::markdown;

/// Width where nobody says another.
const WIDTH: usize = 80;
/// Longer lines are harder to read, however wide the terminal is.
const WIDEST: usize = 100;

/// How text is marked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Style {
    /// Not at all.
    #[default]
    Plain,
    /// Headings and what is said loudly.
    Bold,
    /// Names, as code.
    Code,
    /// What stands aside.
    Faint,
}

/// Where the demo writes.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    colour: bool,
    width: usize,
}

impl Paper {
    /// Standard output, with colour if it is a terminal and `NO_COLOR` is not set.
    pub fn standard_output() -> Self {
        let terminal = stdout().is_terminal();
        let measured = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            colour: terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            width: measured.filter(|_| terminal).unwrap_or(WIDTH).min(WIDEST),
        }
    }

    /// Without colour, of this width.
    #[cfg(test)]
    pub fn plain(width: usize) -> Self {
        Self { colour: false, width }
    }

    /// How many columns there are.
    pub fn width(self) -> usize {
        self.width
    }

    /// A text in a style.
    pub fn styled(self, text: &str, style: Style) -> String {
        let code = match style {
            Style::Plain => return text.to_owned(),
            Style::Bold => "1",
            Style::Code => "36",
            Style::Faint => "2",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A line. That nobody reads any more does not end the demo.
    pub fn line(text: &str) {
        let mut out = stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// A heading, with an empty line before it.
    pub fn heading(self, text: &str) {
        Self::line("");
        Self::line(&self.styled(text, Style::Bold));
    }

    /// What happened, and when.
    pub fn timed(self, after: Duration, text: &str) {
        let time = self.styled(&format!("{:>8.2} s", after.as_secs_f64()), Style::Faint);
        Self::line(&format!("{time}  {text}"));
    }

    /// What belongs to the line above it.
    pub fn aside(text: &str) {
        Self::line(&format!("{:12}{text}", ""));
    }

    /// A comment as its reader sees it, under a line that says who wrote it.
    pub fn comment(self, by: &str, text: &str) {
        let bar = self.styled("  |", Style::Faint);
        Self::line("");
        Self::line(&format!("{bar} {}", self.styled(by, Style::Faint)));
        Self::line(&bar);
        for line in markdown::render(text, Self { width: self.width - 4, ..self }) {
            Self::line(format!("{bar} {line}").trim_end());
        }
        Self::line("");
    }
}
