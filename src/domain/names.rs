//! Names of environments, namespaces and hosts: valid, distinct for distinct things, and the same each time.

use std::fmt;

use super::RepoName;
use super::slug::{LABEL_MAX, Slug, hash8};
use crate::api::baseline::ForgeKind;

const HASH_LEN: usize = 8;
/// Longest slug of a branch in a name, so that alias, slug and hash fit into a label.
const BRANCH_SLUG_MAX: usize = 20;

/// What an environment is for.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Subject {
    /// A pull request, by number.
    Pull(i64),
    /// A branch, by name.
    Branch(String),
}

impl Subject {
    /// As people write it behind a repository's name: `#42` or `@feature/login`.
    pub fn suffix(&self) -> String {
        match self {
            Self::Pull(number) => format!("#{number}"),
            Self::Branch(name) => format!("@{name}"),
        }
    }
}

/// Everything that tells one environment from all others.
#[derive(Clone, Debug)]
pub struct Identity<'a> {
    /// The forge.
    pub forge: ForgeKind,
    /// The repository as the Baseline spells it, so that a rename on the forge does not change the name.
    pub repository: &'a RepoName,
    /// What the Baseline calls the repository.
    pub alias: &'a str,
    /// The pull request or branch.
    pub subject: &'a Subject,
    /// The namespace of the Baseline.
    pub baseline_namespace: &'a str,
}

/// Name of a PreviewEnvironment: one DNS label.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct EnvironmentName(String);

impl EnvironmentName {
    /// `<alias>-pr-<n>`, or `<alias>-<slug of the branch>-<hash>`. The two cannot meet: one ends in a digit, the
    /// other in a letter.
    pub fn of(identity: &Identity<'_>) -> Self {
        let alias = identity.alias;
        Self(match identity.subject {
            Subject::Pull(number) => format!("{alias}-pr-{number}"),
            Subject::Branch(branch) => {
                format!("{alias}-{}-{}", Slug::new(branch, BRANCH_SLUG_MAX), identity_hash(identity))
            }
        })
    }

    /// A name that is recorded already.
    pub fn recorded(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn identity_hash(identity: &Identity<'_>) -> String {
    let (kind, subject) = match identity.subject {
        Subject::Pull(number) => ("pull", number.to_string()),
        Subject::Branch(branch) => ("branch", branch.clone()),
    };
    hash8(&[identity.forge.as_str(), &identity.repository.folded(), kind, &subject, identity.baseline_namespace])
}

/// The two names that a namespace can have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamespaceNames {
    /// `<baseline's namespace>-<environment>`, or the hashed form where that is too long.
    pub preferred: String,
    /// With the hash, for when somebody else holds the preferred one.
    pub hashed: String,
}

/// The namespaces that an environment can live in.
pub fn namespace_names(baseline_namespace: &str, environment: &EnvironmentName) -> NamespaceNames {
    let plain = format!("{baseline_namespace}-{environment}");
    let hashed = with_hash(&plain, &["namespace", baseline_namespace, environment.as_str()]);
    NamespaceNames { preferred: if plain.len() <= LABEL_MAX { plain } else { hashed.clone() }, hashed }
}

/// The first label of a host. `host_label` is the first label of the baseline's host, absent for its first host.
pub fn host_label(environment: &EnvironmentName, host_label: Option<&str>) -> String {
    let plain = match host_label {
        Some(label) => format!("{}-{environment}", Slug::new(label, LABEL_MAX)),
        None => environment.to_string(),
    };
    if plain.len() <= LABEL_MAX { plain } else { with_hash(&plain, &["host", &plain]) }
}

/// The same host label with a hash of the whole identity, for when somebody else holds the plain one.
pub fn hashed_host_label(plain: &str, baseline_namespace: &str, environment: &EnvironmentName) -> String {
    with_hash(plain, &["host", plain, baseline_namespace, environment.as_str()])
}

fn with_hash(plain: &str, parts: &[&str]) -> String {
    let kept: String = plain.chars().take(LABEL_MAX - HASH_LEN - 1).collect();
    format!("{}-{}", kept.trim_end_matches('-'), hash8(parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::slug::is_dns_label;
    use proptest::prelude::*;

    fn name(alias: &str, repository: &str, subject: &Subject, namespace: &str) -> EnvironmentName {
        let repository: RepoName = repository.parse().unwrap();
        EnvironmentName::of(&Identity { forge: ForgeKind::Github, repository: &repository, alias, subject, baseline_namespace: namespace })
    }

    #[test]
    fn names_read_like_what_they_are_for() {
        let pull = name("web", "acme/web", &Subject::Pull(42), "shop");
        assert_eq!(pull.as_str(), "web-pr-42");
        assert_eq!(namespace_names("shop", &pull).preferred, "shop-web-pr-42");
        assert_eq!(host_label(&pull, Some("api")), "api-web-pr-42");
        let branch = name("web", "acme/web", &Subject::Branch("feature/login".into()), "shop");
        assert!(branch.as_str().starts_with("web-feature-login-"), "{branch}");
    }

    fn subjects() -> impl Strategy<Value = Subject> {
        prop_oneof![(1..i64::from(u32::MAX)).prop_map(Subject::Pull), "[ -~]{1,80}".prop_map(Subject::Branch)]
    }

    type Tuple = (String, String, Subject, String);

    fn tuples() -> impl Strategy<Value = Tuple> {
        ("[a-z]([a-z0-9-]{0,28}[a-z0-9])?", "[a-z]{1,4}/[a-z]{1,4}", subjects(), "[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
    }

    fn named((alias, repository, subject, namespace): &Tuple) -> EnvironmentName {
        name(alias, repository, subject, namespace)
    }

    proptest! {
        #[test]
        fn every_name_is_valid_and_stable(tuple in tuples(), label in "[a-z0-9.-]{1,80}") {
            let environment = named(&tuple);
            let namespaces = namespace_names(&tuple.3, &environment);
            let host = host_label(&environment, Some(&label));
            let names = [environment.to_string(), namespaces.preferred, namespaces.hashed, hashed_host_label(&host, &tuple.3, &environment), host];
            for name in names {
                prop_assert!(is_dns_label(&name), "{name}");
            }
            prop_assert_eq!(&environment, &named(&tuple));
        }

        // Within one Baseline an alias stands for one repository, so tuples that differ in repository have another alias.
        #[test]
        fn different_subjects_have_different_names(alias in "[a-z]{1,3}(-pr-[0-9]{1,2})?", a in subjects(), b in subjects(), other in "[a-z]{1,3}(-pr)?(-[0-9])?[a-z]") {
            prop_assume!(a != b);
            prop_assert_ne!(name(&alias, "acme/web", &a, "shop"), name(&alias, "acme/web", &b, "shop"));
            prop_assume!(alias != other);
            prop_assert_ne!(name(&alias, "acme/web", &a, "shop"), name(&other, "acme/api", &a, "shop"));
        }

        #[test]
        fn hashed_namespaces_differ_where_plain_ones_meet(left in "[a-z]{1,5}", middle in "[a-z]{1,5}", n in 1i64..99) {
            // Baseline `a-b` with alias `c` and Baseline `a` with alias `b-c` want one namespace.
            let (one, two) = (format!("{left}-{middle}"), left.clone());
            let first = name("web", "acme/web", &Subject::Pull(n), &one);
            let second = name(&format!("{middle}-web"), "acme/web", &Subject::Pull(n), &two);
            let (first, second) = (namespace_names(&one, &first), namespace_names(&two, &second));
            prop_assert_eq!(first.preferred, second.preferred);
            prop_assert_ne!(first.hashed, second.hashed);
        }
    }
}
