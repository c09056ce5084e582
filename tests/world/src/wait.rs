//! Waiting for the cluster, by watches and with a deadline.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Result, bail};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long a story waits for one thing. Far above what anything here takes, for machines that are busy.
pub const fn deadline() -> Duration {
    Duration::from_secs(60)
}

/// Waits until the object is as the condition says; the error shows how it is instead.
pub async fn wait_for<K>(api: &Api<K>, name: &str, what: &str, condition: impl Condition<K> + Send) -> Result<Option<K>>
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
    K::DynamicType: Default,
{
    let waited = tokio::time::timeout(deadline(), await_condition(api.clone(), name, condition)).await;
    if let Ok(result) = waited {
        return Ok(result?);
    }
    let there = api.get_opt(name).await;
    let shown = there.map(|object| serde_json::to_string_pretty(&object).unwrap_or_default());
    bail!("{name}: not {what} within {:?}; it is {shown:?}", deadline())
}
