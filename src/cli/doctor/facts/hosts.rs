//! What leads to environments: Gateways of the cluster, and what names resolve to on this machine.

use std::collections::BTreeSet;
use std::net::{IpAddr, ToSocketAddrs};

use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use tokio::sync::oneshot;

use super::{Asker, within};
use crate::cli::doctor::judge::ways::{GatewayName, Gateways, Resolved};
use crate::cli::errors::Asked;

/// What an invented name begins with, so that whoever sees it in a log of name servers knows whose it is.
const INVENTED: &str = "preview-doctor";

impl Asker<'_> {
    /// The Gateways of these names.
    pub async fn gateways(&self, names: &BTreeSet<GatewayName>) -> Gateways {
        let resource = gateway_api("Gateway", "gateways");
        let mut found = Vec::new();
        for name in names {
            let api: Api<DynamicObject> = Api::namespaced_with(self.cluster.client(), &name.namespace, &resource);
            let asked = Asked { verb: "get", resource: "gateways", namespace: Some(&name.namespace) };
            let gateway = self.ask(asked, api.get_opt(&name.name)).await;
            found.push((name.clone(), gateway.map(|gateway| gateway.map(|gateway| gateway.data))));
        }
        found
    }
}

/// A kind of the Gateway API.
pub fn gateway_api(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", kind), plural)
}

/// A name below a domain that nobody has used before.
pub fn invented(domain: &str) -> String {
    let mut number = [0; 4];
    // Without random numbers it is the same name each time, which is worth less where an answer is kept.
    let _ = rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut number);
    format!("{INVENTED}-{}.{domain}", hex::encode(number))
}

/// Where a name leads, and where the ingress is by what the cluster says.
pub async fn resolve(host: &str, places: &BTreeSet<String>) -> Resolved {
    let found = within("the name server", async { Ok(addresses(host).await) }).await;
    let mut expected = Vec::new();
    for place in places {
        match place.parse() {
            Ok(address) => expected.push(address),
            // One whose name does not resolve here says nothing of where it is.
            Err(_) => expected.extend(within("the name server", async { Ok(addresses(place).await) }).await.unwrap_or_default()),
        }
    }
    Resolved { found, expected }
}

/// By a thread of its own: the runtime would not end before one of its threads, and a name server that is silent takes minutes.
pub async fn addresses(host: &str) -> Vec<IpAddr> {
    let (tell, told) = oneshot::channel();
    let host = host.to_owned();
    std::thread::spawn(move || {
        let found: BTreeSet<IpAddr> = (host.as_str(), 0).to_socket_addrs().into_iter().flatten().map(|address| address.ip()).collect();
        // Nobody may wait for it any more.
        let _ = tell.send(found);
    });
    told.await.unwrap_or_default().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invented_name_is_another_each_time() {
        let name = invented("preview.example.com");
        assert!(name.starts_with("preview-doctor-") && name.ends_with(".preview.example.com"), "{name}");
        assert_ne!(name, invented("preview.example.com"));
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_has_no_address() {
        let resolved = resolve("nothing-of-that-name.invalid", &["203.0.113.7".to_owned()].into()).await;
        assert_eq!(resolved.found, Ok(Vec::new()));
        assert_eq!(resolved.expected, ["203.0.113.7".parse::<IpAddr>().unwrap()]);
    }
}
