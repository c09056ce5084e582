//! What a check came to: well, not well, or not looked at. No client, no clock, no logging.

use std::fmt;

use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// Something does not work, or is not as safe as it should be.
    Failure,
    /// Nobody can say from here.
    NotChecked,
}

impl Verdict {
    /// As a person reads it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
            Self::NotChecked => "not checked",
        }
    }
}

/// What one check came to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// What was looked at: the same word for the same check, for scripts too.
    pub check: &'static str,
    /// The Baseline's namespace, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// How it ended.
    pub result: Verdict,
    /// What is so, as a sentence without a full stop.
    pub message: String,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Finding {
    fn new(check: &'static str, result: Verdict, message: impl Into<String>) -> Self {
        Self { check, about: None, result, message: message.into(), mend: None }
    }

    /// All is well.
    pub fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, message)
    }

    /// Somebody should look at it.
    pub fn warning(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warning, message)
    }

    /// It does not work.
    pub fn failure(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Verdict::Failure, message)
    }

    /// Nobody can say, and why.
    pub fn not_checked(check: &'static str, why: &Unseen) -> Self {
        Self::new(check, Verdict::NotChecked, why.to_string())
    }

    /// With what mends it.
    pub fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }

    /// Of that Baseline's namespace.
    pub fn about(self, namespace: impl Into<String>) -> Self {
        Self { about: Some(namespace.into()), ..self }
    }
}

/// Why something is not known, as a sentence without a full stop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unseen(pub String);

impl Unseen {
    /// For that reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something that was looked at, or why it was not.
pub type Fact<T> = Result<T, Unseen>;

/// The first of some names, and how many more there are.
pub fn some_of<T: fmt::Display>(all: &[T], at_most: usize) -> String {
    let shown: Vec<String> = all.iter().take(at_most).map(T::to_string).collect();
    match all.len().saturating_sub(at_most) {
        0 => shown.join(", "),
        more => format!("{}, and {more} more", shown.join(", ")),
    }
}
