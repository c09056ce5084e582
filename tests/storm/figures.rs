//! What a storm came to, counted from what the double was asked.

use github_double::{Double, Logged};

/// Writes, as the double's log has them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Writes {
    pub comments: usize,
    pub checks: usize,
    pub deployments: usize,
    /// Signs under comments of people.
    pub reactions: usize,
}

impl Writes {
    /// Those so far.
    pub fn of(double: &Double) -> Self {
        let mut writes = Self::default();
        for request in double.requests().iter().filter(|request| is_write(request)) {
            *writes.of_path(&request.path) += 1;
        }
        writes
    }

    /// All of them.
    pub fn all(self) -> usize {
        self.comments + self.checks + self.deployments + self.reactions
    }

    fn of_path(&mut self, path: &str) -> &mut usize {
        match path {
            path if path.ends_with("/reactions") => &mut self.reactions,
            path if path.contains("/issues/") => &mut self.comments,
            path if path.contains("/deployments") => &mut self.deployments,
            path if path.contains("/check-runs") || path.contains("/statuses/") => &mut self.checks,
            other => panic!("a write to {other}"),
        }
    }
}

fn is_write(request: &Logged) -> bool {
    request.method != "GET" && !request.path.ends_with("/access_tokens")
}
