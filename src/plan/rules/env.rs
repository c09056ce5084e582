//! Variables that the Baseline sets or takes away: `clone.env`. The last rule for a variable counts.

use serde_json::{Value, json};

use super::{ABSENT, Notes, shown};
use crate::domain::baseline::EnvRule;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::pods::{self, text};
use crate::plan::rewrite::masked_value;

const WHY: &str = "clone.env";

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let workload = manifest.name().name;
    let rules = &context.target.baseline.env;
    pods::for_each_container(manifest, |path, container| {
        let name = text(container, "name").unwrap_or_default().to_owned();
        for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.is_for(&workload, &name)) {
            match value_of(rule, context) {
                Ok(value) => change(container, (path, &rule.name), value, notes),
                Err(error) => notes.fail(format!("clone.env[{index}].value: {error}")),
            }
        }
    });
}

fn value_of(rule: &EnvRule, context: &Context<'_>) -> Result<Option<String>, String> {
    rule.value.as_ref().map(|template| template.fill(&context.values)).transpose().map_err(|error| error.to_string())
}

/// Sets a variable, or takes it away where there is no value.
fn change(container: &mut Value, (path, name): (&str, &str), value: Option<String>, notes: &mut Notes) {
    let Some(container) = container.as_object_mut() else { return };
    let list = container.entry("env").or_insert_with(|| json!([]));
    if list.is_null() {
        *list = json!([]);
    }
    let Some(list) = list.as_array_mut() else { return };
    let at = list.iter().position(|entry| text(entry, "name") == Some(name));
    let before = at.map(|at| list[at].clone());
    match (value.clone(), at) {
        (Some(value), Some(at)) => list[at] = json!({"name": name, "value": value}),
        (Some(value), None) => list.push(json!({"name": name, "value": value})),
        (None, Some(at)) => drop(list.remove(at)),
        (None, None) => {}
    }
    if list.is_empty() {
        container.remove("env");
    }
    let after = value.map(|value| json!({"name": name, "value": value}));
    if before != after {
        let described = |entry: Option<Value>| entry.map_or(ABSENT.to_owned(), |entry| described(name, &entry));
        notes.changed(format!("{path}.env[{name}]"), (&described(before), &described(after)), WHY);
    }
}

/// The value of a variable as it may be shown, or where it comes from.
fn described(name: &str, entry: &Value) -> String {
    let reference = |pointer: &str, kind: &str| {
        let source = entry.pointer(pointer)?;
        Some(format!("{} of {kind}/{}", text(source, "key")?, text(source, "name")?))
    };
    let referred = reference("/valueFrom/secretKeyRef", "Secret").or_else(|| reference("/valueFrom/configMapKeyRef", "ConfigMap"));
    let value = || entry.get("value").map(|value| masked_value(name, &shown(value)));
    referred.or_else(value).or_else(|| entry.get("valueFrom").map(shown)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::domain::ValueTemplate;
    use crate::domain::baseline::EnvRule;
    use crate::plan::Manifest;
    use crate::plan::sample::{World, deployment, stateful_set};

    const ENV: &str = "/spec/template/spec/containers/0/env";

    fn rule(name: &str, value: Option<&str>) -> EnvRule {
        let value = value.map(|text| ValueTemplate::parse(text).unwrap());
        EnvRule { name: name.into(), value, workloads: vec![], containers: vec![] }
    }

    fn with(rules: Vec<EnvRule>, objects: impl IntoIterator<Item = Manifest>) -> World {
        World::of(objects).baseline(|b| b.env = rules)
    }

    fn web() -> Manifest {
        let reference = json!({"secretKeyRef": {"name": "db", "key": "url", "optional": true}});
        deployment("web").with(ENV, json!([{"name": "URL", "valueFrom": reference}, {"name": "MODE", "value": "live"}]))
    }

    #[test]
    fn variables_are_set_added_and_taken_away() {
        let rules = vec![rule("URL", Some("https://{{ host }}")), rule("NEW", Some("{{ env }}")), rule("MODE", None), rule("NOT", None)];
        let plan = with(rules, [web()]).plan();
        let env = plan.find("Deployment/web").get(ENV).unwrap();
        assert_eq!(env, &json!([{"name": "URL", "value": "https://web-pr-42.preview.example.com"}, {"name": "NEW", "value": "web-pr-42"}]));
        let path = "Deployment/web spec.template.spec.containers[web].env";
        assert_eq!(
            plan.said(),
            [
                format!("{path}[URL]: url of Secret/db -> https://web-pr-42.preview.example.com (clone.env)"),
                format!("{path}[NEW]: (none) -> web-pr-42 (clone.env)"),
                format!("{path}[MODE]: live -> (none) (clone.env)"),
            ]
        );
    }

    #[test]
    fn a_rule_can_be_for_some() {
        let only = EnvRule { workloads: vec!["db".into()], containers: vec!["db".into()], ..rule("A", Some("1")) };
        let plan = with(vec![only], [web().without("/spec/template/spec/containers/0", "env"), stateful_set("db")]).plan();
        assert!(plan.find("Deployment/web").get(ENV).is_none());
        assert_eq!(plan.find("StatefulSet/db").get(ENV), Some(&json!([{"name": "A", "value": "1"}])));
    }

    #[test]
    fn what_matches_nothing_warns_and_what_cannot_be_filled_stops() {
        let nowhere = EnvRule { workloads: vec!["wbe".into()], ..rule("A", Some("1")) };
        let plan = with(vec![nowhere, rule("B", Some("{{ pull }}"))], [web()]).plan().plan;
        assert_eq!(plan.warnings, ["clone.env[0] (A): no container of the baseline is meant by it"]);
        assert_eq!(plan.invalid.len(), 1);
        assert!(plan.invalid[0].starts_with("clone.env[1].value: cannot fill '{{ pull }}'"), "{:?}", plan.invalid);
    }

    #[test]
    fn passwords_of_urls_are_not_shown() {
        let web = deployment("web").with(ENV, json!([{"name": "URL", "value": "amqp://u:hunter2@mq"}]));
        let plan = with(vec![rule("URL", Some("amqp://u:hunter3@mq"))], [web]).plan();
        assert!(!plan.said()[0].contains("hunter"), "{:?}", plan.said());
        let named = deployment("web").with(ENV, json!([{"name": "DB_PASSWORD", "value": "hunter2"}]));
        let said = with(vec![rule("DB_PASSWORD", None)], [named]).plan().said();
        assert_eq!(said, ["Deployment/web spec.template.spec.containers[web].env[DB_PASSWORD]: *** -> (none) (clone.env)"]);
        assert_eq!(plan.find("Deployment/web").get(ENV).and_then(|e| e[0]["value"].as_str()), Some("amqp://u:hunter3@mq"));
    }
}
