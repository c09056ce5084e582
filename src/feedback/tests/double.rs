//! A pull request's comments and the records of environments, in memory, with faults on demand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use tokio::sync::watch;

use super::fixtures::time;
use crate::api::PreviewEnvironment;
use crate::api::status::Feedback;
use crate::domain::RepoName;
use crate::feedback::status::{Report, StatusError, Statuses, patch};
use crate::forge::{
    Answer, Branch, ChangedFiles, Check, Checks, Comment, Conclusion, Counted, DeploymentState, DeploymentUpdate, Deployments, Forge,
    ForgeError, NewDeployment, PullRequest, RepositoryFacts,
};

/// How the next call to the forge goes wrong.
#[derive(Clone)]
pub(crate) enum Fault {
    /// It is not done.
    Before(ForgeError),
    /// It is done, and the answer is lost.
    After(ForgeError),
}

/// A deployment as the forge holds it.
#[derive(Clone, Debug)]
pub(crate) struct Deployed {
    pub(crate) id: i64,
    pub(crate) new: NewDeployment,
    pub(crate) said: Vec<DeploymentUpdate>,
}

impl Deployed {
    pub(crate) fn state(&self) -> Option<DeploymentState> {
        self.said.last().map(|update| update.state)
    }
}

#[derive(Default)]
struct Pull {
    comments: Vec<Comment>,
    deployed: Vec<Deployed>,
    checks: Vec<(i64, Check)>,
    written: i64,
    calls: Vec<&'static str>,
    faults: VecDeque<(Option<&'static str>, Fault)>,
}

/// A forge with one pull request.
#[derive(Default)]
pub(crate) struct Double {
    pull: Mutex<Pull>,
    /// Whether it has comments and nothing else.
    plain: bool,
    /// Which writes it counts together.
    counted: Counted,
    /// What a name means, where it tells of repositories.
    homes: Mutex<Option<BTreeMap<String, i64>>>,
    /// How often it still tells of one.
    homes_left: Mutex<Option<usize>>,
    /// Where was written.
    places: Mutex<BTreeSet<String>>,
    /// About which pull requests.
    abouts: Mutex<Vec<(i64, i64)>>,
    changes: watch::Sender<usize>,
    /// The time that it tells, where it tells one.
    clock: Mutex<Option<DateTime<Utc>>>,
}

pub(crate) fn away() -> ForgeError {
    ForgeError::Unavailable { what: "write the comment".into(), why: "no answer".into() }
}

pub(crate) fn forbidden() -> ForgeError {
    ForgeError::Refused { what: "write the comment".into(), status: 403, message: "Resource not accessible".into() }
}

impl Double {
    /// A forge that has comments and nothing else.
    pub(crate) fn plain() -> Self {
        Self { plain: true, ..Self::default() }
    }

    /// The same where each owner has limits of its own.
    pub(crate) fn by_owner(self) -> Self {
        Self { counted: Counted::ByOwner, ..self }
    }

    pub(crate) fn deployed(&self) -> Vec<Deployed> {
        self.pull.lock().unwrap().deployed.clone()
    }

    /// Of the check at each commit, the newest text.
    pub(crate) fn checks(&self) -> Vec<Check> {
        self.pull.lock().unwrap().checks.iter().map(|(_, check)| check.clone()).collect()
    }

    /// From now on it tells of repositories: these names mean these numbers.
    pub(crate) fn means(&self, names: &[(&str, i64)]) {
        *self.homes.lock().unwrap() = Some(names.iter().map(|(name, id)| ((*name).to_owned(), *id)).collect());
        *self.homes_left.lock().unwrap() = None;
    }

    /// It tells of repositories so often, and then finds none.
    pub(crate) fn forgets_homes_after(&self, answers: usize) {
        *self.homes_left.lock().unwrap() = Some(answers);
    }

    fn remembers_homes(&self) -> bool {
        let mut left = self.homes_left.lock().unwrap();
        let remembers = left.is_none_or(|left| left > 0);
        *left = left.map(|left| left.saturating_sub(1));
        remembers
    }

    /// Under which names anything was asked or written since the last look.
    pub(crate) fn places(&self) -> Vec<String> {
        std::mem::take(&mut *self.places.lock().unwrap()).into_iter().collect()
    }

    /// About which pull requests anything was to be written since the last look.
    pub(crate) fn abouts(&self) -> Vec<(i64, i64)> {
        std::mem::take(&mut *self.abouts.lock().unwrap())
    }

    /// From now on it tells that time.
    pub(crate) fn says_that_it_is(&self, at: DateTime<Utc>) {
        *self.clock.lock().unwrap() = Some(at);
    }

    fn at(&self, name: &RepoName) {
        self.places.lock().unwrap().insert(name.to_string());
    }

    /// Somebody deletes all deployments and checks.
    pub(crate) fn wipe_beside(&self) {
        let mut pull = self.pull.lock().unwrap();
        pull.deployed.clear();
        pull.checks.clear();
    }

    /// Every call that was made since the last look.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.pull.lock().unwrap().calls)
    }

    pub(crate) fn comments(&self) -> Vec<Comment> {
        self.pull.lock().unwrap().comments.clone()
    }

    pub(crate) fn body(&self) -> String {
        let comments = self.comments();
        assert_eq!(comments.len(), 1, "one comment: {comments:?}");
        comments[0].body.clone()
    }

    pub(crate) fn fail(&self, fault: Fault) {
        self.pull.lock().unwrap().faults.push_back((None, fault));
    }

    /// The next call of that name goes wrong.
    pub(crate) fn fail_call(&self, name: &'static str, fault: Fault) {
        self.pull.lock().unwrap().faults.push_back((Some(name), fault));
    }

    /// Somebody deletes all comments.
    pub(crate) fn wipe(&self) {
        self.pull.lock().unwrap().comments.clear();
    }

    /// Waits until the comments are as told.
    pub(crate) async fn until(&self, told: impl Fn(&[Comment]) -> bool) {
        let mut changes = self.changes.subscribe();
        let wait = changes.wait_for(|_| told(&self.comments()));
        let seen = tokio::time::timeout(std::time::Duration::from_secs(20), wait).await.is_ok();
        assert!(seen, "the comments never were as told: {:?}", self.comments());
    }

    fn call<T>(&self, name: &'static str, act: impl FnOnce(&mut Pull) -> Result<T, ForgeError>) -> Result<T, ForgeError> {
        let answer = {
            let mut pull = self.pull.lock().unwrap();
            pull.calls.push(name);
            let hit = pull.faults.iter().position(|(at, _)| at.is_none_or(|at| at == name));
            match hit.and_then(|hit| pull.faults.remove(hit)).map(|(_, fault)| fault) {
                None => act(&mut pull),
                Some(Fault::Before(error)) => Err(error),
                Some(Fault::After(error)) => act(&mut pull).and(Err(error)),
            }
        };
        self.changes.send_modify(|n| *n += 1);
        answer
    }
}

impl Forge for Double {
    fn time(&self) -> DateTime<Utc> {
        self.clock.lock().unwrap().unwrap_or_else(Utc::now)
    }

    fn repository<'a>(&'a self, name: &'a RepoName) -> Answer<'a, RepositoryFacts> {
        let homes = if self.remembers_homes() { self.homes.lock().unwrap().clone() } else { Some(BTreeMap::new()) };
        let found = homes.ok_or(ForgeError::Unsupported("repository"));
        let found = found.and_then(|homes| homes.get(name.as_str()).copied().ok_or_else(|| ForgeError::NotFound(name.to_string())));
        Box::pin(async move { found.map(|id| RepositoryFacts { id, name: name.clone(), private: false }) })
    }

    fn pull_request<'a>(&'a self, _: &'a RepoName, _: i64) -> Answer<'a, PullRequest> {
        Box::pin(async { Err(ForgeError::NotFound("the pull request".into())) })
    }

    fn changed_files<'a>(&'a self, _: &'a RepoName, _: i64) -> Answer<'a, ChangedFiles> {
        Box::pin(async { Ok(ChangedFiles::TooMany) })
    }

    fn branch<'a>(&'a self, _: &'a RepoName, _: &'a str) -> Answer<'a, Branch> {
        Box::pin(async { Err(ForgeError::NotFound("the branch".into())) })
    }

    fn find_comments<'a>(&'a self, name: &'a RepoName, _: i64, markers: &'a [&'a str]) -> Answer<'a, Vec<Comment>> {
        self.at(name);
        let find = |pull: &mut Pull| {
            let is_marked = |comment: &&Comment| markers.iter().any(|marker| comment.body.contains(marker));
            Ok(pull.comments.iter().filter(is_marked).cloned().collect())
        };
        Box::pin(async move { self.call("find", find) })
    }

    fn create_comment<'a>(&'a self, name: &'a RepoName, _: i64, body: &'a str) -> Answer<'a, i64> {
        self.at(name);
        let create = |pull: &mut Pull| {
            pull.written += 1;
            pull.comments.push(Comment { id: pull.written, body: body.to_owned() });
            Ok(pull.written)
        };
        Box::pin(async move { self.call("create", create) })
    }

    fn edit_comment<'a>(&'a self, name: &'a RepoName, id: i64, body: &'a str) -> Answer<'a, ()> {
        self.at(name);
        let edit = move |pull: &mut Pull| {
            let comment = pull.comments.iter_mut().find(|c| c.id == id).ok_or_else(|| ForgeError::NotFound("the comment".into()))?;
            body.clone_into(&mut comment.body);
            Ok(())
        };
        Box::pin(async move { self.call("edit", edit) })
    }

    fn counted(&self) -> Counted {
        self.counted
    }

    fn about(&self, repository_id: i64, pull: i64) -> Option<Box<dyn Forge>> {
        self.abouts.lock().unwrap().push((repository_id, pull));
        None
    }

    fn deployments(&self) -> Option<&dyn Deployments> {
        (!self.plain).then_some(self)
    }

    fn checks(&self) -> Option<&dyn Checks> {
        (!self.plain).then_some(self)
    }
}

impl Deployments for Double {
    fn create<'a>(&'a self, name: &'a RepoName, new: &'a NewDeployment) -> Answer<'a, i64> {
        self.at(name);
        let create = |pull: &mut Pull| {
            pull.written += 1;
            pull.deployed.push(Deployed { id: pull.written, new: new.clone(), said: Vec::new() });
            Ok(pull.written)
        };
        Box::pin(async move { self.call("deploy", create) })
    }

    fn list<'a>(&'a self, name: &'a RepoName, new: &'a NewDeployment) -> Answer<'a, Vec<i64>> {
        self.at(name);
        let list = move |pull: &mut Pull| Ok(pull.deployed.iter().rev().filter(|d| d.new == *new).map(|d| d.id).collect());
        Box::pin(async move { self.call("list", list) })
    }

    fn set_state<'a>(&'a self, name: &'a RepoName, id: i64, state: &'a DeploymentUpdate) -> Answer<'a, ()> {
        self.at(name);
        let set = move |pull: &mut Pull| {
            let found = pull.deployed.iter_mut().find(|d| d.id == id).ok_or_else(|| ForgeError::NotFound("the deployment".into()))?;
            found.said.push(state.clone());
            Ok(())
        };
        Box::pin(async move { self.call("state", set) })
    }

    fn delete<'a>(&'a self, name: &'a RepoName, id: i64) -> Answer<'a, ()> {
        self.at(name);
        let delete = move |pull: &mut Pull| {
            assert!(
                pull.deployed.iter().all(|d| d.id != id || d.state() == Some(DeploymentState::Inactive)),
                "only what is inactive can be deleted"
            );
            pull.deployed.retain(|d| d.id != id);
            Ok(())
        };
        Box::pin(async move { self.call("undeploy", delete) })
    }
}

impl Checks for Double {
    fn create<'a>(&'a self, name: &'a RepoName, check: &'a Check) -> Answer<'a, Option<i64>> {
        self.at(name);
        let create = |pull: &mut Pull| {
            pull.written += 1;
            pull.checks.push((pull.written, check.clone()));
            Ok(Some(pull.written))
        };
        Box::pin(async move { self.call("check", create) })
    }

    fn find<'a>(&'a self, home: &'a RepoName, check: &'a Check) -> Answer<'a, Option<i64>> {
        self.at(home);
        let is_it = |c: &Check| (&c.revision, &c.name, c.pull) == (&check.revision, &check.name, check.pull);
        let find = move |pull: &mut Pull| Ok(pull.checks.iter().find(|(_, c)| is_it(c)).map(|(id, _)| *id));
        Box::pin(async move { self.call("find check", find) })
    }

    fn unfinished<'a>(&'a self, home: &'a RepoName, check: &'a Check) -> Answer<'a, Option<i64>> {
        self.at(home);
        let is_it = |c: &Check| (&c.revision, &c.name, c.pull) == (&check.revision, &check.name, check.pull);
        let find = move |pull: &mut Pull| {
            let going = pull.checks.iter().find(|(_, c)| is_it(c) && !c.conclusion.is_some_and(Conclusion::ends));
            Ok(going.map(|(id, _)| *id))
        };
        Box::pin(async move { self.call("find unfinished", find) })
    }

    fn update<'a>(&'a self, name: &'a RepoName, id: i64, check: &'a Check) -> Answer<'a, ()> {
        self.at(name);
        let update = move |pull: &mut Pull| {
            let found = pull.checks.iter_mut().find(|(held, _)| *held == id).ok_or_else(|| ForgeError::NotFound("the check".into()))?;
            found.1 = check.clone();
            Ok(())
        };
        Box::pin(async move { self.call("recheck", update) })
    }
}

/// The environments as the API server holds them.
#[derive(Default)]
pub(crate) struct Records {
    members: Mutex<Vec<PreviewEnvironment>>,
    /// How many more writes go well.
    left: Mutex<usize>,
}

impl Records {
    pub(crate) fn of(members: impl IntoIterator<Item = PreviewEnvironment>) -> Arc<Self> {
        Arc::new(Self { members: Mutex::new(members.into_iter().collect()), left: Mutex::new(usize::MAX) })
    }

    pub(crate) fn members(&self) -> Vec<Arc<PreviewEnvironment>> {
        self.members.lock().unwrap().iter().cloned().map(Arc::new).collect()
    }

    /// One more is made.
    pub(crate) fn add(&self, member: PreviewEnvironment) {
        self.members.lock().unwrap().push(member);
    }

    /// What the forge shows is not recorded any more.
    pub(crate) fn forget(&self) {
        for member in self.members.lock().unwrap().iter_mut() {
            member.status.get_or_insert_default().feedback = None;
        }
    }

    /// Whether writes fail from now on.
    pub(crate) fn refuse(&self, refuse: bool) {
        *self.left.lock().unwrap() = if refuse { 0 } else { usize::MAX };
    }

    /// So many more go well.
    pub(crate) fn refuse_after(&self, writes: usize) {
        *self.left.lock().unwrap() = writes;
    }

    /// The controller changes an environment; what is recorded of the comment stays.
    pub(crate) fn replace(&self, mut member: PreviewEnvironment) {
        let mut members = self.members.lock().unwrap();
        let old = members.iter_mut().find(|m| m.metadata.uid == member.metadata.uid).expect("an environment that is there");
        let (before, status) = (old.status.take().unwrap_or_default(), member.status.get_or_insert_default());
        status.feedback = before.feedback;
        status.conditions.extend(before.conditions.into_iter().filter(|c| c.type_ == "FeedbackDelivered"));
        *old = member;
    }

    fn apply(&self, member: &PreviewEnvironment, report: &Report) {
        let patch = patch(member, report, time("27T10:00"));
        let mut members = self.members.lock().unwrap();
        let Some(held) = members.iter_mut().find(|m| m.metadata.uid == member.metadata.uid) else { return };
        let status = held.status.get_or_insert_default();
        let feedback: Feedback = serde_json::from_value(patch["status"]["feedback"].clone()).unwrap();
        status.feedback = Some(feedback);
        status.conditions.retain(|c| c.type_ != "FeedbackDelivered");
        status.conditions.push(serde_json::from_value(patch["status"]["conditions"][0].clone()).unwrap());
    }
}

impl Statuses for Records {
    fn write<'a>(&'a self, member: &'a PreviewEnvironment, report: &'a Report) -> BoxFuture<'a, Result<(), StatusError>> {
        Box::pin(async move {
            {
                let mut left = self.left.lock().unwrap();
                *left = left.checked_sub(1).ok_or_else(|| StatusError::Late("web-pr-42".into()))?;
            }
            self.apply(member, report);
            Ok(())
        })
    }
}
