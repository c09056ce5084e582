//! `preview serve`: the flags of the service.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::HeaderValue;
use http::header::USER_AGENT;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::Global;
use super::cluster::config;
use super::errors::{Exit, Failure};
use super::github::{GithubArgs, set};
use super::registry::RegistryArgs;
use crate::config::{ControllerConfig, DEFAULT_BODY_LIMIT, GithubConfig, ServerConfig};
use crate::domain::instance::InvalidInstance;
use crate::domain::{Instance, Seed};
use crate::forge::pace::Limits;
use crate::lease::Place;
use crate::server::{SecretsError, WebhookSecrets};
use crate::service::{self, Options, Work};
use crate::traces::Traces;

/// How long deliveries are still taken after SIGTERM. Kubernetes takes a pod that ends out of its Services at the same time as
/// it tells it to end, and proxies and load balancers hear of that some seconds later.
const LINGER: Duration = Duration::from_secs(5);
/// Shortest time between two looks.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);

/// Within which limits GitHub is written to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum GithubLimits {
    /// Those that github.com publishes.
    #[value(name = "github.com")]
    GithubCom,
    /// None but what its answers ask for.
    None,
}

/// Flags of `preview serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Address of the webhook server, health and metrics
    #[arg(long, env = "PREVIEW_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Address of health and metrics, so that they answer whatever comes to the webhook server: without it, that of --listen
    #[arg(long, env = "PREVIEW_HEALTH_LISTEN", value_name = "ADDRESS")]
    pub health_listen: Option<SocketAddr>,
    /// Namespace of the Lease that decides which of all replicas leads
    #[arg(long, env = "PREVIEW_LEASE_NAMESPACE", value_name = "NAMESPACE", default_value = "preview-env")]
    pub lease_namespace: String,
    /// Name of that Lease
    #[arg(long, env = "PREVIEW_LEASE_NAME", value_name = "NAME", default_value = "preview-env")]
    pub lease_name: String,
    /// What this replica is called, and no other that may run at the same time. One that starts again under its name leads
    /// again at once. Default: another one with each start
    #[arg(long, env = "PREVIEW_IDENTITY", value_name = "NAME")]
    pub identity: Option<String>,
    /// File with the webhook's secret; twice while the secret is changed (in the variable: separated by commas)
    #[arg(long, env = "PREVIEW_WEBHOOK_SECRET_FILE", value_name = "FILE", value_delimiter = ',')]
    pub webhook_secret_file: Vec<PathBuf>,
    /// Take no deliveries and ask GitHub every so often instead, such as 30s: for clusters that GitHub cannot reach
    #[arg(long, env = "PREVIEW_POLL", value_name = "TIME", value_parser = parse_pause)]
    pub poll: Option<Duration>,
    /// How often GitHub is asked for what no delivery told
    #[arg(long, env = "PREVIEW_LOOK_EVERY", value_name = "TIME", default_value = "5m", value_parser = parse_pause)]
    pub look_every: Duration,
    /// How long a namespace that has no environment any more is left alone, from one look to the next
    #[arg(long, env = "PREVIEW_ORPHAN_AFTER", value_name = "TIME", default_value = "5m", value_parser = parse_pause)]
    pub orphan_after: Duration,
    /// Address that environments are asked for an answer at, whatever their hosts' names resolve to: that of the ingress
    /// controller or gateway, with its port
    #[arg(long, env = "PREVIEW_PROBE_ADDRESS", value_name = "ADDRESS")]
    pub probe_address: Option<SocketAddr>,
    /// How fast GitHub is written to: within the limits of github.com, or as fast as it goes, for an Enterprise Server
    /// without limits
    #[arg(long, env = "PREVIEW_GITHUB_LIMITS", value_name = "WHOSE", default_value = "github.com")]
    pub github_limits: GithubLimits,
    /// Who it is on GitHub.
    #[command(flatten)]
    pub github: GithubArgs,
    /// What this service is called among those that write to GitHub as the same App or account, such as production: by it each
    /// finds its own comments, checks and deployments. All its replicas have the same. Default: by the cluster
    #[arg(long, env = "PREVIEW_INSTANCE", value_name = "NAME")]
    pub instance: Option<String>,
    /// File with what generated values of Secrets follow from (clone.secrets[].generate): 32 characters or more
    #[arg(long, env = "PREVIEW_SEED_FILE", value_name = "FILE")]
    pub seed_file: Option<PathBuf>,
    /// Largest delivery that is read, in bytes; GitHub sends none above 25 MB, and of pull requests none near 5 MiB
    #[arg(long, env = "PREVIEW_BODY_LIMIT", value_name = "BYTES", default_value_t = DEFAULT_BODY_LIMIT)]
    pub body_limit: usize,
    /// Requests to the API server at one time
    #[arg(long, env = "PREVIEW_IN_FLIGHT", value_name = "COUNT", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub in_flight: u16,
    /// How often an environment is looked over at most for what somebody deleted of the kinds that are not watched. All of them
    /// together cost a hundred requests to the API server in that time
    #[arg(long, env = "PREVIEW_LOOK_OVER_EVERY", value_name = "TIME", default_value = "5m", value_parser = parse_pause)]
    pub look_over_every: Duration,
    /// The registries.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

impl ServeArgs {
    fn options(&self) -> Result<Options, Failure> {
        let github = self.github()?;
        // A variable that is set to nothing sets nothing.
        let secrets: Vec<PathBuf> = self.webhook_secret_file.iter().filter(|path| !path.as_os_str().is_empty()).cloned().collect();
        let secrets = match self.poll {
            Some(_) if !secrets.is_empty() => {
                return Err(Failure::new(Exit::Usage, "give either --poll or --webhook-secret-file: one who polls takes no deliveries"));
            }
            Some(_) if github.is_none() => {
                return Err(Failure::new(Exit::Usage, "--poll asks GitHub, which needs --github-app-id or --github-token-file"));
            }
            Some(_) => None,
            None => Some(WebhookSecrets::from_files(&secrets).map_err(|error| secrets_failure(&error))?),
        };
        let work = Work {
            look_every: self.poll.unwrap_or(self.look_every),
            probe_address: self.probe_address,
            seed: set(self.seed_file.as_ref()).map(|path| seed(path)).transpose()?,
            controller: ControllerConfig {
                in_flight: self.in_flight.into(),
                look_over_every: self.look_over_every,
                orphan_after: self.orphan_after,
                ..ControllerConfig::default()
            },
            registry: self.registry.config(),
            github,
            instance: self.instance()?,
        };
        let server = ServerConfig { listen: self.listen, health: self.health_listen, body_limit: self.body_limit };
        Ok(Options { secrets, server, lease: self.lease()?, work, traces: Traces::default() })
    }

    fn instance(&self) -> Result<Option<Instance>, Failure> {
        let given = self.instance.as_deref().filter(|name| !name.is_empty());
        given.map(str::parse).transpose().map_err(|error: InvalidInstance| Failure::new(Exit::Usage, format!("--instance: {error}")))
    }

    fn lease(&self) -> Result<Place, Failure> {
        let identity = match self.identity.as_ref().filter(|identity| !identity.is_empty()) {
            Some(identity) => identity.clone(),
            None => some_identity().ok_or_else(|| Failure::failed("this machine gives no random numbers; give an --identity"))?,
        };
        Ok(Place { namespace: self.lease_namespace.clone(), name: self.lease_name.clone(), identity })
    }
}

impl ServeArgs {
    fn github(&self) -> Result<Option<GithubConfig>, Failure> {
        let limits = match self.github_limits {
            GithubLimits::GithubCom => Limits::GITHUB,
            GithubLimits::None => Limits::NONE,
        };
        Ok(self.github.config()?.map(|config| config.with_limits(limits)))
    }
}

/// Not so short that GitHub's limit of 5,000 requests an hour is spent on it.
fn parse_pause(text: &str) -> Result<Duration, String> {
    let pause = humantime::parse_duration(text).map_err(|why| format!("{why}; write it like 30s or 5m"))?;
    if pause >= SHORTEST_PAUSE { Ok(pause) } else { Err("it is less than 5s".to_owned()) }
}

/// Runs the service until SIGTERM or SIGINT, and ends it at once with a second one.
pub async fn run(global: &Global, args: ServeArgs) -> Result<(), Failure> {
    let options = args.options()?;
    let traces = Traces::by_variables(&options.lease.identity);
    let options = Options { traces: traces.clone(), ..options };
    let (mut config, _) = config(global).await?;
    // So that the API server's own log tells one replica from another.
    let agent = format!("preview-env/{} ({})", env!("CARGO_PKG_VERSION"), options.lease.identity);
    config.headers.extend(HeaderValue::from_str(&agent).map(|agent| (USER_AGENT, agent)));
    let mut signals = Signals::listen()?;
    let (tell, told) = oneshot::channel();
    let stop = async { told.await.unwrap_or_default() };
    let again = async {
        // Whoever waits for it is gone only at the end.
        let _ = tell.send(signals.next().await);
        tracing::info!("stopping");
        signals.next().await
    };
    let run = async {
        let ended = service::run(config, options, stop).await;
        traces.end().await;
        ended
    };
    tokio::select! {
        ended = Box::pin(run) => ended.map_err(|error| Failure::failed(error.to_string())),
        _ = again => Err(Failure::failed("stopped at once by a second signal; what was under way was not waited for")),
    }
}

/// A name that no other replica has: the host's, with eight hexadecimal digits.
fn some_identity() -> Option<String> {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "preview".to_owned());
    let mut number = [0; 4];
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut number).ok()?;
    Some(format!("{host}_{}", hex::encode(number)))
}

fn seed(path: &Path) -> Result<Seed, Failure> {
    let unusable = |why: &dyn std::fmt::Display| Failure::failed(format!("cannot use the seed file {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
    Seed::new(&text).map_err(|error| unusable(&error))
}

fn secrets_failure(error: &SecretsError) -> Failure {
    let exit = if matches!(error, SecretsError::None | SecretsError::TooMany(_)) { Exit::Usage } else { Exit::Failed };
    Failure::new(exit, error.to_string())
}

/// What tells the process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|why| Failure::failed(format!("cannot listen for signals: {why}")));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for the next one, and says how long deliveries are still taken after it.
    async fn next(&mut self) -> Duration {
        tokio::select! {
            _ = self.terminate.recv() => LINGER,
            // By a person at a terminal, with nothing in front of it.
            _ = self.interrupt.recv() => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ServeArgs,
    }

    #[test]
    fn without_a_secret_it_refuses_in_one_line() {
        for files in [Vec::new(), vec![PathBuf::new()]] {
            let Err(failure) = (ServeArgs { webhook_secret_file: files, ..args(&[]) }).options() else { panic!("it starts") };
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.to_string().lines().count() == 1 && failure.message.contains("--webhook-secret-file"));
        }
    }

    #[test]
    fn who_polls_needs_a_token_and_takes_no_deliveries() {
        for (flags, word) in [
            (&["--poll", "30s"][..], "--github-token-file"),
            (&["--poll", "30s", "--github-token-file", "t", "--webhook-secret-file", "s"][..], "either"),
        ] {
            let Err(failure) = args(flags).options() else { panic!("it starts") };
            assert!(failure.exit == Exit::Usage && failure.message.contains(word), "{failure}");
        }
        let options = args(&["--poll", "30s", "--github-token-file", "t"]).options();
        let options = options.unwrap_or_else(|failure| panic!("{failure}"));
        assert!(options.secrets.is_none() && options.work.look_every == Duration::from_secs(30));
        assert!(Line::try_parse_from(["serve", "--poll", "1s"]).is_err());
    }

    fn args(flags: &[&str]) -> ServeArgs {
        Line::parse_from([&["serve"], flags].concat()).args
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let args = args(&["--webhook-secret-file", "x"]);
        assert_eq!((args.listen.to_string().as_str(), args.in_flight, args.body_limit), ("0.0.0.0:8080", 32, 5_242_880));
        assert_eq!(args.look_over_every, ControllerConfig::default().look_over_every);
        assert_eq!(args.github.github_url, "https://api.github.com");
        assert_eq!((args.lease_namespace.as_str(), args.lease_name.as_str(), args.health_listen), ("preview-env", "preview-env", None));
    }

    #[test]
    fn a_service_is_called_by_a_name_that_can_stand_in_a_comment_or_by_none() {
        let called = |flags: &[&str]| args(flags).instance().map(|name| name.map(|name| name.to_string()));
        assert_eq!(called(&["--instance=production"]).unwrap().as_deref(), Some("production"));
        assert_eq!((called(&[]).unwrap(), called(&["--instance="]).unwrap()), (None, None));
        let failure = called(&["--instance=my --> cluster"]).unwrap_err();
        assert!(failure.exit == Exit::Usage && failure.message.contains("--instance"), "{}", failure.message);
    }

    #[test]
    fn every_start_without_a_name_of_its_own_has_another_one() {
        let identity = |flags: &[&str]| args(flags).lease().unwrap().identity;
        assert_ne!(identity(&[]), identity(&[]));
        assert_ne!(identity(&["--identity="]), "");
        assert_eq!(identity(&["--identity=preview-env-0"]), "preview-env-0");
    }
}
