//! Who may do what, and who did what. A doubt is an error and never an answer.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::GitHub;
use super::exchange::{Reply, Request};
use super::repositories::percent_encoded;
use super::wire::{Label, User};
use crate::domain::RepoName;
use crate::forge::{ForgeError, Permission, Turns};

/// "Get repository permissions for a user".
#[derive(Deserialize)]
struct Held {
    /// The old word, which knows no triage and no maintain.
    permission: String,
    /// The role, which can be one that an organisation made.
    role_name: Option<String>,
    user: Option<User>,
}

/// What happened to a pull request ("Issue events").
#[derive(Deserialize)]
struct IssueEvent {
    event: String,
    /// Null where the account was deleted.
    actor: Option<User>,
    label: Option<Label>,
    created_at: Option<DateTime<Utc>>,
}

impl GitHub {
    pub(super) async fn read_permission(&self, repository: &RepoName, login: &str) -> Result<Permission, ForgeError> {
        let path = format!("/collaborators/{}/permission", percent_encoded(login));
        let request = Request {
            absent: Some(format!("{login} is not a user")),
            ..Request::get("permission", repository, format!("what {login} may do in {repository}"), &path)
        };
        let held = match self.send::<Held>(&request).await {
            Ok(Reply { content, .. }) => content,
            Err(ForgeError::NotFound(_)) => return Ok(Permission::None),
            Err(error) => return Err(error),
        };
        if held.user.as_ref().is_some_and(|user| !user.login.eq_ignore_ascii_case(login)) {
            return Err(request.unreadable("user.login: it is somebody else"));
        }
        held.permission().ok_or_else(|| request.unreadable("permission: it is none that we know"))
    }

    /// By what happened to the pull request, since its labels do not tell who gave them.
    pub(super) async fn read_labelled_by(&self, repository: &RepoName, number: i64, label: &str) -> Result<Option<String>, ForgeError> {
        let events = self.read_events(("labelled_by", repository), number).await?;
        let of_label = |event: &IssueEvent| event.label.as_ref().is_some_and(|l| l.name.eq_ignore_ascii_case(label));
        let last = events.into_iter().rfind(|event| matches!(event.event.as_str(), "labeled" | "unlabeled") && of_label(event));
        Ok(last.filter(|event| event.event == "labeled").and_then(|event| event.actor).map(|actor| actor.login))
    }

    /// By what happened to the pull request: it itself says when it was closed, and not that it was reopened.
    pub(super) async fn read_closed_or_reopened_at(&self, repository: &RepoName, number: i64) -> Result<Turns, ForgeError> {
        let events = self.read_events(("closed_or_reopened_at", repository), number).await?;
        let last = |kind: &str| events.iter().filter(|event| event.event == kind).filter_map(|event| event.created_at).max();
        Ok(Turns { closed_at: last("closed"), reopened_at: last("reopened") })
    }

    async fn read_events(&self, (name, repository): (&'static str, &RepoName), number: i64) -> Result<Vec<IssueEvent>, ForgeError> {
        let path = format!("/issues/{number}/events");
        let request = Request::get(name, repository, format!("{repository}#{number}"), &path).verb("list what happened to");
        self.whole(&request).await
    }
}

impl Held {
    /// The role where GitHub made it, else the old word, which stands for a custom role's rights too.
    fn permission(&self) -> Option<Permission> {
        self.role_name.as_deref().and_then(permission).or_else(|| permission(&self.permission))
    }
}

fn permission(name: &str) -> Option<Permission> {
    match name {
        "none" => Some(Permission::None),
        "read" => Some(Permission::Read),
        "triage" => Some(Permission::Triage),
        "write" => Some(Permission::Write),
        "maintain" => Some(Permission::Maintain),
        "admin" => Some(Permission::Admin),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_counts_before_the_old_word_and_a_custom_one_after() {
        for (permission, role, expected) in [
            ("write", Some("maintain"), Some(Permission::Maintain)),
            ("read", Some("triage"), Some(Permission::Triage)),
            ("write", Some("release-captain"), Some(Permission::Write)),
            ("none", Some("none"), Some(Permission::None)),
            ("admin", None, Some(Permission::Admin)),
            ("owner", Some("boss"), None),
            ("", None, None),
        ] {
            let held = Held { permission: permission.into(), role_name: role.map(str::to_owned), user: None };
            assert_eq!(held.permission(), expected, "{permission} {role:?}");
        }
    }
}
