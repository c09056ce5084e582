//! How a command in a container ended, by what the API server says of it. No client, no clock, no logging.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;

/// What the API server calls a command that ended with something else than 0 (`remotecommand.NonZeroExitCodeReason` of
/// k8s.io/apimachinery).
const NON_ZERO: &str = "NonZeroExitCode";
/// The cause in which it says with what.
const EXIT_CODE: &str = "ExitCode";

/// What container runtimes say of a command that is not there.
const MISSING: [&str; 3] = ["executable file not found in $PATH", "no such file or directory", "permission denied"];

/// How a command ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// It ran, and ended with that.
    Ran(u8),
    /// We were told to end before it did, and end with that.
    Told(u8),
    /// It did not begin, for the reason that is said.
    NotStarted(String),
    /// Nobody knows: the connection ended first.
    Lost(String),
}

impl Ended {
    /// What a status means.
    pub fn of(status: &Status) -> Self {
        if status.status.as_deref() == Some("Success") {
            return Self::Ran(0);
        }
        let causes = status.details.iter().flat_map(|details| details.causes.iter().flatten());
        let code =
            causes.filter(|cause| cause.reason.as_deref() == Some(EXIT_CODE)).find_map(|cause| cause.message.as_ref()?.parse::<i64>().ok());
        match code {
            // As a shell has them: the last eight bits, and never 0 for what failed.
            Some(code) if status.reason.as_deref() == Some(NON_ZERO) => {
                Self::Ran(u8::try_from(code & 0xff).ok().filter(|c| *c != 0).unwrap_or(1))
            }
            _ => Self::NotStarted(short(status.message.as_deref().unwrap_or("the API server does not say why"))),
        }
    }
}

impl Ended {
    /// Whether the container's image does not have the command, or not as something that can be run.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Ran(code) => matches!(code, 126 | 127),
            Self::NotStarted(why) => MISSING.contains(&why.as_str()),
            Self::Told(_) | Self::Lost(_) => false,
        }
    }
}

/// The last part of what every layer from the API server to the container runtime has put its own words before.
fn short(message: &str) -> String {
    let message = message.trim().trim_end_matches(": unknown");
    MISSING.iter().find(|words| message.contains(**words)).map_or_else(|| message.to_owned(), |words| (*words).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(status: Value) -> Ended {
        Ended::of(&serde_json::from_value(status).unwrap())
    }

    #[test]
    fn the_code_of_the_command_is_passed_on() {
        let failed = |reason: &str, code: &str| {
            json!({"status": "Failure", "reason": reason, "message": "command terminated with non-zero exit code",
                "details": {"causes": [{"reason": "ExitCode", "message": code}]}})
        };
        assert_eq!(of(json!({"status": "Success"})), Ended::Ran(0));
        for (code, passed_on) in [("7", 7), ("137", 137), ("256", 1), ("-1", 255)] {
            assert_eq!(of(failed("NonZeroExitCode", code)), Ended::Ran(passed_on), "{code}");
        }
        assert!(matches!(of(failed("InternalError", "7")), Ended::NotStarted(_)));
        assert!(matches!(of(failed("NonZeroExitCode", "many")), Ended::NotStarted(_)));
    }

    #[test]
    fn a_shell_that_is_not_there_is_told_from_a_container_that_is_not() {
        let not = |why: &str| Ended::NotStarted(why.into()).is_missing();
        assert!(not("no such file or directory") && Ended::Ran(127).is_missing());
        assert!(!not("container not found") && !Ended::Ran(1).is_missing() && !Ended::Lost("closed".into()).is_missing());
    }

    #[test]
    fn what_did_not_begin_says_why_in_few_words() {
        let runc = "Internal error occurred: error executing command in container: failed to exec in container: failed to start exec \"x\": \
                    OCI runtime exec failed: exec failed: unable to start container process: exec: \"bash\": executable file not found in $PATH: unknown";
        let told = |message: &str| of(json!({"status": "Failure", "reason": "InternalError", "code": 500, "message": message}));
        assert_eq!(told(runc), Ended::NotStarted("executable file not found in $PATH".into()));
        assert_eq!(told("container not found (\"web\")"), Ended::NotStarted("container not found (\"web\")".into()));
        assert_eq!(of(json!({"status": "Failure"})), Ended::NotStarted("the API server does not say why".into()));
    }
}
