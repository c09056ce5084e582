//! Decisions, folded into as few lines as tell them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::page::Entry;
use crate::domain::ImageRef;
use crate::plan::{ABSENT, Decision, LeftOutReason, ObjectName};

/// From this many objects on, what they share is said once.
const SHARED: usize = 3;
/// Longer values are cut: they are for `--all`.
const VALUE_MAX: usize = 60;
/// More changes of one object are counted: a long configuration file says the same many times.
const CHANGES_MAX: usize = 8;
/// Changes that are longer together do not share a line.
const TOGETHER_MAX: usize = 48;

/// One change of one object.
#[derive(Clone, Debug)]
struct Change<'a> {
    object: &'a ObjectName,
    path: &'a str,
    before: &'a str,
    after: &'a str,
    why: &'a str,
}

/// What is changed: images first, then what is an object's own, and last what several share.
pub fn changed(decisions: &[Decision]) -> Vec<Entry> {
    let all: Vec<Change<'_>> = decisions.iter().filter_map(change).collect();
    let mut shared: BTreeMap<(String, &str, &str), Vec<&Change<'_>>> = BTreeMap::new();
    for change in &all {
        shared.entry((short_path(change), change.after, change.why)).or_default().push(change);
    }
    let is_shared = |c: &[&Change<'_>]| objects_of(c).len() >= SHARED && !c.iter().any(|c| is_field(c.path, "image"));
    shared.retain(|_, changes| is_shared(changes));
    let own = all.iter().filter(|c| !shared.contains_key(&(short_path(c), c.after, c.why)));
    let mut by_object: BTreeMap<(&str, &str), Vec<&Change<'_>>> = BTreeMap::new();
    for change in own {
        by_object.entry((change.object.kind.as_str(), change.object.name.as_str())).or_default().push(change);
    }
    let runs_another = |changes: &&Vec<&Change<'_>>| changes.iter().any(|c| is_field(c.path, "image"));
    let (images, others): (Vec<_>, Vec<_>) = by_object.values().partition(runs_another);
    let shared = shared.iter().map(|((path, after, why), changes)| shared_entry(path, (after, why), changes));
    let own = images.into_iter().chain(others).map(|changes| own_entry(changes));
    own.chain(shared).chain(decisions.iter().filter_map(noted)).collect()
}

/// What stays and is worth a line all the same.
fn noted(decision: &Decision) -> Option<Entry> {
    match decision {
        Decision::Noted { object, path, why } => {
            let path = path.strip_prefix("spec.").unwrap_or(path);
            Some(Entry::of(object.to_string()).because(format!("{path} stays"), *why))
        }
        _ => None,
    }
}

fn change(decision: &Decision) -> Option<Change<'_>> {
    match decision {
        Decision::Changed { object, path, before, after, why } => Some(Change { object, path, before, after, why }),
        _ => None,
    }
}

fn objects_of<'a>(changes: &[&Change<'a>]) -> BTreeSet<&'a ObjectName> {
    changes.iter().map(|c| c.object).collect()
}

fn shared_entry(path: &str, (after, why): (&str, &str), changes: &[&Change<'_>]) -> Entry {
    let before: BTreeSet<&str> = changes.iter().map(|c| c.before).collect();
    let before = if before.len() > 2 { "various".to_owned() } else { before.into_iter().collect::<Vec<_>>().join(" or ") };
    Entry::of(kinds(objects_of(changes))).because(phrase(path, &before, after), why)
}

/// `12 Deployments`, `11 Deployments and 1 StatefulSet`, or `14 objects` of more kinds.
fn kinds<'a>(objects: impl IntoIterator<Item = &'a ObjectName>) -> String {
    let mut by_kind: BTreeMap<&str, usize> = BTreeMap::new();
    for object in objects {
        *by_kind.entry(object.kind.as_str()).or_default() += 1;
    }
    match by_kind.iter().collect::<Vec<_>>().as_slice() {
        [(kind, count)] => plural(**count, kind),
        _ if by_kind.keys().all(|kind| matches!(*kind, "Deployment" | "StatefulSet" | "DaemonSet")) => {
            plural(by_kind.values().sum(), "workload")
        }
        _ => plural(by_kind.values().sum(), "object"),
    }
}

/// `1 Ingress`, `2 Ingresses`.
pub fn plural(count: usize, word: &str) -> String {
    let ending = match word.as_bytes() {
        _ if count == 1 => "",
        [.., b's' | b'x'] if !word.ends_with("points") => "es",
        [.., b'a' | b'e' | b'o' | b'u', b'y'] => "s",
        [.., b'y'] => return format!("{count} {}ies", word.trim_end_matches('y')),
        _ if word.ends_with("points") => "",
        _ => "s",
    };
    format!("{count} {word}{ending}")
}

/// An object with a paragraph for each change; changes that are short share one where they share the reason.
fn own_entry(changes: &[&Change<'_>]) -> Entry {
    let mut entry = Entry::of(changes.first().map(|c| c.object.to_string()).unwrap_or_default());
    let has_hosts = changes.iter().any(|c| is_field(c.path, "host"));
    // Certificates follow the hosts.
    for change in changes.iter().filter(|c| !(has_hosts && c.path.starts_with("spec.tls[") && is_field(c.path, "hosts"))) {
        let phrase = phrase(&short_path(change), change.before, change.after);
        match entry.says.last_mut().filter(|last| last.why == change.why) {
            Some(last) if last.text.len() + phrase.len() < TOGETHER_MAX => last.text = format!("{}, {phrase}", last.text),
            Some(last) => {
                let why = std::mem::take(&mut last.why);
                entry = entry.because(phrase, why);
            }
            None => entry = entry.because(phrase, change.why),
        }
    }
    let more = entry.says.len().saturating_sub(CHANGES_MAX);
    if more > 1 {
        let why = entry.says.last().map(|last| last.why.clone()).unwrap_or_default();
        entry.says.truncate(CHANGES_MAX);
        return entry.because(format!("and {more} more changes: --all shows them"), why);
    }
    entry
}

/// Whether that field is where a path ends.
fn is_field(path: &str, field: &str) -> bool {
    path.rsplit('.').next() == Some(field)
}

/// The part of a path that tells the field: `image`, `replicas`, `rules[0].host`.
fn short_path(change: &Change<'_>) -> String {
    let object = change.object.name.as_str();
    let mut path = change.path;
    for prefix in ["spec.jobTemplate.spec.template.spec.", "spec.template.spec.", "spec.template.", "spec.", "metadata."] {
        path = path.strip_prefix(prefix).unwrap_or(path);
    }
    if path.starts_with("rules[") && is_field(path, "host") {
        return "host".to_owned();
    }
    let own = format!("containers[{object}].");
    match path.strip_prefix("data[").and_then(|rest| rest.split_once(']')) {
        Some((key, line)) => format!("{key}{line}"),
        None => path.strip_prefix(&own).unwrap_or(path).to_owned(),
    }
}

fn phrase(path: &str, before: &str, after: &str) -> String {
    let named = [("annotations[", "annotation"), ("labels[", "label")].into_iter().find_map(|(list, word)| {
        let name = path.strip_prefix(list)?.strip_suffix(']')?;
        Some(format!("{word} {name}"))
    });
    let path = named.unwrap_or_else(|| path.to_owned());
    let images = is_field(&path, "image").then(|| Some((before.parse::<ImageRef>().ok()?, after.parse::<ImageRef>().ok()?))).flatten();
    match images.filter(|(old, new)| old.same_repository(new)) {
        Some((old, new)) => format!("{path} {} -> {}", version(&old), version(&new)),
        None if after == ABSENT => format!("{path} dropped"),
        None if before == ABSENT => format!("{path} added: {}", cut(after)),
        None => format!("{path} {} -> {}", cut(before), cut(after)),
    }
}

/// `web:1.8.2`: an image without where it lies.
fn version(image: &ImageRef) -> String {
    let digest = image.digest().map_or_else(String::new, |digest| format!("@{}…", digest.chars().take(15).collect::<String>()));
    let tag = image.tag().map_or_else(String::new, |tag| format!(":{tag}"));
    format!("{}{tag}{digest}", image.short_name())
}

fn cut(value: &str) -> String {
    if value.chars().count() <= VALUE_MAX {
        return value.to_owned();
    }
    value.chars().take(VALUE_MAX - 1).chain(['…']).collect()
}

/// What is left out, but for what is told elsewhere and what is made there anyway. Objects of one kind that share the
/// reason share a line.
pub fn left_out(decisions: &[Decision], told: impl Fn(&ObjectName) -> bool) -> Vec<Entry> {
    let mut groups: Vec<(&str, String, Vec<&str>)> = Vec::new();
    for (object, why) in missing(decisions).filter(|(object, _)| !told(object)) {
        match groups.iter_mut().find(|(kind, other, _)| *kind == object.kind && *other == why) {
            Some((_, _, names)) => names.push(&object.name),
            None => groups.push((&object.kind, why, vec![&object.name])),
        }
    }
    groups.into_iter().flat_map(|(kind, why, names)| group(kind, &why, &names)).collect()
}

/// Objects that an environment does not have, each with the reason.
pub fn missing(decisions: &[Decision]) -> impl Iterator<Item = (&ObjectName, String)> {
    decisions.iter().filter_map(|decision| match decision {
        Decision::LeftOut { reason: LeftOutReason::MadeByKubernetes | LeftOutReason::MadeBy(_), .. } => None,
        Decision::LeftOut { object, .. } => Some((object, decision.why())),
        _ => None,
    })
}

fn group(kind: &str, why: &str, names: &[&str]) -> Vec<Entry> {
    match names {
        [_, _, _, ..] => vec![Entry::new(plural(names.len(), kind), format!("{why}: {}", cut_list(names)))],
        _ => names.iter().map(|name| Entry::new(format!("{kind}/{name}"), why)).collect(),
    }
}

fn cut_list(names: &[&str]) -> String {
    /// More are counted.
    const SHOWN: usize = 6;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

/// `4 ConfigMaps, 11 Services`: what is copied as it is.
pub fn kept(decisions: &[Decision]) -> String {
    let mut by_kind: BTreeMap<&str, usize> = BTreeMap::new();
    for decision in decisions {
        if let Decision::Kept(object) = decision {
            *by_kind.entry(&object.kind).or_default() += 1;
        }
    }
    by_kind.into_iter().map(|(kind, count)| plural(count, kind)).collect::<Vec<_>>().join(", ")
}

/// What is made beside the copies, and what for.
pub fn added(decisions: &[Decision]) -> Vec<Entry> {
    let added = decisions.iter().filter(|decision| matches!(decision, Decision::Added { .. }));
    added.map(|decision| Entry::new(decision.object().to_string(), decision.why())).collect()
}

/// Every decision, a paragraph each.
pub fn all(decisions: &[Decision]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for decision in decisions {
        let label = decision.object().to_string();
        let (says, why) = match decision {
            Decision::Changed { path, before, after, why, .. } => (format!("{path}: {before} -> {after}"), (*why).to_owned()),
            Decision::LeftOut { .. } => (format!("left out: {}", decision.why()), String::new()),
            Decision::Kept(_) => ("as it is".to_owned(), String::new()),
            Decision::Noted { path, why, .. } => (format!("{path} stays"), (*why).to_owned()),
            Decision::Added { .. } => (format!("added: {}", decision.why()), String::new()),
        };
        let before = entries.pop_if(|entry| entry.label == label);
        entries.push(before.unwrap_or_else(|| Entry::of(label)).because(says, why));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_plurals() {
        let shown = [(1, "Ingress"), (2, "Ingress"), (2, "NetworkPolicy"), (2, "Gateway"), (3, "Endpoints"), (0, "object")];
        let shown = shown.map(|(count, word)| plural(count, word));
        assert_eq!(shown, ["1 Ingress", "2 Ingresses", "2 NetworkPolicies", "2 Gateways", "3 Endpoints", "0 objects"]);
    }

    #[test]
    fn a_change_of_an_image_shows_what_differs() {
        let digest = format!("registry.example.com/acme/web@sha256:{}", "8b".repeat(32));
        assert_eq!(phrase("image", "registry.example.com/acme/web:1", &digest), "image web:1 -> web@sha256:8b8b8b8b…");
        assert_eq!(phrase("annotations[a/b]", "x", ABSENT), "annotation a/b dropped");
        assert_eq!(phrase("labels[a/b]", "x", "y"), "label a/b x -> y");
        assert_eq!(phrase("image", "acme/a:1", "other/a:1"), "image acme/a:1 -> other/a:1");
    }
}
