//! What happens to a pull request. Each story ends where nothing more is to come.

use futures::FutureExt;
use futures::future::BoxFuture;
use github_double::On;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use preview_env::api::PreviewEnvironment;
use serde_json::json;

use crate::tale::Tale;

/// A story being told.
pub type Telling<'a> = BoxFuture<'a, anyhow::Result<()>>;

/// Whether the pull request shows the environment as it is.
pub fn is_told(object: &PreviewEnvironment) -> bool {
    // The API server of this world goes by this machine's clock.
    preview_env::feedback::group::is_told(object, chrono::Utc::now())
}

async fn opened(tale: &Tale) -> anyhow::Result<()> {
    tale.open().await?;
    tale.wait_until_ready().await
}

async fn told(tale: &Tale) -> anyhow::Result<()> {
    tale.wait_until_ready().await?;
    tale.wait("told", is_told).await
}

/// A pull request is opened.
pub fn create(tale: &Tale) -> Telling<'_> {
    async move {
        opened(tale).await?;
        told(tale).await
    }
    .boxed()
}

/// It is pushed to once all of it runs.
pub fn push(tale: &Tale) -> Telling<'_> {
    async move {
        opened(tale).await?;
        tale.act(On::push).await?;
        told(tale).await
    }
    .boxed()
}

/// It is pushed to while its environment is being made.
pub fn push_during_create(tale: &Tale) -> Telling<'_> {
    async move {
        tale.open().await?;
        tale.wait_status("begun", |s| s.namespace.is_some()).await?;
        tale.act(On::push).await?;
        told(tale).await
    }
    .boxed()
}

/// It is closed while its environment is being made.
pub fn close_during_create(tale: &Tale) -> Telling<'_> {
    async move {
        tale.open().await?;
        tale.wait_status("begun", |s| s.namespace.is_some()).await?;
        tale.act(On::close).await?;
        tale.wait_until_gone().await
    }
    .boxed()
}

/// It is reopened while its environment is being removed.
pub fn reopen_during_close(tale: &Tale) -> Telling<'_> {
    async move {
        opened(tale).await?;
        tale.act(On::close).await?;
        tale.act(On::reopen).await?;
        told(tale).await
    }
    .boxed()
}

/// It comes from a fork, and its commit is approved.
pub fn approve(tale: &Tale) -> Telling<'_> {
    async move {
        tale.open_from_fork().await?;
        tale.wait("told that it is a fork's", is_told).await?;
        let revision = tale.revision()?;
        tale.act(|on| on.comment(&format!("/preview approve {revision}"))).await?;
        told(tale).await
    }
    .boxed()
}

/// Somebody asks for more time.
pub fn extend(tale: &Tale) -> Telling<'_> {
    async move {
        opened(tale).await?;
        tale.act(|on| on.comment("/preview extend 240h")).await?;
        let is_done = |e: &PreviewEnvironment| e.spec.commands.is_empty() && e.status.as_ref().is_some_and(|s| s.commands.len() == 1);
        tale.wait("extended", is_done).await?;
        told(tale).await
    }
    .boxed()
}

/// Nobody does anything.
pub fn expire(tale: &Tale) -> Telling<'_> {
    async move {
        tale.open().await?;
        let is_over = |e: &PreviewEnvironment| e.status.as_ref().is_some_and(|s| s.lapsed.is_some() && s.namespace.is_none()) && is_told(e);
        tale.wait("expired", is_over).await
    }
    .boxed()
}

/// Its baseline moves on, and it follows.
pub fn baseline_change(tale: &Tale) -> Telling<'_> {
    async move {
        opened(tale).await?;
        let (patch, params) = (Patch::Merge(json!({"data": {"GREETING": "good day"}})), PatchParams::default());
        let settings = |namespace: &str| -> Api<ConfigMap> { Api::namespaced(tale.world().admin.clone(), namespace) };
        settings(&tale.name).patch("settings", &params, &patch).await?;
        let follows = |c: Option<&ConfigMap>| c.and_then(|c| c.data.as_ref()?.get("GREETING")).is_some_and(|said| said == "good day");
        test_world::wait_for(&settings(&tale.namespace()), "settings", "as the baseline has it", follows).await?;
        told(tale).await
    }
    .boxed()
}
