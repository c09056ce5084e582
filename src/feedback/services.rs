//! The table of services. No client, no clock, no logging.

use super::markdown::{block, cell, code, prose, word};
use super::section::Fold;
use crate::api::status::{ImageOrigin, ServiceStatus};

/// As many rows of the baseline are shown one by one; of more, those that are ready become one row.
const BASELINE_ROWS: usize = 8;
/// Longest reason in a cell, in characters.
const REASON_MAX: usize = 160;
/// How much of a digest is shown, in hexadecimal digits.
const DIGEST_DIGITS: usize = 12;

/// Services whose log is shown.
const LOGS_MAX: usize = 3;
/// Lines of a log that are shown.
const LOG_LINES: usize = 20;
/// Longest of them, in characters.
const LOG_WIDTH: usize = 300;
/// How important a log is.
const LOG_RANK: u8 = 3;

/// The lines above the rows.
pub(super) const HEADER: &str = "| service | image | from | state |\n|---|---|---|---|\n";

/// A row for each service, each with its line break: what the branch builds first, then what is not ready.
pub(super) fn rows(services: &[ServiceStatus], baseline: &str) -> Vec<String> {
    let mut sorted: Vec<_> = services.iter().collect();
    sorted.sort_by_key(|s| (order(s.from), s.ready, s.name.as_str(), s.kind.as_str()));
    let of_baseline = sorted.iter().filter(|s| s.from == ImageOrigin::Baseline).count();
    let collapsed = |s: &ServiceStatus| of_baseline > BASELINE_ROWS && s.from == ImageOrigin::Baseline && s.ready;
    let mut rows: Vec<_> = sorted.iter().filter(|s| !collapsed(s)).map(|s| row(s)).collect();
    match sorted.iter().filter(|s| collapsed(s)).count() {
        0 => {}
        all if rows.is_empty() => rows.push(format!("| all {all} | as in {} | baseline | ready |\n", cell(&code(baseline)))),
        1 => rows.push(format!("| 1 other | as in {} | baseline | ready |\n", cell(&code(baseline)))),
        others => rows.push(format!("| {others} others | as in {} | baseline | ready |\n", cell(&code(baseline)))),
    }
    rows
}

/// `11 of 12 services are up`.
pub(super) fn count(services: &[ServiceStatus]) -> String {
    let ready = services.iter().filter(|s| s.ready).count();
    match services.len() {
        1 => format!("{ready} of 1 service is up"),
        all => format!("{ready} of {all} services are up"),
    }
}

/// What failing services logged last, those that the branch builds first.
pub(super) fn logs(services: &[ServiceStatus]) -> Vec<Fold> {
    let mut failing: Vec<_> = services.iter().filter(|s| !s.ready).filter_map(|s| Some((s, s.log.as_deref()?))).collect();
    failing.sort_by_key(|(s, _)| (order(s.from), s.name.as_str(), s.kind.as_str()));
    failing.iter().take(LOGS_MAX).map(|(service, text)| log(&word(&service.name), text)).collect()
}

/// What somebody logged last, folded away. What looked like a secret in it was masked before it was recorded (`commands/mask.rs`).
pub(super) fn log(whose: &str, text: &str) -> Fold {
    let inside = block(text, LOG_LINES, LOG_WIDTH);
    Fold { summary: format!("The last lines that {whose} logged"), inside, rank: LOG_RANK }
}

fn order(from: ImageOrigin) -> u8 {
    match from {
        ImageOrigin::Branch => 0,
        ImageOrigin::Override => 1,
        ImageOrigin::Baseline => 2,
    }
}

/// Why a service is not up. Its own name, which a container mostly has too, stands beside it.
pub(super) fn reason(service: &ServiceStatus) -> &str {
    let reason = service.reason.as_deref().unwrap_or_default();
    reason.strip_prefix(service.name.as_str()).and_then(|rest| rest.strip_prefix(' ')).unwrap_or(reason)
}

fn row(service: &ServiceStatus) -> String {
    let from = match service.from {
        ImageOrigin::Branch => "**this branch**",
        ImageOrigin::Override => "override",
        ImageOrigin::Baseline => "baseline",
    };
    let reason = prose(reason(service), REASON_MAX);
    let state = match (service.ready, reason.as_str()) {
        (true, _) => "ready",
        (false, "") => "starting",
        (false, reason) => reason,
    };
    format!("| {} | {} | {from} | {} |\n", cell(&code(&service.name)), cell(&code(&short_image(&service.image))), cell(state))
}

/// The image with as much of its digest as tells it from others.
fn short_image(image: &str) -> String {
    let digest = image.rsplit_once(':').filter(|(name, hex)| name.contains('@') && hex.len() > DIGEST_DIGITS && hex.is_ascii());
    digest.map_or_else(|| image.to_owned(), |(name, hex)| format!("{name}:{}…", &hex[..DIGEST_DIGITS]))
}
