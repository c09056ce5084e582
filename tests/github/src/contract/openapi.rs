//! Requests and answers against the `OpenAPI`.

use serde_json::json;

use super::Violation;
use super::schema::{DOCUMENT, Source, errors};

/// Statuses that GitHub may give to any request, listed with the operation or not: not modified, moved,
/// bad JSON, no or bad credentials, forbidden, not found, gone, invalid, limited, its own failures.
const ANYWHERE: &[u16] = &[301, 304, 400, 401, 403, 404, 410, 422, 429, 500, 502, 503];

/// What GitHub answers although it publishes otherwise: the branch of a pull request outlives its repository, and then
/// `head.repo` is null, in the API as in the deliveries, whose schema says so. And the account of an installation is a
/// user or an enterprise: one place of the document wants it to be both.
const KNOWN: &[&str] =
    &["/head/repo: value is not of type \"object\"", "/account: value is not valid under any of the schemas listed in the 'anyOf' keyword"];

/// One request, as far as the contract looks at it.
pub(crate) struct Call<'a> {
    pub method: &'a str,
    /// The path as in the `OpenAPI`, with names in braces.
    pub operation: &'a str,
    /// Values of the names in the path.
    pub path: &'a [(&'static str, String)],
    pub query: &'a [(String, String)],
    pub body: &'a [u8],
}

impl Call<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.operation)
    }

    fn pointer(&self) -> String {
        format!("/paths/{}/{}", escaped(self.operation), self.method.to_lowercase())
    }

    fn violation(&self, why: String) -> Violation {
        Violation { what: self.name(), why }
    }
}

/// Whether the excerpt has the operation.
fn is_operation(method: &str, operation: &str) -> bool {
    !DOCUMENT["paths"][operation][method.to_lowercase()].is_null()
}

/// What is wrong with a request.
pub(crate) fn check_request(call: &Call<'_>) -> Vec<Violation> {
    if !is_operation(call.method, call.operation) {
        return vec![call.violation("no such operation in the published excerpt".to_owned())];
    }
    let mut wrong: Vec<String> = Vec::new();
    for (name, value) in call.path {
        wrong.extend(check_parameter(call, "path", name, value));
    }
    for (name, value) in call.query {
        wrong.extend(check_parameter(call, "query", name, value));
    }
    wrong.extend(check_body(call));
    wrong.into_iter().map(|why| call.violation(why)).collect()
}

fn check_parameter(call: &Call<'_>, place: &str, name: &str, value: &str) -> Vec<String> {
    let Some(pointer) = parameter(&call.pointer(), place, name) else {
        return vec![format!("no {place} parameter {name} in the published excerpt")];
    };
    let schema = resolved(&format!("{pointer}/schema"));
    let typed = match DOCUMENT.pointer(&schema).map(|schema| &schema["type"]) {
        Some(kind) if kind == "integer" => value.parse::<i64>().map_or_else(|_| json!(value), |number| json!(number)),
        Some(kind) if kind == "boolean" => value.parse::<bool>().map_or_else(|_| json!(value), |flag| json!(flag)),
        _ => json!(value),
    };
    let found = errors(Source::OpenApi, &schema, &typed);
    found.into_iter().map(|error| format!("{place} parameter {name}: {error}")).collect()
}

fn parameter(operation: &str, place: &str, name: &str) -> Option<String> {
    let list = format!("{operation}/parameters");
    let count = DOCUMENT.pointer(&list)?.as_array()?.len();
    (0..count).map(|index| resolved(&format!("{list}/{index}"))).find(|pointer| {
        let parameter = DOCUMENT.pointer(pointer);
        parameter.is_some_and(|parameter| parameter["in"] == place && parameter["name"] == name)
    })
}

fn check_body(call: &Call<'_>) -> Vec<String> {
    let Some(schema) = content(&format!("{}/requestBody", call.pointer())) else {
        return if call.body.is_empty() { Vec::new() } else { vec!["a body where none is taken".to_owned()] };
    };
    let optional = DOCUMENT.pointer(&format!("{}/requestBody/required", call.pointer())) != Some(&json!(true));
    if call.body.is_empty() && optional {
        return Vec::new();
    }
    match serde_json::from_slice(call.body) {
        Ok(body) => errors(Source::OpenApi, &schema, &body).into_iter().map(|error| format!("body {error}")).collect(),
        Err(error) => vec![format!("body is not JSON: {error}")],
    }
}

/// What is wrong with an answer. (An operation that is not there was found with the request.)
pub(crate) fn check_answer(call: &Call<'_>, status: u16, body: &[u8]) -> Vec<Violation> {
    if !is_operation(call.method, call.operation) {
        return Vec::new();
    }
    let pointer = format!("{}/responses/{status}", call.pointer());
    let listed = DOCUMENT.pointer(&pointer).is_some();
    if !listed && !ANYWHERE.contains(&status) {
        return vec![call.violation(format!("the status {status} is not one of this operation"))];
    }
    let general = || Some("/components/schemas/basic-error".to_owned());
    let schema = if listed { content(&resolved(&pointer)) } else { general() };
    let wrong = match schema {
        Some(schema) if !body.is_empty() => check_answer_body(&schema, body),
        Some(_) if status != 304 => vec!["no body where one is promised".to_owned()],
        None if !body.is_empty() => vec!["a body where none is promised".to_owned()],
        _ => Vec::new(),
    };
    wrong
        .into_iter()
        .filter(|why| !KNOWN.iter().any(|known| why.ends_with(known)))
        .map(|why| call.violation(format!("answer {status} {why}")))
        .collect()
}

fn check_answer_body(schema: &str, body: &[u8]) -> Vec<String> {
    match serde_json::from_slice(body) {
        Ok(body) => errors(Source::OpenApi, schema, &body),
        Err(error) => vec![format!("is not JSON: {error}")],
    }
}

/// The schema of a body or response, if it has one.
fn content(pointer: &str) -> Option<String> {
    let content = DOCUMENT.pointer(pointer)?.get("content")?.as_object()?;
    let media = content.keys().find(|media| *media == "application/json").or(content.keys().next())?;
    Some(format!("{pointer}/content/{}/schema", escaped(media)))
}

/// The place that a pointer leads to when what stands there is a reference.
fn resolved(pointer: &str) -> String {
    let reference = DOCUMENT.pointer(pointer).and_then(|found| found["$ref"].as_str());
    reference.map_or_else(|| pointer.to_owned(), |reference| reference.trim_start_matches('#').to_owned())
}

/// A key as a step of a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'a>(method: &'a str, operation: &'a str) -> Call<'a> {
        Call { method, operation, path: &[], query: &[], body: b"" }
    }

    fn whys(violations: Vec<Violation>) -> Vec<String> {
        violations.into_iter().map(|violation| violation.why).collect()
    }

    #[test]
    fn an_answer_without_a_field_is_found() {
        let found = whys(check_answer(&call("GET", "/repos/{owner}/{repo}/git/ref/{ref}"), 200, b"{\"ref\":7}"));
        assert!(found.iter().any(|why| why.contains("at /ref")), "{found:?}");
        assert!(found.iter().any(|why| why.contains("\"object\" is a required property")), "{found:?}");
    }

    #[test]
    fn an_answer_with_a_status_of_its_own_is_found() {
        assert_eq!(whys(check_answer(&call("GET", "/user"), 418, b"{}")), ["the status 418 is not one of this operation"]);
        assert_eq!(whys(check_answer(&call("GET", "/user"), 429, b"{\"message\":\"slow\"}")), [""; 0]);
    }

    #[test]
    fn a_time_that_is_none_is_found() {
        let found = whys(check_answer(&call("GET", "/rate_limit"), 200, b"{\"rate\":{\"limit\":\"many\"}}"));
        assert!(found.iter().any(|why| why.contains("/rate")), "{found:?}");
    }

    #[test]
    fn parameters_are_read_as_their_types() {
        let operation = "/repos/{owner}/{repo}/issues/{issue_number}/comments";
        let path = [("issue_number", "7".to_owned())];
        let wrong = [("issue_number", "seven".to_owned())];
        assert_eq!(check_request(&Call { path: &path, ..call("GET", operation) }), []);
        assert_eq!(check_request(&Call { path: &wrong, ..call("GET", operation) }).len(), 1);
    }

    #[test]
    fn a_body_is_checked() {
        let operation = "/repos/{owner}/{repo}/issues/{issue_number}/comments";
        let sent = |body| check_request(&Call { body, ..call("POST", operation) }).len();
        assert_eq!((sent(b"{\"body\":\"Hi.\"}"), sent(b"{}"), sent(b"not json"), sent(b"")), (0, 1, 1, 1));
    }
}
