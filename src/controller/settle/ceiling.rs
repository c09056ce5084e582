//! The longest life that a PreviewPolicy allows, whatever the Baseline, an extension or a pin says. No client, no clock, no
//! logging.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::Baseline;

/// The end, held to the ceiling, and whose ceiling it is where that is what ends it. `since` is when something happened last.
pub(super) fn held(
    end: Option<DateTime<Utc>>,
    since: Option<DateTime<Utc>>,
    baseline: &Baseline,
) -> (Option<DateTime<Utc>>, Option<String>) {
    let latest = || {
        let (ttl, at) = baseline.policy.ttl()?;
        Some((since?.checked_add_signed(TimeDelta::from_std(ttl).ok()?)?, at))
    };
    match latest() {
        Some((latest, at)) if end.is_none_or(|end| latest < end) => (Some(latest), Some(at)),
        _ => (end, None),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::super::{Before, Course, settle};
    use super::*;
    use crate::api;
    use crate::domain::{Environment, Policy};

    const PUSHED: &str = "2026-01-01T00:00:00Z";

    fn at(minutes: i64) -> DateTime<Utc> {
        PUSHED.parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn environment(lifetime: &Value) -> Environment {
        let spec = json!({"baseline": "shop", "lifetime": lifetime, "sources": [{
            "forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open",
            "revision": "a".repeat(40), "observedAt": PUSHED, "headRepositoryId": 7}]});
        let mut object = api::PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        object.metadata.uid = Some("u-1".into());
        Environment::try_from(&object).unwrap()
    }

    fn baseline() -> Baseline {
        let spec = json!({"repositories": [{"name": "acme/web"}], "lifetime": {"ttl": "1h"}});
        let mut object = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        let policy = api::PreviewPolicy::new("default", serde_json::from_value(json!({"lifetime": {"ttl": "2h"}})).unwrap());
        Baseline::try_from(&object).unwrap().under(Some(&[Arc::new(Policy::read(&policy))]), None)
    }

    #[test]
    fn nothing_outlives_the_ceiling_and_what_ends_before_it_is_as_it_was() {
        for (lifetime, minutes) in [
            (json!({}), 60),
            (json!({"ttl": "90d"}), 120),
            (json!({"extendedUntil": at(90).to_rfc3339()}), 90),
            (json!({"extendedUntil": at(9000).to_rfc3339()}), 120),
            (json!({"pinned": true}), 120),
        ] {
            let settled = |now| {
                let before = Before { pin_holds: lifetime.get("pinned").is_some(), ..Before::default() };
                settle(&environment(&lifetime), Some(&baseline()), &before, at(now))
            };
            assert_eq!(settled(1).expires_at, Some(at(minutes)), "{lifetime}");
            let ended = settled(minutes);
            assert_eq!((ended.course, ended.wanted.reason), (Course::TakeDown, "Expired"), "{lifetime}");
            assert_eq!(
                ended.wanted.message.contains("PreviewPolicy default (spec.lifetime.ttl)"),
                minutes == 120,
                "{}",
                ended.wanted.message
            );
        }
    }
}
