//! The commands that a comment offers: only those that exist. No client, no clock, no logging.

use kube::ResourceExt;

use super::markdown::{block, code, shell_word, word};
use crate::api::environment::SourceState;
use crate::api::status::{ImageOrigin, ServiceStatus};
use crate::api::{PreviewEnvironment, Source};

/// Longest command, in characters: one with a full commit fits.
const COMMAND_MAX: usize = 100;

/// What brings an environment back, and starts its lifetime again.
fn create(environment: &PreviewEnvironment, source: &Source) -> String {
    let pull = source.pull.unwrap_or_default();
    let (repository, namespace) = (shell_word(&source.repository), namespace(environment));
    format!("preview create --pull {pull} --repo {repository} -n {namespace}")
}

/// The comment that lets one commit of a fork run. It names the commit in full: another one with the same first digits can be
/// made.
pub(super) fn approve(revision: &str) -> String {
    block(&format!("/preview approve {revision}"), 1, COMMAND_MAX)
}

/// What tells why something is not up.
pub(super) fn describe(environment: &PreviewEnvironment) -> String {
    format!("preview describe {} -n {}", shell_word(&environment.name_any()), namespace(environment))
}

/// What tells which removals are held, and how they are confirmed.
pub(super) fn describe_baseline(environment: &PreviewEnvironment) -> String {
    format!("kubectl -n {} describe baseline {}", namespace(environment), shell_word(&environment.spec.baseline))
}

/// How a person who may write to the repository runs a commit of a fork: as a branch of the repository itself. The
/// commit is named in full, so that what runs is what was read, whatever is pushed to the fork meanwhile.
pub(super) fn adopt_fork(environment: &PreviewEnvironment, source: &Source) -> String {
    let pull = source.pull.unwrap_or_default();
    let (revision, repository) = (shell_word(&source.revision), shell_word(&source.repository));
    let create = format!("preview create --branch pr-{pull} --repo {repository} -n {}", namespace(environment));
    format!("```sh\ngit fetch origin pull/{pull}/head\ngit push origin {revision}:refs/heads/pr-{pull}\n{create}\n```\n")
}

/// Everything that one can do with an environment that is there: by a comment, and from a shell.
pub(super) fn all(environment: &PreviewEnvironment, source: &Source, logs_are_shown: bool) -> String {
    let delete = format!("preview delete {} -n {}", shell_word(&environment.name_any()), namespace(environment));
    let mut shell = vec![(describe(environment), "what runs, and why something does not".to_owned())];
    let likeliest = likeliest(environment);
    shell.extend(likeliest.and_then(|service| Some((logs(environment, service)?, format!("what {} says", shell_word(&service.name))))));
    if is_open(source) {
        shell.push((create(environment, source), "keep it: its time to live starts again".to_owned()));
    }
    shell.push((delete, "take it down now".to_owned()));
    format!(
        "As a line of a comment on this pull request:\n\n{}\nOr from a shell:\n\n{}",
        comments(environment, is_open(source), logs_are_shown),
        fenced(&shell)
    )
}

/// A line for each, whose code can be copied without what it is for. What would be refused is not offered.
fn comments(environment: &PreviewEnvironment, is_open: bool, logs_are_shown: bool) -> String {
    let pinned = environment.spec.lifetime.as_ref().and_then(|l| l.pinned).unwrap_or_default();
    let pin = if pinned { ("unpin", "let it expire again") } else { ("pin", "keep it until the pull request is closed") };
    let logs = likeliest(environment).filter(|_| logs_are_shown).map(|service| format!("logs {}", word(&service.name)));
    let logs = logs.as_deref().map(|logs| (logs, "what it logged last"));
    let changes = [("update", "read the pull request anew, and follow the baseline"), ("extend 24h", "keep it longer"), pin];
    let image = [("image <name>=<tag>", "run another tag of an image")];
    let (changes, image) = if is_open { (&changes[..], &image[..]) } else { (&[][..], &[][..]) };
    let rest = [("delete", "take it down now"), ("help", "everything that can be asked for")];
    let line = |(command, purpose): &(&str, &str)| format!("- {}: {purpose}\n", code(&format!("/preview {command}")));
    [("", "how it is")].iter().chain(changes).chain(&logs).chain(image).chain(&rest).map(line).collect::<Vec<_>>().concat()
}

/// What stays for a while although its pull request was closed can only be looked at and taken down.
fn is_open(source: &Source) -> bool {
    source.state == SourceState::Open
}

/// The service that a reader most likely asks about.
fn likeliest(environment: &PreviewEnvironment) -> Option<&ServiceStatus> {
    environment.status.as_ref()?.services.iter().min_by_key(|s| (s.from != ImageOrigin::Branch, s.ready, s.name.as_str()))
}

/// How to read a service's logs in a shell, once it has a namespace.
pub(super) fn logs(environment: &PreviewEnvironment, service: &ServiceStatus) -> Option<String> {
    let namespace = shell_word(environment.status.as_ref()?.namespace.as_deref()?);
    Some(format!("kubectl -n {namespace} logs {} --all-containers", shell_word(&workload(service))))
}

fn workload(service: &ServiceStatus) -> String {
    format!("{}/{}", service.kind.to_ascii_lowercase(), service.name)
}

fn namespace(environment: &PreviewEnvironment) -> String {
    shell_word(&environment.namespace().unwrap_or_default())
}

/// Commands one a line, each with what it is for.
fn fenced(lines: &[(String, String)]) -> String {
    let width = lines.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let lines: Vec<_> = lines.iter().map(|(command, purpose)| format!("{command:width$}  # {purpose}\n")).collect();
    format!("```sh\n{}```\n", lines.concat())
}
