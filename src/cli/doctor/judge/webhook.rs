//! Do deliveries arrive? No client, no clock, no logging.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::cli::doctor::finding::{Fact, Finding, Unseen};
use crate::forge::github::Delivered;

const WEBHOOK: &str = "webhook";
const DELIVERIES: &str = "deliveries";
const COUNTED: &str = "preview_deliveries_total{result=\"";
/// What the service answers to a GET, since it takes POST alone.
const TAKES_POST: u16 = 405;
const RECENT: &str = "look at \"Recent Deliveries\" of the webhook on GitHub (docs/troubleshooting.md, \"Nothing happens after a push\")";

/// What a GET of the webhook's address came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reached {
    /// This status.
    Answered(u16),
    /// Nothing, and why.
    Silent(String),
}

/// Whether the webhook's address leads to the service, from here.
pub fn address(url: &str, reached: &Fact<Reached>) -> Finding {
    let mend = format!("see that your Ingress, route or tunnel leads {url} to the Service preview-env");
    match reached {
        Ok(Reached::Answered(TAKES_POST)) => Finding::ok(WEBHOOK, format!("{url} leads to the service, from here")),
        Ok(Reached::Answered(404)) => {
            Finding::warning(WEBHOOK, format!("{url} answers 404 to a GET; a route that lets POST alone through does that too"))
                .mend(RECENT)
        }
        Ok(Reached::Answered(status)) => {
            Finding::failure(WEBHOOK, format!("{url} answers {status} and not as the service does ({TAKES_POST} to a GET)")).mend(mend)
        }
        Ok(Reached::Silent(why)) => Finding::failure(WEBHOOK, format!("{url} does not answer from here: {why}")).mend(mend),
        Err(why) => Finding::not_checked(WEBHOOK, why),
    }
}

/// The service takes no deliveries.
pub fn polls(every: &str) -> Vec<Finding> {
    vec![Finding::ok(WEBHOOK, format!("none is needed: the service asks GitHub every {every}"))]
}

/// Nobody can say where it is.
pub fn nowhere(why: &Unseen) -> Finding {
    Finding::not_checked(WEBHOOK, why)
}

/// How many deliveries were answered with what, by the metrics of one replica.
pub fn counted(metrics: &str) -> BTreeMap<String, u64> {
    let of_line = |line: &str| {
        let (result, count) = line.strip_prefix(COUNTED)?.split_once("\"} ")?;
        // A count is followed by the moment that it was counted from, in some formats.
        Some((result.to_owned(), count.split(' ').next()?.parse::<u64>().ok()?))
    };
    metrics.lines().filter_map(of_line).collect()
}

/// What became of the deliveries since the replicas started.
pub fn deliveries(counts: &Fact<BTreeMap<String, u64>>) -> Finding {
    let counts = match counts {
        Ok(counts) => counts,
        Err(why) => return Finding::not_checked(DELIVERIES, why),
    };
    let of = |results: &[&str]| sum(results.iter().filter_map(|result| counts.get(*result)));
    let (total, unsigned) = (sum(counts.values()), of(&["unsigned"]));
    let lost = of(&["too_large", "not_json", "malformed", "slow", "broken", "not_held", "refused"]);
    let good = of(&["accepted", "older", "ignored", "pong", "full"]);
    match (total, unsigned, lost, good) {
        (0, ..) => Finding::warning(DELIVERIES, "none has come since the service started").mend(RECENT),
        (_, 1.., _, 0) => {
            Finding::failure(DELIVERIES, format!("all {unsigned} that came were signed with another secret than the service has"))
                .mend("give the webhook on GitHub the secret that is in the Secret of the service, key webhook-secret")
        }
        (_, 1.., _, _) => {
            Finding::warning(DELIVERIES, format!("{unsigned} of {total} were signed with another secret, or not from GitHub")).mend(RECENT)
        }
        (_, _, 1.., _) => {
            Finding::warning(DELIVERIES, format!("{lost} of {total} could not be taken since the service started")).mend(RECENT)
        }
        _ => Finding::ok(DELIVERIES, format!("all {total} were taken since the service started")),
    }
}

/// No sum of what somebody else counted is too large to be shown.
fn sum<'a>(counts: impl Iterator<Item = &'a u64>) -> u64 {
    counts.fold(0, |sum, count| sum.saturating_add(*count))
}

/// What GitHub's own log says, the newest first.
pub fn log(log: &Fact<Vec<Delivered>>, now: DateTime<Utc>) -> Finding {
    let log = match log {
        Ok(log) => log,
        Err(why) => return Finding::not_checked(DELIVERIES, why),
    };
    let failed: Vec<&Delivered> = log.iter().filter(|one| !(200..400).contains(&one.status)).collect();
    let answer = |one: &Delivered| if one.status == 0 { "nobody answered".to_owned() } else { format!("it was answered {}", one.status) };
    let ago = |one: &Delivered| crate::cli::output::span((now - one.at).num_seconds());
    match (log.first(), failed.first()) {
        (None, _) => Finding::warning(DELIVERIES, "GitHub has delivered nothing yet")
            .mend("see that the App's webhook is active (docs/github-app.md)"),
        (Some(newest), None) => Finding::ok(DELIVERIES, format!("the last {} were taken, the newest {} ago", log.len(), ago(newest))),
        (Some(newest), Some(last)) if newest == *last => {
            Finding::failure(DELIVERIES, format!("the last one, {} ago, did not arrive: {}", ago(last), answer(last))).mend(RECENT)
        }
        (Some(_), Some(last)) => {
            let said = format!("{} of the last {} failed, the last of these {} ago: {}", failed.len(), log.len(), ago(last), answer(last));
            Finding::warning(DELIVERIES, said)
                .mend("nothing, where it was an outage: what was missed is found by the next look (--look-every)")
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::cli::doctor::finding::Verdict;
    use crate::metrics::Metrics;

    #[test]
    fn the_address_leads_to_the_service() {
        let at = |reached| address("https://hooks.example.com/webhooks/github", &reached).result;
        assert_eq!(at(Ok(Reached::Answered(405))), Verdict::Ok);
        assert_eq!(at(Ok(Reached::Answered(404))), Verdict::Warning);
        assert_eq!(at(Ok(Reached::Answered(502))), Verdict::Failure);
        assert_eq!(at(Ok(Reached::Silent("connection refused".into()))), Verdict::Failure);
        assert_eq!(at(Err(Unseen::new("its name leads home"))), Verdict::NotChecked);
    }

    #[test]
    fn the_counts_are_those_that_the_service_shows() {
        let metrics = Metrics::new();
        for result in ["accepted", "accepted", "unsigned"] {
            metrics.delivery(result, std::time::Duration::from_millis(3));
        }
        let counts = counted(&metrics.text().unwrap());
        assert_eq!((counts["accepted"], counts["unsigned"], counts["refused"]), (2, 1, 0));
        assert!(counted("preview_deliveries_total{result=\"accepted\"} many\nnonsense").is_empty());
    }

    #[test]
    fn what_became_of_deliveries_says_what_is_wrong() {
        let of = |counts: &[(&str, u64)]| {
            let counts = counts.iter().map(|(result, count)| ((*result).to_owned(), *count)).collect();
            deliveries(&Ok(counts)).result
        };
        assert_eq!(of(&[("accepted", 3), ("unsigned", 0)]), Verdict::Ok);
        assert_eq!(of(&[("accepted", 0)]), Verdict::Warning);
        assert_eq!(of(&[("unsigned", 3), ("accepted", 0)]), Verdict::Failure);
        assert_eq!(of(&[("unsigned", 3), ("accepted", 1)]), Verdict::Warning);
        assert_eq!(of(&[("refused", 1), ("accepted", 1)]), Verdict::Warning);
        assert_eq!(of(&[("ignored", u64::MAX), ("accepted", u64::MAX)]), Verdict::Ok);
        assert_eq!(deliveries(&Err(Unseen::new("you may not"))).result, Verdict::NotChecked);
    }

    #[test]
    fn the_log_of_the_forge_says_what_did_not_arrive() {
        let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let of = |all: &[i64]| {
            let at = |(minutes, status): (i64, &i64)| Delivered { at: now - TimeDelta::minutes(minutes), status: *status };
            log(&Ok((1..).zip(all).map(at).collect()), now)
        };
        assert_eq!(of(&[202, 200]).result, Verdict::Ok);
        assert_eq!(of(&[]).result, Verdict::Warning);
        let lost = of(&[0, 202]);
        assert_eq!((lost.result, lost.message.as_str()), (Verdict::Failure, "the last one, 60s ago, did not arrive: nobody answered"));
        let before = of(&[202, 502]);
        assert!(before.result == Verdict::Warning && before.message.starts_with("1 of the last 2 failed"), "{before:?}");
    }
}
