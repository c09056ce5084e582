//! How long environments live, and how many there are at one time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long an environment lives.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifetime {
    /// How long after the last push, wish or command an environment is taken down, such as `5d` or `36h`.
    #[serde(default = "default_ttl")]
    #[schemars(regex(pattern = r"^([0-9]{1,6}(s|m|h|d|w))+$"), length(max = 40))]
    pub ttl: String,
    /// How long an environment lives at most from when it was made, whatever happens to it: extensions and pins end there
    /// too. What brings it back then makes it anew. Default: no such end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9]{1,6}(s|m|h|d|w))+$"), length(max = 40))]
    pub max: Option<String>,
    /// How long before its end the pull request says that an environment expires soon.
    #[serde(default = "default_warn_before")]
    #[schemars(regex(pattern = r"^([0-9]{1,6}(s|m|h|d|w))+$"), length(max = 40))]
    pub warn_before: String,
    /// How long an environment stays after its pull request was closed or merged; one that is reopened meanwhile goes on
    /// as if nothing had been. Default: it is taken down at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9]{1,6}(s|m|h|d|w))+$"), length(max = 40))]
    pub grace: Option<String>,
    /// When an environment moves on with its baseline.
    #[serde(default)]
    pub follow: Follow,
}

impl Default for Lifetime {
    fn default() -> Self {
        Self { ttl: default_ttl(), max: None, warn_before: default_warn_before(), grace: None, follow: Follow::default() }
    }
}

fn default_ttl() -> String {
    "5d".to_owned()
}

fn default_warn_before() -> String {
    "4h".to_owned()
}

/// When an environment moves on with its baseline.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Follow {
    /// With the next push, or by `preview refresh`. Until then `status.behind` counts.
    #[default]
    OnPush,
    /// By itself, seconds after the baseline has come to rest.
    Always,
}

/// How many environments there are at one time. What is over a limit waits for its turn and never fails. Lowering a limit
/// ends nothing: what runs goes on, and the next one waits for longer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// How many run at one time. One that is being removed counts until its workloads are gone. With 0 no new one is made.
    #[serde(default = "default_environments")]
    #[schemars(range(min = 0, max = 10_000))]
    pub environments: i32,
    /// How many of them may be of one author: of whoever opened the pull request, else of whoever asked for the
    /// environment. A branch that nobody asked for has no author.
    #[serde(default = "default_per_author")]
    #[schemars(range(min = 1, max = 10_000))]
    pub per_author: i32,
    /// How many may be pinned at one time. Pins above that say nothing until another one goes.
    #[serde(default = "default_pinned")]
    #[schemars(range(min = 0, max = 10_000))]
    pub pinned: i32,
    /// Whether one that nobody uses gives way to one that waits.
    #[serde(default)]
    pub evict: Evict,
}

impl Default for Limits {
    fn default() -> Self {
        Self { environments: default_environments(), per_author: default_per_author(), pinned: default_pinned(), evict: Evict::default() }
    }
}

const fn default_environments() -> i32 {
    20
}

const fn default_per_author() -> i32 {
    5
}

const fn default_pinned() -> i32 {
    5
}

/// Whether an environment gives way to one that waits.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Evict {
    /// It does not: each one stays until it ends.
    #[default]
    Never,
    /// The one that nothing happened to for the longest time does. Never one that is pinned or extended, nor one to which
    /// something happened within the last hour. A push, a command or a wish asks for it again.
    OldestIdle,
}
