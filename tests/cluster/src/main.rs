//! Starts a cluster that lasts as long as this program.

use test_cluster::{Cluster, Options};

fn main() -> anyhow::Result<()> {
    let cluster = Cluster::start_blocking(&Options::default())?;
    println!("export KUBECONFIG={}", cluster.kubeconfig_path().display());
    std::io::stdin().lines().for_each(drop);
    Ok(())
}
