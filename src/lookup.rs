//! Asks the forge what an environment is for: the pull request or branch that a person wished for, and once, whether
//! what the first delivery said is still so. The answers become facts by the same server-side apply as deliveries do.
//!
//! Runs beside the controller with a queue of its own, so that a slow forge holds up no environment.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::channel::mpsc::UnboundedReceiver;
use futures::{FutureExt, StreamExt};
use kube::api::{Patch, PatchParams};
use kube::runtime::applier;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client};
use serde_json::json;

use crate::api::baseline::ForgeKind;
use crate::api::conditions::{Condition, LOOKED_UP, Observation};
use crate::api::environment::{SourceState, Target, WishState};
use crate::api::names::MANAGER_LOOKUP;
use crate::api::status::Lookup;
use crate::api::{GROUP, PreviewEnvironment, Source};
use crate::controller::baselines::Baselines;
use crate::controller::requests::{RequestError, within_deadline};
use crate::controller::retries::Retries;
use crate::domain::baseline::Repository;
use crate::domain::environment::Source as KnownSource;
use crate::domain::names::Subject;
use crate::domain::{Baseline, Environment, EnvironmentName, RepoName};
use crate::forge::{Branch, Class, Forge, ForgeError, PullRequest};
use crate::intent::{self, Fact};
use crate::record::{RecordError, Recorder};

/// How many questions are under way at once.
const CONCURRENCY: u16 = 4;
/// How long after its first delivery an environment is worth a confirmation: a delivery is overtaken within seconds.
const CONFIRM_WITHIN: TimeDelta = TimeDelta::minutes(10);
/// How long an answer that needs a person is left alone.
const TERMINAL_PAUSE: Duration = Duration::from_secs(600);

/// What looking up works with.
pub struct Context {
    /// Writes status.
    pub client: Client,
    /// Writes facts.
    pub recorder: Arc<dyn Recorder>,
    /// Who is asked, if anybody.
    pub forge: Option<Arc<dyn Forge>>,
    /// The Baselines.
    pub baselines: Arc<Baselines>,
    /// Pauses after failures.
    pub retries: Retries,
    /// Answers that were written and that the watch may not have brought back yet.
    pub answered: Mutex<HashSet<Asked>>,
}

/// An environment by its UID, and the time of the wish that was answered, if it was one.
pub type Asked = (String, Option<DateTime<Utc>>);

/// What is asked of the forge.
enum Question<'a> {
    /// What a person wished for.
    Wished(&'a Target, DateTime<Utc>),
    /// Whether the fact of a first delivery is still so.
    Confirm(&'a KnownSource),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The forge said no, or nothing.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// The answer could not be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The status could not be written.
    #[error(transparent)]
    Status(#[from] RequestError),
    /// Nothing can be asked, and why.
    #[error("{1}")]
    Impossible(&'static str, String),
}

/// Runs until it is dropped. `changed` names the environments that changed.
pub async fn run(context: Arc<Context>, store: Store<PreviewEnvironment>, changed: UnboundedReceiver<ObjectRef<PreviewEnvironment>>) {
    // Whether a question may be asked follows from the Baselines, and a "no" stands for minutes.
    context.baselines.wait_until_listed().await;
    let look_up = |object, context| look_up(object, context).boxed();
    let retry = |object: Arc<PreviewEnvironment>, error: &LookupError, context: Arc<Context>| {
        tracing::warn!(env = object.metadata.name, %error, "a look-up failed and is tried again");
        Action::requeue(context.retries.next(object.metadata.uid.as_deref().unwrap_or_default()))
    };
    let config = Config::default().concurrency(CONCURRENCY);
    applier(look_up, retry, context, store, changed.map(Ok::<_, Infallible>), config).for_each(|_| async {}).await;
}

async fn look_up(object: Arc<PreviewEnvironment>, context: Arc<Context>) -> Result<Action, LookupError> {
    let Ok(environment) = Environment::try_from(object.as_ref()) else { return Ok(Action::await_change()) };
    let young = environment.created_at.is_some_and(|at| Utc::now() - at < CONFIRM_WITHIN);
    let Some(question) = question(&environment, young) else { return Ok(Action::await_change()) };
    let asked = question.key(&environment);
    if context.forge.is_none() && asked.1.is_none() || context.lock(|answered| answered.contains(&asked)) {
        return Ok(Action::await_change());
    }
    let (observation, pause) = match answer(&context, &environment, &question).await {
        // What was confirmed is as it was recorded, and nobody has to be told.
        Ok(()) if matches!(question, Question::Confirm(_)) => {
            context.lock(|answered| answered.insert(asked));
            return Ok(Action::await_change());
        }
        Ok(()) => (Observation::new(LOOKED_UP, true, "Answered", "the forge confirmed what this environment is for"), None),
        Err(error) => outcome_of(&context, &environment, error)?,
    };
    write(&context.client, &object, observation).await?;
    let Some(pause) = pause else {
        context.retries.forget(&environment.uid);
        context.lock(|answered| answered.insert(asked));
        return Ok(Action::await_change());
    };
    Ok(Action::requeue(pause))
}

impl Context {
    /// Nothing was asked yet.
    pub fn new(client: Client, forge: Option<Arc<dyn Forge>>, baselines: Arc<Baselines>) -> Self {
        let recorder = Arc::new(client.clone());
        Self { client, recorder, forge, baselines, retries: Retries::default(), answered: Mutex::default() }
    }

    fn lock<T>(&self, work: impl FnOnce(&mut HashSet<Asked>) -> T) -> T {
        work(&mut self.answered.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets an environment that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock(|answered| answered.retain(|(known, _)| known != uid));
    }
}

impl Question<'_> {
    fn key(&self, environment: &Environment) -> Asked {
        match self {
            Self::Wished(_, at) => (environment.uid.clone(), Some(*at)),
            Self::Confirm(_) => (environment.uid.clone(), None),
        }
    }
}

fn question(environment: &Environment, young: bool) -> Option<Question<'_>> {
    if environment.deleted {
        return None;
    }
    let wished = environment.wish.as_ref().filter(|w| w.state == WishState::Present);
    if let (Some(wish), Some(target)) = (wished, environment.unanswered_target()) {
        return Some(Question::Wished(target, wish.at));
    }
    let open_pull = environment.main_source().filter(|s| s.subject.is_pull() && s.state == SourceState::Open);
    open_pull.filter(|_| young).map(Question::Confirm)
}

async fn answer(context: &Context, environment: &Environment, question: &Question<'_>) -> Result<(), LookupError> {
    let Some(forge) = &context.forge else {
        let why = "no forge is configured; start the service with --github-app-id and --github-app-key-file, or with --github-token-file";
        return Err(LookupError::Impossible("NotConfigured", why.to_owned()));
    };
    match question {
        Question::Wished(target, at) => answer_wish(context, environment, target, *at, forge.as_ref()).await,
        Question::Confirm(source) => confirm(context, environment, source, forge.as_ref()).await,
    }
}

async fn answer_wish(
    context: &Context,
    environment: &Environment,
    target: &Target,
    at: DateTime<Utc>,
    forge: &dyn Forge,
) -> Result<(), LookupError> {
    let name: RepoName = target.repository.parse().map_err(|e: crate::domain::repo_name::InvalidRepoName| impossible("NotListed", &e))?;
    let baseline = baseline_of(context, environment)?;
    let repository = listed(&baseline, target.forge, &name)?;
    let source = match (target.pull, &target.branch) {
        (Some(number), _) => forge.pull_request(&name, number).await?.to_source(target.forge, None),
        (None, branch) => branch_source(&forge.branch(&name, branch.as_deref().unwrap_or_default()).await?, target, at),
    };
    let fact = intent::fact(&baseline, repository, source);
    if fact.environment != environment.name {
        return Err(impossible("NameMismatch", &format!("an environment for this has to be called {}", fact.environment)));
    }
    context.recorder.record(&fact).await?;
    Ok(())
}

fn baseline_of(context: &Context, environment: &Environment) -> Result<Arc<Baseline>, LookupError> {
    let baseline = context.baselines.get(&environment.baseline_namespace, &environment.baseline);
    baseline.ok_or_else(|| impossible("BaselineNotReady", &"its Baseline cannot be used"))
}

/// Our token sees more than whoever writes an environment may see, so only what a Baseline lists is asked for.
fn listed<'a>(baseline: &'a Baseline, forge: ForgeKind, name: &RepoName) -> Result<&'a Repository, LookupError> {
    let repository = baseline.repository(forge, name);
    repository.ok_or_else(|| impossible("NotListed", &format!("Baseline {} does not list {name}", baseline.name)))
}

fn impossible(reason: &'static str, why: &dyn std::fmt::Display) -> LookupError {
    LookupError::Impossible(reason, why.to_string())
}

/// A branch has no time of change. The answer is as new as the wish, whatever the clocks of forge and person say.
fn branch_source(branch: &Branch, target: &Target, at: DateTime<Utc>) -> Source {
    let source = branch.to_source(target.forge);
    Source { observed_at: source.observed_at.max(at), ..source }
}

/// Deliveries can overtake each other: one that says "opened" may come after a close. The forge knows, and also whether
/// the change really comes from the repository itself.
async fn confirm(context: &Context, environment: &Environment, known: &KnownSource, forge: &dyn Forge) -> Result<(), LookupError> {
    let Subject::Pull(number) = known.subject else { return Ok(()) };
    let baseline = baseline_of(context, environment)?;
    listed(&baseline, known.forge, &known.repository)?;
    let pull = forge.pull_request(&known.repository, number).await?;
    if says(known, &pull) || pull.repository_id != known.repository_id || pull.updated_at < known.observed_at {
        return Ok(());
    }
    let source = Source { repository: known.repository.as_str().to_owned(), ..pull.to_source(known.forge, None) };
    let fact = Fact {
        baseline_namespace: environment.baseline_namespace.clone(),
        baseline: environment.baseline.clone(),
        environment: EnvironmentName::recorded(environment.name.as_str()),
        source,
    };
    context.recorder.record(&fact).await?;
    Ok(())
}

/// Whether a fact says the same of a pull request as the forge does, in all that decides over an environment.
fn says(known: &KnownSource, pull: &PullRequest) -> bool {
    let foreign = pull.head_repository_id != Some(pull.repository_id);
    pull.state == known.state && pull.revision == known.revision && pull.draft == known.draft && foreign == known.foreign
}

/// What an error means for the environment; one that only another try can mend is passed on.
fn outcome_of(context: &Context, environment: &Environment, error: LookupError) -> Result<(Observation, Option<Duration>), LookupError> {
    let message = error.to_string();
    let (reason, pause) = match &error {
        LookupError::Impossible(reason, _) => (*reason, TERMINAL_PAUSE),
        LookupError::Forge(ForgeError::NotFound(_)) => ("NotFound", TERMINAL_PAUSE),
        LookupError::Forge(forge) if forge.class() == Class::Terminal => ("Refused", TERMINAL_PAUSE),
        LookupError::Forge(ForgeError::RateLimited { seconds, .. }) => ("Unavailable", Duration::from_secs(*seconds)),
        LookupError::Forge(_) => ("Unavailable", context.retries.next(&environment.uid)),
        LookupError::Record(_) | LookupError::Status(_) => return Err(error),
    };
    Ok((Observation::new(LOOKED_UP, false, reason, message), Some(pause)))
}

/// Writes `status.lookup` and the condition about it, where they are new. Only an answer counts as having asked.
async fn write(client: &Client, object: &PreviewEnvironment, observation: Observation) -> Result<(), RequestError> {
    let (namespace, name) = (object.metadata.namespace.clone().unwrap_or_default(), object.metadata.name.clone().unwrap_or_default());
    let before: &[Condition] = object.status.as_ref().map_or(&[], |s| &s.conditions);
    let now = Utc::now();
    let answered = observation.status == crate::api::conditions::ConditionStatus::True;
    let known = object.status.as_ref().and_then(|s| s.lookup.clone());
    let lookup = if answered { Some(Lookup { at: Some(now), ..known.unwrap_or_default() }) } else { known };
    let condition = observation.dated(before, object.metadata.generation, now);
    if !answered && before.contains(&condition) {
        return Ok(());
    }
    let patch = json!({
        "apiVersion": format!("{GROUP}/v1alpha1"), "kind": "PreviewEnvironment",
        "metadata": {"name": name}, "status": {"lookup": lookup, "conditions": [condition]},
    });
    let api: Api<PreviewEnvironment> = Api::namespaced(client.clone(), &namespace);
    let (params, patch) = (PatchParams::apply(MANAGER_LOOKUP).force(), Patch::Apply(&patch));
    let answer = api.patch_status(&name, &params, &patch);
    match within_deadline(&format!("write the look-up of {namespace}/{name}"), answer).await {
        Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull() -> PullRequest {
        PullRequest {
            repository_id: 7,
            repository: "acme/web".parse().unwrap(),
            number: 42,
            state: SourceState::Open,
            revision: "a".repeat(40).parse().unwrap(),
            head_branch: "faster".into(),
            head_repository_id: Some(7),
            base_branch: "main".into(),
            author: "ann".into(),
            draft: false,
            bot: false,
            labels: vec![],
            created_at: "2026-01-02T03:00:00Z".parse().unwrap(),
            updated_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        }
    }

    fn known(pull: &PullRequest) -> KnownSource {
        let spec = json!({"baseline": "main", "sources": [pull.to_source(ForgeKind::Github, None)]});
        let mut object = PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        object.metadata.uid = Some("u-1".into());
        Environment::try_from(&object).unwrap().sources.remove(0)
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
        ] {
            assert!(!says(&known(&pull()), &other), "{other:?}");
        }
    }

    #[test]
    fn only_what_a_baseline_lists_is_asked_for() {
        let mut object =
            crate::api::Baseline::new("main", serde_json::from_value(json!({"repositories": [{"name": "acme/web"}]})).unwrap());
        object.metadata.namespace = Some("shop".into());
        let baseline = Baseline::try_from(&object).unwrap();
        assert!(listed(&baseline, ForgeKind::Github, &"Acme/Web".parse().unwrap()).is_ok());
        let refused = listed(&baseline, ForgeKind::Github, &"acme/private".parse().unwrap()).unwrap_err();
        assert!(matches!(refused, LookupError::Impossible("NotListed", _)), "{refused}");
    }
}
