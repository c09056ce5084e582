//! A request that was read to its end.

use hyper::HeaderMap;
use hyper::body::Bytes;

/// A request.
pub(crate) struct Request {
    pub method: String,
    /// The path as sent, still percent-encoded.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    pub fn new(parts: &hyper::http::request::Parts, body: Bytes) -> Self {
        Self {
            method: parts.method.to_string(),
            path: without_enterprise(parts.uri.path()).to_owned(),
            query: pairs(parts.uri.query().unwrap_or_default()),
            headers: parts.headers.clone(),
            body,
        }
    }

    /// The path in its segments, decoded.
    pub fn segments(&self) -> Vec<String> {
        self.path.trim_matches('/').split('/').map(decoded).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The token of `Authorization: Bearer ...` or `token ...`.
    pub fn token(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
        known.then_some(token.trim())
    }
}

/// GitHub Enterprise Server has the same API below `/api/v3`.
fn without_enterprise(path: &str) -> &str {
    path.strip_prefix("/api/v3").filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, ""))).map(|(key, value)| (plus(key), plus(value))).collect()
}

fn plus(text: &str) -> String {
    decoded(&text.replace('+', " "))
}

/// Undoes percent-encoding; what is not an escape stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = (*first == b'%').then(|| tail.get(..2)).flatten();
        if let Some(byte) = escape.and_then(|digits| hex::decode(digits).ok()) {
            bytes.extend(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        assert_eq!(decoded("feature%2Flogin"), "feature/login");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(pairs("head=acme%3Aa+b&state"), [("head".into(), "acme:a b".into()), ("state".into(), String::new())]);
    }
}
