//! What a person wished for, as the forge knows it.

use chrono::{DateTime, Utc};

use super::{LookupError, impossible};
use crate::api::Source;
use crate::api::baseline::ForgeKind;
use crate::api::environment::Target;
use crate::domain::baseline::Repository;
use crate::domain::repo_name::InvalidRepoName;
use crate::domain::{Baseline, Environment, RepoName};
use crate::forge::{Branch, Forge};
use crate::intent::{self, Fact};

/// The fact that a wish asks for.
pub(super) async fn answer(
    forge: &dyn Forge,
    (environment, baseline): (&Environment, &Baseline),
    (target, at): (&Target, DateTime<Utc>),
) -> Result<Fact, LookupError> {
    let name: RepoName = target.repository.parse().map_err(|e: InvalidRepoName| impossible("NotListed", &e))?;
    let repository = listed(baseline, target.forge, &name)?;
    let source = match (target.pull, &target.branch) {
        (Some(number), _) => forge.pull_request(repository.current(), number).await?.to_source(target.forge, None),
        (None, branch) => branch_source(&forge.branch(repository.current(), branch.as_deref().unwrap_or_default()).await?, target, at),
    };
    if repository.id.is_some_and(|id| id != source.repository_id) {
        return Err(impossible(
            "NotListed",
            &format!("{name} is another repository now than the one that Baseline {} lists", baseline.name),
        ));
    }
    let fact = intent::fact(baseline, repository, source);
    if fact.environment != environment.name {
        return Err(impossible("NameMismatch", &format!("an environment for this has to be called {}", fact.environment)));
    }
    Ok(fact)
}

/// Our token sees more than whoever writes an environment may see, so only what a Baseline lists is asked for.
fn listed<'a>(baseline: &'a Baseline, forge: ForgeKind, name: &RepoName) -> Result<&'a Repository, LookupError> {
    let repository = baseline.repository(forge, name);
    repository.ok_or_else(|| impossible("NotListed", &format!("Baseline {} does not list {name}", baseline.name)))
}

/// A branch has no time of change. The answer is as new as the wish, whatever the clocks of forge and person say.
fn branch_source(branch: &Branch, target: &Target, at: DateTime<Utc>) -> Source {
    let source = branch.to_source(target.forge);
    Source { observed_at: source.observed_at.max(at), ..source }
}

#[cfg(test)]
mod tests {
    use super::super::tests::baseline;
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_a_baseline_lists_is_asked_for() {
        let baseline = baseline(&json!({}));
        assert!(listed(&baseline, ForgeKind::Github, &"Acme/Web".parse().unwrap()).is_ok());
        let refused = listed(&baseline, ForgeKind::Github, &"acme/private".parse().unwrap()).unwrap_err();
        assert!(matches!(refused, LookupError::Impossible("NotListed", _)), "{refused}");
    }
}
