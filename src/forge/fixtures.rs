//! What the forge says in tests.

use super::PullRequest;
use crate::api::environment::SourceState;

/// The open pull request acme/web#42 of a branch of the repository itself, number 7.
pub(crate) fn pull() -> PullRequest {
    PullRequest {
        repository_id: 7,
        repository: "acme/web".parse().unwrap(),
        number: 42,
        state: SourceState::Open,
        revision: "a".repeat(40).parse().unwrap(),
        head_branch: "faster".into(),
        head_repository_id: Some(7),
        base_branch: "main".into(),
        author: "ann".into(),
        draft: false,
        bot: false,
        labels: vec![],
        created_at: "2026-01-02T03:00:00Z".parse().unwrap(),
        updated_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    }
}
