//! Text from outside as Markdown that stays text. No client, no clock, no logging.
//!
//! Four ways only, and every text that we did not write ourselves goes through one of them: [`code`], a code span, in
//! which GitHub makes no mention, link, image, emoji or formula; [`prose`], which leaves plain words as they are and puts
//! every other word into a code span of its own; [`block`], a fenced block that nothing inside can end; and [`word`],
//! which keeps nothing but letters, digits and hyphens. So there is nothing to escape, and what is copied from the comment
//! is what was meant.

use crate::commands::parse::VERBS;

/// Longest text in a code span, in characters: a whole image reference with its digest fits.
const CODE_MAX: usize = 400;
/// Longest name in a summary, in characters: the longest that a workload can have.
const WORD_MAX: usize = 63;

/// What ends a word of a sentence and does not belong to it.
const CLOSING: [char; 7] = ['.', ',', ';', ':', '!', '?', ')'];

/// A text as one code span on one line.
pub fn code(text: &str) -> String {
    span(&clip(&clean(text), CODE_MAX))
}

/// A sentence as a sentence of at most `max` characters: plain words stay, everything else (names, paths, images,
/// mentions, numbers of issues, links, HTML) becomes a code span, and so does a command as a whole.
pub fn prose(text: &str, max: usize) -> String {
    let clipped = clip(&clean(text), max);
    let words: Vec<&str> = clipped.split(' ').filter(|word| !word.is_empty()).collect();
    let mut shown = Vec::new();
    let mut rest = &words[..];
    while let [word, after @ ..] = rest {
        if is_command(word, after) {
            let end = rest.iter().position(|word| word.ends_with([';', ',', '.', ')'])).map_or(rest.len(), |last| last + 1);
            let command = rest[..end].join(" ");
            let bare = command.trim_end_matches([';', ',', '.', ')']);
            shown.push(format!("{}{}", span(bare), &command[bare.len()..]));
            rest = &rest[end..];
        } else if let Some(end) = in_a_comment(rest) {
            let command = rest[..end].join(" ");
            let bare = command.trim_end_matches(CLOSING);
            shown.push(format!("{}{}", span(bare), &command[bare.len()..]));
            rest = &rest[end..];
        } else {
            shown.push(prose_word(word));
            rest = after;
        }
    }
    shown.join(" ")
}

/// How many words a command for a comment takes that begins there: `/preview extend 24h`. What follows in the sentence is told
/// from what it is called with by its signs and digits.
fn in_a_comment(words: &[&str]) -> Option<usize> {
    let [prefix, verb, after @ ..] = words else { return None };
    let is_verb = VERBS.iter().any(|(name, _)| *name == verb.trim_end_matches(CLOSING));
    let goes_on = !verb.ends_with(CLOSING);
    let is_argument = |word: &str| word == "reset" || word.contains(|c: char| c.is_ascii_digit() || "<=".contains(c));
    let argument = after.first().filter(|word| goes_on && is_argument(word.trim_end_matches(CLOSING)));
    (*prefix == "/preview" && is_verb).then_some(2 + usize::from(argument.is_some()))
}

/// Whether a command for a shell begins there: of kubectl, or of ours.
fn is_command(word: &str, after: &[&str]) -> bool {
    let verb = after.first().copied().unwrap_or_default();
    match word {
        "kubectl" => !verb.is_empty(),
        "preview" => ["create", "delete", "describe", "list", "plan", "refresh", "wait"].contains(&verb),
        _ => false,
    }
}

/// The last `lines` lines of a text as a fenced block, each of at most `width` characters. The fence is longer than any run
/// of backticks inside.
pub fn block(text: &str, lines: usize, width: usize) -> String {
    let text = text.replace("\r\n", "\n");
    // Whatever a terminal or a renderer takes for the end of a line is one.
    let all: Vec<_> = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).map(|line| clip(&printable(line), width)).collect();
    let end = all.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let shown = all[end.saturating_sub(lines)..end].join("\n");
    let fence = "`".repeat(longest_run(&shown).max(2) + 1);
    format!("{fence}text\n{shown}\n{fence}\n")
}

/// A name for a place where no Markdown is read, such as the summary of a fold: letters, digits, dots and hyphens.
pub fn word(text: &str) -> String {
    let kept: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).take(WORD_MAX).collect();
    if kept.is_empty() { "one".to_owned() } else { kept }
}

/// Finished Markdown as a cell of a table: a bar inside would end the cell.
pub fn cell(markdown: &str) -> String {
    // A backslash in front of our own would be read differently from one renderer to the next.
    markdown.replace("\\|", "\\\u{200b}|").replace('|', "\\|")
}

/// A link that shows `label`. What is not a plain web address is shown as code and leads nowhere.
pub fn link(label: &str, url: &str) -> String {
    let plain = |text: &str, extra: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
    let address = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match address {
        Some(rest) if plain(rest, ".-:/%~") && !rest.contains("//") && plain(label, ".-:") => format!("[{label}]({url})"),
        _ => code(url),
    }
}

/// A commit in the form that GitHub turns into a link by itself: `acme/web@3f9c2ab`.
pub fn commit(repository: &str, revision: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-./".contains(c);
    let text = format!("{repository}@{}", short(revision));
    // An underscore could start emphasis, and then there is no link. Nor is there one without an owner.
    let named = repository.split('/').filter(|part| !part.is_empty()).count() == 2;
    // Behind any other sign than a letter or digit the `@` mentions whoever is called like the commit.
    let named = named && repository.ends_with(|c: char| c.is_ascii_alphanumeric());
    if named && repository.chars().all(plain) && is_hex(revision) { text } else { code(&text) }
}

/// The first seven digits of a commit, as people and git shorten it.
pub fn short(revision: &str) -> &str {
    revision.char_indices().nth(7).map_or(revision, |(end, _)| &revision[..end])
}

/// A text as one word for a POSIX shell, on one line.
pub fn shell_word(text: &str) -> String {
    let text = clean(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/:@=".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// One line without control characters and without those that change the direction of text or cannot be seen.
fn clean(text: &str) -> String {
    let visible = text.chars().filter(|c| !is_invisible(*c)).map(|c| if c.is_control() { ' ' } else { c });
    visible.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A line of a log as a terminal would leave it: without colours and other control sequences, tabs as spaces.
fn printable(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().filter(|c| !is_invisible(*c));
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_sequence(&mut chars),
            '\t' => out.push_str("  "),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.trim_end().to_owned()
}

/// The rest of a control sequence (ECMA-48, 5.4): `ESC [`, then anything up to a letter or one of a few signs.
fn skip_sequence(chars: &mut impl Iterator<Item = char>) {
    if chars.next() == Some('[') {
        chars.find(|c| ('@'..='~').contains(c));
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn clip(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

fn span(text: &str) -> String {
    if text.is_empty() {
        return "–".to_owned();
    }
    let fence = "`".repeat(longest_run(text) + 1);
    // A dollar sign beside a backtick would open a formula.
    let edge = ['`', '$'];
    let pad = if text.starts_with(edge) || text.ends_with(edge) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn prose_word(word: &str) -> String {
    let start = word.trim_start_matches(['(', '"', '\'']);
    let opening = &word[..word.len() - start.len()];
    let bare = start.trim_end_matches(['.', ',', ';', ':', '!', '?', '…', ')', '"', '\'']);
    // `call(x)` keeps the bracket that it opened.
    let own = usize::from(bare.contains('(') && start[bare.len()..].starts_with(')'));
    let core = &start[..bare.len() + own];
    let closing = &start[core.len()..];
    match core {
        "" => span(word),
        _ if is_plain(core) && !starts_a_list(core, closing) => word.to_owned(),
        _ => format!("{opening}{}{closing}", span(core)),
    }
}

/// Whether a word means nothing to Markdown or to GitHub: letters and digits with single hyphens or apostrophes
/// inside, and neither a commit nor an issue (`GH-12`).
fn is_plain(word: &str) -> bool {
    let mut parts = word.split(['-', '\'', '’']);
    let words = parts.all(|part| !part.is_empty() && part.chars().all(char::is_alphanumeric));
    let issue = word.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("gh-"));
    is_time(word) || (words && !issue && !(word.len() >= 7 && is_hex(word)))
}

/// `14:05`.
fn is_time(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    word.split_once(':').is_some_and(|(hours, minutes)| digits(hours) && digits(minutes))
}

/// `1.` and `1)` begin a list where they begin a line.
fn starts_a_list(word: &str, closing: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit()) && closing.starts_with(['.', ')'])
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_sentences_stay_and_names_become_code() {
        for (text, shown) in [
            ("try: kubectl -n shop get events; then wait", "try: `kubectl -n shop get events`; then wait"),
            ("never again: preview delete web-pr-1 -n shop --force", "never again: `preview delete web-pr-1 -n shop --force`"),
            ("a preview environment", "a preview environment"),
            ("0 of 1 ready", "0 of 1 ready"),
            ("crashes: exit 1, 3 restarts in 40 s.", "crashes: exit 1, 3 restarts in 40 s."),
            ("Deployment/web asks for hostPath.", "`Deployment/web` asks for hostPath."),
            ("cannot pull \"acme/web:pr-42\": not found", "cannot pull \"`acme/web:pr-42`\": not found"),
            ("it's read-only (see the log)", "it's read-only (see the log)"),
            ("thanks @octocat, see #12 and GH-12", "thanks `@octocat`, see `#12` and `GH-12`"),
            ("<img src=x> https://evil.example", "`<img` `src=x>` `https://evil.example`"),
            ("1. one", "`1`. one"),
            ("at 3f9c2abcd", "at `3f9c2abcd`"),
            ("until 27 Nov, 14:05 UTC, not :14:05:", "until 27 Nov, 14:05 UTC, not `:14:05`:"),
            ("a | b\n## c", "a `|` b `##` c"),
            ("", ""),
        ] {
            assert_eq!(prose(text, 200), shown);
        }
    }

    #[test]
    fn code_keeps_backticks_in() {
        for (text, shown) in
            [("web", "`web`"), ("a`b", "``a`b``"), ("``", "``` `` ```"), ("$x$", "` $x$ `"), ("a\r\n\tb", "`a b`"), ("", "–")]
        {
            assert_eq!(code(text), shown);
        }
    }

    #[test]
    fn only_plain_addresses_are_links() {
        assert_eq!(link("a.example.com", "https://a.example.com/x"), "[a.example.com](https://a.example.com/x)");
        for url in ["javascript:alert(1)", "https://a.example.com/)![x](y", "https://a b", "https://", "https://https://a"] {
            assert!(link("a", url).starts_with('`'), "{url}");
        }
    }

    #[test]
    fn commits_link_themselves_unless_markdown_is_in_the_way() {
        assert_eq!(commit("acme/web", "3f9c2ab1"), "acme/web@3f9c2ab");
        assert_eq!(commit("acme/__x__", "3f9c2ab1"), "`acme/__x__@3f9c2ab`");
        assert_eq!(commit("acme/web-", "3f9c2ab1"), "`acme/web-@3f9c2ab`", "or it would mention the account 3f9c2ab");
    }

    #[test]
    fn words_for_the_shell_are_quoted() {
        assert_eq!(shell_word("web-pr-42"), "web-pr-42");
        assert_eq!(shell_word("a'; rm -rf /\n"), r"'a'\''; rm -rf /'");
    }

    #[test]
    fn nothing_inside_ends_a_block() {
        for (text, shown) in [
            ("a\nb\nc\n\n", "```text\nb\nc\n```\n"),
            ("```\n</details>", "````text\n```\n</details>\n````\n"),
            ("\u{1b}[31mred\u{1b}[0m\tx\u{202e}y", "```text\nred  xy\n```\n"),
            ("a line that is too long\r~~~", "```text\na line that…\n~~~\n```\n"),
            ("", "```text\n\n```\n"),
        ] {
            assert_eq!(block(text, 2, 12), shown, "{text:?}");
        }
    }

    #[test]
    fn a_word_is_safe_in_html() {
        assert_eq!((word("web-1").as_str(), word("</b>@x").as_str(), word("\n").as_str()), ("web-1", "bx", "one"));
    }

    #[test]
    fn long_texts_are_clipped() {
        assert_eq!(prose(&"ab ".repeat(100), 8), "ab ab ab…");
    }
}
