//! Requests for how things were: lists as of an exact version, which the API server still knows for some minutes.
//! No client, no clock.

use http::Uri;
use serde_json::{Value, json};

/// What the path of a request is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What<'a> {
    /// Several objects.
    Collection,
    /// One, by its name.
    Object(&'a str),
}

/// What a path of the API server is of; nothing where it is no resource.
pub fn what(path: &str) -> Option<What<'_>> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (["api", _, resource @ ..] | ["apis", _, _, resource @ ..]) = parts.as_slice() else { return None };
    match resource {
        [_] | ["namespaces", _, _] => Some(What::Collection),
        [_, name] | ["namespaces", _, _, name] => Some(What::Object(name)),
        _ => None,
    }
}

/// Whether a list could be answered from an older state: it is no watch, no page after the first, and asks for no version.
pub fn may_be_old(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    what(uri.path()) == Some(What::Collection) && !["watch=", "continue=", "resourceVersion="].iter().any(|word| query.contains(word))
}

/// The same list as of that version; of one object, the list that names it alone.
pub fn as_of(uri: &Uri, version: &str) -> Option<Uri> {
    let exact = format!("resourceVersion={version}&resourceVersionMatch=Exact");
    let (path, selected) = match what(uri.path())? {
        What::Collection => (uri.path(), uri.query().unwrap_or_default().to_owned()),
        What::Object(name) => (uri.path().strip_suffix(name)?.trim_end_matches('/'), format!("fieldSelector=metadata.name%3D{name}")),
    };
    format!("{path}?{selected}&{exact}").parse().ok()
}

/// The one object of a list, and its status: 404 where there is none.
pub fn only(list: &Value) -> (u16, Value) {
    match list["items"].get(0) {
        Some(object) => (200, object.clone()),
        None => (
            404,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
            "metadata": {}, "message": "it was not there yet"}),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_from_collections() {
        for (path, expected) in [
            ("/api/v1/namespaces", Some(What::Collection)),
            ("/api/v1/namespaces/shop", Some(What::Object("shop"))),
            ("/api/v1/namespaces/shop/secrets", Some(What::Collection)),
            ("/apis/apps/v1/namespaces/shop/deployments/web", Some(What::Object("web"))),
            ("/apis/apps/v1/deployments", Some(What::Collection)),
            ("/apis/apps/v1", None),
            ("/version", None),
        ] {
            assert_eq!(what(path), expected, "{path}");
        }
    }

    #[test]
    fn an_older_list_is_asked_for_exactly() {
        let old = |uri: &str| as_of(&uri.parse().unwrap(), "7").unwrap().to_string();
        let exact = "resourceVersion=7&resourceVersionMatch=Exact";
        assert_eq!(old("/api/v1/pods?limit=500"), format!("/api/v1/pods?limit=500&{exact}"));
        assert_eq!(old("/api/v1/namespaces/shop"), format!("/api/v1/namespaces?fieldSelector=metadata.name%3Dshop&{exact}"));
        assert!(!may_be_old(&"/api/v1/pods?&watch=true".parse().unwrap()) && may_be_old(&"/api/v1/pods?limit=5".parse().unwrap()));
    }
}
