//! What the service shows on /metrics.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use test_world::{World, get};

/// How often it is asked while something is waited for: it costs the service a fraction of a millisecond.
const ASK: Duration = Duration::from_millis(50);
/// How long one thing is waited for.
const DEADLINE: Duration = Duration::from_secs(900);

/// All series, as text.
#[derive(Debug, Default)]
pub struct Shown(String);

impl Shown {
    /// Asks the service.
    pub async fn now(world: &World) -> Result<Self> {
        let url = world.service.lock().await.url("/metrics");
        Ok(Self(get(&url).await?.body))
    }

    /// The sum of all series of that name whose labels hold each of these texts.
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let value = |line: &str| -> Option<f64> {
            let rest = line.strip_prefix(name)?;
            let (of, value) = rest.rsplit_once(' ')?;
            let is_it = (of.is_empty() || of.starts_with('{')) && labels.iter().all(|label| of.contains(label));
            is_it.then(|| value.parse().ok())?
        };
        self.0.lines().filter_map(value).sum()
    }

    /// How many environments are in a phase.
    pub fn in_phase(&self, phase: &str) -> f64 {
        self.sum("preview_environments", &[&format!("phase=\"{phase}\"")])
    }
}

/// Waits until what the service shows is so. One that does not answer, such as while it starts, is asked again.
pub async fn until(world: &World, what: &str, is_so: impl Fn(&Shown) -> bool) -> Result<()> {
    let (begun, mut ticks) = (Instant::now(), tokio::time::interval(ASK));
    while begun.elapsed() < DEADLINE {
        ticks.tick().await;
        if Shown::now(world).await.is_ok_and(|shown| is_so(&shown)) {
            return Ok(());
        }
    }
    let shown = Shown::now(world).await.with_context(|| format!("not {what}, and the service does not answer"))?;
    let lines: Vec<&str> = shown.0.lines().filter(|line| line.starts_with("preview_environments{")).collect();
    bail!("not {what} after {} s:\n{}", DEADLINE.as_secs(), lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_added_up_by_name_and_labels() {
        let text = "# TYPE preview_reconcile counter\n\
                    preview_reconcile_total{baseline=\"a/a\",outcome=\"applied\"} 3\n\
                    preview_reconcile_total{baseline=\"a/a\",outcome=\"waiting\"} 2\n\
                    preview_reconcile_totals 7\n\
                    preview_leader 1\n";
        let shown = Shown(text.to_owned());
        for (name, labels, sum) in [
            ("preview_reconcile_total", vec![], 5.0),
            ("preview_reconcile_total", vec!["outcome=\"waiting\""], 2.0),
            ("preview_leader", vec![], 1.0),
            ("preview_nothing", vec![], 0.0),
        ] {
            assert!((shown.sum(name, &labels) - sum).abs() < 1e-9, "{name} {labels:?}");
        }
    }
}
