//! The kinds of the Kubernetes API, where each is found there, and in [`KINDS`] what is done with each. No client, no
//! clock, no logging.
//!
//! Every kind that Kubernetes itself has in namespaces is in the table, with a reason where it is not cloned. A test
//! compares the table with the API server's own list.

mod table;

use std::borrow::Cow;
use std::fmt;

use kube::core::{ApiResource, GroupVersionKind};

pub use table::KINDS;

/// One kind of the Kubernetes API. Those of the table are known when the program is built, those of custom resources
/// when the API server was asked.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Kind {
    /// Such as `apps/v1`.
    pub api_version: Cow<'static, str>,
    /// Such as `Deployment`.
    pub kind: Cow<'static, str>,
    /// Such as `deployments`.
    pub plural: Cow<'static, str>,
}

/// A kind of the table, and what is done with its objects.
#[derive(Debug)]
pub struct Known {
    /// The kind.
    pub kind: Kind,
    /// What is done with its objects.
    pub treatment: Treatment,
    /// Whether it is installed beside Kubernetes, by a CustomResourceDefinition.
    pub installed: bool,
}

/// What is done with the objects of a kind in a baseline. A reason is a clause about one object: "it ...".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Treatment {
    /// They are cloned.
    Cloned(Stage),
    /// They are cloned where the Baseline asks for it; otherwise they are left out for this reason.
    OptIn(Stage, &'static str),
    /// Those that the Baseline lists by name are cloned.
    Listed(Stage),
    /// They are named as left out, for this reason.
    LeftOut(&'static str),
    /// Nobody looks at them, for this reason.
    Unread(&'static str),
}

/// When a kind is made in an environment: a stage begins when the one before it was applied.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Stage {
    /// What pods mount, run as and are reached by.
    Needed,
    /// What runs pods, and what refers to the stage before.
    Workloads,
    /// Custom resources, whose operators may look at everything else.
    Custom,
}

/// How many stages there can be.
pub const STAGES: usize = 3;

/// How objects of a kind in a baseline are read.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reading {
    /// Watched whole: they are cloned.
    Whole,
    /// Listed by their metadata now and then: they are only named as left out.
    NameOnly,
    /// Got one by one, by the names that the Baseline lists.
    ByName,
    /// Not read.
    Never,
}

impl Treatment {
    /// How objects are read that are treated so.
    pub const fn reading(self) -> Reading {
        match self {
            Self::Cloned(_) | Self::OptIn(..) => Reading::Whole,
            Self::Listed(_) => Reading::ByName,
            Self::LeftOut(_) => Reading::NameOnly,
            Self::Unread(_) => Reading::Never,
        }
    }

    /// When objects are made that are cloned, if any can be.
    pub const fn stage(self) -> Option<Stage> {
        match self {
            Self::Cloned(stage) | Self::OptIn(stage, _) | Self::Listed(stage) => Some(stage),
            Self::LeftOut(_) | Self::Unread(_) => None,
        }
    }
}

impl Known {
    /// The entry of a kind, in whatever version of its group. The group counts: a Knative `Service` is not a `Service`.
    pub fn find(group: &str, kind: &str) -> Option<&'static Self> {
        KINDS.iter().find(|known| known.kind.kind == kind && known.kind.group() == group)
    }
}

impl Kind {
    /// A kind that is known when the program is built.
    pub const fn new(api_version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        Self { api_version: Cow::Borrowed(api_version), kind: Cow::Borrowed(kind), plural: Cow::Borrowed(plural) }
    }

    /// The kind of the table with that name and API version.
    pub fn find(api_version: &str, kind: &str) -> Option<&'static Self> {
        KINDS.iter().map(|known| &known.kind).find(|known| known.kind == kind && known.api_version == api_version)
    }

    /// The group, empty for the core group.
    pub fn group(&self) -> &str {
        group_of(&self.api_version)
    }

    /// The version in its group.
    pub fn version(&self) -> &str {
        self.api_version.rsplit('/').next().unwrap_or_default()
    }

    /// For kube's dynamic API.
    pub fn resource(&self) -> ApiResource {
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(self.group(), self.version(), &self.kind), &self.plural)
    }

    /// The path of its collection in a namespace.
    pub fn path(&self, namespace: &str) -> String {
        let root = if self.group().is_empty() { "api" } else { "apis" };
        format!("/{root}/{}/namespaces/{namespace}/{}", self.api_version, self.plural)
    }
}

/// As people write it where the group matters: `databases.example.com` in full, `configmaps` for the core group.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.group().is_empty() { "" } else { "." };
        write!(f, "{}{dot}{}", self.plural, self.group())
    }
}

/// The group of an API version, empty for the core group.
pub fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn paths_are_those_of_the_api_server() {
        let path = |version, kind| Kind::find(version, kind).unwrap().path("shop");
        assert_eq!(path("apps/v1", "Deployment"), "/apis/apps/v1/namespaces/shop/deployments");
        assert_eq!(path("v1", "Secret"), "/api/v1/namespaces/shop/secrets");
        assert_eq!(Kind::find("v1", "Service").unwrap().resource().api_version, "v1");
        assert_eq!(Kind::find("apps/v1", "Deployment").unwrap().to_string(), "deployments.apps");
        assert_eq!(Kind::find("v1", "Pod").unwrap().to_string(), "pods");
    }

    #[test]
    fn no_kind_is_decided_twice() {
        let mut seen = HashSet::new();
        assert!(KINDS.iter().all(|known| seen.insert((known.kind.group(), &known.kind.kind))));
    }

    /// The line of a kind in docs/kinds.md.
    fn line(known: &Known) -> String {
        let group = if known.kind.group().is_empty() { "core" } else { known.kind.group() };
        let what = match known.treatment {
            Treatment::Cloned(_) => "cloned".to_owned(),
            Treatment::Listed(_) => "cloned where `clone.secrets` lists it".to_owned(),
            Treatment::OptIn(_, why) => format!("by opt in; else left out: it {why}"),
            Treatment::LeftOut(why) => format!("left out: it {why}"),
            Treatment::Unread(why) => format!("not looked at: it {why}"),
        };
        format!("| {} | {group} | {what} |", known.kind.kind)
    }

    #[test]
    fn the_table_is_documented_as_it_is() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/kinds.md");
        let text = std::fs::read_to_string(path).unwrap();
        let expected: Vec<String> = KINDS.iter().map(line).collect();
        let written: Vec<&str> = text.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| kind ")).collect();
        assert_eq!(written, expected, "docs/kinds.md should hold:\n{}", expected.join("\n"));
    }

    #[test]
    fn reasons_are_clauses_about_one_object() {
        for known in KINDS {
            if let Treatment::OptIn(_, why) | Treatment::LeftOut(why) | Treatment::Unread(why) = known.treatment {
                assert!(why.starts_with(|c: char| c.is_ascii_lowercase()) && !why.ends_with('.'), "{}: {why}", known.kind);
            }
        }
    }
}
