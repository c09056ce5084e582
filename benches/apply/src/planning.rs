//! How long a plan takes: pure work, so no cluster is asked.

use std::collections::HashSet;
use std::time::Instant;

use anyhow::Result;
use preview_env::api;
use preview_env::domain::{Baseline, EnvironmentName};
use preview_env::plan::{Manifest, ResolvedImages, Snapshot, Target, plan};

use bench::shop::{Shop, objects};

/// A system far above what teams have in one namespace.
pub const SERVICES: usize = 200;
const ROUNDS: usize = 50;

/// Milliseconds of each plan of [`SERVICES`] services.
pub fn measure() -> Result<Vec<f64>> {
    let shop = Shop { namespace: "shop".to_owned(), repository: "acme/web".to_owned() };
    let mut object: api::Baseline = serde_json::from_value(shop.baseline())?;
    object.metadata.namespace = Some(shop.namespace.clone());
    let baseline = Baseline::try_from(&object)?;
    let snapshot = Snapshot { objects: objects(SERVICES).into_iter().map(Manifest::new).collect(), ..Snapshot::default() };
    let (environment, none) = (EnvironmentName::recorded("web-pr-42"), HashSet::new());
    let target = Target {
        environment: &environment,
        uid: "00000000-0000-0000-0000-000000000042",
        namespace: "shop-web-pr-42",
        baseline: &baseline,
        isolated: false,
        source: None,
        seed: None,
        held_hosts: &none,
        recorded_hosts: &none,
        run: "measured",
    };
    let images = ResolvedImages::default();
    let timed = |_| {
        let begun = Instant::now();
        let planned = plan(&snapshot, &target, &images);
        let took = begun.elapsed().as_secs_f64() * 1e3;
        anyhow::ensure!(planned.workloads.len() == SERVICES, "{} of {SERVICES} services are in the plan", planned.workloads.len());
        Ok(took)
    };
    (0..ROUNDS).map(timed).collect()
}
