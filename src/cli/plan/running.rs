//! What runs of a plan, read with the user's own rights.

use futures::{StreamExt, TryStreamExt};
use kube::Api;
use kube::api::DynamicObject;
use serde_json::Value;

use super::diff::{applied_fields, compared, owned, unified};
use super::objects::shown;
use super::page::Style;
use super::read::{Reading, resource_of};
use crate::api::PreviewEnvironment;
use crate::cli::cluster::Cluster;
use crate::cli::errors::{Asked, Failure};
use crate::cli::output::{Format, document, note};
use crate::plan::{Manifest, ObjectName, Plan};

/// Requests at one time.
const IN_FLIGHT: usize = 8;

/// The namespace of an environment.
pub struct Running<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The namespace.
    pub namespace: &'a str,
    /// What was read of the baseline.
    pub reading: &'a Reading,
}

/// An object as it runs.
enum Live {
    /// There.
    Object(Manifest),
    /// Not there.
    Absent,
    /// The user may not read it, or nobody knows its kind.
    Unread,
}

impl Running<'_> {
    /// The differences between what runs and the plan, object by object; empty where there are none.
    pub async fn diff(&self, environment: &PreviewEnvironment, plan: &Plan, style: Style) -> Result<String, Failure> {
        let planned: Vec<&Manifest> = plan.stages.iter().flatten().map(|p| &p.manifest).collect();
        let pairs = futures::stream::iter(planned.iter().map(|p| self.one(p, style))).buffered(IN_FLIGHT);
        let mut texts: Vec<String> = pairs.try_collect().await?;
        let status = environment.status.clone().unwrap_or_default();
        for entry in status.inventory {
            let name = ObjectName { api_version: entry.api_version, kind: entry.kind, name: entry.name };
            if !planned.iter().any(|p| p.name() == name)
                && let Live::Object(live) = self.get(&name).await?
            {
                texts.push(unified(&format!("{name}, which goes"), (&text(&shown(&live))?, ""), style));
            }
        }
        texts.retain(|text| !text.is_empty());
        Ok(texts.join("\n"))
    }

    async fn one(&self, planned: &Manifest, style: Style) -> Result<String, Failure> {
        let name = planned.name();
        if name.kind == "Secret" && self.reading.closed_secrets.contains(&name.name) {
            note(&format!("{name} is not compared: you may not read it"));
            return Ok(String::new());
        }
        let planned_value = compared(&shown(planned));
        let (heading, live) = match self.get(&name).await? {
            Live::Unread => {
                note(&format!("{name} is not compared: you may not read it"));
                return Ok(String::new());
            }
            Live::Absent => (format!("{name}, which is new"), String::new()),
            Live::Object(live) => {
                let applied = applied_fields(planned.value(), &shown(&live), owned(live.value()));
                (name.to_string(), text(&compared(&applied))?)
            }
        };
        Ok(unified(&heading, (&live, &text(&planned_value)?), style))
    }

    async fn get(&self, name: &ObjectName) -> Result<Live, Failure> {
        let Some(resource) = resource_of(&self.reading.resources, name) else { return Ok(Live::Unread) };
        let api: Api<DynamicObject> = Api::namespaced_with(self.cluster.client(), self.namespace, &resource);
        let asked = Asked { verb: "get", resource: &resource.plural, namespace: Some(self.namespace) };
        Ok(match self.cluster.may_ask(asked, api.get_opt(&name.name)).await? {
            None => Live::Unread,
            Some(None) => Live::Absent,
            Some(Some(object)) => {
                let mut manifest = Manifest::new(serde_json::to_value(object).unwrap_or_default());
                manifest.set(&[], "apiVersion", name.api_version.clone().into());
                manifest.set(&[], "kind", name.kind.clone().into());
                Live::Object(manifest)
            }
        })
    }
}

fn text(value: &Value) -> Result<String, Failure> {
    document(Format::Yaml, &sorted(value))
}

/// With keys in one order, whatever order they were read in.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
