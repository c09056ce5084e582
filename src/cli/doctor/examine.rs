//! The checks, in the order that they are shown in. What does not depend on each other is asked at the same time.

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::networking::v1::IngressClass;
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, ResourceExt};

use super::facts::{self, Asker, Namespace, certificate::Shaker};
use super::finding::{Fact, Finding, Unseen};
use super::judge::{cluster, forge, kinds, network, policies, registries, rights, service, storage, ways, webhook};
use super::shipped::{ENVIRONMENT, Identity, Shipped};
use super::{DoctorArgs, unreached};
use crate::api;
use crate::cli::cluster::Cluster;
use crate::cli::errors::Asked;
use crate::config::GithubConfig;
use crate::domain::RepoName;
use crate::plan::{Manifest, sources};
use crate::registry::Registry;

/// What several checks are about.
struct Known {
    version: Fact<String>,
    deployment: Fact<Option<Deployment>>,
    /// The service's account, or why nobody knows it.
    identity: Fact<Identity>,
    baselines: Fact<Vec<api::Baseline>>,
    namespaces: Vec<Namespace>,
}

/// Looks at everything. `named` is the namespace of the one Baseline that is meant.
pub async fn examine(cluster: &Cluster, named: Option<&str>, (args, github): (&DoctorArgs, Option<GithubConfig>)) -> Vec<Finding> {
    let asker = Asker { cluster };
    let version = match asker.version().await {
        Ok(version) => version,
        Err(failure) => return vec![unreached(&failure)],
    };
    let (deployment, baselines) = tokio::join!(asker.service(args.service_namespace.as_deref()), asker.baselines(named));
    let namespaces = asker.namespaces(baselines.as_deref().unwrap_or_default()).await;
    let identity = match &deployment {
        Ok(Some(deployment)) => Ok(facts::service::identity(deployment)),
        Ok(None) => Err(Unseen::new("there is no service to ask about")),
        Err(why) => Err(why.clone()),
    };
    let known = Known { version, deployment, identity, baselines, namespaces };
    let (kinds, rights, policies, ways, storage, network, registries, forge) = tokio::join!(
        of_kinds(&asker),
        of_rights(&asker, &known),
        of_policies(&asker, &known),
        of_ways(&asker, &known),
        of_storage(&asker, &known),
        of_network(&asker, &known),
        of_registries(args, &known),
        of_forge(&asker, &known, github),
    );
    let own = env!("CARGO_PKG_VERSION");
    let mut all = vec![cluster::version(&known.version)];
    all.extend(kinds);
    all.extend([service::service(&known.deployment), service::version(&known.deployment, own)]);
    all.extend(rights.into_iter().chain([policies]).chain(service::baselines(&known.baselines)));
    all.extend(ways.into_iter().chain(storage).chain([network]).chain(forge.found).chain(registries));
    let ahead = cluster.ahead().ok_or_else(|| Unseen::new("the cluster does not say its time"));
    all.push(cluster::clock("the cluster", &ahead));
    all.extend(forge.ahead.map(|ahead| cluster::clock("GitHub", &ahead)));
    all
}

async fn of_kinds(asker: &Asker<'_>) -> Vec<Finding> {
    let wanted = api::crds();
    let api: Api<CustomResourceDefinition> = Api::all(asker.cluster.client());
    let question = Asked { verb: "get", resource: "customresourcedefinitions", namespace: None };
    let gets = wanted.iter().map(|crd| asker.ask(question, async { api.get_opt(&crd.name_any()).await }));
    let there: Fact<Vec<_>> = futures::future::try_join_all(gets).await.map(|all| all.into_iter().flatten().collect());
    kinds::kinds(&wanted, &there)
}

async fn of_rights(asker: &Asker<'_>, known: &Known) -> Vec<Finding> {
    let identity = match &known.identity {
        Ok(identity) => identity,
        Err(why) => return rights::nobody(why),
    };
    let shipped = Shipped::to(identity);
    let roles: Api<ClusterRole> = Api::all(asker.cluster.client());
    let question = Asked { verb: "get", resource: "clusterroles", namespace: None };
    let (own, excess, role) = tokio::join!(
        asker.held(identity, shipped.own_rights(identity)),
        asker.held(identity, rights::excessive()),
        asker.ask(question, roles.get_opt(ENVIRONMENT)),
    );
    let given = role.map(|role| role.map(|role| role.rules.unwrap_or_default()));
    let mut all = vec![rights::own(&own), rights::in_environments(&shipped.rights_in_environments(), &given)];
    for namespace in &known.namespaces {
        let secrets: Vec<&str> = sources(&namespace.baseline.secrets).into_iter().collect();
        let held = asker.held(identity, shipped.rights_in(&namespace.name, &secrets)).await;
        all.push(rights::in_baseline(&namespace.name, &held));
    }
    all.push(rights::excess(&excess));
    all
}

async fn of_policies(asker: &Asker<'_>, known: &Known) -> Finding {
    // Nobody who looks for a service that is not there has another account in mind than the usual one.
    let usual = Identity { namespace: "preview-env".to_owned(), account: "preview-env".to_owned() };
    let identity = known.identity.as_ref().unwrap_or(&usual);
    let (policies, bindings) =
        tokio::join!(asker.list_all::<ValidatingAdmissionPolicy>(), asker.list_all::<ValidatingAdmissionPolicyBinding>());
    policies::policies(&Shipped::to(identity), identity, &policies::There { policies: &policies, bindings: &bindings })
}

/// What a namespace holds, where those kinds may be listed.
fn objects<'a>(namespace: &'a Namespace, plurals: &[&str]) -> Fact<&'a [Manifest]> {
    let holds = namespace.holds.as_ref().map_err(Clone::clone)?;
    match holds.unread.iter().find(|plural| plurals.contains(&plural.as_str())) {
        Some(plural) => Err(Unseen(format!("you may not list {plural} in namespace {}", namespace.name))),
        None => Ok(&holds.snapshot.objects),
    }
}

async fn of_ways(asker: &Asker<'_>, known: &Known) -> Vec<Finding> {
    let classes = asker.list_all::<IngressClass>().await;
    let shaker = Shaker::new();
    let with_hosts = known.namespaces.iter().filter(|namespace| namespace.baseline.hosts.is_some());
    let each = with_hosts.map(|namespace| of_way(asker, namespace, (&classes, &shaker)));
    futures::future::join_all(each).await.concat()
}

async fn of_way(asker: &Asker<'_>, namespace: &Namespace, (classes, shaker): (&Fact<Vec<IngressClass>>, &Fact<Shaker>)) -> Vec<Finding> {
    let Some(hosts) = &namespace.baseline.hosts else { return Vec::new() };
    let about = |findings: Vec<Finding>| findings.into_iter().map(|finding| finding.about(namespace.name.clone())).collect();
    let found = match objects(namespace, &["ingresses"]) {
        Ok(objects) => ways::ways(&namespace.baseline, objects),
        Err(why) => return about(vec![Finding::not_checked(ways::INGRESS, &why)]),
    };
    let gateways = asker.gateways(&found.gateways).await;
    let places: BTreeSet<String> = found.addresses.iter().cloned().chain(ways::addresses(&gateways)).collect();
    let host = facts::hosts::invented(&hosts.domain);
    let resolved = facts::hosts::resolve(&host, &places).await;
    let is_known = resolved.found.as_ref().is_ok_and(|found| !found.is_empty());
    let certificate = if !found.tls && !ways::has_tls(&gateways) {
        ways::without_tls()
    } else {
        let handshake = match shaker {
            Err(why) => Err(why.clone()),
            Ok(_) if !is_known => Err(Unseen(format!("no name below {} resolves on this machine", hosts.domain))),
            Ok(shaker) => shaker.shake(&host).await,
        };
        ways::certificate(&hosts.domain, &handshake, asker.cluster.now())
    };
    let no_routes = namespace.holds.as_ref().is_ok_and(|holds| holds.unread.iter().any(|plural| plural == "httproutes"));
    let way = if no_routes && !found.any {
        let why = format!(
            "no Ingress is in namespace {}, and whether routes are, nobody says: there are none, or you may not list them",
            namespace.name
        );
        Finding::not_checked(ways::INGRESS, &Unseen(why))
    } else {
        ways::way(&found, classes, &gateways)
    };
    about(vec![way, ways::dns(&hosts.domain, &resolved), certificate])
}

async fn of_storage(asker: &Asker<'_>, known: &Known) -> Vec<Finding> {
    let classes = asker.list_all::<StorageClass>().await;
    let judged = |namespace: &Namespace| {
        let finding = match objects(namespace, &["statefulsets", "persistentvolumeclaims"]) {
            Ok(objects) => storage::storage(&storage::wanted(&namespace.baseline, objects), &classes),
            Err(why) => Finding::not_checked(storage::STORAGE, &why),
        };
        finding.about(namespace.name.clone())
    };
    known.namespaces.iter().map(judged).collect()
}

async fn of_network(asker: &Asker<'_>, known: &Known) -> Finding {
    let daemon_sets = asker.list_all::<DaemonSet>().await.map(|all| all.iter().map(ResourceExt::name_any).collect());
    // Without any Baseline, the first one will.
    let isolates = known.namespaces.is_empty() || known.namespaces.iter().any(|namespace| namespace.baseline.isolation.network.is_some());
    network::network(&network::Seen { daemon_sets: &daemon_sets, version: &known.version, isolates })
}

async fn of_registries(args: &DoctorArgs, known: &Known) -> Vec<Finding> {
    let registry = Registry::new(args.registry.config());
    let mut all = Vec::new();
    for namespace in &known.namespaces {
        let found = match &namespace.holds {
            Ok(holds) => registries::registries(&facts::registries::ask(&registry, namespace, holds).await),
            Err(why) => vec![Finding::not_checked(registries::REGISTRY, why)],
        };
        all.extend(found.into_iter().map(|finding| finding.about(namespace.name.clone())));
    }
    all
}

/// What is known of the forge, and of its clock where it was asked.
struct OfForge {
    found: Vec<Finding>,
    ahead: Option<Fact<chrono::TimeDelta>>,
}

async fn of_forge(asker: &Asker<'_>, known: &Known, github: Option<GithubConfig>) -> OfForge {
    let all = known.namespaces.iter().flat_map(|namespace| &namespace.baseline.repositories);
    let mut names: Vec<RepoName> = all.map(|repository| repository.current().clone()).collect();
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    let said = match github {
        Some(config) => facts::forge::ask(config, &names).await,
        None => Err(forge::unasked()),
    };
    let mut found = Box::pin(of_webhook(asker, known, said.as_ref().ok().map(|said| &said.who))).await;
    match &said {
        Err(why) => found.push(forge::not_checked(why)),
        Ok(facts::forge::Said { who: facts::forge::Who::App(standing, granted, _), .. }) => {
            found.push(forge::app(standing));
            found.extend(forge::installations(granted));
        }
        Ok(facts::forge::Said { who: facts::forge::Who::Account(login, unread), .. }) => {
            found.push(forge::account(login, unread, names.len()));
        }
    }
    OfForge { found, ahead: said.ok().map(|said| said.ahead) }
}

/// Whether the webhook leads to the service, and what became of deliveries: by GitHub's own log where an App was given, else by
/// what the service counted.
async fn of_webhook(asker: &Asker<'_>, known: &Known, who: Option<&facts::forge::Who>) -> Vec<Finding> {
    let deployment = known.deployment.as_ref().ok().and_then(Option::as_ref);
    if let Some(every) = deployment.and_then(facts::service::polls) {
        return webhook::polls(&every);
    }
    let namespace = known.identity.as_ref().map(|identity| identity.namespace.as_str());
    let address = async {
        let host = match namespace {
            Ok(namespace) => asker.webhook_host(namespace).await,
            Err(why) => Err(why.clone()),
        };
        match host {
            Ok(host) => {
                let url = facts::service::webhook_url(&host);
                let reached = facts::service::reach(&host).await;
                webhook::address(&url, &reached)
            }
            Err(why) => webhook::nowhere(&why),
        }
    };
    let deliveries = async {
        match (who, namespace) {
            (Some(facts::forge::Who::App(_, _, log)), _) => webhook::log(log, asker.cluster.now()),
            (_, Ok(namespace)) => webhook::deliveries(&asker.deliveries(namespace).await),
            (_, Err(why)) => webhook::deliveries(&Err(why.clone())),
        }
    };
    let (address, deliveries) = tokio::join!(address, deliveries);
    vec![address, deliveries]
}
