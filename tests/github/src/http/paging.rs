//! Lists in pages, with GitHub's Link header.

use serde_json::{Value, json};

use super::answer::Answer;
use super::api::Scope;

/// GitHub's default and greatest number of items to a page.
const PER_PAGE: usize = 30;
const MOST_PER_PAGE: usize = 100;

/// The page that the request asks for. `below` is what comes after the repository in the path.
pub(super) fn page(scope: &Scope<'_>, repository: u64, below: &str, items: &[Value]) -> Answer {
    let (chosen, links) = cut(scope, &format!("repositories/{repository}/{below}"), items);
    linked(&Value::Array(chosen), links)
}

/// The same for a list that stands in an object under `key`, beside the count of all.
pub(super) fn counted(scope: &Scope<'_>, place: &str, key: &str, items: &[Value]) -> Answer {
    let (chosen, links) = cut(scope, place, items);
    linked(&json!({ "total_count": items.len(), key: chosen }), links)
}

fn linked(body: &Value, links: String) -> Answer {
    let answer = Answer::ok(body);
    if links.is_empty() { answer } else { answer.header("link", links) }
}

/// The items of the page, and the links to others.
fn cut(scope: &Scope<'_>, place: &str, items: &[Value]) -> (Vec<Value>, String) {
    let number = |name, default| scope.request.query(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let size = number("per_page", PER_PAGE).clamp(1, MOST_PER_PAGE);
    let page = number("page", 1).max(1);
    let last = items.len().div_ceil(size).max(1);
    let chosen: Vec<_> = items.iter().skip((page - 1) * size).take(size).cloned().collect();
    let base = format!("{}/{place}?{}", scope.api, other_parameters(scope));
    (chosen, links(&base, page, last))
}

/// The list of everything outside repositories.
pub(super) fn plain(scope: &Scope<'_>, place: &str, items: &[Value]) -> Answer {
    let (chosen, links) = cut(scope, place, items);
    linked(&Value::Array(chosen), links)
}

/// The query without the page number, ready for it.
fn other_parameters(scope: &Scope<'_>) -> String {
    let mut kept = String::new();
    for (name, value) in scope.request.query.iter().filter(|(name, _)| name != "page") {
        kept.extend([name, "=", &value.replace(':', "%3A").replace('+', "%2B"), "&"]);
    }
    kept
}

fn links(base: &str, page: usize, last: usize) -> String {
    let mut found = Vec::new();
    let mut add = |number: usize, rel: &str| found.push(format!("<{base}page={number}>; rel=\"{rel}\""));
    if page > 1 {
        add((page - 1).min(last), "prev");
    }
    if page < last {
        add(page + 1, "next");
        add(last, "last");
    }
    if page > 1 {
        add(1, "first");
    }
    found.join(", ")
}

#[cfg(test)]
mod tests {
    use super::links;

    #[test]
    fn the_first_page_names_the_next_and_the_last() {
        assert_eq!(links("x?", 1, 3), "<x?page=2>; rel=\"next\", <x?page=3>; rel=\"last\"");
    }

    #[test]
    fn the_last_page_names_the_one_before_and_the_first() {
        assert_eq!(links("x?", 3, 3), "<x?page=2>; rel=\"prev\", <x?page=1>; rel=\"first\"");
    }

    #[test]
    fn a_single_page_has_no_links() {
        assert_eq!(links("x?", 1, 1), "");
    }
}
