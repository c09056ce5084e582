//! How we stand on GitHub, for whoever asks whether the service could work: what the App asks for, what its installations were
//! granted, and what GitHub could deliver. Nothing is written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::exchange::Request;
use super::pages::PER_PAGE;
use super::{GitHub, SUBSCRIBED_EVENTS, needs};
use crate::domain::RepoName;
use crate::forge::ForgeError;

/// What an App asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    /// The name of its page.
    pub slug: String,
    /// Permissions that we need and it does not ask for, such as `checks: write`.
    pub lacks: Vec<String>,
    /// Events that we need and it is not told of.
    pub unheard: Vec<String>,
}

/// One attempt to deliver something to an App.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Delivered {
    /// When.
    #[serde(rename = "delivered_at")]
    pub at: DateTime<Utc>,
    /// What it was answered; 0 where nobody answered.
    #[serde(rename = "status_code")]
    pub status: i64,
}

#[derive(Deserialize)]
struct Facts {
    slug: String,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    events: Vec<String>,
}

impl GitHub {
    /// What the App asks for, which takes an App.
    pub async fn standing(&self) -> Result<Standing, ForgeError> {
        let Facts { slug, permissions, events } = self.send(&Request::get_own("app", "the App itself", "/app")).await?.content;
        let unheard = SUBSCRIBED_EVENTS.iter().filter(|event| !events.iter().any(|heard| heard == *event));
        Ok(Standing { slug, lacks: needs::lacking(&permissions), unheard: unheard.map(|event| (*event).to_owned()).collect() })
    }

    /// What we need and the App was not granted for a repository; nothing where it is not installed there.
    pub async fn lacking_for(&self, repository: &RepoName) -> Result<Option<Vec<String>>, ForgeError> {
        let granted = self.sessions.granted_for(repository, &self.metrics).await?;
        Ok(granted.map(|granted| needs::lacking(&granted)))
    }

    /// The last attempts to deliver something to the App, the newest first.
    pub async fn delivered(&self) -> Result<Vec<Delivered>, ForgeError> {
        let path = format!("/app/hook/deliveries?per_page={PER_PAGE}");
        Ok(self.send(&Request::get_own("deliveries", "the log of deliveries", &path)).await?.content)
    }
}
