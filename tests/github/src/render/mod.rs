//! The model in GitHub's JSON. Every object starts as one of GitHub's published examples, so that
//! all fields are there, and gets what the model knows.

mod apps;
mod comments;
mod pulls;
mod records;
mod repositories;
mod users;

use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::contract;
use crate::model::Model;

pub(crate) use repositories::node_id;

/// The examples' address of the API. Answers carry the double's own, as GitHub Enterprise's do.
const EXAMPLE_API: &str = "https://api.github.com";

/// The examples' only owner and repository.
const EXAMPLE_OWNER: &str = "Codertocat";
const EXAMPLE_REPOSITORY: &str = "Codertocat/Hello-World";

/// The example that stands for pull requests, repositories and users.
static OPENED: LazyLock<&'static Value> = LazyLock::new(|| contract::example("pull_request", "reopened"));

/// A view of the model that speaks GitHub's JSON.
#[derive(Clone, Copy)]
pub(crate) struct Render<'a> {
    pub model: &'a Model,
    /// Address of the API, without a slash at the end.
    pub api: &'a str,
}

/// GitHub's form of a time.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `value` with each of `pairs` replaced in all its strings.
fn rewritten(value: &Value, pairs: &[(&str, &str)]) -> Value {
    match value {
        Value::String(text) => Value::String(replaced(text, pairs)),
        Value::Array(items) => items.iter().map(|item| rewritten(item, pairs)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, item)| (key.clone(), rewritten(item, pairs)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn replaced(text: &str, pairs: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in pairs {
        if text.contains(from) {
            text = text.replace(from, to);
        }
    }
    text
}

/// Writes the fields of `over` over those of `value`.
pub(crate) fn overlay(mut value: Value, over: Value) -> Value {
    if let (Some(fields), Value::Object(over)) = (value.as_object_mut(), over) {
        fields.extend(over);
    }
    value
}
