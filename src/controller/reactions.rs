//! What the controller does about a change: it counts, wakes and forgets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt;

use super::Context;
use super::environments::{Change, Listener};
use crate::api::PreviewEnvironment;
use crate::metrics::Metrics;

/// Told of every change while the controller runs.
pub(super) fn listener(context: Arc<Context>) -> Listener {
    let counted = Counted { phases: Mutex::default(), metrics: context.metrics.clone() };
    Box::new(move |change| match change {
        Change::Applied(object) => {
            counted.count(object, phase_of(object));
            context.wake.environment(&object.namespace().unwrap_or_default(), &object.name_any());
        }
        Change::Deleted(object) => {
            counted.count(object, None);
            forget(&context, object);
        }
        Change::Baselines(namespace) => context.wake_namespace(namespace),
    })
}

fn forget(context: &Context, object: &PreviewEnvironment) {
    let (uid, namespace) = (&object.uid().unwrap_or_default(), object.namespace().unwrap_or_default());
    context.memory.forget(uid);
    context.hosts.release(uid);
    context.retries.forget(uid);
    context.images.keep_only(uid, &[]);
    context.pods.forget(uid);
    context.healing.forget(uid);
    context.behind.forget(uid);
    context.rounds.forget(uid);
    context.queue.forget(context, (&namespace, &object.spec.baseline, uid), context.clock.now());
}

/// The environments by phase, for the metrics. Only who leads counts, so that a sum over all replicas is right.
struct Counted {
    phases: Mutex<HashMap<String, Place>>,
    metrics: Metrics,
}

/// Where an environment is counted.
struct Place {
    namespace: String,
    baseline: String,
    phase: &'static str,
}

impl Counted {
    fn count(&self, object: &PreviewEnvironment, now: Option<&'static str>) {
        let uid = object.uid().unwrap_or_default();
        let (namespace, baseline) = (object.namespace().unwrap_or_default(), object.spec.baseline.clone());
        let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        // Neither its namespace nor its Baseline ever changes.
        let before = phases.remove(&uid).map(|place| place.phase);
        self.metrics.environment_moved((&namespace, &baseline), before, now);
        if let Some(phase) = now {
            phases.insert(uid, Place { namespace, baseline, phase });
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let phases = self.phases.get_mut().unwrap_or_else(PoisonError::into_inner);
        for Place { namespace, baseline, phase } in phases.values() {
            self.metrics.environment_moved((namespace, baseline), Some(phase), None);
        }
    }
}

/// The phase as a word for metrics, of which there are few; None of what is no environment.
fn phase_of(object: &PreviewEnvironment) -> Option<&'static str> {
    let phase = object.status.as_ref().and_then(|s| s.phase.as_deref());
    let known = super::status::PHASES.into_iter().find(|known| Some(*known) == phase).unwrap_or("New");
    (!object.holds_only_commands()).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_leads_no_more_counts_nothing() {
        let metrics = Metrics::new();
        let shown = |phase: &str, count: u8| {
            let line = format!("preview_environments{{baseline=\"shop/main\",phase=\"{phase}\"}} {count}");
            metrics.text().unwrap().lines().any(|l| l == line)
        };
        let counted = Counted { phases: Mutex::default(), metrics: metrics.clone() };
        let mut object = PreviewEnvironment::new("a", serde_json::from_value(json!({"baseline": "main"})).unwrap());
        object.metadata.uid = Some("a".to_owned());
        object.metadata.namespace = Some("shop".to_owned());
        counted.count(&object, Some("New"));
        counted.count(&object, Some("Ready"));
        assert!(shown("New", 0) && shown("Ready", 1));
        drop(counted);
        assert!(shown("Ready", 0));
    }
}
