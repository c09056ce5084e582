//! Objects, and waits for them.

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

/// For one wait. The machine may be busy with a build.
const DEADLINE: Duration = Duration::from_secs(60);

/// Makes a namespace, which one test has for itself.
pub async fn namespace(client: &Client, name: &str) -> Result<()> {
    create(&Api::<Namespace>::all(client.clone()), json!({ "metadata": { "name": name } })).await.map(drop)
}

/// Makes any object.
pub async fn create<K>(api: &Api<K>, object: Value) -> Result<K>
where
    K: Resource + DeserializeOwned + Clone + Serialize + Debug,
{
    Ok(api.create(&PostParams::default(), &serde_json::from_value(object)?).await?)
}

/// Waits until the object is as wished.
pub async fn reached<K>(api: &Api<K>, name: &str, condition: impl Condition<K>) -> Result<()>
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    let waited = timeout(DEADLINE, await_condition(api.clone(), name, condition)).await;
    waited.with_context(|| format!("{name} does not get there"))??;
    Ok(())
}

/// The names of the processes that have the folder, or something in it, in their arguments.
pub fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().expect("a plain path").to_owned();
    let entries = std::fs::read_dir("/proc").expect("a list of processes").flatten();
    let arguments = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    arguments.filter(|line| line.contains(&folder)).map(|line| line.replace('\0', " ")).collect()
}
