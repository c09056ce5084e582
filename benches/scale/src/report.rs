//! The lines: what was measured, what it is held against, and whether it is reached.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bench::figures::{median, quantile};

use crate::burst::Burst;
use crate::ends::Ends;
use crate::floor::Lists;
use crate::rest::{Idle, Looks, Start};

/// What is wanted, as the project's goals say.
mod wanted {
    /// MiB of resident memory, at rest and at its peak.
    pub const MEMORY: f64 = 64.0;
    /// Requests a second at rest.
    pub const REQUESTS: f64 = 1.0;
    /// Per cent of a core at rest.
    pub const BUSY: f64 = 0.2;
    /// Seconds from a start until all had their pass.
    pub const START: f64 = 5.0;
    /// The service's time for a burst beside the raw writer's.
    pub const BURST: f64 = 1.2;
    /// The 99th of a hundred beside the middle one.
    pub const SPREAD: f64 = 2.0;
    /// How much longer namespaces may take to go than bare ones: what is polled and what varies.
    pub const ENDS: f64 = 1.1;
}

/// One line: `most` is what it may be.
fn line(what: &str, value: f64, unit: &str, most: f64) {
    let verdict = if value <= most { "reached" } else { "NOT REACHED" };
    println!("  {what:<58}{value:>9.2} {unit:<12} at most {most:<8}{verdict}");
}

fn told(what: &str, value: f64, unit: &str) {
    println!("  {what:<58}{value:>9.2} {unit}");
}

fn list(what: &str, all: &BTreeMap<String, usize>) {
    let mut all: Vec<_> = all.iter().collect();
    all.sort_by_key(|(_, count)| Reverse(**count));
    let words: Vec<String> = all.into_iter().map(|(what, count)| format!("{count} {what}")).collect();
    println!("    {what}: {}", if words.is_empty() { "none".to_owned() } else { words.join(", ") });
}

/// So many environments at rest.
pub struct Rest {
    /// How many.
    pub environments: usize,
    /// How long it took to make them, in seconds.
    pub made: f64,
    /// Resident memory and its peak after that, in MiB.
    pub after_making: (f64, f64),
    /// The floor of a start.
    pub lists: Lists,
    /// A start.
    pub start: Start,
    /// A while after it.
    pub idle: Idle,
}

/// Memory, start and rest.
pub fn rest(rest: &Rest) {
    let Rest { environments, made, after_making, lists, start, idle } = rest;
    println!("\n{environments} environments of {} services, on kwok, all Ready (made in {made:.0} s)", crate::many::SERVICES);
    line("memory at rest", idle.taken.resident, "MiB", wanted::MEMORY);
    line("memory, its peak since the start", idle.taken.peak, "MiB", wanted::MEMORY);
    told("memory of the process that made them", after_making.0, "MiB");
    told("memory of the process that made them, its peak", after_making.1, "MiB");
    told("what a start lists, as JSON", lists.size, "MiB");
    line("from the start of the process to all as they should be", start.converged, "s", wanted::START);
    told("the bare lists alone", lists.seconds, "s");
    told("time on a core for that, and 10 s more", start.taken.busy.as_secs_f64(), "s");
    line("writes from the start until 10 s after that", crate::many::as_figure(start.asked.written()), "", 0.0);
    list("written", &start.asked.writes);
    list("asked of GitHub", &start.of_github);
    let seconds = idle.seconds;
    line(&format!("at rest for {seconds:.0} s, requests"), crate::many::as_figure(idle.asked.all) / seconds, "a second", wanted::REQUESTS);
    list("asked", &idle.asked.kinds);
    line("at rest, time on a core", idle.busy * 100.0, "%", wanted::BUSY);
}

/// Looks for what no delivery told.
pub fn looks(looks: &Looks, environments: usize) {
    println!("\nA look at GitHub for what no delivery told, {environments} environments");
    line("writes", crate::many::as_figure(looks.asked.written()) / looks.count, "a look", 0.0);
    list("written", &looks.asked.writes);
    told("time on a core", looks.busy, "ms a look");
    list(&format!("asked of GitHub in {} looks", looks.count), &looks.of_github);
}

/// Bursts in pairs: the service, then the raw writer.
pub fn pairs(pairs: &[(Burst, Burst)], count: usize) {
    let (service, raw): (Vec<f64>, Vec<f64>) = pairs.iter().map(|(service, raw)| (service.all(), raw.all())).unzip();
    let ratios: Vec<f64> = service.iter().zip(&raw).map(|(service, raw)| service / raw).collect();
    println!("\n{count} pull requests of the demo's shop at once, on kwok, until all is applied; the median of {}", pairs.len());
    told("the service", median(&service) / 1e3, "s");
    told("the raw writer", median(&raw) / 1e3, "s");
    line("ratio, the median of the pairs' ratios", median(&ratios), "", wanted::BURST);
    println!("    ratios: {}", ratios.iter().map(|ratio| format!("{ratio:.2}")).collect::<Vec<_>>().join(", "));
    if let Some((service, raw)) = pairs.last() {
        list(&format!("requests of the service, {} in the last pair", service.asked.all), &service.asked.kinds);
        list(&format!("of the raw writer, {}", raw.asked.all), &raw.asked.kinds);
    }
}

/// A large burst.
pub fn burst(service: &Burst, raw: &Burst) {
    println!("\n{} pull requests of the demo's shop at once, on kwok", service.applied.len());
    for (what, burst) in [("the service", service), ("the raw writer", raw)] {
        let [middle, high] = [0.5, 0.99].map(|share| quantile(&burst.applied, share) / 1e3);
        told(&format!("{what}, until half of them are applied"), middle, "s");
        told(&format!("{what}, until 99 % of them are"), high, "s");
    }
    line("the service, 99 % beside the middle", spread(service), "", wanted::SPREAD);
    told("the raw writer, the same", spread(raw), "");
    line("answers 429", crate::many::as_figure(service.asked.throttled), "", 0.0);
    told("ratio, until all are applied", service.all() / raw.all(), "");
}

fn spread(burst: &Burst) -> f64 {
    quantile(&burst.applied, 0.99) / median(&burst.applied)
}

/// Many ends at once.
pub fn ends(service: &Ends, bare: &Ends) {
    println!("\n{} pull requests closed at once, and as many namespaces with the same deleted, on kwok", service.gone.len());
    told("the service, until half of the Deployments are deleted", median(&service.stopped), "s");
    told("the service, until all of them are", quantile(&service.stopped, 1.0), "s");
    for (what, ends) in [("the service", service), ("bare deletions", bare)] {
        told(&format!("{what}, until half of the namespaces are gone"), median(&ends.gone), "s");
        told(&format!("{what}, until all of them are"), quantile(&ends.gone, 1.0), "s");
    }
    line("ratio, until all of them are gone", quantile(&service.gone, 1.0) / quantile(&bare.gone, 1.0), "", wanted::ENDS);
}
