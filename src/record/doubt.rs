//! Makes the API server hold that the forge is to be asked for a Baseline's repositories, so that whoever leads does.

use chrono::{DateTime, Utc};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde_json::json;

use super::{RecordError, Recorded, refusal};
use crate::api;
use crate::api::names::MANAGER_DOUBT;
use crate::domain::Baseline;

/// Records that the forge said at that moment that repositories of a Baseline may be out of our sight. One that is gone by now
/// has none.
pub async fn doubt(client: &Client, baseline: &Baseline, at: DateTime<Utc>) -> Result<Recorded, RecordError> {
    let (namespace, name) = (&baseline.namespace, &baseline.name);
    let baselines: Api<api::Baseline> = Api::namespaced(client.clone(), namespace);
    let patch = json!({
        "apiVersion": api::Baseline::api_version(&()), "kind": api::Baseline::kind(&()),
        "metadata": {"name": name}, "status": {"doubtedAt": at},
    });
    match baselines.patch_status(name, &PatchParams::apply(MANAGER_DOUBT).force(), &Patch::Apply(&patch)).await {
        Ok(_) => Ok(Recorded::Held),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Recorded::Held),
        Err(error) => refusal(format!("Baseline {namespace}/{name}"), error),
    }
}
