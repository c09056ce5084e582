//! Asks the forge what an environment is for: the pull request or branch that a person wished for, what its trigger cannot
//! decide without, and whether what a delivery said is still so. What is learned of a source becomes a fact by the same
//! server-side apply as deliveries do; what is learned beside it stands in `status.lookup`, once, and wakes the
//! environment.
//!
//! Runs beside the controller with a queue of its own, so that a slow forge holds up no environment. A forge in trouble
//! changes nothing: what was never known stays unknown, and what runs goes on.

mod confirm;
mod ends;
mod question;
mod repositories;
#[cfg(test)]
mod tests;
mod trigger;
mod wish;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::channel::mpsc::UnboundedReceiver;
use futures::{FutureExt, StreamExt, stream};
use kube::Client;
use kube::runtime::applier;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::{ObjectRef, Store};
use serde_json::json;
use tokio::sync::Notify;

use self::question::{Answered, Question, mark, questions};
use crate::api::conditions::{Condition, ConditionStatus, LOOKED_UP, Observation, find};
use crate::api::names::MANAGER_LOOKUP;
use crate::api::status::Lookup;
use crate::api::{PreviewEnvironment, Source};
use crate::clock::Clock;
use crate::controller::baselines::Baselines;
use crate::controller::requests::{RequestError, apply_status_as};
use crate::controller::retries::Retries;
use crate::controller::settle::trigger::Ask;
use crate::domain::{Baseline, Environment, EnvironmentName};
use crate::forge::{Class, Forge, ForgeError};
use crate::intent::{Fact, active, times};
use crate::record::{RecordError, Recorder};
use crate::resync::brake::Brake;
use crate::resync::soon::Soon;

/// How many questions are under way at once.
const CONCURRENCY: u16 = 4;
/// How long an answer that needs a person is left alone.
const TERMINAL_PAUSE: Duration = Duration::from_secs(600);

/// What looking up works with.
pub struct Context {
    /// Writes status.
    pub client: Client,
    /// The API server's time.
    pub clock: Clock,
    /// Writes facts.
    pub recorder: Arc<dyn Recorder>,
    /// Who is asked, if anybody.
    pub forge: Option<Arc<dyn Forge>>,
    /// The Baselines.
    pub baselines: Arc<Baselines>,
    /// Told where something seems to have ended that nobody told of: who looks for all of that judges it together.
    pub look_soon: Arc<Soon>,
    /// Told of by whoever learns that somebody confirmed what is held.
    pub confirmed: Arc<Notify>,
    /// Says which of the ends that follow from asking may be.
    pub brake: Arc<dyn Brake>,
    /// Pauses after failures.
    pub retries: Retries,
    /// What was answered, by the environment's UID: the watch may not have brought it back yet.
    answered: Mutex<HashMap<String, Answered>>,
}

/// What came of a question.
enum Learned {
    /// It is as it was recorded, and nobody has to be told.
    Confirmed(String),
    /// This was recorded as a fact.
    Recorded(Box<Source>),
    /// This stands in status from now on.
    Lookup(Box<Lookup>),
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

fn impossible(reason: &'static str, why: &dyn std::fmt::Display) -> LookupError {
    LookupError::Impossible(reason, why.to_string())
}

/// How long is waited for the policies of the cluster, before it is looked again.
const UNKNOWN_POLICIES: Duration = Duration::from_secs(1);

/// Runs until it is dropped. `changed` names the environments that changed.
pub async fn run(context: Arc<Context>, store: Store<PreviewEnvironment>, changed: UnboundedReceiver<ObjectRef<PreviewEnvironment>>) {
    let look_up = |object, context| look_up(object, context).boxed();
    let retry = |object: Arc<PreviewEnvironment>, error: &LookupError, context: Arc<Context>| {
        tracing::warn!(env = object.metadata.name, %error, "a look-up failed and is tried again");
        Action::requeue(context.retries.next(object.metadata.uid.as_deref().unwrap_or_default()))
    };
    let config = Config::default().concurrency(CONCURRENCY);
    let queue = stream::select(changed, ends::confirmed(Arc::clone(&context.confirmed), store.clone()));
    let environments = applier(look_up, retry, context.clone(), store.clone(), queue.map(Ok::<_, Infallible>), config);
    futures::join!(environments.for_each(|_| async {}), repositories::follow(&context, &store));
}

async fn look_up(object: Arc<PreviewEnvironment>, context: Arc<Context>) -> Result<Action, LookupError> {
    let Ok(environment) = Environment::try_from(object.as_ref()) else { return Ok(Action::await_change()) };
    let baseline = context.baselines.get(&environment.baseline_namespace, &environment.baseline);
    let answered = context.answered(&environment.uid);
    for question in questions((&object, &environment), baseline.as_deref(), &answered, context.clock.now()) {
        if context.forge.is_none() && matches!(question, Question::Confirm(..)) {
            continue;
        }
        // A policy may ask for more of whoever sets a label than the Baseline does.
        if matches!(question, Question::Trigger(Ask::Label, _)) && baseline.as_ref().is_some_and(|b| b.policy.is_pending()) {
            return Ok(Action::requeue(UNKNOWN_POLICIES));
        }
        let (observation, lookup) = match answer(&context, &object, (&environment, baseline.as_deref()), &question).await {
            Ok(Learned::Confirmed(mark)) => {
                context.learned(&environment.uid, |known| known.confirmed = Some(mark));
                if !has_failed(&object) {
                    continue;
                }
                (answered_by_forge(), None)
            }
            Ok(Learned::Recorded(source)) => {
                context.learned(&environment.uid, |known| known.confirmed = Some(mark(&source)));
                (answered_by_forge(), None)
            }
            Ok(Learned::Lookup(lookup)) => (answered_by_forge(), Some(*lookup)),
            Err(error) => {
                let (observation, pause) = outcome_of(&context, &environment, error)?;
                write(&context, &object, observation, None).await?;
                return Ok(Action::requeue(pause));
            }
        };
        if lookup.is_none() {
            ends::settled(context.brake.as_ref(), (&object, &environment), baseline.as_deref()).await?;
        }
        // What follows is looked at when the watch brings this back.
        write(&context, &object, observation, lookup).await?;
        if let Question::Wished(_, at) = question {
            context.learned(&environment.uid, |known| known.wish = Some(at));
        }
        context.retries.forget(&environment.uid);
        return Ok(Action::await_change());
    }
    if !ends::can_be_judged(&environment, baseline.as_deref()) {
        return Ok(Action::await_change());
    }
    // Its trigger does not ask any more.
    ends::settled(context.brake.as_ref(), (&object, &environment), baseline.as_deref()).await?;
    if ends::says_held(&object) {
        write(&context, &object, answered_by_forge(), None).await?;
    }
    Ok(Action::await_change())
}

fn answered_by_forge() -> Observation {
    Observation::new(LOOKED_UP, true, "Answered", "the forge confirmed what this environment is for")
}

fn has_failed(object: &PreviewEnvironment) -> bool {
    let condition = object.status.as_ref().and_then(|s| find(&s.conditions, LOOKED_UP));
    condition.is_some_and(|c| c.status != ConditionStatus::True)
}

impl Context {
    /// Nothing was asked yet.
    pub fn new(
        (client, clock): (Client, Clock),
        (forge, look_soon): (Option<Arc<dyn Forge>>, Arc<Soon>),
        (baselines, brake, confirmed): (Arc<Baselines>, Arc<dyn Brake>, Arc<Notify>),
    ) -> Self {
        let (recorder, retries) = (Arc::new(client.clone()), Retries::default());
        Self { client, clock, recorder, forge, baselines, look_soon, confirmed, brake, retries, answered: Mutex::default() }
    }

    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<String, Answered>) -> T) -> T {
        work(&mut self.answered.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answered(&self, uid: &str) -> Answered {
        self.lock(|all| all.get(uid).cloned().unwrap_or_default())
    }

    fn learned(&self, uid: &str, learn: impl FnOnce(&mut Answered)) {
        self.lock(|all| learn(all.entry(uid.to_owned()).or_default()));
    }

    /// Forgets an environment that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock(|all| all.remove(uid));
        self.retries.forget(uid);
    }
}

async fn answer(
    context: &Context,
    object: &PreviewEnvironment,
    (environment, baseline): (&Environment, Option<&Baseline>),
    question: &Question<'_>,
) -> Result<Learned, LookupError> {
    let Some(forge) = context.forge.as_deref() else {
        let why = "no forge is configured; start the service with --github-app-id and --github-app-key-file, or with --github-token-file";
        return Err(LookupError::Impossible("NotConfigured", why.to_owned()));
    };
    let baseline = baseline.ok_or_else(|| impossible("BaselineNotReady", &"its Baseline cannot be used"))?;
    let known = || context.answered(&environment.uid).lookup(object).unwrap_or_default();
    match question {
        Question::Wished(target, at) => {
            let mut fact = wish::answer(forge, (environment, baseline), (target, *at)).await?;
            fact.source.observed_at = times::no_later(fact.source.observed_at, context.clock.now().max(*at));
            context.recorder.record(&fact).await?;
            Ok(Learned::Recorded(Box::new(fact.source)))
        }
        Question::Trigger(Ask::Label, source) => {
            let label = trigger::About::of(baseline, source)?.label(forge).await?;
            let answered = Lookup { label: Some(label), ..known() };
            ends::judged(context.brake.as_ref(), (object, environment, baseline), (&known(), answered)).await
        }
        Question::Trigger(Ask::Paths, source) => {
            let paths = trigger::About::of(baseline, source)?.paths(forge).await?;
            let answered = Lookup { paths: Some(paths), ..known() };
            ends::judged(context.brake.as_ref(), (object, environment, baseline), (&known(), answered)).await
        }
        Question::Confirm(source, mark) => match confirm::confirm(forge, baseline, (source, context.clock.now())).await? {
            None => Ok(Learned::Confirmed(mark.clone())),
            Some(fact) if ends::by_fact(object, baseline, (source, &fact)) => {
                context.look_soon.look_at((source.forge, source.repository_id));
                Ok(Learned::Confirmed(mark.clone()))
            }
            Some(source) => {
                let source = following(source, object, baseline);
                context.recorder.record(&fact_of(environment, source.clone())).await?;
                Ok(Learned::Recorded(Box::new(source)))
            }
        },
    }
}

/// What was asked about, with when somebody last did something about it.
fn following(source: Source, object: &PreviewEnvironment, baseline: &Baseline) -> Source {
    let is_it = |held: &&Source| held.forge == source.forge && held.repository_id == source.repository_id;
    match object.spec.sources.iter().find(is_it) {
        Some(held) => active::after(source, held, Some(baseline)),
        None => source,
    }
}

/// The fact for the environment as it is named, whatever its Baseline would call it today.
fn fact_of(environment: &Environment, source: Source) -> Fact {
    Fact {
        baseline_namespace: environment.baseline_namespace.clone(),
        baseline: environment.baseline.clone(),
        environment: EnvironmentName::recorded(environment.name.as_str()),
        source,
    }
}

/// What an error means for the environment; one that only another try can mend is passed on.
fn outcome_of(context: &Context, environment: &Environment, error: LookupError) -> Result<(Observation, Duration), LookupError> {
    let message = error.to_string();
    let (reason, pause) = match &error {
        LookupError::Impossible(reason, _) => (*reason, TERMINAL_PAUSE),
        LookupError::Forge(ForgeError::NotFound(_)) => ("NotFound", TERMINAL_PAUSE),
        LookupError::Forge(forge) if forge.class() == Class::Terminal => ("Refused", TERMINAL_PAUSE),
        LookupError::Forge(ForgeError::RateLimited { seconds, .. }) => ("Unavailable", Duration::from_secs(*seconds)),
        LookupError::Forge(_) => ("Unavailable", context.retries.next(&environment.uid)),
        LookupError::Record(_) | LookupError::Status(_) => return Err(error),
    };
    Ok((Observation::new(LOOKED_UP, false, reason, message), pause))
}

/// Writes `status.lookup` and the condition about it, where they are new. Only an answer counts as having asked.
async fn write(
    context: &Context,
    object: &PreviewEnvironment,
    observation: Observation,
    learned: Option<Lookup>,
) -> Result<(), RequestError> {
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    let before: &[Condition] = object.status.as_ref().map_or(&[], |s| &s.conditions);
    let now = context.clock.now();
    let answered = observation.status == ConditionStatus::True;
    let known = learned.or_else(|| context.answered(uid).lookup(object));
    let lookup = if answered { Some(Lookup { at: Some(now), ..known.unwrap_or_default() }) } else { known };
    let condition = observation.dated(before, object.metadata.generation, now);
    if !answered && before.contains(&condition) {
        return Ok(());
    }
    apply_status_as(&context.client, object, MANAGER_LOOKUP, &json!({"lookup": lookup, "conditions": [condition]})).await?;
    context.learned(uid, |known| known.wrote(object, lookup));
    Ok(())
}
