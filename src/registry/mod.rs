//! Image look-ups: is an image in its registry, and under which digest?
//!
//! By the OCI distribution specification 1.1, reading alone: HEAD and GET of a manifest, and of an image's
//! configuration where a label of it is asked for. What a registry answers comes from outside, and the name of the
//! registry from a manifest, so the limits are kept here: which registries may be asked, which addresses may be
//! connected to, whom a credential is given to, how long it may take and how much is read.
//!
//! [`Registry::look_up`] is the whole of it. It keeps no answers; whoever asks does.

mod address;
mod challenge;
mod config;
mod credentials;
mod exchange;
mod manifest;
mod search;
mod token;

pub use address::{Cidr, InvalidCidr};
pub use config::{InvalidRealm, Realm, RegistryConfig};
pub use credentials::{Credentials, CredentialsError, Login};
pub use manifest::digest_of;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, Semaphore};

use self::exchange::Http;
use crate::domain::ImageRef;
use crate::metrics::Metrics;

/// Longest time for one look-up with all its requests. Ours: a healthy registry answers in well under a second.
const TOTAL: Duration = Duration::from_secs(20);
/// How long a registry that cannot be reached is not asked again.
const DOWN: Duration = Duration::from_secs(60);
/// Look-ups under way at one registry, so that a slow one takes no connection from the others.
const AT_ONCE: usize = 8;

/// Which image is looked for, and how closely.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Query {
    /// The registry as references name it: `docker.io`, `registry.example.com:5000`.
    pub registry: String,
    /// The repository in it, with Docker's `library/` written out.
    pub path: String,
    /// The tag.
    pub tag: String,
    /// Whether the commits that the image says it is built from are asked for too.
    pub revisions: bool,
}

impl Query {
    /// The look-up of a tag of that repository.
    pub fn of(repository: &ImageRef, tag: &str, revisions: bool) -> Self {
        let (registry, path) = repository.registry_and_path();
        Self { registry, path, tag: tag.to_owned(), revisions }
    }
}

/// What a registry says of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It is there.
    Found(Found),
    /// There is no such image: the registry itself says so.
    Absent,
    /// Nobody can say.
    Unknown(Unknown),
}

impl Answer {
    /// One word for metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::Absent => "absent",
            Self::Unknown(Unknown::NotAllowed(_)) => "not_allowed",
            Self::Unknown(Unknown::Refused(_)) => "refused",
            Self::Unknown(Unknown::Unreachable(_)) => "unreachable",
            Self::Unknown(Unknown::Failed(_)) => "failed",
        }
    }
}

/// An image that is there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Found {
    /// Digest of its manifest or index, such as `sha256:...`.
    pub digest: String,
    /// The platforms of an index, such as `linux/amd64`; empty where the image is of one platform that was not asked for.
    pub platforms: Vec<String>,
    /// The commits that its labels and annotations say it is built from, where they were asked for.
    pub revisions: Vec<String>,
}

/// Why nobody can say whether an image is there. Texts hold no credential and no body.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unknown {
    /// We may not ask that registry.
    #[error("{0}")]
    NotAllowed(String),
    /// It does not let us see the image.
    #[error("{0}")]
    Refused(String),
    /// It does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// It answers, but with a failure of its own, or with nothing that describes an image.
    #[error("{0}")]
    Failed(String),
}

impl Unknown {
    /// As a reason of a condition.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotAllowed(_) => "RegistryNotAllowed",
            Self::Refused(_) => "RegistryRefuses",
            Self::Unreachable(_) => "RegistryUnreachable",
            Self::Failed(_) => "RegistryFails",
        }
    }
}

/// The registries, as far as this service may ask them.
pub struct Registry {
    config: RegistryConfig,
    http: OnceCell<Result<Http, String>>,
    down: Mutex<HashMap<String, (Instant, Unknown)>>,
    turns: Mutex<HashMap<String, Arc<Semaphore>>>,
    metrics: Metrics,
}

impl Registry {
    /// Nothing is sent and no certificate is read until the first look-up.
    pub fn new(config: RegistryConfig) -> Self {
        Self { config, http: OnceCell::new(), down: Mutex::default(), turns: Mutex::default(), metrics: Metrics::new() }
    }

    /// Counts the look-ups there.
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The limits that it keeps.
    pub fn config(&self) -> &RegistryConfig {
        &self.config
    }

    /// Asks the registry for an image, with the first of the logins that it takes, then with the service's own, then
    /// with none. Whether it may be asked at all is [`RegistryConfig::allows`].
    pub async fn look_up(&self, query: &Query, logins: &[Credentials]) -> Answer {
        if let Some(why) = self.recall(&query.registry) {
            return Answer::Unknown(why);
        }
        let http = self.http.get_or_init(|| async { Http::new(&self.config) }).await;
        let http = match http {
            Ok(http) => http,
            Err(why) => return Answer::Unknown(Unknown::Unreachable(why.clone())),
        };
        let turn = self.turn(&query.registry);
        let _turn = turn.acquire().await;
        let own = self.config.credentials();
        let logins = logins.iter().chain(own.as_ref()).flat_map(|c| c.logins_for(query)).collect();
        let search = search::search(http, &self.config, query, logins);
        let answer = tokio::time::timeout(TOTAL, search).await;
        let answer = answer.unwrap_or_else(|_| {
            let why = format!("{} took longer than {} s", query.registry, TOTAL.as_secs());
            Answer::Unknown(Unknown::Unreachable(why))
        });
        self.note(&query.registry, &answer);
        self.metrics.image_look_up(answer.label());
        answer
    }

    /// What is known of a registry that did not answer lately.
    pub fn recall(&self, registry: &str) -> Option<Unknown> {
        let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        down.retain(|_, (since, _)| since.elapsed() < DOWN);
        down.get(registry).map(|(_, why)| why.clone())
    }

    fn note(&self, registry: &str, answer: &Answer) {
        if let Answer::Unknown(why @ Unknown::Unreachable(_)) = answer {
            let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
            down.insert(registry.to_owned(), (Instant::now(), why.clone()));
        }
    }

    fn turn(&self, registry: &str) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(registry.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
