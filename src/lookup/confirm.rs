//! Whether a fact is still what the forge says. Deliveries overtake each other: one that says "opened" may come after a
//! close, and two of one second have no order. The forge knows, and also whether a change really comes from the repository
//! itself. A push has no exact time, so its branch is read again.

use chrono::{DateTime, Utc};

use super::LookupError;
use crate::api::Source;
use crate::api::environment::SourceState;
use crate::domain::Baseline;
use crate::domain::environment::Source as KnownSource;
use crate::domain::names::Subject;
use crate::forge::{Branch, Forge, PullRequest, branch_if_there};
use crate::intent::times;

/// What the forge says instead, if it says something else and nothing older: a record that is dated in the future, or that says
/// otherwise where the change comes from, is never newer. That it has ended is not recorded for it: a look at the forge finds all
/// that ended, and a brake judges it together.
pub(super) async fn confirm(
    forge: &dyn Forge,
    baseline: &Baseline,
    (known, now): (&KnownSource, DateTime<Utc>),
) -> Result<Option<Source>, LookupError> {
    let Some(repository) = baseline.repository_by(known.forge, known.repository_id, &known.repository) else { return Ok(None) };
    let source = match &known.subject {
        Subject::Pull(number) => {
            let pull = forge.pull_request(repository.current(), *number).await?;
            let differs = !says(known, &pull) && pull.repository_id == known.repository_id;
            differs.then(|| dated(pull.to_source(known.forge, None), known, now)).filter(|source| source.observed_at >= known.observed_at)
        }
        Subject::Branch(name) => match branch_if_there(forge, (known.repository_id, repository.current()), name).await? {
            Some(branch) => {
                let differs = branch.revision != known.revision;
                differs.then(|| dated(branch.to_source(known.forge), known, now)).filter(|source| source.observed_at >= known.observed_at)
            }
            None => Some(gone(known, name)),
        },
    };
    Ok(source.map(|source| Source { repository: known.repository.as_str().to_owned(), ..source }))
}

/// As old as what is known: the end of what is as new as that counts.
fn gone(known: &KnownSource, name: &str) -> Source {
    let branch = Branch {
        repository_id: known.repository_id,
        repository: known.repository.clone(),
        name: name.to_owned(),
        revision: known.revision.clone(),
        observed_at: known.observed_at,
    };
    Source { state: SourceState::Gone, ..branch.to_source(known.forge) }
}

/// As new as it is, or newer than what it overrules.
fn dated(answer: Source, known: &KnownSource, now: DateTime<Utc>) -> Source {
    let answer = Source { observed_at: times::no_later(answer.observed_at, now), ..answer };
    times::over(answer, (known.observed_at, known.foreign), now)
}

/// Whether a fact says the same of a pull request as the forge does, in all that decides over an environment.
fn says(known: &KnownSource, pull: &PullRequest) -> bool {
    let foreign = pull.head_repository_id != Some(pull.repository_id);
    let sorted = |labels: &[String]| {
        let mut labels = labels.to_vec();
        labels.sort();
        labels
    };
    pull.state == known.state
        && pull.revision == known.revision
        && pull.draft == known.draft
        && foreign == known.foreign
        && known.base_branch.as_ref() == Some(&pull.base_branch)
        && sorted(&pull.labels) == sorted(&known.labels)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Fake, baseline, known, known_branch, pull};
    use super::*;
    use crate::forge::{ForgeError, RepositoryFacts};
    use serde_json::json;

    fn now() -> DateTime<Utc> {
        "2026-01-02T03:05:00Z".parse().unwrap()
    }

    fn not_found() -> ForgeError {
        ForgeError::NotFound("the branch".into())
    }

    #[test]
    fn a_fact_that_hides_a_fork_is_not_what_the_forge_says() {
        assert!(says(&known(&pull()), &pull()));
        assert!(says(&known(&PullRequest { head_repository_id: Some(8), ..pull() }), &PullRequest { head_repository_id: None, ..pull() }));
        for other in [
            PullRequest { head_repository_id: Some(8), ..pull() },
            PullRequest { head_repository_id: None, ..pull() },
            PullRequest { state: SourceState::Closed, ..pull() },
            PullRequest { revision: "b".repeat(40).parse().unwrap(), ..pull() },
            PullRequest { draft: true, ..pull() },
            PullRequest { base_branch: "next".into(), ..pull() },
            PullRequest { labels: vec!["preview".into()], ..pull() },
        ] {
            assert!(!says(&known(&pull()), &other), "{other:?}");
        }
        let labels = |labels: &[&str]| PullRequest { labels: labels.iter().map(ToString::to_string).collect(), ..pull() };
        assert!(says(&known(&labels(&["a", "b"])), &labels(&["b", "a"])), "labels have no order");
    }

    #[tokio::test]
    async fn what_the_forge_says_otherwise_is_recorded_unless_it_is_older() {
        let baseline = baseline(&json!({}));
        let pushed = PullRequest { revision: "b".repeat(40).parse().unwrap(), ..pull() };
        let older = PullRequest { updated_at: "2026-01-02T03:04:04Z".parse().unwrap(), ..pushed.clone() };
        let other = PullRequest { repository_id: 8, ..pushed.clone() };
        for (answer, recorded) in [(pull(), false), (pushed, true), (older, false), (other, false)] {
            let forge = Fake { pull: Some(answer.clone()), ..Fake::default() };
            let source = confirm(&forge, &baseline, (&known(&pull()), now())).await.unwrap();
            assert_eq!(source.as_ref().map(|s| s.revision.clone()), recorded.then(|| "b".repeat(40)), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn no_record_is_newer_than_the_forge_that_hides_a_fork_or_is_dated_in_the_future() {
        let baseline = baseline(&json!({}));
        let older: DateTime<Utc> = "2026-01-02T03:00:00Z".parse().unwrap();
        let fork = PullRequest { head_repository_id: Some(8), updated_at: older, ..pull() };
        let pushed = PullRequest { revision: "b".repeat(40).parse().unwrap(), updated_at: older, ..pull() };
        let later = PullRequest { updated_at: now() + chrono::TimeDelta::days(1), ..pull() };
        let closed = PullRequest { state: SourceState::Closed, ..fork.clone() };
        for (case, record, answer, recorded) in [
            ("a fork", pull(), &fork, true),
            ("a fork that was closed", pull(), &closed, true),
            ("an older push", pull(), &pushed, false),
            ("an older push, over the future", later.clone(), &pushed, true),
            ("the same, over the future", later.clone(), &pull(), false),
        ] {
            let (forge, known) = (Fake { pull: Some(answer.clone()), ..Fake::default() }, known(&record));
            let source = confirm(&forge, &baseline, (&known, now())).await.unwrap();
            let is_newer = source.is_some_and(|source| {
                source.observed_at > known.observed_at && source.is_foreign() == (answer.head_repository_id == Some(8))
            });
            assert_eq!(is_newer, recorded, "{case}");
        }
        let ahead = PullRequest { revision: "b".repeat(40).parse().unwrap(), ..later };
        let forge = Fake { pull: Some(ahead), ..Fake::default() };
        let source = confirm(&forge, &baseline, (&known(&pull()), now())).await.unwrap().unwrap();
        assert_eq!(source.observed_at, now() + crate::clock::AHEAD, "a forge whose clock is ahead dates nothing further");
    }

    #[tokio::test]
    async fn a_branch_is_read_again_and_gone_only_where_its_repository_is_there() {
        let baseline = baseline(&json!({"trigger": {"branches": ["login"]}}));
        let known = known_branch();
        let branch = |revision: char, at: &str| Branch {
            repository_id: 7,
            repository: "acme/web".parse().unwrap(),
            name: "login".into(),
            revision: revision.to_string().repeat(40).parse().unwrap(),
            observed_at: at.parse().unwrap(),
        };
        let facts = |id: i64| RepositoryFacts { id, name: "acme/web".parse().unwrap(), private: false };
        let asked = async |forge: Fake| confirm(&forge, &baseline, (&known, now())).await.map(|s| s.map(|s| (s.state, s.revision)));
        let at = "2026-01-02T03:04:06Z";
        assert_eq!(asked(Fake { branch: Ok(branch('a', at)), ..Fake::default() }).await.unwrap(), None);
        let pushed = asked(Fake { branch: Ok(branch('b', at)), ..Fake::default() }).await.unwrap();
        assert_eq!(pushed, Some((SourceState::Open, "b".repeat(40))));
        assert_eq!(asked(Fake { branch: Ok(branch('b', "2026-01-02T03:04:04Z")), ..Fake::default() }).await.unwrap(), None);
        let gone = asked(Fake { branch: Err(not_found()), repository: Some(facts(7)), ..Fake::default() }).await.unwrap();
        assert_eq!(gone, Some((SourceState::Gone, "a".repeat(40))));
        let stranger = Branch { repository_id: 8, ..branch('b', at) };
        for (branch, repository, error) in [
            (Err(not_found()), None, "not_found"),
            (Err(not_found()), Some(facts(8)), "another"),
            (Ok(stranger), Some(facts(8)), "another"),
        ] {
            let unsure = asked(Fake { branch, repository, ..Fake::default() }).await;
            assert!(matches!(&unsure, Err(LookupError::Forge(e)) if e.label() == error), "{error}: {unsure:?}");
        }
    }
}
