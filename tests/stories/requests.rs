//! What the API server is asked, counted in its own audit log.

use github_double::On;
use preview_env::api::PreviewEnvironmentStatus;
use preview_env::api::conditions::{READY, is_true};
use test_cluster::{Event, Mark};
use test_world::World;

use crate::shop::{Shop, story, story_alone};

const SERVICE: &str = "system:serviceaccount:preview-env:preview-env";

async fn by_the_service(world: &World, mark: Mark) -> anyhow::Result<Vec<Event>> {
    let mut events = world.audit().since(mark).await?;
    events.retain(|event| event.user == SERVICE);
    Ok(events)
}

fn is_write(event: &Event) -> bool {
    !matches!(event.verb.as_str(), "get" | "list" | "watch")
}

fn shown(events: &[Event]) -> String {
    events.iter().map(|e| format!("  {} {} {} {}", e.code, e.verb, e.uri, e.subresource)).collect::<Vec<_>>().join("\n")
}

fn objects(status: &PreviewEnvironmentStatus) -> usize {
    // The namespace and the RoleBinding are objects of the environment too.
    status.inventory.len() + 2
}

#[test]
fn an_environment_costs_one_request_an_object_and_ten_more() {
    story_alone(|world| async move {
        let shop = Shop::open(world, "requests").await?;
        let mark = world.audit().mark().await?;
        let pull = shop.pull_request("counted").await?;
        let status = pull.wait_until_ready().await?;
        pull.wait_for_comment(|body| body.contains("is ready")).await?;
        let mut asked = by_the_service(world, mark).await?;
        // Other stories' Baselines are looked after at the same time, and what the API server serves is asked now and then. A
        // Baseline's status counts its environments, for many of them at once.
        asked.retain(|e| (e.namespace.starts_with("requests") || e.namespace.is_empty()) && !matches!(e.uri.as_str(), "/api" | "/apis"));
        asked.retain(|e| e.resource != "baselines");
        assert!(asked.len() <= objects(&status) + 10, "{} requests for {} objects:\n{}", asked.len(), objects(&status), shown(&asked));
        assert!(!asked.iter().any(|e| e.verb == "get" && e.namespace == pull.namespace()), "no GET for an object");

        let mark = world.audit().mark().await?;
        pull.perform(On::push).await?;
        pull.wait_until_ready().await?;
        let asked = by_the_service(world, mark).await?;
        let inside: Vec<_> = asked.iter().filter(|e| e.namespace == pull.namespace()).cloned().collect();
        assert_eq!(inside.len(), 1, "a push is one PATCH:\n{}", shown(&inside));
        assert_eq!((inside[0].verb.as_str(), inside[0].resource.as_str(), inside[0].name.as_str()), ("patch", "deployments", "web"));
        pull.wait("told", |s| is_true(&s.conditions, READY)).await?;
        pull.perform(On::close).await?;
        pull.wait_until_gone().await
    });
}

#[test]
fn a_restart_writes_nothing() {
    story_alone(|world| async move {
        let shop = Shop::open(world, "restart").await?;
        let pull = shop.pull_request("restarted").await?;
        pull.wait_until_ready().await?;
        pull.wait_until_told().await?;
        let mark = {
            let mut service = world.service.lock().await;
            service.kill();
            let mark = world.audit().mark().await?;
            service.launch()?;
            service.wait_until_ready().await?;
            mark
        };
        // Another environment that goes through all steps shows that the restarted service had its time.
        let other = shop.pull_request("other").await?;
        other.wait_until_ready().await?;
        let asked = by_the_service(world, mark).await?;
        let writes: Vec<_> = asked
            .iter()
            .filter(|e| is_write(e))
            .filter(|e| (e.namespace == shop.namespace && e.name == pull.name()) || e.namespace == pull.namespace())
            .cloned()
            .collect();
        assert!(writes.is_empty(), "{}", shown(&writes));
        for one in [pull, other] {
            one.perform(On::close).await?;
            one.wait_until_gone().await?;
        }
        Ok(())
    });
}

#[test]
fn the_service_asks_for_nothing_that_it_may_not_do_and_for_no_secret_that_is_not_listed() {
    story(|world| async move {
        let mark = world.audit().mark().await?;
        let shop = Shop::open(world, "rights").await?;
        let pull = shop.pull_request("allowed").await?;
        pull.wait_until_ready().await?;
        pull.perform(On::close).await?;
        pull.wait_until_gone().await?;
        let asked = by_the_service(world, mark).await?;
        // A new RoleBinding counts some milliseconds after it was made, and an apply that comes before is sent again.
        let lag = |e: &Event| e.verb == "patch" && e.namespace == pull.namespace();
        let mine = |e: &&Event| e.namespace.starts_with(&shop.namespace);
        let refused: Vec<_> = asked.iter().filter(mine).filter(|e| e.code == 403 && !lag(e)).cloned().collect();
        assert!(refused.is_empty(), "{}", shown(&refused));

        // Over all stories so far.
        let everything = world.audit().read(Mark::default())?;
        let of_secrets = everything.into_iter().filter(|e| e.user == SERVICE && e.resource == "secrets");
        let strange: Vec<_> = of_secrets
            .filter(|e| matches!(e.verb.as_str(), "list" | "watch") || (e.verb == "get" && !e.name.starts_with("listed")))
            .collect();
        assert!(strange.is_empty(), "{}", shown(&strange));
        Ok(())
    });
}
