//! What the service may do is what it does: every line of `deploy/rbac.yaml` against the requests in the API server's audit
//! log, in a world of its own. What happens rarely is brought about.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Context;
use github_double::{On, Open, on};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use preview_env::api::{Baseline, PreviewEnvironment};
use preview_env::kinds::KINDS;
use serde_json::{Value, json};
use test_cluster::{Event, Mark};
use test_registry::Image;
use test_world::{DEVELOPER, World, apply, definitions, gateway_api, read, wait_for};

use crate::developer::Developer;
use crate::shop::{Pull, Registries, Shop, registries, story_apart};

const SERVICE: &str = "system:serviceaccount:preview-env:preview-env";
const RIGHTS: &str = include_str!("../../deploy/rbac.yaml");
const ACCESS: &str = include_str!("../../deploy/baseline-access.yaml");
const EVERY_KIND: &str = include_str!("manifests/every-kind.yaml");
const SHOP: &str = "every";

const CONTROLLER: &str = "preview-env:controller";
const ENVIRONMENT: &str = "preview-env:environment-kinds";
const READER: &str = "preview-env:baseline-reader-kinds";
const SECRETS: &str = "preview-env:baseline-secrets";
/// Questions about oneself, which everybody may ask.
const ABOUT_ONESELF: [&str; 2] = ["authentication.k8s.io", "authorization.k8s.io"];

/// What people get, which the service does not have.
const OF_PEOPLE: [&str; 3] = ["preview-env:developer", "preview-env:viewer", "preview-env:baseline-owner"];

/// One verb on one resource by one role.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Right {
    role: String,
    group: String,
    resource: String,
    verb: String,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {} of {:?}", self.role, self.verb, self.resource, self.group)
    }
}

/// Everything that is granted.
#[derive(Debug, Default)]
struct Granted {
    rights: BTreeSet<Right>,
    /// Roles of one namespace, such as that of the service itself, each with the namespace.
    of_namespaces: Vec<(String, String)>,
}

fn granted() -> anyhow::Result<Granted> {
    let mut granted = Granted::default();
    for object in read(RIGHTS)?.iter().chain(&read(ACCESS)?) {
        let role = object.metadata.name.as_deref().unwrap_or_default();
        let Some(rules) = object.data.get("rules").filter(|_| !OF_PEOPLE.contains(&role)) else { continue };
        for rule in serde_json::from_value::<Vec<PolicyRule>>(rules.clone())? {
            granted.rights.extend(of_rule(role, &rule));
        }
        granted.of_namespaces.extend(object.metadata.namespace.clone().map(|namespace| (namespace, role.to_owned())));
    }
    Ok(granted)
}

fn of_rule(role: &str, granted: &PolicyRule) -> Vec<Right> {
    let (groups, resources) = (granted.api_groups.iter().flatten(), granted.resources.as_deref().unwrap_or_default());
    let on = |group: &str, resource: &str, verb: &str| right(role, (group, resource), verb);
    let of_group = |group: &'_ String| {
        let of_resource = |resource: &String| granted.verbs.iter().map(|verb| on(group, resource, verb)).collect::<Vec<_>>();
        resources.iter().flat_map(of_resource).collect::<Vec<_>>()
    };
    groups.flat_map(of_group).collect()
}

fn right(role: &str, (group, resource): (&str, &str), verb: &str) -> Right {
    Right { role: role.to_owned(), group: group.to_owned(), resource: resource.to_owned(), verb: verb.to_owned() }
}

impl Granted {
    /// The roles that a request can be by, first those of its namespace.
    fn roles(&self, event: &Event) -> Vec<&str> {
        let own = self.of_namespaces.iter().filter(|(namespace, _)| *namespace == event.namespace).map(|(_, role)| role.as_str());
        let mut roles: Vec<&str> = match event.namespace.as_str() {
            // The service's own RoleBinding comes before any right in the namespace.
            _ if event.resource == "rolebindings" && event.verb == "create" => Vec::new(),
            SHOP => vec![READER, SECRETS],
            namespace if namespace.starts_with(SHOP) => vec![ENVIRONMENT],
            _ => own.collect(),
        };
        roles.push(CONTROLLER);
        roles
    }

    /// The first of the roles that gives the right.
    fn find(&self, roles: &[&str], on: (&str, &str), verb: &str) -> Option<Right> {
        roles.iter().map(|role| right(role, on, verb)).find(|right| self.rights.contains(right))
    }
}

/// What a request needs: on what, and the verb.
fn needed(event: &Event) -> Vec<(String, &str)> {
    let resource = if event.subresource.is_empty() { event.resource.clone() } else { format!("{}/{}", event.resource, event.subresource) };
    let mut needed = vec![(resource.clone(), event.verb.as_str())];
    if event.verb == "patch" && event.code == 201 {
        // An apply that makes an object needs both.
        needed.push((resource.clone(), "create"));
    }
    if event.resource == "rolebindings" && event.code == 201 {
        needed.push(("clusterroles".to_owned(), "bind"));
    }
    if event.uri.contains("fieldManager=preview-env%2Fapproval") && event.code == 200 {
        needed.push((resource, "approve"));
    }
    needed
}

#[derive(Debug, Default)]
struct Compared {
    used: BTreeSet<Right>,
    missing: BTreeSet<String>,
}

fn compared(events: &[Event], granted: &Granted) -> Compared {
    let mut compared = Compared::default();
    let asked = events.iter().filter(|e| e.user == SERVICE && !e.resource.is_empty() && !ABOUT_ONESELF.contains(&e.group.as_str()));
    for event in asked {
        let roles = granted.roles(event);
        for (resource, verb) in needed(event) {
            match granted.find(&roles, (&event.group, &resource), verb) {
                Some(right) => drop(compared.used.insert(right)),
                None => drop(compared.missing.insert(format!("{} {} {}", event.code, event.verb, event.uri))),
            }
        }
    }
    compared
}

/// Kinds of the table that this cluster does not have, so that they are looked for.
async fn install_every_kind(world: &World) -> anyhow::Result<()> {
    gateway_api(&world.admin).await?;
    let mut missing = Vec::new();
    for kind in KINDS.iter().filter(|known| known.installed && known.kind.group() != preview_env::api::GROUP).map(|known| &known.kind) {
        let served = world.admin.list_api_group_resources(&kind.api_version).await.map(|list| list.resources).unwrap_or_default();
        if !served.iter().any(|resource| resource.kind == kind.kind) {
            missing.push(definition(kind)?);
        }
    }
    definitions(&world.admin, &missing).await
}

fn definition(kind: &preview_env::kinds::Kind) -> anyhow::Result<kube::api::DynamicObject> {
    let (group, version) = kind.api_version.split_once('/').context("a group")?;
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    Ok(serde_json::from_value(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{group}", kind.plural), "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.to_lowercase()},
            "versions": [{"name": version, "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]},
    }))?)
}

fn spec(spec: &mut Value, registry: Option<&str>) {
    spec["clone"]["include"] = json!([{"kind": "Job"}]);
    spec["clone"]["autoscalers"] = json!("Clone");
    spec["access"] = json!([{"subject": {"kind": "User", "name": "ann"}}, {"subject": {"kind": "Group", "name": "shop"}, "role": "Edit"}]);
    let job = json!({"template": {"spec": {"containers": [{"name": "migrate", "command": ["./migrate"]}]}}});
    spec["feedback"] = json!({"logs": "Always"});
    spec["hooks"] = json!([{"name": "migrate", "when": "BeforeWorkloads", "service": "web", "job": job}]);
    if let (Some(host), Some(images)) = (registry, spec["repositories"][0]["images"].as_array_mut()) {
        images.push(json!({"name": format!("{host}/acme/front"), "tag": "{{ revision }}"}));
    }
}

/// A workload of an image that a registry has for named platforms.
fn front(host: &str) -> String {
    let template = json!({"metadata": {"labels": {"app": "front"}}, "spec": {"containers": [{"name": "front", "image": format!("{host}/acme/front:1")}]}});
    let spec = json!({"selector": {"matchLabels": {"app": "front"}}, "template": template});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "front"}, "spec": spec}).to_string()
}

async fn say(pull: &Pull<'_>, words: &str) -> anyhow::Result<()> {
    let shop = pull.shop;
    shop.world.github.advance(chrono::TimeDelta::seconds(1));
    shop.world.github.perform(on(&shop.repository, pull.number, DEVELOPER).comment(words)).await?;
    Ok(())
}

/// Everything that a service does in its life, and what it does rarely.
async fn live(world: &'static World) -> anyhow::Result<()> {
    let open = registries().await.map(|Registries { open, .. }| open);
    let more = open.map(|open| front(open.host())).unwrap_or_default();
    let shop =
        Shop::holding(world, SHOP, &format!("{EVERY_KIND}\n---\n{more}"), |s| spec(s, open.map(test_registry::Registry::host))).await?;
    let developer = Developer::of(&shop).await?;
    let (pull, delivery) = shop.unheard_of("login")?;
    if let Some(open) = open {
        open.push("acme/front", &pull.revision()?, &Image::new("front").platforms(&["linux/amd64", "linux/arm64"])).await?;
    }
    world.github.send(&delivery).await;
    pull.wait_until_ready().await?;
    // These pods log nothing that could be had, so it is asked again and again.
    say(&pull, "/preview logs web").await?;
    developer.run(&["refresh", "web-pr-1", "--reset", "--yes", "--wait"]).await?.succeeds();

    lose_something(&pull).await?;
    apply_printed_rights(&shop, &developer).await?;

    world.github.add_user("giver");
    let fork = world.github.fork(&shop.repository, "giver")?;
    let gift = shop.opened(Open::new(&shop.repository, "gift", "giver").from_fork(&fork)).await?;
    say(&gift, &format!("/preview approve {}", gift.revision()?)).await?;
    let approved = |e: Option<&PreviewEnvironment>| e.is_some_and(|e| e.spec.approval.is_some());
    wait_for(&shop.environments(), &gift.name(), "approved", approved).await?;

    // Somebody else holds the name.
    world.namespace(&format!("{SHOP}-web-pr-3")).await?;
    let third = shop.pull_request("taken").await?;
    third.wait("in another namespace", |s| s.namespace.as_ref().is_some_and(|n| *n != third.namespace())).await?;

    leave_all_but_web(&shop).await?;
    pull.wait("left with web alone", |s| s.inventory.len() == 1).await?;
    for pull in [pull, gift, third] {
        pull.perform(On::close).await?;
        wait_for(&shop.environments(), &pull.name(), "gone", |e: Option<&PreviewEnvironment>| e.is_none()).await?;
    }
    Ok(())
}

/// Has the environment looked over, of every kind before anything comes back.
async fn lose_something(pull: &Pull<'_>) -> anyhow::Result<()> {
    let settings: Api<ConfigMap> = Api::namespaced(pull.shop.world.admin.clone(), &pull.namespace());
    settings.delete("settings", &DeleteParams::default()).await?;
    wait_for(&settings, "settings", "made again", |c: Option<&ConfigMap>| c.is_some()).await.map(drop)
}

/// Gives what the namespace grants anew, by what the command line prints.
async fn apply_printed_rights(shop: &Shop, developer: &Developer) -> anyhow::Result<()> {
    let roles: Api<Role> = Api::namespaced(shop.world.admin.clone(), SHOP);
    roles.delete(SECRETS, &DeleteParams::default()).await?;
    let printed = developer.run(&["plan", "--rights"]).await?.succeeds();
    for object in read(&printed)? {
        apply(&shop.world.admin, &object, Some(SHOP)).await?;
    }
    let names = roles.get(SECRETS).await?.rules.unwrap_or_default().into_iter().filter_map(|rule| rule.resource_names);
    assert_eq!(names.collect::<Vec<_>>(), [["listed"]]);
    Ok(())
}

/// Has the Baseline leave out everything but one Deployment, so that every kind is pruned.
async fn leave_all_but_web(shop: &Shop) -> anyhow::Result<()> {
    let kinds = ["ConfigMap", "Service", "ServiceAccount", "PersistentVolumeClaim", "StatefulSet", "DaemonSet", "CronJob", "Ingress"];
    let kinds = kinds.into_iter().chain(["HTTPRoute", "GRPCRoute"]).map(|kind| json!({ "kind": kind }));
    let deployments = ["api", "front"].map(|name| json!({"kind": "Deployment", "name": name}));
    let exclude: Vec<Value> = kinds.chain(deployments).collect();
    let isolation = json!({"networkPolicy": "None", "serviceAccountTokens": "AsInBaseline", "quota": {"mode": "None"}});
    let clone = json!({"exclude": exclude, "include": null, "autoscalers": null, "secrets": null});
    let patch = json!({"spec": {"clone": clone, "isolation": isolation, "access": null, "hooks": null}});
    let baselines: Api<Baseline> = Api::namespaced(shop.world.admin.clone(), &shop.namespace);
    baselines.patch(&shop.namespace, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

#[test]
fn the_service_may_do_exactly_what_it_does() {
    story_apart(|world| async move {
        install_every_kind(world).await?;
        {
            let mut service = world.service.lock().await;
            service.kill();
            service.look_over("5s");
            service.launch()?;
            service.wait_until_ready().await?;
        }
        // Who does not lead watches the Lease.
        let mut follower = world.service.lock().await.beside("follower").await?;
        live(world).await?;
        // A watch is in the log when it has ended.
        follower.kill();
        world.service.lock().await.kill();
        let mut granted = granted()?;
        if registries().await.is_none() {
            // Without docker-registry there is no image of named platforms.
            granted.rights.retain(|right| right.resource != "nodes");
        }
        let all = async {
            let mut ticks = tokio::time::interval(std::time::Duration::from_millis(200));
            loop {
                ticks.tick().await;
                let seen = compared(&world.audit().read(Mark::default())?, &granted);
                if seen.used.len() == granted.rights.len() {
                    return anyhow::Ok(());
                }
            }
        };
        // What is never used shows below, by name.
        let _ = tokio::time::timeout(test_world::deadline() / 4, all).await;
        let compared = compared(&world.audit().since(Mark::default()).await?, &granted);
        let unused: Vec<String> = granted.rights.difference(&compared.used).map(ToString::to_string).collect();
        assert!(compared.missing.is_empty(), "asked for and not granted:\n{}", compared.missing.into_iter().collect::<Vec<_>>().join("\n"));
        assert!(unused.is_empty(), "granted and never asked for:\n{}", unused.join("\n"));
        Ok(())
    });
}

#[test]
fn nothing_is_granted_by_a_wildcard() {
    let rights = granted().expect("the rights").rights;
    assert!(rights.len() > 50, "{}", rights.len());
    let wild: Vec<_> = rights.iter().filter(|r| [&r.group, &r.resource, &r.verb].into_iter().any(|part| part.contains('*'))).collect();
    assert!(wild.is_empty(), "{wild:?}");
    let secrets = |right: &&Right| right.resource == "secrets" && right.role != ENVIRONMENT;
    let read: Vec<String> = rights.iter().filter(secrets).map(|right| format!("{} {}", right.role, right.verb)).collect();
    assert_eq!(read, [format!("{SECRETS} get")]);
    let in_environments = rights.iter().filter(|r| r.role == ENVIRONMENT && r.resource == "secrets").map(|r| r.verb.as_str());
    assert_eq!(in_environments.collect::<Vec<_>>(), ["create", "deletecollection", "patch"], "none that reads");
}
