//! References to a variable that is defined again further down. `$(NAME)` means the definition above it, and where only
//! the last of two definitions stays (`duplicates.rs`) it would mean nothing, so what it meant is written in its place.
//! <https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/>

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Notes;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::pods::{for_each_container, text};
use crate::plan::rewrite::masked_value;

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    for_each_container(manifest, |path, container| {
        if let Some(variables) = container.get_mut("env").and_then(Value::as_array_mut) {
            write_out(variables, path, notes);
        }
    });
}

fn write_out(variables: &mut [Value], path: &str, notes: &mut Notes) {
    let mut definitions: HashMap<String, usize> = HashMap::new();
    for variable in variables.iter() {
        *definitions.entry(text(variable, "name").unwrap_or_default().to_owned()).or_default() += 1;
    }
    // What the names defined so far stand for, where a later definition replaces them.
    let mut replaced: HashMap<String, String> = HashMap::new();
    // The same as people may see it: without passwords.
    let mut shown: HashMap<String, String> = HashMap::new();
    for variable in variables.iter_mut() {
        let name = text(variable, "name").unwrap_or_default().to_owned();
        let before = text(variable, "value").map(str::to_owned);
        let after = before.as_deref().map(|value| expand(value, &replaced));
        if let (Some(before), Some(after)) = (&before, &after)
            && before != after
        {
            let shown = (&*masked_value(&name, before), &*masked_value(&name, &expand(before, &shown)));
            notes.changed(format!("{path}.env[{name}]"), shown, "it meant a value that is defined anew further down");
            variable["value"] = json!(after);
        }
        let shown_after = before.as_deref().map(|value| masked_value(&name, &expand(value, &shown)));
        let left = definitions.entry(name.clone()).or_default();
        *left = left.saturating_sub(1);
        match after.zip(shown_after).filter(|_| *left > 0) {
            Some((value, as_shown)) => {
                replaced.insert(name.clone(), value);
                shown.insert(name, as_shown);
            }
            None => drop((replaced.remove(&name), shown.remove(&name))),
        }
    }
}

/// The text with those references written out. `$$(NAME)` is no reference.
fn expand(value: &str, values: &HashMap<String, String>) -> String {
    let mut expanded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        expanded.push_str(before);
        if let Some(after) = from.strip_prefix("$$") {
            expanded.push_str("$$");
            rest = after;
            continue;
        }
        let inner = from.strip_prefix("$(").and_then(|inner| inner.split_once(')'));
        let known = inner.and_then(|(name, after)| Some((values.get(name)?, after)));
        rest = if let Some((value, after)) = known {
            expanded.push_str(value);
            after
        } else {
            expanded.push('$');
            &from[1..]
        };
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::sample::{World, deployment};

    fn env(variables: Value) -> Value {
        let pointer = "/spec/template/spec/containers/0/env";
        World::of([deployment("web").with(pointer, variables)]).plan().find("Deployment/web").get(pointer).unwrap().clone()
    }

    fn variable(name: &str, value: &str) -> Value {
        json!({"name": name, "value": value})
    }

    #[test]
    fn a_reference_keeps_what_it_meant() {
        let twice = json!([variable("A", "1"), variable("B", "$(A)-$$(A)-$(C)"), variable("A", "$(A)2"), variable("D", "$(A)")]);
        let expected = json!([variable("B", "1-$$(A)-$(C)"), variable("A", "12"), variable("D", "$(A)")]);
        assert_eq!(env(twice), expected);
    }

    #[test]
    fn a_password_that_is_written_out_is_not_shown() {
        let list = json!([
            variable("PASSWORD", "hunter2"),
            variable("URL", "a://u:$(PASSWORD)@db"),
            variable("B", "$(PASSWORD)"),
            variable("PASSWORD", "hunter3")
        ]);
        let plan = World::of([deployment("web").with("/spec/template/spec/containers/0/env", list)]).plan();
        assert_eq!(plan.find("Deployment/web").get("/spec/template/spec/containers/0/env/1/value"), Some(&json!("hunter2")));
        assert!(plan.said().iter().all(|line| !line.contains("hunter")), "{:?}", plan.said());
        assert!(plan.said()[0].contains("[URL]: a://u:***@db -> a://u:***@db"), "{:?}", plan.said());
    }

    #[test]
    fn a_variable_that_is_defined_once_is_left_to_the_kubelet() {
        let once = json!([variable("A", "1"), variable("B", "$(A)$")]);
        assert_eq!(env(once.clone()), once);
    }
}
