//! What goes to the terminal or the pipe: tables, objects, and text without control characters.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use super::errors::Failure;
use crate::api::{GROUP, PreviewEnvironment};

/// What `-o` can ask for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Format {
    /// Text for people.
    #[default]
    #[value(alias = "text")]
    Table,
    /// The same with more columns.
    Wide,
    /// The objects as JSON.
    Json,
    /// The objects as YAML.
    Yaml,
    /// `previewenvironment.preview-env.dev/<name>`, one a line.
    Name,
    /// The URLs, one a line.
    Url,
}

impl Format {
    /// Whether the output is text for people.
    pub fn for_people(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// Writes to standard output. A reader that has seen enough (`preview list | head -1`) is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::failed(format!("cannot write the output: {error}"))),
        _ => Ok(()),
    }
}

/// Writes a file that is not there yet, or in place of what is there.
pub fn write_file(path: &Path, text: &str, replace: bool) -> Result<(), Failure> {
    let open = if replace { File::create(path) } else { File::create_new(path) };
    let failed = |why: io::Error| Failure::failed(format!("cannot write {}: {why}", path.display()));
    open.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}

/// Writes a line to standard error, beside the output. Nobody reading it is no failure.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{}", clean(line));
}

/// Whether standard error may be coloured: a terminal, and `NO_COLOR` (no-color.org) is not set.
pub fn colour() -> bool {
    io::stderr().is_terminal() && !colour_refused()
}

/// The same for standard output.
pub fn colour_output() -> bool {
    io::stdout().is_terminal() && !colour_refused()
}

fn colour_refused() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Columns of the terminal on standard output; none where it is not one, and then nothing is cut.
pub fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// A text without control characters and without characters that change the direction of what follows: one line that
/// does to a terminal nothing but show.
pub fn clean(text: &str) -> String {
    let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let spaced = text.replace(['\n', '\r', '\t'], " ");
    spaced.chars().filter(|c| !c.is_control() && !hidden(*c)).collect()
}

/// A table with a heading, two spaces between the columns.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
    indent: usize,
}

/// What begins a row that stands under the one before it, across all columns but the first.
const UNDER: &str = "\u{0}";

/// Columns where nobody says how many there are: a pipe, a file.
pub const USUAL_WIDTH: usize = 80;
/// Narrower than this, text is no longer wrapped but runs on.
pub const FLOWS: usize = 24;
/// A column is never cut below this: less says nothing.
const NARROWEST: usize = 8;

impl Table {
    /// A table with these column headings.
    pub fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|&h| h.to_owned()).collect()], indent: 0 }
    }

    /// A table without a heading, every line of it indented.
    pub fn plain(indent: usize) -> Self {
        Self { rows: Vec::new(), indent }
    }

    /// Adds a row; an empty cell shows as `-`.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let shown = |cell: String| if cell.is_empty() { "-".to_owned() } else { clean(&cell) };
        self.rows.push(cells.into_iter().map(shown).collect());
    }

    /// Adds a line under the row before it, which widens no column.
    pub fn under(&mut self, text: &str) {
        self.rows.push(vec![UNDER.to_owned(), clean(text)]);
    }

    /// The text, nothing of it cut: the last cell of a row goes on under itself.
    pub fn flowing(&self, width: usize) -> String {
        let columns = self.columns();
        let mut text = String::new();
        for row in &self.rows {
            let (first, rest) = row.split_at(row.len().saturating_sub(1));
            let is_under = row.first().is_some_and(|cell| cell == UNDER);
            let mut start = " ".repeat(self.indent);
            for (cell, column) in first.iter().zip(&columns) {
                let cell = if is_under { "" } else { cell };
                // Writing to a String cannot fail.
                let _ = write!(start, "{cell:<column$}  ");
            }
            let left = width.saturating_sub(start.chars().count()).max(FLOWS);
            for line in rest.iter().flat_map(|cell| wrap(cell, left)) {
                text.push_str(format!("{start}{line}").trim_end());
                text.push('\n');
                start = " ".repeat(start.chars().count());
            }
        }
        text
    }

    /// The text. Where a width is given, the widest columns are cut until the lines fit.
    pub fn render(&self, width: Option<usize>) -> String {
        let mut columns = self.columns();
        if let Some(width) = width {
            narrow(&mut columns, width.saturating_sub(self.indent));
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(self.indent);
            for (cell, column) in row.iter().zip(&columns) {
                // Writing to a String cannot fail.
                let _ = write!(line, "{:<column$}  ", cut(cell, *column));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn columns(&self) -> Vec<usize> {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let rows = || self.rows.iter().filter(|row| row.first().is_none_or(|cell| cell != UNDER));
        let width = |at: usize| rows().filter_map(|r| r.get(at)).map(|c| c.chars().count()).max();
        (0..count).map(|at| width(at).unwrap_or_default()).collect()
    }
}

/// The text in lines of at most that width, broken between words. A word that is longer has a line of its own.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    if text.chars().count() <= width {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn narrow(columns: &mut [usize], width: usize) {
    let gaps = 2 * columns.len().saturating_sub(1);
    while columns.iter().sum::<usize>() + gaps > width {
        match columns.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => return,
        }
    }
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// How `-o json|yaml|name|url` shows environments; nothing for the formats that are for people.
pub fn objects(format: Format, environments: &[PreviewEnvironment]) -> Result<Option<String>, Failure> {
    let items = || environments.iter().map(object).collect::<Result<Vec<_>, _>>();
    Ok(Some(match format {
        Format::Table | Format::Wide => return Ok(None),
        Format::Name => environments.iter().fold(String::new(), |text, e| text + &object_name(e) + "\n"),
        Format::Url => environments.iter().flat_map(urls).fold(String::new(), |text, url| text + &clean(url) + "\n"),
        Format::Json | Format::Yaml => document(format, &json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items()?}))?,
    }))
}

/// How `-o json|yaml|name|url` shows one environment; nothing for the formats that are for people.
pub fn one_object(format: Format, environment: &PreviewEnvironment) -> Result<Option<String>, Failure> {
    match format {
        Format::Json | Format::Yaml => document(format, &object(environment)?).map(Some),
        _ => objects(format, std::slice::from_ref(environment)),
    }
}

/// A value as YAML where the format says so, else as indented JSON.
pub fn document(format: Format, value: &Value) -> Result<String, Failure> {
    let text = match format {
        Format::Yaml => serde_saphyr::to_string(value).map_err(|e| e.to_string()),
        _ => serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|e| e.to_string()),
    };
    text.map_err(|why| Failure::failed(format!("cannot write the object: {why}")))
}

/// As `kubectl` shows it: without the book-keeping of field managers.
fn object(environment: &PreviewEnvironment) -> Result<Value, Failure> {
    let mut shown = environment.clone();
    shown.meta_mut().managed_fields = None;
    serde_json::to_value(shown).map_err(|e| Failure::failed(format!("cannot write {}: {e}", environment.name_any())))
}

/// `previewenvironment.preview-env.dev/web-pr-42`, as `kubectl -o name` writes it.
pub fn object_name(environment: &PreviewEnvironment) -> String {
    format!("previewenvironment.{GROUP}/{}", environment.name_any())
}

/// Where an environment is reached.
pub fn urls(environment: &PreviewEnvironment) -> impl Iterator<Item = &str> {
    environment.status.iter().flat_map(|s| &s.urls).map(|u| u.url.as_str())
}

/// A span as `kubectl` shortens it: one unit, and a second one while the first is small (`HumanDuration` of
/// k8s.io/apimachinery).
pub fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => two((minutes, "m"), (seconds % 60, "s")),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two((hours, "h"), (minutes % 60, "m")),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two((days, "d"), (hours % 24, "h")),
        _ => format!("{days}d"),
    }
}

fn two((large, unit): (i64, &str), (small, below): (i64, &str)) -> String {
    if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{below}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "PHASE", "URL"]);
        table.row(["web-pr-42", "Ready", "https://web-pr-42.preview.example.com"].map(str::to_owned));
        table.row(["api-pr-7", "Waiting for image", ""].map(str::to_owned));
        table
    }

    #[test]
    fn columns_line_up_and_end_without_blanks() {
        insta::assert_snapshot!(table().render(None), @r"
        NAME       PHASE              URL
        web-pr-42  Ready              https://web-pr-42.preview.example.com
        api-pr-7   Waiting for image  -
        ");
    }

    #[test]
    fn a_narrow_terminal_cuts_the_widest_columns() {
        insta::assert_snapshot!(table().render(Some(48)), @r"
        NAME       PHASE              URL
        web-pr-42  Ready              https://web-pr-42…
        api-pr-7   Waiting for image  -
        ");
        assert!(table().render(Some(10)).lines().all(|line| line.chars().count() <= 3 * NARROWEST + 4));
    }

    #[test]
    fn of_a_flowing_table_nothing_is_cut_and_columns_stay_in_line() {
        let mut table = Table::plain(2);
        table.row(["web", "not ready", "this branch", "registry.example.com/acme/web:pr-42"].map(str::to_owned));
        table.under("a reason that is longer than all of the columns before it, and goes on");
        table.row(["api", "ready", "baseline", "acme/api:1"].map(str::to_owned));
        insta::assert_snapshot!(table.flowing(50), @r"
        web  not ready  this branch  registry.example.com/acme/web:pr-42
             a reason that is longer than all of the
             columns before it, and goes on
        api  ready      baseline     acme/api:1
        ");
    }

    #[test]
    fn control_characters_are_not_passed_on() {
        assert_eq!(clean("a\u{1b}]0;x\u{7}b\nc\u{202e}d\u{9b}e"), "a]0;xb cde");
        let mut table = Table::plain(2);
        table.row(["x\u{1b}[2Jy".to_owned()]);
        assert_eq!(table.render(None), "  x[2Jy\n");
    }

    #[test]
    fn spans_are_as_kubectl_writes_them() {
        let shown = [-5, 0, 119, 120, 121, 3_599, 10_800, 14_460, 86_399, 172_799, 172_800, 259_199, 431_999, 691_200].map(span);
        let expected = ["0s", "0s", "119s", "2m", "2m1s", "59m", "3h", "4h1m", "23h", "47h", "2d", "2d23h", "4d23h", "8d"];
        assert_eq!(shown, expected);
    }
}
