//! A whole forge against the port, in under 200 lines: deliveries in a format of its own, pull requests, branches and comments
//! in memory, with a number that grows with each change as the validator of every list.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use preview_env::api::baseline::ForgeKind;
use preview_env::api::environment::SourceState;
use preview_env::domain::RepoName;
use preview_env::forge::event::{Event, ParseError, PullAction};
use preview_env::forge::{
    Answer, Arrival, Branch, ChangedFiles, Comment, Cursor, Deliveries, FailedDeliveries, Forge, ForgeError, Hook, Listing, Permission,
    PostedComment, PullRequest, Reaction, RepositoryFacts, Validator,
};

/// The number of the one repository that it has.
pub const REPOSITORY: i64 = 7;

/// How it delivers: where, in which headers, and what.
pub const HOOK: Hook = Hook { path: "/webhooks/tiny", signature: "tiny-signature", event: "tiny-kind", delivery: "tiny-delivery", parse };

/// `{"change": "1 open faster <commit> ann"}`, of the kind `change`.
fn parse(arrival: &Arrival<'_>, body: &[u8]) -> Result<Event, ParseError> {
    let wrong = |field: &str| ParseError { field: field.to_owned(), why: "it is not as this forge writes it".to_owned() };
    let body: serde_json::Value = serde_json::from_slice(body).map_err(|_| wrong("body"))?;
    let words: Vec<&str> = body["change"].as_str().filter(|_| arrival.event == "change").unwrap_or_default().split(' ').collect();
    let [number, state, branch, commit, who] = words[..] else { return Err(wrong("change")) };
    let (state, action) = match state {
        "open" => (SourceState::Open, PullAction::Opened),
        "over" => (SourceState::Merged, PullAction::Closed),
        _ => return Err(wrong("change")),
    };
    let (number, revision) = (number.parse().map_err(|_| wrong("change"))?, commit.parse().map_err(|_| wrong("change"))?);
    let pull = PullRequest { number, state, revision, head_branch: branch.into(), ..crate::rounds::pull(number) };
    Ok(Event::PullRequest { forge: ForgeKind::Github, action, pull: Box::new(pull), sender: who.into() })
}

#[derive(Default)]
pub struct Tiny(pub Mutex<State>);

/// What it holds, and how it behaves.
#[derive(Default)]
pub struct State {
    pub pulls: BTreeMap<i64, PullRequest>,
    pub branches: BTreeMap<String, Branch>,
    pub comments: Vec<PostedComment>,
    /// What our comments say, by number.
    pub ours: BTreeMap<i64, (i64, String)>,
    pub reactions: Vec<(i64, Reaction)>,
    pub permissions: HashMap<String, Permission>,
    pub mood: Mood,
    /// The number that every name means, where it is another one.
    pub home: Option<i64>,
    /// Open pull requests that its list does not have any more.
    pub unlisted: Vec<i64>,
    pub questions: usize,
    /// Whether nobody can ask it for what could not be delivered.
    pub keeps_no_log: bool,
    /// How often it was asked what could not be delivered.
    pub log_reads: usize,
    /// Who was asked about.
    pub asked_about: Vec<String>,
    changes: u64,
}

#[derive(Clone, Copy, Default, PartialEq)]
pub enum Mood {
    #[default]
    Honest,
    /// Every list is empty, although it says that this is the answer.
    Empty,
    /// It knows nothing.
    NotFound,
    /// It does not answer.
    Down,
}

impl Tiny {
    /// Changes something, so that every list is another one.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.lock().unwrap();
        state.changes += 1;
        change(&mut state)
    }

    fn answer<T: Send + 'static>(&self, read: impl FnOnce(&mut State) -> Option<T>) -> Answer<'static, T> {
        let mut state = self.0.lock().unwrap();
        state.questions += 1;
        let answer = match state.mood {
            Mood::Down => Err(ForgeError::Unavailable { what: "ask".into(), why: "it is down".into() }),
            Mood::NotFound => Err(ForgeError::NotFound("it".into())),
            Mood::Honest | Mood::Empty => read(&mut state).ok_or_else(|| ForgeError::NotFound("it".into())),
        };
        futures::future::ready(answer).boxed()
    }

    fn list<T: Send + 'static>(&self, known: Option<&Validator>, all: impl FnOnce(&State) -> Vec<T>) -> Answer<'static, Listing<T>> {
        let known = known.cloned();
        self.answer(move |state| {
            let validator = Some(Validator(state.changes.to_string()));
            Some(match state.mood {
                Mood::Empty => Listing::Now { items: vec![], validator: None },
                _ if known == validator => Listing::Unchanged,
                _ => Listing::Now { items: all(state), validator },
            })
        })
    }
}

impl Forge for Tiny {
    fn repository<'a>(&'a self, repository: &'a RepoName) -> Answer<'a, RepositoryFacts> {
        let name = repository.clone();
        self.answer(|state| Some(RepositoryFacts { id: state.home.unwrap_or(REPOSITORY), name, private: true }))
    }

    fn pull_request<'a>(&'a self, _: &'a RepoName, number: i64) -> Answer<'a, PullRequest> {
        self.answer(move |state| state.pulls.get(&number).cloned())
    }

    fn open_pulls<'a>(&'a self, _: &'a RepoName, known: Option<&'a Validator>) -> Answer<'a, Listing<PullRequest>> {
        self.list(known, |state| {
            let is_listed = |p: &&PullRequest| p.state == SourceState::Open && !state.unlisted.contains(&p.number);
            state.pulls.values().filter(is_listed).cloned().collect()
        })
    }

    fn changed_files<'a>(&'a self, _: &'a RepoName, _: i64) -> Answer<'a, ChangedFiles> {
        self.answer(|_| Some(ChangedFiles::Named(vec![])))
    }

    fn branch<'a>(&'a self, _: &'a RepoName, name: &'a str) -> Answer<'a, Branch> {
        let name = name.to_owned();
        self.answer(move |state| state.branches.get(&name).cloned())
    }

    fn branches<'a>(&'a self, _: &'a RepoName, known: Option<&'a Validator>) -> Answer<'a, Listing<Branch>> {
        self.list(known, |state| state.branches.values().cloned().collect())
    }

    fn comments_since<'a>(
        &'a self,
        _: &'a RepoName,
        since: DateTime<Utc>,
        known: Option<&'a Validator>,
    ) -> Answer<'a, Listing<PostedComment>> {
        self.list(known, move |state| state.comments.iter().filter(|c| c.updated_at >= since).cloned().collect())
    }

    fn permission<'a>(&'a self, _: &'a RepoName, login: &'a str) -> Answer<'a, Permission> {
        let login = login.to_owned();
        self.change(|state| state.asked_about.push(login.clone()));
        self.answer(move |state| Some(state.permissions.get(&login).copied().unwrap_or(Permission::None)))
    }

    fn deliveries(&self) -> Option<&dyn Deliveries> {
        (!self.0.lock().unwrap().keeps_no_log).then_some(self as &dyn Deliveries)
    }

    fn find_comments<'a>(&'a self, _: &'a RepoName, pull: i64, markers: &'a [&'a str]) -> Answer<'a, Vec<Comment>> {
        let markers: Vec<String> = markers.iter().map(|marker| (*marker).to_owned()).collect();
        self.answer(move |state| {
            let is_marked = |(on, body): &(i64, String)| *on == pull && markers.iter().any(|marker| body.contains(marker));
            let marked = state.ours.iter().filter(|(_, comment)| is_marked(comment));
            Some(marked.map(|(id, (_, body))| Comment { id: *id, body: body.clone() }).collect())
        })
    }

    fn create_comment<'a>(&'a self, _: &'a RepoName, pull: i64, body: &'a str) -> Answer<'a, i64> {
        let body = body.to_owned();
        self.answer(move |state| {
            let id = 1 + i64::try_from(state.ours.len()).ok()?;
            state.ours.insert(id, (pull, body));
            Some(id)
        })
    }

    fn edit_comment<'a>(&'a self, _: &'a RepoName, id: i64, body: &'a str) -> Answer<'a, ()> {
        let body = body.to_owned();
        self.answer(move |state| state.ours.get_mut(&id).map(|ours| ours.1 = body))
    }

    fn react<'a>(&'a self, _: &'a RepoName, comment: i64, reaction: Reaction) -> Answer<'a, ()> {
        self.answer(move |state| Some(state).map(|state| state.reactions.push((comment, reaction))))
    }
}

impl Deliveries for Tiny {
    fn failed_since<'a>(&'a self, _: DateTime<Utc>, _: Option<&'a Cursor>) -> Answer<'a, FailedDeliveries> {
        self.0.lock().unwrap().log_reads += 1;
        futures::future::ready(Ok(FailedDeliveries { deliveries: vec![], newest: None, rest: None })).boxed()
    }

    fn redeliver(&self, _: i64) -> Answer<'_, ()> {
        futures::future::ready(Ok(())).boxed()
    }
}
