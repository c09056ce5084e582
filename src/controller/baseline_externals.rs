//! What a baseline's configuration names outside its namespace, for its status. Found once for each change of what it
//! holds: reading every text of a namespace takes longer than all the rest of a status. No client, no logging.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::baseline_cache::Contents;
use super::baselines::Seen;
use crate::api::baseline::External;
use crate::domain::Baseline;
use crate::plan::{self, ExternalUse, Inside};

/// How many hosts a status names. Ours: whoever has more looks at `preview plan`, which names all.
const MOST_HOSTS: usize = 50;
/// How many places it names for each.
const MOST_PLACES: usize = 5;

/// What was found last in each namespace, with what it was found in.
#[derive(Debug, Default)]
pub struct Memo(HashMap<String, (u64, Vec<External>)>);

impl Memo {
    /// The hosts outside that a Baseline's namespace names.
    pub fn externals(&mut self, namespace: &str, seen: &Seen) -> Vec<External> {
        let (Ok(baseline), Some(contents)) = (&seen.parsed, &seen.contents) else { return Vec::new() };
        let version = version(baseline, contents);
        if let Some((_, known)) = self.0.get(namespace).filter(|(known, _)| *known == version) {
            return known.clone();
        }
        let found = externals(baseline, contents);
        self.0.insert(namespace.to_owned(), (version, found.clone()));
        found
    }
}

/// Tells one state of a namespace from another.
pub(super) fn version(baseline: &Baseline, contents: &Contents) -> u64 {
    let mut hasher = DefaultHasher::new();
    (baseline.uid.as_str(), baseline.generation).hash(&mut hasher);
    for object in &contents.objects {
        (object.kind(), object.text("/metadata/uid"), object.text("/metadata/resourceVersion")).hash(&mut hasher);
    }
    hasher.finish()
}

fn externals(baseline: &Baseline, contents: &Contents) -> Vec<External> {
    let egress = baseline.isolation.network.as_ref().map(|network| network.egress.as_slice());
    let inside = Inside::new(&baseline.namespace, &baseline.rewrite.cluster_domain, &contents.objects).with_egress(egress);
    plan::externals(&contents.objects, &inside).into_iter().take(MOST_HOSTS).map(shown).collect()
}

fn shown(external: plan::External) -> External {
    let place = |usage: &ExternalUse| format!("{} {}", usage.object, usage.path);
    External {
        host: external.host,
        port: external.port.map(i32::from),
        kind: external.kind,
        used_by: external.used_by.iter().take(MOST_PLACES).map(place).collect(),
        reach: Some(external.reach),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::api;
    use crate::api::baseline::Reach;
    use crate::plan::Manifest;

    fn seen(value: &str, version: &str) -> Seen {
        let spec = json!({"repositories": [{"name": "acme/web"}]});
        let mut object = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        let config =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "resourceVersion": version}, "data": {"X": value}});
        Seen {
            parsed: Baseline::try_from(&object).map(Arc::new),
            policies_error: None,
            object: Arc::new(object),
            other: None,
            contents: Some(Contents { objects: vec![Manifest::new(config)], ..Contents::default() }),
            errors: vec![],
            problems: vec![],
            unlisted: 0,
        }
    }

    #[test]
    fn hosts_are_found_anew_only_after_a_change() {
        let mut memo = Memo::default();
        let mut hosts = |seen: &Seen| memo.externals("shop", seen).into_iter().map(|e| e.host).collect::<Vec<_>>();
        assert_eq!(hosts(&seen("https://a.example.org", "1")), ["a.example.org"]);
        assert_eq!(hosts(&seen("https://b.example.org", "1")), ["a.example.org"], "the same version is the same object");
        assert_eq!(hosts(&seen("https://b.example.org", "2")), ["b.example.org"]);
    }

    #[test]
    fn a_status_says_where() {
        let found = Memo::default().externals("shop", &seen("https://a.example.org:8443/x", "1"));
        assert_eq!((found[0].port, found[0].used_by.as_slice()), (Some(8443), &["ConfigMap/c data[X]".to_owned()][..]));
        assert_eq!(found[0].reach, Some(Reach::Closed), "environments are isolated unless the Baseline says otherwise");
    }
}
