//! Wakes the reconcile of an environment. The applier behind it runs each environment once at a time, and once for
//! any number of wake-ups that come before it starts.

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::runtime::reflector::ObjectRef;

use crate::api::PreviewEnvironment;
use crate::api::names::{LABEL_BASELINE_NAMESPACE, LABEL_ENVIRONMENT};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The end that wakes.
#[derive(Clone, Debug)]
pub struct Wake {
    sender: UnboundedSender<ObjectRef<PreviewEnvironment>>,
}

impl Wake {
    /// Both ends.
    pub fn channel() -> (Self, UnboundedReceiver<ObjectRef<PreviewEnvironment>>) {
        let (sender, receiver) = unbounded();
        (Self { sender }, receiver)
    }

    /// Wakes one environment by name.
    pub fn environment(&self, namespace: &str, name: &str) {
        // The receiver is gone only when the program ends.
        let _ = self.sender.unbounded_send(ObjectRef::new(name).within(namespace));
    }

    /// Wakes the environment that an object's labels name.
    pub fn owner_of(&self, metadata: &ObjectMeta) {
        let label = |name: &str| metadata.labels.as_ref()?.get(name).cloned();
        if let (Some(namespace), Some(name)) = (label(LABEL_BASELINE_NAMESPACE), label(LABEL_ENVIRONMENT)) {
            self.environment(&namespace, &name);
        }
    }
}
