//! What is kept beside pull requests and comments.

use serde_json::{Value, json};

use super::{Render, node_id, overlay, time};
use crate::model::{CheckRun, CommitStatus, Deployment, DeploymentStatus, IssueEvent, Reaction, Repository};

impl Render<'_> {
    /// An item of GET .../issues/{number}/events.
    pub fn issue_event(&self, repository: &Repository, event: &IssueEvent) -> Value {
        let mut value = json!({
            "id": event.id,
            "node_id": node_id("LE", event.id),
            "url": format!("{}/repos/{}/issues/events/{}", self.api, repository.full_name, event.id),
            "actor": self.user(event.actor),
            "event": event.event,
            "commit_id": null,
            "commit_url": null,
            "created_at": time(event.at),
            "performed_via_github_app": null,
        });
        if let Some(label) = &event.label {
            value["label"] = json!({ "name": label, "color": self.label(repository, label)["color"] });
        }
        value
    }

    /// A reaction.
    pub fn reaction(&self, reaction: &Reaction) -> Value {
        json!({
            "id": reaction.id,
            "node_id": node_id("REA", reaction.id),
            "user": self.user(reaction.user),
            "content": reaction.content,
            "created_at": time(reaction.at),
        })
    }

    /// A deployment.
    pub fn deployment(&self, repository: &Repository, one: &Deployment) -> Value {
        let repo = format!("{}/repos/{}", self.api, repository.full_name);
        let own = format!("{repo}/deployments/{}", one.id);
        let changed = one.statuses.last().map_or(one.created_at, |status| status.at);
        json!({
            "url": own,
            "id": one.id,
            "node_id": node_id("DE", one.id),
            "sha": one.sha,
            "ref": one.git_ref,
            "task": one.task,
            "payload": one.payload,
            "original_environment": one.environment,
            "environment": one.environment,
            "description": one.description,
            "creator": self.user(one.creator),
            "created_at": time(one.created_at),
            "updated_at": time(changed),
            "statuses_url": format!("{own}/statuses"),
            "repository_url": repo,
            "transient_environment": one.transient,
            "production_environment": one.production,
            "performed_via_github_app": self.app(one.app),
        })
    }

    /// A status of a deployment.
    pub fn deployment_status(&self, repository: &Repository, deployment: &Deployment, status: &DeploymentStatus) -> Value {
        let repo = format!("{}/repos/{}", self.api, repository.full_name);
        let own = format!("{repo}/deployments/{}", deployment.id);
        json!({
            "url": format!("{own}/statuses/{}", status.id),
            "id": status.id,
            "node_id": node_id("DES", status.id),
            "state": status.state,
            "creator": self.user(status.creator),
            "description": status.description,
            "environment": deployment.environment,
            "target_url": status.log_url,
            "log_url": status.log_url,
            "environment_url": status.environment_url,
            "created_at": time(status.at),
            "updated_at": time(status.at),
            "deployment_url": own,
            "repository_url": repo,
            "performed_via_github_app": self.app(status.app),
        })
    }

    /// A status of a commit.
    pub fn status(&self, repository: &Repository, status: &CommitStatus) -> Value {
        let creator = self.user(status.creator);
        json!({
            "url": format!("{}/repos/{}/statuses/{}", self.api, repository.full_name, status.sha),
            "avatar_url": creator["avatar_url"],
            "id": status.id,
            "node_id": node_id("SC", status.id),
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": time(status.at),
            "updated_at": time(status.at),
            "creator": creator,
        })
    }

    /// A check run in answers.
    pub fn check(&self, repository: &Repository, run: &CheckRun) -> Value {
        let own = format!("{}/repos/{}/check-runs/{}", self.api, repository.full_name, run.id);
        let page = format!("https://github.com/{}/runs/{}", repository.full_name, run.id);
        json!({
            "id": run.id,
            "node_id": node_id("CR", run.id),
            "name": run.name,
            "head_sha": run.head_sha,
            "external_id": run.external_id,
            "url": own,
            "html_url": page,
            "details_url": run.details_url.as_ref().unwrap_or(&page),
            "status": run.status,
            "conclusion": run.conclusion,
            "started_at": time(run.started_at),
            "completed_at": run.completed_at.map(time),
            "output": {
                "title": run.title,
                "summary": run.summary,
                "text": run.text,
                "annotations_count": 0,
                "annotations_url": format!("{own}/annotations"),
            },
            "check_suite": { "id": run.id + 1_000_000_000 },
            "app": self.app(Some(run.app)),
            "pull_requests": self.pulls_of(repository, &run.head_sha),
        })
    }

    /// A check run as deliveries carry it, with all of its suite.
    pub fn told_check(&self, repository: &Repository, run: &CheckRun) -> Value {
        overlay(self.check(repository, run), json!({ "check_suite": self.suite_of(repository, run) }))
    }

    /// The suite of a check run as deliveries about the suite carry it: with the commit, and how many runs it has.
    pub fn suite(&self, repository: &Repository, run: &CheckRun) -> Value {
        let suite = self.suite_of(repository, run);
        let who = json!({ "name": "somebody", "email": "somebody@users.noreply.github.com" });
        let commit = json!({
            "id": run.head_sha, "tree_id": run.head_sha, "message": "Change something", "timestamp": time(run.started_at),
            "author": who, "committer": who,
        });
        let runs = repository.records.checks.values().filter(|one| (one.app, &one.head_sha) == (run.app, &run.head_sha)).count();
        let more = json!({
            "head_commit": commit,
            "latest_check_runs_count": runs,
            "check_runs_url": format!("{}/check-runs", suite["url"].as_str().unwrap_or_default()),
        });
        overlay(suite, more)
    }

    fn suite_of(&self, repository: &Repository, run: &CheckRun) -> Value {
        let suite = run.id + 1_000_000_000;
        let branch = repository.branches.iter().find(|(_, sha)| **sha == run.head_sha).map(|(name, _)| name);
        json!({
            "id": suite,
            "node_id": node_id("CS", suite),
            "head_branch": branch,
            "head_sha": run.head_sha,
            "status": run.status,
            // The published schema knows no suite that was skipped.
            "conclusion": run.conclusion.as_deref().map(|one| if one == "skipped" { "neutral" } else { one }),
            "url": format!("{}/repos/{}/check-suites/{suite}", self.api, repository.full_name),
            "before": null,
            "after": run.head_sha,
            "pull_requests": self.pulls_of(repository, &run.head_sha),
            "app": self.app(Some(run.app)),
            "created_at": time(run.started_at),
            "updated_at": time(run.completed_at.unwrap_or(run.started_at)),
        })
    }

    /// The open pull requests of a commit. GitHub lists none from forks.
    fn pulls_of(&self, repository: &Repository, sha: &str) -> Value {
        let repo = format!("{}/repos/{}", self.api, repository.full_name);
        let place = json!({ "id": repository.id, "url": repo, "name": repository.name() });
        let ours = repository.pulls.values().filter(|pull| pull.is_open() && pull.head_sha == sha && pull.head_repo == Some(repository.id));
        let shown = ours.map(|pull| {
            json!({
                "id": pull.id,
                "number": pull.number,
                "url": format!("{repo}/pulls/{}", pull.number),
                "head": { "ref": pull.head_ref, "sha": pull.head_sha, "repo": place },
                "base": { "ref": pull.base_ref, "sha": pull.base_sha, "repo": place },
            })
        });
        shown.collect()
    }
}
