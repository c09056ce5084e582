//! Images that come late, never, from another commit, or out of a registry that shows nothing; against Debian's
//! docker-registry.

use github_double::{On, Open};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use preview_env::api::PreviewEnvironmentStatus;
use preview_env::api::conditions::{ConditionStatus, IMAGES_AVAILABLE, READY, STALLED, is_true};
use preview_env::api::status::{ImageOrigin, ServiceStatus};
use serde_json::{Value, json};
use test_registry::Image;
use test_world::{DEVELOPER, World, wait_for};

use crate::said::kept;
use crate::shop::{Pull, Registries, Shop, registries, story};

/// A Deployment beside the others of a shop, of an image in that registry, which pulls it with the Secret `listed-login`.
fn front(host: &str) -> String {
    let pod = json!({"imagePullSecrets": [{"name": "listed-login"}], "containers": [{"name": "front", "image": format!("{host}/acme/front:1.0.0")}]});
    let template = json!({"metadata": {"labels": {"app": "front"}}, "spec": pod});
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": "front"}}, "template": template});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "front"}, "spec": spec}).to_string()
}

/// A shop that builds `front` in that registry.
async fn shop(world: &'static World, name: &str, host: &str, change: impl FnOnce(&mut Value)) -> anyhow::Result<Shop> {
    let image = json!([{"name": format!("{host}/acme/front"), "tag": format!("{name}-{{{{ pull }}}}-{{{{ revision_short }}}}")}]);
    let with_front = |spec: &mut Value| {
        spec["repositories"][0]["images"] = image;
        change(spec);
    };
    Shop::holding(world, name, &front(host), with_front).await
}

fn tag(pull: &Pull<'_>) -> anyhow::Result<String> {
    Ok(format!("{}-{}-{}", pull.shop.namespace, pull.number, &pull.revision()?[..7]))
}

async fn image_of_front(pull: &Pull<'_>) -> anyhow::Result<Option<String>> {
    let api: Api<Deployment> = Api::namespaced(pull.shop.world.admin.clone(), &pull.namespace());
    let pod = api.get_opt("front").await?.and_then(|d| d.spec?.template.spec);
    Ok(pod.and_then(|pod| pod.containers.into_iter().next()?.image))
}

fn service<'a>(status: &'a PreviewEnvironmentStatus, name: &str) -> Option<&'a ServiceStatus> {
    status.services.iter().find(|s| s.name == name)
}

fn others_are_up(status: &PreviewEnvironmentStatus) -> bool {
    status.services.len() > 1 && status.services.iter().all(|s| s.ready != (s.name == "front"))
}

#[test]
fn everything_else_is_up_before_the_image_comes() {
    story(|world| async move {
        let Some(Registries { open, .. }) = registries().await else { return Ok(()) };
        let shop = shop(world, "late", open.host(), |_| ()).await?;
        let pull = shop.pull_request("late").await?;
        let first = tag(&pull)?;
        let message = pull.wait_for_condition(IMAGES_AVAILABLE, ConditionStatus::False, "NotFound").await?;
        assert!(message.contains(&format!("acme/front:{first} is not in the registry yet; it is waited for until ")), "{message}");
        let status = pull.wait("up but for front", others_are_up).await?;
        assert_eq!((status.phase.as_deref(), status.revision.as_deref()), (Some("Waiting"), None));
        assert!(service(&status, "front").unwrap().waits_for.as_ref().unwrap().ends_with(&first));
        assert_eq!(image_of_front(&pull).await?, None, "nothing runs in its place");
        let comment =
            pull.wait_for_comment(|body| body.contains("is not in the registry yet") && body.contains("3 of 4 services are up")).await?;
        assert!(comment.contains("is waiting"), "{comment}");
        kept("waiting_for_an_image", &pull, &comment, None).await?;

        let digest = open.push("acme/front", &first, &Image::new("first")).await?;
        world.github.advance(chrono::TimeDelta::seconds(1));
        pull.perform(|on: On| on.retitle("Faster checkout, again")).await?;
        pull.wait_until_ready().await?;
        let running = format!("{}/acme/front:{first}@{digest}", open.host());
        assert_eq!(image_of_front(&pull).await?, Some(running.clone()));
        pull.wait_for_comment(|body| body.contains("is ready") && body.contains(&digest[..19])).await?;

        // The next commit: what ran goes on running, and nobody is told that it is the new code.
        let before = pull.revision()?;
        pull.perform(On::push).await?;
        let second = tag(&pull)?;
        pull.wait_for_condition(READY, ConditionStatus::False, "ImageMissing").await?;
        let status = pull.wait("missing its second image", |s| s.images.iter().any(|i| i.tag == second && i.until.is_some())).await?;
        assert_eq!((status.revision.as_ref(), image_of_front(&pull).await?), (Some(&before), Some(running)));
        let comment = pull.wait_for_comment(|body| body.contains(&format!("still serves `{}`", &before[..7]))).await?;
        kept("waiting_for_the_next_image", &pull, &comment, Some(&before)).await?;
        // No delivery tells of it: it is looked for again and again.
        let digest = open.push("acme/front", &second, &Image::new("second")).await?;
        pull.wait_until_ready().await?;
        assert_eq!(image_of_front(&pull).await?, Some(format!("{}/acme/front:{second}@{digest}", open.host())));
        Ok(())
    });
}

#[test]
fn a_missing_image_is_replaced_by_the_baseline_s_where_the_baseline_says_so() {
    story(|world| async move {
        let Some(Registries { open, .. }) = registries().await else { return Ok(()) };
        let shop = shop(world, "instead", open.host(), |spec| spec["images"] = json!({"wait": "1s", "missing": "UseBaseline"})).await?;
        let pull = shop.pull_request("instead").await?;
        let message = pull.wait_for_condition(IMAGES_AVAILABLE, ConditionStatus::False, "BaselineInstead").await?;
        assert!(message.contains("not the code of this change"), "{message}");
        let status = pull.wait("Ready", |s| is_true(&s.conditions, READY)).await?;
        assert_eq!(image_of_front(&pull).await?, Some(format!("{}/acme/front:1.0.0", open.host())));
        assert_eq!(service(&status, "front").map(|s| s.from), Some(ImageOrigin::Baseline));
        let comment = pull.wait_for_comment(|body| body.contains("Preview without the code of")).await?;
        kept("the_baselines_image_instead", &pull, &comment, None).await?;
        // It is never too late.
        open.push("acme/front", &tag(&pull)?, &Image::new("instead")).await?;
        pull.wait_for_condition(IMAGES_AVAILABLE, ConditionStatus::True, "Found").await?;
        pull.wait_for_comment(|body| body.contains("is ready")).await?;
        Ok(())
    });
}

#[test]
fn a_missing_image_stalls_the_environment_where_the_baseline_says_so() {
    story(|world| async move {
        let Some(Registries { open, .. }) = registries().await else { return Ok(()) };
        let shop = shop(world, "giveup", open.host(), |spec| spec["images"] = json!({"wait": "1s", "missing": "Fail"})).await?;
        let pull = shop.pull_request("giveup").await?;
        pull.wait_for_condition(STALLED, ConditionStatus::True, "ImageMissing").await?;
        pull.wait("up but for front", others_are_up).await?;
        open.push("acme/front", &tag(&pull)?, &Image::new("giveup")).await?;
        pull.wait_until_ready().await?;
        Ok(())
    });
}

#[test]
fn a_tag_that_still_holds_the_build_before_is_not_the_new_one() {
    story(|world| async move {
        let Some(Registries { open, .. }) = registries().await else { return Ok(()) };
        let moving = |spec: &mut Value| {
            spec["repositories"][0]["images"][0]["tag"] = json!("moving-{{ pull }}");
            spec["repositories"][0]["images"][0]["revisionLabel"] = json!(true);
        };
        let shop = shop(world, "moving-tag", open.host(), moving).await?;
        let pull = shop.pull_request("moving").await?;
        let tag = format!("moving-{}", pull.number);
        let first = open.push("acme/front", &tag, &Image::new("one").revision(&pull.revision()?)).await?;
        pull.wait_until_ready().await?;
        assert!(image_of_front(&pull).await?.is_some_and(|image| image.ends_with(&first)));
        let before = pull.revision()?;
        pull.perform(On::push).await?;
        let message = pull.wait_for_condition(IMAGES_AVAILABLE, ConditionStatus::False, "OtherRevision").await?;
        assert!(message.contains(&format!("is still the build of {}", &before[..7])), "{message}");
        let second = open.push("acme/front", &tag, &Image::new("two").revision(&pull.revision()?)).await?;
        pull.wait_until_ready().await?;
        assert!(image_of_front(&pull).await?.is_some_and(|image| image.ends_with(&second)));
        Ok(())
    });
}

#[test]
fn a_guarded_registry_is_asked_with_the_pods_own_login_or_not_at_all() {
    story(|world| async move {
        let Some(Registries { guarded, .. }) = registries().await else { return Ok(()) };
        let login = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "listed-login"}, "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": guarded.docker_config().to_string()}});
        let unlisted = shop(world, "unlisted-login", guarded.host(), |_| ()).await?;
        let pull = unlisted.pull_request("unlisted").await?;
        let message = pull.wait_for_condition(IMAGES_AVAILABLE, ConditionStatus::Unknown, "RegistryRefuses").await?;
        assert!(message.contains("401") && message.contains("runs by its tag"), "{message}");
        pull.wait_until_ready().await?;
        assert_eq!(image_of_front(&pull).await?, Some(format!("{}/acme/front:{}", guarded.host(), tag(&pull)?)));

        let image = json!([{"name": format!("{}/acme/front", guarded.host()), "tag": "listed-{{ pull }}-{{ revision_short }}"}]);
        let change = |spec: &mut Value| {
            spec["repositories"][0]["images"] = image;
            spec["clone"]["secrets"] = json!([{"name": "listed"}, {"name": "listed-login"}]);
        };
        let more = format!("{}\n---\n{login}", front(guarded.host()));
        let listed = Shop::holding(world, "listed", &more, change).await?;
        let pull = listed.pull_request("listed").await?;
        pull.wait_for_condition(IMAGES_AVAILABLE, ConditionStatus::False, "NotFound").await?;
        let digest = guarded.push("acme/front", &tag(&pull)?, &Image::new("listed")).await?;
        pull.wait_until_ready().await?;
        assert!(image_of_front(&pull).await?.is_some_and(|image| image.ends_with(&digest)));
        Ok(())
    });
}

/// The baseline's pod says which image it pulled, as a container runtime would; kwok's pods pull none.
async fn pulled(shop: &Shop, id: &str) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::namespaced(shop.world.admin.clone(), &shop.namespace);
    let deployments: Api<Deployment> = Api::namespaced(shop.world.admin.clone(), &shop.namespace);
    let ready = |d: Option<&Deployment>| d.and_then(|d| d.status.as_ref()?.ready_replicas) == Some(1);
    wait_for(&deployments, "front", "ready", ready).await?;
    let mut pod = pods.list(&ListParams::default().labels("app=front")).await?.items.remove(0);
    let statuses = pod.status.as_mut().and_then(|s| s.container_statuses.as_mut());
    for container in statuses.into_iter().flatten() {
        id.clone_into(&mut container.image_id);
    }
    let status = json!({"status": {"containerStatuses": pod.status.as_ref().and_then(|s| s.container_statuses.as_ref())}});
    pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&status)).await?;
    Ok(())
}

#[test]
fn only_what_the_change_touches_is_waited_for() {
    story(|world| async move {
        let Some(Registries { open, .. }) = registries().await else { return Ok(()) };
        let paths = |spec: &mut Value| spec["repositories"][0]["images"][0]["paths"] = json!(["front/**"]);
        let shop = shop(world, "paths", open.host(), paths).await?;
        let digest = format!("sha256:{}", "12".repeat(32));
        pulled(&shop, &format!("{}/acme/front@{digest}", open.host())).await?;
        let pull = shop.opened(Open::new(&shop.repository, "other", DEVELOPER).files(&["back/main.rs"])).await?;
        pull.wait_for_condition(IMAGES_AVAILABLE, ConditionStatus::True, "Unchanged").await?;
        pull.wait_until_ready().await?;
        assert_eq!(image_of_front(&pull).await?, Some(format!("{}/acme/front:1.0.0@{digest}", open.host())), "as the baseline runs it");

        world.github.change_files(&shop.repository, pull.number, &[("back/main.rs", None), ("back/b", Some("front/b"))])?;
        pull.perform(On::push).await?;
        pull.wait_for_condition(IMAGES_AVAILABLE, ConditionStatus::False, "NotFound").await?;
        let digest = open.push("acme/front", &tag(&pull)?, &Image::new("paths")).await?;
        pull.wait_until_ready().await?;
        assert!(image_of_front(&pull).await?.is_some_and(|image| image.ends_with(&digest)));
        Ok(())
    });
}

#[test]
fn what_the_pods_say_is_the_service_s_reason() {
    story(|world| async move {
        let Some(Registries { guarded, .. }) = registries().await else { return Ok(()) };
        // Nowhere to run, so that nobody but this story says how its pod is.
        let nowhere = front(guarded.host()).replace("\"containers\"", "\"nodeSelector\":{\"no\":\"where\"},\"containers\"");
        let image = json!([{"name": format!("{}/acme/front", guarded.host()), "tag": "pods-{{ pull }}"}]);
        let shop = Shop::holding(world, "pods", &nowhere, |spec| spec["repositories"][0]["images"] = image).await?;
        let pull = shop.pull_request("pods").await?;
        let says = |what: &'static str| {
            move |s: &PreviewEnvironmentStatus| service(s, "front").and_then(|s| s.reason.as_ref()).is_some_and(|r| r.contains(what))
        };
        pull.wait("said to fit nowhere", says("Unschedulable")).await?;

        let pods: Api<Pod> = Api::namespaced(world.admin.clone(), &pull.namespace());
        let pod = pods.list(&ListParams::default().labels("app=front")).await?.items.remove(0).metadata.name.unwrap();
        let waiting = json!({"reason": "ErrImagePull", "message": "unauthorized"});
        let container =
            json!({"name": "front", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": {"waiting": waiting}});
        let status = json!({"status": {"containerStatuses": [container]}});
        pods.patch_status(&pod, &PatchParams::default(), &Patch::Merge(&status)).await?;
        pull.wait("said to be refused its image", says("ErrImagePull: unauthorized")).await?;
        Ok(())
    });
}
