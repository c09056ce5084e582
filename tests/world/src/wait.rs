//! Waiting for the cluster, by watches and with a deadline.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::StreamExt;
use kube::runtime::wait::Condition;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::shown::shown;

/// How long a story waits for one thing. Far above what anything here takes, for machines that are busy.
pub const fn deadline() -> Duration {
    Duration::from_secs(180)
}

/// What was seen of an object while it was waited for.
#[derive(Default)]
struct Seen {
    states: usize,
    last: Option<Instant>,
    refused: Option<String>,
}

impl Seen {
    fn in_words(&self) -> String {
        let quiet = self.last.map(|last| format!(", the last one {:.0} s before the end", last.elapsed().as_secs_f64()));
        let refused = self.refused.as_ref().map(|why| format!("; last refusal of the watch: {why}"));
        format!("{} states of it were seen{}{}", self.states, quiet.unwrap_or_default(), refused.unwrap_or_default())
    }
}

/// Waits until the object is as the condition says. The error begins with what was waited for, and shows in short how the
/// object is instead. An API server that is just coming up refuses watches for a moment, so one that fails is begun anew.
pub async fn wait_for<K>(api: &Api<K>, name: &str, what: &str, condition: impl Condition<K> + Send) -> Result<Option<K>>
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
    K::DynamicType: Default,
{
    let mut seen = Seen::default();
    let mut states = std::pin::pin!(watcher::watch_object(api.clone(), name).default_backoff());
    let waited = tokio::time::timeout(deadline(), async {
        while let Some(state) = states.next().await {
            match state {
                Ok(object) if condition.matches_object(object.as_ref()) => return object,
                Ok(_) => (seen.states, seen.last) = (seen.states + 1, Some(Instant::now())),
                Err(error) => seen.refused = Some(error.to_string()),
            }
        }
        None
    });
    if let Ok(object) = waited.await {
        return Ok(object);
    }
    let there = match api.get_opt(name).await {
        Ok(Some(object)) => shown(&serde_json::to_value(&object).unwrap_or_default()),
        Ok(None) => "  it is not there\n".to_owned(),
        Err(error) => format!("  it cannot be read: {error}\n"),
    };
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    bail!("{kind} {name} is not {what} after {} s\n{there}  {}", deadline().as_secs(), seen.in_words())
}
