//! The service in the cluster: its Deployment, its metrics by way of the API server, and the address of its webhook.

use std::collections::BTreeMap;

use http::Request;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, ResourceExt};

use super::hosts::{addresses, gateway_api};
use super::{Asker, within};
use crate::cli::doctor::finding::{Fact, Unseen};
use crate::cli::doctor::judge::webhook::{Reached, counted};
use crate::cli::doctor::shipped::Identity;
use crate::cli::errors::Asked;
use crate::probe::ask::{Asker as Http, NoAnswer};

/// The name that everything of the service has.
const NAME: &str = "preview-env";
const SELECTOR: &str = "app.kubernetes.io/name=preview-env";
/// Where GitHub delivers.
const PATH: &str = "/webhooks/github";
/// The right to ask a pod by way of the API server, as a refusal names it.
const PROXY: &str = "pods/proxy";
/// The port of health and metrics, and the one that it is where there is none.
const PORTS: [&str; 2] = ["health", "http"];

impl Asker<'_> {
    /// The Deployment of the service: in the namespace that is named, else in the usual one, else wherever there is one. Who may not
    /// list those of all namespaces looks into the usual one.
    pub async fn service(&self, named: Option<&str>) -> Fact<Option<Deployment>> {
        let client = self.cluster.client();
        if named.is_none() {
            let all = self.list(Api::<Deployment>::all(client.clone()), None, SELECTOR).await;
            if let Ok(all) = all {
                let services = all.into_iter().filter(|deployment| deployment.name_any() == NAME);
                // The first of those that are none better.
                return Ok(services.min_by_key(|deployment| deployment.metadata.namespace.as_deref() != Some(NAME)));
            }
        }
        let namespace = named.unwrap_or(NAME);
        let api: Api<Deployment> = Api::namespaced(client, namespace);
        self.ask(Asked { verb: "get", resource: "deployments", namespace: Some(namespace) }, api.get_opt(NAME)).await
    }

    /// How many deliveries the replicas together answered with what, since each of them started.
    pub async fn deliveries(&self, namespace: &str) -> Fact<BTreeMap<String, u64>> {
        let pods = self.list(Api::<Pod>::namespaced(self.cluster.client(), namespace), Some(namespace), SELECTOR).await?;
        if pods.is_empty() {
            return Err(Unseen(format!("no pod of the service is in namespace {namespace}")));
        }
        let mut counts = BTreeMap::new();
        for pod in &pods {
            let text = self.metrics(namespace, pod).await?;
            for (result, count) in counted(&text) {
                let sum: &mut u64 = counts.entry(result).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        Ok(counts)
    }

    async fn metrics(&self, namespace: &str, pod: &Pod) -> Fact<String> {
        let name = pod.name_any();
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:{}/proxy/metrics", port(pod));
        let request = Request::get(path).body(Vec::new()).map_err(|error| Unseen(format!("cannot ask {name} for its metrics: {error}")))?;
        let client = self.cluster.client();
        let answer = async {
            client.request_text(request).await.map_err(|error| match error {
                // The API server also refuses to ask some addresses, whoever asks.
                kube::Error::Api(status) if status.code == 403 && status.message.contains(PROXY) => {
                    Unseen(format!("you may not get {PROXY} in namespace {namespace}"))
                }
                _ => Unseen(format!("the API server cannot ask {name} for its metrics; GitHub knows: give the App's flags")),
            })
        };
        within(&name, answer).await
    }

    /// The host that an Ingress or a route in the service's namespace leads the webhook in by.
    pub async fn webhook_host(&self, namespace: &str) -> Fact<String> {
        let ingresses = self.list(Api::<Ingress>::namespaced(self.cluster.client(), namespace), Some(namespace), "").await?;
        if let Some(host) = ingresses.iter().find_map(host_of) {
            return Ok(host);
        }
        let routes: Api<DynamicObject> = Api::namespaced_with(self.cluster.client(), namespace, &gateway_api("HTTPRoute", "httproutes"));
        let asked = Asked { verb: "list", resource: "httproutes", namespace: Some(namespace) };
        // Few clusters have them, so that there are none is no news.
        let routes = self.ask(asked, async { routes.list(&ListParams::default()).await.map(|list| list.items) }).await.unwrap_or_default();
        let host = routes.iter().find_map(host_of_route);
        host.ok_or_else(|| {
            Unseen(format!("no Ingress or route in namespace {namespace} leads to {PATH}; GitHub knows: give the App's flags"))
        })
    }
}

fn host_of(ingress: &Ingress) -> Option<String> {
    let rules = ingress.spec.as_ref()?.rules.as_ref()?;
    let leads = |path: &Option<String>| path.as_deref().is_some_and(|path| path == PATH);
    let found = rules.iter().find(|rule| rule.http.iter().flat_map(|http| &http.paths).any(|path| leads(&path.path)));
    found?.host.clone()
}

fn host_of_route(route: &DynamicObject) -> Option<String> {
    let spec = route.data.get("spec")?;
    let matches = spec["rules"].as_array()?.iter().flat_map(|rule| rule["matches"].as_array().into_iter().flatten());
    matches.into_iter().find(|one| one["path"]["value"] == PATH)?;
    spec["hostnames"][0].as_str().map(str::to_owned)
}

/// The port of a pod's container that shows the metrics, by its number.
fn port(pod: &Pod) -> i32 {
    let ports = pod.spec.iter().flat_map(|spec| &spec.containers).flat_map(|container| container.ports.iter().flatten());
    let ports: Vec<_> = ports.collect();
    let named = |name: &&str| ports.iter().find(|port| port.name.as_deref() == Some(name)).map(|port| port.container_port);
    PORTS.iter().find_map(named).unwrap_or(8080)
}

/// Asks the webhook's address, which is answered without anything being delivered.
pub async fn reach(host: &str) -> Fact<Reached> {
    if within("the name server", async { Ok(addresses(host).await) }).await?.is_empty() {
        return Ok(Reached::Silent(format!("{host} does not resolve on this machine")));
    }
    let http = Http::new(None).map_err(|error| Unseen(error.to_string()))?;
    match http.ask(&webhook_url(host)).await {
        Ok(status) => Ok(Reached::Answered(status)),
        Err(NoAnswer::Failed(why)) => Ok(Reached::Silent(why)),
        Err(NoAnswer::Unasked(why)) => Err(Unseen(why)),
    }
}

/// The webhook's address at a host.
pub fn webhook_url(host: &str) -> String {
    format!("https://{host}{PATH}")
}

/// As whom the pods of a Deployment run.
pub fn identity(deployment: &Deployment) -> Identity {
    let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let account = pod.and_then(|pod| pod.service_account_name.clone()).unwrap_or_else(|| "default".to_owned());
    Identity { namespace: deployment.namespace().unwrap_or_default(), account }
}

/// How often the service asks GitHub, where it takes no deliveries: by its variable or its flag.
pub fn polls(deployment: &Deployment) -> Option<String> {
    let pod = deployment.spec.as_ref()?.template.spec.as_ref()?;
    pod.containers.iter().find_map(|container| {
        let variable =
            container.env.iter().flatten().find(|variable| variable.name == "PREVIEW_POLL").and_then(|variable| variable.value.clone());
        let arguments: Vec<&String> = container.args.iter().flatten().collect();
        let joined = arguments.iter().find_map(|argument| argument.strip_prefix("--poll=").map(str::to_owned));
        let apart = || {
            arguments.iter().position(|argument| *argument == "--poll").and_then(|at| arguments.get(at + 1)).map(|every| (*every).clone())
        };
        variable.filter(|every| !every.is_empty()).or(joined).or_else(apart)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(container: &serde_json::Value) -> Deployment {
        let pod = json!({"serviceAccountName": "previews", "containers": [container]});
        serde_json::from_value(json!({"metadata": {"namespace": "preview-env"}, "spec": {"selector": {}, "template": {"spec": pod}}}))
            .unwrap()
    }

    #[test]
    fn who_polls_says_so_by_a_variable_or_a_flag() {
        for (container, every) in [
            (json!({"name": "preview", "env": [{"name": "PREVIEW_POLL", "value": "30s"}]}), Some("30s")),
            (json!({"name": "preview", "env": [{"name": "PREVIEW_POLL", "value": ""}]}), None),
            (json!({"name": "preview", "args": ["serve", "--poll=1m"]}), Some("1m")),
            (json!({"name": "preview", "args": ["serve", "--poll", "2m"]}), Some("2m")),
            (json!({"name": "preview", "args": ["serve", "--poll"]}), None),
        ] {
            assert_eq!(polls(&deployment(&container)).as_deref(), every, "{container}");
        }
        assert_eq!(identity(&deployment(&json!({"name": "preview"}))).to_string(), "system:serviceaccount:preview-env:previews");
    }

    #[test]
    fn the_webhook_is_where_an_ingress_leads_to_its_path() {
        let ingress = |path: &str| {
            let path = json!({"path": path, "pathType": "Exact", "backend": {}});
            serde_json::from_value::<Ingress>(
                json!({"metadata": {}, "spec": {"rules": [{"host": "hooks.example.com", "http": {"paths": [path]}}]}}),
            )
            .unwrap()
        };
        assert_eq!(host_of(&ingress(PATH)).as_deref(), Some("hooks.example.com"));
        assert_eq!(host_of(&ingress("/")), None);
        let route = |path: &str| {
            let spec = json!({"hostnames": ["hooks.example.com"], "rules": [{"matches": [{"path": {"type": "Exact", "value": path}}]}]});
            serde_json::from_value::<DynamicObject>(json!({"metadata": {}, "spec": spec})).unwrap()
        };
        assert_eq!(host_of_route(&route(PATH)).as_deref(), Some("hooks.example.com"));
        assert_eq!(host_of_route(&route("/")), None);
        assert_eq!(webhook_url("hooks.example.com"), "https://hooks.example.com/webhooks/github");
    }
}
