//! The commands that a comment offers: only those that exist. No client, no clock, no logging.

use kube::ResourceExt;

use super::markdown::{code, shell_word};
use crate::api::status::{ImageOrigin, ServiceStatus};
use crate::api::{PreviewEnvironment, Source};

/// What brings an environment back, and starts its lifetime again.
pub(super) fn create(environment: &PreviewEnvironment, source: &Source) -> String {
    let pull = source.pull.unwrap_or_default();
    let (repository, namespace) = (shell_word(&source.repository), namespace(environment));
    format!("preview create --pull {pull} --repo {repository} -n {namespace}")
}

/// The same as a code span.
pub(super) fn create_code(environment: &PreviewEnvironment, source: &Source) -> String {
    code(&create(environment, source))
}

/// What tells why something is not up.
pub(super) fn describe(environment: &PreviewEnvironment) -> String {
    format!("preview describe {} -n {}", shell_word(&environment.name_any()), namespace(environment))
}

/// How a person who may write to the repository runs a commit of a fork: as a branch of the repository itself. The
/// commit is named in full, so that what runs is what was read, whatever is pushed to the fork meanwhile.
pub(super) fn adopt_fork(environment: &PreviewEnvironment, source: &Source) -> String {
    let pull = source.pull.unwrap_or_default();
    let (revision, repository) = (shell_word(&source.revision), shell_word(&source.repository));
    let create = format!("preview create --branch pr-{pull} --repo {repository} -n {}", namespace(environment));
    fenced(&[format!("git fetch origin pull/{pull}/head"), format!("git push origin {revision}:refs/heads/pr-{pull}"), create])
}

/// Everything that one can do with an environment that is there, one command a line with what it is for.
pub(super) fn all(environment: &PreviewEnvironment, source: &Source) -> String {
    let delete = format!("preview delete {} -n {}", shell_word(&environment.name_any()), namespace(environment));
    let mut lines = vec![(describe(environment), "what runs, and why something does not".to_owned())];
    lines.extend(logs(environment));
    lines.push((create(environment, source), "keep it: its time to live starts again".to_owned()));
    lines.push((delete, "take it down now".to_owned()));
    let width = lines.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let lines: Vec<_> = lines.iter().map(|(command, purpose)| format!("{command:width$}  # {purpose}")).collect();
    fenced(&lines)
}

/// How to read the logs of the service that a reader most likely asks about.
fn logs(environment: &PreviewEnvironment) -> Option<(String, String)> {
    let status = environment.status.as_ref()?;
    let namespace = shell_word(status.namespace.as_deref()?);
    let service = status.services.iter().min_by_key(|s| (s.from != ImageOrigin::Branch, s.ready, s.name.as_str()))?;
    let workload = shell_word(&workload(service));
    Some((format!("kubectl -n {namespace} logs {workload} --all-containers"), format!("what {} says", shell_word(&service.name))))
}

fn workload(service: &ServiceStatus) -> String {
    format!("{}/{}", service.kind.to_ascii_lowercase(), service.name)
}

fn namespace(environment: &PreviewEnvironment) -> String {
    shell_word(&environment.namespace().unwrap_or_default())
}

fn fenced(lines: &[String]) -> String {
    format!("```sh\n{}\n```\n", lines.join("\n"))
}
