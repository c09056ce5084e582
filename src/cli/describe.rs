//! `preview describe`: for the one who asks "why is it not up?".

use std::fmt::Write;

use chrono::{DateTime, Utc};
use clap::Args;
use k8s_openapi::api::core::v1::Event;
use kube::ResourceExt;

use super::Global;
use super::cluster::{Cluster, last_seen};
use super::errors::Failure;
use super::find::Which;
use super::output::{Table, USUAL_WIDTH, clean, note, one_object, print, span, urls, width};
use super::words;
use crate::api::PreviewEnvironment;
use crate::api::status::HookState;

/// As many of the last Events as help.
const EVENTS_SHOWN: usize = 8;

/// Flags of `preview describe`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  preview describe web-pr-42
  preview describe --pull 42")]
pub struct DescribeArgs {
    /// The environment.
    #[command(flatten)]
    pub which: Which,
}

/// Runs the command.
pub async fn run(global: &Global, args: DescribeArgs) -> Result<(), Failure> {
    let cluster = Cluster::connect(global).await?;
    let environment = args.which.find(&cluster).await?;
    if let Some(text) = one_object(global.output, &environment)? {
        return print(&text);
    }
    // Events are a help; who may not read them still sees the rest.
    let events = cluster.events(&environment).await.unwrap_or_else(|failure| {
        note(&format!("the events are missing: {}", failure.message));
        Vec::new()
    });
    let width = width().unwrap_or(USUAL_WIDTH);
    print(&Description { environment: &environment, events: &events, now: Utc::now() }.render(width))
}

struct Description<'a> {
    environment: &'a PreviewEnvironment,
    events: &'a [Event],
    now: DateTime<Utc>,
}

impl Description<'_> {
    /// Nothing is cut, not on a narrow terminal either: who reads this wants the reasons whole.
    fn render(&self, width: usize) -> String {
        let mut text = format!("{}  {}\n", self.environment.name_any(), clean(&words::phase(self.environment)));
        text.push_str(&self.facts().flowing(width));
        for (title, table) in [
            ("state", self.conditions()),
            (&*self.services_title(), self.services()),
            (&*self.plan_title(), self.missing()),
            ("hooks", self.hooks()),
            ("left out", self.left_out()),
            ("last events", self.events()),
        ] {
            section(&mut text, title, &table.flowing(width));
        }
        // Commands are there to be copied.
        section(&mut text, "next", &self.next().render(None));
        text
    }

    fn facts(&self) -> Table {
        let spec = &self.environment.spec;
        let status = self.environment.status.as_ref();
        let mut table = Table::plain(2);
        let mut fact = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|v| !v.is_empty()) {
                table.row([name.to_owned(), value]);
            }
        };
        fact("for", Some(self.source()));
        fact("copy of", self.environment.namespace());
        fact("runs in", status.and_then(|s| s.namespace.clone()));
        fact("holds", status.and_then(|s| s.plan.as_ref()).map(words::plan));
        for url in urls(self.environment) {
            fact("url", Some(url.to_owned()));
        }
        fact("in the queue", words::queue(self.environment));
        fact("pinned", words::pinned(self.environment).map(str::to_owned));
        fact("expires", self.expiry());
        fact("behind", words::behind(self.environment));
        let wish = if words::unwished(self.environment) { "taken down by" } else { "asked for by" };
        fact(wish, self.environment.standing_wish().map(|w| format!("{}, {} ago", w.actor, self.ago(w.at))));
        for image in &spec.images {
            fact("image", Some(format!("{}:{}, as asked for", image.name, image.tag)));
        }
        table
    }

    fn source(&self) -> String {
        let revision = self.environment.status.as_ref().and_then(|s| s.summary.as_ref()?.revision.clone());
        let author = self.environment.spec.sources.first().and_then(|s| s.author.clone());
        let at = revision.map_or_else(String::new, |r| format!(" at {r}"));
        let by = author.map_or_else(String::new, |a| format!(", by {a}"));
        format!("{}{at}{by}", words::source(self.environment))
    }

    fn expiry(&self) -> Option<String> {
        let at = self.environment.status.as_ref()?.expires_at?;
        let left = words::expires(self.environment, self.now);
        let left = if left == "now" { left } else { format!("in {left}") };
        Some(format!("{} UTC, {left}", at.format("%-d %b %Y, %H:%M")))
    }

    fn ago(&self, at: DateTime<Utc>) -> String {
        span((self.now - at).num_seconds())
    }

    fn conditions(&self) -> Table {
        let mut table = Table::plain(2);
        for condition in self.environment.status.iter().flat_map(|s| &s.conditions) {
            table.row(words::condition_line(condition, self.now));
        }
        table
    }

    fn services_title(&self) -> String {
        let count = self.environment.status.as_ref().map(words::ready_count).unwrap_or_default();
        format!("services, {} ready", count.replace('/', " of "))
    }

    /// Those that are not ready first: they are what the reader looks for.
    fn services(&self) -> Table {
        let mut services: Vec<_> = self.environment.status.iter().flat_map(|s| &s.services).collect();
        services.sort_by_key(|s| s.ready);
        let mut table = Table::plain(2);
        for service in services {
            let state = if service.ready { "ready" } else { "not ready" };
            table.row([service.name.clone(), state.to_owned(), words::origin(service).to_owned(), service.image.clone()]);
            if let Some(reason) = service.reason.as_deref().filter(|_| !service.ready) {
                table.under(reason);
            }
        }
        table
    }

    fn plan_title(&self) -> String {
        let plan = self.environment.status.as_ref().and_then(|s| s.plan.clone()).unwrap_or_default();
        format!("missing, {} of {} workloads have all they need", plan.would_start, plan.workloads)
    }

    /// What does not start and why, each with its mend under it.
    fn missing(&self) -> Table {
        let mut table = Table::plain(2);
        for missing in self.environment.status.iter().flat_map(|s| &s.missing) {
            table.row([format!("{}/{}", missing.kind, missing.name), missing.what.clone()]);
            if let Some(mend) = &missing.mend {
                table.row([" ".to_owned(), format!("mend: {mend}")]);
            }
        }
        let plan = self.environment.status.iter().filter_map(|s| s.plan.as_ref());
        for warning in plan.flat_map(|plan| &plan.warnings) {
            table.row(["the Baseline".to_owned(), warning.clone()]);
        }
        table
    }

    /// Each hook, and under one that failed what it logged last.
    fn hooks(&self) -> Table {
        let mut table = Table::plain(2);
        for hook in self.environment.status.iter().flat_map(|s| &s.hooks) {
            table.row([hook.name.clone(), words::hook_state(hook).to_owned(), hook.job.clone()]);
            if hook.state == HookState::Failed {
                table.under(hook.message.as_deref().unwrap_or("its Job failed"));
            }
            for line in hook.log.iter().flat_map(|log| log.lines()) {
                table.under(&format!("| {line}"));
            }
        }
        table
    }

    fn left_out(&self) -> Table {
        let mut table = Table::plain(2);
        for object in self.environment.status.iter().flat_map(|s| &s.left_out) {
            table.row([format!("{}/{}", object.kind, object.name), object.why.clone()]);
        }
        table
    }

    fn events(&self) -> Table {
        let mut table = Table::plain(2);
        for event in self.events.iter().rev().take(EVENTS_SHOWN).rev() {
            let ago = last_seen(event).map_or_else(String::new, |at| span(self.now.timestamp() - at));
            let text = |field: &Option<String>| field.clone().unwrap_or_default();
            table.row([ago, text(&event.type_), text(&event.reason), text(&event.message)]);
        }
        table
    }

    fn next(&self) -> Table {
        let mut table = Table::plain(2);
        for step in words::next_steps(self.environment) {
            table.row([step]);
        }
        table
    }
}

fn section(text: &mut String, title: &str, lines: &str) {
    if !lines.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{title}\n{lines}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn description() -> (PreviewEnvironment, Vec<Event>) {
        let since = "2026-01-02T23:58:00Z";
        let condition = |type_: &str, status: &str, reason: &str, message: &str| json!({"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": since});
        let environment = json!({
            "apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
            "metadata": {"name": "web-pr-42", "namespace": "shop"},
            "spec": {"baseline": "shop",
                "sources": [{"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open", "author": "bob",
                    "revision": "a".repeat(40), "observedAt": "2026-01-01T00:00:00Z"}],
                "wish": {"state": "Present", "actor": "ann@example.com", "at": "2026-01-02T22:00:00Z"},
                "images": [{"name": "acme/web", "tag": "debug"}]},
            "status": {"phase": "Starting", "namespace": "shop-web-pr-42", "expiresAt": "2026-01-05T12:05:00Z",
                "summary": {"source": "acme/web#42", "revision": "3f9c2ab"},
                "urls": [{"host": "w", "url": "https://web-pr-42.preview.example.com"}],
                "services": [
                    {"kind": "Deployment", "name": "api", "from": "Baseline", "ready": true, "image": "acme/api:1.2"},
                    {"kind": "Deployment", "name": "web", "from": "Override", "ready": false, "image": "acme/web:debug",
                     "reason": "crashes: exit 1, 3 restarts\u{1b}[2J"}],
                "plan": {"kept": 30, "changed": 5, "leftOut": 6, "workloads": 3, "wouldStart": 2},
                "missing": [{"kind": "Secret", "name": "stripe-live", "what": "used by payments; not copied unless listed",
                    "mend": "clone.secrets: [{name: stripe-live}]", "stops": ["payments"]}],
                "behind": 2,
                "hooks": [{"name": "migrate", "job": "migrate-abcdefgh", "state": "Succeeded"},
                    {"name": "seed", "job": "seed-hgfedcba", "state": "Failed", "message": "every try of its Job failed",
                     "log": "connecting\nno route to host"}],
                "leftOut": [{"kind": "Secret", "name": "stripe-live", "why": "not in clone.secrets"}],
                "conditions": [condition("Wanted", "True", "Triggered", ""), condition("Ready", "False", "Starting", "1 of 2 services ready")]}
        });
        let event = json!({"metadata": {}, "involvedObject": {}, "type": "Warning", "reason": "ImagePull", "message": "cannot pull\nacme/web",
            "lastTimestamp": "2026-01-02T23:59:30Z"});
        (serde_json::from_value(environment).unwrap(), vec![serde_json::from_value(event).unwrap()])
    }

    #[test]
    fn everything_that_explains_the_state_is_said() {
        let (environment, events) = description();
        let shown = Description { environment: &environment, events: &events, now: "2026-01-03T00:00:00Z".parse().unwrap() };
        insta::assert_snapshot!(shown.render(80), @r"
        web-pr-42  Starting
          for           acme/web#42 at 3f9c2ab, by bob
          copy of       shop
          runs in       shop-web-pr-42
          holds         35 of 41 objects: 30 as they are, 5 changed, 6 left out
          url           https://web-pr-42.preview.example.com
          expires       5 Jan 2026, 12:05 UTC, in 2d12h
          behind        2 objects changed in the baseline; preview refresh web-pr-42
                        brings it up
          asked for by  ann@example.com, 120m ago
          image         acme/web:debug, as asked for

        state
          wanted  yes, for 2m  the pull request is open
          ready   no, for 2m   1 of 2 services ready

        services, 1 of 2 ready
          web  not ready  --image   acme/web:debug
               crashes: exit 1, 3 restarts[2J
          api  ready      baseline  acme/api:1.2

        missing, 2 of 3 workloads have all they need
          Secret/stripe-live  used by payments; not copied unless listed
                              mend: clone.secrets: [{name: stripe-live}]

        hooks
          migrate  done    migrate-abcdefgh
          seed     failed  seed-hgfedcba
                   every try of its Job failed
                   | connecting
                   | no route to host

        left out
          Secret/stripe-live  not in clone.secrets

        last events
          30s  Warning  ImagePull  cannot pull acme/web

        next
          kubectl -n shop-web-pr-42 describe deployment/web
          preview logs web-pr-42 web
        ");
    }

    #[test]
    fn a_new_object_says_that_nobody_looked_at_it() {
        let (mut environment, _) = description();
        environment.status = None;
        let shown = Description { environment: &environment, events: &[], now: "2026-01-03T00:00:00Z".parse().unwrap() };
        insta::assert_snapshot!(shown.render(80), @r"
        web-pr-42  Recorded
          for           acme/web#42, by bob
          copy of       shop
          asked for by  ann@example.com, 120m ago
          image         acme/web:debug, as asked for

        next
          nothing has looked at it yet: is preview serve running in the cluster?
        ");
    }
}
