use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::world::{World, examples};

/// Every repository of the examples is listed, and everything of it gets an environment.
fn everything() -> Value {
    let names: BTreeSet<String> =
        examples().iter().filter_map(|e| e.payload.pointer("/repository/full_name")?.as_str().map(str::to_owned)).collect();
    let listed: Vec<Value> = names.iter().enumerate().map(|(i, name)| json!({"name": name, "alias": format!("r{i}x")})).collect();
    json!({"repositories": listed, "trigger": {"branches": ["**"], "drafts": true, "bots": true}})
}

#[tokio::test]
async fn each_of_githubs_examples_ends_in_the_decision_that_is_stated() {
    let mut table = String::new();
    for (index, example) in examples().into_iter().enumerate() {
        let world = World::new(everything(), Vec::new());
        let action = example.payload["action"].as_str().unwrap_or("-").to_owned();
        let (status, answer) = world.deliver(&example.event, example.payload.to_string().into_bytes()).await;
        let said = answer["message"].as_str().unwrap_or_default();
        writeln!(table, "{:2} {} {action}: {status} {said}", index + 1, example.event).unwrap();
        for fact in world.notebook.facts.lock().unwrap().iter() {
            let source = &fact.source;
            let (state, revision) = (source.state, &source.revision[..7]);
            let fork =
                if source.pull.is_some() && source.head_repository_id != Some(source.repository_id) { ", from elsewhere" } else { "" };
            let draft = if source.draft { ", a draft" } else { "" };
            let labels = if source.labels.is_empty() { String::new() } else { format!(", labelled {}", source.labels.join(" ")) };
            let about = source.pull.map_or_else(|| format!("@{}", source.branch.as_deref().unwrap_or_default()), |n| format!("#{n}"));
            writeln!(table, "     {} of {}{about}: {state:?} at {revision}{fork}{draft}{labels}", fact.environment, source.repository)
                .unwrap();
        }
        for command in world.notebook.commands.lock().unwrap().iter() {
            writeln!(
                table,
                "     {}: {:?} {:?} by {}",
                command.environment, command.command.verb, command.command.args, command.command.actor
            )
            .unwrap();
        }
    }
    insta::with_settings!({ snapshot_path => ".", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("decisions", table);
    });
}
