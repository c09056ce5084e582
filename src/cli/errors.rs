//! How a command ends: an exit code that scripts can use, and for people what is wrong and what to do next.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::output::clean;

/// Exit codes. Scripts read them, so they never change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// It is done.
    Done = 0,
    /// Something went wrong that no other code names.
    Failed = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// What was named is not there.
    NotFound = 3,
    /// The environment cannot become ready without a person.
    CannotBeReady = 4,
    /// It did not happen in time.
    TimedOut = 5,
}

/// The exit codes as `--help` shows them.
pub const EXIT_CODES: &str = "Exit codes:
  0  done
  1  error
  2  the command line cannot be understood
  3  not found: the environment, Baseline, repository, pull request or branch
  4  the environment cannot become ready: stalled, refused, from a fork, closed
  5  time-out";

/// A command that did not do what it was asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong, without `error:`.
    pub message: String,
    /// What the reader can do, one line each.
    pub next: Vec<String>,
}

impl Failure {
    /// A failure without advice.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), next: Vec::new() }
    }

    /// A failure that no other exit code names.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Adds a line of advice.
    pub fn next(mut self, line: impl Into<String>) -> Self {
        self.next.push(line.into());
        self
    }

    /// The failure as it is printed, with a coloured `error:` where that is wanted. What others wrote is made plain.
    pub fn render(&self, colour: bool) -> String {
        let label = if colour { "\u{1b}[1;31merror:\u{1b}[0m" } else { "error:" };
        let mut text = format!("{label} {}", clean(&self.message));
        for line in &self.next {
            text.push_str("\n  ");
            text.push_str(&clean(line));
        }
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl Error for Failure {}

/// A request to the API server, as an error names it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The verb of the right that it needs, such as `list`.
    pub verb: &'static str,
    /// The resource, such as `baselines`.
    pub resource: &'a str,
    /// The namespace, or every one.
    pub namespace: Option<&'a str>,
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.verb, self.resource)?;
        match self.namespace {
            Some(namespace) => write!(f, "in namespace {namespace}"),
            None => f.write_str("in every namespace"),
        }
    }
}

/// The cluster that was asked, as an error names it.
#[derive(Clone, Debug)]
pub struct Place {
    /// URL of its API server.
    pub url: String,
    /// The kubeconfig's context, where there is one.
    pub context: Option<String>,
}

impl Place {
    /// The API server did not answer in time.
    pub fn silent(&self, asked: &Asked<'_>, limit: Duration) -> Failure {
        let seconds = limit.as_secs();
        self.advise(Failure::failed(format!("cannot {asked}: the cluster at {} did not answer in {seconds} s", self.url)))
    }

    /// What an error of the client means.
    pub fn failure(&self, asked: &Asked<'_>, error: &kube::Error) -> Failure {
        match error {
            kube::Error::Api(status) => self.refusal(asked, status),
            kube::Error::SerdeError(why) => Failure::failed(format!("cannot read what the cluster answered to {asked}: {why}"))
                .next("the kinds in the cluster may be newer than this preview: compare with preview version, and update it"),
            kube::Error::Auth(_) => Failure::failed(format!("cannot log in to the cluster at {}: {}", self.url, root_cause(error)))
                .next("log in again, or choose another --context"),
            _ => self.advise(Failure::failed(format!("cannot reach the cluster at {}: {}", self.url, root_cause(error)))),
        }
    }

    fn refusal(&self, asked: &Asked<'_>, status: &kube::core::Status) -> Failure {
        match status.code {
            401 => Failure::failed(format!("the cluster at {} does not accept your credentials", self.url))
                .next("log in again, or choose another --context"),
            403 => Failure::failed(format!("you may not {asked}: {}", status.message))
                .next(format!("ask whoever runs the cluster for the right to {asked} (API group {})", crate::api::GROUP)),
            404 if !names_an_object(status) => {
                Failure::failed(format!("the kinds of preview-env are not installed in the cluster at {}", self.url))
                    .next("install them: preview crd | kubectl apply --server-side -f -")
                    .next(self.whereabouts())
            }
            429 | 500..=599 => Failure::failed(format!("cannot {asked}: {}", status.message))
                .next("the cluster is busy or starting: try again in a moment"),
            404 => Failure::new(Exit::NotFound, format!("cannot {asked}: {}", status.message)),
            _ => Failure::failed(format!("cannot {asked}: {}", status.message)),
        }
    }

    fn advise(&self, failure: Failure) -> Failure {
        failure.next(self.whereabouts()).next("check that it answers: kubectl cluster-info")
    }

    fn whereabouts(&self) -> String {
        match &self.context {
            Some(context) => format!("this is the context {context}; choose another with --context"),
            None => "this is the cluster that the command runs in; choose another with --kubeconfig".to_owned(),
        }
    }
}

/// A path that the API server does not know is answered as text, an object that is not there by name.
fn names_an_object(status: &kube::core::Status) -> bool {
    status.details.as_ref().is_some_and(|d| !d.name.is_empty())
}

/// The innermost reason, which is the one that a person can act on.
fn root_cause(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;
    use kube::core::response::StatusDetails;

    const ASKED: Asked<'static> = Asked { verb: "list", resource: "baselines", namespace: Some("shop") };

    fn place() -> Place {
        Place { url: "https://k.example.com:6443".into(), context: Some("dev".into()) }
    }

    fn api(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Status::failure(message, "").with_code(code).boxed())
    }

    #[test]
    fn every_refusal_says_the_next_step() {
        let shown = [
            place().failure(&ASKED, &api(404, "404 page not found")),
            place().failure(&ASKED, &api(403, "baselines.preview-env.dev is forbidden: User \"ann\" cannot list resource")),
            place().failure(&ASKED, &api(401, "Unauthorized")),
            place().failure(&ASKED, &kube::Error::Service("connection refused".into())),
            place().silent(&Asked { namespace: None, ..ASKED }, Duration::from_secs(20)),
        ];
        insta::assert_snapshot!(shown.map(|f| f.to_string()).join("\n"), @r#"
        error: the kinds of preview-env are not installed in the cluster at https://k.example.com:6443
          install them: preview crd | kubectl apply --server-side -f -
          this is the context dev; choose another with --context
        error: you may not list baselines in namespace shop: baselines.preview-env.dev is forbidden: User "ann" cannot list resource
          ask whoever runs the cluster for the right to list baselines in namespace shop (API group preview-env.dev)
        error: the cluster at https://k.example.com:6443 does not accept your credentials
          log in again, or choose another --context
        error: cannot reach the cluster at https://k.example.com:6443: connection refused
          this is the context dev; choose another with --context
          check that it answers: kubectl cluster-info
        error: cannot list baselines in every namespace: the cluster at https://k.example.com:6443 did not answer in 20 s
          this is the context dev; choose another with --context
          check that it answers: kubectl cluster-info
        "#);
    }

    #[test]
    fn an_object_that_is_not_there_is_not_found() {
        let details: StatusDetails =
            serde_json::from_value(serde_json::json!({"name": "web-pr-42", "kind": "previewenvironments"})).unwrap();
        let status = Status::failure("previewenvironments \"web-pr-42\" not found", "NotFound").with_code(404).with_details(details);
        assert_eq!(place().failure(&ASKED, &kube::Error::Api(status.boxed())).exit, Exit::NotFound);
    }

    #[test]
    fn a_failure_carries_no_control_characters_of_others() {
        let failure = Failure::failed("no branch \u{1b}[31mred\nerror: fake").next("a\rb");
        assert_eq!(failure.render(false), "error: no branch [31mred error: fake\n  a b");
    }

    #[test]
    fn the_help_names_every_exit_code() {
        let all = [Exit::Done, Exit::Failed, Exit::Usage, Exit::NotFound, Exit::CannotBeReady, Exit::TimedOut];
        for (at, exit) in all.into_iter().enumerate() {
            assert_eq!(exit as usize, at);
            assert!(EXIT_CODES.contains(&format!("\n  {at}  ")));
        }
    }
}
