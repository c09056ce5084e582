//! The tables, in plain text.

use std::collections::{BTreeMap, BTreeSet};

use crate::idle::Idle;
use crate::planning::SERVICES;
use bench::course::{Course, counts};
use bench::figures::{median, quantile};
use bench::service::Run;

/// The namespace and the RoleBinding, which are objects of an environment too and not timed.
const AROUND: usize = 2;

/// What may come on top of one request an object (the design's number).
const ON_TOP: usize = 10;

/// One environment by each.
pub struct Pair {
    /// By the service.
    pub service: Run,
    /// By the raw writer.
    pub raw: Course,
}

/// All pairs of one size.
pub struct Size {
    /// How many services the system has.
    pub services: usize,
    /// How many objects an environment of it has.
    pub objects: usize,
    /// How many pairs were to be measured.
    pub wanted: usize,
    /// Those that were.
    pub pairs: Vec<Pair>,
}

impl Pair {
    fn ratio(&self) -> f64 {
        self.service.course.applied / self.raw.applied
    }

    /// The pair in a few words.
    pub fn line(&self) -> String {
        let (service, raw) = (self.service.course.applied, self.raw.applied);
        format!("service {service:.0} ms, raw writer {raw:.0} ms, ratio {:.2}, {} requests", self.ratio(), self.service.requests.len())
    }
}

impl Size {
    fn of(&self, figure: impl Fn(&Pair) -> f64) -> Vec<f64> {
        self.pairs.iter().map(figure).collect()
    }
}

/// The main table: how long, and how much longer than the raw writer.
pub fn times(sizes: &[Size]) {
    println!("\nUntil all objects of an environment are applied, in ms");
    println!("  {:<9}{:<9}{:<7}{:<12}{:>8}{:>8}{:>8}", "services", "objects", "pairs", "", "median", "least", "most");
    for size in sizes {
        let head = format!("  {:<9}{:<9}{:<7}", size.services, size.objects, size.pairs.len());
        spread(&head, "service", &size.of(|p| p.service.course.applied), 0);
        spread("", "raw writer", &size.of(|p| p.raw.applied), 0);
        spread("", "ratio", &size.of(Pair::ratio), 2);
        if size.pairs.len() < size.wanted {
            println!("  this machine was too slow for {} pairs", size.wanted);
        }
    }
    println!("  from the delivery (service) or the namespace (raw writer) to the last answer; ratio: median of the pairs' ratios");
}

fn spread(head: &str, what: &str, values: &[f64], digits: usize) {
    let [middle, least, most] = [0.5, 0.0, 1.0].map(|share| quantile(values, share));
    println!("{head:<27}{what:<12}{middle:>8.digits$}{least:>8.digits$}{most:>8.digits$}");
}

/// How many requests, and which.
pub fn requests(sizes: &[Size]) {
    println!("\nRequests of the service's user for one environment, from the delivery until Ready and told");
    for size in sizes {
        let totals = size.of(|p| as_figure(p.service.requests.len()));
        let objects = size.objects + AROUND;
        let most = objects + ON_TOP;
        let [middle, least, top] = [0.5, 0.0, 1.0].map(|share| quantile(&totals, share));
        println!("  {} services: {middle:.0} ({least:.0} to {top:.0}); {objects} objects, and {ON_TOP} more are {most}", size.services);
        for (what, count) in typical(size) {
            println!("    {count:>6.1}  {what}");
        }
    }
}

/// The mean of each kind of request; a median would hide what comes only now and then.
fn typical(size: &Size) -> Vec<(String, f64)> {
    let all: Vec<BTreeMap<String, usize>> = size.pairs.iter().map(|p| counts(&p.service.requests)).collect();
    let kinds: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    let mean = |kind: &String| as_figure(all.iter().filter_map(|c| c.get(kind)).sum::<usize>()) / as_figure(all.len().max(1));
    let mut means: Vec<_> = kinds.into_iter().map(|kind| (kind.clone(), mean(kind))).collect();
    means.sort_by(|a, b| b.1.total_cmp(&a.1));
    means
}

/// A step on the way, and when it was done.
type Step = (&'static str, fn(&Course) -> f64);

/// Where the time goes: the medians of each step on the way.
pub fn course(size: &Size) {
    println!("\nOn the way, {} services, medians in ms after the start", size.services);
    println!("  {:<44}{:>10}{:>12}", "", "service", "raw writer");
    let steps: [Step; 6] = [
        ("first write reaches the API server", |c| c.first_write),
        ("delivery is answered", |c| c.acknowledged.unwrap_or(f64::NAN)),
        ("POST of the namespace reaches the API server", |c| c.namespace),
        ("RoleBinding is there", |c| c.bound),
        ("first object is there", |c| c.first_object),
        ("all objects are there", |c| c.applied),
    ];
    for (what, step) in steps {
        let raw = median(&size.of(|p| step(&p.raw)));
        let raw = if raw.is_nan() { "-".to_owned() } else { format!("{raw:.1}") };
        println!("  {what:<44}{:>10.1}{raw:>12}", median(&size.of(|p| step(&p.service.course))));
    }
}

/// How fast deliveries are taken.
pub fn deliveries(sizes: &[Size], idle: &Idle) {
    let opened: Vec<f64> = sizes.iter().flat_map(|s| s.of(|p| p.service.course.acknowledged.unwrap_or(f64::NAN))).collect();
    println!("\nDeliveries, in ms after they are sent");
    println!("  {:<38}{:>6}{:>9}{:>8}{:>8}", "", "count", "median", "99 %", "most");
    for (what, values) in [
        ("answered, one that opens", &opened),
        ("answered, one after the other", &idle.answered),
        ("first API write, one after the other", &idle.first_write),
    ] {
        let [middle, high, most] = [0.5, 0.99, 1.0].map(|share| quantile(values, share));
        println!("  {what:<38}{:>6}{middle:>9.1}{high:>8.1}{most:>8.1}", values.len());
    }
}

/// How long a plan takes.
pub fn planning(values: &[f64]) {
    let [middle, high, most] = [0.5, 0.99, 1.0].map(|share| quantile(values, share));
    println!("\nOne plan of {SERVICES} services, in ms\n  median {middle:.1}, 99 % {high:.1}, most {most:.1}, of {}", values.len());
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are small")]
fn as_figure(count: usize) -> f64 {
    count as f64
}
