//! What a GitHub App of ours may do. `deploy/github-app.json` asks for exactly this and docs/github-app.md says why; a
//! test compares them. No client, no clock, no logging.

use std::collections::BTreeMap;

/// Permissions of a repository, as GitHub names them, with their level.
pub(super) const PERMISSIONS: [(&str, &str); 6] = [
    ("checks", "write"),
    ("contents", "read"),
    ("deployments", "write"),
    ("issues", "write"),
    ("metadata", "read"),
    ("pull_requests", "write"),
];

/// Of these, what an installation was granted: to ask for more is refused as a whole, and whoever installs an App may
/// not have agreed to its newest permissions yet.
pub(super) fn granted(granted: &BTreeMap<String, String>) -> BTreeMap<&'static str, &'static str> {
    let level = |(name, wanted): &(&'static str, &'static str)| {
        let level = match (granted.get(*name)?.as_str(), *wanted) {
            ("write" | "admin", "write") => "write",
            ("read" | "write" | "admin", _) => "read",
            _ => return None,
        };
        Some((*name, level))
    };
    PERMISSIONS.iter().filter_map(level).collect()
}

/// What is needed and was not granted, such as `checks: write`.
pub(super) fn lacking(given: &BTreeMap<String, String>) -> Vec<String> {
    let granted = granted(given);
    let lacks = |(name, wanted): &&(&'static str, &'static str)| granted.get(name) != Some(wanted);
    PERMISSIONS.iter().filter(lacks).map(|(name, level)| format!("{name}: {level}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::forge::github::SUBSCRIBED_EVENTS;

    const DOCS: &str = include_str!("../../../docs/github-app.md");

    #[test]
    fn the_manifest_asks_for_what_we_use_and_for_nothing_else() {
        let manifest: Value = serde_json::from_str(include_str!("../../../deploy/github-app.json")).unwrap();
        assert_eq!(manifest["default_permissions"], json!(BTreeMap::from(PERMISSIONS)));
        assert_eq!(manifest["default_events"], json!(SUBSCRIBED_EVENTS));
    }

    #[test]
    fn the_documentation_has_a_reason_for_each_permission_and_event() {
        // As GitHub's pages write it: `pull_requests` is "Pull requests".
        let shown = |name: &str| format!("{}{}", name[..1].to_uppercase(), name[1..].replace('_', " "));
        let row = |start: &str| DOCS.lines().filter(|line| line.starts_with(start) && line.len() > start.len() + 20).count();
        for (permission, level) in PERMISSIONS {
            assert_eq!(row(&format!("| {} | {level} | ", shown(permission))), 1, "{permission}");
        }
        for event in SUBSCRIBED_EVENTS {
            assert_eq!(row(&format!("| {} | ", shown(event))), 1, "{event}");
        }
        let rows = DOCS.split("## Create it").next().unwrap().lines().filter(|line| line.starts_with("| ")).count();
        assert_eq!(rows, 2 + PERMISSIONS.len() + SUBSCRIBED_EVENTS.len(), "with two lines of headings");
    }

    #[test]
    fn no_more_is_asked_for_than_was_granted_and_no_more_than_is_needed() {
        let given = [("checks", "read"), ("contents", "write"), ("issues", "write"), ("metadata", "read"), ("administration", "write")];
        let given = given.map(|(name, level)| (name.to_owned(), level.to_owned())).into();
        let asked = BTreeMap::from([("checks", "read"), ("contents", "read"), ("issues", "write"), ("metadata", "read")]);
        assert_eq!(granted(&given), asked);
        assert_eq!(lacking(&given), ["checks: write", "deployments: write", "pull_requests: write"]);
        assert!(PERMISSIONS.is_sorted());
    }
}
