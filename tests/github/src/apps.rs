//! Apps as tests make them, and keys for them.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Deserialize;
use serde_json::json;

use crate::double::{Done, Double};
use crate::hook::Hook;
use crate::model::{Action, App, Model, Permissions, REQUESTS_PER_HOUR, RateLimit, Refusal, UserKind, Webhook};

/// The account that the double's Apps belong to.
const MAKER: &str = "app-makers";

/// An App to make. It has no `Debug`, so that the webhook's secret cannot end in a log.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewApp {
    /// GitHub's numeric id.
    pub id: u64,
    /// The name in addresses; comments by it are of `<slug>[bot]`.
    pub slug: String,
    /// The public half of its key, PEM.
    pub public_key: String,
    /// What it asks for: `issues` to `write`.
    #[serde(default)]
    pub permissions: Permissions,
    /// The events that it subscribes to. Of its installations it is told anyway.
    #[serde(default)]
    pub events: Vec<String>,
    /// Where its deliveries go, and the secret to sign them with.
    #[serde(default)]
    pub webhook: Option<Hook>,
}

impl NewApp {
    /// An App that may read metadata and is told nothing.
    pub fn new(id: u64, slug: &str, public_key: &str) -> Self {
        let (permissions, events) = (Permissions::new(), Vec::new());
        Self { id, slug: slug.to_owned(), public_key: public_key.to_owned(), permissions, events, webhook: None }
    }

    /// That asks for these permissions.
    #[must_use]
    pub fn permissions(mut self, permissions: &[(&str, &str)]) -> Self {
        self.permissions = permissions.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect();
        self
    }

    /// That is told of these events.
    #[must_use]
    pub fn events(mut self, events: &[&str]) -> Self {
        self.events = events.iter().map(|event| (*event).to_owned()).collect();
        self
    }

    /// With a webhook of its own. Its events are those of the App.
    #[must_use]
    pub fn webhook(mut self, hook: Hook) -> Self {
        self.webhook = Some(hook);
        self
    }

    pub(crate) fn add_to(self, model: &mut Model, now: DateTime<Utc>) -> Result<(), Refusal> {
        if model.apps.contains_key(&self.id) {
            return Err(Refusal::State { what: "make the App", why: format!("{} exists", self.id) });
        }
        let owner = model.add_user(MAKER, UserKind::Organization);
        let bot = model.add_user(&format!("{}[bot]", self.slug), UserKind::Bot);
        let mut permissions = self.permissions;
        permissions.entry("metadata".to_owned()).or_insert_with(|| "read".to_owned());
        if let Some(hook) = self.webhook {
            let webhook = Webhook::new(&hook.url, hook.secret.as_deref(), None);
            let events = self.events.clone();
            model.add_webhook(Webhook { content_type: hook.content_type, events, app: Some(self.id), ..webhook });
        }
        let (rate, created_at) = (RateLimit::new(REQUESTS_PER_HOUR), crate::model::whole_seconds(now));
        let (id, slug, public_key, events) = (self.id, self.slug, self.public_key, self.events);
        model.apps.insert(id, App { id, slug, owner, bot, public_key, permissions, events, created_at, rate });
        Ok(())
    }
}

impl Double {
    /// Makes an App.
    pub fn add_app(&self, app: NewApp) -> Result<(), Refusal> {
        self.shared.change(|state| {
            let now = state.now();
            app.add_to(&mut state.model, now)
        })
    }

    /// Installs an App on an account: on all of its repositories, or on these, as `owner/name`. Returns the
    /// installation's id. Like everything that is set up, this sends nothing; [`Action::Install`] builds the delivery.
    pub fn install(&self, app: u64, owner: &str, repositories: Option<&[&str]>) -> Result<u64, Refusal> {
        let repositories = repositories.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let install = Action::Install { app, owner: owner.to_owned(), repositories, by: owner.to_owned() };
        self.shared.change(|state| {
            let now = state.now();
            let events = state.model.act(&install, now)?;
            events.iter().find_map(|event| event.installation).ok_or(Refusal::NoApp(app))
        })
    }

    /// Uninstalls it, and builds the signed delivery without sending it.
    pub fn uninstall(&self, installation: u64, by: &str) -> Result<Done, Refusal> {
        self.act(Action::Uninstall { installation, by: by.to_owned() })
    }

    /// Suspends it, and builds the signed delivery without sending it.
    pub fn suspend(&self, installation: u64, by: &str) -> Result<Done, Refusal> {
        self.act(Action::Suspend { installation, by: by.to_owned() })
    }
}

/// The key of an App, made for tests. It has no `Debug`.
#[derive(Clone)]
pub struct Key {
    /// The private half, PEM of PKCS#8.
    pub private: String,
    /// The public half, PEM.
    pub public: String,
}

static SHARED: LazyLock<Key> = LazyLock::new(Key::generate);

impl Key {
    /// A key of its own. It takes a moment: [`Key::shared`] is for tests that need any.
    ///
    /// # Panics
    /// When the machine has no random numbers.
    pub fn generate() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key of 2048 bits");
        let private: Pkcs8V1Der<'_> = pair.as_der().expect("a key that was just made");
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a key that was just made");
        let text = |kind: &str, der: &[u8]| pem::encode(&pem::Pem::new(kind, der));
        Self { private: text("PRIVATE KEY", private.as_ref()), public: text("PUBLIC KEY", public.as_ref()) }
    }

    /// The same key for all tests of a program.
    pub fn shared() -> Self {
        SHARED.clone()
    }

    /// A token as an App signs it for itself, issued a minute ago and good for nine more, as GitHub recommends.
    pub fn token(&self, app: u64, now: DateTime<Utc>) -> String {
        self.token_for(app, now - TimeDelta::minutes(1), now + TimeDelta::minutes(9))
    }

    /// The same with times of its own.
    ///
    /// # Panics
    /// When the private half is none.
    pub fn token_for(&self, app: u64, issued: DateTime<Utc>, expires: DateTime<Utc>) -> String {
        let claims = json!({ "iss": app.to_string(), "iat": issued.timestamp(), "exp": expires.timestamp() });
        let key = EncodingKey::from_rsa_pem(self.private.as_bytes()).expect("a key in PEM");
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).expect("claims that are JSON")
    }
}
