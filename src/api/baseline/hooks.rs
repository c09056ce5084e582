//! `hooks`: Jobs that run in an environment at certain moments, for migrations and seed data.

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One Job that runs in each environment.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.job) != has(self.fromCronJob)").message("hooks[]: give either job or fromCronJob"))]
pub struct Hook {
    /// What it is called; its Jobs are called `<name>-<hash>`.
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,
    /// When it runs.
    pub when: HookMoment,
    /// What stands under `spec` of a Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub job: Option<Value>,
    /// Instead of `job`: the template of this CronJob of the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 52))]
    pub from_cron_job: Option<String>,
    /// A workload of the environment. Containers of the Job that name no image run that of its first container, with its
    /// variables where they have none; the pod gets its ServiceAccount and pull secrets where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service: Option<String>,
    /// For `BeforeWorkloads`: workloads that are made before the hook and have to be ready before it starts, such as a
    /// database that is a Deployment. `StatefulSets` are made before it anyway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub after: Vec<String>,
    /// How long it may take with all its tries, such as `10m`.
    #[serde(default = "default_timeout")]
    #[schemars(regex(pattern = r"^([0-9]{1,6}(s|m|h))+$"), length(max = 40))]
    pub timeout: String,
    /// What becomes of the environment when it fails.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum HookMoment {
    /// Once for every revision, before the workloads of that revision: a migration. They wait for it, all but
    /// `StatefulSets` and what `after` names.
    BeforeWorkloads,
    /// Once for every environment, when it was ready for the first time: seed data.
    AfterReady,
    /// Once for every revision but the first, when it is ready.
    OnUpdate,
}

/// What becomes of an environment whose hook failed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum OnFailure {
    /// It stalls until the next revision or `preview refresh`.
    #[default]
    Stall,
    /// It goes on, and says that the hook failed.
    Continue,
}

fn default_timeout() -> String {
    "10m".to_owned()
}

fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
