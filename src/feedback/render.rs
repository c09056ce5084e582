//! The comment: all environments of one pull request as one text. No client, no clock, no logging.

use super::marker::{LONGEST, MARKER};
use super::section::{Fold, Section};
use super::services::HEADER;

/// GitHub refuses a longer body. It counts characters; we count bytes, of which there are never fewer.
const BODY_MAX: usize = 65_536;
/// Room for what is said where something is cut, in bytes.
const CUT_ROOM: usize = 1_000;
/// How important the list of commands is, among the folds.
pub(super) const COMMANDS_RANK: u8 = 0;
/// The same of the list of what was left out.
const LEFT_OUT_RANK: u8 = 1;

/// The comment of those sections, unsigned. An unchanged state gives the same bytes.
pub(super) fn render(sections: &[Section]) -> String {
    let shown = how_many_fit(sections);
    let mut room = BODY_MAX - LONGEST - CUT_ROOM - essential(&sections[..shown]);
    let mut parts = vec![format!("{MARKER}\n")];
    for (done, section) in sections[..shown].iter().enumerate() {
        let is_last = done + 1 == shown;
        let part = write(section, room / (shown - done), is_last);
        room = room.saturating_sub(part.len().saturating_sub(section.essential()));
        parts.push(part);
    }
    match sections.len() - shown {
        0 => {}
        more => parts.push(format!("{more} more environments of this pull request do not fit in here; `preview list -A` shows all.\n")),
    }
    parts.join("\n").replacen("\n\n", "\n", 1)
}

/// A section without what is folded away, in at most that many bytes: for the place beside a commit.
pub(super) fn render_short(section: &Section, room: usize) -> String {
    let table = table(section, room.saturating_sub(section.essential()));
    joined([section.head.clone(), table, section.foot.clone()])
}

impl Section {
    /// Bytes that are always shown, with the room to say what is cut.
    fn essential(&self) -> usize {
        self.head.len() + self.foot.len() + 3 * self.describe.len() + CUT_ROOM
    }

    /// Everything that is folded away, in the order in which it is read.
    fn all_folds(&self, room: usize) -> Vec<Fold> {
        let cuts = self.folds.iter().position(|fold| fold.rank < LEFT_OUT_RANK).unwrap_or(self.folds.len());
        let own = |fold: &Fold| Fold { summary: fold.summary.clone(), inside: fold.inside.clone(), rank: fold.rank };
        let before = self.folds[..cuts].iter().map(own);
        let after = self.folds[cuts..].iter().map(own);
        let used: usize = self.folds.iter().map(Fold::len).sum();
        before.chain(left_out(self, room.saturating_sub(used))).chain(after).collect()
    }
}

impl Fold {
    fn text(&self) -> String {
        format!("<details><summary>{}</summary>\n\n{}\n</details>\n", self.summary, self.inside)
    }

    fn len(&self) -> usize {
        self.text().len()
    }
}

fn essential(sections: &[Section]) -> usize {
    sections.iter().map(Section::essential).sum()
}

fn how_many_fit(sections: &[Section]) -> usize {
    let most = BODY_MAX - LONGEST - CUT_ROOM;
    (0..=sections.len()).rev().find(|n| essential(&sections[..*n]) <= most).unwrap_or(0)
}

/// A section in at most `room` bytes beyond what is always shown: the table first, then what is folded away, the least
/// important last. What can be commanded is said once, at the end: a command is for all environments of the pull request.
fn write(section: &Section, room: usize, is_last: bool) -> String {
    let table = table(section, room);
    let room = room.saturating_sub(table.len());
    let mut folds = section.all_folds(room);
    folds.retain(|fold| is_last || fold.rank > COMMANDS_RANK);
    let all = folds.len();
    while !folds.is_empty() && folds.iter().map(Fold::len).sum::<usize>() > room {
        let least = folds.iter().enumerate().min_by_key(|(_, fold)| fold.rank).map_or(0, |(index, _)| index);
        folds.remove(least);
    }
    let cut = (folds.len() < all).then(|| format!("\nNot all of it fits in here; {} shows more.\n", section.describe));
    let folded = folds.iter().map(Fold::text).chain(cut).collect::<Vec<_>>().concat();
    joined([section.head.clone(), table, section.foot.clone(), folded])
}

fn joined<const N: usize>(pieces: [String; N]) -> String {
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

fn left_out(section: &Section, room: usize) -> Option<Fold> {
    let all = section.left_out.len();
    let summary = format!("Left out of the copy: {all} {}", if all == 1 { "object" } else { "objects" });
    let fold = |inside| Fold { summary: summary.clone(), inside, rank: LEFT_OUT_RANK };
    let shown = fitting(&section.left_out, room.saturating_sub(fold(String::new()).len() + CUT_ROOM));
    let list = section.left_out[..shown].concat();
    match all - shown {
        _ if all == 0 => None,
        0 => Some(fold(list)),
        cut => Some(fold(format!("{list}\n{cut} more do not fit in here; {} shows all.\n", section.describe))),
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
