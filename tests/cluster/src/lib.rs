//! A real Kubernetes control plane for development and tests.
//!
//! etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and kwok in place of kubelets: API, admission, RBAC,
//! garbage collection and scheduling are the real thing; pods get Ready and run nothing.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let cluster = test_cluster::shared().await; // started once in each test binary, ended with it
//! let client = cluster.admin_client().await?; // one for each runtime, so one for each test
//! # Ok(()) }
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | `recipe`, `go`, `binaries` | what is built from which Go modules, how, and where it is kept |
//! | `folder`, `orphans` | one cluster's data folder, and how what dead owners left is swept away |
//! | `port`, `credentials`, `kubeconfig` | how clients reach the API server and it alone |
//! | `arguments`, `component`, `tied` | the components' arguments, and how they end with their owner |
//! | `kubelets` | where kwok answers in the kubelets' place, and what it says that containers logged |
//! | `ready` | nodes, a StorageClass, and the wait for them |
//! | `cluster`, `audit` | what tests use |
//! | [`kept`] | the cluster of `make cluster` |

mod arguments;
mod audit;
mod binaries;
mod cluster;
mod component;
mod credentials;
mod folder;
mod go;
pub mod kept;
mod kubeconfig;
mod kubelets;
mod orphans;
mod port;
mod ready;
mod recipe;
mod tied;

use tokio::sync::OnceCell;

pub use audit::{Audit, Event, Mark};
pub use binaries::{Binaries, gateway_api, helm, prometheus_operator};
pub use cluster::{Cluster, Options};
pub use component::{Component, Launch};
pub use kubelets::{FAILS, Logs};

/// The cluster that all tests of one test binary share, started by the first that asks.
///
/// Nobody drops it: it ends when the test process ends, however that ends.
///
/// # Panics
/// When it cannot be started, for each test that asks, with the reason.
pub async fn shared() -> &'static Cluster {
    static SHARED: OnceCell<Result<Cluster, String>> = OnceCell::const_new();
    let start = async || Cluster::start(Options::default()).await.map_err(|error| format!("{error:#}"));
    SHARED.get_or_init(start).await.as_ref().expect("the shared test cluster starts")
}
