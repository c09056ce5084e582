//! What stands beside a commit: a check run, which only an App may write, or a commit status.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::exchange::{Reply, Request};
use super::repositories::percent_encoded;
use super::text::{clipped, link};
use super::wire::{Numbered, User, positive};
use super::{CheckKind, GitHub};
use crate::domain::RepoName;
use crate::forge::{Answer, Check, CheckAction, Checks, Conclusion, ForgeError};

/// Longest summary of a check run, in characters ("Create a check run").
const SUMMARY_MAX: usize = 65_535;
/// Longest title: GitHub says no limit, and shows one line.
const TITLE_MAX: usize = 255;
/// Longest description of a commit status, in characters: longer ones are refused.
const DESCRIPTION_MAX: usize = 140;
/// Before the pull request's number in the text that a check run carries for us.
const PULL: &str = "pull-";
/// Behind it, before the second in which the environment was made.
const MADE: &str = ".made-";
/// At the end, before the name of the service that wrote it.
const BY: &str = ".by-";

#[derive(Deserialize)]
struct CheckRuns {
    check_runs: Vec<CheckRun>,
}

#[derive(Deserialize)]
struct CheckRun {
    #[serde(deserialize_with = "positive")]
    id: i64,
    name: String,
    /// `completed` once it ended.
    status: String,
    /// How, once it did.
    #[serde(default)]
    conclusion: Option<String>,
    /// What we gave it when we wrote it.
    external_id: Option<String>,
    /// Null where the App was deleted.
    app: Option<App>,
}

#[derive(Deserialize)]
struct App {
    slug: Option<String>,
}

/// A commit status as it is listed ("List commit statuses for a reference"), newest first.
#[derive(Deserialize)]
struct CommitStatus {
    #[serde(deserialize_with = "positive")]
    id: i64,
    state: String,
    context: String,
    /// Null where the account was deleted.
    creator: Option<User>,
}

impl Checks for GitHub {
    fn create<'a>(&'a self, repository: &'a RepoName, check: &'a Check) -> Answer<'a, Option<i64>> {
        match self.checks {
            CheckKind::Runs => self.create_run(repository, check).boxed(),
            CheckKind::Statuses => self.write_status(repository, check).map(|done| done.map(|()| None)).boxed(),
        }
    }

    fn find<'a>(&'a self, repository: &'a RepoName, check: &'a Check) -> Answer<'a, Option<i64>> {
        match self.checks {
            CheckKind::Runs => self.find_run(repository, check).map(|found| Ok(found?.map(|run| run.id))).boxed(),
            // A status is never changed: the newest of its name counts.
            CheckKind::Statuses => futures::future::ready(Ok(None)).boxed(),
        }
    }

    fn unfinished<'a>(&'a self, repository: &'a RepoName, check: &'a Check) -> Answer<'a, Option<i64>> {
        match self.checks {
            CheckKind::Runs => {
                let waits = concluded(Conclusion::ActionRequired);
                let going = move |run: &CheckRun| run.status != "completed" || run.conclusion.as_deref() == Some(waits);
                self.find_run(repository, check).map(move |found| Ok(found?.filter(going).map(|run| run.id))).boxed()
            }
            CheckKind::Statuses => self.pending_status(repository, check).boxed(),
        }
    }

    fn update<'a>(&'a self, repository: &'a RepoName, id: i64, check: &'a Check) -> Answer<'a, ()> {
        match self.checks {
            CheckKind::Runs => self.update_run(repository, id, check).boxed(),
            CheckKind::Statuses => self.write_status(repository, check).boxed(),
        }
    }
}

impl GitHub {
    async fn create_run(&self, repository: &RepoName, check: &Check) -> Result<Option<i64>, ForgeError> {
        let mut body = self.run(check);
        body["head_sha"] = json!(check.revision);
        let request = beside("create_check", repository, check, "/check-runs").verb("create").writing(Method::POST, body);
        let reply: Reply<Numbered> = self.send(&request).await?;
        Ok(Some(reply.content.id))
    }

    /// Ours is the one that our own App wrote: anybody's can have the same name. All of that name are asked for, since the
    /// newest can be another pull request's of the same commit.
    async fn find_run(&self, repository: &RepoName, check: &Check) -> Result<Option<CheckRun>, ForgeError> {
        let login = self.login().await?;
        let Check { revision, name, pull, .. } = check;
        let path = format!("/commits/{revision}/check-runs?check_name={}&filter=all", percent_encoded(name));
        let thing = format!("the checks of {revision} in {repository}");
        let request = Request::get("find_check", repository, thing, &path).verb("list").page(1);
        let reply: Reply<CheckRuns> = self.send(&request).await?;
        let ours = |run: &CheckRun| run.name == *name && run.app.as_ref().is_some_and(|app| app.is(&login));
        let ranked = |run: CheckRun| Some((self.rank(&run, *pull)?, run));
        let found = reply.content.check_runs.into_iter().filter(ours).filter_map(ranked).max_by_key(|(signed, run)| (*signed, run.id));
        Ok(found.map(|(_, run)| run))
    }

    /// Whether a check of that pull request says that we wrote it; None where it is not ours. One that says of nobody that they wrote
    /// it is of before there was anything to say.
    fn rank(&self, run: &CheckRun, pull: Option<i64>) -> Option<bool> {
        let text = run.external_id.as_deref();
        let about = text.and_then(About::read);
        if about.map(|about| about.pull) != pull {
            return None;
        }
        match text.and_then(written_by) {
            Some(by) if self.is_another(by) => None,
            by => Some(by.is_some()),
        }
    }

    async fn update_run(&self, repository: &RepoName, id: i64, check: &Check) -> Result<(), ForgeError> {
        let path = format!("/check-runs/{id}");
        let request = beside("update_check", repository, check, &path).verb("change").writing(Method::PATCH, self.run(check));
        self.send::<Numbered>(&request).await.map(drop)
    }

    /// As it is written. A button that nobody tells us of would do nothing.
    fn run(&self, check: &Check) -> Value {
        let mut body = run(check);
        if let (Some(about), Some(instance)) = (About::of(check), &self.instance) {
            body["external_id"] = json!(format!("{}{BY}{instance}", about.text()));
        }
        if !self.hears {
            body["actions"] = json!([]);
        }
        body
    }

    /// The newest of its name, where it is ours and still pending: that one is what people see.
    async fn pending_status(&self, repository: &RepoName, check: &Check) -> Result<Option<i64>, ForgeError> {
        let login = self.login().await?;
        let path = format!("/commits/{}/statuses", percent_encoded(&check.revision));
        let request = beside("list_statuses", repository, check, &path).verb("find").page(1);
        let reply: Reply<Vec<CommitStatus>> = self.send(&request).await?;
        let newest = reply.content.into_iter().find(|status| status.context == check.name);
        let is_ours = |status: &CommitStatus| status.creator.as_ref().is_some_and(|user| user.login.eq_ignore_ascii_case(&login));
        Ok(newest.filter(|status| status.state == "pending" && is_ours(status)).map(|status| status.id))
    }

    async fn write_status(&self, repository: &RepoName, check: &Check) -> Result<(), ForgeError> {
        let path = format!("/statuses/{}", percent_encoded(&check.revision));
        let request = beside("create_status", repository, check, &path).verb("write").writing(Method::POST, status(check));
        self.send::<Numbered>(&request).await.map(drop)
    }
}

impl App {
    /// An App writes as `<slug>[bot]`.
    fn is(&self, login: &str) -> bool {
        let slug = login.strip_suffix("[bot]");
        slug.is_some_and(|slug| self.slug.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(slug)))
    }
}

fn beside(operation: &'static str, repository: &RepoName, check: &Check, path: &str) -> Request {
    Request::get(operation, repository, format!("the check {:?} of {} in {repository}", check.name, check.revision), path)
}

/// What a check run is about, in the text that it carries for us: GitHub names no pull request for a fork's commit, and several
/// where several have that commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct About {
    /// Number of the pull request.
    pub(super) pull: i64,
    /// When the environment was made, to the second.
    pub(super) made_at: Option<DateTime<Utc>>,
}

impl About {
    fn of(check: &Check) -> Option<Self> {
        Some(Self { pull: check.pull?, made_at: check.made_at })
    }

    /// What we wrote, or nothing.
    pub(super) fn read(external_id: &str) -> Option<Self> {
        let text = external_id.split_once(BY).map_or(external_id, |(about, _)| about).strip_prefix(PULL)?;
        let (pull, made) = text.split_once(MADE).map_or((text, None), |(pull, made)| (pull, Some(made)));
        let made_at = match made {
            Some(second) => Some(DateTime::from_timestamp(number(second)?, 0)?),
            None => None,
        };
        Some(Self { pull: number(pull)?, made_at })
    }

    fn text(&self) -> String {
        let made = self.made_at.map(|at| format!("{MADE}{}", at.timestamp())).unwrap_or_default();
        format!("{PULL}{}{made}", self.pull)
    }
}

/// The name of the service that wrote it, where it says one.
pub(super) fn written_by(external_id: &str) -> Option<&str> {
    external_id.split_once(BY).map(|(_, by)| by)
}

fn number(digits: &str) -> Option<i64> {
    digits.parse().ok().filter(|number: &i64| *number > 0 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// All of a check run but its commit, which never changes.
fn run(check: &Check) -> Value {
    let mut body = json!({
        "name": check.name,
        "status": if check.conclusion.is_some() { "completed" } else { "in_progress" },
        "output": {"title": clipped(&check.title, TITLE_MAX), "summary": clipped(&check.summary, SUMMARY_MAX)},
        "actions": check.actions.iter().copied().map(button).collect::<Vec<_>>(),
    });
    if let Some(conclusion) = check.conclusion {
        body["conclusion"] = json!(concluded(conclusion));
    }
    if let Some(about) = About::of(check) {
        body["external_id"] = json!(about.text());
    }
    if let Some(url) = check.url.as_deref().and_then(link) {
        body["details_url"] = json!(url);
    }
    body
}

/// GitHub takes 20 characters for the label and 40 for the description.
fn button(action: CheckAction) -> Value {
    let (label, description) = match action {
        CheckAction::Rebuild => ("Rebuild", "Bring it up to commit and baseline"),
        CheckAction::Extend => ("Extend by 24 h", "Keep the environment a day longer"),
        CheckAction::Delete => ("Delete", "Take the environment down"),
    };
    json!({"label": label, "description": description, "identifier": action.as_str()})
}

const fn concluded(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success => "success",
        Conclusion::Failure => "failure",
        Conclusion::Neutral => "neutral",
        Conclusion::ActionRequired => "action_required",
        Conclusion::Skipped => "skipped",
    }
}

/// A commit status knows four states, and the ones that it does not know are said in its text.
fn status(check: &Check) -> Value {
    let (state, said) = match check.conclusion {
        None => ("pending", ""),
        Some(Conclusion::Success) => ("success", ""),
        Some(Conclusion::Failure) => ("failure", ""),
        Some(Conclusion::Neutral) => ("success", "says nothing of the change: "),
        Some(Conclusion::Skipped) => ("success", "skipped: "),
        Some(Conclusion::ActionRequired) => ("pending", "waits for somebody: "),
    };
    let description = clipped(&format!("{said}{}", check.title), DESCRIPTION_MAX);
    let mut body = json!({"state": state, "context": check.name, "description": description});
    if let Some(url) = check.url.as_deref().and_then(link) {
        body["target_url"] = json!(url);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(conclusion: Option<Conclusion>) -> Check {
        Check {
            name: "preview / shop".into(),
            revision: "a".repeat(40),
            pull: Some(42),
            made_at: DateTime::from_timestamp(1_800_000_010, 500_000_000),
            conclusion,
            title: "ready".into(),
            summary: "s".repeat(SUMMARY_MAX + 1),
            url: Some("https://web-pr-42.preview.example.com".into()),
            actions: CheckAction::ALL.to_vec(),
        }
    }

    #[test]
    fn a_status_says_in_words_what_it_has_no_state_for() {
        for (conclusion, state, description) in [
            (None, "pending", "ready"),
            (Some(Conclusion::Success), "success", "ready"),
            (Some(Conclusion::Failure), "failure", "ready"),
            (Some(Conclusion::Neutral), "success", "says nothing of the change: ready"),
            (Some(Conclusion::Skipped), "success", "skipped: ready"),
            (Some(Conclusion::ActionRequired), "pending", "waits for somebody: ready"),
        ] {
            let status = status(&check(conclusion));
            assert_eq!((&status["state"], &status["description"]), (&json!(state), &json!(description)), "{conclusion:?}");
            assert_eq!((&status["context"], status.get("target_url").is_some()), (&json!("preview / shop"), true));
        }
    }

    #[test]
    fn a_check_run_is_within_githubs_limits_and_known_again() {
        let going = run(&check(None));
        assert_eq!((&going["status"], going.get("conclusion")), (&json!("in_progress"), None));
        let done = run(&Check { url: Some("ftp://x".into()), ..check(Some(Conclusion::Neutral)) });
        assert_eq!((&done["status"], &done["conclusion"], done.get("details_url")), (&json!("completed"), &json!("neutral"), None));
        assert_eq!(done["output"]["summary"].as_str().unwrap().chars().count(), SUMMARY_MAX);
        let about = About::read(done["external_id"].as_str().unwrap());
        assert_eq!(about, Some(About { pull: 42, made_at: DateTime::from_timestamp(1_800_000_010, 0) }));
        let unmade = run(&Check { made_at: None, ..check(None) });
        assert_eq!(About::read(unmade["external_id"].as_str().unwrap()), Some(About { pull: 42, made_at: None }));
        let buttons = done["actions"].as_array().unwrap();
        for (button, action) in buttons.iter().zip(CheckAction::ALL) {
            let length = |field: &str| button[field].as_str().unwrap().chars().count();
            assert!(length("label") <= 20 && length("description") <= 40 && length("identifier") <= 20, "{button}");
            assert_eq!(CheckAction::named(button["identifier"].as_str().unwrap()), Some(action));
        }
    }

    #[test]
    fn only_what_we_wrote_is_read() {
        for text in [
            "",
            "pull-",
            "pull-0",
            "pull--1",
            "pull-+1",
            "pull-4 2",
            "42",
            "PULL-42",
            "pull-99999999999999999999",
            "pull-42.made-",
            "pull-42.made-x",
            "pull-42.made-9223372036854775807",
            "pull-.made-1",
            "pull-42.made-1.made-1",
        ] {
            assert_eq!(About::read(text), None, "{text}");
        }
    }

    #[test]
    fn only_our_own_app_is_ours() {
        let app = |slug: Option<&str>| App { slug: slug.map(str::to_owned) };
        assert!(app(Some("preview-env")).is("Preview-Env[bot]"));
        for (slug, login) in [(Some("preview-env"), "preview-env"), (Some("other"), "preview-env[bot]"), (None, "[bot]")] {
            assert!(!app(slug).is(login), "{login}");
        }
    }
}
