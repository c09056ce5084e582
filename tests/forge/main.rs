//! Our client and our webhook server against the double of GitHub, whose every request, answer and delivery is
//! checked against what GitHub publishes.

#![cfg(test)]

mod asking;
mod deliveries;
mod lists;
mod published;
mod writing;

use std::time::Duration;

use github_double::{Double, Permission};
use preview_env::config::GithubConfig;
use preview_env::domain::RepoName;
use preview_env::forge::github::GitHub;

const BOT: &str = "preview-env[bot]";
const TOKEN: &str = "ghp_0123456789";
const SECRET: &str = "s3cret";

fn file(folder: &tempfile::TempDir, text: &str) -> std::path::PathBuf {
    let path = folder.path().join("secret");
    std::fs::write(&path, text).unwrap();
    path
}

fn double() -> Double {
    let double = Double::start().unwrap();
    double.add_bot(BOT);
    double.add_user("ann");
    double.add_token(BOT, TOKEN).unwrap();
    double.add_repository("acme/web").unwrap();
    double.permit("acme/web", "ann", Permission::Write).unwrap();
    double
}

fn client(double: &Double, folder: &tempfile::TempDir) -> GitHub {
    GitHub::new(GithubConfig::new(double.base_url(), file(folder, TOKEN)).unwrap().with_timeout(Duration::from_secs(3))).unwrap()
}

fn fits_what_github_publishes(double: &Double) {
    let violations = double.contract_violations();
    assert!(violations.is_empty(), "{violations:#?}");
}

fn web() -> RepoName {
    "acme/web".parse().unwrap()
}
