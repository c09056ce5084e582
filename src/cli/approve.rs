//! `preview approve`: lets one commit of a pull request from a fork run. Who may is decided by the cluster: it takes the
//! verb `approve` on the environment.

use chrono::{DateTime, SubsecRound, Utc};
use clap::Args;
use kube::ResourceExt;
use serde_json::json;

use super::Global;
use super::cluster::{Cluster, Part};
use super::delete::{confirm, is_asked};
use super::errors::{Exit, Failure};
use super::find::Which;
use super::output::{one_object, print};
use crate::api::PreviewEnvironment;
use crate::api::environment::{Approval, Source, SourceState};
use crate::api::names::MANAGER_APPROVAL;
use crate::commands::effect::SHA_ALONE;

/// Flags of `preview approve`.
#[derive(Args, Debug)]
#[command(after_help = "It is one commit that is approved: the next push needs it again. On a terminal it shows the commit and
asks; elsewhere --revision has to name it.

Examples:
  preview approve web-pr-42
  preview approve --pull 42 --revision 3f9c2ab41d07c5e8")]
pub struct ApproveArgs {
    /// The environment.
    #[command(flatten)]
    pub which: Which,
    /// The commit that was looked at, whole or its first 12 digits or more
    #[arg(long, value_name = "COMMIT", value_parser = parse_commit)]
    pub revision: Option<String>,
}

fn parse_commit(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    let is_hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex && (SHA_ALONE..=64).contains(&text.len()) {
        return Ok(text);
    }
    Err(format!("give {SHA_ALONE} or more of the commit's hexadecimal digits: fewer can be made to fit another commit"))
}

/// Runs the command.
pub async fn run(global: &Global, args: ApproveArgs) -> Result<(), Failure> {
    let cluster = Cluster::connect(global).await?;
    let before = args.which.find(&cluster).await?;
    let source = foreign(&before)?;
    match &args.revision {
        Some(revision) => is_head(&before, source, revision)?,
        None if is_asked() => confirm(&question(source), false)?,
        None => return Err(unnamed(&before, source)),
    }
    let approval = Approval { revision: source.revision.clone(), actor: cluster.user().await?, at: time(&before, cluster.now()) };
    let (name, uid) = (before.name_any(), before.uid());
    let part = Part {
        name: &name,
        uid: uid.as_deref(),
        baseline: &before.spec.baseline,
        manager: MANAGER_APPROVAL,
        field: "approval",
        value: json!(approval),
    };
    let asked = cluster.apply(part).await.map_err(explained)?;
    match one_object(global.output, &asked)? {
        Some(text) => print(&text),
        None => print(&format!("{name}: {} of {} may run; the next push needs it again\n", approval.revision, source.repository)),
    }
}

/// The pull request that comes from elsewhere, which alone needs an approval.
fn foreign(environment: &PreviewEnvironment) -> Result<&Source, Failure> {
    let open = environment.spec.sources.iter().filter(|source| source.state == SourceState::Open && source.pull.is_some());
    let name = environment.name_any();
    let Some(source) = open.clone().find(|source| source.is_foreign()) else {
        let failure = match open.into_iter().next() {
            Some(source) => format!("{name} comes from a branch of {} itself and needs no approval", source.repository),
            None => format!("{name} is for no open pull request, so there is nothing to approve"),
        };
        return Err(Failure::failed(failure).next(format!("how it is: preview describe {name}")));
    };
    Ok(source)
}

fn is_head(environment: &PreviewEnvironment, source: &Source, revision: &str) -> Result<(), Failure> {
    if source.revision.starts_with(revision) {
        return Ok(());
    }
    let message = format!("{revision} is not the commit that {} is at, which is {}", environment.name_any(), source.revision);
    Err(Failure::new(Exit::CannotBeReady, message).next("look at what came after it, and approve that one"))
}

fn question(source: &Source) -> String {
    let pull = source.pull.unwrap_or_default();
    let author = source.author.as_deref().unwrap_or("somebody");
    format!("Let {} of {}#{pull}, by {author}, run with the code of a fork?", source.revision, source.repository)
}

fn unnamed(environment: &PreviewEnvironment, source: &Source) -> Failure {
    let name = environment.name_any();
    Failure::new(Exit::Usage, "nothing says which commit was looked at")
        .next(format!("{name} is at {}; name it: preview approve {name} --revision {}", source.revision, source.revision))
}

/// Never earlier than what is recorded, whatever this machine's clock says.
fn time(before: &PreviewEnvironment, now: DateTime<Utc>) -> DateTime<Utc> {
    before.spec.approval.as_ref().map_or(now, |recorded| recorded.at.max(now)).trunc_subsecs(3)
}

/// The admission policy names its field; the way out is somebody else's to give.
fn explained(failure: Failure) -> Failure {
    if !failure.message.contains("spec.approval") {
        return failure;
    }
    failure
        .next("whoever administers the namespace has it, and can grant it: the ClusterRole preview-env:baseline-owner holds the verb")
        .next("or somebody with write access to the repository writes it as a comment: /preview approve")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "3f9c2ab41d07c5e83f9c2ab41d07c5e83f9c2ab4";

    fn environment(head: i64, state: &str) -> PreviewEnvironment {
        let source = json!({"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": state, "author": "eve",
            "revision": SHA, "observedAt": "2026-01-01T00:00:00Z", "headRepositoryId": head});
        PreviewEnvironment::new("web-pr-42", serde_json::from_value(json!({"baseline": "shop", "sources": [source]})).unwrap())
    }

    #[test]
    fn only_the_commit_that_was_looked_at_is_approved() {
        let fork = environment(9, "Open");
        let source = foreign(&fork).unwrap();
        assert!(is_head(&fork, source, &SHA[..12]).is_ok() && is_head(&fork, source, SHA).is_ok());
        insta::assert_snapshot!(
            [is_head(&fork, source, "91bd00191bd0").unwrap_err(), unnamed(&fork, source)].map(|f| f.to_string()).join("\n"),
            @r"
        error: 91bd00191bd0 is not the commit that web-pr-42 is at, which is 3f9c2ab41d07c5e83f9c2ab41d07c5e83f9c2ab4
          look at what came after it, and approve that one
        error: nothing says which commit was looked at
          web-pr-42 is at 3f9c2ab41d07c5e83f9c2ab41d07c5e83f9c2ab4; name it: preview approve web-pr-42 --revision 3f9c2ab41d07c5e83f9c2ab41d07c5e83f9c2ab4
        "
        );
        assert_eq!(question(source), format!("Let {SHA} of acme/web#42, by eve, run with the code of a fork?"));
    }

    #[test]
    fn what_comes_from_the_repository_itself_or_is_over_needs_none() {
        insta::assert_snapshot!(
            [foreign(&environment(7, "Open")).unwrap_err(), foreign(&environment(9, "Merged")).unwrap_err()].map(|f| f.to_string()).join("\n"),
            @r"
        error: web-pr-42 comes from a branch of acme/web itself and needs no approval
          how it is: preview describe web-pr-42
        error: web-pr-42 is for no open pull request, so there is nothing to approve
          how it is: preview describe web-pr-42
        "
        );
    }

    #[test]
    fn a_commit_is_named_by_enough_digits() {
        for text in ["3f9c2ab", "main", "", &"a".repeat(65)] {
            assert!(parse_commit(text).is_err(), "{text}");
        }
        assert_eq!(parse_commit("3F9C2AB41D07").unwrap(), "3f9c2ab41d07");
    }
}
