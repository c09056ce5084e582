//! Validators for parts of the published documents, each compiled once per test binary.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::{Draft, Registry, Validator};
use serde_json::{Value, json};

use super::parsed;

const OPENAPI: &str = "urn:github:openapi";
const PAYLOADS: &str = "urn:github:payloads";

/// Most errors that one value is worth; the rest follow from the first.
const MOST_ERRORS: usize = 5;

/// A published document.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// The `OpenAPI` of the REST API.
    OpenApi,
    /// The JSON schema of deliveries.
    Payloads,
}

/// The `OpenAPI` as published.
pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| parsed(include_str!("../../contract/openapi.json")));

static REGISTRY: LazyLock<Registry<'static>> = LazyLock::new(|| {
    let payloads = parsed(include_str!("../../contract/payload-schema.json"));
    Registry::new()
        .draft(Draft::Draft7)
        .add(OPENAPI, json_schema(&DOCUMENT))
        .and_then(|registry| registry.add(PAYLOADS, payloads))
        .and_then(jsonschema::RegistryBuilder::prepare)
        .expect("the excerpts refer to nothing outside themselves")
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// What is wrong with `value`, measured by the schema at `pointer`.
pub(super) fn errors(source: Source, pointer: &str, value: &Value) -> Vec<String> {
    let validator = match validator(source, pointer) {
        Ok(validator) => validator,
        Err(error) => return vec![error],
    };
    let errors = validator.iter_errors(value).take(MOST_ERRORS);
    errors.map(|error| format!("at {}: {}", error.instance_path(), error.masked())).collect()
}

fn validator(source: Source, pointer: &str) -> Result<Arc<Validator>, String> {
    let base = match source {
        Source::OpenApi => OPENAPI,
        Source::Payloads => PAYLOADS,
    };
    let reference = format!("{base}#{}", pointer.replace('{', "%7B").replace('}', "%7D"));
    let mut known = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(validator) = known.get(&reference) {
        return Ok(Arc::clone(validator));
    }
    let built = jsonschema::options()
        .with_draft(Draft::Draft7)
        .with_registry(&REGISTRY)
        .should_validate_formats(true)
        .build(&json!({ "$ref": reference }))
        .map_err(|error| format!("cannot compile the schema {reference}: {error}"))?;
    let built = Arc::new(built);
    known.insert(reference, Arc::clone(&built));
    Ok(built)
}

/// An `OpenAPI` 3.0 schema as a JSON schema: what is `nullable` may also be null.
fn json_schema(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(json_schema).collect(),
        Value::Object(fields) => {
            let translated: serde_json::Map<_, _> =
                fields.iter().filter(|(key, item)| !is_nullable(key, item)).map(|(key, item)| (key.clone(), json_schema(item))).collect();
            let nullable = fields.iter().any(|(key, item)| is_nullable(key, item));
            // Where GitHub has no address it writes nothing, which is the published default, and no address.
            let blank = fields.get("default") == Some(&json!("")) && fields.contains_key("format");
            match (nullable, blank) {
                (true, _) => json!({ "anyOf": [{ "type": "null" }, translated] }),
                (false, true) => json!({ "anyOf": [{ "const": "" }, translated] }),
                (false, false) => translated.into(),
            }
        }
        other => other.clone(),
    }
}

fn is_nullable(key: &str, value: &Value) -> bool {
    key == "nullable" && value == &Value::Bool(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nullable_becomes_a_choice() {
        let published = json!({ "properties": { "body": { "type": "string", "nullable": true } } });
        let translated = json_schema(&published);
        assert_eq!(translated["properties"]["body"], json!({ "anyOf": [{ "type": "null" }, { "type": "string" }] }));
    }

    #[test]
    fn an_address_may_be_blank_where_that_is_the_default() {
        let published = json!({ "default": "", "type": "string", "format": "uri" });
        assert_eq!(json_schema(&published)["anyOf"][0], json!({ "const": "" }));
        let published = json!({ "type": "string", "format": "uri" });
        assert_eq!(json_schema(&published), published);
    }

    #[test]
    fn a_property_called_nullable_stays() {
        let published = json!({ "properties": { "nullable": { "type": "boolean" } } });
        assert_eq!(json_schema(&published), published);
    }
}
