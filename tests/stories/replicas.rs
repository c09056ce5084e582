//! Two replicas: both take deliveries, one leads, and whatever becomes of it the other goes on.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use github_double::{Hook, On, Open, on};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams};
use preview_env::api::names::{ANNOTATION_WRITES, LABEL_ENVIRONMENT_UID};
use test_cluster::{Event, Mark};
use test_world::{DEVELOPER, SECRET, Service, World, wait_for};

use crate::shop::{Pull, Shop, story_apart};

/// How often something is looked at that no watch tells of.
const LOOK: Duration = Duration::from_millis(5);
/// How long it takes from one delivery to the next.
const PAUSE: Duration = Duration::from_millis(100);
/// What each replica is called.
pub const FIRST: &str = "preview";
pub const SECOND: &str = "preview-second";

/// Starts a second replica that gets every delivery too.
pub async fn second(world: &World) -> anyhow::Result<Service> {
    let second = world.service.lock().await.beside(SECOND).await?;
    let events = ["pull_request", "push", "delete", "issue_comment", "check_run"];
    world.github.add_webhook(Hook::to(&second.url("/webhooks/github")).secret(SECRET).events(&events))?;
    Ok(second)
}

fn lease(world: &World) -> Api<Lease> {
    Api::namespaced(world.admin.clone(), "preview-env")
}

/// Waits until that replica leads.
pub async fn wait_until_leads(world: &World, identity: &str) -> anyhow::Result<()> {
    let holds = |lease: Option<&Lease>| lease.and_then(|l| l.spec.as_ref()?.holder_identity.as_deref()) == Some(identity);
    wait_for(&lease(world), "preview-env", &format!("held by {identity}"), holds).await.map(drop)
}

/// Whether it is about our Lease: Kubernetes has others.
fn is_of_lease(event: &Event) -> bool {
    event.resource == "leases" && event.namespace == "preview-env"
}

fn is_renewal(event: &Event) -> bool {
    is_of_lease(event) && event.verb == "update" && event.code == 200
}

/// What that replica wrote, but for its asking for the Lease.
fn written_by(events: &[Event], identity: &str) -> Vec<Event> {
    let agent = format!("({identity})");
    let is_write = |e: &&Event| !matches!(e.verb.as_str(), "get" | "list" | "watch") && e.resource != "leases";
    events.iter().filter(|e| e.user_agent.ends_with(&agent)).filter(is_write).cloned().collect()
}

/// Waits until the log of requests is as it should be.
async fn wait_for_log(world: &World, mark: Mark, what: &str, fits: impl Fn(&[Event]) -> bool) -> anyhow::Result<Vec<Event>> {
    let waited = async {
        let mut ticks = tokio::time::interval(LOOK);
        loop {
            ticks.tick().await;
            let events = world.audit().read(mark)?;
            if fits(&events) {
                return anyhow::Ok(events);
            }
        }
    };
    tokio::time::timeout(test_world::deadline(), waited).await.with_context(|| format!("the log does not show {what}"))?
}

/// One namespace and one comment, whoever made them.
async fn nothing_is_doubled(pull: &Pull<'_>) -> anyhow::Result<()> {
    let uid = pull.environment().await?.metadata.uid.unwrap_or_default();
    let selected = ListParams::default().labels(&format!("{LABEL_ENVIRONMENT_UID}={uid}"));
    let namespaces = Api::<Namespace>::all(pull.shop.world.admin.clone()).list(&selected).await?.items.len();
    anyhow::ensure!((namespaces, pull.comments()) == (1, 1), "{namespaces} namespaces and {} comments", pull.comments());
    Ok(())
}

fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).as_seconds_f64()
}

#[test]
fn when_the_one_that_leads_is_killed_in_the_middle_the_other_goes_on_within_15_s() {
    story_apart(|world| async move {
        let shop = Shop::open(world, "killed").await?;
        let second = second(world).await?;
        wait_until_leads(world, FIRST).await?;
        assert!(metric(&second, "preview_leader").await? == 0 && metric(&*world.service.lock().await, "preview_leader").await? == 1);

        let mark = world.audit().mark().await?;
        let pull = shop.pull_request("in-the-middle").await?;
        wait_for_log(world, mark, "the beginning", |events| written_by(events, FIRST).len() >= 6).await?;
        world.service.lock().await.kill();
        let killed = Utc::now();
        pull.wait_until_ready().await?;
        pull.wait_for_comment(|body| body.contains("is ready")).await?;
        nothing_is_doubled(&pull).await?;

        let events = world.audit().since(mark).await?;
        // Facts are written by both, from the beginning on.
        let worked = |e: &&Event| e.received > killed && !e.uri.contains("source-github");
        let first = written_by(&events, SECOND).iter().filter(worked).map(|e| e.received).min().context("it wrote nothing")?;
        println!("the first write of the other one, {:.1} s after the kill", seconds(killed, first));
        assert!(seconds(killed, first) <= 15.0, "{first} is more than 15 s after {killed}");
        assert!(metric(&second, "preview_leader").await? == 1 && metric(&second, "preview_takeovers_total").await? == 1);

        // Who starts again follows, and deliveries to it alone reach the one that leads.
        let mut service = world.service.lock().await;
        service.launch()?;
        service.wait_until_ready().await?;
        drop(service);
        drop(second);
        wait_until_leads(world, FIRST).await?;
        pull.perform(On::close).await?;
        pull.wait_until_gone().await
    });
}

async fn metric(service: &Service, name: &str) -> anyhow::Result<u64> {
    let text = test_world::get(&service.url("/metrics")).await?.body;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).with_context(|| format!("no {name}"))?;
    Ok(value.parse()?)
}

/// How many writes to the forge the Lease counts.
fn left_on(lease: &Lease) -> u64 {
    let text = lease.metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION_WRITES));
    let counts: HashMap<String, Vec<u64>> = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    counts.values().flatten().sum()
}

/// How many writes the forge was asked for until now.
fn asked_for(world: &World) -> u64 {
    world.github.requests().iter().map(|request| u64::from(request.method != "GET")).sum()
}

#[test]
fn whoever_leads_next_goes_on_counting_what_was_written_to_the_forge() {
    story_apart(|world| async move {
        let shop = Shop::open(world, "counting").await?;
        let pull = shop.pull_request("before").await?;
        pull.wait_until_ready().await?;
        pull.wait_until_told().await?;
        let before = asked_for(world);
        assert!(before > 0);
        let tells = |count: u64| move |lease: Option<&Lease>| lease.is_some_and(|lease| left_on(lease) >= count);
        wait_for(&lease(world), "preview-env", "with what was written", tells(before)).await?;
        let _second = second(world).await?;
        world.service.lock().await.kill();
        wait_until_leads(world, SECOND).await?;
        assert!(left_on(&lease(world).get("preview-env").await?) >= before, "{before} were written");

        let pull = shop.pull_request("after").await?;
        pull.wait_until_ready().await?;
        pull.wait_until_told().await?;
        let after = asked_for(world);
        assert!(after > before, "{after} writes after {before}");
        wait_for(&lease(world), "preview-env", "with what both wrote", tells(after)).await.map(drop)
    });
}

#[test]
fn a_rolling_update_loses_no_delivery_and_the_other_leads_at_once() {
    story_apart(|world| async move {
        let shop = Shop::open(world, "rolling").await?;
        let second = second(world).await?;
        wait_until_leads(world, FIRST).await?;
        let old = shop.pull_request("before").await?;
        old.wait_until_ready().await?;

        let stopped = Utc::now();
        world.service.lock().await.terminate()?;
        let holder = async {
            wait_until_leads(world, SECOND).await?;
            anyhow::Ok(Utc::now())
        };
        // Deliveries go on to both for as long as a load balancer may not know better: each is taken by each.
        let (mut pulls, mut count) = (Vec::new(), 0_usize);
        let deliveries = async {
            while seconds(stopped, Utc::now()) < 3.0 {
                let done = match pulls.get(count % 4) {
                    Some(number) => world.github.perform(on(&shop.repository, *number, DEVELOPER).push()).await?,
                    None => world.github.perform(Open::new(&shop.repository, &format!("during-{count}"), DEVELOPER)).await?,
                };
                let answers: Vec<_> = done.deliveries.iter().map(github_double::Delivery::status).collect();
                // A busy machine may take until the first one has closed its port.
                let in_time = seconds(stopped, Utc::now()) < 4.5;
                let taken = answers.iter().filter(|a| **a == Some(202)).count();
                anyhow::ensure!(taken == answers.len() || (!in_time && 2 * taken >= answers.len()), "{count}: {answers:?}");
                if pulls.len() < 4 {
                    pulls.push(done.number());
                }
                count += 1;
            }
            anyhow::Ok(())
        };
        let (led, done) = tokio::join!(holder, deliveries);
        done?;
        let took = seconds(stopped, led?);
        println!("{count} deliveries were taken by both meanwhile; the other led {took:.2} s after SIGTERM");
        assert!(took < 5.0, "{took} s");
        let mut service = world.service.lock().await;
        assert_eq!(test_world::get(&service.url("/readyz")).await?.status, 503);
        let ended = service.wait_until_ended().await?;
        assert!(ended.success(), "{ended}: {}", service.log_end());
        drop(service);

        assert!(count > 1, "{count} deliveries");
        for number in pulls {
            let pull = Pull { shop: &shop, number, status: None };
            pull.wait_until_ready().await?;
            pull.wait_for_comment(|body| body.contains("is ready")).await?;
            nothing_is_doubled(&pull).await?;
        }
        old.perform(On::close).await?;
        old.wait_until_gone().await?;
        drop(second);
        Ok(())
    });
}

/// A delivery of a pull request that was opened, and what it was answered.
struct Sent {
    id: u64,
    number: u64,
    status: Option<u16>,
}

/// Opens one pull request after the other and sends each delivery to one of both replicas in turn, until that has ended.
async fn opened_until(shop: &Shop, ended: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<Vec<Sent>> {
    let (mut sent, mut ended) = (Vec::new(), std::pin::pin!(ended));
    loop {
        let open = Open::new(&shop.repository, &format!("draft-{}", shop.world.github.now().timestamp_micros()), DEVELOPER).draft();
        let done = shop.world.github.act(open)?;
        let of_it: Vec<_> = done.deliveries.iter().filter(|delivery| delivery.event == "pull_request").collect();
        let delivery = of_it[sent.len() % of_it.len()];
        let answered = shop.world.github.send(delivery).await;
        let (number, status) = (done.number(), answered.status());
        if status == Some(202) {
            // What is acknowledged is held, at this moment.
            shop.environments().get(&format!("web-pr-{number}")).await.with_context(|| format!("{number} was acknowledged"))?;
        }
        sent.push(Sent { id: delivery.id, number, status });
        tokio::select! {
            biased;
            result = &mut ended => return result.map(|()| sent),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

#[test]
fn while_one_replica_after_the_other_is_replaced_what_is_acknowledged_is_held_and_the_rest_is_refused() {
    story_apart(|world| async move {
        let shop = Shop::open(world, "replaced").await?;
        let mut second = second(world).await?;
        wait_until_leads(world, FIRST).await?;
        let mut first = world.service.lock().await;
        for (replica, other) in [(&mut *first, SECOND), (&mut second, FIRST)] {
            replica.terminate()?;
            let sent = opened_until(&shop, async { replica.wait_until_ended().await.map(drop) }).await?;
            wait_until_leads(world, other).await?;
            replica.launch()?;
            replica.wait_until_ready().await?;
            let (held, refused): (Vec<_>, Vec<_>) = sent.iter().partition(|one| one.status == Some(202));
            println!("{} deliveries were acknowledged and {} refused", held.len(), refused.len());
            assert!(held.len() > 1, "none was taken");
            for Sent { id, number, status } in refused {
                assert_eq!(*status, None, "{number} was answered, and is not held");
                assert_eq!(world.github.redeliver(*id).await?.status(), Some(202), "{number}");
            }
            for Sent { number, .. } in &sent {
                shop.environments().get(&format!("web-pr-{number}")).await?;
            }
        }
        Ok(())
    });
}

#[test]
fn a_second_signal_ends_it_at_once() {
    story_apart(|world| async move {
        let mut service = world.service.lock().await;
        service.terminate()?;
        let began = Utc::now();
        let ready = async {
            let mut ticks = tokio::time::interval(LOOK);
            while test_world::get(&service.url("/readyz")).await?.status == 200 {
                ticks.tick().await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(test_world::deadline(), ready).await??;
        service.terminate()?;
        let ended = service.wait_until_ended().await?;
        assert_eq!(ended.code(), Some(1), "{}", service.log_end());
        assert!(seconds(began, Utc::now()) < 4.0, "it did not wait for the deliveries that may come");
        Ok(())
    });
}

#[test]
fn one_that_led_and_stood_still_writes_nothing_afterwards() {
    story_apart(|world| async move {
        let shop = Shop::open(world, "still").await?;
        let second = second(world).await?;
        wait_until_leads(world, FIRST).await?;
        let mark = world.audit().mark().await?;
        let pull = shop.pull_request("in-the-middle").await?;
        wait_for_log(world, mark, "the beginning", |events| written_by(events, FIRST).len() >= 6).await?;
        world.service.lock().await.pause()?;
        let stopped = Utc::now();
        wait_until_leads(world, SECOND).await?;
        pull.wait_until_ready().await?;
        pull.wait_for_comment(|body| body.contains("is ready")).await?;
        // For 20 s in all, by the renewals of the one that leads now.
        let long = |events: &[Event]| events.iter().any(|e| is_of_lease(e) && seconds(stopped, e.received) >= 20.0);
        wait_for_log(world, mark, "that 20 s have passed", long).await?;
        let mark = world.audit().mark().await?;
        world.service.lock().await.resume()?;
        // It knows that it follows, and goes on to: the other renews three times more.
        let service = world.service.lock().await;
        let follows = async {
            let mut ticks = tokio::time::interval(LOOK);
            while metric(&service, "preview_leader").await? != 0 {
                ticks.tick().await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(test_world::deadline(), follows).await??;
        let renewals = |events: &[Event]| events.iter().filter(|e| is_renewal(e)).count();
        let events = wait_for_log(world, mark, "three renewals", |events| renewals(events) >= 3).await?;
        let written = written_by(&events, FIRST);
        assert!(written.is_empty(), "{written:#?}");
        assert!(!events.iter().any(|e| is_of_lease(e) && e.verb == "update" && e.user_agent.contains("(preview)")), "{events:#?}");
        nothing_is_doubled(&pull).await?;
        drop(second);
        Ok(())
    });
}

#[test]
fn two_replicas_at_rest_ask_for_little() {
    story_apart(|world| async move {
        let shop = Shop::open(world, "rest").await?;
        let second = second(world).await?;
        wait_until_leads(world, FIRST).await?;
        let pull = shop.pull_request("idle").await?;
        pull.wait_until_ready().await?;
        pull.wait_until_told().await?;
        let mark = world.audit().mark().await?;
        let renewed = |events: &[Event]| -> Vec<DateTime<Utc>> { events.iter().filter(|e| is_renewal(e)).map(|e| e.received).collect() };
        let events = wait_for_log(world, mark, "ten renewals", |events| renewed(events).len() >= 10).await?;
        let renewals = renewed(&events);
        assert!(renewals.windows(2).all(|two| seconds(two[0], two[1]) >= 2.0), "{renewals:?}");
        let time = seconds(renewals[0], *renewals.last().context("no renewal")?);
        let asked = events.iter().filter(|e| e.user.ends_with(":preview-env")).filter(|e| e.received > renewals[0]).count();
        #[expect(clippy::cast_precision_loss, reason = "a few dozens")]
        let rate = asked as f64 / time;
        println!("{asked} requests in {time:.0} s: {rate:.2} a second");
        assert!(rate <= 1.0, "{events:#?}");
        drop(second);
        Ok(())
    });
}
