//! Step 1 of 5, observe: what the baseline holds right now. The client is used here, for the listed Secrets alone:
//! everything else comes from the Baseline's cache.

use std::collections::BTreeMap;

use super::Context;
use super::requests::{self, RequestError};
use crate::domain::Baseline;
use crate::plan::{Manifest, Snapshot, listed, sources};

/// What was seen.
pub enum Observed {
    /// All of it.
    Snapshot(Snapshot),
    /// The namespace was not read completely yet, for this reason.
    NotYet(String),
}

/// Takes a snapshot of the Baseline's namespace. For an isolated environment no Secret is even read.
pub async fn observe(context: &Context, baseline: &Baseline, isolated: bool) -> Result<Observed, RequestError> {
    let Some(contents) = context.baselines.contents(&baseline.namespace) else {
        return Ok(Observed::NotYet(format!("reading namespace {} for the first time", baseline.namespace)));
    };
    let mut snapshot = Snapshot {
        objects: contents.objects,
        others: contents.others,
        controlled: contents.controlled,
        missing_secrets: Vec::new(),
        pod_security: context.baselines.pod_security(&baseline.namespace),
    };
    if isolated {
        return Ok(Observed::Snapshot(snapshot));
    }
    let names = sources(&baseline.secrets);
    let secrets = names.iter().map(|name| requests::get_secret(&context.client, &baseline.namespace, name));
    let mut read = BTreeMap::new();
    for (name, secret) in names.iter().zip(futures::future::try_join_all(secrets).await?) {
        let manifest = secret.map(|secret| Manifest::new(serde_json::to_value(secret).unwrap_or_default()));
        read.extend(manifest.map(|manifest| ((*name).to_owned(), manifest)));
    }
    let listed = listed(&baseline.secrets, &read);
    snapshot.objects.extend(listed.objects);
    snapshot.missing_secrets = listed.missing;
    Ok(Observed::Snapshot(snapshot))
}
