//! Counts requests by what the API server wrote into its audit log.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{interval, timeout};

use crate::folder::Folder;
use crate::kubeconfig;

/// The address of our own requests that mark a position. They are left out of what is returned.
const FENCE: &str = "/version?mark=";
/// For a request of ours to show up in the log.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often the log is looked at meanwhile.
const POLL: Duration = Duration::from_millis(5);

/// The audit log of one cluster: one event for each request that was answered, a watch when it ended.
#[derive(Debug, Clone)]
pub struct Audit {
    log: PathBuf,
    kubeconfig: PathBuf,
}

/// A position in the log, in bytes; by default its start.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// One answered request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who asked, such as `system:serviceaccount:default:preview`.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// The API group, such as `apps`; empty for the core group.
    pub group: String,
    /// The plural, such as `pods`; empty for paths such as `/readyz`.
    pub resource: String,
    /// Such as `status`; empty for the object itself.
    pub subresource: String,
    /// Empty where there is none.
    pub namespace: String,
    /// Empty for collections and for what the API server named.
    pub name: String,
    /// The path and the query.
    pub uri: String,
    /// The HTTP status of the answer; 0 where none was given.
    pub code: u16,
    /// What the client calls itself.
    pub user_agent: String,
    /// When the request arrived.
    pub received: DateTime<Utc>,
    /// When the answer was complete.
    pub answered: DateTime<Utc>,
}

impl Audit {
    pub(crate) fn new(log: PathBuf, kubeconfig: PathBuf) -> Self {
        Self { log, kubeconfig }
    }

    /// A position after everything that was answered until now.
    ///
    /// An event is written just after its answer, so this makes a request of its own and waits until that is in the
    /// log. Fails while the API server is away.
    pub async fn mark(&self) -> Result<Mark> {
        self.fence().await.map(|(_, end)| end)
    }

    /// All requests that were answered between the mark and now, in the order of the log. Fails while the API server
    /// is away, see [`Self::read`].
    pub async fn since(&self, mark: Mark) -> Result<Vec<Event>> {
        let (fence, _) = self.fence().await?;
        let mut events = self.read(mark)?;
        events.truncate(events.iter().position(|event| event.uri == fence).unwrap_or(events.len()));
        events.retain(|event| !event.uri.starts_with(FENCE));
        Ok(events)
    }

    /// What the log holds after the mark at this instant. The latest answers may still be missing.
    pub fn read(&self, mark: Mark) -> Result<Vec<Event>> {
        let lines = self.complete_lines(mark)?;
        lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(parse).collect()
    }

    /// Makes a request that is known by its address; returns the address and the position after its event.
    async fn fence(&self) -> Result<(String, Mark)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let start = Mark(fs::metadata(&self.log).map_or(0, |log| log.len()));
        let uri = format!("{FENCE}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let request = http::Request::get(&uri).body(Vec::new()).context("cannot make a request")?;
        let client = kubeconfig::client(&self.kubeconfig).await?;
        client.request_text(request).await.context("cannot mark the audit log: the API server does not answer")?;
        let end = timeout(DEADLINE, self.position_after(start, &uri)).await;
        Ok((uri, end.context("cannot mark the audit log: the mark does not show up in it")??))
    }

    async fn position_after(&self, start: Mark, uri: &str) -> Result<Mark> {
        let mut ticks = interval(POLL);
        let quoted = format!("\"{uri}\"");
        loop {
            ticks.tick().await;
            let mut end = start.0;
            for line in self.complete_lines(start)?.split_inclusive(|byte| *byte == b'\n') {
                end += line.len() as u64;
                if String::from_utf8_lossy(line).contains(&quoted) {
                    return Ok(Mark(end));
                }
            }
        }
    }

    /// The bytes after the mark up to the last line that is written to its end.
    fn complete_lines(&self, mark: Mark) -> Result<Vec<u8>> {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.log)?;
            file.seek(SeekFrom::Start(mark.0))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1));
            Ok(bytes)
        };
        read().with_context(|| format!("cannot read {}", self.log.display()))
    }
}

/// Tells the API server what to log: one line for each request, without bodies, when its answer is complete.
pub(crate) fn write_policy(folder: &Folder) -> Result<PathBuf> {
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [{ "level": "Metadata" }],
    });
    let path = folder.file("audit-policy.json");
    fs::write(&path, policy.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// An event as the API server writes it (`audit.k8s.io/v1`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: Status,
    request_received_timestamp: DateTime<Utc>,
    stage_timestamp: DateTime<Utc>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct User {
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    code: u16,
}

impl From<Line> for Event {
    fn from(line: Line) -> Self {
        let ObjectRef { api_group, resource, subresource, namespace, name } = line.object_ref;
        Self {
            user: line.user.username,
            verb: line.verb,
            group: api_group,
            resource,
            subresource,
            namespace,
            name,
            uri: line.request_uri,
            code: line.response_status.code,
            user_agent: line.user_agent,
            received: line.request_received_timestamp,
            answered: line.stage_timestamp,
        }
    }
}

fn parse(line: &[u8]) -> Result<Event> {
    serde_json::from_slice::<Line>(line)
        .map(Event::from)
        .with_context(|| format!("cannot read an audit event: {}", String::from_utf8_lossy(line)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const PATCH: &str = concat!(
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete","#,
        r#""requestURI":"/apis/apps/v1/namespaces/a/deployments/web/status?fieldManager=x","verb":"patch","#,
        r#""user":{"username":"kubernetes-admin","groups":["system:masters"]},"sourceIPs":["127.0.0.1"],"#,
        r#""userAgent":"tests","objectRef":{"resource":"deployments","namespace":"a","name":"web","apiGroup":"apps","#,
        r#""apiVersion":"v1","subresource":"status"},"responseStatus":{"metadata":{},"code":409},"#,
        r#""requestReceivedTimestamp":"2026-01-02T03:04:05.000001Z","stageTimestamp":"2026-01-02T03:04:05.500000Z"}"#,
        "\n"
    );

    #[test]
    fn an_event_is_read_with_all_its_parts() {
        let event = parse(PATCH.as_bytes()).expect("an event");
        assert_eq!((event.verb.as_str(), event.code), ("patch", 409));
        assert_eq!((event.group.as_str(), event.resource.as_str()), ("apps", "deployments"));
        assert_eq!((event.subresource.as_str(), event.name.as_str()), ("status", "web"));
        assert_eq!((event.answered - event.received).num_milliseconds(), 499);
    }

    #[test]
    fn a_half_written_line_is_left_for_later() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let audit = Audit::new(file.path().to_owned(), PathBuf::new());
        let (half, rest) = PATCH.split_at(100);
        file.write_all(PATCH.as_bytes()).and_then(|()| file.write_all(half.as_bytes())).expect("written");
        assert_eq!(audit.read(Mark(0)).expect("events").len(), 1);
        file.write_all(rest.as_bytes()).expect("written");
        assert_eq!(audit.read(Mark(0)).expect("events").len(), 2);
        assert_eq!(audit.read(Mark(PATCH.len() as u64)).expect("events").len(), 1);
    }
}
