//! Pull requests.

use serde_json::{Value, json};

use super::repositories::with_features;
use super::{EXAMPLE_API, EXAMPLE_REPOSITORY, OPENED, Render, node_id, overlay, rewritten, time};
use crate::model::{Permission, PullRequest, Repository};

/// Fields that GitHub leaves out of lists, since each costs it a computation.
const ONLY_IN_FULL: &[&str] = &[
    "additions",
    "changed_files",
    "comments",
    "commits",
    "deletions",
    "maintainer_can_modify",
    "mergeable",
    "mergeable_state",
    "merged",
    "merged_by",
    "rebaseable",
    "review_comments",
];

impl Render<'_> {
    /// A pull request with the fields of `example`, one of GitHub's for some action.
    pub fn pull_like(&self, example: &Value, repository: &Repository, pull: &PullRequest) -> Value {
        let value = self.rewritten_pull(example, repository, pull);
        let value = overlay(value, self.facts(repository, pull));
        let value = overlay(value, self.merge_facts(repository, pull));
        overlay(
            value,
            json!({
                "head": self.head(&example["head"], pull),
                "base": {
                    "label": format!("{}:{}", self.model.login(repository.owner), pull.base_ref),
                    "ref": pull.base_ref,
                    "sha": pull.base_sha,
                    "user": self.user(repository.owner),
                    "repo": self.repository_like(&example["base"]["repo"], repository),
                },
            }),
        )
    }

    fn rewritten_pull(&self, example: &Value, repository: &Repository, pull: &PullRequest) -> Value {
        let number = example["number"].as_u64().unwrap_or_default();
        let [pulls, page, issues] =
            ["pulls", "pull", "issues"].map(|kind| (format!("/{kind}/{number}"), format!("/{kind}/{}", pull.number)));
        let sha = example["head"]["sha"].as_str().unwrap_or_default();
        rewritten(
            &without_sides(example),
            &[
                (EXAMPLE_API, self.api),
                (EXAMPLE_REPOSITORY, &repository.full_name),
                (&pulls.0, &pulls.1),
                (&page.0, &page.1),
                (&issues.0, &issues.1),
                (sha, &pull.head_sha),
            ],
        )
    }

    fn facts(&self, repository: &Repository, pull: &PullRequest) -> Value {
        let labels: Vec<_> = pull.labels.iter().map(|label| self.label(repository, label)).collect();
        json!({
            "id": pull.id,
            "node_id": node_id("PR", pull.id),
            "number": pull.number,
            "state": pull.state(),
            "locked": pull.locked,
            "title": pull.title,
            "body": pull.body,
            "user": self.user(pull.author),
            "labels": labels,
            "draft": pull.draft,
            "author_association": association(repository, pull),
            "assignee": null,
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            "milestone": null,
            "auto_merge": null,
            "active_lock_reason": null,
            "created_at": time(pull.created_at),
            "updated_at": time(pull.updated_at),
            "closed_at": pull.closed_at.map(time),
        })
    }

    fn merge_facts(&self, repository: &Repository, pull: &PullRequest) -> Value {
        let merge = pull.merged.as_ref();
        json!({
            "merged": merge.is_some(),
            "merged_at": merge.map(|merge| time(merge.at)),
            "merged_by": merge.map(|merge| self.user(merge.by)),
            "merge_commit_sha": merge.map(|merge| &merge.sha),
            "mergeable": null,
            "rebaseable": null,
            "mergeable_state": "unknown",
            "comments": repository.comments_on(pull.number).len(),
            "review_comments": 0,
            "commits": pull.commits,
        })
    }

    fn head(&self, example: &Value, pull: &PullRequest) -> Value {
        let repository = pull.head_repo.and_then(|id| self.model.repositories.get(&id));
        json!({
            "label": format!("{}:{}", self.model.login(pull.head_owner), pull.head_ref),
            "ref": pull.head_ref,
            "sha": pull.head_sha,
            "user": self.user(pull.head_owner),
            "repo": repository.map(|repository| self.repository_like(&example["repo"], repository)),
        })
    }

    /// The answer of GET .../pulls/{number}.
    pub fn pull(&self, repository: &Repository, pull: &PullRequest) -> Value {
        let mut value = self.pull_like(&OPENED["pull_request"], repository, pull);
        for side in ["head", "base"] {
            let repository = value[side]["repo"].take();
            value[side]["repo"] = with_features(repository);
        }
        value
    }

    /// An item of GET .../pulls.
    pub fn listed_pull(&self, repository: &Repository, pull: &PullRequest) -> Value {
        let mut value = self.pull(repository, pull);
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|name, _| !ONLY_IN_FULL.contains(&name.as_str()));
        }
        value
    }

    /// An item of GET .../pulls/{number}/files.
    pub fn file(&self, repository: &Repository, pull: &PullRequest, (name, before): &(String, Option<String>)) -> Value {
        let (repo, sha) = (&repository.full_name, &pull.head_sha);
        let mut file = json!({
            "sha": sha,
            "filename": name,
            "status": if before.is_some() { "renamed" } else { "modified" },
            "additions": 1,
            "deletions": 1,
            "changes": 2,
            "blob_url": format!("https://github.com/{repo}/blob/{sha}/{name}"),
            "raw_url": format!("https://github.com/{repo}/raw/{sha}/{name}"),
            "contents_url": format!("{}/repos/{repo}/contents/{name}?ref={sha}", self.api),
        });
        if let Some(before) = before {
            file["previous_filename"] = json!(before);
        }
        file
    }

    /// A label; its id and colour follow from its name.
    pub fn label(&self, repository: &Repository, name: &str) -> Value {
        let id = name.bytes().fold(repository.id, |id, byte| id.wrapping_mul(31).wrapping_add(byte.into()) % 1_000_000_007);
        json!({
            "id": id,
            "node_id": node_id("LA", id),
            "url": format!("{}/repos/{}/labels/{name}", self.api, repository.full_name),
            "name": name,
            "color": format!("{:06x}", id % 0x0100_0000),
            "default": false,
            // A text in lists of pull requests, whose description by GitHub has no null here, as that of one of them does.
            "description": "",
        })
    }
}

/// An example without the parts that are rendered on their own.
fn without_sides(example: &Value) -> Value {
    let fields = example.as_object().into_iter().flatten();
    let kept = fields.filter(|(name, _)| !["head", "base", "user"].contains(&name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into()
}

/// What the author is to the repository. It proves no permission, on GitHub either.
fn association(repository: &Repository, pull: &PullRequest) -> &'static str {
    let earlier = repository.pulls.values().any(|other| other.author == pull.author && other.merged.is_some());
    match standing(repository, pull.author) {
        "NONE" if earlier => "CONTRIBUTOR",
        "NONE" => "FIRST_TIME_CONTRIBUTOR",
        known => known,
    }
}

/// What an account is to the repository, contributions aside.
pub(super) fn standing(repository: &Repository, user: u64) -> &'static str {
    if repository.owner == user {
        return "OWNER";
    }
    match repository.collaborators.get(&user) {
        Some(permission) if *permission > Permission::None => "COLLABORATOR",
        _ => "NONE",
    }
}
