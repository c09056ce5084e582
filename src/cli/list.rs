//! `preview list`: the environments as a table.

use std::pin::pin;

use chrono::{DateTime, Utc};
use clap::Args;
use futures::StreamExt;
use kube::ResourceExt;

use super::Global;
use super::cluster::Cluster;
use super::errors::{Exit, Failure};
use super::output::{Format, Table, note, objects, print, span, width};
use super::words;
use crate::api::PreviewEnvironment;
use crate::api::time::created_at;

/// Flags of `preview list`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  preview list
  preview list -A -o wide
  preview list --watch
  preview list -o url")]
pub struct ListArgs {
    /// Those of every namespace
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Go on: print each one again that changes
    #[arg(short, long)]
    pub watch: bool,
}

/// Runs the command.
pub async fn run(global: &Global, args: ListArgs) -> Result<(), Failure> {
    let cluster = Cluster::connect(global).await?;
    let mut environments = if args.all_namespaces { cluster.all_environments().await? } else { cluster.environments().await? };
    environments.retain(|environment| !environment.holds_only_commands());
    if args.watch && !global.output.for_people() {
        let failure = Failure::new(Exit::Usage, "--watch prints a table and no objects");
        return Err(failure.next("for objects: kubectl get previewenvironments --watch -o json"));
    }
    if let Some(text) = objects(global.output, &environments)? {
        return print(&text);
    }
    if environments.is_empty() && !args.watch {
        let place = if args.all_namespaces { "any namespace".to_owned() } else { format!("namespace {}", cluster.namespace) };
        note(&format!("no environments in {place}; ask for one with preview create"));
        return Ok(());
    }
    let columns = Columns { namespace: args.all_namespaces, wide: global.output == Format::Wide };
    print(&table(&environments, columns, Utc::now()).render(width()))?;
    if args.watch { follow(&cluster, environments, columns).await } else { Ok(()) }
}

/// Prints the row of each environment that changes, in line with those above. One that is gone is said on standard error.
async fn follow(cluster: &Cluster, mut known: Vec<PreviewEnvironment>, columns: Columns) -> Result<(), Failure> {
    let mut changes = pin!(cluster.watch_all(columns.namespace));
    while let Some(change) = changes.next().await {
        let (now, is_there) = change?;
        if now.holds_only_commands() {
            continue;
        }
        let at = known.iter().position(|other| other.uid() == now.uid());
        let before = at.map(|at| known.swap_remove(at));
        if !is_there {
            note(&format!("{} is gone", now.name_any()));
            continue;
        }
        known.push(now);
        let lines = |all: &[PreviewEnvironment]| table(all, columns, Utc::now()).render(width());
        let shown =
            before.is_some_and(|before| known.last().is_some_and(|now| row(&before, columns, Utc::now()) == row(now, columns, Utc::now())));
        if let Some(last) = lines(&known).lines().last().filter(|_| !shown) {
            print(&format!("{last}\n"))?;
        }
    }
    Ok(())
}

/// Which columns there are beside the usual ones.
#[derive(Clone, Copy)]
struct Columns {
    namespace: bool,
    wide: bool,
}

fn table(environments: &[PreviewEnvironment], columns: Columns, now: DateTime<Utc>) -> Table {
    let mut heading = vec!["NAME", "SOURCE", "REVISION", "PHASE", "URL", "EXPIRES"];
    if columns.wide {
        heading.extend(["RUNS IN", "READY", "AGE"]);
    }
    if columns.namespace {
        heading.insert(0, "NAMESPACE");
    }
    let mut table = Table::new(&heading);
    for environment in environments {
        table.row(row(environment, columns, now));
    }
    table
}

fn row(environment: &PreviewEnvironment, columns: Columns, now: DateTime<Utc>) -> Vec<String> {
    let status = environment.status.clone().unwrap_or_default();
    let summary = status.summary.clone().unwrap_or_default();
    let mut row = vec![
        environment.name_any(),
        words::source(environment),
        summary.revision.unwrap_or_default(),
        words::phase(environment),
        summary.url.unwrap_or_default(),
        words::expires(environment, now),
    ];
    if columns.wide {
        let made = created_at(environment);
        let age = made.map_or_else(String::new, |at| span((now - at).num_seconds()));
        row.extend([status.namespace.clone().unwrap_or_default(), words::ready_count(&status), age]);
    }
    if columns.namespace {
        row.insert(0, environment.namespace().unwrap_or_default());
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn environments() -> Vec<PreviewEnvironment> {
        let one = |value| serde_json::from_value(value).unwrap();
        vec![
            one(json!({
                "apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
                "metadata": {"name": "web-pr-42", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"baseline": "shop"},
                "status": {"phase": "Ready", "namespace": "shop-web-pr-42", "expiresAt": "2026-01-05T12:00:00Z",
                    "summary": {"source": "acme/web#42", "revision": "3f9c2ab", "url": "https://web-pr-42.preview.example.com"},
                    "services": [{"kind": "Deployment", "name": "web", "from": "Branch", "ready": true},
                                 {"kind": "Deployment", "name": "api", "from": "Baseline", "ready": false}]}
            })),
            one(json!({
                "apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
                "metadata": {"name": "web-login-abcdefgh", "namespace": "shop"},
                "spec": {"baseline": "shop", "wish": {"state": "Present", "actor": "ann", "at": "2026-01-01T00:00:00Z",
                    "target": {"repository": "acme/web", "branch": "login\u{1b}[2J"}}}
            })),
        ]
    }

    fn shown(namespace: bool, wide: bool) -> String {
        table(&environments(), Columns { namespace, wide }, "2026-01-03T00:00:00Z".parse().unwrap()).render(None)
    }

    #[test]
    fn the_table_shows_what_matters() {
        insta::assert_snapshot!(shown(false, false), @r"
        NAME                SOURCE             REVISION  PHASE     URL                                    EXPIRES
        web-pr-42           acme/web#42        3f9c2ab   Ready     https://web-pr-42.preview.example.com  2d12h
        web-login-abcdefgh  acme/web@login[2J  -         Recorded  -                                      -
        ");
    }

    #[test]
    fn the_wide_table_shows_more() {
        insta::assert_snapshot!(shown(true, true), @r"
        NAMESPACE  NAME                SOURCE             REVISION  PHASE     URL                                    EXPIRES  RUNS IN         READY  AGE
        shop       web-pr-42           acme/web#42        3f9c2ab   Ready     https://web-pr-42.preview.example.com  2d12h    shop-web-pr-42  1/2    2d
        shop       web-login-abcdefgh  acme/web@login[2J  -         Recorded  -                                      -        -               -      -
        ");
    }

    #[test]
    fn machines_get_the_objects() {
        let all = environments();
        let text = |format| objects(format, &all).unwrap().unwrap();
        assert_eq!(text(Format::Name).lines().next(), Some("previewenvironment.preview-env.dev/web-pr-42"));
        let list: serde_json::Value = serde_json::from_str(&text(Format::Json)).unwrap();
        assert_eq!((&list["kind"], &list["items"][0]["metadata"]["name"]), (&json!("List"), &json!("web-pr-42")));
        let yaml: serde_json::Value = serde_saphyr::from_str(&text(Format::Yaml)).unwrap();
        assert_eq!(yaml, list);
        assert!(objects(Format::Wide, &all).unwrap().is_none());
    }
}
