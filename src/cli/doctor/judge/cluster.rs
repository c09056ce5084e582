//! Is the cluster new enough, and do its clock and ours agree? No client, no clock, no logging.

use chrono::TimeDelta;

use crate::cli::doctor::finding::{Fact, Finding};

const CLUSTER: &str = "cluster";
const CLOCK: &str = "clock";

/// The oldest minor version of Kubernetes 1 that will do: admission policies (`ValidatingAdmissionPolicy`), which hold the
/// service to its own namespaces, are stable since then. The chart's `kubeVersion` says the same.
pub const OLDEST: u32 = 30;

/// A difference above this shows in what commands say of ages.
const SKEW: TimeDelta = TimeDelta::seconds(30);
/// Above this, tokens and signatures begin to be refused as not valid yet or any more.
const FAR: TimeDelta = TimeDelta::minutes(5);

/// Whether the cluster is new enough, by the version that it calls its own, such as `v1.36.3+k3s1`.
pub fn version(version: &Fact<String>) -> Finding {
    let version = match version {
        Ok(version) => version,
        Err(why) => return Finding::not_checked(CLUSTER, why),
    };
    let mut parts =
        version.trim_start_matches('v').split('.').map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>());
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
    match (number(), number()) {
        (Some(major), Some(minor)) if (major, minor) >= (1, OLDEST) => {
            Finding::ok(CLUSTER, format!("Kubernetes {version} answers; 1.{OLDEST} or newer is needed"))
        }
        (Some(_), Some(_)) => {
            let why = format!(
                "Kubernetes {version} is too old: its API has no ValidatingAdmissionPolicy, which holds the service to its own namespaces"
            );
            Finding::failure(CLUSTER, why).mend(format!("upgrade the cluster to Kubernetes 1.{OLDEST} or newer"))
        }
        _ => Finding::warning(CLUSTER, format!("it answers, and calls its version {version}, which nobody here can read"))
            .mend(format!("compare it with Kubernetes 1.{OLDEST}, the oldest that will do")),
    }
}

/// Whether two clocks agree: by how much that one is ahead of this machine's.
pub fn clock(whose: &str, ahead: &Fact<TimeDelta>) -> Finding {
    let ahead = match ahead {
        Ok(ahead) => *ahead,
        Err(why) => return Finding::not_checked(CLOCK, why),
    };
    let way = if ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
    let said = format!("{whose}'s is {} s {way} this machine's", ahead.num_seconds().abs());
    let mend = "have both follow a time server (NTP): timedatectl set-ntp true on this machine";
    match ahead.abs() {
        near if near <= SKEW => Finding::ok(CLOCK, format!("{whose}'s agrees with this machine's")),
        near if near <= FAR => Finding::warning(CLOCK, said).mend(mend),
        _ => Finding::failure(CLOCK, format!("{said}; tokens are refused at that distance")).mend(mend),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::{Unseen, Verdict};

    #[test]
    fn a_cluster_without_admission_policies_is_too_old() {
        for (text, verdict) in [
            ("v1.30.0", Verdict::Ok),
            ("v1.36.3-gke.100", Verdict::Ok),
            ("v1.31+", Verdict::Ok),
            ("v2.0.0", Verdict::Ok),
            ("v1.29.14+k3s1", Verdict::Failure),
            ("v1.9.0", Verdict::Failure),
            ("devel", Verdict::Warning),
            ("", Verdict::Warning),
            ("v99999999999.1", Verdict::Warning),
        ] {
            assert_eq!(version(&Ok(text.to_owned())).result, verdict, "{text}");
        }
        assert_eq!(version(&Err(Unseen::new("you may not"))).result, Verdict::NotChecked);
    }

    #[test]
    fn the_oldest_version_is_that_of_the_chart_and_of_the_documentation() {
        let chart = include_str!("../../../../charts/preview-env/Chart.yaml");
        assert!(chart.contains(&format!("kubeVersion: \">=1.{OLDEST}.0-0\"")));
        assert!(include_str!("../../../../README.md").contains(&format!("Kubernetes 1.{OLDEST} or newer")));
    }

    #[test]
    fn clocks_that_differ_by_minutes_are_said() {
        let seconds = |seconds| Ok(TimeDelta::seconds(seconds));
        for (ahead, verdict) in [
            (0, Verdict::Ok),
            (-30, Verdict::Ok),
            (31, Verdict::Warning),
            (-300, Verdict::Warning),
            (301, Verdict::Failure),
            (-9_999, Verdict::Failure),
        ] {
            assert_eq!(clock("the cluster", &seconds(ahead)).result, verdict, "{ahead}");
        }
        assert_eq!(clock("the cluster", &seconds(-90)).message, "the cluster's is 90 s behind this machine's");
    }
}
