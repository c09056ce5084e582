//! `preview url`: where an environment will be reached, before it is there. For a frontend that is built with the address
//! of its API in it: with a Baseline in a file nothing is asked, neither cluster nor forge.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use kube::ResourceExt;

use super::Global;
use super::cluster::Cluster;
use super::create::parse_branch;
use super::errors::{Exit, Failure};
use super::output::print;
use super::target::{Wanted, listed, usable};
use crate::api;
use crate::domain::names::{Identity, Subject, host_label};
use crate::domain::{Baseline, EnvironmentName, RepoName};

/// Flags of `preview url`.
#[derive(Args, Debug)]
#[command(after_help = "It is where the environment is reached unless somebody else holds that host already, which only the cluster knows.

Examples:
  preview url --file baseline.yaml --repo acme/web --pull 42
  preview url --file baseline.yaml --repo acme/web --branch login --host api.shop.example.com
  API=$(preview url --repo acme/web --pull 42 --host api.shop.example.com) npm run build")]
pub struct UrlArgs {
    /// The repository, as the Baseline lists it
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo: RepoName,
    /// Number of the pull request
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..), required_unless_present = "branch")]
    pub pull: Option<i64>,
    /// Name of the branch
    #[arg(long, value_name = "NAME", value_parser = parse_branch, conflicts_with = "pull")]
    pub branch: Option<String>,
    /// The host of the baseline that is asked for [default: its first]
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Read the Baseline from this file, and ask no cluster
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The Baseline, where there are several
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// How it is reached
    #[arg(long, value_name = "https|http", value_enum, default_value_t, hide_possible_values = true)]
    pub scheme: Scheme,
}

/// How a URL begins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Scheme {
    /// With TLS.
    #[default]
    Https,
    /// Without.
    Http,
}

/// Runs the command.
pub async fn run(global: &Global, args: UrlArgs) -> Result<(), Failure> {
    let (namespace, baselines) = if let Some(path) = &args.file {
        from_file(path, global.namespace.as_deref())?
    } else {
        let cluster = Cluster::connect(global).await?;
        (cluster.namespace.clone(), cluster.baselines().await?)
    };
    print(&format!("{}\n", url(&namespace, &baselines, &args)?))
}

/// The Baselines of a file, each in the namespace that is named, else its own.
fn from_file(path: &Path, namespace: Option<&str>) -> Result<(String, Vec<api::Baseline>), Failure> {
    let unreadable = |why: String| Failure::failed(format!("cannot read a Baseline from {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|why| unreadable(why.to_string()))?;
    read(&text, namespace).map_err(unreadable)
}

fn read(text: &str, namespace: Option<&str>) -> Result<(String, Vec<api::Baseline>), String> {
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(text).map_err(|why| why.to_string())?;
    let is_baseline = |value: &serde_json::Value| value.get("kind").and_then(serde_json::Value::as_str) == Some("Baseline");
    let read = documents.into_iter().filter(is_baseline).map(serde_json::from_value::<api::Baseline>);
    let mut baselines = read.collect::<Result<Vec<_>, _>>().map_err(|why| why.to_string())?;
    let first = baselines.first().ok_or("it holds no object of kind Baseline")?;
    let namespace = namespace.map(str::to_owned).or_else(|| first.namespace());
    let namespace = namespace.ok_or("it names no namespace; give it with -n NAMESPACE")?;
    baselines.retain(|b| b.namespace().is_none_or(|own| own == namespace));
    for baseline in &mut baselines {
        baseline.metadata.namespace = Some(namespace.clone());
    }
    Ok((namespace, baselines))
}

fn url(namespace: &str, baselines: &[api::Baseline], args: &UrlArgs) -> Result<String, Failure> {
    let usable = usable(namespace, baselines, args.baseline.as_deref())?;
    let subject = args.pull.map(Subject::Pull).or(args.branch.clone().map(Subject::Branch));
    let subject = subject.ok_or_else(|| Failure::new(Exit::Usage, "nothing says which pull request or branch is meant"))?;
    let wanted = Wanted { baseline: args.baseline.clone(), repository: Some(args.repo.clone()), subject: Some(subject.clone()) };
    let (baseline, repository) = listed(namespace, &usable, &args.repo, &wanted)?;
    let environment = EnvironmentName::of(&Identity {
        forge: repository.forge,
        repository: &repository.name,
        alias: &repository.alias,
        subject: &subject,
        baseline_namespace: &baseline.namespace,
    });
    let scheme = if args.scheme == Scheme::Https { "https" } else { "http" };
    Ok(format!("{scheme}://{}", host(baseline, &environment, args.host.as_deref())?))
}

fn host(baseline: &Baseline, environment: &EnvironmentName, of: Option<&str>) -> Result<String, Failure> {
    let Some(hosts) = &baseline.hosts else {
        return Err(Failure::failed(format!("the Baseline {} gives no hosts", baseline.name)).next("set hosts.domain in its spec"));
    };
    let label = host_label(environment, of.map(|host| host.split('.').next().unwrap_or(host)));
    Ok(format!("{label}.{}", hosts.domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: preview-env.dev/v1alpha1
kind: Baseline
metadata: {name: main, namespace: shop}
spec:
  repositories: [{name: acme/web}, {name: acme/api, alias: backend}]
  hosts: {domain: preview.example.com}
";

    fn asked(line: &str) -> Result<String, Failure> {
        use clap::Parser;
        let cli = super::super::Cli::try_parse_from(format!("preview url {line}").split(' ')).unwrap();
        let super::super::Command::Url(args) = cli.command else { panic!("not url") };
        let (namespace, baselines) = read(FILE, cli.global.namespace.as_deref()).unwrap();
        url(&namespace, &baselines, &args)
    }

    #[test]
    fn the_address_is_known_before_anything_is_there() {
        for (line, address) in [
            ("--repo acme/web --pull 42", "https://web-pr-42.preview.example.com"),
            ("--repo Acme/API --pull 7 --scheme http", "http://backend-pr-7.preview.example.com"),
            ("--repo acme/web --pull 42 --host api.shop.example.com", "https://api-web-pr-42.preview.example.com"),
        ] {
            assert_eq!(asked(line).unwrap(), address, "{line}");
        }
        let branch = asked("--repo acme/web --branch feature/login").unwrap();
        assert!(branch.starts_with("https://web-feature-login-") && branch.ends_with(".preview.example.com"), "{branch}");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(asked("--repo acme/wbe --pull 42").unwrap_err().to_string().contains("acme/web"));
        assert!(read("kind: Service\n", None).unwrap_err().contains("kind Baseline"));
        assert!(read(&FILE.replace(", namespace: shop", ""), None).unwrap_err().contains("-n NAMESPACE"));
        let (namespace, all) = read(&FILE.replace(", namespace: shop", ""), Some("other")).unwrap();
        assert_eq!((namespace.as_str(), all[0].namespace().as_deref()), ("other", Some("other")));
    }
}
