//! What the forge said of the repositories that Baselines list, for their status. No client, no clock, no logging: it is
//! asked in `lookup/`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::api::baseline::{ForgeKind, Repository as Listed, RepositoryStatus};
use crate::domain::Baseline;
use crate::domain::RepoName;
use crate::domain::baseline::Repository;
use crate::forge::RepositoryFacts;

/// One repository of one Baseline.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Key {
    namespace: String,
    forge: ForgeKind,
    name: String,
}

impl Key {
    /// Of a repository that a Baseline lists.
    pub fn of(baseline: &Baseline, repository: &Repository) -> Self {
        Self { namespace: baseline.namespace.clone(), forge: repository.forge, name: repository.name.as_str().to_owned() }
    }
}

/// What the forge said of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found(RepositoryFacts);

impl Found {
    /// That of an answer.
    pub const fn of(facts: RepositoryFacts) -> Self {
        Self(facts)
    }
}

/// The answers, as far as there are any since this replica leads.
#[derive(Debug, Default)]
pub struct Repositories {
    found: Mutex<HashMap<Key, Found>>,
}

impl Repositories {
    /// Forgets every answer.
    pub fn forget(&self) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Keeps an answer, and says whether it is news.
    pub fn put(&self, key: Key, found: Found) -> bool {
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = all.get(&key) != Some(&found);
        all.insert(key, found);
        is_news
    }

    /// What a Baseline's status says of its repositories from now on, and what a person has to know.
    ///
    /// A number that is recorded stays: whoever gets hold of the name of a repository that moved must not get its
    /// environments. Taking the entry out of the Baseline and putting it in again makes room for another.
    pub fn statuses(&self, namespace: &str, listed: &[Listed], recorded: &[RepositoryStatus]) -> (Vec<RepositoryStatus>, Vec<String>) {
        let all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut statuses, mut warnings) = (Vec::with_capacity(listed.len()), Vec::new());
        for Listed { forge, name, .. } in listed {
            let found = all.get(&Key { namespace: namespace.to_owned(), forge: *forge, name: name.clone() }).map(|Found(facts)| facts);
            let before = recorded.iter().find(|r| r.forge == *forge && r.name == *name);
            match (found, before) {
                (Some(facts), Some(before)) if facts.id != before.id => {
                    warnings.push(format!(
                        "{name} is another repository now (number {}, not {}), and nothing of it is previewed; if that is meant, take its \
                         entry out of spec.repositories and put it in again",
                        facts.id, before.id
                    ));
                    statuses.push(before.clone());
                }
                (Some(facts), _) => statuses.push(status(*forge, name, facts)),
                (None, before) => statuses.extend(before.cloned()),
            }
        }
        (statuses, warnings)
    }
}

fn status(forge: ForgeKind, name: &str, facts: &RepositoryFacts) -> RepositoryStatus {
    let is_same = name.parse::<RepoName>().is_ok_and(|listed| listed == facts.name);
    let renamed = (!is_same).then(|| facts.name.as_str().to_owned());
    RepositoryStatus { forge, name: name.to_owned(), id: facts.id, renamed, private: facts.private }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts(id: i64, name: &str, private: bool) -> Found {
        Found::of(RepositoryFacts { id, name: name.parse().unwrap(), private })
    }

    fn key(name: &str) -> Key {
        Key { namespace: "shop".into(), forge: ForgeKind::Github, name: name.into() }
    }

    fn listed(names: &[&str]) -> Vec<Listed> {
        names.iter().map(|name| serde_json::from_value(json!({ "name": name })).unwrap()).collect()
    }

    fn known(id: i64, renamed: Option<&str>) -> RepositoryStatus {
        RepositoryStatus { forge: ForgeKind::Github, name: "acme/web".into(), id, renamed: renamed.map(str::to_owned), private: false }
    }

    #[test]
    fn a_rename_keeps_the_number_and_says_the_name() {
        let repositories = Repositories::default();
        assert!(repositories.put(key("acme/web"), facts(7, "Acme/Web", false)));
        assert!(!repositories.put(key("acme/web"), facts(7, "Acme/Web", false)), "no news");
        assert_eq!(repositories.statuses("shop", &listed(&["acme/web"]), &[]), (vec![known(7, None)], vec![]));
        repositories.put(key("acme/web"), facts(7, "other/shop", true));
        let (statuses, warnings) = repositories.statuses("shop", &listed(&["acme/web"]), &[known(7, None)]);
        assert_eq!((statuses[0].renamed.as_deref(), statuses[0].private, warnings.len()), (Some("other/shop"), true, 0));
        assert!(repositories.statuses("other", &listed(&["acme/web"]), &[]).0.is_empty(), "each Baseline by itself");
    }

    #[test]
    fn whoever_takes_a_name_does_not_take_the_number() {
        let repositories = Repositories::default();
        repositories.put(key("acme/web"), facts(8, "acme/web", false));
        let (statuses, warnings) = repositories.statuses("shop", &listed(&["acme/web"]), &[known(7, None)]);
        assert_eq!(statuses, [known(7, None)]);
        assert!(warnings[0].starts_with("acme/web is another repository now (number 8, not 7)"), "{warnings:?}");
    }

    #[test]
    fn what_is_known_stays_until_it_is_not_listed_any_more() {
        let (nothing, before) = (Repositories::default(), [known(7, Some("acme/site"))]);
        assert_eq!(nothing.statuses("shop", &listed(&["acme/api", "acme/web"]), &before).0, before);
        assert!(nothing.statuses("shop", &listed(&["acme/api"]), &before).0.is_empty());
    }
}
