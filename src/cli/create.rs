//! `preview create`: wishes for an environment. What the pull request or branch is at, and whether it may run, the
//! service finds out by itself.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use clap::Args;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::cluster::{Cluster, Part};
use super::errors::{Exit, Failure};
use super::git::Git;
use super::output::{clean, note, one_object, print, urls};
use super::target::{Target, Wanted, choose};
use super::wait::{Limit, Screen, until_gone, until_ready};
use super::{Global, parse_limit};
use crate::api::PreviewEnvironment;
use crate::api::environment::{ImageOverride, Target as WishTarget, Wish, WishState};
use crate::api::names::{MANAGER_IMAGES, MANAGER_LIFETIME, MANAGER_WISH};
use crate::domain::image_ref::is_tag;
use crate::domain::lifetime::parse_ttl;
use crate::domain::names::{Identity, Subject};
use crate::domain::{Baseline, EnvironmentName, ImageRef, RepoName};

/// Flags of `preview create`.
#[derive(Args, Debug)]
#[command(after_help = "Without --pull, --branch and --repo it goes by the git checkout that it stands in, and says what it took.

Examples:
  preview create --wait
  preview create --pull 42 --image web=pr-42-debug
  preview create --repo acme/web --branch feature/login --ttl 24h")]
pub struct CreateArgs {
    /// Number of the pull request
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..), conflicts_with = "branch")]
    pub pull: Option<i64>,
    /// Name of the branch
    #[arg(long, value_name = "NAME", value_parser = parse_branch)]
    pub branch: Option<String>,
    /// The repository, as the Baseline lists it
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo: Option<RepoName>,
    /// The Baseline, where the namespace has several
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// Run this tag of an image instead of what the Baseline's rules give; repeat it for more, they replace earlier ones
    #[arg(long, value_name = "NAME=TAG", value_parser = parse_image)]
    pub image: Vec<AskedImage>,
    /// How long it lives after the last push or wish, such as 24h or 5d [default: the Baseline's]
    #[arg(long, value_name = "TIME", value_parser = parse_lifetime)]
    pub ttl: Option<String>,
    /// Wait until it is ready, and print its URL
    #[arg(long)]
    pub wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_limit)]
    pub timeout: Duration,
}

/// `--image web=pr-42`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AskedImage {
    /// The image's repository, or the last part of its path.
    pub name: String,
    /// The tag.
    pub tag: String,
}

pub(super) fn parse_image(text: &str) -> Result<AskedImage, String> {
    let (name, tag) = text.split_once('=').ok_or("expected NAME=TAG, such as web=pr-42")?;
    if name.is_empty() {
        return Err("expected NAME=TAG, such as web=pr-42".to_owned());
    }
    if !is_tag(tag) {
        return Err(format!("{tag:?} is no tag: at most 128 letters, digits, '_', '.' and '-'"));
    }
    Ok(AskedImage { name: name.to_owned(), tag: tag.to_owned() })
}

/// The schema takes fewer spellings than the parser of spans.
fn parse_lifetime(text: &str) -> Result<String, String> {
    parse_ttl(text).map_err(|why| why.to_string())?;
    let plain = text.chars().all(|c| c.is_ascii_digit() || "smhdw".contains(c));
    let letters_alone = text.split(|c: char| c.is_ascii_digit()).all(|unit| unit.len() <= 1);
    if plain && letters_alone && text.len() <= 40 { Ok(text.to_owned()) } else { Err("write it like 36h or 5d".to_owned()) }
}

pub(super) fn parse_branch(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("refs/heads/").unwrap_or(text);
    match name.len() {
        0 => Err("a branch has a name".to_owned()),
        1..=255 => Ok(name.to_owned()),
        _ => Err("at most 255 bytes".to_owned()),
    }
}

/// Runs the command.
pub async fn run(global: &Global, args: CreateArgs) -> Result<(), Failure> {
    let limit = Limit::from_now(args.timeout);
    let cluster = Cluster::connect(global).await?;
    let pull = args.pull.map(Subject::Pull);
    let wanted = Wanted { baseline: args.baseline, repository: args.repo, subject: pull.or(args.branch.map(Subject::Branch)) };
    let target = choose(&cluster, &Git::at("."), &wanted).await?;
    let request = Request { images: images(&target.baseline, &args.image)?, ttl: args.ttl, target };
    let before = Box::pin(free(&cluster, &request, args.wait.then_some(limit))).await?;
    let asked = request.write(&cluster, before.as_ref()).await?;
    if !args.wait {
        return report(global, &asked, &request.target);
    }
    let ready = Box::pin(until_ready(cluster.watch(&asked.name_any()), &asked, limit, &mut Screen::stderr())).await?;
    finish(global, &ready)
}

/// What is written.
struct Request {
    target: Target,
    images: Vec<ImageOverride>,
    ttl: Option<String>,
}

impl Request {
    fn name(&self) -> EnvironmentName {
        EnvironmentName::of(&Identity {
            forge: self.target.repository.forge,
            repository: &self.target.repository.name,
            alias: &self.target.repository.alias,
            subject: &self.target.subject,
            baseline_namespace: &self.target.baseline.namespace,
        })
    }

    /// The wish goes last, so that nothing starts with half of what was asked.
    async fn write(&self, cluster: &Cluster, before: Option<&PreviewEnvironment>) -> Result<PreviewEnvironment, Failure> {
        let name = self.name();
        let part = |manager, field, value: Value| Part {
            name: name.as_str(),
            uid: None,
            baseline: &self.target.baseline.name,
            manager,
            field,
            value,
        };
        let actor = cluster.user().await?;
        let wish = self.wish(actor, before, cluster.now());
        if let Some(ttl) = &self.ttl {
            cluster.apply(part(MANAGER_LIFETIME, "lifetime", json!({"ttl": ttl}))).await?;
        }
        if !self.images.is_empty() {
            cluster.apply(part(MANAGER_IMAGES, "images", json!(self.images))).await?;
        }
        let asked = cluster.apply(part(MANAGER_WISH, "wish", json!(wish))).await?;
        if asked.metadata.deletion_timestamp.is_some() { Err(leaving(&asked)) } else { Ok(asked) }
    }

    fn wish(&self, actor: String, before: Option<&PreviewEnvironment>, now: DateTime<Utc>) -> Wish {
        let (pull, branch) = match &self.target.subject {
            Subject::Pull(number) => (Some(*number), None),
            Subject::Branch(name) => (None, Some(name.clone())),
        };
        let repository = self.target.repository.name.to_string();
        let target = WishTarget { forge: self.target.repository.forge, repository, pull, branch };
        Wish { state: WishState::Present, actor, at: wish_time(before, now), target: Some(target) }
    }
}

/// Now, or just after the wish that is recorded where that is later: a wish never goes back, and clocks of two people
/// differ.
pub fn wish_time(before: Option<&PreviewEnvironment>, now: DateTime<Utc>) -> DateTime<Utc> {
    let recorded = before.and_then(|e| e.spec.wish.as_ref()).map(|w| w.at + TimeDelta::milliseconds(1));
    recorded.map_or(now, |at| at.max(now)).trunc_subsecs(3)
}

/// The environment of that name as it is. One that is being removed has to be gone before it can be asked for again,
/// since nothing that is written to it lasts.
async fn free(cluster: &Cluster, request: &Request, wait: Option<Limit>) -> Result<Option<PreviewEnvironment>, Failure> {
    let name = request.name();
    let Some(before) = cluster.environment(name.as_str()).await? else { return Ok(None) };
    if before.metadata.deletion_timestamp.is_some() {
        let limit = wait.ok_or_else(|| leaving(&before))?;
        Box::pin(until_gone(cluster.watch(name.as_str()), &before, limit, &mut Screen::stderr())).await?;
        return Ok(None);
    }
    if before.spec.baseline != request.target.baseline.name {
        let failure = Failure::failed(format!("{name} is there already, made from the Baseline {}", before.spec.baseline));
        return Err(failure.next(format!("take it down first: preview delete {name}")));
    }
    Ok(Some(before))
}

fn leaving(environment: &PreviewEnvironment) -> Failure {
    Failure::failed(format!("{} is still being removed", environment.name_any())).next("run this again once it is gone, or now with --wait")
}

/// The image rules that the names on the command line mean.
pub(super) fn images(baseline: &Baseline, asked: &[AskedImage]) -> Result<Vec<ImageOverride>, Failure> {
    let listed: Vec<&ImageRef> = baseline.repositories.iter().flat_map(|r| &r.images).map(|i| &i.image).collect();
    let mut chosen: Vec<ImageOverride> = Vec::new();
    for image in asked {
        let name = image_name(&listed, &image.name)?;
        if chosen.iter().any(|other| other.name == name) {
            return Err(Failure::new(Exit::Usage, format!("--image names {name} twice")));
        }
        chosen.push(ImageOverride { name, tag: image.tag.clone() });
    }
    Ok(chosen)
}

fn image_name(listed: &[&ImageRef], name: &str) -> Result<String, Failure> {
    let whole = name.parse::<ImageRef>().ok();
    let exact = listed.iter().copied().find(|rule| whole.as_ref().is_some_and(|w| w.same_repository(rule)));
    let short: Vec<_> = listed.iter().copied().filter(|rule| rule.short_name() == name).collect();
    let only = if let [rule] = short.as_slice() { Some(*rule) } else { None };
    exact.or(only).map(|rule| rule.repository().to_owned()).ok_or_else(|| {
        let what = if short.is_empty() { "is not an image that the Baseline lists" } else { "is the last part of several images" };
        let names: Vec<_> = listed.iter().map(|rule| rule.repository()).collect();
        let next = if names.is_empty() { "it lists none".to_owned() } else { format!("it lists {}", names.join(", ")) };
        Failure::new(Exit::Usage, format!("{name} {what}")).next(next)
    })
}

fn report(global: &Global, asked: &PreviewEnvironment, target: &Target) -> Result<(), Failure> {
    if let Some(text) = one_object(global.output, asked)? {
        return print(&text);
    }
    let name = asked.name_any();
    print(&format!("{name}: asked for {} as a copy of {}\n", target.display(), target.baseline.namespace))?;
    note(&format!("  how it is: preview describe {name}; and preview create --wait waits until it is ready"));
    Ok(())
}

fn finish(global: &Global, ready: &PreviewEnvironment) -> Result<(), Failure> {
    if let Some(text) = one_object(global.output, ready)? {
        return print(&text);
    }
    if let Some(url) = urls(ready).next() {
        return print(&format!("{}\n", clean(url)));
    }
    note(&format!("{} is ready; it has no URL, as the Baseline has no hosts.domain or nothing to route to", ready.name_any()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        let images = |names: &[&str]| names.iter().map(|n| json!({"name": n})).collect::<Vec<_>>();
        let spec = json!({"repositories": [
            {"name": "acme/web", "images": images(&["r.example.com/acme/web", "acme/worker"])},
            {"name": "acme/api", "images": images(&["acme/api", "old/worker"])}
        ]});
        let mut object = crate::api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        Baseline::try_from(&object).unwrap()
    }

    fn chosen(texts: &[&str]) -> Result<Vec<String>, Failure> {
        let asked: Vec<_> = texts.iter().map(|t| parse_image(t).unwrap()).collect();
        Ok(images(&baseline(), &asked)?.into_iter().map(|i| format!("{}:{}", i.name, i.tag)).collect())
    }

    #[test]
    fn an_image_is_named_whole_or_by_its_last_part() {
        assert_eq!(chosen(&["web=a", "docker.io/acme/api=b"]).unwrap(), ["r.example.com/acme/web:a", "acme/api:b"]);
        assert_eq!(chosen(&["acme/worker=c"]).unwrap(), ["acme/worker:c"]);
    }

    #[test]
    fn an_image_that_is_not_listed_is_refused_with_the_list() {
        insta::assert_snapshot!(chosen(&["wbe=a"]).unwrap_err(), @r"
        error: wbe is not an image that the Baseline lists
          it lists r.example.com/acme/web, acme/worker, acme/api, old/worker
        ");
        assert!(chosen(&["worker=a"]).unwrap_err().message.contains("several"));
        assert!(chosen(&["web=a", "r.example.com/acme/web=b"]).unwrap_err().message.contains("twice"));
    }

    #[test]
    fn images_and_lifetimes_are_read_strictly() {
        for text in ["web", "=x", "web=", "web=a b", "web=:x"] {
            assert!(parse_image(text).is_err(), "{text}");
        }
        for text in ["5 days", "5days", "0s", "", "1M", "5", "1h 30m"] {
            assert!(parse_lifetime(text).is_err(), "{text}");
        }
        assert_eq!(parse_lifetime("1h30m").unwrap(), "1h30m");
        assert_eq!(parse_branch("refs/heads/a/b").unwrap(), "a/b");
    }

    #[test]
    fn a_wish_is_never_older_than_the_one_that_is_recorded() {
        let now = DateTime::from_timestamp(1_000, 123_456_789).unwrap();
        let with = |at: &str| {
            let spec = json!({"baseline": "shop", "wish": {"state": "Absent", "actor": "bob", "at": at}});
            PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap())
        };
        assert_eq!(wish_time(None, now).timestamp_millis(), 1_000_123);
        assert_eq!(wish_time(Some(&with("1970-01-01T00:00:01Z")), now).timestamp_millis(), 1_000_123);
        assert_eq!(wish_time(Some(&with("1970-01-01T01:00:00Z")), now).timestamp_millis(), 3_600_001);
    }

    #[test]
    fn the_wish_names_the_target_and_nothing_that_the_service_looks_up() {
        let baseline = baseline();
        let target = Target { repository: baseline.repositories[0].clone(), baseline, subject: Subject::Pull(42) };
        let request = Request { target, images: Vec::new(), ttl: None };
        assert_eq!(request.name().as_str(), "web-pr-42");
        let wish = json!(request.wish("ann".into(), None, Utc::now()));
        assert_eq!(wish["target"], json!({"forge": "github", "repository": "acme/web", "pull": 42}));
        assert_eq!((&wish["state"], &wish["actor"]), (&json!("Present"), &json!("ann")));
    }
}
