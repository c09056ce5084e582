//! A plan as people read it: what they have to see to first, what differs next, and of the rest the counts. Pure.

use super::fold::{self, plural};
use super::outside;
use super::page::{Entry, Page, Style, Tone};
use crate::api::baseline::HookMoment;
use crate::plan::complete::{Counts, Finding, Report};
use crate::plan::{ObjectName, Plan, PlannedHook};

/// What a page is about.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// A namespace that is no baseline yet.
    Namespace {
        /// Its name.
        name: &'a str,
        /// The repository whose first pull request is planned.
        first: &'a str,
        /// Workloads that would start once the Secrets that they need are listed, and how many Secrets those are.
        with_secrets: (usize, usize),
        /// The Baseline as it might be.
        draft: &'a str,
    },
    /// An environment, there or to be.
    Environment {
        /// Its name.
        name: &'a str,
        /// The namespace that it has or gets.
        namespace: &'a str,
        /// The namespace that it is a copy of.
        baseline: &'a str,
    },
}

/// A plan and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// What it is about.
    pub about: About<'a>,
    /// The plan.
    pub plan: &'a Plan,
    /// How complete it is.
    pub report: &'a Report,
    /// What could not be looked at.
    pub unread: &'a [String],
    /// What the reader should know of how it was made.
    pub notes: &'a [String],
    /// Whether every decision is shown.
    pub all: bool,
}

impl Shown<'_> {
    /// The page.
    pub fn render(&self, style: Style) -> String {
        let mut page = Page::new(style);
        self.head(&mut page);
        page.section("needs you", &self.needs());
        page.section("worth knowing", &self.worth_knowing());
        page.section("reached outside the namespace", &outside::entries(self.plan));
        if self.all {
            page.section("every object", &fold::all(&self.plan.decisions));
        } else {
            page.section("changed", &fold::changed(&self.plan.decisions));
            page.section("left out", &fold::left_out(&self.plan.decisions, |object| self.is_told(object)));
            page.section("added", &fold::added(&self.plan.decisions));
        }
        page.section("hooks", &self.plan.hooks.iter().map(hook).collect::<Vec<_>>());
        self.tail(&mut page);
        page.finish()
    }

    /// What the Baseline says and what cannot be done, and what is missing.
    fn needs(&self) -> Vec<Entry> {
        let invalid = self.plan.invalid.iter().map(|why| Entry::new("the Baseline", why.clone()));
        let stalled = self.plan.stalled.iter().map(|why| Entry::new("it would stall", why.clone()));
        invalid.chain(stalled).chain(self.report.missing.iter().map(entry)).collect()
    }

    fn worth_knowing(&self) -> Vec<Entry> {
        let baseline = self.plan.warnings.iter().map(|why| Entry::new("the Baseline", why.clone()));
        self.report.warnings.iter().map(entry).chain(baseline).collect()
    }

    fn head(&self, page: &mut Page) {
        let (counts, report) = (Counts::of(&self.plan.decisions), self.report);
        let what = match self.about {
            About::Namespace { name, .. } => name.to_owned(),
            About::Environment { name, namespace, baseline } => format!("{name} in namespace {namespace}, a copy of {baseline}"),
        };
        let (kept, changed, left_out) = (counts.kept, counts.changed, counts.left_out);
        let objects = plural(counts.objects(), "object");
        let added = match fold::added(&self.plan.decisions).len() {
            0 => String::new(),
            added => format!(" {added} added."),
        };
        let as_is = if kept == 1 { "as it is" } else { "as they are" };
        page.paragraph(Tone::Plain, &format!("{what}: {objects}, {kept} {as_is}, {changed} changed, {left_out} left out.{added}"));
        page.paragraph(if super::is_complete(self.plan, report) { Tone::Good } else { Tone::Bad }, &self.verdict());
        if self.plan.urls.is_empty() {
            page.paragraph(Tone::Plain, "It has no URL: there is no Ingress or route, or no domain for it.");
        }
        for url in &self.plan.urls {
            match self.about {
                About::Namespace { first, .. } => {
                    page.paragraph(Tone::Plain, &format!("Pull request 1 of {first} would be reached at {}", url.url));
                    break;
                }
                About::Environment { .. } => page.paragraph(Tone::Plain, &url.url),
            }
        }
    }

    fn verdict(&self) -> String {
        let report = self.report;
        let verdict = match report.workloads() {
            0 => "It has no workloads.".to_owned(),
            all if report.would_not_start.is_empty() => format!("All {} would start.", plural(all, "workload")),
            _ => format!("{} workloads would start.", report.count()),
        };
        match self.about {
            About::Namespace { with_secrets: (start, secrets), .. } if secrets > 0 && start > report.would_start.len() => {
                let them =
                    if secrets == 1 { "the Secret below is listed".to_owned() } else { format!("the {secrets} Secrets below are listed") };
                format!("{verdict} {start} of {} once {them}.", report.workloads())
            }
            _ => verdict,
        }
    }

    /// Whether an object that is left out is spoken of already.
    fn is_told(&self, object: &ObjectName) -> bool {
        let findings = self.report.missing.iter().chain(&self.report.warnings);
        findings.map(|f| &f.object).any(|told| told.kind == object.kind && told.name == object.name)
    }

    fn tail(&self, page: &mut Page) {
        let mut rest = Vec::new();
        let kept = fold::kept(&self.plan.decisions);
        if !kept.is_empty() && !self.all {
            rest.push(Entry::new("as they are", kept));
        }
        if !self.unread.is_empty() {
            rest.push(Entry::new("not looked at", format!("you may not list {}", self.unread.join(", "))));
        }
        page.section("the rest", &rest);
        if let About::Namespace { draft, .. } = self.about {
            page.gap();
            page.paragraph(Tone::Strong, "a Baseline to begin with (--write-baseline FILE writes it)");
            page.gap();
            for line in draft.lines() {
                page.raw(&crate::cli::output::clean(line));
            }
        }
        if !self.notes.is_empty() {
            page.gap();
        }
        for note in self.notes {
            page.paragraph(Tone::Faint, note);
        }
    }
}

fn hook(planned: &PlannedHook) -> Entry {
    let when = match planned.hook.when {
        HookMoment::BeforeWorkloads => "before the workloads of every revision",
        HookMoment::AfterReady => "once, when everything is ready for the first time",
        HookMoment::OnUpdate => "when every revision but the first is ready",
    };
    Entry::new(planned.hook.name.clone(), format!("{}, {when}", planned.job.manifest.name()))
}

/// A finding with what mends it under it.
fn entry(finding: &Finding) -> Entry {
    let entry = Entry::new(finding.object.to_string(), finding.what.clone());
    match &finding.mend {
        Some(mend) => entry.and(Tone::Mend, format!("mend: {mend}")),
        None => entry,
    }
}
