//! Comments, and the issue that GitHub sees in a pull request.

use serde_json::{Value, json};

use super::pulls::standing;
use super::{EXAMPLE_API, EXAMPLE_REPOSITORY, Render, node_id, overlay, rewritten, time};
use crate::contract;
use crate::model::{Comment, PullRequest, Repository};

impl Render<'_> {
    /// A comment, in answers and deliveries alike.
    pub fn comment(&self, repository: &Repository, comment: &Comment) -> Value {
        let example = &contract::example("issue_comment", "created")["comment"];
        let id = example["id"].to_string();
        let own = comment.id.to_string();
        let pairs = [(EXAMPLE_API, self.api), (EXAMPLE_REPOSITORY, &repository.full_name), (&id, &own)];
        let value = rewritten(example, &pairs);
        let page = format!("https://github.com/{}/pull/{}", repository.full_name, comment.number);
        let issue = format!("{}/repos/{}/issues/{}", self.api, repository.full_name, comment.number);
        overlay(
            value,
            json!({
                "id": comment.id,
                "node_id": node_id("IC", comment.id),
                "html_url": format!("{page}#issuecomment-{}", comment.id),
                "issue_url": issue,
                "user": self.user(comment.author),
                "body": comment.body,
                "author_association": standing(repository, comment.author),
                "performed_via_github_app": self.app(comment.app),
                "created_at": time(comment.created_at),
                "updated_at": time(comment.updated_at),
            }),
        )
    }

    /// A pull request as an issue, with the fields of `example`.
    pub fn issue_like(&self, example: &Value, repository: &Repository, pull: &PullRequest) -> Value {
        let old = format!("/issues/{}", example["number"]);
        let new = format!("/issues/{}", pull.number);
        let pairs = [(EXAMPLE_API, self.api), (EXAMPLE_REPOSITORY, &repository.full_name), (&old, &new)];
        let value = rewritten(example, &pairs);
        let facts = self.pull(repository, pull);
        let kept = [
            "number",
            "title",
            "body",
            "user",
            "state",
            "locked",
            "labels",
            "assignee",
            "assignees",
            "milestone",
            "comments",
            "created_at",
            "updated_at",
            "closed_at",
            "author_association",
            "active_lock_reason",
            "html_url",
        ];
        let kept: Value = kept.iter().map(|name| ((*name).to_owned(), facts[*name].clone())).collect::<serde_json::Map<_, _>>().into();
        overlay(
            overlay(value, kept),
            json!({
                "id": pull.id + 500_000_000,
                "node_id": node_id("I", pull.id),
                "pull_request": {
                    "url": facts["url"],
                    "html_url": facts["html_url"],
                    "diff_url": facts["diff_url"],
                    "patch_url": facts["patch_url"],
                },
            }),
        )
    }
}
