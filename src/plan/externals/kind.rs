//! What a host is, judged by its name alone.

use std::net::IpAddr;

use crate::api::baseline::ExternalKind;

/// Ends of the names of managed databases, caches, queues and searches, as their documentation gives them.
const DATABASES: [&str; 40] = [
    ".rds.amazonaws.com",
    ".cache.amazonaws.com",
    ".docdb.amazonaws.com",
    ".redshift.amazonaws.com",
    ".redshift-serverless.amazonaws.com",
    ".es.amazonaws.com",
    ".aoss.amazonaws.com",
    ".neptune.amazonaws.com",
    ".memorydb.amazonaws.com",
    ".database.windows.net",
    ".database.azure.com",
    ".documents.azure.com",
    ".cosmos.azure.com",
    ".redis.cache.windows.net",
    ".redis.azure.net",
    ".servicebus.windows.net",
    ".search.windows.net",
    ".sql.goog",
    ".mongodb.net",
    ".redis-cloud.com",
    ".redislabs.com",
    ".upstash.io",
    ".cloudamqp.com",
    ".elephantsql.com",
    ".aivencloud.com",
    ".confluent.cloud",
    ".neon.tech",
    ".supabase.co",
    ".supabase.com",
    ".psdb.cloud",
    ".cockroachlabs.cloud",
    ".clickhouse.cloud",
    ".snowflakecomputing.com",
    ".elastic-cloud.com",
    ".elastic.cloud",
    ".found.io",
    ".db.ondigitalocean.com",
    ".timescaledb.com",
    ".scylla.cloud",
    ".astra.datastax.com",
];
/// The same for AWS, where the region stands between: `x.abc.eu-west-1.rds.amazonaws.com`,
/// `b-1.x.c2.kafka.eu-west-1.amazonaws.com`.
const AWS: [&str; 10] = ["rds", "cache", "docdb", "redshift", "es", "aoss", "neptune", "memorydb", "kafka", "mq"];

/// Ends of names that only an own network knows (RFC 6762, appendix G; RFC 9476 and ICANN for `internal`).
const PRIVATE: [&str; 9] = [".internal", ".local", ".lan", ".corp", ".intranet", ".intra", ".private", ".home.arpa", ".home"];

/// The most common ends of names on the internet. What has two labels and another end is a Service of a namespace.
const PUBLIC: [&str; 40] = [
    "com", "net", "org", "io", "dev", "app", "cloud", "co", "ai", "eu", "de", "fr", "uk", "us", "nl", "ch", "at", "es", "it", "pl", "se",
    "no", "fi", "dk", "be", "cz", "pt", "ie", "in", "jp", "cn", "br", "au", "ca", "ru", "tv", "me", "info", "biz", "tech",
];

/// The kind of a host, whose name is in lower case.
pub(super) fn of(host: &str, cluster_suffix: &str) -> ExternalKind {
    let is_address = host.parse::<IpAddr>().is_ok();
    match () {
        () if is_address => ExternalKind::Address,
        () if is_in_cluster(host, cluster_suffix) => ExternalKind::Namespace,
        () if is_database(host) => ExternalKind::Database,
        // A single word is completed by the node's resolver.
        () if is_private(host) || !host.contains('.') => ExternalKind::Private,
        () => ExternalKind::Public,
    }
}

/// A name of two labels whose end nobody knows from the internet is `<service>.<namespace>`.
fn is_in_cluster(host: &str, cluster_suffix: &str) -> bool {
    let is_short = host.split_once('.').is_some_and(|(_, rest)| !rest.contains('.')) && !is_public(host);
    is_short && !PRIVATE.iter().any(|end| host.ends_with(end)) || is_long(host, cluster_suffix)
}

/// Whether a name ends as those inside the cluster do.
pub(super) fn is_long(host: &str, cluster_suffix: &str) -> bool {
    let front = host.strip_suffix(cluster_suffix).or_else(|| host.strip_suffix(".svc"));
    front.is_some_and(|front| front.contains('.'))
}

/// Whether a name ends as many on the internet do.
pub(super) fn is_public(host: &str) -> bool {
    host.rsplit('.').next().is_some_and(|end| PUBLIC.contains(&end))
}

/// Whether a name is one that an own network gives.
pub(super) fn is_private(host: &str) -> bool {
    PRIVATE.iter().any(|end| host.ends_with(end))
}

/// Whether a name is that of a managed database or its kin.
pub(super) fn is_database(host: &str) -> bool {
    let in_region = || {
        let front = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"));
        front.is_some_and(|front| front.split('.').any(|label| AWS.contains(&label)))
    };
    DATABASES.iter().any(|end| host.ends_with(end)) || in_region()
}
