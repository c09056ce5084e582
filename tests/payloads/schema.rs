//! What the API server takes, by the schema that the kinds are installed with.

use jsonschema::Validator;
use kube::CustomResourceExt;
use preview_env::api::PreviewEnvironment;
use preview_env::intent::{CommandFact, Fact};
use serde_json::Value;

/// Where the schema of an environment's spec has that of its properties.
const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
/// Longest name of an object that becomes a label's value, in characters.
const NAME_MAX: usize = 63;

/// The schemas of what an event leads to.
pub struct Schema {
    sources: Validator,
    commands: Validator,
}

impl Schema {
    pub fn new() -> Self {
        let crd = serde_json::to_value(PreviewEnvironment::crd()).unwrap();
        let of = |list: &str| {
            let items = crd.pointer(&format!("{SPEC}/{list}/items")).unwrap();
            jsonschema::options().should_validate_formats(true).build(items).unwrap()
        };
        Self { sources: of("sources"), commands: of("commands") }
    }

    /// Stops where the API server would refuse the fact.
    pub fn takes(&self, fact: &Fact) {
        is_name(&fact.environment.to_string());
        holds(&self.sources, &serde_json::to_value(&fact.source).unwrap());
    }

    /// The same of a command.
    pub fn takes_command(&self, fact: &CommandFact) {
        is_name(&fact.environment.to_string());
        holds(&self.commands, &serde_json::to_value(&fact.command).unwrap());
    }
}

fn holds(schema: &Validator, object: &Value) {
    let wrong: Vec<String> = schema.iter_errors(object).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(wrong, [""; 0], "the API server refuses {object}");
}

fn is_name(name: &str) {
    let is_plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    assert!(is_plain && (1..=NAME_MAX).contains(&name.len()) && !name.starts_with('-') && !name.ends_with('-'), "{name}");
}
