//! Kubernetes' times on our clock, to the second, which is all that they hold. No client, no clock, no logging.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

/// That moment. None for what our clock cannot tell, such as a year that has six digits.
pub fn utc(time: &Time) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.0.as_second(), 0)
}

/// When an object was made, by the API server's clock.
pub fn created_at<K: ResourceExt>(object: &K) -> Option<DateTime<Utc>> {
    object.meta().creation_timestamp.as_ref().and_then(utc)
}

/// When somebody first asked for an object to be deleted, by the API server's clock.
pub fn deleted_at<K: ResourceExt>(object: &K) -> Option<DateTime<Utc>> {
    object.meta().deletion_timestamp.as_ref().and_then(utc)
}
