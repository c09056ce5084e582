//! Secrets with values of their own: a preview's own database URL instead of production's. Only what the Baseline lists
//! comes along, and no value is ever shown.
//!
//! What is generated is a keyed hash, so it is the same whenever it is planned again, and nobody has to read it back.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{ABSENT, HIDDEN, Notes};
use crate::domain::baseline::SecretRule;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::secret_values::encoded;

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    if !manifest.group().is_empty() || manifest.kind() != "Secret" {
        return;
    }
    let name = manifest.name().name;
    let rules = &context.target.baseline.secrets;
    let Some((index, rule)) = rules.iter().enumerate().find(|(_, rule)| rule.name == name) else { return };
    note_source(rule, notes);
    keep_keys(manifest, rule, notes);
    match own_values(rule, context) {
        Ok(values) => values.into_iter().for_each(|(key, value, why)| set(manifest, (&key, &value), why, notes)),
        Err(error) => notes.fail(format!("clone.secrets[{index}].{error}")),
    }
}

fn note_source(rule: &SecretRule, notes: &mut Notes) {
    match &rule.source {
        Some(source) if *source != rule.name => {
            notes.changed("data", ("its own", &format!("those of Secret/{source}")), "clone.secrets[].from");
        }
        Some(_) => {}
        None => notes.changed("data", (ABSENT, "values of its own"), "clone.secrets: nothing is copied"),
    }
}

fn keep_keys(manifest: &mut Manifest, rule: &SecretRule, notes: &mut Notes) {
    if rule.keys.is_empty() {
        return;
    }
    let empty = &mut Map::new();
    let data = manifest.get_mut("/data").and_then(Value::as_object_mut).unwrap_or(empty);
    let missing: Vec<_> = rule.keys.iter().filter(|key| !data.contains_key(*key)).collect();
    for key in missing {
        notes.warn(format!("clone.secrets lists the key {key}, which is not there"));
    }
    data.retain(|key, _| {
        let is_listed = rule.keys.contains(key);
        if !is_listed {
            notes.changed(format!("data[{key}]"), (HIDDEN, ABSENT), "not in clone.secrets[].keys");
        }
        is_listed
    });
}

/// What the rule sets and generates, each with the reason.
fn own_values(rule: &SecretRule, context: &Context<'_>) -> Result<Vec<(String, String, &'static str)>, String> {
    let target = context.target;
    let mut generated = BTreeMap::new();
    if !rule.generate.is_empty() {
        let seed = target.seed.ok_or("generate: the service has no seed to generate from; start it with --seed-file")?;
        generated.extend(rule.generate.iter().map(|key| (key.clone(), seed.value(target.uid, &rule.name, key))));
    }
    let mut own: Vec<_> = generated.iter().map(|(key, value)| (key.clone(), value.clone(), "clone.secrets[].generate")).collect();
    let values = context.values.with_generated(generated);
    for (key, template) in &rule.set {
        let value = template.fill(&values).map_err(|error| format!("set[{key}]: {error}"))?;
        own.push((key.clone(), value, "clone.secrets[].set"));
    }
    Ok(own)
}

fn set(manifest: &mut Manifest, (key, value): (&str, &str), why: &'static str, notes: &mut Notes) {
    let is_there = manifest.get("/data").is_some_and(|data| data.get(key).is_some());
    notes.changed(format!("data[{key}]"), (if is_there { HIDDEN } else { ABSENT }, HIDDEN), why);
    manifest.set(&["data"], key, json!(encoded(value)));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::domain::baseline::SecretRule;
    use crate::domain::{Seed, ValueTemplate};
    use crate::plan::sample::{World, object};
    use crate::plan::secret_values::{decoded, encoded};

    fn rule(change: impl FnOnce(&mut SecretRule)) -> SecretRule {
        let mut rule = SecretRule::copy_of("db");
        change(&mut rule);
        rule
    }

    fn set(rule: &mut SecretRule, key: &str, text: &str) {
        rule.set.insert(key.to_owned(), ValueTemplate::parse(text).unwrap());
    }

    fn world(rule: SecretRule) -> World {
        let secret = object("v1", "Secret", "db").with("/data", json!({"URL": encoded("hunter2"), "USER": encoded("app")}));
        World::of([secret]).baseline(|b| b.secrets = vec![rule]).seed(Seed::new(&"5".repeat(32)).unwrap())
    }

    fn value(world: &World, key: &str) -> String {
        decoded(world.plan().find("Secret/db").get(&format!("/data/{key}")).unwrap()).unwrap()
    }

    #[test]
    fn only_listed_keys_come_along() {
        let plan = world(rule(|r| r.keys = vec!["USER".into(), "GONE".into()])).plan();
        assert_eq!(plan.find("Secret/db").get("/data").unwrap(), &json!({"USER": encoded("app")}));
        assert_eq!(plan.said(), ["Secret/db data[URL]: (hidden) -> (none) (not in clone.secrets[].keys)"]);
        assert_eq!(plan.plan.warnings, ["Secret/db: clone.secrets lists the key GONE, which is not there"]);
    }

    #[test]
    fn values_are_set_and_generated_and_never_shown() {
        let world = world(rule(|r| {
            r.generate = vec!["PASSWORD".into()];
            set(r, "URL", "postgres://app:{{ generated.PASSWORD }}@db.{{ namespace }}/app");
        }));
        let password = value(&world, "PASSWORD");
        assert_eq!(password.len(), 32);
        assert_eq!(value(&world, "URL"), format!("postgres://app:{password}@db.shop-web-pr-42/app"));
        assert_eq!((value(&world, "PASSWORD"), value(&world, "USER")), (password.clone(), "app".into()), "the same each time");
        let shown = format!("{:?}", world.plan().plan.decisions);
        assert!(!shown.contains(&password) && !shown.contains("hunter2"), "{shown}");
        assert_eq!(
            world.plan().said(),
            [
                "Secret/db data[PASSWORD]: (none) -> (hidden) (clone.secrets[].generate)",
                "Secret/db data[URL]: (hidden) -> (hidden) (clone.secrets[].set)",
            ]
        );
    }

    #[test]
    fn what_cannot_be_filled_stops_the_plan() {
        let plan = world(rule(|r| set(r, "URL", "{{ pull }}"))).plan().plan;
        assert_eq!(plan.invalid, ["clone.secrets[0].set[URL]: cannot fill '{{ pull }}': this environment is not for a pull request"]);
        let plan = world(rule(|r| r.generate = vec!["K".into()])).without_seed().plan().plan;
        assert!(plan.invalid[0].starts_with("clone.secrets[0].generate: the service has no seed"), "{:?}", plan.invalid);
    }

    #[test]
    fn another_source_is_said() {
        let plan = world(rule(|r| r.source = Some("preview-db".into()))).plan();
        assert_eq!(plan.said(), ["Secret/db data: its own -> those of Secret/preview-db (clone.secrets[].from)"]);
        assert!(plan.find("Secret/db").get("/data/URL").is_some_and(Value::is_string));
    }
}
