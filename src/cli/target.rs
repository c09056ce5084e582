//! Which pull request or branch of which repository a command is about: as the flags say, else as the git checkout says.

use kube::ResourceExt;

use super::cluster::Cluster;
use super::errors::{Exit, Failure};
use super::git::{Checkout, Git, Remote, pull_of};
use super::output::note;
use crate::api;
use crate::api::PreviewEnvironment;
use crate::api::environment::SourceState;
use crate::domain::baseline::Repository;
use crate::domain::names::Subject;
use crate::domain::{Baseline, RepoName, nearest};

/// What the flags say.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// `--baseline`.
    pub baseline: Option<String>,
    /// `--repo`.
    pub repository: Option<RepoName>,
    /// `--pull` or `--branch`.
    pub subject: Option<Subject>,
}

/// What it comes to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The Baseline that lists the repository.
    pub baseline: Baseline,
    /// The repository as the Baseline lists it.
    pub repository: Repository,
    /// The pull request or branch.
    pub subject: Subject,
}

impl Target {
    /// `acme/web#42` or `acme/web@feature/login`.
    pub fn display(&self) -> String {
        format!("{}{}", self.repository.name, self.subject.suffix())
    }
}

/// Finds the target. Asks git only where the flags leave something open.
pub async fn choose(cluster: &Cluster, git: &Git, wanted: &Wanted) -> Result<Target, Failure> {
    let baselines = usable(&cluster.namespace, &cluster.baselines().await?, wanted.baseline.as_deref())?;
    let open = wanted.repository.is_none() || wanted.subject.is_none();
    let checkout = if open { read_checkout(git, wanted).await? } else { None };
    let name = match &wanted.repository {
        Some(name) => name.clone(),
        None => repository_name(&baselines, checkout.as_ref(), wanted)?,
    };
    let (baseline, repository) = listed(&cluster.namespace, &baselines, &name, wanted)?;
    let (baseline, repository) = (baseline.clone(), repository.clone());
    let subject = match (&wanted.subject, &checkout) {
        (Some(subject), _) => subject.clone(),
        (None, None) => return Err(nothing_named()),
        (None, Some(checkout)) => Guess { git, checkout, repository: &repository.name }.subject(cluster).await?,
    };
    let target = Target { baseline, repository, subject };
    if open {
        let how = if checkout.is_some() { "from the git checkout" } else { "the only repository that the Baseline lists" };
        note(&format!("{}, {how}", target.display()));
    }
    Ok(target)
}

/// A folder without git is only a failure where nothing else says what is meant.
async fn read_checkout(git: &Git, wanted: &Wanted) -> Result<Option<Checkout>, Failure> {
    match git.checkout().await {
        Err(error) if wanted.subject.is_none() => Err(Failure::failed(format!("cannot read the git checkout: {error}"))
            .next("say what to preview: --repo OWNER/NAME with --pull NUMBER or --branch NAME")),
        answer => Ok(answer.ok().flatten()),
    }
}

fn nothing_named() -> Failure {
    Failure::new(Exit::Usage, "nothing says what to preview, and this folder is no git checkout")
        .next("say it: preview create --pull NUMBER, or --branch NAME")
}

/// The Baselines of a namespace that can be read, or that one that is named.
pub fn usable(namespace: &str, all: &[api::Baseline], named: Option<&str>) -> Result<Vec<Baseline>, Failure> {
    if all.is_empty() {
        return Err(Failure::new(Exit::NotFound, format!("no Baseline in namespace {namespace}"))
            .next("name the namespace that is to be copied: -n NAMESPACE")
            .next("see where there are some: kubectl get baselines -A")
            .next(format!("or write one for {namespace}: preview init -n {namespace}")));
    }
    let chosen: Vec<_> = all.iter().filter(|o| named.is_none_or(|n| n == o.name_any())).collect();
    if chosen.is_empty() {
        let there: Vec<_> = all.iter().map(ResourceExt::name_any).collect();
        return Err(Failure::new(Exit::NotFound, format!("no Baseline {} in namespace {namespace}", named.unwrap_or_default()))
            .next(format!("{namespace} has {}", there.join(", "))));
    }
    let read = chosen.iter().map(|o| Baseline::try_from(*o).map_err(|why| (o.name_any(), why)));
    let (good, bad): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
    match bad.into_iter().find_map(Result::err) {
        Some((name, why)) if good.is_empty() => Err(Failure::failed(format!("Baseline {name} cannot be used: {why}"))
            .next(format!("mend it: kubectl -n {namespace} edit baseline {name}"))),
        _ => Ok(good.into_iter().filter_map(Result::ok).collect()),
    }
}

/// The repository of the checkout that a Baseline lists, else the only one that is listed.
fn repository_name(baselines: &[Baseline], checkout: Option<&Checkout>, wanted: &Wanted) -> Result<RepoName, Failure> {
    let all: Vec<&RepoName> = baselines.iter().flat_map(|b| &b.repositories).map(|r| &r.name).collect();
    let here: Vec<&RepoName> = checkout.iter().flat_map(|c| &c.remotes).filter_map(|r| r.repository.as_ref()).collect();
    if let Some(name) = here.iter().find(|name| all.contains(name)).or(here.first()) {
        return Ok((*name).clone());
    }
    match all.as_slice() {
        [only] if wanted.subject.is_some() => Ok((*only).clone()),
        _ if wanted.subject.is_none() && checkout.is_none() => Err(nothing_named()),
        _ => Err(Failure::new(Exit::Usage, "nothing says which repository is meant")
            .next(format!("name one of {}: --repo OWNER/NAME", join(&all)))),
    }
}

/// The repository of that name, with the Baseline that lists it.
pub(super) fn listed<'a>(
    namespace: &str,
    baselines: &'a [Baseline],
    name: &RepoName,
    wanted: &Wanted,
) -> Result<(&'a Baseline, &'a Repository), Failure> {
    let find = |b: &'a Baseline| b.repositories.iter().find(|r| r.name == *name).map(|r| (b, r));
    let found: Vec<_> = baselines.iter().filter_map(find).collect();
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(unlisted(namespace, baselines, name, wanted)),
        several => {
            let names: Vec<_> = several.iter().map(|(b, _)| b.name.as_str()).collect();
            Err(Failure::new(Exit::Usage, format!("several Baselines in namespace {namespace} list {name}: {}", names.join(", ")))
                .next(format!("name one: --baseline {}", names[0])))
        }
    }
}

fn unlisted(namespace: &str, baselines: &[Baseline], name: &RepoName, wanted: &Wanted) -> Failure {
    let all: Vec<&RepoName> = baselines.iter().flat_map(|b| &b.repositories).map(|r| &r.name).collect();
    let failure = Failure::new(Exit::NotFound, format!("no Baseline in namespace {namespace} lists the repository {name}"))
        .next(format!("{namespace} lists {}", join(&all)));
    let flag = match &wanted.subject {
        Some(Subject::Pull(number)) => format!(" --pull {number}"),
        Some(Subject::Branch(branch)) => format!(" --branch {branch}"),
        None => String::new(),
    };
    match nearest(name.as_str(), all.iter().map(|r| r.as_str())) {
        Some(near) => failure.next(format!("did you mean: preview create --repo {near}{flag}")),
        None => failure.next(format!("or add {name} to the Baseline's spec.repositories")),
    }
}

fn join(names: &[&RepoName]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// What the checkout is about, in the order of certainty: the ref that the branch follows, what CI says, what the cluster
/// knows, what the remote advertises, the branch itself.
struct Guess<'a> {
    git: &'a Git,
    checkout: &'a Checkout,
    repository: &'a RepoName,
}

impl Guess<'_> {
    async fn subject(&self, cluster: &Cluster) -> Result<Subject, Failure> {
        // Before anything that is only a number: it would be taken for one of another repository.
        let base = self.base()?;
        let variable = |name| std::env::var(name).ok();
        let followed = self.checkout.tracked.as_deref().and_then(pull_of);
        let in_ci = || ci_pull(self.repository, variable("GITHUB_REPOSITORY").as_deref(), variable("GITHUB_REF").as_deref());
        if let Some(number) = followed.or_else(in_ci) {
            return Ok(Subject::Pull(number));
        }
        let branch = self.branch()?;
        if !self.in_fork() {
            let known = known_pull(&cluster.environments().await?, self.repository, branch);
            if let Some(number) = known {
                return Ok(Subject::Pull(number));
            }
        }
        self.advertised(base, branch).await
    }

    /// The remote of the repository that pull requests go to.
    fn base(&self) -> Result<&Remote, Failure> {
        self.checkout.remotes.iter().find(|r| r.repository.as_ref() == Some(self.repository)).ok_or_else(|| {
            Failure::failed(format!("the git checkout has no remote for {}", self.repository))
                .next("say what to preview: --pull NUMBER, or --branch NAME")
        })
    }

    /// The branch as it is called on its remote. One that was begun from `origin/main` follows `main` until it is pushed,
    /// and `main` is not what is meant.
    fn branch(&self) -> Result<&str, Failure> {
        let checkout = self.checkout;
        let tracked = checkout.tracked.as_deref().and_then(|r| r.strip_prefix("refs/heads/"));
        let pushed_there = checkout.branch_has_remote && (checkout.push_follows || self.in_fork());
        tracked.filter(|_| pushed_there).or(checkout.branch.as_deref()).ok_or_else(|| {
            Failure::failed("the git checkout is on no branch (detached HEAD), so nothing says what to preview")
                .next("say it: preview create --pull NUMBER, or --branch NAME")
        })
    }

    /// Whether the branch is pushed to another repository than the one that pull requests go to.
    fn in_fork(&self) -> bool {
        let own = self.checkout.remotes.first().filter(|_| self.checkout.branch_has_remote);
        own.and_then(|r| r.repository.as_ref()).is_some_and(|own| own != self.repository)
    }

    async fn advertised(&self, base: &Remote, branch: &str) -> Result<Subject, Failure> {
        let at_base = match self.git.advertised(&base.name, branch).await {
            Ok(answer) => answer,
            Err(why) => return self.without_remote(branch, &why.to_string()),
        };
        let head = match self.checkout.remotes.first().filter(|_| self.in_fork()) {
            None if at_base.is_default(branch) => return Ok(Subject::Branch(branch.to_owned())),
            None => at_base.head(branch).map(str::to_owned),
            Some(fork) => self.git.advertised(&fork.name, branch).await.ok().and_then(|a| a.head(branch).map(str::to_owned)),
        };
        match head.as_deref().map(|commit| at_base.pull_at(commit)) {
            Some(Some(number)) => Ok(Subject::Pull(number)),
            Some(None) if !self.in_fork() => Ok(Subject::Branch(branch.to_owned())),
            Some(None) => Err(Failure::failed(format!("the branch {branch} is in a fork of {} and has no pull request", self.repository))
                .next("open one, then run this again")),
            None => Err(Failure::new(Exit::NotFound, format!("the branch {branch} is not on the remote {}", base.name))
                .next(format!("push it first: git push -u {} {branch}", base.name))),
        }
    }

    fn without_remote(&self, branch: &str, why: &str) -> Result<Subject, Failure> {
        if self.in_fork() {
            return Err(Failure::failed(format!("cannot find the pull request of the branch {branch}: {why}"))
                .next("say it: preview create --pull NUMBER"));
        }
        note(&format!("cannot ask the remote for a pull request ({why}), so the branch itself is meant"));
        Ok(Subject::Branch(branch.to_owned()))
    }
}

/// The pull request that a workflow of GitHub Actions runs for.
fn ci_pull(repository: &RepoName, workflow_of: Option<&str>, reference: Option<&str>) -> Option<i64> {
    let ours = workflow_of.is_none_or(|name| name.parse::<RepoName>().is_ok_and(|name| name == *repository));
    reference.filter(|_| ours).and_then(pull_of)
}

/// The newest open pull request from that branch of that repository that has an environment. One from a fork may have a
/// branch of the same name, and is not meant.
fn known_pull(environments: &[PreviewEnvironment], repository: &RepoName, branch: &str) -> Option<i64> {
    let sources = environments.iter().flat_map(|e| &e.spec.sources);
    let same = sources.filter(|s| s.state == SourceState::Open && s.head_branch.as_deref() == Some(branch));
    let own = same.filter(|s| s.head_repository_id == Some(s.repository_id));
    own.filter(|s| s.repository.parse::<RepoName>().is_ok_and(|r| r == *repository)).filter_map(|s| s.pull).max()
}

#[cfg(test)]
mod tests;
