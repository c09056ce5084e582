//! What a team wants otherwise than the baseline has it: variables and patches whose templates were understood.

use json_patch::PatchOperation;
use serde_json::{Map, Value};

use super::{InvalidBaseline, invalid};
use crate::api::baseline::{EnvRule as ListedEnv, JsonOperation, PatchRule as ListedPatch};
use crate::domain::ValueTemplate;
use crate::domain::value_template::{ValueError, Values};

/// One variable of containers.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvRule {
    /// The variable.
    pub name: String,
    /// Its value; without one it is taken away.
    pub value: Option<ValueTemplate>,
    /// Names of the workloads; none for all.
    pub workloads: Vec<String>,
    /// Names of the containers; none for all.
    pub containers: Vec<String>,
}

/// One change of the objects that a target names.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchRule {
    /// Their kind.
    pub kind: String,
    /// The name of the one that is meant.
    pub name: Option<String>,
    /// Their API group.
    pub group: Option<String>,
    /// The change, whose texts are templates.
    pub change: PatchChange,
}

/// How a patch is written.
#[derive(Clone, Debug, PartialEq)]
pub enum PatchChange {
    /// RFC 6902.
    Json(Vec<PatchOperation>),
    /// Strategic, or RFC 7386 for custom resources.
    Merge(Map<String, Value>),
}

impl EnvRule {
    /// Whether it is for that container of that workload.
    pub fn is_for(&self, workload: &str, container: &str) -> bool {
        let names = |list: &[String], name: &str| list.is_empty() || list.iter().any(|n| n == name);
        names(&self.workloads, workload) && names(&self.containers, container)
    }
}

impl PatchRule {
    /// Whether it is for an object of that group, kind and name.
    pub fn is_for(&self, group: &str, kind: &str, name: &str) -> bool {
        self.kind == kind && self.name.as_deref().is_none_or(|n| n == name) && self.group.as_deref().is_none_or(|g| g == group)
    }
}

impl PatchChange {
    /// The change with its templates filled.
    pub fn filled(&self, values: &Values) -> Result<Self, ValueError> {
        let mut filled = self.clone();
        filled.each_value(&mut |value| fill(value, values))?;
        Ok(filled)
    }

    fn each_value(&mut self, change: &mut dyn FnMut(&mut Value) -> Result<(), ValueError>) -> Result<(), ValueError> {
        match self {
            Self::Json(operations) => operations.iter_mut().filter_map(value_of).try_for_each(change),
            Self::Merge(map) => map.values_mut().try_for_each(change),
        }
    }
}

fn value_of(operation: &mut PatchOperation) -> Option<&mut Value> {
    match operation {
        PatchOperation::Add(add) => Some(&mut add.value),
        PatchOperation::Replace(replace) => Some(&mut replace.value),
        PatchOperation::Test(test) => Some(&mut test.value),
        PatchOperation::Remove(_) | PatchOperation::Move(_) | PatchOperation::Copy(_) => None,
    }
}

/// Fills every text inside a value. Keys stay as they are.
fn fill(value: &mut Value, values: &Values) -> Result<(), ValueError> {
    match value {
        Value::String(text) => *text = ValueTemplate::parse(text)?.fill(values)?,
        Value::Array(items) => items.iter_mut().try_for_each(|item| fill(item, values))?,
        Value::Object(map) => map.values_mut().try_for_each(|item| fill(item, values))?,
        _ => {}
    }
    Ok(())
}

/// Every template inside a value, with the way to it.
fn templates(value: &Value, path: &str, found: &mut Vec<ValueTemplate>) -> Result<(), InvalidBaseline> {
    match value {
        Value::String(text) => found.push(ValueTemplate::parse(text).map_err(|e| invalid(path, &e))?),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                templates(item, &format!("{path}[{index}]"), found)?;
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                templates(item, &format!("{path}.{key}"), found)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The templates of a patch.
pub(super) fn templates_of(patch: &PatchRule) -> Vec<ValueTemplate> {
    let mut found = Vec::new();
    let mut change = patch.change.clone();
    // They were read before, so there is no error.
    let _ = change.each_value(&mut |value| {
        let _ = templates(value, "", &mut found);
        Ok(())
    });
    found
}

/// Reads the variables.
pub(super) fn env(listed: &[ListedEnv]) -> Result<Vec<EnvRule>, InvalidBaseline> {
    let read = |(index, rule): (usize, &ListedEnv)| {
        let path = format!("spec.clone.env[{index}]");
        if rule.value.is_some() == rule.remove {
            return Err(invalid(path, &"give either value or remove: true"));
        }
        if !is_variable(&rule.name) {
            return Err(invalid(format!("{path}.name"), &"is no name of a variable: printable characters of ASCII, and no ="));
        }
        let value = rule.value.as_deref().map(ValueTemplate::parse).transpose();
        Ok(EnvRule {
            name: rule.name.clone(),
            value: value.map_err(|e| invalid(format!("{path}.value"), &e))?,
            workloads: rule.workloads.clone(),
            containers: rule.containers.clone(),
        })
    };
    listed.iter().enumerate().map(read).collect()
}

/// What the API server takes for one (KEP-4369).
fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=')
}

/// Reads the patches.
pub(super) fn patches(listed: &[ListedPatch]) -> Result<Vec<PatchRule>, InvalidBaseline> {
    listed.iter().enumerate().map(|(index, patch)| read_patch(&format!("spec.clone.patches[{index}]"), patch)).collect()
}

fn read_patch(path: &str, listed: &ListedPatch) -> Result<PatchRule, InvalidBaseline> {
    let change = match (&listed.merge, listed.json_patch.as_slice()) {
        (Some(merge), []) => {
            templates(&Value::Object(merge.clone()), &format!("{path}.merge"), &mut Vec::new())?;
            PatchChange::Merge(merge.clone())
        }
        (None, [_, ..]) => PatchChange::Json(operations(&format!("{path}.jsonPatch"), &listed.json_patch)?),
        _ => return Err(invalid(path, &"give either jsonPatch or merge")),
    };
    let target = listed.target.clone();
    Ok(PatchRule { kind: target.kind, name: target.name, group: target.group, change })
}

fn operations(path: &str, listed: &[JsonOperation]) -> Result<Vec<PatchOperation>, InvalidBaseline> {
    let read = |(index, operation): (usize, &JsonOperation)| {
        let path = format!("{path}[{index}]");
        if let Some(value) = &operation.value {
            templates(value, &format!("{path}.value"), &mut Vec::new())?;
        }
        let json = serde_json::to_value(operation).map_err(|e| invalid(path.as_str(), &e))?;
        serde_json::from_value(json).map_err(|e| invalid(path.as_str(), &e))
    };
    listed.iter().enumerate().map(read).collect()
}
