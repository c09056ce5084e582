//! `images`: what happens while an image is not there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens while the image of a change is not in its registry yet.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Images {
    /// How long an image is waited for from the moment that it is first missed, such as `30m`.
    #[serde(default = "default_wait")]
    #[schemars(regex(pattern = r"^([0-9]{1,6}(s|m|h|d|w))+$"), length(max = 40))]
    pub wait: String,
    /// What happens to a workload whose image is not there after that time. Until then it stays as it is: not made, or
    /// as it was before. Everything else of the environment runs meanwhile.
    #[serde(default)]
    pub missing: MissingImage,
}

/// What happens to a workload whose image does not come.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum MissingImage {
    /// It is waited for as long as the environment lives.
    #[default]
    Wait,
    /// The workload runs the baseline's image, and the environment says that this is not the change's code.
    UseBaseline,
    /// The environment is Stalled.
    Fail,
}

impl Default for Images {
    fn default() -> Self {
        Self { wait: default_wait(), missing: MissingImage::default() }
    }
}

fn default_wait() -> String {
    "30m".to_owned()
}
