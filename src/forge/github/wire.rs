//! The few fields of GitHub's objects that we read. A pull request has one shape in webhooks and in the REST API.
//! Everything else in them may change without our noticing. No client, no clock, no logging.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::de::{DeserializeOwned, Error, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::api::environment::SourceState;
use crate::domain::{RepoName, Revision};
use crate::forge::{PostedComment, PullRequest, RepositoryFacts};

/// A pull request.
#[derive(Debug, Deserialize)]
pub(super) struct Pull {
    #[serde(deserialize_with = "positive")]
    number: i64,
    #[serde(deserialize_with = "parsed")]
    state: State,
    merged: Option<bool>,
    draft: Option<bool>,
    head: Head,
    base: Base,
    user: Option<User>,
    #[serde(default)]
    labels: Vec<Label>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// How many files a pull request changes. Lists of pull requests do not say it.
#[derive(Debug, Deserialize)]
pub(super) struct PullSize {
    pub(super) changed_files: u64,
}

/// A label.
#[derive(Debug, Deserialize)]
pub(super) struct Label {
    pub(super) name: String,
}

#[derive(Debug)]
enum State {
    Open,
    Closed,
}

/// By hand: where a list stands in place of the word, serde's own calls that no JSON.
impl FromStr for State {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "open" => Ok(Self::Open),
            "closed" => Ok(Self::Closed),
            other => Err(format!("expected open or closed, got {other:?}")),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Head {
    #[serde(rename = "ref", deserialize_with = "branch_name")]
    branch: String,
    #[serde(deserialize_with = "parsed")]
    sha: Revision,
    /// Null where the fork that it came from was deleted.
    repo: Option<Repository>,
}

#[derive(Debug, Deserialize)]
struct Base {
    #[serde(rename = "ref", deserialize_with = "branch_name")]
    branch: String,
    repo: NamedRepository,
}

/// A repository by its number alone.
#[derive(Debug, Deserialize)]
pub(super) struct Repository {
    #[serde(deserialize_with = "positive")]
    pub(super) id: i64,
}

/// A repository with its name.
#[derive(Debug, Deserialize)]
pub(super) struct NamedRepository {
    #[serde(deserialize_with = "positive")]
    pub(super) id: i64,
    #[serde(deserialize_with = "parsed")]
    pub(super) full_name: RepoName,
}

/// A repository as its own page describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Home {
    #[serde(deserialize_with = "positive")]
    id: i64,
    #[serde(deserialize_with = "parsed")]
    full_name: RepoName,
    private: bool,
    /// Of an Enterprise also `internal`: every member of it reads what is called private then. Older servers do not say.
    #[serde(default)]
    visibility: Option<String>,
}

/// Something with a number, where only that matters.
#[derive(Debug, Deserialize)]
pub(super) struct Numbered {
    #[serde(deserialize_with = "positive")]
    pub(super) id: i64,
}

/// An account.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    #[serde(deserialize_with = "account_name")]
    pub(super) login: String,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
}

impl User {
    /// Whether it is a bot or an app: GitHub's own word for both is `Bot`.
    pub(super) fn is_bot(&self) -> bool {
        self.kind == "Bot"
    }
}

/// A file that a pull request changes.
#[derive(Debug, Deserialize)]
pub(super) struct ChangedFile {
    pub(super) filename: String,
    /// What it was called before, where it was renamed.
    pub(super) previous_filename: Option<String>,
}

/// A branch.
#[derive(Debug, Deserialize)]
pub(super) struct Branch {
    #[serde(deserialize_with = "branch_name")]
    pub(super) name: String,
    pub(super) commit: Commit,
}

/// A commit.
#[derive(Debug, Deserialize)]
pub(super) struct Commit {
    #[serde(deserialize_with = "parsed")]
    pub(super) sha: Revision,
}

/// A comment on an issue or pull request.
#[derive(Debug, Deserialize)]
pub(super) struct IssueComment {
    #[serde(deserialize_with = "positive")]
    pub(super) id: i64,
    /// Null where the account was deleted.
    pub(super) user: Option<User>,
    pub(super) body: Option<String>,
}

/// A reaction to a comment.
#[derive(Debug, Deserialize)]
pub(super) struct Sign {
    /// Null where the account was deleted.
    pub(super) user: Option<User>,
    pub(super) content: String,
}

/// A comment as people and bots write it.
#[derive(Debug, Deserialize)]
pub(super) struct Posted {
    #[serde(deserialize_with = "positive")]
    id: i64,
    user: Option<User>,
    body: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    performed_via_github_app: Option<IgnoredAny>,
    /// Where people read it: `https://github.com/acme/web/pull/42#issuecomment-7`.
    #[serde(default)]
    pub(super) html_url: String,
}

impl Posted {
    /// The same with the place that it stands in.
    pub(super) fn on(self, (repository_id, repository): (i64, &RepoName), pull: i64) -> PostedComment {
        PostedComment {
            repository_id,
            repository: repository.clone(),
            pull,
            id: self.id,
            by_bot: self.performed_via_github_app.is_some() || self.user.as_ref().is_some_and(User::is_bot),
            author: login(self.user),
            body: self.body.unwrap_or_default(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// The sentence in an answer that is not a success.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) message: String,
}

impl From<Pull> for PullRequest {
    fn from(pull: Pull) -> Self {
        let state = match (pull.state, pull.merged) {
            (State::Open, _) => SourceState::Open,
            (State::Closed, Some(true)) => SourceState::Merged,
            (State::Closed, _) => SourceState::Closed,
        };
        Self {
            repository_id: pull.base.repo.id,
            repository: pull.base.repo.full_name,
            number: pull.number,
            state,
            revision: pull.head.sha,
            head_branch: pull.head.branch,
            head_repository_id: pull.head.repo.map(|r| r.id),
            base_branch: pull.base.branch,
            bot: pull.user.as_ref().is_some_and(User::is_bot),
            author: login(pull.user),
            draft: pull.draft.unwrap_or_default(),
            labels: pull.labels.into_iter().map(|label| label.name).collect(),
            created_at: pull.created_at,
            updated_at: pull.updated_at,
        }
    }
}

impl From<Home> for RepositoryFacts {
    fn from(home: Home) -> Self {
        Self { id: home.id, name: home.full_name, private: home.private && home.visibility.as_deref() != Some("internal") }
    }
}

/// GitHub shows what deleted accounts wrote as that of the account `ghost`.
fn login(user: Option<User>) -> String {
    user.map_or_else(|| "ghost".to_owned(), |user| user.login)
}

/// The path of the field that cannot be read, and why, without the position in a text that nobody sees.
pub(super) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, (String, String)> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        locate(json, &path, error.inner())
    })?;
    reader.end().map_err(|error| locate(json, ".", &error))?;
    Ok(value)
}

fn locate(json: &[u8], path: &str, error: &serde_json::Error) -> (String, String) {
    let text = error.to_string();
    let why = text.rsplit_once(" at line ").map_or(text.as_str(), |(why, _)| why);
    // A null in place of a word out of a list is an error of syntax to serde_json, so only the text says whether it is JSON.
    if !error.is_data() && serde_json::from_slice::<IgnoredAny>(json).is_err() {
        return ("body".to_owned(), format!("it is not JSON: {why}"));
    }
    let missing = why.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    match (path, missing) {
        (".", Some(name)) => (name.to_owned(), "it is missing".to_owned()),
        (path, Some(name)) => (format!("{path}.{name}"), "it is missing".to_owned()),
        (".", None) => ("body".to_owned(), why.to_owned()),
        (path, None) => (path.to_owned(), why.to_owned()),
    }
}

pub(super) fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// Longest login and longest name of a branch, in characters. GitHub has none as long, and what is recorded of them has room for no
/// more: the schema of `spec.sources` says so.
const LOGIN_MAX: usize = 100;
pub(super) const BRANCH_MAX: usize = 255;

fn account_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    name_within(deserializer, LOGIN_MAX)
}

fn branch_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    name_within(deserializer, BRANCH_MAX)
}

fn name_within<'de, D: Deserializer<'de>>(deserializer: D, most: usize) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let length = name.chars().count();
    if (1..=most).contains(&length) {
        Ok(name)
    } else {
        Err(D::Error::custom(format_args!("expected 1 to {most} characters, got {length}")))
    }
}

pub(super) fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = i64::deserialize(deserializer)?;
    if number > 0 { Ok(number) } else { Err(D::Error::custom(format_args!("expected a number from 1 on, got {number}"))) }
}

/// A moment in seconds since 1970 or as a text.
pub(super) fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let moment = match &value {
        Value::Number(seconds) => seconds.as_i64().and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc()),
        _ => None,
    };
    moment.ok_or_else(|| D::Error::custom("expected a moment, as seconds since 1970 or like 2026-01-02T03:04:05Z"))
}
