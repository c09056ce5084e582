//! Repositories, branches and refs.

use serde_json::{Value, json};

use super::users::permissions;
use super::{EXAMPLE_API, EXAMPLE_REPOSITORY, OPENED, Render, overlay, rewritten, time};
use crate::model::{Permission, Repository, UserKind};

/// An opaque id in the style of GitHub's.
pub(crate) fn node_id(kind: &str, id: u64) -> String {
    format!("{kind}_kwDO{id:x}")
}

impl Render<'_> {
    /// A repository as deliveries and pull requests carry it; `example` is where the fields come from.
    pub fn repository_like(&self, example: &Value, repository: &Repository) -> Value {
        let old = example["full_name"].as_str().unwrap_or(EXAMPLE_REPOSITORY);
        let value = rewritten(example, &[(EXAMPLE_API, self.api), (old, &repository.full_name)]);
        let open = repository.open_pulls();
        overlay(
            value,
            json!({
                "id": repository.id,
                "node_id": node_id("R", repository.id),
                "name": repository.name(),
                "full_name": repository.full_name,
                "private": repository.private,
                "visibility": if repository.private { "private" } else { "public" },
                "owner": self.user(repository.owner),
                "fork": repository.fork_of.is_some(),
                "default_branch": repository.default_branch,
                "created_at": time(repository.created_at),
                "updated_at": time(repository.pushed_at),
                "pushed_at": time(repository.pushed_at),
                "open_issues": open,
                "open_issues_count": open,
            }),
        )
    }

    /// A repository, short: as in lists and in pull requests.
    pub fn repository(&self, repository: &Repository) -> Value {
        with_features(self.repository_like(&OPENED["repository"], repository))
    }

    /// The answer of GET /repos/{owner}/{repo}.
    pub fn full_repository(&self, repository: &Repository, held: Permission) -> Value {
        let mut value = overlay(
            self.repository(repository),
            json!({
                "permissions": permissions(held),
                "network_count": 0,
                "subscribers_count": 0,
                "temp_clone_token": null,
                "allow_forking": true,
                "is_template": false,
                "topics": [],
            }),
        );
        if let Some(parent) = repository.fork_of.and_then(|id| self.model.repositories.get(&id)) {
            value["parent"] = self.repository(parent);
            value["source"] = self.repository(parent);
        }
        let owner = self.model.users.get(&repository.owner);
        if owner.is_some_and(|owner| owner.kind == UserKind::Organization) {
            value["organization"] = self.user(repository.owner);
        }
        value
    }

    /// The answer of GET .../branches/{branch}.
    pub fn branch(&self, repository: &Repository, name: &str, sha: &str) -> Value {
        let own = format!("{}/repos/{}", self.api, repository.full_name);
        let page = format!("https://github.com/{}", repository.full_name);
        let protection = format!("{own}/branches/{name}/protection");
        json!({
            "name": name,
            "commit": self.commit(repository, sha),
            "_links": { "self": format!("{own}/branches/{name}"), "html": format!("{page}/tree/{name}") },
            "protected": false,
            "protection": {
                "enabled": false,
                "required_status_checks": { "enforcement_level": "off", "contexts": [], "checks": [] },
            },
            "protection_url": protection,
        })
    }

    /// An item of GET .../branches.
    pub fn listed_branch(&self, repository: &Repository, name: &str, sha: &str) -> Value {
        let url = format!("{}/repos/{}/commits/{sha}", self.api, repository.full_name);
        json!({ "name": name, "commit": { "sha": sha, "url": url }, "protected": false })
    }

    fn commit(&self, repository: &Repository, sha: &str) -> Value {
        let own = format!("{}/repos/{}", self.api, repository.full_name);
        let page = format!("https://github.com/{}", repository.full_name);
        let author = json!({
            "name": "A developer",
            "email": "developer@users.noreply.github.com",
            "date": time(repository.pushed_at),
        });
        json!({
            "sha": sha,
            "node_id": node_id("C", repository.id),
            "url": format!("{own}/commits/{sha}"),
            "html_url": format!("{page}/commit/{sha}"),
            "comments_url": format!("{own}/commits/{sha}/comments"),
            "author": self.user(repository.owner),
            "committer": self.user(repository.owner),
            "parents": [],
            "commit": {
                "author": author,
                "committer": author,
                "message": "Change something",
                "tree": { "sha": sha, "url": format!("{own}/git/trees/{sha}") },
                "url": format!("{own}/git/commits/{sha}"),
                "comment_count": 0,
                "verification": {
                    "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null,
                },
            },
        })
    }

    /// The answer of GET .../git/ref/heads/{branch}.
    pub fn git_ref(&self, repository: &Repository, name: &str, sha: &str) -> Value {
        let own = format!("{}/repos/{}", self.api, repository.full_name);
        json!({
            "ref": format!("refs/{name}"),
            "node_id": node_id("REF", repository.id),
            "url": format!("{own}/git/refs/{name}"),
            "object": { "sha": sha, "type": "commit", "url": format!("{own}/git/commits/{sha}") },
        })
    }
}

/// A repository with the two switches that answers have and deliveries do not; null stays null.
pub(super) fn with_features(repository: Value) -> Value {
    overlay(repository, json!({ "has_discussions": false, "has_pull_requests": true }))
}
