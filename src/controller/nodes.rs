//! Which platforms the nodes have. The client is used here: one list of the nodes' metadata, and only after an image was
//! found that is built for named platforms.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};

use super::requests::within_deadline;

/// How long a list counts. Nodes of another architecture come rarely.
const LIFE: Duration = Duration::from_secs(600);
/// Nodes that are looked at: enough to meet every kind of a large cluster's.
const NODES: u32 = 500;

/// The platforms of the nodes, such as `linux/amd64`.
#[derive(Debug, Default)]
pub struct Nodes {
    known: Mutex<Option<(Instant, Vec<String>)>>,
}

impl Nodes {
    /// The platforms as they were last listed; none where nobody listed them, or where that is not allowed.
    pub fn platforms(&self) -> Vec<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|(_, platforms)| platforms.clone()).unwrap_or_default()
    }

    /// Lists them where that is due. Who may not list nodes goes without.
    pub async fn look(&self, client: &Client) {
        let is_known = || self.known.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|(at, _)| at.elapsed() < LIFE);
        if is_known() {
            return;
        }
        let api: Api<Node> = Api::all(client.clone());
        let listed = within_deadline("list the nodes", api.list_metadata(&ListParams::default().limit(NODES))).await;
        let platforms = listed.map_or_else(
            |error| {
                tracing::warn!(%error, "the platforms of images are not compared with the nodes'");
                Vec::new()
            },
            |nodes| platforms(&nodes.items),
        );
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), platforms));
    }
}

fn platforms(nodes: &[PartialObjectMeta<Node>]) -> Vec<String> {
    let platform = |node: &PartialObjectMeta<Node>| {
        let label = |name: &str| node.labels().get(name).cloned();
        Some(format!("{}/{}", label("kubernetes.io/os")?, label("kubernetes.io/arch")?))
    };
    nodes.iter().filter_map(platform).collect::<BTreeSet<_>>().into_iter().collect()
}
