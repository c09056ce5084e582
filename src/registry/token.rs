//! Logging in: the value of `Authorization` for what a registry asks (distribution project, "Token Authentication
//! Specification").

use hyper::header::HeaderValue;
use hyper::{Method, Uri};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::challenge::Challenge;
use super::credentials::{Login, encoded};
use super::exchange::{Ask, Http};
use super::{Query, RegistryConfig, Unknown};

/// Most bytes of an answer with a token; the largest tokens have a few KiB.
const TOKEN_LIMIT: usize = 64 * 1024;

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// Who asks whom for what.
pub(super) struct Entrance<'a> {
    pub(super) http: &'a Http,
    pub(super) config: &'a RegistryConfig,
    pub(super) query: &'a Query,
}

impl Entrance<'_> {
    /// What to send along, or nothing where this login is not taken or not of the kind that is asked for.
    pub(super) async fn authorization(&self, challenge: &Challenge, login: Option<&Login>) -> Result<Option<HeaderValue>, Unknown> {
        match (challenge, login) {
            (Challenge::Basic, login) => Ok(login.and_then(basic)),
            (Challenge::Bearer { realm, service }, login) => {
                let uri = self.address(realm, service.as_deref())?;
                self.token(&uri, login.and_then(basic).as_ref()).await
            }
        }
    }

    /// Where the token is given out. A realm that is not the registry's own would be shown its logins.
    fn address(&self, realm: &str, service: Option<&str>) -> Result<Uri, Unknown> {
        let registry = &self.query.registry;
        let strange = || Unknown::Failed(format!("{registry} names a place for tokens that is no address"));
        let uri: Uri = realm.parse().map_err(|_| strange())?;
        let authority = uri.authority().ok_or_else(strange)?.as_str();
        if uri.scheme_str() != Some(self.config.scheme(registry)) && uri.scheme_str() != Some("https") {
            return Err(Unknown::NotAllowed(format!("{registry} has its tokens given out without TLS")));
        }
        if !self.config.is_realm(registry, authority.strip_suffix(":443").unwrap_or(authority)) {
            let named: String = authority.chars().take(200).collect();
            return Err(Unknown::NotAllowed(format!(
                "{registry} has its tokens given out by {named}, which is told no login; --registry-realm {registry}={named} allows it"
            )));
        }
        let scope = encode(&format!("repository:{}:pull", self.query.path));
        let service = service.map(|s| format!("service={}&", encode(s))).unwrap_or_default();
        let separator = if uri.query().is_some() { '&' } else { '?' };
        format!("{uri}{separator}{service}scope={scope}").parse().map_err(|_| strange())
    }

    async fn token(&self, uri: &Uri, login: Option<&HeaderValue>) -> Result<Option<HeaderValue>, Unknown> {
        let ask = Ask { method: Method::GET, uri, accept: "application/json", authorization: login, cap: TOKEN_LIMIT };
        let reply = self.http.send(&ask).await?;
        let host = uri.host().unwrap_or_default();
        if matches!(reply.status.as_u16(), 400..=404) {
            return Ok(None);
        }
        if !reply.status.is_success() {
            return Err(Unknown::Failed(format!("{host} answers {} where a token is asked for", reply.status.as_u16())));
        }
        let token: Option<Token> = serde_json::from_slice(&reply.body).ok();
        let token = token.and_then(|t| t.token.or(t.access_token)).and_then(|token| secret(&format!("Bearer {token}")));
        token.map(Some).ok_or_else(|| Unknown::Failed(format!("{host} gives no token")))
    }
}

fn basic(login: &Login) -> Option<HeaderValue> {
    secret(&format!("Basic {}", encoded(&format!("{}:{}", login.user, login.password.expose_secret()))))
}

/// A value that is shown nowhere.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A value in a query: everything but the unreserved characters of RFC 3986, section 2.3, is escaped.
fn encode(text: &str) -> String {
    let encode = |byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
