//! What the value `policy` may hold: the spec of a PreviewPolicy, as its definition says. Pure.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// The name of the definition.
const DEFINITION: &str = "previewpolicies.preview-env.dev";
/// What of the definition's words the schema of a chart knows too.
const KEPT: [&str; 12] = [
    "type",
    "properties",
    "items",
    "additionalProperties",
    "required",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minimum",
];

/// The schema of values with the one of `policy` in its place.
pub fn with_policy(schema: &str, definitions: &str) -> Result<String> {
    let mut schema: Value = serde_json::from_str(schema).context("cannot read values.schema.json")?;
    let definitions: Vec<Value> = serde_saphyr::from_multiple(definitions).context("cannot read the definitions")?;
    let policy = definitions.iter().find(|definition| definition["metadata"]["name"] == DEFINITION);
    let spec = policy.and_then(|policy| policy.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec"));
    schema["properties"]["policy"] = closed(spec.with_context(|| format!("there is no definition {DEFINITION}"))?);
    Ok(format!("{schema:#}\n"))
}

/// The same, and nothing besides what it lists.
fn closed(schema: &Value) -> Value {
    let Value::Object(words) = schema else { return schema.clone() };
    let mut kept: Map<String, Value> =
        words.iter().filter(|(word, _)| KEPT.contains(&word.as_str())).map(|(w, v)| (w.clone(), v.clone())).collect();
    if let Some(Value::Object(properties)) = kept.get_mut("properties") {
        for property in properties.values_mut() {
            *property = closed(property);
        }
        kept.entry("additionalProperties").or_insert(json!(false));
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(schema) = kept.get_mut(inner) {
            *schema = closed(schema);
        }
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_refused_at_each_depth() {
        let schema = json!({"type": "object", "description": "x", "x-kubernetes-validations": [], "properties": {
            "domains": {"type": "array", "nullable": true, "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
            "quota": {"type": "object", "additionalProperties": {"type": "string", "description": "y"}}}});
        let expected = json!({"type": "object", "additionalProperties": false, "properties": {
            "domains": {"type": "array", "items": {"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string"}}}},
            "quota": {"type": "object", "additionalProperties": {"type": "string"}}}});
        assert_eq!(closed(&schema), expected);
    }
}
