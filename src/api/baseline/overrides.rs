//! `clone.env` and `clone.patches`: what a team wants otherwise than the baseline has it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One variable of containers.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.value) != (has(self.remove) && self.remove)").message("env: give either value or remove: true"))]
pub struct EnvRule {
    /// The variable.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its value in the environments: a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32768))]
    pub value: Option<String>,
    /// Whether the variable is taken away instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remove: bool,
    /// The workloads, by name. Default: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub workloads: Vec<String>,
    /// The containers of those workloads, by name. Default: all of them, init containers too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub containers: Vec<String>,
}

/// One change of the objects that a target names.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.jsonPatch) != has(self.merge)").message("patches: give either jsonPatch or merge"))]
pub struct PatchRule {
    /// What is changed.
    pub target: PatchTarget,
    /// A JSON patch (RFC 6902). Texts inside its values are templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub json_patch: Vec<JsonOperation>,
    /// A strategic merge patch, as `kubectl patch` takes it; a plain merge patch (RFC 7386) for custom resources. Texts
    /// inside are templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub merge: Option<Map<String, Value>>,
}

/// The objects that a patch changes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchTarget {
    /// Their kind, such as `Deployment`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// The name of the one that is meant. Default: every object of that kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
    /// Their API group, for kinds of one name in several groups. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub group: Option<String>,
}

/// One operation of a JSON patch.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JsonOperation {
    /// What is done.
    pub op: JsonOperator,
    /// Where, as a JSON pointer (RFC 6901).
    #[schemars(length(max = 1024))]
    pub path: String,
    /// From where, for `move` and `copy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub from: Option<String>,
    /// The value, for `add`, `replace` and `test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_value")]
    pub value: Option<Value>,
}

/// What an operation of a JSON patch does.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JsonOperator {
    /// Adds a value.
    #[default]
    Add,
    /// Takes one away.
    Remove,
    /// Replaces one.
    Replace,
    /// Moves one.
    Move,
    /// Copies one.
    Copy,
    /// Ends the patch with an error unless the value is this one.
    Test,
}

/// An object of any shape: kept as it is by the API server.
fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "description": "A strategic merge patch, as `kubectl patch` takes it; a plain merge patch (RFC 7386) for custom resources. Texts inside are templates.",
        "x-kubernetes-preserve-unknown-fields": true
    })
}

/// A value of any type.
fn any_value(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "The value, for `add`, `replace` and `test`.",
        "x-kubernetes-preserve-unknown-fields": true
    })
}
