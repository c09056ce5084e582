//! `preview doctor`: is the cluster fit, is the service installed as it should be, and would environments be reached? Each check
//! is a line with what mends it. `facts` asks, `judge` says what the answers mean, and nothing is changed.

mod examine;
mod facts;
mod finding;
mod judge;
mod page;
mod shipped;

use clap::Args;

use super::Global;
use super::cluster::Cluster;
use super::errors::{Exit, Failure};
use super::github::GithubArgs;
use super::output::{Format, USUAL_WIDTH, colour_output, document, print, width};
use super::registry::RegistryArgs;
use finding::{Finding, Verdict};

/// Flags of `preview doctor`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Exit codes of this command:
  0  nothing fails; there may be warnings, and checks that could not be made
  1  something fails
  2  the command line cannot be understood

Examples:
  preview doctor
  preview doctor -n shop                            # of one Baseline
  preview doctor -o json
  preview doctor --github-app-id 123456 --github-app-key-file key.pem")]
pub struct DoctorArgs {
    /// Namespace of the service [default: wherever its Deployment is]
    #[arg(long, value_name = "NAMESPACE")]
    pub service_namespace: Option<String>,
    /// Who the service is on GitHub: with it, permissions and deliveries are checked there.
    #[command(flatten)]
    pub github: GithubArgs,
    /// How registries are asked.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// Runs the command. The exit code says whether anything fails.
pub async fn run(global: &Global, args: DoctorArgs) -> Result<Exit, Failure> {
    let format = global.output;
    if matches!(format, Format::Name | Format::Url) {
        return Err(Failure::new(Exit::Usage, "preview doctor prints checks: use -o table, json or yaml"));
    }
    let github = args.github.config()?;
    let findings = match Cluster::connect(global).await {
        Ok(cluster) => Box::pin(examine::examine(&cluster, global.namespace.as_deref(), (&args, github))).await,
        Err(failure) => vec![unreached(&failure)],
    };
    print(&match format {
        Format::Json | Format::Yaml => document(format, &page::object(&findings))?,
        _ => page::text(&findings, width().unwrap_or(USUAL_WIDTH), colour_output()),
    })?;
    Ok(if findings.iter().any(|finding| finding.result == Verdict::Failure) { Exit::Failed } else { Exit::Done })
}

/// Without a cluster there is nothing else to say.
fn unreached(failure: &Failure) -> Finding {
    let finding = Finding::failure("cluster", failure.message.clone());
    if failure.next.is_empty() { finding } else { finding.mend(failure.next.join("; ")) }
}
