//! `preview logs`: what the services of an environment log, of several at one time, each line with its service in front.
//!
//! The user's own rights read the pods in the environment's namespace; the service has no part in it.

mod line;
pub mod pods;

use std::collections::HashMap;
use std::time::Duration;

use clap::Args;
use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Global;
use super::cluster::Cluster;
use super::errors::{Asked, Exit, Failure};
use super::find::Which;
use super::output::{colour_output, note, print};
use super::words;
use crate::api::PreviewEnvironment;
use crate::api::names::LABEL_ENVIRONMENT_UID;
use crate::domain::lifetime::parse_ttl;
use line::{Line, Painter};
use pods::Voice;

/// Lines of each container where nothing else is said.
const TAIL: i64 = 50;
/// How often pods are listed while logs are followed: new ones begin to speak within it.
const LOOK: Duration = Duration::from_secs(2);
/// Lines on their way to the terminal; a slow reader slows the streams.
const ON_ITS_WAY: usize = 1_000;

/// Flags of `preview logs`.
#[derive(Args, Debug)]
#[command(after_help = "The environment comes first, then its services; without one, all of them. Lines are in the order of their time.

Examples:
  preview logs web-pr-42 web
  preview logs web-pr-42 web api -f --since 10m
  preview logs --pull 42 --service web --previous")]
pub struct LogsArgs {
    /// The environment.
    #[command(flatten)]
    pub which: Which,
    /// The services [default: all]
    #[arg(value_name = "SERVICE", requires = "name")]
    pub services: Vec<String>,
    /// A service, where the environment is named by its pull request or branch; repeat it for more
    #[arg(long = "service", value_name = "SERVICE")]
    pub more: Vec<String>,
    /// Only this container
    #[arg(short, long, value_name = "NAME")]
    pub container: Option<String>,
    /// Go on with what is logged from now on, also by pods that come later
    #[arg(short, long, conflicts_with = "previous")]
    pub follow: bool,
    /// What is younger than this, such as 10m
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub since: Option<Duration>,
    /// Lines of each container; -1 for all [default: 50, and all with --since]
    #[arg(long, value_name = "LINES", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub tail: Option<i64>,
    /// Of containers that were started again: what they logged before
    #[arg(short, long)]
    pub previous: bool,
    /// Each line with its time
    #[arg(long)]
    pub timestamps: bool,
}

fn parse_since(text: &str) -> Result<Duration, String> {
    parse_ttl(text).map_err(|why| why.to_string())
}

impl LogsArgs {
    fn params(&self, container: &str, since: Option<i64>) -> LogParams {
        let lines = self.tail.or_else(|| self.since.is_none().then_some(TAIL)).filter(|lines| *lines >= 0);
        LogParams {
            container: Some(container.to_owned()),
            previous: self.previous,
            tail_lines: lines.filter(|_| since.is_none()),
            since_seconds: since.or_else(|| self.since.map(|since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))),
            timestamps: true,
            ..LogParams::default()
        }
    }
}

/// Runs the command.
pub async fn run(global: &Global, mut args: LogsArgs) -> Result<(), Failure> {
    let cluster = Cluster::connect(global).await?;
    let environment = args.which.find(&cluster).await?;
    let mut names = std::mem::take(&mut args.services);
    names.append(&mut args.more);
    let place = Place::of(&cluster, &environment, &names)?;
    if args.follow { place.follow(&args).await } else { place.show(&args).await }
}

/// Where the pods of an environment are, and which of them are asked for.
pub struct Place<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The environment's name.
    pub name: String,
    uid: String,
    /// The environment's namespace.
    pub namespace: String,
    /// Kind and name of the services that are asked for.
    pub services: Vec<(String, String)>,
}

impl<'a> Place<'a> {
    /// The place of those services, or of all.
    pub fn of(cluster: &'a Cluster, environment: &PreviewEnvironment, names: &[String]) -> Result<Self, Failure> {
        let name = environment.name_any();
        let Some(namespace) = environment.status.as_ref().and_then(|s| s.namespace.clone()) else {
            return Err(Failure::new(Exit::CannotBeReady, format!("nothing of {name} runs yet: {}", words::phase(environment)))
                .next(format!("why: preview describe {name}")));
        };
        let services = pods::chosen(environment, names)?;
        Ok(Self { cluster, name, uid: environment.uid().unwrap_or_default(), namespace, services })
    }

    /// The environment's pods.
    pub async fn pods(&self) -> Result<Vec<Pod>, Failure> {
        let ours = ListParams::default().labels(&format!("{LABEL_ENVIRONMENT_UID}={}", self.uid));
        let asked = Asked { verb: "list", resource: "pods", namespace: Some(&self.namespace) };
        Ok(self.cluster.ask(asked, self.api().list(&ours)).await?.items)
    }

    /// The pods of its namespace, to be asked for more.
    pub fn api(&self) -> Api<Pod> {
        Api::namespaced(self.cluster.client(), &self.namespace)
    }

    /// What was logged until now, all of it in the order of its time.
    async fn show(&self, args: &LogsArgs) -> Result<(), Failure> {
        let voices = pods::voices(&self.pods().await?, &self.services, args.container.as_deref());
        if voices.is_empty() {
            return Err(self.silent(args));
        }
        let mut painter = Painter::new(&voices, colour_output(), args.timestamps);
        let mut lines = Vec::new();
        for (at, voice) in voices.iter().enumerate() {
            let asked = Asked { verb: "get", resource: "pods/log", namespace: Some(&self.namespace) };
            match self.cluster.ask(asked, self.api().logs(&voice.pod, &args.params(&voice.container, None))).await {
                Ok(text) => lines.extend(text.lines().map(|text| (at, Line::read(text)))),
                Err(failure) if voices.len() == 1 => return Err(failure),
                Err(failure) => note(&format!("{}: {}", voice.label(), failure.message)),
            }
        }
        lines.sort_by_key(|(_, line)| line.at);
        print(&lines.iter().map(|(at, line)| painter.paint(&voices[*at], line)).collect::<String>())
    }

    /// Goes on until the environment's namespace is gone, or whoever reads has enough.
    async fn follow(&self, args: &LogsArgs) -> Result<(), Failure> {
        let (sender, mut lines) = mpsc::channel::<(Voice, Line)>(ON_ITS_WAY);
        let looks = self.listen(args, sender);
        let mut painter = Painter::new(&[], colour_output(), args.timestamps);
        let shown = async {
            while let Some((voice, line)) = lines.recv().await {
                print(&painter.paint(&voice, &line))?;
            }
            Ok(())
        };
        let (looked, shown) = tokio::join!(looks, shown);
        looked.and(shown)
    }

    async fn listen(&self, args: &LogsArgs, sender: mpsc::Sender<(Voice, Line)>) -> Result<(), Failure> {
        let mut tasks: HashMap<Voice, tokio::task::JoinHandle<()>> = HashMap::new();
        let mut first = true;
        loop {
            let pods = self.pods().await?;
            let voices = pods::voices(&pods, &self.services, args.container.as_deref());
            if first && voices.is_empty() {
                note(&format!("{} has no pods of these services yet; their lines follow when they start", self.name));
            }
            for voice in voices.into_iter().filter(|voice| voice.speaks) {
                if tasks.get(&voice).is_some_and(|task| !task.is_finished()) {
                    continue;
                }
                // One that comes later, or was started again, is heard from its beginning.
                let again = tasks.contains_key(&voice);
                let params = args.params(&voice.container, again.then_some(i64::try_from(LOOK.as_secs()).unwrap_or(2)));
                let params = if first || again { params } else { LogParams { tail_lines: None, since_seconds: None, ..params } };
                let task = tokio::spawn(hear(self.api(), voice.clone(), LogParams { follow: true, ..params }, sender.clone()));
                tasks.insert(voice, task);
            }
            first = false;
            let is_over = self.cluster.environment(&self.name).await?.is_none_or(|now| now.uid().as_deref() != Some(&self.uid));
            if is_over {
                tasks.values().for_each(tokio::task::JoinHandle::abort);
                note(&format!("{} is gone", self.name));
                return Ok(());
            }
            sleep(LOOK).await;
        }
    }

    fn silent(&self, args: &LogsArgs) -> Failure {
        let of = match args.container.as_deref() {
            Some(container) => format!("container {container} of {}", self.name),
            None => self.name.clone(),
        };
        Failure::new(Exit::NotFound, format!("no pods of these services, so nothing was logged: {of}"))
            .next(format!("how they are: preview describe {}", self.name))
    }
}

/// Sends on what a container logs until it ends. What a broken connection missed is asked for again with the next look.
async fn hear(api: Api<Pod>, voice: Voice, params: LogParams, sender: mpsc::Sender<(Voice, Line)>) {
    let Ok(stream) = api.log_stream(&voice.pod, &params).await else { return };
    let mut lines = stream.lines().into_stream().boxed();
    while let Some(Ok(text)) = lines.next().await {
        if sender.send((voice.clone(), Line::read(&text))).await.is_err() {
            return;
        }
    }
}
