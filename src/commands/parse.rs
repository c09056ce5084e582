//! The commands of a comment. No client, no clock, no logging.
//!
//! A command is a line of its own that begins with `/preview`. What a reader sees as a quote or as code is none, so the
//! comment is read by a parser of `CommonMark` and not by looking at its lines.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::api::environment::Verb;

/// How a command begins.
const PREFIX: &str = "/preview";
/// Most commands of one comment.
pub const COMMANDS_MAX: usize = 5;
/// Most words behind a verb, and the longest of them in characters: as the schema has it.
const ARGS_MAX: usize = 8;
const ARG_MAX: usize = 255;
/// Most spaces before a command: with four, Markdown shows it as code.
const INDENT_MAX: usize = 3;
/// The longest comment that GitHub takes, in bytes: 65,536 characters of four bytes each. What is longer is not read.
pub const BODY_MAX: usize = 4 * 65_536;
/// Raw HTML that shows what it holds as a quote, as code or struck out.
const QUOTING: [&str; 8] = ["blockquote", "pre", "code", "samp", "kbd", "del", "s", "strike"];

/// The verbs as people write them.
pub const VERBS: [(&str, Verb); 12] = [
    ("status", Verb::Status),
    ("create", Verb::Create),
    ("update", Verb::Update),
    ("delete", Verb::Delete),
    ("extend", Verb::Extend),
    ("pin", Verb::Pin),
    ("unpin", Verb::Unpin),
    ("logs", Verb::Logs),
    ("approve", Verb::Approve),
    ("refresh", Verb::Refresh),
    ("image", Verb::Image),
    ("help", Verb::Help),
];

/// One command as it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// What is asked for.
    pub verb: Verb,
    /// What follows it. Of [`Verb::Unknown`] the first is the word; none where the line holds what nobody can see.
    pub args: Vec<String>,
}

/// The first commands of a comment, at most [`COMMANDS_MAX`]; none of one that is longer than a forge's comments are.
pub fn commands(body: &str) -> Vec<Asked> {
    if body.len() > BODY_MAX || !body.contains(PREFIX) {
        return Vec::new();
    }
    let mut hidden = Hidden::default();
    let mut found = Vec::new();
    for (event, range) in Parser::new_ext(body, Options::ENABLE_STRIKETHROUGH).into_offset_iter() {
        hidden.follow(&event);
        if found.len() == COMMANDS_MAX {
            break;
        }
        if matches!(event, Event::Text(_)) && !hidden.is_so() {
            found.extend(line_at(body, range.start).and_then(command));
        }
    }
    found
}

/// Whether what comes next is shown as a quote, as code or struck out, or not at all.
#[derive(Default)]
struct Hidden {
    blocks: usize,
    html: usize,
}

impl Hidden {
    fn follow(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(Tag::BlockQuote(_) | Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::Image { .. } | Tag::Strikethrough) => {
                self.blocks += 1;
            }
            Event::End(TagEnd::BlockQuote(_) | TagEnd::CodeBlock | TagEnd::HtmlBlock | TagEnd::Image | TagEnd::Strikethrough) => {
                self.blocks = self.blocks.saturating_sub(1);
            }
            Event::Html(html) | Event::InlineHtml(html) => self.html = (self.html + count(html, "<")).saturating_sub(count(html, "</")),
            _ => {}
        }
    }

    fn is_so(&self) -> bool {
        self.blocks + self.html > 0
    }
}

/// How many of the quoting tags a piece of HTML opens, or closes.
fn count(html: &str, opening: &str) -> usize {
    let tags = html.match_indices(opening).map(|(at, _)| &html.as_bytes()[at + opening.len()..]);
    let is = |rest: &[u8], name: &&str| {
        rest.len() >= name.len()
            && rest[..name.len()].eq_ignore_ascii_case(name.as_bytes())
            && rest.get(name.len()).is_none_or(|next| !next.is_ascii_alphanumeric())
    };
    tags.filter(|rest| QUOTING.iter().any(|name| is(rest, name))).count()
}

/// The line that begins there, if nothing but a few spaces stands before it.
fn line_at(body: &str, start: usize) -> Option<&str> {
    let before = &body.as_bytes()[..start];
    let spaces = before.iter().rev().take(INDENT_MAX + 1).take_while(|b| **b == b' ').count();
    let begins = spaces <= INDENT_MAX && before[..start - spaces].last().is_none_or(|b| matches!(b, b'\n' | b'\r'));
    let rest = body.get(start..).filter(|rest| begins && rest.starts_with(PREFIX))?;
    rest.split(['\n', '\r']).next()
}

fn command(line: &str) -> Option<Asked> {
    let rest = line.strip_prefix(PREFIX)?;
    if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
        return None;
    }
    if rest.chars().any(is_invisible) {
        return Some(Asked { verb: Verb::Unknown, args: Vec::new() });
    }
    let mut words = rest.split_whitespace().map(|word| clipped(word.trim_matches('`'))).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return Some(Asked { verb: Verb::Status, args: Vec::new() }) };
    let verb = VERBS.into_iter().find(|(name, _)| first.eq_ignore_ascii_case(name)).map(|(_, verb)| verb);
    let args = match verb {
        Some(_) => words.take(ARGS_MAX).collect(),
        None => vec![first],
    };
    Some(Asked { verb: verb.unwrap_or(Verb::Unknown), args })
}

fn clipped(word: &str) -> String {
    word.chars().take(ARG_MAX).collect()
}

/// What a reader does not see, and what could therefore make a command another one than is read: controls, and Unicode's
/// characters without a width of their own (`Default_Ignorable_Code_Point`, and those that change the direction).
fn is_invisible(c: char) -> bool {
    c != '\t' && c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    fn read(body: &str) -> Vec<String> {
        let text = |asked: Asked| format!("{:?} {}", asked.verb, asked.args.join(" ")).trim_end().to_owned();
        commands(body).into_iter().map(text).collect()
    }

    #[test]
    fn a_line_of_its_own_is_a_command() {
        for (body, expected) in [
            ("/preview", &["Status"][..]),
            ("/preview  ", &["Status"]),
            ("   /preview create", &["Create"]),
            ("Looks good.\n/preview extend 24h\nThanks!", &["Extend 24h"]),
            ("a\r\n/preview pin\r\n/preview unpin\r\n", &["Pin", "Unpin"]),
            ("/preview\tlogs `web` 20", &["Logs web 20"]),
            ("/preview Approve ABCDEF0", &["Approve ABCDEF0"]),
            ("/preview image web=pr_42_x *now*", &["Image web=pr_42_x *now*"]),
            ("/preview delte everything", &["Unknown delte"]),
            ("- first\n  /preview delete", &["Delete"]),
            ("/preview delete\n--\nAnn", &["Delete"]),
            ("<span>\n\n/preview pin\n\n</span> about ~5 minutes\n/preview unpin", &["Pin", "Unpin"]),
            ("/preview image web=pr~42~x", &["Image web=pr~42~x"]),
            ("> a quote\n\n/preview create", &["Create"]),
            ("```\ncode\n```\n/preview create", &["Create"]),
            ("<details>\n\n/preview create\n\n</details>", &["Create"]),
        ] {
            assert_eq!(read(body), expected, "{body:?}");
        }
    }

    #[test]
    fn what_is_quoted_shown_as_code_or_not_shown_is_none() {
        for body in [
            "",
            "please /preview delete",
            "/previews delete",
            "/preview.delete",
            "\\/preview delete",
            "    /preview delete",
            "\t/preview delete",
            "> /preview delete",
            "> a quote that goes on\n/preview delete",
            "> > deep\n> /preview delete",
            "- > in a list\n/preview delete",
            "```\n/preview delete\n```",
            "~~~~\n~~~\n/preview delete\n~~~~",
            "```\nnever closed\n\n/preview delete",
            "- ```\n  /preview delete\n  ```",
            "1. a\n   ```\n   /preview delete\n   ```",
            "a `span\n/preview delete\nof` code",
            "<!--\n/preview delete\n-->",
            "<!-- begins\n\n/preview delete",
            "text <!--\n/preview delete\n-->",
            "<pre>\n/preview delete\n</pre>",
            "<code>\n\n/preview delete\n\n</code>",
            "<blockquote>\n\n/preview delete\n\n</blockquote>",
            "x <CODE class=a>\n/preview delete\n</CODE>",
            "![\n/preview delete\n](https://example.com/a.png)",
            "~~not this\n/preview delete\nafter all~~",
            "<s>\n\n/preview delete\n\n</s>",
            "- /preview delete",
            "# /preview delete",
            "\u{200b}/preview delete",
        ] {
            assert_eq!(read(body), [""; 0], "{body:?}");
        }
    }

    #[test]
    fn what_nobody_sees_makes_no_command() {
        for body in ["/preview del\u{200b}ete", "/preview delete \u{202e}", "/preview approve abc\u{0}def", "/preview \u{1b}[2J"] {
            assert_eq!(commands(body), [Asked { verb: Verb::Unknown, args: vec![] }], "{body:?}");
        }
    }

    #[test]
    fn what_is_too_much_is_cut() {
        assert_eq!(commands(&"/preview pin\n".repeat(9)).len(), COMMANDS_MAX);
        let long = commands(&format!("/preview image {}", "x".repeat(300) + &" y".repeat(20)));
        assert_eq!((long[0].args.len(), long[0].args[0].len()), (ARGS_MAX, ARG_MAX));
        assert_eq!(commands(&format!("/preview pin\n{}", "x".repeat(BODY_MAX))), []);
    }

    #[test]
    fn the_worst_comments_are_read_in_linear_time() {
        let pieces = [
            "> ",
            "[",
            "![",
            "`",
            "*_",
            "<!--",
            "- ",
            "<code>",
            "~~a\n",
            "~a",
            "/preview pin\n> ",
            "a\n/preview x\n\n",
            "</",
            "~~~\n",
            "&#1;",
            "](",
        ];
        let limit = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 });
        for piece in pieces {
            for size in [BODY_MAX, 5 * 1024 * 1024] {
                let body = format!("/preview pin\n\n{}", piece.repeat(size / piece.len() - 20));
                let started = Instant::now();
                commands(&body);
                assert!(started.elapsed() < limit, "{piece:?}: {:?} for {size} bytes", started.elapsed());
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(body in r"(?s)(/preview|[ >`~\n\r\t<!\-*_#1.\[\]()a\u{200b}é]|</?code>|-->|.){0,60}") {
            for asked in commands(&body) {
                prop_assert!(asked.args.len() <= ARGS_MAX);
                prop_assert!(asked.args.iter().all(|arg| arg.chars().count() <= ARG_MAX && !arg.chars().any(is_invisible)));
            }
        }

        #[test]
        fn nothing_in_a_quote_is_a_command(lines in prop::collection::vec(r" {0,3}(/preview delete|[a-z#*`\- ]{0,12})", 1..12)) {
            let quoted = format!("> {}\n", lines.join("\n> "));
            prop_assert_eq!(commands(&quoted), []);
        }

        #[test]
        fn nothing_in_a_fence_is_a_command(lines in prop::collection::vec(r" {0,3}(/preview delete|[a-z#*>\- ]{0,12})", 1..12), tilde: bool) {
            let fence = if tilde { "~~~" } else { "```" };
            prop_assert_eq!(commands(&format!("{fence}\n{}\n{fence}\n", lines.join("\n"))), []);
        }
    }
}
