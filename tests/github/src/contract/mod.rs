//! What GitHub publishes about itself, and the checks that hold the double and its callers to it.
//! The excerpts and where they are from: `contract/README.md`.

mod openapi;
mod schema;

use std::sync::LazyLock;

use serde_json::Value;

pub(crate) use openapi::{Call, check_answer, check_request};

/// Published example payloads, by event and action.
static EXAMPLES: LazyLock<Value> = LazyLock::new(|| parsed(include_str!("../../contract/payloads.json")));

/// Something that does not fit what GitHub publishes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// The request, answer or delivery, for example `POST /repos/{owner}/{repo}/issues/{issue_number}/comments`.
    pub what: String,
    /// What is wrong with it, and where.
    pub why: String,
}

/// The published example for an event. GitHub publishes none for `pull_request` `edited` and `repository` `deleted`:
/// the ones for `opened` and `created` stand in, and the schema says what they add.
pub(crate) fn example(event: &str, action: &str) -> &'static Value {
    let of_event = &EXAMPLES[event];
    let stand_in = if event == "repository" { "created" } else { "opened" };
    if of_event[action].is_null() { &of_event[stand_in] } else { &of_event[action] }
}

/// The published example of an organisation.
pub(crate) fn example_organization() -> &'static Value {
    &EXAMPLES["organization"]
}

/// What is wrong with the body of a delivery.
pub fn check_payload(event: &str, action: Option<&str>, payload: &Value) -> Vec<Violation> {
    let what = format!("delivery {event} {}", action.unwrap_or_default());
    let pointer = format!("/definitions/{event}${}", action.unwrap_or("event"));
    schema::errors(schema::Source::Payloads, &pointer, payload)
        .into_iter()
        .map(|why| Violation { what: what.trim_end().to_owned(), why })
        .collect()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("the excerpts are written by update.mjs")
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_excerpts_are_as_they_were_generated() {
        let about = parsed(include_str!("../../contract/versions.json"));
        for (name, text) in [
            ("openapi.json", include_str!("../../contract/openapi.json")),
            ("payload-schema.json", include_str!("../../contract/payload-schema.json")),
            ("payloads.json", include_str!("../../contract/payloads.json")),
        ] {
            assert_eq!(about["sha256"][name], hex::encode(Sha256::digest(text)), "{name}: see contract/README.md");
        }
    }
}
