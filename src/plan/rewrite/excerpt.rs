//! What of a rewritten text is shown: the line and the word that differ, without passwords.

/// Longest value that is shown whole, in characters. Ours: a line of a terminal holds it twice.
const WHOLE: usize = 60;
/// Longest excerpt, in characters, beside the marks where it is cut.
const LONGEST: usize = 120;
/// How many lines of one text are shown, so that a file full of names does not bury the rest of a plan.
const LINES: usize = 20;
const CUT: char = '…';
const HIDDEN: &str = "***";
/// Ends of the names of fields whose values are not shown.
const CONFIDENTIAL: [&str; 15] = [
    "password",
    "passwd",
    "pwd",
    "pass",
    "passphrase",
    "secret",
    "token",
    "credentials",
    "apikey",
    "api_key",
    "accesskey",
    "access_key",
    "secret_key",
    "private_key",
    "privatekey",
];

/// One place where a text differs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The line, from 1; absent for a text of one line.
    pub line: Option<usize>,
    /// What was there.
    pub before: String,
    /// What is there now.
    pub after: String,
}

/// Where two texts of as many lines differ, and how many lines more than are shown.
pub fn differences(before: &str, after: &str) -> (Vec<Difference>, usize) {
    let one_line = !before.trim_end().contains('\n');
    let changed = before.lines().zip(after.lines()).enumerate().filter(|(_, (before, after))| before != after);
    let mut found: Vec<_> = changed.map(|(index, lines)| (index + 1, lines)).collect();
    let more = found.len().saturating_sub(LINES);
    found.truncate(LINES);
    let shown = found.into_iter().map(|(line, (before, after))| {
        let (before, after) = excerpts(before.trim(), after.trim());
        Difference { line: (!one_line).then_some(line), before, after }
    });
    (shown.collect(), more)
}

fn excerpts(before: &str, after: &str) -> (String, String) {
    let whole = before.chars().count() <= WHOLE && !before.contains(['"', '\'']);
    if whole {
        return (masked(before), masked(after));
    }
    let start = common(before.char_indices(), after.char_indices()).unwrap_or_default();
    let start = before[..start].rfind(ends_a_word).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let cut = |text: &str| {
        let tail = tail(before, after, start);
        let end = text.len().saturating_sub(tail).max(start);
        let end = text[end..].find(ends_a_word).map_or(text.len(), |at| end + at);
        shortened(&masked(&text[start..end]))
    };
    (cut(before), cut(after))
}

/// Index of the first character that differs.
fn common(one: std::str::CharIndices<'_>, two: std::str::CharIndices<'_>) -> Option<usize> {
    one.zip(two).find(|((_, a), (_, b))| a != b).map(|((at, _), _)| at)
}

/// How many bytes at the end are the same, no more than what lies behind `start` in either.
fn tail(before: &str, after: &str, start: usize) -> usize {
    let longest = before.len().min(after.len()) - start;
    let same = before.chars().rev().zip(after.chars().rev()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8());
    same.scan(0, |sum, length| {
        *sum += length;
        Some(*sum)
    })
    .take_while(|sum| *sum <= longest)
    .last()
    .unwrap_or_default()
}

fn ends_a_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'')
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST { text.to_owned() } else { text.chars().take(LONGEST).chain([CUT]).collect() }
}

/// The text without the passwords of URLs and of fields that are named like one.
pub fn masked(text: &str) -> String {
    let words = text.split_inclusive(|c: char| c.is_whitespace());
    words.map(|word| without_fields(&without_user(word))).collect()
}

/// The value of a variable or key as it may be shown: one that is called like a password is not, whatever it is.
pub fn masked_value(name: &str, value: &str) -> String {
    if is_confidential(name) { HIDDEN.to_owned() } else { masked(value) }
}

/// `user:password@` as `user:***@`. Up to the last `@`, since a password may hold one.
fn without_user(word: &str) -> String {
    let Some((user, host)) = word.rsplit_once('@') else { return word.to_owned() };
    let after_scheme = user.find("://").map_or(0, |at| at + 3);
    match user[after_scheme..].find(':') {
        Some(colon) => format!("{}:{HIDDEN}@{host}", &user[..after_scheme + colon]),
        None => word.to_owned(),
    }
}

fn without_fields(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for field in word.split_inclusive(['&', ';', ',', '?']) {
        match field.split_once('=') {
            Some((name, value)) if is_confidential(name) => {
                let end = value.find(|c: char| c.is_whitespace() || "&;,?\"'".contains(c)).unwrap_or(value.len());
                out.extend([name, "=", HIDDEN, &value[end..]]);
            }
            _ => out.push_str(field),
        }
    }
    out
}

/// Whether a name is that of a password or its kin.
pub fn is_confidential(name: &str) -> bool {
    let name = name.trim_matches(['"', '\'']).to_ascii_lowercase();
    CONFIDENTIAL.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> Vec<(Option<usize>, String, String)> {
        differences(before, after).0.into_iter().map(|d| (d.line, d.before, d.after)).collect()
    }

    #[test]
    fn short_values_are_shown_whole_and_files_by_line() {
        assert_eq!(shown("http://a.b/x", "http://c.d/x"), [(None, "http://a.b/x".into(), "http://c.d/x".into())]);
        let (before, after) = ("one\n  url: a.b\n", "one\n  url: c.dd\n");
        assert_eq!(shown(before, after), [(Some(2), "url: a.b".into(), "url: c.dd".into())]);
    }

    #[test]
    fn of_a_long_line_the_word_is_shown() {
        let long = |host: &str| format!("{{\"secret\": \"x\", \"url\": \"https://{host}/é\", \"more\": \"{}\"}}", "y".repeat(100));
        assert_eq!(shown(&long("a.b"), &long("cc.d")), [(None, "https://a.b/é".into(), "https://cc.d/é".into())]);
        let endless = |host: &str| format!("{host}/{}", "z".repeat(500));
        assert_eq!(shown(&endless("a.b"), &endless("c.d"))[0].1.chars().count(), LONGEST + 1);
    }

    #[test]
    fn two_changes_in_one_line_are_one_excerpt() {
        let before = format!("{} a.b and a.b", "x".repeat(80));
        assert_eq!(shown(&before, &before.replace("a.b", "a.bb"))[0].2, "a.bb and a.bb");
    }

    #[test]
    fn passwords_are_not_shown() {
        for (text, says) in [
            ("postgres://app:p@ss/w@db:5432/x", "postgres://app:***@db:5432/x"),
            ("app:pass@tcp(db:3306)/x", "app:***@tcp(db:3306)/x"),
            ("host=db password=x sslmode=y", "host=db password=*** sslmode=y"),
            ("Server=db;Password=x;Encrypt=no", "Server=db;Password=***;Encrypt=no"),
            ("https://db/?access_token=x&y=1", "https://db/?access_token=***&y=1"),
            ("me@example.com", "me@example.com"),
        ] {
            assert_eq!(masked(text), says);
        }
    }

    #[test]
    fn what_is_called_a_password_is_not_shown() {
        assert_eq!(masked_value("AWS_SECRET_ACCESS_KEY", "x"), "***");
        assert_eq!(masked_value("TOKEN_URL", "https://a.b"), "https://a.b");
    }

    #[test]
    fn a_file_full_of_names_is_cut() {
        let file = |host: &str| format!("{host}\n").repeat(25);
        let (shown, more) = differences(&file("a.b"), &file("c.d"));
        assert_eq!((shown.len(), more), (20, 5));
    }
}
