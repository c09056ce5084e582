//! What services log, made fit to be shown: without what moves a terminal's cursor, and without what looks like a secret.
//! No client, no clock, no logging.
//!
//! This is a help and no promise: a secret that looks like a word stays. That is why logs are shown only where the Baseline
//! allows it.

/// What stands in the place of a secret.
const MASK: &str = "***";
/// Parts of names whose values are secrets, in lower case.
const SECRET_NAMES: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "credential",
    "authorization",
    "private_key",
    "privatekey",
    "cookie",
];
/// How tokens of well-known issuers begin: GitHub, GitLab, Slack, Stripe, AWS, Google, npm, and every JSON Web Token.
const TOKEN_PREFIXES: [&str; 21] = [
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xapp-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "sk-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "npm_",
    "eyJ",
];
/// A word of a token's letters that is as long as this and holds small and capital letters and digits is taken for one.
const LONG: usize = 32;
/// The shortest rest that makes a token of a prefix.
const TOKEN_MIN: usize = 8;

/// The text as it can be shown.
pub fn shown(text: &str) -> String {
    let plain = plain(text);
    // The end of a log can begin inside a key.
    let ends = plain.lines().position(|line| line.contains("-----END") && line.contains("KEY"));
    let begins = plain.lines().position(|line| line.contains("-----BEGIN") && line.contains("KEY"));
    let mut in_key = ends.is_some_and(|ends| begins.is_none_or(|begins| ends < begins));
    let lines = plain.lines().map(|line| {
        let begins = line.contains("-----BEGIN") && line.contains("KEY");
        let hidden = in_key || begins;
        in_key = hidden && !line.contains("-----END");
        if hidden { MASK.to_owned() } else { masked(line) }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Without escape sequences (ECMA-48: CSI and OSC, and the short ones) and other controls.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
                Some(']') => while chars.next().is_some_and(|c| !matches!(c, '\u{7}' | '\u{1b}' | '\n')) {},
                _ => {}
            },
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            _ if c.is_control() || is_bidirectional(c) => {}
            _ => out.push(c),
        }
    }
    out
}

/// What makes a text read in another order than it is written in.
fn is_bidirectional(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A line without what looks like a secret: word by word, since every word is judged by itself and by the one before it.
fn masked(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    let mut named = false;
    while !rest.is_empty() {
        let length = rest.find(is_break).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        let gap = after.len() - after.trim_start_matches(is_break).len();
        let (gap, next) = after.split_at(gap);
        // `Authorization: Bearer x` and `password is x` name the word behind the next one too.
        let scheme = matches!(word.to_ascii_lowercase().as_str(), "bearer" | "basic" | "is" | "=" | ":" | "digest");
        match word {
            "" => {}
            _ if named && !scheme => out.push_str(MASK),
            _ => out.push_str(&masked_word(word)),
        }
        out.push_str(gap);
        named = (named && (scheme || word.is_empty())) || names_a_secret(word, after);
        rest = next;
    }
    out
}

fn is_break(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '=' | '{' | '}' | '(' | ')' | '<' | '>' | '|' | '&')
}

/// Whether the value of what is called so is a secret: `DB_PASSWORD=`, `"token":`, `Authorization:`.
fn names_a_secret(word: &str, after: &str) -> bool {
    let name = word.trim_end_matches(':').to_ascii_lowercase();
    let assigns = word.ends_with(':') || after.trim_start_matches(['"', '\'', ' ']).starts_with([':', '=']);
    assigns && SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

fn masked_word(word: &str) -> String {
    // `"token":"x"` is cut at its quotes, and `token:x` is not.
    if let Some((name, value)) = word.split_once(':')
        && !value.is_empty()
        && !value.starts_with("//")
        && names_a_secret(name, ":")
    {
        return format!("{name}:{MASK}");
    }
    if let Some((scheme, rest)) = word.split_once("://") {
        return format!("{scheme}://{}", masked_authority(rest));
    }
    if is_token(word) { MASK.to_owned() } else { word.to_owned() }
}

/// `user:password@host/path` without the password, and without tokens in the path.
fn masked_authority(rest: &str) -> String {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let parts: Vec<String> = path.split('/').map(|part| if is_token(part) { MASK.to_owned() } else { part.to_owned() }).collect();
    let authority = match authority.rsplit_once('@') {
        Some((login, host)) => format!("{}:{MASK}@{host}", login.split(':').next().unwrap_or_default()),
        None => authority.to_owned(),
    };
    format!("{authority}{}", parts.join("/"))
}

fn is_token(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let known = TOKEN_PREFIXES.iter().any(|prefix| word.strip_prefix(prefix).is_some_and(|rest| rest.len() >= TOKEN_MIN));
    let letters = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/_-.".contains(&b));
    let mixed = word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_lowercase())
        && word.bytes().any(|b| b.is_ascii_uppercase());
    // A path is long and mixed too, and its parts are not.
    let longest = word.split(['/', '.']).map(str::len).max().unwrap_or_default();
    known || letters && mixed && longest >= LONG
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_looks_like_a_secret_is_masked() {
        for (line, expected) in [
            ("DB_PASSWORD=hunter2 ok", "DB_PASSWORD=*** ok"),
            (r#"{"token":"abc","user":"ann"}"#, r#"{"token":"***","user":"ann"}"#),
            (r#"{"api_key": "abc"}"#, r#"{"api_key": "***"}"#),
            ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
            ("password: hunter2", "password: ***"),
            ("secret:hunter2", "secret:***"),
            ("connect postgres://app:pa55@db:5432/shop?sslmode=off", "connect postgres://app:***@db:5432/shop?sslmode=off"),
            ("redis://:pa55@cache", "redis://:***@cache"),
            ("using ghp_0123456789abcdef0123", "using ***"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "jwt ***"),
            ("key AKIAIOSFODNN7EXAMPLE", "key ***"),
            ("blob Zm9vYmFyMTIzNDU2Nzg5MEFCQ0RFRkdISUpLTE1OT1A", "blob ***"),
        ] {
            assert_eq!(shown(line), expected);
        }
    }

    #[test]
    fn what_a_reader_needs_stays() {
        for line in [
            "listening on 0.0.0.0:8080 at 2026-01-02T03:04:05Z",
            "commit 3f9c2ab0123456789012345678901234567890ab",
            "image acme/web@sha256:8be10000000000000000000000000000000000000000000000000000000000aa",
            "GET /api/v1/items?limit=20 200 in 3 ms",
            "java.lang.IllegalStateException: no token was given",
            "    at com.example.shop.Checkout2Controller.handle(Checkout2Controller.java:42)",
            "https://web-pr-42.preview.example.com/login",
            "id 01890a5d-ac96-774b-bcce-b302099a8057",
        ] {
            assert_eq!(shown(line), line);
        }
    }

    #[test]
    fn a_key_in_a_file_is_masked_to_its_end() {
        let cut = "MIIE/abc+\nAAAA\n-----END RSA PRIVATE KEY-----\nb";
        assert_eq!(shown(cut), format!("{MASK}\n{MASK}\n{MASK}\nb"), "a log can begin inside a key");
        let text = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb";
        assert_eq!(shown(text), "a\n***\n***\n***\nb");
    }

    #[test]
    fn what_moves_the_cursor_goes() {
        assert_eq!(shown("\u{1b}[31mred\u{1b}[0m\u{7} \u{1b}]0;title\u{7}x\r\ny\rz"), "red x\ny\nz");
        assert_eq!(shown("abc\u{202e}fed"), "abcfed");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_and_nothing_hidden_is_left(text in r"(?s)(\u{1b}\[?|://|@|:|=|password|[a-zA-Z0-9é \n\r\t]|.){0,80}") {
            let shown = shown(&text);
            prop_assert!(shown.chars().all(|c| matches!(c, '\n' | '\t') || !c.is_control()), "{shown:?}");
        }

        #[test]
        fn the_password_of_an_address_is_never_shown(password in "[a-z0-9%!*.~-]{6,30}", user in "[a-z]{0,8}") {
            let shown = shown(&format!("cannot reach postgres://{user}:{password}@db/shop"));
            prop_assert!(!shown.contains(&password) || "db/shop postgres cannot reach".contains(&password), "{shown}");
        }
    }
}
