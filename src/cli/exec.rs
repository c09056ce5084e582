//! `preview exec`: runs a command in a pod of an environment, or a shell. The user's own rights do it; the service has no
//! part in it.

mod choose;
mod ended;
mod session;
mod terminal;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, stdin, stdout};

use clap::Args;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};

use super::Global;
use super::cluster::Cluster;
use super::errors::{Asked, Exit, Failure};
use super::find::Which;
use super::logs::Place;
use super::output::note;
use choose::Chosen;
use ended::Ended;
use session::Session;
use terminal::RawTerminal;

/// The shells that are tried, in this order, where no command is given: what people like best first, and at last where
/// images without a system keep theirs.
const SHELLS: [&str; 3] = ["bash", "sh", "/busybox/sh"];

/// Flags of `preview exec`.
#[derive(Args, Debug)]
#[command(after_help = "Without a command it is a shell: bash, else sh, else /busybox/sh, with -i, and with -t on a terminal.
The exit code is that of the command, where it ran.

Examples:
  preview exec web-pr-42 web
  preview exec web-pr-42 web -- env
  preview exec web-pr-42 db -it -- psql -U shop
  preview exec --pull 42 --service db -i -- psql -U shop < seed.sql")]
pub struct ExecArgs {
    /// The environment.
    #[command(flatten)]
    pub which: Which,
    /// The service [default: the only one, or the only one that the branch builds]
    #[arg(value_name = "SERVICE", requires = "name")]
    pub positional: Option<String>,
    /// The service, where the environment is named by its pull request or branch
    #[arg(long, value_name = "SERVICE", conflicts_with = "positional")]
    pub service: Option<String>,
    /// The container [default: the one that the pod names for it, or its first]
    #[arg(short, long, value_name = "NAME")]
    pub container: Option<String>,
    /// Pass standard input on
    #[arg(short = 'i', long)]
    pub stdin: bool,
    /// Give the command a terminal, where standard input and output are one
    #[arg(short = 't', long)]
    pub tty: bool,
    /// The command and its arguments, behind --
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// What of this process the command is connected to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Wiring {
    stdin: bool,
    tty: bool,
}

impl Wiring {
    /// By the flags, and by whether standard input and output are a terminal. A shell is for being typed at.
    fn of(args: &ExecArgs, is_terminal: bool) -> Self {
        let is_shell = args.command.is_empty();
        Self { stdin: args.stdin || is_shell, tty: (args.tty || is_shell) && is_terminal }
    }

    /// Of a terminal, output and errors are one.
    fn params(self, container: &str) -> AttachParams {
        AttachParams {
            container: Some(container.to_owned()),
            stdin: self.stdin,
            stdout: true,
            stderr: !self.tty,
            tty: self.tty,
            ..AttachParams::default()
        }
    }
}

/// Runs the command, and gives the exit code of what it ran.
pub async fn run(global: &Global, mut args: ExecArgs) -> Result<u8, Failure> {
    let cluster = Cluster::connect(global).await?;
    let environment = args.which.find(&cluster).await?;
    let named = args.positional.take().or_else(|| args.service.take());
    let service = choose::service(&environment, named.as_deref())?;
    let place = Place::of(&cluster, &environment, std::slice::from_ref(&service))?;
    let chosen = choose::pod(&place.pods().await?, &place.services, args.container.as_deref());
    let chosen = chosen.map_err(|none| none.failure(&place.name, &service))?;
    if named.is_none() {
        note(&format!("in {service}"));
    }
    if let Some(others) = chosen.others() {
        note(&format!("in container {} of {}; with -c NAME in {others}", chosen.container, chosen.pod));
    }
    let is_terminal = stdin().is_terminal() && stdout().is_terminal();
    if args.tty && !is_terminal {
        note("standard input and output are no terminal, so the command gets none");
    }
    let wiring = Wiring::of(&args, is_terminal);
    let target = Target { place: &place, chosen: &chosen };
    let command = match args.command {
        command if !command.is_empty() => command,
        _ => match target.shell().await? {
            Ok(shell) => vec![shell],
            Err(told_to_end) => return Ok(told_to_end),
        },
    };
    target.run(&command, wiring).await
}

/// The container in which something runs.
struct Target<'a> {
    place: &'a Place<'a>,
    chosen: &'a Chosen,
}

impl Target<'_> {
    async fn start(&self, command: &[String], params: &AttachParams) -> Result<AttachedProcess, Failure> {
        let asked = Asked { verb: "create", resource: "pods/exec", namespace: Some(&self.place.namespace) };
        let api: Api<Pod> = self.place.api();
        let started = self.place.cluster.ask(asked, api.exec(&self.chosen.pod, command, params)).await;
        started.map_err(|failure| {
            if failure.message.starts_with("you may not") {
                failure.next("the Baseline gives it with: access: [{subject: {kind: User, name: ...}, role: Edit}]")
            } else {
                failure
            }
        })
    }

    /// The first of the shells that the image has, or with what to end where we were told to meanwhile.
    async fn shell(&self) -> Result<Result<String, u8>, Failure> {
        let none = Wiring { stdin: false, tty: false }.params(&self.chosen.container);
        for shell in SHELLS {
            let command = [shell, "-c", ":"].map(str::to_owned);
            match Session::silent().follow(self.start(&command, &none).await?).await? {
                Ended::Ran(0) => return Ok(Ok(shell.to_owned())),
                Ended::Told(code) => return Ok(Err(code)),
                missing if missing.is_missing() => {}
                other => return self.told(&command, other).map(|_| Ok(shell.to_owned())),
            }
        }
        let (place, Chosen { pod, container, .. }) = (self.place, self.chosen);
        Err(Failure::failed(format!("{container} has no shell: {} were tried", SHELLS.join(", ")))
            .next(format!("run what its image has: preview exec {} {} -- COMMAND", place.name, self.service()))
            .next(format!("or bring a shell along: kubectl debug -n {} -it {pod} --image=busybox --target={container}", place.namespace)))
    }

    /// Runs it until it ends, whichever way; the terminal is as it was afterwards.
    async fn run(&self, command: &[String], wiring: Wiring) -> Result<u8, Failure> {
        let process = self.start(command, &wiring.params(&self.chosen.container)).await?;
        // It listens for signals from here on, so a terminal that is raw is put back.
        let session = Session::of_this_process(wiring.stdin);
        let raw = if wiring.tty && wiring.stdin { Some(RawTerminal::enter()?) } else { None };
        let ended = session.follow(process).await;
        drop(raw);
        self.told(command, ended?)
    }

    /// The exit code of what ran, or why it did not.
    fn told(&self, command: &[String], ended: Ended) -> Result<u8, Failure> {
        match ended {
            Ended::Ran(code) | Ended::Told(code) => Ok(code),
            Ended::Lost(why) => Err(self.lost(&why)),
            Ended::NotStarted(why) => Err(Failure::failed(format!("cannot run {} in {}: {why}", command.join(" "), self.chosen.container))
                .next("it is looked for in the container and run without a shell; for one: -- sh -c '...'")),
        }
    }

    fn lost(&self, why: &str) -> Failure {
        Failure::failed(format!("the connection to {} ended before the command did: {why}", self.chosen.pod))
            .next(format!("the pod may be gone or replaced: preview describe {}", self.place.name))
    }

    fn service(&self) -> &str {
        self.place.services.first().map(|(_, name)| name.as_str()).unwrap_or_default()
    }
}

impl choose::NoPod {
    fn failure(self, environment: &str, service: &str) -> Failure {
        let describe = format!("how it is: preview describe {environment}");
        match self {
            Self::None => Failure::new(Exit::CannotBeReady, format!("no pod of {service} is there in {environment}")).next(describe),
            Self::NotRunning { pod, container, why } => {
                Failure::new(Exit::CannotBeReady, format!("{container} of {pod} does not run: {why}"))
                    .next(format!("what it logged before: preview logs {environment} {service} --previous"))
                    .next(describe)
            }
            Self::NoContainer { pod, container, there } => {
                Failure::new(Exit::NotFound, format!("{pod} has no container {container}")).next(format!("it has {}", there.join(", ")))
            }
        }
    }
}
