//! Finds hosts in a text, and rather misses one than names something that is none.

use std::net::Ipv4Addr;

use super::authority;
use super::kind::{is_database, is_long, is_private, is_public};
use crate::domain::ImageRef;
use crate::plan::rewrite::{Slashes, Spot, is_confidential, spots};

/// A host that a text names, in lower case.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Found {
    pub host: String,
    pub port: Option<u16>,
}

/// How much is taken for a host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trust {
    /// Whatever looks like one.
    Configuration,
    /// Hosts of URLs and hosts with a port, with a well-known end: a password must not be shown as a host.
    Secret,
}

/// Schemes whose hosts are none, or are reached by other means.
const SCHEMES: [&str; 16] =
    ["file", "unix", "data", "classpath", "mailto", "s3", "s3a", "gs", "abfs", "abfss", "wasb", "arn", "urn", "jar", "spiffe", "tag"];
/// Hosts that stand in the names of schemas, which nobody fetches.
const SCHEMAS: [&str; 11] = [
    "www.w3.org",
    "schemas.xmlsoap.org",
    "schemas.microsoft.com",
    "json-schema.org",
    "xmlns.jcp.org",
    "jakarta.ee",
    "java.sun.com",
    "xmlns.oracle.com",
    "www.springframework.org",
    "maven.apache.org",
    "xml.apache.org",
];
/// Ends of names of files. Some are ends of hosts too, so a URL or `.svc` counts more.
const FILES: [&str; 42] = [
    "properties",
    "yaml",
    "yml",
    "json",
    "xml",
    "xsd",
    "conf",
    "cfg",
    "ini",
    "toml",
    "env",
    "py",
    "js",
    "mjs",
    "ts",
    "rb",
    "go",
    "rs",
    "java",
    "class",
    "jar",
    "war",
    "log",
    "txt",
    "md",
    "sh",
    "html",
    "css",
    "pem",
    "crt",
    "key",
    "csr",
    "jks",
    "sock",
    "sql",
    "lock",
    "php",
    "so",
    "tar",
    "gz",
    "zip",
    "tmpl",
];
/// Beginnings of names that are written from the top down, such as those of packages.
const TOPS: [&str; 9] = ["com", "org", "net", "io", "java", "javax", "jakarta", "kotlin", "scala"];
/// Last words of the names of values that are hosts.
const CALLED: [&str; 20] = [
    "host",
    "hosts",
    "hostname",
    "hostnames",
    "server",
    "servers",
    "addr",
    "addrs",
    "address",
    "addresses",
    "endpoint",
    "endpoints",
    "url",
    "urls",
    "uri",
    "broker",
    "brokers",
    "proxy",
    "dsn",
    "upstream",
];

/// Every host outside the pod that a text names; `key` is what the text is called.
pub(super) fn hosts(text: &str, key: &str, trust: Trust) -> Vec<Found> {
    let is_file = text.trim_end().contains('\n');
    let lines = text.lines().map(|line| if is_file { without_comment(line) } else { line });
    let key = if is_file { "" } else { key };
    let named = |line| spots(line).filter_map(move |spot| host(spot, (line, key), trust));
    lines.flat_map(|line| named(line).chain(authority::hosts(line, key, trust))).collect()
}

/// Whether a name leads to the pod itself.
pub(super) fn is_this_machine(name: &str) -> bool {
    let address = name.parse::<Ipv4Addr>();
    name.ends_with(".localhost")
        || name == "localhost.localdomain"
        || address.is_ok_and(|a| a.is_loopback() || a.is_unspecified() || a.is_broadcast())
}

fn without_comment(line: &str) -> &str {
    let begins = line.trim_start();
    let is_comment = ["#", "//", ";", "-- ", "* ", "<!--", "/*"].iter().any(|mark| begins.starts_with(mark));
    if is_comment { "" } else { line.split(" #").next().unwrap_or(line) }
}

fn host(spot: Spot<'_>, line: (&str, &str), trust: Trust) -> Option<Found> {
    // The last reading is the one without an escape before it.
    let spot = spot.readings().last()?;
    let name = spot.name().to_ascii_lowercase();
    let seen = Seen { spot, name: &name, line: line.0, key: line.1 };
    let is_possible =
        is_host(&name) && !spot.is_variable() && !spot.is_mail_domain() && !seen.is_password() && !SCHEMAS.contains(&name.as_str());
    let is_sure = match trust {
        Trust::Configuration => seen.is_sure(),
        Trust::Secret => {
            (seen.is_url() || seen.has_port())
                && (is_public(&name) || is_private(&name) || is_database(&name) || is_long(&name, ".svc.cluster.local"))
        }
    };
    let found = || Found { host: name.clone(), port: spot.port() };
    (is_possible && is_sure).then(found)
}

/// A name of at least two labels (RFC 1123) that ends in letters, or an IPv4 address.
fn is_host(name: &str) -> bool {
    let is_label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let ends_in_letters = name.rsplit('.').next().is_some_and(|end| end.len() >= 2 && end.bytes().all(|b| b.is_ascii_alphabetic()));
    name.contains('.') && name.len() <= 253 && name.split('.').all(is_label) && (ends_in_letters || name.parse::<Ipv4Addr>().is_ok())
}

/// A name that could be a host, with what stands around it.
struct Seen<'a> {
    spot: Spot<'a>,
    name: &'a str,
    line: &'a str,
    key: &'a str,
}

impl Seen<'_> {
    fn is_sure(&self) -> bool {
        if self.has_other_scheme() || self.is_image() {
            return false;
        }
        let is_path = self.spot.slashes() == Slashes::One && !self.spot.has_port();
        self.is_url()
            || is_long(self.name, ".svc.cluster.local")
            || (!is_path && (self.has_port() || self.is_called_host() || self.is_cloud()))
    }

    /// Whether it is a part of a password: before the last `@` of a URL's authority, or the value of a field that is called
    /// so.
    fn is_password(&self) -> bool {
        let before = self.word_before();
        let rest = self.spot.after().split(|c: char| c.is_whitespace() || "\"'`<>,/?#".contains(c)).next().unwrap_or_default();
        let is_user = before.rsplit_once("://").is_some_and(|(_, front)| front.contains(':') && !front.contains('/'));
        let field = before.rsplit([';', '&', '?', ',']).next().unwrap_or(before).split_once('=');
        (is_user && rest.contains('@')) || field.is_some_and(|(name, _)| is_confidential(name))
    }

    fn is_cloud(&self) -> bool {
        is_database(self.name) && !self.spot.is_key()
    }

    /// All that stands before the name in its word. Words end at spaces, quotes and brackets.
    fn word_before(&self) -> &str {
        let before = self.spot.before();
        before.rsplit(|c: char| c.is_whitespace() || "\"'`<>[]{}()".contains(c)).next().unwrap_or(before)
    }

    /// Whether it stands where a URL has its host: behind the slashes, the user or another host of the list.
    fn is_url(&self) -> bool {
        let word = self.word_before();
        let Some((_, authority)) = word.rsplit_once("://").or_else(|| word.rsplit_once(r":\/\/")).or_else(|| split_escaped(word)) else {
            return false;
        };
        let is_listed = authority.ends_with(',') && !authority.contains(['/', '?']);
        (authority.is_empty() || authority.ends_with('@') || is_listed) && !self.has_other_scheme()
    }

    fn has_other_scheme(&self) -> bool {
        let word = self.word_before();
        let Some((front, _)) = word.split_once("://") else { return false };
        let scheme = front.rsplit(|c: char| !c.is_ascii_alphanumeric() && !"+.-".contains(c)).next().unwrap_or(front);
        SCHEMES.contains(&scheme.to_ascii_lowercase().as_str())
    }

    /// A port says host, unless the name is that of a file or of a package.
    fn has_port(&self) -> bool {
        let (first, last) = (self.name.split('.').next().unwrap_or_default(), self.name.rsplit('.').next().unwrap_or_default());
        let is_package = TOPS.contains(&first) && !is_public(self.name);
        self.spot.has_port() && !FILES.contains(&last) && !is_package
    }

    /// Whether the value is called a host, and the name is all of it or an entry of a list.
    fn is_called_host(&self) -> bool {
        let before = self.spot.before().trim_end_matches(['"', '\'', ' ']);
        let after = self.spot.after().trim_start_matches(['"', '\'']);
        let is_end = after.is_empty() || after.starts_with([',', ';', ' ', '/']) || self.spot.has_port();
        let key = match before.strip_suffix(['=', ':']) {
            Some(front) => front.rsplit(|c: char| c.is_whitespace() || ";,&?\"'{".contains(c)).next().unwrap_or(front),
            None if before.is_empty() || (before.ends_with(',') && !self.line.contains(' ')) => self.key,
            None => return false,
        };
        let last = self.name.rsplit('.').next().unwrap_or_default();
        let is_known =
            is_public(self.name) || is_private(self.name) || self.name.parse::<Ipv4Addr>().is_ok() || self.name.matches('.').count() >= 2;
        is_end && is_known && !FILES.contains(&last) && is_called_host(key)
    }

    /// Whether the word is an image with a tag or digest behind its path. In a URL it is none.
    fn is_image(&self) -> bool {
        let before = self.word_before();
        if before.contains("://") {
            return false;
        }
        let before = before.rsplit(['=', ',']).next().unwrap_or(before);
        let rest = format!("{}{}", self.spot.name(), self.spot.after());
        let word = rest.split(|c: char| c.is_whitespace() || "\"'`<>[]{}(),;".contains(c)).next().unwrap_or_default();
        let image = format!("{before}{word}").parse::<ImageRef>();
        word.contains('/') && image.is_ok_and(|image| image.tag().is_some() || image.digest().is_some())
    }
}

/// The same behind an escaped `://`.
fn split_escaped(word: &str) -> Option<(&str, &str)> {
    let at = word.to_ascii_lowercase().rfind("%3a%2f%2f")?;
    Some((word.get(..at)?, word.get(at + "%3a%2f%2f".len()..)?))
}

/// Whether the last word of a name says that the value is a host: `DATABASE_HOST`, `spring.redis.host`, `dbHost`.
pub(super) fn is_called_host(key: &str) -> bool {
    let key = key.trim_matches(['"', '\'', '-', ' ']);
    let last = key.rsplit(['_', '.', '-']).next().unwrap_or(key);
    let hump = last.rfind(|c: char| c.is_ascii_uppercase()).filter(|at| *at > 0 && last.chars().any(|c| c.is_ascii_lowercase()));
    let word = &last[hump.unwrap_or_default()..];
    CALLED.contains(&word.to_ascii_lowercase().as_str())
}
