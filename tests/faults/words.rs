//! Takes out of what is read what no two runs have in common: names of the row, commits, numbers that somebody gave, times.
//! No client, no clock.

use chrono::DateTime;
use serde_json::Value;

/// Fields that differ from run to run and say nothing.
const DROPPED: [&str; 24] = [
    "uid",
    "resourceVersion",
    "generation",
    "observedGeneration",
    "creationTimestamp",
    "managedFields",
    "lastTransitionTime",
    "hash",
    "source",
    "planDigest",
    "digest",
    "id",
    "commentId",
    "commentBy",
    "repositoryId",
    "headRepositoryId",
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "preview-env.dev/applied-hash",
    // Who told of a fact, and when it was last confirmed: one that is found by looking has nobody.
    "sender",
    "lookup",
    // When it had ended before: of an end that was over again before anybody could look nobody knows.
    "endedAt",
    "deployment.kubernetes.io/revision",
];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What is put in place of what.
pub struct Words(Vec<(String, String)>);

impl Words {
    /// Of a row with these commits, the oldest first, and that UID of its environment.
    pub fn new(row: &str, revisions: &[String], uid: Option<&str>) -> Self {
        let mut words = vec![(row.to_owned(), "ROW".to_owned())];
        for (number, revision) in revisions.iter().enumerate() {
            words.push((revision.clone(), format!("COMMIT-{number}")));
            words.push((revision[..7.min(revision.len())].to_owned(), format!("commit-{number}")));
        }
        words.extend(uid.map(|uid| (uid.to_owned(), "UID".to_owned())));
        Self(words)
    }

    /// A value in these words.
    pub fn value(&self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let kept = fields.iter().filter(|(name, _)| !DROPPED.contains(&name.as_str()));
                Value::Object(kept.map(|(name, field)| (self.text(name), self.value(field))).collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(|item| self.value(item)).collect()),
            Value::String(text) => Value::String(self.text(text)),
            other => other.clone(),
        }
    }

    /// A text in these words.
    pub fn text(&self, text: &str) -> String {
        if DateTime::parse_from_rfc3339(text).is_ok() {
            return "TIME".to_owned();
        }
        let text = self.0.iter().fold(text.to_owned(), |text, (word, other)| text.replace(word, other));
        text.split('\n').map(timeless).collect::<Vec<_>>().join("\n")
    }
}

/// A line without `27 Nov, 14:05 UTC`, `12 s`, and how long it took since what.
fn timeless(line: &str) -> String {
    let line = line.split_once(" services are up").map_or(line, |(count, _)| count);
    let words: Vec<&str> = line.split(' ').collect();
    let next = |at: usize| words.get(at + 1).copied().unwrap_or_default().trim_end_matches([',', '.', ';']);
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let of_time = |at: usize| MONTHS.contains(&next(at)) || matches!(next(at), "s" | "min");
    let put = |(at, word): (usize, &&str)| match *word {
        word if is_number(word) && of_time(at) => "N".to_owned(),
        word if next(at).starts_with("UTC") && word.contains(':') => "H:M".to_owned(),
        word if MONTHS.contains(&word.trim_end_matches(',')) => "MONTH".to_owned(),
        "min" => "s".to_owned(),
        word => word.to_owned(),
    };
    words.iter().enumerate().map(put).collect::<Vec<_>>().join(" ")
}

/// Where two values differ: a line for each place.
pub fn differences(expected: &Value, seen: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", (expected, seen), &mut found);
    found
}

fn compare(path: &str, (expected, seen): (&Value, &Value), found: &mut Vec<String>) {
    match (expected, seen) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, field) in one {
                compare(&format!("{path}/{name}"), (field, other.get(name).unwrap_or(&Value::Null)), found);
            }
            for (name, field) in other.iter().filter(|(name, _)| !one.contains_key(*name)) {
                compare(&format!("{path}/{name}"), (&Value::Null, field), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&format!("{path}/{at}"), (one, other), found);
            }
        }
        (Value::String(one), Value::String(other)) if one.contains('\n') && other.contains('\n') => {
            let lines = |text: &str| Value::from(text.lines().map(str::to_owned).collect::<Vec<_>>());
            match (lines(one), lines(other)) {
                (one, other) if one.as_array().map(Vec::len) == other.as_array().map(Vec::len) => compare(path, (&one, &other), found),
                _ => found.push(format!("{path}: {other}\n instead of\n{one}")),
            }
        }
        _ if expected != seen => found.push(format!("{path}: {seen} instead of {expected}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_from_run_to_run_is_taken_out() {
        let commit = "0123456789abcdef0123456789abcdef01234567".to_owned();
        let words = Words::new("row17", std::slice::from_ref(&commit), Some("u-1"));
        for (text, expected) in [
            ("row17-web-pr-1 of acme/row17", "ROW-web-pr-1 of acme/ROW"),
            (commit.as_str(), "COMMIT-0"),
            ("Preview of `0123456` is ready", "Preview of `commit-0` is ready"),
            ("2026-01-02T03:04:05Z", "TIME"),
            ("Expires 27 Nov, 14:05 UTC, unless", "Expires N MONTH H:M UTC, unless"),
            ("2 of 2 services are up, 3 min after the push.", "2 of 2"),
            ("It waits for 3 min more.", "It waits for N s more."),
        ] {
            assert_eq!(words.text(text), expected);
        }
        let object = json!({"metadata": {"uid": "u-1", "name": "web"}, "items": [{"hash": "h", "row17": 1}]});
        assert_eq!(words.value(&object), json!({"metadata": {"name": "web"}, "items": [{"ROW": 1}]}));
    }

    #[test]
    fn each_difference_is_named() {
        let (one, other) = (json!({"a": [1, 2], "b": 1}), json!({"a": [1, 3], "c": 1}));
        assert_eq!(differences(&one, &other), ["/a/1: 3 instead of 2", "/b: null instead of 1", "/c: 1 instead of null"]);
    }
}
