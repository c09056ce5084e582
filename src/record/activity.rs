//! Makes the API server hold that somebody did something about an environment that is there.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde_json::json;

use super::{RecordError, Recorded, refusal};
use crate::api::PreviewEnvironment;
use crate::api::names::MANAGER_ACTIVITY;
use crate::domain::EnvironmentName;

/// Somebody did something about an environment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Active {
    /// Namespace of the environment.
    pub namespace: String,
    /// Its name.
    pub name: EnvironmentName,
    /// Its UID: no other one of that name is meant, and none is made.
    pub uid: String,
    /// Name of its Baseline.
    pub baseline: String,
    /// When, by the forge's clock.
    pub at: DateTime<Utc>,
    /// Who, as the cluster names them: `github:ann`.
    pub by: String,
}

/// Where that is recorded.
pub trait Activities: Send + Sync {
    /// Ends once it is held, or something later is; or with the reason why it is not.
    fn active<'a>(&'a self, active: &'a Active) -> BoxFuture<'a, Result<Recorded, RecordError>>;
}

impl Activities for Client {
    fn active<'a>(&'a self, active: &'a Active) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        async move {
            let Active { namespace, name, uid, baseline, at, by } = active;
            let environments: Api<PreviewEnvironment> = Api::namespaced(self.clone(), namespace);
            let object = json!({
                "apiVersion": PreviewEnvironment::api_version(&()),
                "kind": PreviewEnvironment::kind(&()),
                "metadata": {"name": name.as_str(), "namespace": namespace, "uid": uid},
                "spec": {"baseline": baseline, "activity": {"at": at, "by": by}},
            });
            let params = PatchParams::apply(MANAGER_ACTIVITY).force();
            match environments.patch_metadata(name.as_str(), &params, &Patch::Apply(&object)).await {
                Ok(_) => Ok(Recorded::Held),
                Err(error) => refusal(format!("{namespace}/{name}"), error),
            }
        }
        .boxed()
    }
}
