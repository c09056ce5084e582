//! Deliveries: signed, sent once within ten seconds, logged, repeated on request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::{ContentType, Event, Extra, Model, Webhook};

/// How long GitHub waits for an answer to a delivery, as it documents it.
pub const TIME_OUT: Duration = Duration::from_secs(10);

const SIGNATURE: &str = "X-Hub-Signature-256";

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Built, not sent.
    NotSent,
    /// The receiver answered.
    Answered {
        /// The status.
        status: u16,
        /// The body, as text.
        body: String,
    },
    /// Nobody answered: no connection, or no answer in time.
    Failed(String),
}

impl Outcome {
    /// GitHub waited long enough.
    pub(crate) fn late() -> Self {
        Self::Failed("no answer within 10 s".to_owned())
    }
}

/// A delivery, ready to send or sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The id in the log of deliveries; a redelivery has its own.
    pub id: u64,
    /// The webhook.
    pub hook: u64,
    /// `X-GitHub-Event`.
    pub event: String,
    /// The action within the event.
    pub action: Option<String>,
    /// `X-GitHub-Delivery`; a redelivery repeats it.
    pub guid: String,
    /// The pull request.
    pub number: Option<u64>,
    /// The repository.
    pub repository: Option<u64>,
    /// The installation in whose name an App is told.
    pub installation: Option<u64>,
    /// When it was made, by the double's clock.
    pub at: DateTime<Utc>,
    /// Where it goes.
    pub url: String,
    /// All headers that GitHub sets, the signature included.
    pub headers: Vec<(String, String)>,
    /// The bytes of the body.
    #[serde(serialize_with = "as_text")]
    pub body: Bytes,
    /// Whether it repeats an earlier one.
    pub redelivery: bool,
    /// How it ended.
    pub outcome: Outcome,
}

fn as_text<S: serde::Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(body))
}

impl Delivery {
    /// The status that the receiver answered with.
    pub fn status(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Answered { status, .. } => Some(status),
            _ => None,
        }
    }

    /// The body that the receiver answered with.
    pub fn answer(&self) -> &str {
        match &self.outcome {
            Outcome::Answered { body, .. } => body,
            Outcome::NotSent => "(not sent)",
            Outcome::Failed(why) => why,
        }
    }

    /// A header by name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null when it is not JSON, as in a form.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// With other bytes under the old signature, as someone who tampers would send it.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// With a header set or replaced.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self = self.without_header(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a header.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self
    }

    /// Signed with a secret, over the bytes as they are now.
    #[must_use]
    pub fn signed_with(self, secret: &str) -> Self {
        let signature = signature(secret, &self.body);
        self.with_header(SIGNATURE, &signature)
    }

    /// Without a signature.
    #[must_use]
    pub fn unsigned(self) -> Self {
        self.without_header(SIGNATURE)
    }
}

/// `sha256=` and the HMAC in hexadecimal digits, as GitHub documents it.
///
/// # Panics
/// Never: HMAC takes a key of any length.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

impl Webhook {
    /// Whether an event goes to this webhook, and in whose name if it is an App's: that of an installation.
    pub(crate) fn receives(&self, model: &Model, event: &Event) -> Option<(Self, Option<u64>)> {
        if let Extra::Hook(id) = event.extra {
            return (id == self.id).then(|| (self.clone(), None));
        }
        let subscribed = self.subscribes(event.name);
        if let Some(app) = self.app {
            return receives_as(model, (app, subscribed), event).map(|id| (self.clone(), Some(id)));
        }
        let of_it = event.repository.is_some_and(|repository| self.is_of(repository));
        let for_apps_alone = matches!(event.action, Some("requested_action" | "rerequested"));
        (subscribed && of_it && !for_apps_alone).then(|| (self.clone(), None))
    }
}

/// The installation in whose name an App is told of an event. It is told of its installations and of what is done to
/// its own check runs without having asked for it.
fn receives_as(model: &Model, (app, subscribed): (u64, bool), event: &Event) -> Option<u64> {
    let own = |id: &u64| model.installations.get(id).is_some_and(|installation| installation.app == app);
    let Some(repository) = event.repository.and_then(|id| model.repositories.get(&id).or_else(|| model.deleted.get(&id))) else {
        return event.installation.filter(own);
    };
    let pressed = match (event.action, &event.extra) {
        (Some("requested_action" | "rerequested"), Extra::Check(id, _)) => {
            Some(repository.records.checks.get(id).is_some_and(|run| run.app == app))
        }
        _ => None,
    };
    let wanted = pressed.unwrap_or(subscribed);
    let here = model.installation_on(app, repository).filter(|installation| installation.works());
    here.map(|installation| installation.id).or(event.installation.filter(own)).filter(|_| wanted)
}

/// To whom a delivery goes, and in whose name and when.
#[derive(Clone, Copy)]
pub(crate) struct Address<'a> {
    pub hook: &'a Webhook,
    pub installation: Option<u64>,
    pub now: DateTime<Utc>,
}

/// The delivery of an event to a webhook, without an id yet.
pub(crate) fn sign(Address { hook, installation, now }: Address<'_>, event: &Event, body: &Value) -> Delivery {
    let json = body.to_string();
    let (content_type, body) = match hook.content_type {
        ContentType::Json => ("application/json", json),
        ContentType::Form => ("application/x-www-form-urlencoded", format!("payload={}", form_encoded(&json))),
    };
    let guid = guid();
    let headers = [
        ("Accept", "*/*".to_owned()),
        ("Content-Type", content_type.to_owned()),
        ("User-Agent", "GitHub-Hookshot/d0ab1e0".to_owned()),
        ("X-GitHub-Delivery", guid.clone()),
        ("X-GitHub-Event", event.name.to_owned()),
        ("X-GitHub-Hook-ID", hook.id.to_string()),
        ("X-GitHub-Hook-Installation-Target-ID", hook.app.or(event.repository).unwrap_or_default().to_string()),
        ("X-GitHub-Hook-Installation-Target-Type", if hook.app.is_some() { "integration" } else { "repository" }.to_owned()),
    ];
    let delivery = Delivery {
        id: 0,
        hook: hook.id,
        event: event.name.to_owned(),
        action: event.action.map(str::to_owned),
        guid,
        number: event.number,
        repository: event.repository,
        installation,
        at: now,
        url: hook.url.clone(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        body: Bytes::from(body),
        redelivery: false,
        outcome: Outcome::NotSent,
    };
    match &hook.secret {
        Some(secret) => delivery.signed_with(secret),
        None => delivery,
    }
}

/// What GitHub's own encoder leaves as it is: letters, digits and a few marks.
fn form_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// An id that no other delivery has, in the form of a UUID.
fn guid() -> String {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let digest = hex::encode(Sha256::digest(format!("{count} {now} {}", std::process::id())));
    format!("{}-{}-11ee-{}-{}", &digest[..8], &digest[8..12], &digest[12..16], &digest[16..28])
}

/// The part of GitHub that makes requests.
pub(crate) struct Sender {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Sender {
    pub fn new() -> Self {
        // A connection for each delivery: one kept from before a receiver was killed would fail the next.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { client }
    }

    /// Sends a delivery once.
    pub async fn send(&self, delivery: &Delivery) -> Outcome {
        match tokio::time::timeout(TIME_OUT, self.exchange(delivery)).await {
            Ok(Ok((status, body))) => Outcome::Answered { status, body },
            Ok(Err(error)) => Outcome::Failed(format!("{error:#}")),
            Err(_) => Outcome::late(),
        }
    }

    async fn exchange(&self, delivery: &Delivery) -> anyhow::Result<(u16, String)> {
        let mut request = hyper::Request::post(&delivery.url);
        for (name, value) in &delivery.headers {
            request = request.header(name, value);
        }
        let response = self.client.request(request.body(Full::new(delivery.body.clone()))?).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in GitHub's documentation on validating deliveries.
    #[test]
    fn the_signature_is_githubs() {
        let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(signature("It's a Secret to Everybody", b"Hello, World!"), expected);
    }

    #[test]
    fn a_form_has_no_loose_marks() {
        assert_eq!(form_encoded("{\"a b\":1}"), "%7B%22a%20b%22%3A1%7D");
    }
}
