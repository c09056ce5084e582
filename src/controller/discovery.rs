//! Asks the API server what it serves: two requests for the whole service, when it starts, every few minutes, and when
//! somebody misses a kind. Never for an environment. The client is used here.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::{Notify, watch};

use super::catalogue::Catalogue;
use super::requests::{RequestError, within_deadline};
use crate::kinds::Kind;
use crate::plan::ObjectName;

/// How long a kind that was installed can stay unseen where nobody misses it.
const PERIOD: Duration = Duration::from_secs(180);
/// How long the API server is left alone between two questions, however often a kind is missed.
const PAUSE: Duration = Duration::from_secs(5);

/// What the API server was last heard to serve.
#[derive(Debug)]
pub struct Discovery {
    current: watch::Sender<Option<Arc<Catalogue>>>,
    asked: Notify,
}

impl Default for Discovery {
    fn default() -> Self {
        Self { current: watch::Sender::new(None), asked: Notify::new() }
    }
}

impl Discovery {
    /// Follows what is served; nothing before the first answer.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Catalogue>>> {
        self.current.subscribe()
    }

    /// Asks again soon: somebody misses a kind.
    pub fn look_again(&self) {
        self.asked.notify_one();
    }

    /// The kind of an object: from the table, or as it is served.
    pub fn kind_of(&self, object: &ObjectName) -> Option<Kind> {
        let served = || Some(self.current.borrow().as_ref()?.exact(&object.api_version, &object.kind)?.kind.clone());
        Kind::find(&object.api_version, &object.kind).cloned().or_else(served)
    }

    fn put(&self, found: Catalogue) {
        let is_new = |current: &Option<Arc<Catalogue>>| current.as_deref() != Some(&found);
        if is_new(&self.current.borrow()) {
            self.current.send_replace(Some(Arc::new(found)));
        }
    }
}

/// Keeps the catalogue up to date until it is dropped.
pub async fn run(client: Client, discovery: Arc<Discovery>) {
    loop {
        let answer = read(&client, &discovery).await;
        let failed = answer.is_err();
        match answer {
            Ok(found) => discovery.put(found),
            Err(error) => tracing::warn!(%error, "it is not known which kinds there are"),
        }
        tokio::time::sleep(PAUSE).await;
        if !failed {
            let _ = tokio::time::timeout(PERIOD, discovery.asked.notified()).await;
        }
    }
}

async fn read(client: &Client, discovery: &Discovery) -> Result<Catalogue, RequestError> {
    let what = "ask which kinds are served";
    let core = within_deadline(what, client.list_core_api_versions_aggregated());
    let groups = within_deadline(what, client.list_api_groups_aggregated());
    let (core, groups) = futures::try_join!(core, groups)?;
    let before = discovery.current.borrow().clone().unwrap_or_default();
    let found = Catalogue::of(&[core, groups], &before);
    if found.is_empty() {
        let why = "the API server does not know aggregated discovery, which came with Kubernetes 1.27".to_owned();
        return Err(RequestError::Unanswered { what: what.to_owned(), why });
    }
    Ok(found)
}
