//! Deployments and their statuses, which GitHub shows on the pull request and on the repository's page of environments.

use futures::FutureExt;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::GitHub;
use super::exchange::{Reply, Request};
use super::repositories::percent_encoded;
use super::text::{clipped, link};
use super::wire::{Numbered, positive};
use crate::domain::RepoName;
use crate::forge::{Answer, DeploymentState, DeploymentUpdate, Deployments, ForgeError, NewDeployment};

/// Longest description of a status, in characters ("Create a deployment status").
const DESCRIPTION_MAX: usize = 140;
/// What our deployments are known by among those that others make in an environment of the same name.
const TASK: &str = "deploy:preview-env";
/// The field of a deployment's payload that says which of several services under our account made it.
const MADE_BY: &str = "previewEnv";

#[derive(Deserialize)]
struct Deployment {
    #[serde(deserialize_with = "positive")]
    id: i64,
    sha: String,
    environment: String,
    task: String,
    description: Option<String>,
    /// Whatever who made it put in: an object, a text or nothing.
    #[serde(default)]
    payload: Value,
}

impl Deployments for GitHub {
    fn create<'a>(&'a self, repository: &'a RepoName, new: &'a NewDeployment) -> Answer<'a, i64> {
        self.create_deployment(repository, new).boxed()
    }

    fn list<'a>(&'a self, repository: &'a RepoName, new: &'a NewDeployment) -> Answer<'a, Vec<i64>> {
        self.list_deployments(repository, new).boxed()
    }

    fn set_state<'a>(&'a self, repository: &'a RepoName, id: i64, state: &'a DeploymentUpdate) -> Answer<'a, ()> {
        self.set_deployment_state(repository, id, state).boxed()
    }

    fn delete<'a>(&'a self, repository: &'a RepoName, id: i64) -> Answer<'a, ()> {
        self.delete_deployment(repository, id).boxed()
    }
}

impl GitHub {
    /// GitHub would merge the default branch into the commit, and refuse one whose checks are not done, unless told so.
    async fn create_deployment(&self, repository: &RepoName, new: &NewDeployment) -> Result<i64, ForgeError> {
        let mut body = json!({
            "ref": new.revision,
            "task": TASK,
            "auto_merge": false,
            "required_contexts": [],
            "environment": new.environment,
            "description": clipped(&new.description, DESCRIPTION_MAX),
            "transient_environment": true,
            "production_environment": false,
        });
        if let Some(instance) = &self.instance {
            body["payload"] = json!({MADE_BY: instance.as_str()});
        }
        let thing = format!("a deployment of {} in {repository}", new.revision);
        let request = Request::get("create_deployment", repository, thing, "/deployments").verb("create").writing(Method::POST, body);
        let reply: Reply<Numbered> = self.send(&request).await?;
        Ok(reply.content.id)
    }

    /// Newest first, by their numbers. What others made is none of ours, and what is of another environment was not asked for.
    /// One that says of nobody that they made it is of before there was anything to say.
    async fn list_deployments(&self, repository: &RepoName, new: &NewDeployment) -> Result<Vec<i64>, ForgeError> {
        let NewDeployment { revision, environment, description } = new;
        let encoded = [environment.as_str(), TASK, revision.as_str()].map(percent_encoded);
        let path = format!("/deployments?environment={}&task={}&sha={}", encoded[0], encoded[1], encoded[2]);
        let thing = format!("the deployments to {environment} in {repository}");
        let request = Request::get("list_deployments", repository, thing, &path).verb("list");
        let mut all: Vec<Deployment> = self.whole(&request).await?;
        let described = clipped(description, DESCRIPTION_MAX);
        let is_like = |one: &Deployment| one.task == TASK && one.environment == *environment && one.sha == *revision;
        let is_others = |one: &Deployment| one.payload[MADE_BY].as_str().is_some_and(|by| self.is_another(by));
        all.retain(|one| is_like(one) && one.description.as_ref() == Some(&described) && !is_others(one));
        all.sort_unstable_by_key(|deployment| std::cmp::Reverse(deployment.id));
        all.dedup_by_key(|deployment| deployment.id);
        Ok(all.into_iter().map(|deployment| deployment.id).collect())
    }

    /// Others of the same name stay as they are: they are other pull requests'.
    async fn set_deployment_state(&self, repository: &RepoName, id: i64, update: &DeploymentUpdate) -> Result<(), ForgeError> {
        let mut body = json!({
            "state": state(update.state),
            "description": clipped(&update.description, DESCRIPTION_MAX),
            "auto_inactive": false,
        });
        if let Some(url) = update.url.as_deref().and_then(link) {
            body["environment_url"] = json!(url);
        }
        let request = deployment("set_deployment_state", repository, id, "/statuses").verb("say the state of").writing(Method::POST, body);
        self.send::<Numbered>(&request).await.map(drop)
    }

    async fn delete_deployment(&self, repository: &RepoName, id: i64) -> Result<(), ForgeError> {
        let request = Request { method: Method::DELETE, ..deployment("delete_deployment", repository, id, "").verb("delete") };
        self.send::<()>(&request).await.map(drop)
    }
}

fn deployment(operation: &'static str, repository: &RepoName, id: i64, below: &str) -> Request {
    Request::get(operation, repository, format!("deployment {id} in {repository}"), &format!("/deployments/{id}{below}"))
}

const fn state(state: DeploymentState) -> &'static str {
    match state {
        DeploymentState::Queued => "queued",
        DeploymentState::InProgress => "in_progress",
        DeploymentState::Success => "success",
        DeploymentState::Failure => "failure",
        DeploymentState::Error => "error",
        DeploymentState::Inactive => "inactive",
    }
}
