//! Which environment a command is about: by name, or by its pull request or branch.

use clap::Args;
use kube::ResourceExt;

use super::cluster::Cluster;
use super::errors::{Exit, Failure};
use crate::api::PreviewEnvironment;
use crate::domain::RepoName;
use crate::domain::nearest;

/// Names one environment.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Which {
    /// Name of the environment
    #[arg(value_name = "NAME", required_unless_present_any = ["pull", "branch"], conflicts_with_all = ["pull", "branch"])]
    pub name: Option<String>,
    /// Number of its pull request
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..))]
    pub pull: Option<i64>,
    /// Name of its branch, of one that is for a branch
    #[arg(long, value_name = "BRANCH", conflicts_with = "pull")]
    pub branch: Option<String>,
    /// The repository of the pull request or branch, where several have that number or name
    #[arg(long, value_name = "OWNER/NAME", conflicts_with = "name")]
    pub repo: Option<RepoName>,
}

impl Which {
    /// Finds the environment in the cluster.
    pub async fn find(&self, cluster: &Cluster) -> Result<PreviewEnvironment, Failure> {
        self.among(&cluster.namespace, cluster.environments().await?)
    }

    fn among(&self, namespace: &str, all: Vec<PreviewEnvironment>) -> Result<PreviewEnvironment, Failure> {
        let names: Vec<String> = all.iter().map(ResourceExt::name_any).collect();
        let mut found: Vec<_> = all.into_iter().filter(|e| self.means(e)).collect();
        match (found.pop(), found.as_slice()) {
            (Some(only), []) => Ok(only),
            (None, _) => Err(self.nothing(namespace, &names)),
            (Some(last), others) => {
                let names: Vec<_> = others.iter().chain([&last]).map(ResourceExt::name_any).collect();
                Err(Failure::new(Exit::Usage, format!("several environments are for {}: {}", self.display(), names.join(", ")))
                    .next("name one, or its repository with --repo"))
            }
        }
    }

    /// A name may carry the kind before a slash, as `-o name` prints it.
    fn bare_name(&self) -> Option<&str> {
        self.name.as_deref().map(|name| name.rsplit('/').next().unwrap_or(name))
    }

    fn means(&self, environment: &PreviewEnvironment) -> bool {
        if let Some(name) = self.bare_name() {
            return environment.name_any() == name;
        }
        let wanted = |repository: &str, pull: Option<i64>, branch: Option<&str>| {
            let named = |repo: &RepoName| repository.parse::<RepoName>().is_ok_and(|r| r == *repo);
            let same = if self.branch.is_some() { branch == self.branch.as_deref() } else { pull == self.pull };
            same && self.repo.as_ref().is_none_or(named)
        };
        let target = environment.spec.wish.as_ref().and_then(|w| w.target.as_ref());
        let mut sources = environment.spec.sources.iter();
        sources.any(|s| wanted(&s.repository, s.pull, s.branch.as_deref()))
            || target.is_some_and(|t| wanted(&t.repository, t.pull, t.branch.as_deref()))
    }

    fn display(&self) -> String {
        let number = self.pull.unwrap_or_default();
        match (self.bare_name(), &self.repo, &self.branch) {
            (Some(name), ..) => name.to_owned(),
            (None, Some(repo), Some(branch)) => format!("{repo}@{branch}"),
            (None, None, Some(branch)) => format!("branch {branch}"),
            (None, Some(repo), None) => format!("{repo}#{number}"),
            (None, None, None) => format!("pull request {number}"),
        }
    }

    fn nothing(&self, namespace: &str, names: &[String]) -> Failure {
        let what = if self.name.is_some() { "named" } else { "for" };
        let failure = Failure::new(Exit::NotFound, format!("no environment {what} {} in namespace {namespace}", self.display()));
        let near = self.bare_name().and_then(|name| nearest(name, names.iter().map(String::as_str)));
        match near {
            Some(near) => failure.next(format!("did you mean: {near}")),
            None if names.is_empty() => failure.next("it has none; look everywhere with preview list -A, or name a namespace with -n"),
            None => failure.next("see what there is: preview list, or everywhere preview list -A"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn environment(name: &str, repository: &str, pull: i64) -> PreviewEnvironment {
        let target = json!({"repository": repository, "pull": pull});
        let wish = json!({"state": "Present", "actor": "ann", "at": "2026-01-01T00:00:00Z", "target": target});
        PreviewEnvironment::new(name, serde_json::from_value(json!({"baseline": "shop", "wish": wish})).unwrap())
    }

    fn find(name: Option<&str>, pull: Option<i64>, repo: Option<&str>) -> Result<String, Failure> {
        let which = Which { name: name.map(str::to_owned), pull, branch: None, repo: repo.map(|r| r.parse().unwrap()) };
        let all =
            vec![environment("api-pr-7", "acme/api", 7), environment("web-pr-42", "acme/web", 42), environment("web-pr-7", "acme/web", 7)];
        which.among("shop", all).map(|e| e.name_any())
    }

    #[test]
    fn an_environment_is_found_by_name_or_pull_request() {
        assert_eq!(find(Some("web-pr-42"), None, None).unwrap(), "web-pr-42");
        assert_eq!(find(Some("previewenvironment.preview-env.dev/web-pr-42"), None, None).unwrap(), "web-pr-42");
        assert_eq!(find(None, Some(42), None).unwrap(), "web-pr-42");
        assert_eq!(find(None, Some(7), Some("Acme/API")).unwrap(), "api-pr-7");
    }

    #[test]
    fn an_environment_is_found_by_its_branch() {
        let wish = json!({"state": "Present", "actor": "ann", "at": "2026-01-01T00:00:00Z", "target": {"repository": "acme/web", "branch": "login"}});
        let login = PreviewEnvironment::new("web-login-x", serde_json::from_value(json!({"baseline": "shop", "wish": wish})).unwrap());
        let of = |branch: &str| {
            let which = Which { name: None, pull: None, branch: Some(branch.into()), repo: None };
            which.among("shop", vec![environment("web-pr-42", "acme/web", 42), login.clone()]).map(|e| e.name_any())
        };
        assert_eq!(of("login").unwrap(), "web-login-x");
        assert!(of("other").unwrap_err().to_string().contains("no environment for branch other"));
    }

    #[test]
    fn what_is_not_found_or_not_one_says_how_to_go_on() {
        let shown = [find(None, Some(7), None), find(Some("web-pr-43"), None, None), find(None, Some(9), None)];
        insta::assert_snapshot!(shown.map(|f| f.unwrap_err().to_string()).join("\n"), @r"
        error: several environments are for pull request 7: api-pr-7, web-pr-7
          name one, or its repository with --repo
        error: no environment named web-pr-43 in namespace shop
          did you mean: web-pr-42
        error: no environment for pull request 9 in namespace shop
          see what there is: preview list, or everywhere preview list -A
        ");
    }
}
