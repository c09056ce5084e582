//! A forge of canned answers, and what is asked about.

use futures::FutureExt;
use serde_json::{Value, json};

use crate::api::baseline::ForgeKind;
use crate::api::{self, PreviewEnvironment};
use crate::domain::environment::Source;
use crate::domain::{Baseline, Environment, RepoName};
pub(super) use crate::forge::fixtures::pull;
use crate::forge::{Access, Answer, Branch, ChangedFiles, Comment, Forge, ForgeError, Permission, PullRequest, RepositoryFacts};

/// A forge that answers what it is told to, and else that there is no such thing.
pub(super) struct Fake {
    pub pull: Option<PullRequest>,
    pub branch: Result<Branch, ForgeError>,
    pub repository: Option<RepositoryFacts>,
    pub files: Option<ChangedFiles>,
    pub labelled_by: Option<String>,
    pub permission: Result<Permission, ForgeError>,
    pub access: Result<Access, ForgeError>,
}

fn not_found() -> ForgeError {
    ForgeError::NotFound("it".into())
}

impl Default for Fake {
    fn default() -> Self {
        let (branch, permission) = (Err(not_found()), Err(not_found()));
        Self { pull: None, branch, repository: None, files: None, labelled_by: None, permission, access: Ok(Access::Granted(None)) }
    }
}

impl Fake {
    /// One that knows the repository as everybody else does.
    pub(super) fn at_home() -> Self {
        let home = RepositoryFacts { id: 7, name: "acme/web".parse().unwrap(), private: false };
        Self { repository: Some(home), ..Self::default() }
    }
}

fn now<'a, T: Send + 'a>(answer: Result<T, ForgeError>) -> Answer<'a, T> {
    futures::future::ready(answer).boxed()
}

impl Forge for Fake {
    fn repository<'a>(&'a self, _: &'a RepoName) -> Answer<'a, RepositoryFacts> {
        now(self.repository.clone().ok_or_else(not_found))
    }

    fn access<'a>(&'a self, _: i64, _: &'a RepoName) -> Answer<'a, Access> {
        now(self.access.clone())
    }

    fn pull_request<'a>(&'a self, _: &'a RepoName, _: i64) -> Answer<'a, PullRequest> {
        now(self.pull.clone().ok_or_else(not_found))
    }

    fn changed_files<'a>(&'a self, _: &'a RepoName, _: i64) -> Answer<'a, ChangedFiles> {
        now(self.files.clone().ok_or_else(not_found))
    }

    fn branch<'a>(&'a self, _: &'a RepoName, _: &'a str) -> Answer<'a, Branch> {
        now(self.branch.clone())
    }

    fn permission<'a>(&'a self, _: &'a RepoName, _: &'a str) -> Answer<'a, Permission> {
        now(self.permission.clone())
    }

    fn labelled_by<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Answer<'a, Option<String>> {
        now(Ok(self.labelled_by.clone()))
    }

    fn find_comments<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a [&'a str]) -> Answer<'a, Vec<Comment>> {
        now(Ok(Vec::new()))
    }

    fn create_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Answer<'a, i64> {
        now(Err(not_found()))
    }

    fn edit_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Answer<'a, ()> {
        now(Err(not_found()))
    }
}

pub(super) fn known(pull: &PullRequest) -> Source {
    of(&pull.to_source(ForgeKind::Github, None))
}

pub(super) fn known_branch() -> Source {
    let branch = Branch {
        repository_id: 7,
        repository: "acme/web".parse().unwrap(),
        name: "login".into(),
        revision: "a".repeat(40).parse().unwrap(),
        observed_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    };
    of(&branch.to_source(ForgeKind::Github))
}

fn of(source: &api::Source) -> Source {
    let spec = json!({"baseline": "main", "sources": [source]});
    let mut object = PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some("shop".into());
    object.metadata.uid = Some("u-1".into());
    Environment::try_from(&object).unwrap().sources.remove(0)
}

/// A Baseline of `acme/web` with these fields beside.
pub(super) fn baseline(more: &Value) -> Baseline {
    let mut spec = json!({"repositories": [{"name": "acme/web"}]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut object = api::Baseline::new("main", serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some("shop".into());
    Baseline::try_from(&object).unwrap()
}
