//! The kinds as the API server knows them from `deploy/crds.yaml`.

use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use preview_env::api::{Baseline, PreviewEnvironment};
use serde_json::{Value, json};
use test_world::World;

use crate::shop::story;

const REVISION: &str = "3f9c2ab03f9c2ab03f9c2ab03f9c2ab03f9c2ab0";

fn baseline(spec: &Value) -> Value {
    json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "Baseline", "metadata": {"name": "b"}, "spec": spec})
}

fn environment(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment", "metadata": {"name": name}, "spec": spec})
}

fn source() -> Value {
    json!({"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open",
        "revision": REVISION, "observedAt": "2026-01-02T03:04:05Z"})
}

/// The schema alone is asked: nothing is kept.
fn only_asked() -> PatchParams {
    PatchParams { dry_run: true, ..kept() }
}

fn kept() -> PatchParams {
    PatchParams::apply("kinds").force().validation_strict()
}

/// Applies it and expects to be refused in these words.
async fn refused<K>(api: &Api<K>, object: &Value, params: &PatchParams, words: &str)
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let answer = api.patch(name, params, &Patch::Apply(object)).await;
    let message = answer.map_or_else(|error| error.to_string(), |taken| format!("it is taken: {taken:?}"));
    assert!(message.contains(words), "{words:?} is not in {message}");
}

fn set(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a path");
    object.pointer_mut(parent).expect("a parent")[key] = value;
    object
}

async fn apis(world: &World, namespace: &str) -> anyhow::Result<(Api<Baseline>, Api<PreviewEnvironment>)> {
    world.namespace(namespace).await?;
    // Facts are taken from the service alone.
    Ok((Api::namespaced(world.admin.clone(), namespace), world.environments_as_service(namespace).await?))
}

#[test]
fn a_baseline_that_cannot_be_meant_is_refused_with_its_field() {
    story(|world| async move {
        let (baselines, _) = apis(world, "kinds-baseline").await?;
        let good = baseline(&json!({"repositories": [{"name": "acme/web", "alias": "web"}], "hosts": {"domain": "p.example.com"}}));
        baselines.patch("b", &only_asked(), &Patch::Apply(&good)).await?;
        let repositories = |list: Value| set(good.clone(), "/spec/repositories", list);
        for (wrong, words) in [
            (repositories(json!([{"name": "acme/web", "alias": "x"}, {"name": "acme/api", "alias": "x"}])), "every alias is used once"),
            (repositories(json!([])), "spec.repositories"),
            (repositories(json!([{"name": "web"}])), "spec.repositories[0].name"),
            (repositories(json!([{"name": "acme/web", "alias": "9"}])), "spec.repositories[0].alias"),
            (set(good.clone(), "/spec/hosts/domain", json!("-bad-")), "spec.hosts.domain"),
            (set(good.clone(), "/spec/lifetime", json!({"ttl": "soon"})), "spec.lifetime.ttl"),
            (set(good.clone(), "/spec/lifetimes", json!({})), "lifetimes"),
            (set(good.clone(), "/spec/hosts/domian", json!("x")), "domian"),
            (baseline(&json!({})), "spec.repositories: Required value"),
            (
                set(good.clone(), "/spec/clone", json!({"env": [{"name": "A", "value": "x", "remove": true}]})),
                "give either value or remove",
            ),
            (set(good.clone(), "/spec/clone", json!({"env": [{"name": "A"}]})), "give either value or remove"),
            (set(good.clone(), "/spec/clone", json!({"patches": [{"target": {"kind": "Service"}}]})), "give either jsonPatch or merge"),
            (
                set(
                    good.clone(),
                    "/spec/clone",
                    json!({"patches": [{"target": {"kind": "A"}, "jsonPatch": [{"op": "drop", "path": ""}]}]}),
                ),
                "jsonPatch[0].op",
            ),
            (set(good.clone(), "/spec/rewrite", json!({"secrets": [{"name": "s", "keys": []}]})), "spec.rewrite.secrets[0].keys"),
        ] {
            refused(&baselines, &wrong, &only_asked(), words).await;
        }
        Ok(())
    });
}

#[test]
fn an_environment_that_cannot_be_meant_is_refused_with_its_field() {
    story(|world| async move {
        let (_, environments) = apis(world, "kinds-environment").await?;
        let wish =
            json!({"state": "Present", "actor": "ann", "at": "2026-01-02T03:04:05Z", "target": {"repository": "acme/web", "pull": 42}});
        let good = environment("e", &json!({"baseline": "b", "sources": [source()], "wish": wish, "lifetime": {"ttl": "24h"}}));
        environments.patch("e", &only_asked(), &Patch::Apply(&good)).await?;
        for (pointer, value, words) in [
            ("/spec/sources/0/branch", json!("login"), "sources[]: give either pull or branch"),
            ("/spec/sources/0/revision", json!("main"), "spec.sources[0].revision"),
            ("/spec/sources/0/state", json!("open"), "spec.sources[0].state"),
            ("/spec/sources/0/repositoryId", json!(0), "spec.sources[0].repositoryId"),
            ("/spec/wish/target/branch", json!("login"), "wish.target: give either pull or branch"),
            ("/spec/wish/state", json!("Gone"), "spec.wish.state"),
            ("/spec/lifetime/ttl", json!("5 days"), "spec.lifetime.ttl"),
            ("/spec/images", json!([{"name": "acme/web", "tag": "a b"}]), "spec.images[0].tag"),
            ("/spec/source", json!([]), "source"),
            ("/spec/wish/who", json!("me"), "who"),
        ] {
            refused(&environments, &set(good.clone(), pointer, value), &only_asked(), words).await;
        }
        Ok(())
    });
}

#[test]
fn facts_and_wishes_never_go_back_and_a_baseline_is_for_life() {
    story(|world| async move {
        let (_, environments) = apis(world, "kinds-order").await?;
        let wish = json!({"state": "Present", "actor": "ann", "at": "2026-01-02T03:04:05Z"});
        let first = environment("e", &json!({"baseline": "b", "sources": [source()], "wish": wish}));
        environments.patch("e", &kept(), &Patch::Apply(&first)).await?;
        for (pointer, value, words) in [
            ("/spec/baseline", json!("other"), "baseline: cannot be changed"),
            ("/spec/sources/0/observedAt", json!("2026-01-02T03:04:04Z"), "older than the fact that is recorded"),
            ("/spec/wish/at", json!("2026-01-02T03:04:04Z"), "wish.at: older than the wish that is recorded"),
        ] {
            refused(&environments, &set(first.clone(), pointer, value), &only_asked(), words).await;
        }
        let closed = set(first.clone(), "/spec/sources/0/state", json!("Closed"));
        environments.patch("e", &kept(), &Patch::Apply(&closed)).await?;
        refused(&environments, &first, &only_asked(), "older than the fact that is recorded").await;
        Ok(())
    });
}

#[test]
fn what_is_not_said_gets_its_default() {
    story(|world| async move {
        let (baselines, environments) = apis(world, "kinds-defaults").await?;
        let least = baseline(&json!({"repositories": [{"name": "acme/web", "images": [{"name": "acme/web"}]}]}));
        let spec = serde_json::to_value(baselines.patch("b", &only_asked(), &Patch::Apply(&least)).await?.spec)?;
        assert_eq!(spec.pointer("/repositories/0/forge"), Some(&json!("github")));
        assert_eq!(spec.pointer("/repositories/0/images/0/tag"), Some(&json!("{{ revision }}")));
        assert_eq!(spec.pointer("/trigger/drafts"), Some(&json!(false)));
        assert_eq!(spec.pointer("/lifetime/ttl"), Some(&json!("5d")));
        let least = environment(
            "e",
            &json!({"baseline": "b", "wish": {"state": "Present", "actor": "ann", "at": "2026-01-02T03:04:05Z",
            "target": {"repository": "acme/web", "branch": "login"}}}),
        );
        let made = environments.patch("e", &only_asked(), &Patch::Apply(&least)).await?;
        assert_eq!(serde_json::to_value(made.spec.wish)?.pointer("/target/forge"), Some(&json!("github")));
        Ok(())
    });
}

#[test]
fn status_is_written_apart_from_spec() {
    story(|world| async move {
        let (_, environments) = apis(world, "kinds-status").await?;
        // The service itself never gets an environment, so it may not.
        let seen = world.environments("kinds-status");
        let with_status = set(environment("e", &json!({"baseline": "b"})), "/status", json!({"phase": "Invented"}));
        environments.patch("e", &kept(), &Patch::Apply(&with_status)).await?;
        let phase = |e: &PreviewEnvironment| e.status.as_ref().and_then(|s| s.phase.clone());
        assert_ne!(phase(&seen.get("e").await?).as_deref(), Some("Invented"));
        let other = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
            "spec": {"lifetime": {"ttl": "1h"}}, "status": {"readyRevision": "from-the-story"}});
        environments.patch_status("e", &PatchParams::default(), &Patch::Merge(&other)).await?;
        let after = seen.get("e").await?;
        assert_eq!(after.status.and_then(|s| s.ready_revision).as_deref(), Some("from-the-story"));
        assert!(after.spec.lifetime.is_none());
        Ok(())
    });
}

async fn get(client: &Client, path: &str, accept: &str) -> anyhow::Result<Value> {
    let request = http::Request::get(path).header("Accept", accept).body(Vec::new())?;
    Ok(client.request(request).await?)
}

#[test]
fn kubectl_finds_the_kinds_by_short_names_and_shows_columns() {
    story(|world| async move {
        let root = "/apis/preview-env.dev/v1alpha1";
        let kinds = get(&world.admin, root, "application/json").await?;
        let of = |plural: &str| kinds["resources"].as_array().and_then(|all| all.iter().find(|r| r["name"] == plural)).cloned();
        assert_eq!(of("baselines").map(|r| r["shortNames"].clone()), Some(json!(["bl"])));
        assert_eq!(of("previewenvironments").map(|r| r["shortNames"].clone()), Some(json!(["penv"])));
        assert!(of("previewenvironments/status").is_some() && of("baselines/status").is_some());

        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let columns = async |plural: &str| {
            let shown = get(&world.admin, &format!("{root}/{plural}"), table).await?;
            let usual = |c: &&Value| c["priority"] == 0;
            let names = shown["columnDefinitions"].as_array().into_iter().flatten().filter(usual).filter_map(|c| c["name"].as_str());
            Ok::<_, anyhow::Error>(names.collect::<Vec<_>>().join(" "))
        };
        assert_eq!(columns("baselines").await?, "Name Ready Domain Environments Running Queued Age");
        assert_eq!(columns("previewenvironments").await?, "Name Source Revision Phase URL Expires Age");
        Ok(())
    });
}
