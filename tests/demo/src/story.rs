//! The story: a pull request is opened, pushed to and merged, and another one lives beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use github_double::{Action, Deployment, Double, On, Open, Records, on};
use kube::ResourceExt;
use test_world::{BOT, DEVELOPER, deadline};
use tokio::process::Command;

use crate::count;
use crate::figures::{self, Figure};
use crate::keep;
use crate::milestone::{Account, Milestone};
use crate::milestones::{
    answered, applied, comment_says_ready, comment_says_removed, namespace_gone, namespace_there, object_gone, pods_gone, pods_told, ready,
    recorded,
};
use crate::paper::Paper;
use crate::stage::{SHOP, Stage};
use crate::state::State;
use crate::watches::{PullName, Watches};

/// What a reviewer does not notice: everything is applied, and nothing runs any more, in well under a second.
const AIM: Duration = Duration::from_secs(1);

/// A pull request, and what belongs to it.
#[derive(Clone, Debug)]
pub struct Pull {
    /// Where it is.
    pub name: PullName,
    /// Its environment.
    pub environment: String,
    /// The namespace of that.
    pub namespace: String,
}

impl Pull {
    /// `acme/web#1`.
    pub fn shown(&self) -> String {
        format!("{}#{}", self.name.repository, self.name.number)
    }

    /// Acts on it as the developer.
    pub fn on(&self) -> On {
        on(&self.name.repository, self.name.number, DEVELOPER)
    }
}

/// The story as it is told.
pub struct Story<'a> {
    stage: &'a Stage,
    /// What was seen and written so far.
    pub account: Account,
}

/// From the first day to the last.
pub async fn whole(stage: &Stage, paper: Paper) -> Result<()> {
    let mut story = Story::begin(stage, paper).await?;
    let mut figures = Vec::new();
    let web = story.open(&mut figures).await?;
    story.push(&web, &mut figures).await?;
    let api = story.open_beside().await?;
    story.end(&web, &api, &mut figures).await?;
    figures::print(&figures, paper);
    Paper::line("");
    Ok(())
}

/// Until the environment is ready; from there a person goes on.
pub async fn keep(stage: &Stage, paper: Paper) -> Result<()> {
    let mut story = Story::begin(stage, paper).await?;
    let web = story.open(&mut Vec::new()).await?;
    keep::explain(stage, &web, paper).await;
    keep::follow(story.account).await
}

impl<'a> Story<'a> {
    async fn begin(stage: &'a Stage, paper: Paper) -> Result<Self> {
        let watches = Watches::start(&stage.world.admin, SHOP).await?;
        Ok(Self { stage, account: Account { paper, watches, state: State::default(), since: Instant::now() } })
    }

    fn elapsed(&self) -> Duration {
        self.account.since.elapsed()
    }

    /// Does something on GitHub, and lets its deliveries go out.
    fn act(&mut self, action: Action, environment: &str) -> Result<Pull> {
        let github = &self.stage.world.github;
        let done = github.act(action)?;
        let delivery = done.delivery();
        let repository = delivery.json()["repository"]["full_name"].as_str().context("a delivery without a repository")?.to_owned();
        let name = PullName { repository, number: done.number() };
        let environment = format!("{environment}-pr-{}", name.number);
        self.account.watches.deliver(github, name.clone(), done.deliveries);
        Ok(Pull { namespace: format!("{SHOP}-{environment}"), environment, name })
    }

    fn revision(&self, pull: &Pull) -> Result<String> {
        Ok(self.stage.world.github.pull(&pull.name.repository, pull.name.number)?.head_sha)
    }

    fn print_comment(&self, pull: &Pull) {
        let by = format!("{BOT} on {}", pull.shown());
        self.account.paper.comment(&by, self.account.state.comment(&pull.name).unwrap_or_default());
    }

    async fn open(&mut self, figures: &mut Vec<Figure>) -> Result<Pull> {
        let paper = self.account.paper;
        let title = "Faster checkout";
        let mark = self.stage.world.audit().mark().await?;
        paper.heading(&format!("A pull request: acme/web, \"{title}\""));
        self.account.since = Instant::now();
        let pull = self.act(Open::new("acme/web", "faster-checkout", DEVELOPER).title(title).into(), "web")?;
        paper.timed(Duration::ZERO, &format!("{DEVELOPER} opens {}", pull.shown()));
        self.account.watches.follow_comment(&self.stage.world.github, pull.name.clone());
        let revision = self.revision(&pull)?;
        let times = self
            .account
            .tell(vec![
                recorded(&pull),
                answered(&pull, 1),
                namespace_there(&pull),
                applied(&pull, &revision),
                ready(&pull, &revision),
                comment_says_ready(&pull, &revision),
            ])
            .await?;
        figures.push(Figure { what: "opened to all objects applied", took: times[3], aim: Some(AIM) });
        figures.push(Figure { what: "opened to ready", took: times[4], aim: None });
        let events = self.stage.world.audit().since(mark).await?;
        self.say_what_it_took(&pull, &events).await?;
        self.print_comment(&pull);
        self.print_beside(&pull, &revision).await?;
        Ok(pull)
    }

    /// What GitHub shows beside the comment, once the service has written that too.
    async fn print_beside(&self, pull: &Pull, revision: &str) -> Result<()> {
        let beside = |github: &Double| lines_beside(&github.repository(&pull.name.repository).ok()?.records, revision);
        let lines = self.stage.world.github.wait_until("check and deployment", deadline(), beside).await?;
        for line in &lines {
            Paper::aside(line);
        }
        Ok(())
    }

    /// What the environment has and what it cost, counted at the API server.
    async fn say_what_it_took(&self, pull: &Pull, events: &[test_cluster::Event]) -> Result<()> {
        let there = count::objects_of(&self.stage.world.admin, &self.uid(pull)?).await?;
        let status = self.account.state.status(&pull.environment).context("the environment is gone")?;
        let names = status.inventory.iter().map(|entry| format!("{}/{}", entry.kind, entry.name));
        let missing: Vec<_> = names.filter(|name| !there.contains(name)).collect();
        ensure!(missing.is_empty(), "applied, and not there: {}", missing.join(", "));
        let requests = count::requests(events);
        let reads = requests.iter().filter(|event| matches!(event.verb.as_str(), "get" | "list")).count();
        Paper::aside(&format!("at the API server: {} requests so far, {reads} of them reads", requests.len()));
        Ok(())
    }

    fn uid(&self, pull: &Pull) -> Result<String> {
        self.account.state.environment(&pull.environment).and_then(ResourceExt::uid).context("the environment has no UID")
    }

    async fn push(&mut self, pull: &Pull, figures: &mut Vec<Figure>) -> Result<()> {
        let paper = self.account.paper;
        paper.heading("A push");
        let mark = self.stage.world.audit().mark().await?;
        let pushed = self.elapsed();
        self.act(pull.on().push(), "web")?;
        let revision = self.revision(pull)?;
        paper.timed(pushed, &format!("{DEVELOPER} pushes {}", &revision[..7]));
        let applied = Milestone::new("the new images are applied", {
            let (pull, revision) = (pull.clone(), revision.clone());
            move |state| state.applied(&pull.environment, &revision).map(|_| "the new images are applied".to_owned())
        });
        let times = self.account.tell(vec![answered(pull, 2), applied]).await?;
        let events = self.stage.world.audit().since(mark).await?;
        Paper::aside("written there, and nothing else:");
        for line in what_was_written(&count::writes(&events, &pull.namespace)) {
            Paper::aside(&format!("  {line}"));
        }
        figures.push(Figure { what: "pushed to new images applied", took: times[1].saturating_sub(pushed), aim: Some(AIM) });
        self.account.tell(vec![ready(pull, &revision), comment_says_ready(pull, &revision)]).await?;
        Ok(())
    }

    /// A second pull request, told in short.
    async fn open_beside(&mut self) -> Result<Pull> {
        let paper = self.account.paper;
        paper.heading("Meanwhile, another pull request: acme/api");
        let opened = self.elapsed();
        let pull = self.act(Open::new("acme/api", "new-prices", DEVELOPER).title("New prices").into(), "api")?;
        paper.timed(opened, &format!("{DEVELOPER} opens {}", pull.shown()));
        self.account.watches.follow_comment(&self.stage.world.github, pull.name.clone());
        let revision = self.revision(&pull)?;
        let milestones = vec![applied(&pull, &revision), ready(&pull, &revision), comment_says_ready(&pull, &revision)];
        self.account.tell(milestones).await?;
        self.list().await?;
        Ok(pull)
    }

    /// What `preview list` says, to whom we speak ourselves: a terminal or a pipe.
    async fn list(&self) -> Result<()> {
        Paper::line(&format!("\n$ preview list -n {SHOP}"));
        let mut command = Command::new(&self.stage.preview);
        command.args(["list", "-n", SHOP]).env("KUBECONFIG", self.stage.world.cluster.kubeconfig_path()).stdin(Stdio::null());
        let status = command.status().await.context("cannot run preview")?;
        ensure!(status.success(), "preview list failed ({status})");
        Ok(())
    }

    async fn end(&mut self, web: &Pull, api: &Pull, figures: &mut Vec<Figure>) -> Result<()> {
        let paper = self.account.paper;
        let uids = [self.uid(web)?, self.uid(api)?];
        paper.heading("The end");
        let merged = self.elapsed();
        self.act(web.on().merge(), "web")?;
        paper.timed(merged, &format!("{DEVELOPER} merges {}", web.shown()));
        let ended = self.account.tell(vec![answered(web, 3), pods_told(web), pods_gone(web)]).await?;
        paper.timed(self.elapsed(), &format!("{DEVELOPER} closes {}", api.shown()));
        self.act(api.on().close(), "api")?;
        let mut milestones: Vec<_> = [web, api].into_iter().flat_map(|pull| [namespace_gone(pull), object_gone(pull)]).collect();
        milestones.push(comment_says_removed(web));
        let gone = self.account.tell(milestones).await?;
        let since = |time: Duration| time.saturating_sub(merged);
        figures.push(Figure { what: "merged to no pod running", took: since(ended[1].max(ended[2])), aim: Some(AIM) });
        figures.push(Figure { what: "merged to nothing left", took: since(gone[0].max(gone[1])), aim: None });
        self.check_nothing_is_left(&uids).await?;
        self.print_comment(web);
        Ok(())
    }

    async fn check_nothing_is_left(&self, uids: &[String]) -> Result<()> {
        for uid in uids {
            let left = count::objects_of(&self.stage.world.admin, uid).await?;
            ensure!(left.is_empty(), "this is left of an environment: {}", left.join(", "));
        }
        Paper::aside("nothing is left: no object in the cluster carries the UID of either");
        Ok(())
    }
}

/// The check of a commit and where its deployment leads, once both say that it is up.
fn lines_beside(records: &Records, revision: &str) -> Option<Vec<String>> {
    let check = records.checks.values().find(|check| check.head_sha == revision && check.conclusion.is_some())?;
    let up = |one: &&Deployment| one.sha == revision && one.state() == Some("success");
    let deployment = records.deployments.values().find(up)?;
    let buttons: Vec<_> = check.actions.iter().map(|action| action.label.as_str()).collect();
    let leads_to = &deployment.statuses.last()?.environment_url;
    Some(vec![
        format!("the check {}: {} ({})", check.name, check.conclusion.as_deref()?, buttons.join(", ")),
        format!("\"View deployment\" leads to {leads_to}"),
    ])
}

/// What was written, one line a verb and kind: `3 PATCHes: deployments bff, web, worker`.
fn what_was_written(writes: &[&test_cluster::Event]) -> Vec<String> {
    let mut by_kind: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for event in writes {
        by_kind.entry((&event.verb, &event.resource)).or_default().push(&event.name);
    }
    let one = |((verb, resource), names): ((&str, &str), Vec<&str>)| {
        let plural = if names.len() == 1 { "" } else { "es" };
        let names: BTreeSet<&str> = names.into_iter().collect();
        format!("{} {}{plural}: {resource} {}", names.len(), verb.to_uppercase(), Vec::from_iter(names).join(", "))
    };
    by_kind.into_iter().map(one).collect()
}
