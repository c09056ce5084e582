//! `make demo KEEP=1`: how to go on by hand, and what happens meanwhile.

use std::collections::HashMap;

use anyhow::Result;
use kube::ResourceExt;
use preview_env::api::PreviewEnvironment;
use test_world::DEVELOPER;

use crate::milestone::Account;
use crate::paper::Paper;
use crate::stage::{SHOP, Stage};
use crate::story::Pull;

/// Says how to go on by hand.
pub async fn explain(stage: &Stage, pull: &Pull, paper: Paper) {
    let service = stage.world.service.lock().await;
    let (environment, namespace, preview) = (&pull.environment, &pull.namespace, stage.preview.display());
    let (repository, number) = (&pull.name.repository, pull.name.number);
    paper.heading("Go on by hand, in another terminal");
    for line in [
        format!("export KUBECONFIG={}", stage.world.cluster.kubeconfig_path().display()),
        format!("kubectl get penv -n {SHOP}"),
        format!("kubectl get pods -n {namespace}"),
        format!("{preview} list -n {SHOP}"),
        format!("{preview} describe {environment} -n {SHOP}"),
        format!("{preview} delete {environment} -n {SHOP}"),
    ] {
        Paper::line(&format!("  {line}"));
    }
    paper.heading("On GitHub's double");
    let double = format!("{}/_double", stage.world.github.base_url());
    Paper::line(&format!("  D={double}"));
    Paper::line(&format!("  P='\"repo\":\"{repository}\",\"number\":{number},\"by\":\"{DEVELOPER}\"'"));
    for (act, what) in [("push_to", "a push"), ("merge", "the merge"), ("reopen", "open it again")] {
        let command = format!("curl $D/actions -d \"{{\\\"do\\\":\\\"{act}\\\",$P}}\"");
        Paper::line(&format!("  {command:50}# {what}"));
    }
    let comment = format!("curl \"$D/comments?repo={repository}&number={number}\"");
    Paper::line(&format!("  {comment:50}# the comment"));
    Paper::line(&format!("  {:50}# all that it can do", "curl $D"));
    paper.heading("The service");
    Paper::line(&format!("  log      {}", service.log().display()));
    Paper::line(&format!("  metrics  {}", service.url("/metrics")));
    Paper::line("");
    Paper::line("Ctrl-C ends everything and leaves nothing. Until then, this is what happens:");
}

/// Tells of every change of every environment, until it is dropped.
pub async fn follow(mut account: Account) -> Result<()> {
    let mut known: HashMap<String, String> = account.state.environments().map(|it| (it.name_any(), sentence(it))).collect();
    loop {
        let seen = account.watches.next().await?;
        let at = seen.at.saturating_duration_since(account.since);
        account.state.see(seen.what);
        let there: HashMap<String, String> = account.state.environments().map(|it| (it.name_any(), sentence(it))).collect();
        for (name, said) in &there {
            if known.get(name) != Some(said) {
                account.paper.timed(at, &format!("{name}: {said}"));
            }
        }
        for name in known.keys().filter(|name| !there.contains_key(*name)) {
            account.paper.timed(at, &format!("{name}: gone"));
        }
        known = there;
    }
}

fn sentence(environment: &PreviewEnvironment) -> String {
    let status = environment.status.clone().unwrap_or_default();
    let revision = status.summary.and_then(|summary| summary.revision).unwrap_or_default();
    let phase = status.phase.unwrap_or_else(|| "new".to_owned());
    format!("{phase} {revision}").trim_end().to_owned()
}
