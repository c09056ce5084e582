//! Waiting for what a program does, with a deadline and without polling.

use std::time::Duration;

use anyhow::bail;

use crate::double::Double;
use crate::log::Logged;
use crate::model::Comment;

/// How many requests a failed wait prints.
const LAST_REQUESTS: usize = 20;

impl Double {
    /// Waits until `look` finds what it looks for. It is asked now and after every change. When the
    /// deadline passes, the error has `what` and the last requests.
    pub async fn wait_until<T>(&self, what: &str, deadline: Duration, look: impl Fn(&Self) -> Option<T>) -> anyhow::Result<T> {
        match tokio::time::timeout(deadline, self.watch(look)).await {
            Ok(found) => Ok(found),
            Err(_) => bail!("no {what} within {deadline:?}; the last requests:\n{}", self.last_requests()),
        }
    }

    async fn watch<T>(&self, look: impl Fn(&Self) -> Option<T>) -> T {
        let mut changes = self.shared.changes();
        loop {
            changes.borrow_and_update();
            if let Some(found) = look(self) {
                return found;
            }
            // It fails only when the double is gone, and `self` keeps that alive.
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits for a comment whose text `fits`. The error has the comments that were there instead.
    pub async fn wait_for_comment(
        &self,
        repo: &str,
        number: u64,
        fits: impl Fn(&str) -> bool,
        deadline: Duration,
    ) -> anyhow::Result<Comment> {
        let look = |double: &Self| double.comments(repo, number).into_iter().find(|comment| fits(&comment.body));
        let found = self.wait_until(&format!("fitting comment on {repo}#{number}"), deadline, look).await;
        found.map_err(|error| error.context(self.shown(repo, number)))
    }

    fn shown(&self, repo: &str, number: u64) -> String {
        let comments = self.comments(repo, number);
        let texts = comments.iter().map(|comment| format!("--- {}:\n{}\n", self.login(comment.author), comment.body));
        format!("the {} comments on {repo}#{number}:\n{}", comments.len(), texts.collect::<String>())
    }

    fn last_requests(&self) -> String {
        let requests = self.requests();
        let last = requests.iter().skip(requests.len().saturating_sub(LAST_REQUESTS));
        last.map(line).collect()
    }
}

fn line(one: &Logged) -> String {
    let status = one.status.map_or_else(|| "cut".to_owned(), |status| status.to_string());
    let who = one.who.as_deref().unwrap_or("-");
    format!("  {} {} {status} {who}\n", one.method, one.path)
}
