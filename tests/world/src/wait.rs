//! Waiting for the cluster, by watches and with a deadline.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Result, bail};
use futures::StreamExt;
use kube::runtime::wait::Condition;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long a story waits for one thing. Far above what anything here takes, for machines that are busy.
pub const fn deadline() -> Duration {
    Duration::from_secs(120)
}

/// Waits until the object is as the condition says; the error shows how it is instead. An API server that is just coming
/// up refuses watches for a moment, so one that fails is begun anew.
pub async fn wait_for<K>(api: &Api<K>, name: &str, what: &str, condition: impl Condition<K> + Send) -> Result<Option<K>>
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
    K::DynamicType: Default,
{
    let mut refused = None;
    let mut states = std::pin::pin!(watcher::watch_object(api.clone(), name).default_backoff());
    let waited = tokio::time::timeout(deadline(), async {
        while let Some(state) = states.next().await {
            match state {
                Ok(object) if condition.matches_object(object.as_ref()) => return object,
                Ok(_) => {}
                Err(error) => refused = Some(error.to_string()),
            }
        }
        None
    });
    if let Ok(object) = waited.await {
        return Ok(object);
    }
    let there = api.get_opt(name).await;
    let shown = there.map(|object| serde_json::to_string_pretty(&object).unwrap_or_default());
    bail!("{name}: not {what} within {:?}; it is {shown:?}, and the last refusal {refused:?}", deadline())
}
