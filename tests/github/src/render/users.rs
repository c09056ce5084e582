//! Accounts.

use serde_json::{Value, json};

use super::{EXAMPLE_API, EXAMPLE_OWNER, OPENED, Render, node_id, overlay, rewritten};
use crate::contract;
use crate::model::{Permission, User, UserKind};

impl Render<'_> {
    /// A user as everything refers to it; a deleted one is GitHub's "ghost".
    pub fn user(&self, id: u64) -> Value {
        let ghost = User { id: 10_137, login: "ghost".to_owned(), kind: UserKind::User };
        self.account(self.model.users.get(&id).unwrap_or(&ghost))
    }

    fn account(&self, user: &User) -> Value {
        let quoted = user.login.replace('[', "%5B").replace(']', "%5D");
        let example = &OPENED["sender"];
        let value = rewritten(example, &[(EXAMPLE_API, self.api), (EXAMPLE_OWNER, &quoted)]);
        let page = match user.login.strip_suffix("[bot]") {
            Some(app) => format!("https://github.com/apps/{app}"),
            None => format!("https://github.com/{}", user.login),
        };
        overlay(
            value,
            json!({
                "login": user.login,
                "id": user.id,
                "node_id": node_id("U", user.id),
                "avatar_url": format!("https://avatars.githubusercontent.com/u/{}?v=4", user.id),
                "html_url": page,
                "type": user.kind.as_str(),
            }),
        )
    }

    /// The answer of GET /user: what anyone sees, and what only the user itself does.
    pub fn own_profile(&self, id: u64) -> Value {
        overlay(
            self.user(id),
            json!({
                "name": null, "company": null, "blog": "", "location": null, "email": null, "hireable": null,
                "bio": null, "twitter_username": null, "notification_email": null, "user_view_type": "private",
                "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
                "private_gists": 0, "total_private_repos": 0, "owned_private_repos": 0, "disk_usage": 0,
                "collaborators": 0, "two_factor_authentication": true,
                "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z",
            }),
        )
    }

    /// The answer of GET .../collaborators/{username}/permission.
    pub fn permission(&self, id: u64, permission: Permission) -> Value {
        let user = overlay(
            self.user(id),
            json!({
                "role_name": permission.role(),
                "permissions": permissions(permission),
            }),
        );
        json!({ "permission": permission.legacy(), "role_name": permission.role(), "user": user })
    }

    /// An organisation as deliveries carry it.
    pub fn organization(&self, id: u64) -> Value {
        let login = self.model.login(id);
        let example = contract::example_organization();
        let old = example["login"].as_str().unwrap_or_default();
        let value = rewritten(example, &[(EXAMPLE_API, self.api), (old, login)]);
        overlay(value, json!({ "login": login, "id": id, "node_id": node_id("O", id) }))
    }
}

/// The five switches that GitHub makes of one permission.
pub(super) fn permissions(permission: Permission) -> Value {
    json!({
        "admin": permission >= Permission::Admin,
        "maintain": permission >= Permission::Maintain,
        "push": permission >= Permission::Write,
        "triage": permission >= Permission::Triage,
        "pull": permission >= Permission::Read,
    })
}
