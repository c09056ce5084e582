//! The file that `preview init` writes: for the person who goes on with it, so what has to be right comes first, and every
//! guess says that it is one. Pure.

use std::collections::BTreeSet;

use super::often::{Known, Often, often};
use crate::cli::draft::{Draft, Needed, Origin, scalar};
use crate::cli::output::{USUAL_WIDTH, clean, wrap};
use crate::cli::plan::namespace::{Copied, is_looked_at};
use crate::cli::plan::outside::address;
use crate::plan::complete::Finding;
use crate::plan::{Decision, ObjectName};

/// The schema's limit for `clone.secrets`.
const SECRETS_MAX: usize = 100;
/// Findings, hosts and images that are named; more are counted.
const SHOWN: usize = 6;

/// A file that grows line by line.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// A line as it is.
    fn add(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn add_all(&mut self, lines: impl IntoIterator<Item = String>) {
        lines.into_iter().for_each(|line| self.add(&line));
    }

    /// A comment, as many lines as it takes. What others wrote is made plain, so that it stays one.
    fn say(&mut self, indent: usize, text: &str) {
        let start = " ".repeat(indent);
        for line in wrap(&clean(text), USUAL_WIDTH.saturating_sub(indent + 2)) {
            self.add(&format!("{start}# {line}"));
        }
    }

    /// Lines of a comment that are to be read, or copied, as they are.
    fn quote(&mut self, indent: usize, text: &str) {
        let start = " ".repeat(indent);
        text.lines().for_each(|line| self.add(format!("{start}# {}", clean(line)).trim_end()));
    }

    fn gap(&mut self) {
        self.add("");
    }
}

/// The Baseline, with its comments. `there` are the Baselines that the namespace has.
pub fn baseline(copied: &Copied, there: &[String]) -> String {
    let draft = &copied.draft;
    let mut lines = Lines::default();
    head(&mut lines, copied, there);
    lines.add_all(draft.heading());
    repositories(&mut lines, draft);
    hosts(&mut lines, draft);
    clone(&mut lines, &copied.needed(), of_kind(copied, "CronJob").next().is_some());
    findings(&mut lines, copied);
    wishes(&mut lines, copied);
    lines.0
}

/// What stands above the rights.
pub fn about_rights(with_secrets: bool) -> String {
    let mut lines = Lines::default();
    lines.say(0, "Whoever applies this needs these rights themselves: ask whoever administers the namespace.");
    if with_secrets {
        lines.say(0, "The Role names the Secrets that clone.secrets above copies: change both. What the service needs for what the Baseline says in the end: preview plan --rights");
    }
    lines.0
}

fn head(lines: &mut Lines, copied: &Copied, there: &[String]) {
    let name = &copied.name;
    let what = "written by preview init, which changed nothing and read no Secret. What is guessed says so. Look through it; then, as \
                whoever administers the namespace:";
    lines.say(0, &format!("A Baseline for namespace {name}, {what}"));
    lines.quote(0, &format!("\n  kubectl apply -f FILE\n  preview plan -n {name} --pull 1\n\n"));
    if let Some(url) = copied.plan.urls.first() {
        lines.say(0, &format!("Pull request 1 of {} would be reached at {}", copied.first, url.url));
    }
    lines.say(0, "All fields: kubectl explain baseline.spec --recursive, and docs/configuration.md");
    if !copied.unread.is_empty() {
        lines.say(0, &format!("Not looked at, since you may not list them: {}", copied.unread.join(", ")));
    }
    if let Some(other) = there.first() {
        lines.say(0, &format!("The namespace has the Baseline {other} already. It may have one: change that one, or delete it first."));
    }
}

fn repositories(lines: &mut Lines, draft: &Draft) {
    let from = match draft.repositories_from {
        Origin::Said => "",
        Origin::Namespace => " Guessed by the images' names: check each.",
        Origin::Checkout => " Guessed by the remote of the git checkout here, since the images' names tell no owner: check each.",
        Origin::Nothing => " Nothing here tells whose they are: write yours in place of your-org.",
    };
    lines.say(
        2,
        &format!(
            "Pull requests of these repositories get an environment, in which these images run in the version of the pull request.{from}"
        ),
    );
    if let Some(here) = &draft.elsewhere {
        lines.say(2, &format!("The git checkout here is of {here}, which none of the images is called after. If it builds them: preview init --repo {here}"));
    }
    lines.say(2, match draft.tag_from {
        Origin::Namespace => "tag: what CI pushes for a commit, guessed by the tags that run now. Known are revision, revision_short, pull, branch_slug.",
        _ => "tag: what CI pushes for a commit, which the tags that run now do not tell. Known are revision, revision_short, pull, branch_slug.",
    });
    lines.add_all(draft.repository_lines());
    if !draft.unclaimed.is_empty() {
        lines.say(4, &format!("Which repository builds these is for you to say: {}", some(&draft.unclaimed)));
    }
    if !draft.others.is_empty() {
        lines.say(4, &format!("Not taken for yours, so they run as they do here: {}", some(&draft.others)));
    }
}

fn hosts(lines: &mut Lines, draft: &Draft) {
    if draft.domain.is_none() {
        return;
    }
    lines.gap();
    let from = match draft.domain_from {
        Origin::Said => String::new(),
        Origin::Namespace => format!(" Guessed by the hosts here, {}: check it.", some(&draft.hosts.iter().cloned().collect())),
        _ => " No host here tells a domain: write yours.".to_owned(),
    };
    lines.say(
        2,
        &format!(
            "Every host of every environment is one label under this domain, so one wildcard record (*.<domain>, to the ingress \
        controller) and one certificate serve all.{from}"
        ),
    );
    lines.add_all(draft.host_lines());
    if draft.hosts.is_empty() && draft.expose.is_empty() {
        lines.say(4, "No route with a host leads here. A Service that is to be reached: expose: [{service: NAME}]");
    }
}

fn clone(lines: &mut Lines, needed: &[Needed], has_cron_jobs: bool) {
    if needed.is_empty() {
        return;
    }
    lines.gap();
    lines.add("  clone:");
    lines.say(
        4,
        "Secrets that workloads need to start. Each one is copied into every environment, where the code of a pull request can read it: \
        take away what it must not see, or give it values of its own instead of the copy (set: {KEY: value}, generate: [KEY]).",
    );
    lines.add("    secrets:");
    for secret in needed.iter().take(SECRETS_MAX) {
        lines.say(6, &secret.users);
        lines.add(&format!("      - name: {}", scalar(&secret.name)));
    }
    if needed.len() > SECRETS_MAX {
        lines.say(6, &format!("and {} more, for which there is no room here", needed.len() - SECRETS_MAX));
    }
    if has_cron_jobs {
        lines.say(4, "CronJobs are there and do not run, unless this says so:");
        lines.quote(4, "cronJobs: Run");
    }
}

/// What a copy lacks beside Secrets, and what is worth knowing.
fn findings(lines: &mut Lines, copied: &Copied) {
    let report = &copied.with_secrets;
    for (title, found) in [("Needs somebody:", &report.missing), ("Worth knowing:", &report.warnings)] {
        let Some(first) = found.first() else { continue };
        lines.gap();
        lines.say(2, title);
        let others = found.iter().skip(1).take(SHOWN - 1);
        std::iter::once(first).chain(others).for_each(|finding| lines.say(2, &sentence(finding)));
        if found.len() > SHOWN {
            lines.say(2, &format!("and {} more: preview plan --from-namespace {}", found.len() - SHOWN, copied.name));
        }
    }
}

fn sentence(finding: &Finding) -> String {
    let mend = finding.mend.as_ref().map(|mend| format!("; mend: {mend}")).unwrap_or_default();
    format!("- {}: {}{mend}", finding.object, finding.what)
}

fn wishes(lines: &mut Lines, copied: &Copied) {
    let report = &copied.with_secrets;
    let services = || of_kind(copied, "Service").map(|object| object.name.as_str());
    let workloads = || report.would_start.iter().chain(&report.would_not_start);
    let deployed = workloads().find(|workload| workload.kind == "Deployment").or(workloads().next());
    let outside: BTreeSet<String> = copied.plan.externals.iter().map(address).collect();
    let outside =
        if outside.is_empty() { String::new() } else { format!(", so none of what the configuration names ({})", some(&outside)) };
    let name = |object: &ObjectName| object.name.clone();
    let known = Known {
        service: services().find(|name| is_looked_at(name)).or(services().next()),
        workload: &deployed.map(name).unwrap_or_default(),
        outside: &outside,
        cron_jobs: of_kind(copied, "CronJob").next().is_some() && copied.needed().is_empty(),
        has_hosts: copied.draft.domain.is_some(),
    };
    lines.gap();
    lines.say(2, "Often wanted. What is commented out is not so until its \"# \" is gone.");
    for Often { why, yaml } in often(&known) {
        lines.gap();
        lines.say(2, &why);
        lines.quote(2, &yaml);
    }
}

/// What the namespace holds of a kind.
fn of_kind<'a>(copied: &'a Copied, kind: &'static str) -> impl Iterator<Item = &'a ObjectName> {
    copied.plan.decisions.iter().map(Decision::object).filter(move |object| object.kind == kind)
}

/// `a, b and 3 more`.
fn some(names: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = names.len() - shown.len();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
