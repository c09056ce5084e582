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
    /// A field stays, or goes without saying, and somebody should know.
    Noted {
        /// The object.
        object: ObjectName,
        /// Path of the field.
        path: String,
        /// What to know.
        why: &'static str,
    },
    /// It is in the environment alone: no baseline has it.
    Added {
        /// The object.
        object: ObjectName,
        /// What it is for.
        why: String,
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
    /// Its kind is not cloned, for this reason: a clause about one object.
    KindNotCloned(&'static str),
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
    /// The API server would refuse it or its pods.
    NotAdmitted {
        /// Why, with the path of the field.
        why: String,
        /// What mends it.
        mend: String,
    },
    /// Anything else, as a sentence.
    Because(String),
}

impl Decision {
    /// The object that was decided on.
    pub fn object(&self) -> &ObjectName {
        match self {
            Self::Kept(object)
            | Self::Changed { object, .. }
            | Self::Noted { object, .. }
            | Self::Added { object, .. }
            | Self::LeftOut { object, .. } => object,
        }
    }

    /// The reason as people read it, without a full stop.
    pub fn why(&self) -> String {
        match self {
            Self::Kept(_) => "as in the baseline".to_owned(),
            Self::Changed { why, .. } | Self::Noted { why, .. } => (*why).to_owned(),
            Self::Added { why, .. } => why.clone(),
            Self::LeftOut { reason, .. } => reason.sentence(),
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
            Self::Noted { object, path, why } => write!(f, "{object} {path}: {why}"),
            Self::Added { object, why } => write!(f, "{object} added: {why}"),
            Self::LeftOut { object, .. } => write!(f, "{object} left out: {}", self.why()),
        }
    }
}

impl LeftOutReason {
    /// The reason as people read it: a clause about the object.
    pub fn sentence(&self) -> String {
        match self {
            Self::KindNotCloned(why) => (*why).to_owned(),
            Self::MadeByKubernetes => "is there in every namespace anyway".to_owned(),
            Self::MadeBy(owner) => format!("is made anew by {owner}"),
            Self::Refused { path, what } => format!("asks for {what} ({path})"),
            Self::NotAdmitted { why, .. } => why.clone(),
            Self::Because(sentence) => sentence.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_field() {
        let reason = LeftOutReason::Refused { path: "spec.template.spec.hostPID".into(), what: "the node's processes" };
        assert_eq!(reason.sentence(), "asks for the node's processes (spec.template.spec.hostPID)");
    }
}
