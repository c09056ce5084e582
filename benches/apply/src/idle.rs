//! How fast a delivery is answered while nothing else goes on.

use anyhow::{Result, ensure};
use chrono::Utc;
use github_double::{Open, on};
use test_world::{DEVELOPER, World};

use bench::service::{self, USER};
use bench::shop::Shop;

const DELIVERIES: usize = 200;

/// Milliseconds after each delivery was sent.
#[derive(Default)]
pub struct Idle {
    /// Until its fact reached the API server.
    pub first_write: Vec<f64>,
    /// Until it was answered.
    pub answered: Vec<f64>,
}

/// Sends one delivery after the other, each stating something new about a pull request whose environment is Ready.
pub async fn measure(world: &World) -> Result<Idle> {
    let shop = Shop { namespace: "shop-12".to_owned(), repository: "acme/web-12".to_owned() };
    let opened = world.github.act(Open::new(&shop.repository, "idle", DEVELOPER))?;
    let number = opened.number();
    service::send(opened.delivery()).await?;
    service::told(world, &shop, &format!("web-pr-{number}")).await?;
    let mark = world.audit().mark().await?;
    let mut idle = Idle::default();
    let mut sent = Vec::new();
    for index in 0..DELIVERIES {
        let edited = world.github.act(on(&shop.repository, number, DEVELOPER).retitle(&format!("title {index}")))?;
        sent.push(Utc::now());
        idle.answered.push(service::send(edited.delivery()).await?);
    }
    let events = world.audit().since(mark).await?;
    let facts = events.iter().filter(|e| e.user == USER && e.resource == "previewenvironments" && e.subresource.is_empty());
    let arrived: Vec<_> = facts.map(|e| e.received).collect();
    ensure!(arrived.len() == sent.len(), "{} deliveries led to {} writes", sent.len(), arrived.len());
    idle.first_write = sent.iter().zip(arrived).map(|(sent, arrived)| (arrived - sent).as_seconds_f64() * 1e3).collect();
    service::close(world, &shop, number, &format!("{}-web-pr-{number}", shop.namespace)).await?;
    Ok(idle)
}
