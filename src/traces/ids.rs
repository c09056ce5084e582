//! Numbers of traces and spans. They follow from what they are about, so the replica that takes a delivery and the one that leads
//! name the same trace without a word between them. No client, no clock, no logging.

use opentelemetry::{SpanId, TraceId};
use sha2::{Digest, Sha256};

use super::Change;

/// The trace of one revision of one environment.
pub(super) fn trace(change: &Change<'_>) -> TraceId {
    let Change { namespace, environment, source } = change;
    let subject = match (source.pull, &source.branch) {
        (Some(pull), _) => format!("pull {pull}"),
        (None, Some(branch)) => format!("branch {branch}"),
        (None, None) => String::new(),
    };
    let parts = [namespace, environment, source.forge.as_str(), &source.repository_id.to_string(), &subject, &source.revision];
    TraceId::from_bytes(first(&hash(parts.map(str::as_bytes))))
}

/// One of the spans of a trace: its name, and a number that tells it from others of that name.
pub(super) fn span(trace: TraceId, name: &str, number: u128) -> SpanId {
    SpanId::from_bytes(first(&hash([&trace.to_bytes()[..], name.as_bytes(), &number.to_be_bytes()])))
}

/// Each part with its length, so that no two lists come to the same.
fn hash<const N: usize>(parts: [&[u8]; N]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn first<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&hash[..N]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;

    #[test]
    fn each_revision_of_each_environment_has_a_trace_of_its_own_and_always_the_same() {
        let pull = source(&json_of(42, "a"));
        let of = |namespace, environment, source| trace(&Change { namespace, environment, source });
        let one = of("shop", "web-pr-42", &pull);
        assert_eq!(one, of("shop", "web-pr-42", &pull));
        assert_eq!(one.to_string().len(), 32);
        let renamed = crate::api::Source { repository: "acme/other".to_owned(), labels: vec!["preview".to_owned()], ..pull.clone() };
        assert_eq!(one, of("shop", "web-pr-42", &renamed), "what may change of the same commit is not part of it");
        let (pushed, other) = (source(&json_of(42, "b")), source(&json_of(43, "a")));
        let branch = crate::api::Source { pull: None, branch: Some("42".to_owned()), ..pull.clone() };
        let others = [
            of("shop", "web-pr-42", &pushed),
            of("shop", "web-pr-42", &other),
            of("shop", "web-pr-42", &branch),
            of("shop-2", "web-pr-42", &pull),
            of("shop", "web-pr-421", &pull),
        ];
        assert!(!others.contains(&one), "{others:?}");
    }

    #[test]
    fn spans_differ_by_trace_name_and_number() {
        let (a, b) = (TraceId::from(1), TraceId::from(2));
        let all = [span(a, "pass", 0), span(a, "pass", 1), span(a, "apply", 0), span(b, "pass", 0)];
        assert!((1..4).all(|at| !all[..at].contains(&all[at])), "{all:?}");
        assert_eq!(span(a, "pass", 1), all[1]);
    }

    fn json_of(pull: i64, digit: &str) -> serde_json::Value {
        serde_json::json!({"pull": pull, "revision": digit.repeat(40)})
    }
}
