//! Whether the App may still see a repository, asked by its number: somebody else may have its name by now. Only what
//! GitHub's published API holds is asked, and every doubt is an error, which ends nothing.

use std::sync::Arc;

use hyper::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::App;
use crate::domain::RepoName;
use crate::forge::github::exchange::Request;
use crate::forge::github::pages::{PAGES_MAX, is_followed};
use crate::forge::github::wire::Home;
use crate::forge::{Access, Class, ForgeError, RepositoryFacts};
use crate::metrics::Metrics;

/// What GitHub says where an installation does not reach a repository ("Create an installation access token for an app":
/// "There is at least one repository that does not exist or is not accessible to the parent installation.").
const OUT_OF_REACH: &str = "not accessible to the parent installation";

/// The App, as far as it says where it is installed.
#[derive(Deserialize)]
struct Counted {
    installations_count: usize,
}

/// One installation of it.
#[derive(Deserialize)]
struct Standing {
    id: i64,
    /// Whose repositories it is for.
    account: Option<Holder>,
    suspended_at: Option<IgnoredAny>,
}

/// An account that an App is installed for. One without a login is an enterprise, which has no repositories of its own.
#[derive(Deserialize)]
struct Holder {
    login: Option<String>,
}

impl Standing {
    /// Whether it may be the one for a repository of that owner. One that names nobody may be anybody's.
    fn may_be_of(&self, owner: &str) -> bool {
        let is_owner = |account: &Holder| account.login.as_ref().is_some_and(|login| login.eq_ignore_ascii_case(owner));
        self.account.as_ref().is_none_or(is_owner)
    }
}

/// A token, as far as it says what it is good for.
#[derive(Deserialize)]
struct Reach {
    repositories: Vec<Home>,
}

/// What the installations together say of a repository.
enum Sight {
    /// One of them reaches it.
    Seen(RepositoryFacts),
    /// The one for its owner is suspended and says nothing.
    Unsaid,
    /// None of them reaches it.
    Lost,
}

impl App {
    /// It may not where no installation reaches the number and none is found by the name, twice, some seconds apart, while
    /// GitHub knows the App itself and names as many installations as it counts.
    pub(in crate::forge::github::session) async fn access(
        self: &Arc<Self>,
        (id, name): (i64, &RepoName),
        metrics: &Metrics,
    ) -> Result<Access, ForgeError> {
        if let Some(access) = self.granted((id, name), metrics).await? {
            return Ok(access);
        }
        tokio::time::sleep(self.config.second_look).await;
        Ok(self.granted((id, name), metrics).await?.unwrap_or(Access::Revoked))
    }

    async fn granted(self: &Arc<Self>, (id, name): (i64, &RepoName), metrics: &Metrics) -> Result<Option<Access>, ForgeError> {
        Ok(match self.sight((id, name), metrics).await? {
            Sight::Seen(facts) => Some(Access::Granted(Some(facts))),
            Sight::Unsaid => Some(Access::Granted(None)),
            Sight::Lost => self.look_up(name, metrics).await?.map(|_| Access::Granted(None)),
        })
    }

    /// All are asked, since the repository may have another owner by now. One that is suspended or refuses casts doubt on its own
    /// owner's repositories, and on those of nobody else; where GitHub fails, nothing is known of any.
    async fn sight(self: &Arc<Self>, (id, name): (i64, &RepoName), metrics: &Metrics) -> Result<Sight, ForgeError> {
        let (mut doubt, mut is_suspended) = (None, false);
        for installation in self.installed(metrics).await? {
            let is_its_own = installation.may_be_of(name.owner());
            if installation.suspended_at.is_some() {
                is_suspended |= is_its_own;
                continue;
            }
            match self.reach(&installation, id, metrics).await {
                Ok(Some(facts)) => return Ok(Sight::Seen(facts)),
                Ok(None) => {}
                Err(error) if is_its_own || error.class() == Class::Transient => doubt = Some(error),
                Err(error) => tracing::debug!(installation = installation.id, %error, "passed over for what others own"),
            }
        }
        match doubt {
            Some(error) => Err(error),
            None => Ok(if is_suspended { Sight::Unsaid } else { Sight::Lost }),
        }
    }

    /// Every installation. A list that is shorter than GitHub's own count is no answer.
    async fn installed(self: &Arc<Self>, metrics: &Metrics) -> Result<Vec<Standing>, ForgeError> {
        let counted: Counted = self.own(&Request::get_own("app", "the App itself", "/app"), metrics).await?.content;
        let request = Request::get_own("installations", "the App's installations", "/app/installations").verb("list");
        let mut all = Vec::new();
        for page in 1.. {
            if page > PAGES_MAX {
                return Err(request.too_long());
            }
            let reply = self.own::<Vec<Standing>>(&request.page(page), metrics).await?;
            let more = is_followed(&reply);
            all.extend(reply.content);
            if !more {
                break;
            }
        }
        if all.len() < counted.installations_count {
            return Err(request.unreadable("it names fewer than it counts"));
        }
        Ok(all)
    }

    /// What the installation calls the repository of that number, if it reaches it. The token that says so can do nothing but
    /// that, and is forgotten.
    async fn reach(self: &Arc<Self>, installation: &Standing, id: i64, metrics: &Metrics) -> Result<Option<RepositoryFacts>, ForgeError> {
        let (thing, path) = (format!("the repository number {id}"), format!("/app/installations/{}/access_tokens", installation.id));
        let scope = json!({"repository_ids": [id], "permissions": {"metadata": "read"}});
        let request = Request::get_own("token", &thing, &path).verb("get a token for").writing(Method::POST, scope);
        match self.own::<Reach>(&request, metrics).await {
            Ok(reply) => {
                let mut reached = reply.content.repositories.into_iter().map(RepositoryFacts::from);
                let unnamed = || request.unreadable("repositories: it is good for another one");
                reached.find(|facts| facts.id == id).map(Some).ok_or_else(unnamed)
            }
            Err(ForgeError::Refused { status: 422, message, .. }) if message.contains(OUT_OF_REACH) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
