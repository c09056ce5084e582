//! Hooks that failed. No client, no clock, no logging.

use super::markdown::{code, prose, word};
use super::section::Fold;
use super::services::log;
use crate::api::status::{HookState, HookStatus};

/// Longest reason, in characters.
const REASON_MAX: usize = 240;
/// Hooks whose log is shown.
const LOGS_MAX: usize = 2;

/// Those that failed.
pub(super) fn failed(hooks: &[HookStatus]) -> impl Iterator<Item = &HookStatus> {
    hooks.iter().filter(|hook| hook.state == HookState::Failed)
}

/// A line for each that failed: why, and `where_else` its log can be read, for whom it is not shown here.
pub(super) fn lines(hooks: &[HookStatus], where_else: Option<&str>) -> String {
    let line = |hook: &HookStatus| {
        let why = prose(hook.message.as_deref().unwrap_or("its Job failed"), REASON_MAX);
        let log = where_else.map(|command| format!("; {} shows what it logged", code(command))).unwrap_or_default();
        format!("The hook {} failed: {why}{log}.\n\n", code(&hook.name))
    };
    failed(hooks).map(line).collect()
}

/// What they logged last.
pub(super) fn logs(hooks: &[HookStatus]) -> impl Iterator<Item = Fold> {
    let told = failed(hooks).filter_map(|hook| Some((hook, hook.log.as_deref()?)));
    told.take(LOGS_MAX).map(|(hook, text)| log(&format!("the hook {}", word(&hook.name)), text))
}
