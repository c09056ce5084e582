//! Why an object looks as it does in an environment, and how to say it.

use std::fmt;

use super::manifest::ObjectName;

/// Stands in `before` or `after` of a change for a field that is not there.
pub const ABSENT: &str = "(none)";

/// Why an object of the baseline looks as it does in the environment.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It is copied as it is, but for what the server sets.
    Kept(ObjectName),
    /// A field differs.
    Changed {
        /// The object.
        object: ObjectName,
        /// Path of the field, such as `spec.template.spec.containers[web].image`.
        path: String,
        /// What the baseline has.
        before: String,
        /// What the environment gets.
        after: String,
        /// The rule that says so.
        why: &'static str,
    },
    /// It is not in the environment.
    LeftOut {
        /// The object.
        object: ObjectName,
        /// Why not.
        reason: LeftOutReason,
    },
}

/// Why an object is left out.
#[derive(Clone, Debug, PartialEq)]
pub enum LeftOutReason {
    /// Its kind is not cloned.
    KindNotCloned,
    /// It is there in every namespace, made by Kubernetes.
    MadeByKubernetes,
    /// The object named makes it anew.
    MadeBy(String),
    /// Something that a preview must not have, with the path of the field.
    Refused {
        /// Path of the field.
        path: String,
        /// What it asks for.
        what: &'static str,
    },
    /// Anything else, as a sentence.
    Because(String),
}

impl Decision {
    /// The object that was decided on.
    pub fn object(&self) -> &ObjectName {
        match self {
            Self::Kept(object) | Self::Changed { object, .. } | Self::LeftOut { object, .. } => object,
        }
    }

    /// The reason as people read it, without a full stop.
    pub fn why(&self) -> String {
        match self {
            Self::Kept(_) => "as in the baseline".to_owned(),
            Self::Changed { why, .. } => (*why).to_owned(),
            Self::LeftOut { object, reason } => reason.sentence(&object.kind),
        }
    }

    /// Whether the object is not in the environment.
    pub fn is_left_out(&self) -> bool {
        matches!(self, Self::LeftOut { .. })
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept(object) => write!(f, "{object} kept"),
            Self::Changed { object, path, before, after, why } => write!(f, "{object} {path}: {before} -> {after} ({why})"),
            Self::LeftOut { object, .. } => write!(f, "{object} left out: {}", self.why()),
        }
    }
}

impl LeftOutReason {
    /// The reason as people read it, for an object of that kind.
    pub fn sentence(&self, kind: &str) -> String {
        match self {
            Self::KindNotCloned => format!("{} are not cloned yet", plural(kind)),
            Self::MadeByKubernetes => "is there in every namespace anyway".to_owned(),
            Self::MadeBy(owner) => format!("is made anew by {owner}"),
            Self::Refused { path, what } => format!("asks for {what} ({path})"),
            Self::Because(sentence) => sentence.clone(),
        }
    }
}

/// The plural of a kind, by the rules of English spelling.
fn plural(kind: &str) -> String {
    let consonant_y = kind.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match consonant_y {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with("points") => kind.to_owned(),
        None if kind.ends_with(['s', 'x']) => format!("{kind}es"),
        None => format!("{kind}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_sentences() {
        for (kind, says) in [
            ("DaemonSet", "DaemonSets are not cloned yet"),
            ("NetworkPolicy", "NetworkPolicies are not cloned yet"),
            ("Gateway", "Gateways are not cloned yet"),
            ("IngressClass", "IngressClasses are not cloned yet"),
            ("Endpoints", "Endpoints are not cloned yet"),
        ] {
            let object = ObjectName { api_version: "v1".into(), kind: kind.into(), name: "x".into() };
            assert_eq!(Decision::LeftOut { object, reason: LeftOutReason::KindNotCloned }.why(), says);
        }
    }

    #[test]
    fn a_refusal_names_the_field() {
        let reason = LeftOutReason::Refused { path: "spec.template.spec.hostPID".into(), what: "the node's processes" };
        assert_eq!(reason.sentence("Deployment"), "asks for the node's processes (spec.template.spec.hostPID)");
    }
}
