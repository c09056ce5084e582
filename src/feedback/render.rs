//! The comment: all environments of one pull request as one text. No client, no clock, no logging.

use std::sync::Arc;

use kube::ResourceExt;

use super::MARKER;
use super::section::Section;
use super::services::HEADER;
use crate::api::PreviewEnvironment;

/// GitHub refuses a longer body. It counts characters; we count bytes, of which there are never fewer.
const BODY_MAX: usize = 65_536;
/// Room for what is said where something is cut, in bytes.
const CUT_ROOM: usize = 1_000;

/// The comment for all environments of one pull request. An unchanged state gives the same bytes.
pub(super) fn render(environments: &[Arc<PreviewEnvironment>]) -> String {
    let mut ordered: Vec<_> = environments.iter().collect();
    ordered.sort_by_key(|e| (e.namespace(), e.name_any()));
    let sections: Vec<_> = ordered.iter().filter_map(|e| Section::of(e, environments.len() > 1)).collect();
    let shown = how_many_fit(&sections);
    let mut room = BODY_MAX - MARKER.len() - CUT_ROOM - essential(&sections[..shown]);
    let mut parts = vec![format!("{MARKER}\n")];
    for (done, section) in sections[..shown].iter().enumerate() {
        let part = write(section, room / (shown - done));
        room = room.saturating_sub(part.len().saturating_sub(section.essential()));
        parts.push(part);
    }
    match sections.len() - shown {
        0 => {}
        more => parts.push(format!("{more} more environments of this pull request do not fit in here; `preview list -A` shows all.\n")),
    }
    parts.join("\n").replacen("\n\n", "\n", 1)
}

impl Section {
    /// Bytes that are always shown, with the room to say what is cut.
    fn essential(&self) -> usize {
        self.head.len() + self.foot.len() + 2 * self.describe.len() + CUT_ROOM
    }
}

fn essential(sections: &[Section]) -> usize {
    sections.iter().map(Section::essential).sum()
}

fn how_many_fit(sections: &[Section]) -> usize {
    let most = BODY_MAX - MARKER.len() - CUT_ROOM;
    (0..=sections.len()).rev().find(|n| essential(&sections[..*n]) <= most).unwrap_or(0)
}

/// A section in at most `room` bytes beyond what is always shown: commands first, then the table, then the rest.
fn write(section: &Section, room: usize) -> String {
    let commands = section.commands.as_ref().map(|commands| details("Commands", commands)).filter(|text| text.len() <= room);
    let room = room - commands.as_ref().map_or(0, String::len);
    let table = table(section, room);
    let room = room.saturating_sub(table.len());
    let left_out = left_out(section, room);
    let pieces = [section.head.clone(), table, section.foot.clone(), left_out + &commands.unwrap_or_default()];
    pieces.into_iter().filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join("\n")
}

fn table(section: &Section, room: usize) -> String {
    let shown = fitting(&section.rows, room.saturating_sub(HEADER.len()));
    let cut = section.rows.len() - shown;
    match (shown, cut) {
        (0, 0) => String::new(),
        (_, 0) => format!("{HEADER}{}", section.rows.concat()),
        _ => {
            format!("{HEADER}{}\n{cut} more services do not fit in here; {} shows all.\n", section.rows[..shown].concat(), section.describe)
        }
    }
}

fn left_out(section: &Section, room: usize) -> String {
    let all = section.left_out.len();
    let summary = format!("Left out of the copy: {all} {}", if all == 1 { "object" } else { "objects" });
    let shown = fitting(&section.left_out, room.saturating_sub(details(&summary, "").len()));
    let list = section.left_out[..shown].concat();
    match all - shown {
        _ if all == 0 => String::new(),
        0 => details(&summary, &list),
        cut => details(&summary, &format!("{list}\n{cut} more do not fit in here; {} shows all.\n", section.describe)),
    }
}

/// How many lines from the first on take at most `room` bytes together.
fn fitting(lines: &[String], room: usize) -> usize {
    let mut used = 0;
    lines
        .iter()
        .take_while(|line| {
            used += line.len();
            used <= room
        })
        .count()
}

fn details(summary: &str, inside: &str) -> String {
    format!("<details><summary>{summary}</summary>\n\n{inside}\n</details>\n")
}
