//! `--wait`: follows one environment until it is ready, cannot become it, is gone, or the time is over.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt};
use kube::ResourceExt;
use tokio::time::{Instant, timeout_at};

use super::errors::{Exit, Failure};
use super::output::clean;
use super::words::{self, Verdict};
use crate::api::PreviewEnvironment;

/// When a wait began, and when it ends at the latest.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    begun: Instant,
    within: Duration,
}

impl Limit {
    /// A limit from now on.
    pub fn from_now(within: Duration) -> Self {
        Self { begun: Instant::now(), within }
    }

    fn over(self, environment: &PreviewEnvironment, what: &str, state: &str) -> Failure {
        let within = humantime::format_duration(self.within);
        let name = environment.name_any();
        let failure = Failure::new(Exit::TimedOut, format!("{name} is not {what} after {within}: {state}"));
        let failure = failure.next(format!("it goes on without this command; why it takes long: preview describe {name}"));
        words::next_steps(environment).into_iter().filter(|_| environment.status.is_none()).fold(failure, Failure::next)
    }
}

/// Where progress is shown: one line that changes on a terminal, a line per change elsewhere.
pub struct Screen {
    out: Box<dyn Write + Send>,
    terminal: bool,
}

impl Screen {
    /// Standard error.
    pub fn stderr() -> Self {
        Self { terminal: io::stderr().is_terminal(), out: Box::new(io::stderr()) }
    }

    // Progress that nobody reads is no failure.
    fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

/// Follows until the environment is ready for what was asked, and returns it as it then is.
pub async fn until_ready<S>(
    changes: S,
    asked: &PreviewEnvironment,
    limit: Limit,
    screen: &mut Screen,
) -> Result<PreviewEnvironment, Failure>
where
    S: Stream<Item = Result<Option<PreviewEnvironment>, Failure>>,
{
    let generation = asked.metadata.generation.unwrap_or_default();
    let mut shown = Progress::new(asked, limit.begun, screen);
    let mut last = asked.clone();
    let mut changes = pin!(changes);
    while let Ok(Some(change)) = timeout_at(limit.begun + limit.within, changes.next()).await {
        let Some(now) = change.inspect_err(|_| shown.finish())? else {
            shown.finish();
            return Err(Failure::new(Exit::CannotBeReady, format!("{} was deleted while it was waited for", asked.name_any())));
        };
        shown.show(&now);
        match words::judge(&now, generation) {
            Verdict::Ready => {
                shown.finish();
                return Ok(now);
            }
            Verdict::Cannot(failure) => {
                shown.finish();
                return Err(failure);
            }
            Verdict::Waiting => last = now,
        }
    }
    shown.finish();
    Err(limit.over(&last, "ready", &words::progress(&last, generation)))
}

/// Follows until nothing of the environment runs any more. `asked` is the object that is to go; another one of the same
/// name is not waited for.
pub async fn until_gone<S>(changes: S, asked: &PreviewEnvironment, limit: Limit, screen: &mut Screen) -> Result<(), Failure>
where
    S: Stream<Item = Result<Option<PreviewEnvironment>, Failure>>,
{
    let generation = asked.metadata.generation.unwrap_or_default();
    let mut shown = Progress::new(asked, limit.begun, screen);
    let mut last = asked.clone();
    let mut changes = pin!(changes);
    while let Ok(Some(change)) = timeout_at(limit.begun + limit.within, changes.next()).await {
        let same = change.inspect_err(|_| shown.finish())?.filter(|now| now.uid() == asked.uid());
        let deleting = asked.metadata.deletion_timestamp.is_some();
        match same {
            Some(now) if deleting || !words::is_gone(&now, generation) => {
                shown.line(words::removal(&now, generation));
                last = now;
            }
            _ => {
                shown.line("gone".to_owned());
                shown.finish();
                return Ok(());
            }
        }
    }
    shown.finish();
    Err(limit.over(&last, "gone", &words::removal(&last, generation)))
}

/// What was said of an environment, and what is new since.
struct Progress<'a> {
    name: String,
    generation: i64,
    begun: Instant,
    applied_at: Option<DateTime<Utc>>,
    last: String,
    screen: &'a mut Screen,
}

impl<'a> Progress<'a> {
    fn new(environment: &PreviewEnvironment, begun: Instant, screen: &'a mut Screen) -> Self {
        let applied_at = environment.status.as_ref().and_then(|s| s.applied_at);
        let generation = environment.metadata.generation.unwrap_or_default();
        Self { name: environment.name_any(), generation, begun, applied_at, last: String::new(), screen }
    }

    fn show(&mut self, environment: &PreviewEnvironment) {
        if let Some(status) = environment.status.as_ref().filter(|s| s.applied_at != self.applied_at) {
            self.applied_at = status.applied_at;
            let count = status.inventory.len();
            self.line(format!("{count} object{} applied", if count == 1 { "" } else { "s" }));
        }
        self.line(words::progress(environment, self.generation));
    }

    fn line(&mut self, text: String) {
        if text == self.last {
            return;
        }
        let line = progress_line(&self.name, &text, self.begun.elapsed());
        self.screen.write(&if self.screen.terminal { format!("\r\u{1b}[2K{line}") } else { format!("{line}\n") });
        self.last = text;
    }

    fn finish(&mut self) {
        if self.screen.terminal && !self.last.is_empty() {
            self.screen.write("\n");
        }
    }
}

fn progress_line(name: &str, text: &str, elapsed: Duration) -> String {
    format!("{}  {:<40}  {}", clean(name), clean(text), elapsed_text(elapsed))
}

/// `0.2 s`, `12 s` or `1m12s`.
fn elapsed_text(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..10 => format!("{:.1} s", elapsed.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests;
