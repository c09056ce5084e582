//! The baseline's names in texts of any shape: its hosts, and its Services as other namespaces call them.
//!
//! Only whole names change, each in one pass, and never one that stands for something else: a variable, a key of a line,
//! a part of a path, the domain of an e-mail address. Whatever is encoded as Base64 stays as it is.

mod excerpt;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

pub use excerpt::{Difference, differences, is_confidential, masked, masked_value};
pub use scan::{Slashes, Spot, spots};

/// Names of the baseline and what stands for them in one environment.
#[derive(Clone, Debug, Default)]
pub struct Names {
    hosts: HashMap<String, String>,
    services: HashSet<String>,
    namespaces: (String, String),
    cluster_suffix: String,
}

/// A text in which names were rewritten.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rewritten {
    /// The new text.
    pub text: String,
    /// The line of each name, from 1, and whether it is a host.
    names: Vec<(usize, bool)>,
}

impl Rewritten {
    /// The switches of the Baseline that one line, or all of it, follows from.
    pub fn why(&self, line: Option<usize>) -> &'static str {
        let has = |host: bool| self.names.iter().any(|(at, is_host)| *is_host == host && line.is_none_or(|line| line == *at));
        match (has(true), has(false)) {
            (true, true) => "rewrite.hosts and rewrite.serviceNames",
            (true, false) => "rewrite.hosts",
            (false, _) => "rewrite.serviceNames",
        }
    }
}

/// A name that is rewritten: what replaces it, and whether it is a host.
struct Replacement {
    text: String,
    is_host: bool,
}

impl Names {
    /// Names of Services of the first namespace become names of the second.
    pub fn new(from: &str, to: &str, cluster_domain: &str) -> Self {
        let namespaces = (from.to_ascii_lowercase(), to.to_owned());
        Self { namespaces, cluster_suffix: format!(".svc.{}", cluster_domain.to_ascii_lowercase()), ..Self::default() }
    }

    /// And those hosts, the old one first. A name without a dot is never taken for a host.
    pub fn with_hosts<'a>(mut self, hosts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let news = hosts.into_iter().filter(|(old, new)| old != new);
        self.hosts.extend(news.map(|(old, new)| (old.to_ascii_lowercase(), new.to_owned())));
        self
    }

    /// And those Services.
    pub fn with_services<'a>(mut self, services: impl IntoIterator<Item = &'a str>) -> Self {
        self.services.extend(services.into_iter().map(str::to_ascii_lowercase));
        self
    }

    /// The namespace that stands for the baseline's, where Services are rewritten and the text is the baseline's name.
    pub fn namespace(&self, text: &str) -> Option<&str> {
        let (from, to) = &self.namespaces;
        (!self.services.is_empty() && text == from).then_some(to)
    }

    /// The text with its names rewritten, or nothing where there are none.
    pub fn rewrite(&self, text: &str) -> Option<Rewritten> {
        let mut out = String::new();
        let (mut copied, mut line, mut names) = (0, 1, Vec::new());
        for spot in spots(text) {
            let Some((spot, new)) = spot.readings().find_map(|reading| Some((reading, self.replacement(&reading)?))) else { continue };
            let between = &text[copied..spot.range().start];
            out.push_str(between);
            out.push_str(&new.text);
            copied = spot.range().end;
            line += between.matches('\n').count();
            names.push((line, new.is_host));
        }
        if names.is_empty() {
            return None;
        }
        out.push_str(&text[copied..]);
        Some(Rewritten { text: out, names })
    }

    fn replacement(&self, spot: &Spot<'_>) -> Option<Replacement> {
        let name = lower(spot.name());
        self.host(spot, &name).or_else(|| self.service(spot, &name))
    }

    /// A dot before a host says that it is a cookie's domain, and a star that what is below it is meant.
    fn host(&self, spot: &Spot<'_>, name: &str) -> Option<Replacement> {
        let (dot, host) = name.strip_prefix('.').map_or(("", name), |host| (".", host));
        let new = self.hosts.get(host)?;
        let is_path = spot.slashes() == Slashes::One && !spot.has_port();
        let is_below = !dot.is_empty() && spot.before().ends_with('*');
        (!is_path && !is_below && !spot.is_mail_domain()).then(|| Replacement { text: format!("{dot}{new}"), is_host: true })
    }

    /// `<service>.<namespace>`, alone, after the name of one of its pods, or followed by `.svc` and the cluster's domain.
    fn service(&self, spot: &Spot<'_>, name: &str) -> Option<Replacement> {
        let (from, to) = &self.namespaces;
        let known = |service: &str| self.services.contains(service);
        let long = name.strip_suffix(&self.cluster_suffix).or_else(|| name.strip_suffix(".svc"));
        let front = long.unwrap_or(name).strip_suffix(from)?.strip_suffix('.')?;
        let (pod, service) = front.rsplit_once('.').map_or((None, front), |(pod, service)| (Some(pod), service));
        let fits = match (long, pod) {
            (Some(_), None | Some(_)) => pod.is_none_or(|labels| labels.split('.').all(|label| !label.is_empty())),
            (None, None) => is_free(spot),
            (None, Some(pod)) => is_ordinal(pod) && is_free(spot),
        };
        let kept = front.len() + 1;
        (fits && known(service))
            .then(|| Replacement { text: format!("{}{to}{}", &spot.name()[..kept], &spot.name()[kept + from.len()..]), is_host: false })
    }
}

/// Whether a name of two labels can only be one: it is no variable, no key, and no part of a path.
fn is_free(spot: &Spot<'_>) -> bool {
    let is_path = spot.slashes() == Slashes::One && !spot.has_port();
    !is_path && !spot.is_variable() && !spot.is_key()
}

/// Whether a label is the name of a pod of a StatefulSet: `db-0`.
fn is_ordinal(label: &str) -> bool {
    let (set, ordinal) = label.rsplit_once('-').unwrap_or_default();
    !set.is_empty() && !set.contains('.') && !ordinal.is_empty() && ordinal.bytes().all(|b| b.is_ascii_digit())
}

/// DNS does not tell upper from lower case (RFC 4343).
fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) }
}
