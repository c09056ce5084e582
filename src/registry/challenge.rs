//! What a registry asks for where it answers 401: the header `WWW-Authenticate` (RFC 9110, section 11.6.1).
//! No client, no clock, no logging.

use hyper::HeaderMap;
use hyper::header::WWW_AUTHENTICATE;

/// Longest header that is looked at, in bytes.
const LONGEST: usize = 4096;

/// How to log in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Challenge {
    /// By name and password.
    Basic,
    /// By a token that somebody else gives out.
    Bearer {
        /// Where the token is given out.
        realm: String,
        /// What the token is to be for, as the registry calls itself.
        service: Option<String>,
    },
}

/// What an answer asks for; a token stands before a password.
pub(super) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|line| line.to_str().ok());
    let all: Vec<Challenge> = lines.filter(|line| line.len() <= LONGEST).filter_map(read).collect();
    all.iter().find(|c| matches!(c, Challenge::Bearer { .. })).or(all.first()).cloned()
}

fn read(line: &str) -> Option<Challenge> {
    let (scheme, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameters = parameters(rest);
    let find = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
    Some(Challenge::Bearer { realm: find("realm")?, service: find("service") })
}

/// `key="value", key=value`; inside quotes a backslash takes the next character as it is.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, remaining) = after.strip_prefix('"').map_or_else(|| token(after), quoted);
        parameters.push((key.trim_matches([' ', ',']).to_owned(), value));
        rest = remaining;
    }
    parameters
}

fn token(text: &str) -> (String, &str) {
    let end = text.find(',').unwrap_or(text.len());
    (text[..end].trim().to_owned(), &text[end..])
}

fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, next)| next)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(WWW_AUTHENTICATE, line.parse().unwrap());
        }
        challenge(&headers)
    }

    #[test]
    fn both_ways_to_log_in_are_read() {
        let bearer = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#;
        let expected = Challenge::Bearer { realm: "https://auth.docker.io/token".into(), service: Some("registry.docker.io".into()) };
        assert_eq!(of(&[bearer]), Some(expected.clone()));
        assert_eq!(of(&[r#"Basic realm="Registry""#, bearer]), Some(expected));
        assert_eq!(of(&["Basic"]), Some(Challenge::Basic));
        assert_eq!(of(&["Negotiate"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn odd_spellings_are_read_and_none_panics() {
        let read = |line: &str| match of(&[line]) {
            Some(Challenge::Bearer { realm, .. }) => Some(realm),
            _ => None,
        };
        assert_eq!(read(r"bearer service=x, REALM=https://a/b").as_deref(), Some("https://a/b"));
        assert_eq!(read(r#"Bearer realm="a\"b", x"#).as_deref(), Some("a\"b"));
        assert_eq!(read(r#"Bearer realm="never ends"#).as_deref(), Some("never ends"));
        for line in ["Bearer", "Bearer ", "Bearer =", "Bearer realm", "Bearer ,,,=\"", "Bearer realm=\"\\"] {
            let _ = read(line);
        }
        assert_eq!(read(&format!("Bearer realm=\"{}\"", "x".repeat(5000))), None);
    }
}
