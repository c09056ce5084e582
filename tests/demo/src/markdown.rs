//! The Markdown of our comments as text for a terminal: headings, paragraphs, quotes, lists, tables, code, and what is
//! folded as its summary alone, as a reader on GitHub sees it. Pure.

use crate::paper::{Paper, Style};

/// What stands before what is folded away.
const FOLDED: &str = "▸";
/// What stands for the start of a cell that is too long.
const CUT: char = '…';
/// Space between columns.
const GAP: usize = 2;

/// A piece of text in one style.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Span {
    text: String,
    style: Style,
}

/// The lines of a comment.
pub fn render(markdown: &str, paper: Paper) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(summary) = line.strip_prefix("<details><summary>") {
            let summary = summary.trim_end_matches("</summary>");
            lines.by_ref().find(|line| *line == "</details>");
            out.push(format!("{FOLDED} {}", paper.styled(summary, Style::Faint)));
        } else if line.starts_with("```") {
            out.extend(lines.by_ref().take_while(|line| !line.starts_with("```")).map(|line| format!("    {line}")));
        } else if line.starts_with('|') {
            let mut rows = vec![line];
            while let Some(row) = lines.next_if(|next| next.starts_with('|')) {
                rows.push(row);
            }
            out.extend(table(&rows, paper));
        } else if !line.starts_with("<!--") {
            out.extend(paragraph(line, paper));
        }
    }
    out
}

/// One line of text, which GitHub shows with its line break.
fn paragraph(line: &str, paper: Paper) -> Vec<String> {
    if let Some(heading) = line.strip_prefix("### ") {
        let bold = |span: Span| Span { style: Style::Bold, ..span };
        return wrap(inline(heading).into_iter().map(bold).collect(), "", paper);
    }
    if let Some(quoted) = line.strip_prefix("> ") {
        return wrap(inline(quoted), "> ", paper);
    }
    if let Some(item) = line.strip_prefix("- ") {
        return wrap(inline(item), "- ", paper);
    }
    wrap(inline(line), "", paper)
}

/// Text with its code spans, bold parts and links.
fn inline(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut rest = text;
    let mut bold = false;
    while let Some(found) = rest.find(['`', '*', '[']) {
        let (before, after) = rest.split_at(found);
        push(&mut spans, before, if bold { Style::Bold } else { Style::Plain });
        rest = match &after[..1] {
            "`" => code(after, &mut spans),
            "*" if after.starts_with("**") => {
                bold = !bold;
                &after[2..]
            }
            "[" => link(after, bold, &mut spans),
            other => {
                push(&mut spans, other, Style::Plain);
                &after[1..]
            }
        };
    }
    push(&mut spans, rest, if bold { Style::Bold } else { Style::Plain });
    spans
}

fn push(spans: &mut Vec<Span>, text: &str, style: Style) {
    if !text.is_empty() {
        spans.push(Span { text: text.to_owned(), style });
    }
}

/// A code span ends at as many backticks as it began with.
fn code<'a>(text: &'a str, spans: &mut Vec<Span>) -> &'a str {
    let fence = &text[..text.len() - text.trim_start_matches('`').len()];
    let inside = &text[fence.len()..];
    let Some((code, rest)) = inside.split_once(fence) else {
        push(spans, fence, Style::Plain);
        return inside;
    };
    push(spans, code.trim(), Style::Code);
    rest
}

/// A link as its address, with its label before it where the address does not hold it.
fn link<'a>(text: &'a str, bold: bool, spans: &mut Vec<Span>) -> &'a str {
    let style = if bold { Style::Bold } else { Style::Plain };
    let parts = text[1..].split_once("](").and_then(|(label, rest)| Some((label, rest.split_once(')')?)));
    let Some((label, (address, rest))) = parts else {
        push(spans, "[", style);
        return &text[1..];
    };
    let shown = if address.contains(label) { address.to_owned() } else { format!("{label} ({address})") };
    push(spans, &shown, style);
    rest
}

/// Breaks between words; what starts the first line is matched by space in the others.
fn wrap(spans: Vec<Span>, start: &str, paper: Paper) -> Vec<String> {
    let room = paper.width().saturating_sub(start.len());
    let mut lines: Vec<(String, usize)> = vec![(String::new(), 0)];
    for span in spans {
        for word in span.text.split_inclusive(' ') {
            let long = length(word.trim_end());
            if let Some((_, used)) = lines.last()
                && *used > 0
                && used + long > room
            {
                lines.push((String::new(), 0));
            }
            if let Some((line, used)) = lines.last_mut() {
                line.push_str(&paper.styled(word, span.style));
                *used += length(word);
            }
        }
    }
    let lines = lines.into_iter().enumerate();
    lines.map(|(at, (line, _))| if at == 0 { format!("{start}{line}") } else { format!("{:1$}{line}", "", start.len()) }).collect()
}

/// A table with its columns aligned, in the width that there is: the widest column is cut in front.
fn table(rows: &[&str], paper: Paper) -> Vec<String> {
    let rows: Vec<Vec<Vec<Span>>> = rows.iter().filter(|row| !row.contains("---")).map(|row| cells(row)).collect();
    let widths = fitting(&rows, paper.width());
    let line = |(at, row): (usize, &Vec<Vec<Span>>)| {
        let cells =
            row.iter().zip(&widths).map(|(cell, width)| written(cell, *width, if at == 0 { Style::Faint } else { Style::Plain }, paper));
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().enumerate().map(line).collect()
}

fn cells(row: &str) -> Vec<Vec<Span>> {
    // A bar inside a cell stands behind a backslash.
    let row = row.replace("\\|", "\u{0}");
    let inside = row.trim_start_matches('|').trim_end_matches('|');
    inside.split('|').map(|cell| inline(&cell.trim().replace('\u{0}', "|"))).collect()
}

fn fitting(rows: &[Vec<Vec<Span>>], room: usize) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell_length(cell)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..columns).map(width).collect();
    let all = widths.iter().sum::<usize>() + GAP * columns.saturating_sub(1);
    if let Some(widest) = widths.iter_mut().max() {
        *widest = widest.saturating_sub(all.saturating_sub(room)).max(10.min(*widest));
    }
    widths
}

/// A cell in exactly that width and the gap after it.
fn written(cell: &[Span], width: usize, style: Style, paper: Paper) -> String {
    let long = cell_length(cell);
    let mut cut = if long > width { long + 1 - width } else { 0 };
    let mut out = if cut > 0 { CUT.to_string() } else { String::new() };
    for span in cell {
        let skipped = cut.min(length(&span.text));
        cut -= skipped;
        let text: String = span.text.chars().skip(skipped).collect();
        out.push_str(&paper.styled(&text, if span.style == Style::Plain { style } else { span.style }));
    }
    out + &" ".repeat(width.saturating_sub(long) + GAP)
}

fn cell_length(cell: &[Span]) -> usize {
    cell.iter().map(|span| length(&span.text)).sum()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMENT: &str = "<!-- preview-env -->\n\
        ### Preview of `3f9c2ab` is ready\n\n\
        **[web.example.com](https://web.example.com)** · [the log](https://ci.example.com/1)\n\
        12 of 12 services are up.\n\n\
        | service | image | from | state |\n|---|---|---|---|\n\
        | `web` | `registry.example.com/acme/web:pr-42-3f9c2ab` | **this branch** | ready |\n\
        | 11 others | as in `a\\|b` | baseline | ready |\n\n\
        > `web` waits for a thing that is rather long to say in one line of a terminal.\n\n\
        <details><summary>Left out: 1 object</summary>\n\n- `Secret/a`: no\n\n</details>\n\
        <details><summary>Commands</summary>\n\n```sh\npreview list\n```\n\n</details>\n\
        ```sh\ngit fetch  origin\n```\n";

    #[test]
    fn a_comment_is_read_as_on_the_forge() {
        let shown = render(COMMENT, Paper::plain(60)).join("\n");
        let expected = "\
Preview of 3f9c2ab is ready

https://web.example.com · the log (https://ci.example.com/1)
12 of 12 services are up.

service    image                          from         state
web        …e.com/acme/web:pr-42-3f9c2ab  this branch  ready
11 others  as in a|b                      baseline     ready

> web waits for a thing that is rather long to say in one
  line of a terminal.

▸ Left out: 1 object
▸ Commands
    git fetch  origin";
        let trimmed: Vec<&str> = shown.lines().map(str::trim_end).collect();
        assert_eq!(trimmed.join("\n"), expected);
    }

    #[test]
    fn no_line_is_longer_than_the_paper() {
        for width in [44, 60, 76] {
            let lines = render(COMMENT, Paper::plain(width));
            assert!(lines.iter().all(|line| length(line.trim_end()) <= width), "{width}: {lines:#?}");
        }
    }

    #[test]
    fn marks_that_are_not_closed_stay_text() {
        assert_eq!(render("a `b and [c and *d", Paper::plain(80)), ["a `b and [c and *d"]);
    }
}
