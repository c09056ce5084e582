//! What differs between a plan and what runs, as unified diffs of the fields that we apply. Pure.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::page::{Style, Tone};
use crate::api::names::{ANNOTATION_APPLIED_HASH, MANAGER_CONTROLLER};

/// Lines around a difference.
const CONTEXT: usize = 3;
/// Fields that tell the entries of a list apart, in the order of certainty.
const KEYS: [&str; 9] = ["name", "mountPath", "containerPort", "port", "key", "host", "path", "type", "ip"];

/// The parts of a live object that a planned one has too, and those that we applied and no longer do: what the server and
/// controllers added is no difference. `owned` is what our field manager has of it, as `fieldsV1` writes it.
pub fn applied_fields(planned: &Value, live: &Value, owned: Option<&Value>) -> Value {
    match (planned, live) {
        (Value::Object(planned), Value::Object(live)) => {
            let empty = Value::Object(Map::new());
            let fields = live.iter().filter_map(|(key, value)| {
                let owned = owned.and_then(|fields| fields.get(format!("f:{key}")));
                let nothing = if value.is_object() && !is_leaf(owned) { &empty } else { value };
                let planned = planned.get(key).or(owned.map(|_| nothing))?;
                Some((key.clone(), applied_fields(planned, value, owned)))
            });
            Value::Object(fields.collect())
        }
        (Value::Array(planned), Value::Array(live)) => applied_items(planned, live, owned),
        // The server leaves out what is empty.
        _ => live.clone(),
    }
}

/// Whether a field is applied as a whole.
fn is_leaf(owned: Option<&Value>) -> bool {
    owned.and_then(Value::as_object).is_some_and(Map::is_empty)
}

/// What our field manager applied of a live object, as `fieldsV1` writes it.
pub fn owned(live: &Value) -> Option<&Value> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    let is_ours = |entry: &&Value| {
        let is = |field: &str, text: &str| entry.get(field).and_then(Value::as_str) == Some(text);
        is("manager", MANAGER_CONTROLLER) && is("operation", "Apply")
    };
    entries.iter().find(is_ours)?.get("fieldsV1")
}

/// What of an item is ours: the entry whose key, such as `k:{"name":"web"}`, says of the item what is so.
fn owned_item<'a>(owned: Option<&'a Value>, item: &Value) -> Option<&'a Value> {
    let is_of = |key: &str| {
        let fields = key.strip_prefix("k:").and_then(|json| serde_json::from_str::<Map<String, Value>>(json).ok());
        fields.is_some_and(|fields| fields.iter().all(|(name, value)| item.get(name) == Some(value)))
    };
    owned?.as_object()?.iter().find_map(|(key, fields)| is_of(key).then_some(fields))
}

fn applied_items(planned: &[Value], live: &[Value], owned: Option<&Value>) -> Value {
    let Some(key) = KEYS.into_iter().find(|key| planned.iter().all(|item| item.get(key).is_some())) else {
        let paired =
            live.iter().enumerate().map(|(at, item)| planned.get(at).map_or_else(|| item.clone(), |p| applied_fields(p, item, None)));
        return Value::Array(paired.collect());
    };
    let partner = |item: &Value| planned.iter().find(|p| p.get(key) == item.get(key));
    let order = |item: &Value| planned.iter().position(|p| p.get(key) == item.get(key)).unwrap_or(usize::MAX);
    let mut items: Vec<&Value> = live.iter().collect();
    items.sort_by_key(|item| order(item));
    let applied = |item: &Value| partner(item).map_or_else(|| item.clone(), |p| applied_fields(p, item, owned_item(owned, item)));
    Value::Array(items.into_iter().map(applied).collect())
}

/// The object without what would differ with every change of anything else, and without what is empty, which the server
/// does not keep.
pub fn compared(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(Value::Object(annotations)) = value.pointer_mut("/metadata/annotations") {
        annotations.remove(ANNOTATION_APPLIED_HASH);
    }
    without_empty(value)
}

fn without_empty(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().map(|(key, value)| (key, without_empty(value)));
            let is_empty = |value: &Value| {
                value.is_null() || value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
            };
            Value::Object(kept.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_empty).collect()),
        other => other,
    }
}

/// The unified diff of two texts, nothing where they are the same.
pub fn unified(name: &str, (before, after): (&str, &str), style: Style) -> String {
    if before == after {
        return String::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let edits = edits(&old, &new);
    let mut text = format!("{}\n", style.paint(Tone::Strong, name));
    for (at, hunk) in hunks(&edits) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", style.paint(Tone::Faint, &heading(&edits, at, &hunk)));
        for Edit { side, line } in hunk {
            let (sign, tone) = match side {
                Side::Both => (' ', Tone::Plain),
                Side::Old => ('-', Tone::Bad),
                Side::New => ('+', Tone::Good),
            };
            let _ = writeln!(text, "{}", style.paint(tone, &format!("{sign}{}", crate::cli::output::clean(line))));
        }
    }
    text
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Both,
    Old,
    New,
}

#[derive(Clone, Copy, Debug)]
struct Edit<'a> {
    side: Side,
    line: &'a str,
}

/// The fewest removals and additions that lead from one to the other (longest common subsequence).
fn edits<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Edit<'a>> {
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut edits) = (0, 0, Vec::with_capacity(old.len().max(new.len())));
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            edits.push(Edit { side: Side::Both, line: old[i] });
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            edits.push(Edit { side: Side::Old, line: old[i] });
            i += 1;
        } else {
            edits.push(Edit { side: Side::New, line: new[j] });
            j += 1;
        }
    }
    edits
}

/// Runs of differences with the lines around them, each with its place among the edits.
fn hunks<'a>(edits: &[Edit<'a>]) -> Vec<(usize, Vec<Edit<'a>>)> {
    let changed: Vec<usize> = edits.iter().enumerate().filter(|(_, e)| e.side != Side::Both).map(|(at, _)| at).collect();
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for at in changed {
        let (start, end) = (at.saturating_sub(CONTEXT), (at + CONTEXT + 1).min(edits.len()));
        match ranges.last_mut() {
            Some((_, last)) if start <= *last => *last = end,
            _ => ranges.push((start, end)),
        }
    }
    ranges.into_iter().map(|(start, end)| (start, edits[start..end].to_vec())).collect()
}

/// `@@ -12,7 +12,7 @@`.
fn heading(edits: &[Edit<'_>], at: usize, hunk: &[Edit<'_>]) -> String {
    let count = |edits: &[Edit<'_>], other: Side| edits.iter().filter(|e| e.side != other).count();
    let place = |other: Side| {
        let lines = count(hunk, other);
        // A side without lines is named by the line before it.
        let start = count(&edits[..at], other) + usize::from(lines > 0);
        format!("{start},{lines}")
    };
    format!("@@ -{} +{} @@", place(Side::New), place(Side::Old))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PLAIN: Style = Style { width: 80, colour: false };

    #[test]
    fn what_the_server_added_is_no_difference() {
        let planned = json!({"spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}], "empty": {}}});
        let live = json!({"spec": {"dnsPolicy": "x", "containers": [
            {"name": "b", "image": "b:2", "imagePullPolicy": "Always"}, {"name": "a", "image": "a:1"}]}, "status": {}});
        let fields = applied_fields(&planned, &live, None);
        assert_eq!(fields, json!({"spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"}]}}));
        assert_eq!(compared(&planned)["spec"].get("empty"), None);
    }

    #[test]
    fn what_we_no_longer_apply_is_one() {
        let container = r#"k:{"name":"web"}"#;
        let ours = json!({"f:metadata": {"f:labels": {".": {}, "f:tier": {}}}, "f:spec": {"f:replicas": {}, "f:strategy": {"f:type": {}},
            "f:containers": {container: {".": {}, "f:name": {}, "f:image": {}, "f:command": {}}}, "f:nodeSelector": {}}});
        let live = json!({
            "metadata": {"labels": {"tier": "front", "of-others": "x"}, "uid": "u", "managedFields": [
                {"manager": "kube-controller-manager", "operation": "Update", "fieldsV1": {"f:metadata": {"f:uid": {}}}},
                {"manager": "preview-env", "operation": "Apply", "fieldsV1": ours}]},
            "spec": {"replicas": 1, "dnsPolicy": "x", "strategy": {"type": "Recreate", "rollingUpdate": {}}, "nodeSelector": {"a": "b"},
                "containers": [{"name": "web", "image": "w:1", "command": ["run"], "imagePullPolicy": "Always"}]},
        });
        let planned = json!({"spec": {"replicas": 1, "containers": [{"name": "web", "image": "w:1"}]}});
        let expected = json!({
            "metadata": {"labels": {"tier": "front"}},
            "spec": {"replicas": 1, "strategy": {"type": "Recreate"}, "nodeSelector": {"a": "b"},
                "containers": [{"name": "web", "image": "w:1", "command": ["run"]}]},
        });
        assert_eq!(applied_fields(&planned, &live, owned(&live)), expected);
        assert_eq!(applied_fields(&planned, &live, None), planned);
    }

    #[test]
    fn what_somebody_added_to_a_list_is_one() {
        let planned = json!({"env": [{"name": "A", "value": "1"}]});
        let live = json!({"env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]});
        assert_eq!(applied_fields(&planned, &live, None), json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}));
    }

    #[test]
    fn a_diff_shows_the_lines_around() {
        let old: String = (1..=20).fold(String::new(), |text, n| text + &format!("line {n}\n"));
        let new = old.replace("line 3\n", "line three\n").replace("line 18\n", "").replace("line 20\n", "line 20\nline 21\n");
        insta::assert_snapshot!(unified("Deployment/web", (&old, &new), PLAIN), @r"
        Deployment/web
        @@ -1,6 +1,6 @@
         line 1
         line 2
        -line 3
        +line three
         line 4
         line 5
         line 6
        @@ -15,6 +15,6 @@
         line 15
         line 16
         line 17
        -line 18
         line 19
         line 20
        +line 21
        ");
        assert_eq!(unified("x", ("a\n", "a\n"), PLAIN), "");
        assert!(unified("x", ("", "a\n"), PLAIN).contains("@@ -0,0 +1,1 @@"));
    }
}
