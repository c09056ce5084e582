//! An object as the reader of a failed test needs it: what is wrong first, a line each, and all of it in one line at the
//! end. No client, no clock.

use serde_json::Value;

/// What would fill a screen and says nothing of a state.
const NOISE: [(&str, &str); 5] = [
    ("/metadata", "managedFields"),
    ("/metadata", "annotations"),
    ("/status", "inventory"),
    ("/status", "leftOut"),
    ("/status", "changed"),
];

/// The object in lines that are two spaces in.
pub fn shown(object: &Value) -> String {
    let parts = [head(object), conditions(object), services(object), rest(object)];
    parts.into_iter().flatten().flat_map(|line| ["  ".to_owned(), line, "\n".to_owned()]).collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Phase, generation and, where it goes away, what holds it up.
fn head(object: &Value) -> Vec<String> {
    let phase = match text(object, "/status/phase") {
        "" => "it is there".to_owned(),
        phase => format!("phase {phase}"),
    };
    let generation = object.pointer("/metadata/generation").map(|generation| format!("generation {generation}"));
    let deleted = object.pointer("/metadata/deletionTimestamp").map(|deleted| {
        let held = object.pointer("/metadata/finalizers").cloned().unwrap_or_default();
        format!("being deleted since {deleted}, held by {held}")
    });
    vec![[Some(phase), generation, deleted].into_iter().flatten().collect::<Vec<_>>().join(", ")]
}

fn conditions(object: &Value) -> Vec<String> {
    let all = object.pointer("/status/conditions").and_then(Value::as_array);
    let mut lines: Vec<_> = all.into_iter().flatten().map(condition).collect();
    // What is not so is why somebody waits.
    lines.sort_by_key(|(fine, _)| *fine);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn condition(one: &Value) -> (bool, String) {
    let (kind, status) = (text(one, "/type"), text(one, "/status"));
    let fine = (status == "True") != matches!(kind, "Stalled" | "Progressing");
    let of = one.get("observedGeneration").map(|generation| format!(" (generation {generation})")).unwrap_or_default();
    (fine, format!("{kind} {status}, {}{of}: {}", text(one, "/reason"), text(one, "/message")))
}

fn services(object: &Value) -> Vec<String> {
    let all = object.pointer("/status/services").and_then(Value::as_array);
    let unready = all.into_iter().flatten().filter(|service| service.get("ready") != Some(&Value::Bool(true)));
    unready.map(|service| format!("{} is not ready: {}", text(service, "/name"), text(service, "/reason"))).collect()
}

fn rest(object: &Value) -> Vec<String> {
    let mut object = object.clone();
    for (place, field) in NOISE {
        if let Some(fields) = object.pointer_mut(place).and_then(Value::as_object_mut) {
            fields.remove(field);
        }
    }
    vec![format!("all of it: {object}")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_comes_first_and_each_thing_has_a_line() {
        let object = json!({
            "metadata": {"name": "web-pr-1", "generation": 3, "managedFields": [{"manager": "a"}]},
            "status": {
                "phase": "Creating",
                "conditions": [
                    {"type": "Wanted", "status": "True", "reason": "Triggered", "message": "It is wanted"},
                    {"type": "Ready", "status": "False", "reason": "NotReady", "message": "1 of 2 is up", "observedGeneration": 2},
                ],
                "services": [{"name": "web", "ready": false, "reason": "web crashes"}, {"name": "db", "ready": true}],
            },
        });
        let text = shown(&object);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "  phase Creating, generation 3",
                "  Ready False, NotReady (generation 2): 1 of 2 is up",
                "  Wanted True, Triggered: It is wanted",
                "  web is not ready: web crashes",
            ]
        );
        assert!(lines.len() == 5 && !text.contains("managedFields"), "{text}");
    }

    #[test]
    fn what_goes_away_says_what_holds_it_up() {
        let object = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}});
        assert!(shown(&object).starts_with("  it is there, being deleted since \"2026-01-01T00:00:00Z\", held by [\"a/b\"]\n"));
    }
}
