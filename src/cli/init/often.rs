//! What people often want beside what a Baseline needs, each with its reason, to be taken in by hand. Pure.

/// A part of `spec` that stands in the file as a comment.
pub struct Often {
    /// Why somebody wants it.
    pub why: String,
    /// The part, as YAML that stands under `spec`.
    pub yaml: String,
}

/// What is known of the namespace that makes them fit.
pub struct Known<'a> {
    /// A Service that people look at, or one at all.
    pub service: Option<&'a str>,
    /// A workload that runs an image of the team.
    pub workload: &'a str,
    /// What the configuration reaches outside, for a sentence.
    pub outside: &'a str,
    /// Whether the namespace has CronJobs, of which nothing was said yet.
    pub cron_jobs: bool,
    /// Whether the environments have hosts already.
    pub has_hosts: bool,
}

/// All of them, what is wanted most often first.
pub fn often(known: &Known<'_>) -> Vec<Often> {
    let entry = |why: &str, yaml: &str| Often { why: why.to_owned(), yaml: yaml.to_owned() };
    let mut all = Vec::new();
    if !known.has_hosts {
        let why = "A URL: nothing here is reached from outside, so environments have none. One wildcard record, *.<domain>, leads \
                   to the ingress controller.";
        let service = known.service.unwrap_or("web");
        all.push(entry(
            why,
            &format!("hosts:\n  domain: preview.example.com\n  expose:\n    - service: {}", super::super::draft::scalar(service)),
        ));
    }
    all.push(entry("Only pull requests that somebody gives the label preview, not all of them:", "trigger:\n  pullRequests: Labelled"));
    let (why, job) = (
        "Jobs that run in each environment: migrations before its workloads, seed data (AfterReady) once. This one runs with the image and \
         the variables of a workload.",
        "job:\n      template:\n        spec:\n          containers:\n            - name: migrate\n              command: [./migrate]",
    );
    let service = super::super::draft::scalar(known.workload);
    all.push(entry(why, &format!("hooks:\n  - name: migrate\n    when: BeforeWorkloads\n    service: {service}\n    {job}")));
    let outside =
        format!("Pods reach each other and DNS, and nothing outside{}. This opens the internet, without private networks:", known.outside);
    let cidrs = "isolation:\n  egress:\n    - cidr: 0.0.0.0/0\n      except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16]";
    all.push(entry(&outside, cidrs));
    let access = "access:\n  - subject: {kind: Group, name: developers}\n    role: Edit";
    all.push(entry("Who may read logs in the environments (View), and run commands there (Edit):", access));
    all.push(entry(
        "How long an environment lives after the last push or command (5d if nothing is said), and how many there are at one time (20, 5 of \
         them of one author):",
        "lifetime:\n  ttl: 2d\nlimits:\n  environments: 10\n  perAuthor: 3",
    ));
    if known.cron_jobs {
        all.push(entry("CronJobs are there and do not run, unless this says so:", "clone:\n  cronJobs: Run"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;
    use crate::domain::Baseline;
    use serde_json::{Value, json};

    #[test]
    fn each_of_them_is_valid_and_so_are_all_together() {
        let known = Known { service: Some("front"), workload: "web", outside: "", cron_jobs: true, has_hosts: false };
        let mut all = json!({"repositories": [{"name": "acme/web"}]});
        for Often { why, yaml } in often(&known) {
            let part: Value = serde_saphyr::from_str(&yaml).unwrap();
            assert!(!why.is_empty() && part.as_object().is_some_and(|fields| !fields.is_empty()), "{yaml}");
            all.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
            let mut object = api::Baseline::new("shop", serde_json::from_value(all.clone()).expect("known fields"));
            object.metadata.namespace = Some("shop".into());
            Baseline::try_from(&object).unwrap_or_else(|why| panic!("{why}: {yaml}"));
        }
        assert_eq!(all["hosts"]["expose"][0]["service"], "front");
    }
}
