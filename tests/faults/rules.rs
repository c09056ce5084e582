//! What goes wrong, for whom and when. Each story has a row of its own, by whose name its requests are known, so that a fault
//! of one disturbs no other; but for those that end the service or take a whole server down.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{mpsc, watch};

/// Between whom something goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Before {
    /// The service and the API server.
    Cluster,
    /// The service and GitHub.
    Forge,
}

/// Which of a row's messages are counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Of {
    /// Requests that change something.
    Writes,
    /// Requests that do not, but for watches.
    Reads,
    /// What watches bring.
    Events,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It is answered with this status and has no effect.
    Refused(u16),
    /// It takes effect, and the connection is cut instead of the answer.
    Lost,
    /// It takes effect, and the connection is cut in the middle of the answer.
    Cut,
    /// It is passed on that much later.
    Late(Duration),
    /// The service ends once it was answered. Nothing that it sends after that request is passed on.
    Ends,
    /// The service ends before it is answered.
    EndsUnanswered,
    /// The same, and the lists that it begins with afterwards are those from before the story.
    EndsAndListsOld,
    /// It is answered from the state before the story.
    Old,
    /// A watch does not bring it. The watch ends then as the API server ends those that missed something, with a 410.
    Missed,
    /// It is not passed on, and then nothing is answered for so long, for anybody.
    Down(Duration),
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mishap {
    /// Between whom.
    pub before: Before,
    /// With what.
    pub of: Of,
    /// What.
    pub fault: Fault,
}

/// A request as far as the rules look at it.
pub struct Asked<'a> {
    /// Whether it changes something.
    pub writes: bool,
    /// Its path.
    pub path: &'a str,
    /// Its body.
    pub body: &'a [u8],
}

/// What is to happen in one row.
struct Row {
    mishap: Option<(Mishap, usize)>,
    /// The version of everything when the story began.
    began: String,
    counted: usize,
    writes: usize,
    happened: bool,
}

/// What was seen of a row.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Requests that changed something, at the API server.
    pub writes: usize,
    /// Whether what was to go wrong did.
    pub happened: bool,
}

/// How long an outage that is about to begin waits for others that are to meet it: theirs would begin when it is over.
const GATHERS: Duration = Duration::from_secs(3);

/// The rules of all rows.
pub struct Rules {
    rows: Mutex<HashMap<String, Row>>,
    /// Lists are answered as of that version, each path once.
    old_lists: Mutex<Option<(String, HashSet<String>)>>,
    /// So many seconds the API server's clock is ahead, as its answers say.
    ahead: AtomicU64,
    /// Namespaces that no watch tells of.
    unseen: Mutex<HashSet<String>>,
    /// The service is about to end: nothing that it sends is passed on any more.
    ending: watch::Sender<bool>,
    down: [watch::Sender<bool>; 2],
    /// Whether each is down or about to be.
    falls: [AtomicBool; 2],
    /// When one of them came back last.
    up_since: Mutex<Option<Instant>>,
    ends: mpsc::UnboundedSender<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Rules {
    /// No rows, and who is told when the service is to end.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (ends, told) = mpsc::unbounded_channel();
        let down = [watch::Sender::new(false), watch::Sender::new(false)];
        let (falls, up_since, ending) = (Default::default(), Mutex::default(), watch::Sender::new(false));
        let (unseen, ahead) = (Mutex::default(), AtomicU64::default());
        (Self { rows: Mutex::default(), old_lists: Mutex::default(), ahead, unseen, ending, down, falls, up_since, ends }, told)
    }

    /// From now on a row's messages are counted; what is given happens with the n-th that counts.
    pub fn begin(&self, row: &str, mishap: Option<(Mishap, usize)>, began: String) {
        lock(&self.rows).insert(row.to_owned(), Row { mishap, began, counted: 0, writes: 0, happened: false });
    }

    /// Nothing more goes wrong in a row.
    pub fn end(&self, row: &str) -> Seen {
        let ended = lock(&self.rows).remove(row);
        ended.map_or(Seen { writes: 0, happened: false }, |row| Seen { writes: row.writes, happened: row.happened })
    }

    /// What is to go wrong with a request, and the version that its row began with.
    pub fn fault_of(&self, before: Before, asked: &Asked<'_>) -> Option<(Fault, String)> {
        let mut rows = lock(&self.rows);
        let row = rows.get_mut(&row_of(before, asked)?)?;
        row.writes += usize::from(asked.writes && before == Before::Cluster);
        let of = if asked.writes { Of::Writes } else { Of::Reads };
        row.count(before, of).map(|fault| (fault, row.began.clone()))
    }

    /// From now on the API server's clock is ahead.
    pub fn go_ahead(&self, by: Duration) {
        self.ahead.store(by.as_secs(), Ordering::Relaxed);
    }

    /// By how much it is ahead.
    pub fn ahead(&self) -> Duration {
        Duration::from_secs(self.ahead.load(Ordering::Relaxed))
    }

    /// From now on no watch tells of that namespace, as one that is behind.
    pub fn hide(&self, namespace: &str) {
        lock(&self.unseen).insert(namespace.to_owned());
    }

    /// The lines of a watch without what is hidden.
    pub fn without_hidden<'a>(&self, lines: &'a [u8]) -> Cow<'a, [u8]> {
        let unseen = lock(&self.unseen);
        let is_hidden = |line: &[u8]| unseen.iter().any(|name| is_of_namespace(line, name));
        if !unseen.is_empty() && lines.split_inclusive(|byte| *byte == b'\n').any(is_hidden) {
            return Cow::Owned(lines.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_hidden(line)).flatten().copied().collect());
        }
        Cow::Borrowed(lines)
    }

    /// What of a watch's lines is brought, and whether it ends there because one is missed.
    pub fn judge<'a>(&self, lines: &'a [u8]) -> (&'a [u8], bool) {
        let mut rows = lock(&self.rows);
        let mut end = 0;
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let missed = rows
                .iter_mut()
                .filter(|(_, row)| row.misses())
                .any(|(name, row)| is_about(line, name) && row.count(Before::Cluster, Of::Events) == Some(Fault::Missed));
            if missed {
                return (&lines[..end], true);
            }
            end += line.len();
        }
        (lines, false)
    }

    /// Whether the server answers. It is waited until the service has ended, if it is about to: nothing is passed on then.
    pub async fn answers(&self, before: Before) -> bool {
        if *self.down(before).borrow() {
            return false;
        }
        let mut ending = self.ending.subscribe();
        let was_ending = *ending.borrow();
        // The sender is here, so it is not gone.
        let _ = ending.wait_for(|ending| !ending).await;
        !was_ending
    }

    /// Ends when the server goes down.
    pub async fn goes_down(&self, before: Before) {
        let _ = self.down(before).subscribe().wait_for(|down| *down).await;
    }

    /// Takes a server down for so long, once for all who want that within a few seconds.
    pub async fn take_down(&self, before: Before, time: Duration) {
        let falls = &self.falls[usize::from(before == Before::Forge)];
        if falls.swap(true, Ordering::SeqCst) {
            return;
        }
        tokio::time::sleep(GATHERS).await;
        self.down(before).send_replace(true);
        tokio::time::sleep(time).await;
        falls.store(false, Ordering::SeqCst);
        *lock(&self.up_since) = Some(Instant::now());
        self.down(before).send_replace(false);
    }

    /// When a server that had been down came back last.
    pub fn up_since(&self) -> Option<Instant> {
        *lock(&self.up_since)
    }

    fn down(&self, before: Before) -> &watch::Sender<bool> {
        &self.down[usize::from(before == Before::Forge)]
    }

    /// Passes on nothing more that the service sends.
    pub fn stop_passing(&self) {
        self.ending.send_replace(true);
    }

    /// Has the service end.
    pub fn end_service(&self) {
        // Whoever ends it is there as long as the rules are.
        let _ = self.ends.send(());
    }

    /// The service has ended: what comes now is another one's.
    pub fn service_ended(&self) {
        self.ending.send_replace(false);
    }

    /// The next list of each path is answered as of that version.
    pub fn list_old(&self, version: String) {
        *lock(&self.old_lists) = Some((version, HashSet::new()));
    }

    /// The version that a list is to be answered as of.
    pub fn old_version(&self, path: &str) -> Option<String> {
        let mut old = lock(&self.old_lists);
        let (version, given) = old.as_mut()?;
        given.insert(path.to_owned()).then(|| version.clone())
    }
}

impl Row {
    fn misses(&self) -> bool {
        !self.happened && self.mishap.is_some_and(|(mishap, _)| mishap.fault == Fault::Missed)
    }

    /// Counts a message, and says what happens with it.
    fn count(&mut self, before: Before, of: Of) -> Option<Fault> {
        let (mishap, nth) = self.mishap.filter(|(mishap, _)| mishap.before == before && mishap.of == of)?;
        self.counted += 1;
        if self.counted != nth {
            return None;
        }
        self.happened = true;
        Some(mishap.fault)
    }
}

/// The row of a namespace: that of a baseline is called after it, and those of environments begin with it.
pub fn row_of_namespace(namespace: &str) -> &str {
    namespace.split('-').next().unwrap_or_default()
}

fn row_of(before: Before, asked: &Asked<'_>) -> Option<String> {
    let mut parts = asked.path.trim_matches('/').split('/');
    match before {
        Before::Forge => (parts.next() == Some("repos")).then(|| parts.nth(1)).flatten().map(str::to_owned),
        Before::Cluster => {
            let named = parts.find(|part| *part == "namespaces").and_then(|_| parts.next());
            let namespace = named.map(str::to_owned).or_else(|| {
                let body: Value = serde_json::from_slice(asked.body).ok()?;
                body.pointer("/metadata/name")?.as_str().map(str::to_owned)
            })?;
            Some(row_of_namespace(&namespace).to_owned())
        }
    }
}

/// Whether an event of a watch is about something of a row.
fn is_about(line: &[u8], row: &str) -> bool {
    let text = String::from_utf8_lossy(line);
    // Most lines are of others, and reading each as JSON would take longer than all the rest.
    if !text.contains(row) {
        return false;
    }
    let event: Value = serde_json::from_str(&text).unwrap_or_default();
    let metadata = &event["object"]["metadata"];
    let namespace = metadata["namespace"].as_str().or(metadata["name"].as_str()).unwrap_or_default();
    event["type"] != "BOOKMARK" && row_of_namespace(namespace) == row
}

/// Whether an event of a watch is about the namespace of that name itself.
fn is_of_namespace(line: &[u8], name: &str) -> bool {
    let text = String::from_utf8_lossy(line);
    if !text.contains(name) {
        return false;
    }
    let event: Value = serde_json::from_str(&text).unwrap_or_default();
    let metadata = &event["object"]["metadata"];
    event["type"] != "BOOKMARK" && metadata["namespace"].is_null() && metadata["name"] == name
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: Mishap = Mishap { before: Before::Cluster, of: Of::Writes, fault: Fault::Lost };

    fn asked<'a>(writes: bool, path: &'a str, body: &'a str) -> Asked<'a> {
        Asked { writes, path, body: body.as_bytes() }
    }

    #[test]
    fn a_request_is_of_the_row_that_its_namespace_is_called_after() {
        let (rules, _told) = Rules::new();
        for (path, body, is_of_it) in [
            ("/api/v1/namespaces", r#"{"metadata": {"name": "row1-web-pr-1"}}"#, true),
            ("/api/v1/namespaces/row1-web-pr-1", "", true),
            ("/apis/apps/v1/namespaces/row1-web-pr-1/deployments/web", "{}", true),
            ("/apis/preview-env.dev/v1alpha1/namespaces/row1/previewenvironments/web-pr-1/status", "{}", true),
            ("/apis/apps/v1/namespaces/row12-web-pr-1/deployments/web", "{}", false),
            ("/apis/coordination.k8s.io/v1/namespaces/preview-env/leases/preview-env", "{}", false),
            ("/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}", false),
        ] {
            rules.begin("row1", Some((LOST, 1)), "7".to_owned());
            let fault = rules.fault_of(Before::Cluster, &asked(true, path, body));
            assert_eq!(fault.map(|(fault, _)| fault), is_of_it.then_some(Fault::Lost), "{path}");
        }
    }

    #[test]
    fn it_happens_once_and_with_the_one_that_was_meant() {
        let (rules, _told) = Rules::new();
        rules.begin("row1", Some((LOST, 2)), "7".to_owned());
        let path = "/api/v1/namespaces/row1/pods";
        let faults = [true, false, true, true].map(|writes| rules.fault_of(Before::Cluster, &asked(writes, path, "")).is_some());
        assert_eq!(faults, [false, false, true, false]);
        let seen = rules.end("row1");
        assert!(seen.happened && seen.writes == 3);
        assert_eq!(rules.fault_of(Before::Cluster, &asked(true, path, "")), None);
    }

    #[test]
    fn a_watch_ends_where_it_misses_something() {
        let (rules, _told) = Rules::new();
        let event = |namespace: &str| format!("{{\"type\":\"ADDED\",\"object\":{{\"metadata\":{{\"namespace\":\"{namespace}\"}}}}}}\n");
        let lines = [event("row1"), event("other"), event("row1-web-pr-1"), event("other")].concat();
        rules.begin("row1", Some((Mishap { of: Of::Events, fault: Fault::Missed, ..LOST }, 2)), "7".to_owned());
        let (brought, ended) = rules.judge(lines.as_bytes());
        assert_eq!((String::from_utf8_lossy(brought).into_owned(), ended), ([event("row1"), event("other")].concat(), true));
        assert_eq!(rules.judge(lines.as_bytes()), (lines.as_bytes(), false));
    }

    #[test]
    fn a_namespace_is_hidden_and_what_is_in_it_is_not() {
        let (rules, _told) = Rules::new();
        let event = |metadata: &str| format!("{{\"type\":\"ADDED\",\"object\":{{\"metadata\":{{{metadata}}}}}}}\n");
        let (of_it, inside) = (event(r#""name":"row1-web-pr-1""#), event(r#""name":"row1-web-pr-1","namespace":"row1-web-pr-1""#));
        let lines = [of_it.as_str(), inside.as_str()].concat();
        assert_eq!(rules.without_hidden(lines.as_bytes()), lines.as_bytes());
        rules.hide("row1-web-pr-1");
        assert_eq!(rules.without_hidden(lines.as_bytes()), inside.as_bytes());
    }

    #[test]
    fn a_list_is_old_once() {
        let (rules, _told) = Rules::new();
        assert_eq!(rules.old_version("/api/v1/pods"), None);
        rules.list_old("7".to_owned());
        let versions = ["/api/v1/pods", "/api/v1/pods", "/api/v1/services"].map(|path| rules.old_version(path));
        assert_eq!(versions, [Some("7".to_owned()), None, Some("7".to_owned())]);
    }
}
