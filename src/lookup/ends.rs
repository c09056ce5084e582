//! What would end an environment although no delivery told of it: it goes through the brake that holds what is found by looking.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::Notify;

use super::{Learned, LookupError, impossible};
use crate::api::PreviewEnvironment;
use crate::api::baseline::Removed;
use crate::api::conditions::{LOOKED_UP, find};
use crate::api::status::Lookup;
use crate::api::{Source, environment::SourceState};
use crate::controller::requests::RequestError;
use crate::controller::settle::trigger;
use crate::domain::environment::Source as KnownSource;
use crate::domain::{Baseline, Environment};
use crate::resync::NOBODY;
use crate::resync::brake::{Brake, Looked};

/// The reason of the condition where the brake holds an answer.
const HELD: &str = "Held";

/// Whether an environment that has something in the cluster would go for what the forge says instead of what is known. What hid
/// that it comes from outside may never run, so nobody judges whether it may go.
pub(super) fn by_fact(object: &PreviewEnvironment, baseline: &Baseline, (known, fact): (&KnownSource, &Source)) -> bool {
    let stops_wanting = || KnownSource::try_from(fact).is_ok_and(|fact| trigger::stops_wanting(baseline, known, &fact));
    let is_as_known = fact.is_foreign() == known.foreign;
    is_as_known && (fact.state != SourceState::Open || (has_something(object) && object.standing_wish().is_none() && stops_wanting()))
}

/// Whether it would go for an answer. Of a fact that a delivery brought it may, and so it may where its Baseline asks something
/// else than before: somebody wanted that.
fn by_answer(object: &PreviewEnvironment, before: &Lookup, after: &Lookup) -> bool {
    let is_told = |source: &Source| source.sender.as_deref().is_some_and(|sender| sender != NOBODY);
    let label = before.label.as_ref().zip(after.label.as_ref()).is_some_and(|(b, a)| b.label == a.label && b.allowed && !a.allowed);
    let paths = before.paths.as_ref().zip(after.paths.as_ref()).is_some_and(|(b, a)| b.patterns == a.patterns && b.touched && !a.touched);
    (label || paths) && has_something(object) && !object.spec.sources.first().is_some_and(is_told)
}

fn has_something(object: &PreviewEnvironment) -> bool {
    object.status.as_ref().is_some_and(|status| status.namespace.is_some())
}

/// Whether the environment says that an answer is held.
pub(super) fn says_held(object: &PreviewEnvironment) -> bool {
    let condition = object.status.as_ref().and_then(|status| find(&status.conditions, LOOKED_UP));
    condition.is_some_and(|condition| condition.reason == HELD)
}

/// Whether an answer is held: what the environment says of that may have made way for a failure, and the Baseline's record may not
/// be here yet.
fn is_held(object: &PreviewEnvironment, baseline: Option<&Baseline>) -> bool {
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    says_held(object) || baseline.is_some_and(|baseline| baseline.held.get(uid) == Some(&Removed::Answered))
}

/// Whether anybody can say what an environment is wanted for: the repository is one of its Baseline's. Else what is held stays held.
pub(super) fn can_be_judged(environment: &Environment, baseline: Option<&Baseline>) -> bool {
    let source = environment.main_source().zip(baseline);
    source.is_some_and(|(source, baseline)| baseline.repository_by(source.forge, source.repository_id, &source.repository).is_some())
}

/// Lets go of an answer that was held, where another one, or none, is asked for now.
pub(super) async fn settled(
    brake: &dyn Brake,
    (object, environment): (&PreviewEnvironment, &Environment),
    baseline: Option<&Baseline>,
) -> Result<(), RequestError> {
    if is_held(object, baseline) { stays(brake, environment).await } else { Ok(()) }
}

/// The environments that hold an answer, each time that somebody confirmed what is held.
pub(super) fn confirmed(told: Arc<Notify>, store: Store<PreviewEnvironment>) -> impl Stream<Item = ObjectRef<PreviewEnvironment>> {
    let held = move |told: Arc<Notify>| {
        let store = store.clone();
        async move {
            told.notified().await;
            let held: Vec<_> =
                store.state().iter().filter(|object| says_held(object)).map(|object| ObjectRef::from_obj(&**object)).collect();
            Some((stream::iter(held), told))
        }
    };
    stream::unfold(told, held).flatten().boxed()
}

/// An answer to what the trigger asks. One that ends an environment, and that no delivery led to, has to get past the brake.
pub(super) async fn judged(
    brake: &dyn Brake,
    (object, environment, baseline): (&PreviewEnvironment, &Environment, &Baseline),
    (known, answered): (&Lookup, Lookup),
) -> Result<Learned, LookupError> {
    if !by_answer(object, known, &answered) {
        settled(brake, (object, environment), Some(baseline)).await?;
    } else if !may_go(brake, environment).await? {
        let why = "the forge's answers would end many environments at once, and no delivery told of it, so this one stays; the condition \
                   RemovalsHeld of its Baseline says how to let them go";
        return Err(impossible(HELD, &why));
    }
    Ok(Learned::Lookup(Box::new(answered)))
}

/// Whether the brake lets an environment go.
async fn may_go(brake: &dyn Brake, environment: &Environment) -> Result<bool, RequestError> {
    let ended = BTreeMap::from([(environment.uid.clone(), environment.name.to_string())]);
    let looked = Looked { what: Removed::Answered, ended, unwanted: HashSet::new(), unasked: BTreeMap::new(), standing: HashSet::new() };
    Ok(brake.let_through(of(environment), &looked).await?.contains(&environment.uid))
}

/// Lets go of what is held of an environment, since it stays.
async fn stays(brake: &dyn Brake, environment: &Environment) -> Result<(), RequestError> {
    let standing = HashSet::from([environment.uid.clone()]);
    let looked = Looked { what: Removed::Answered, ended: BTreeMap::new(), unwanted: HashSet::new(), unasked: BTreeMap::new(), standing };
    brake.let_through(of(environment), &looked).await.map(drop)
}

fn of(environment: &Environment) -> (&str, &str) {
    (&environment.baseline_namespace, &environment.baseline)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{baseline, known, pull};
    use super::*;
    use crate::api::baseline::ForgeKind;
    use crate::forge::PullRequest;
    use crate::resync::brake::Of;
    use futures::FutureExt;
    use futures::future::{BoxFuture, pending, ready};
    use serde_json::{Value, json};
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    fn object(sender: Option<&str>, change: impl FnOnce(&mut Value)) -> PreviewEnvironment {
        let mut object = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
            "metadata": {"name": "web-pr-42", "namespace": "shop", "uid": "u-1"},
            "spec": {"baseline": "main", "sources": [pull().to_source(ForgeKind::Github, sender)]},
            "status": {"namespace": "shop-web-pr-42"}});
        change(&mut object);
        serde_json::from_value(object).unwrap()
    }

    fn label(name: &str, allowed: bool) -> Lookup {
        serde_json::from_value(json!({"label": {"label": name, "allowed": allowed}})).unwrap()
    }

    fn paths(patterns: &str, touched: bool) -> Lookup {
        let paths = json!({"revision": "a".repeat(40), "baseBranch": "main", "patterns": patterns, "touched": touched});
        serde_json::from_value(json!({"paths": paths})).unwrap()
    }

    #[test]
    fn an_answer_ends_what_the_one_before_let_be_where_no_delivery_told_of_anything() {
        let (found, told) = (object(Some(NOBODY), |_| ()), object(Some("ann"), |_| ()));
        let bare = object(None, |o| o["status"] = json!({}));
        let nothing = Lookup::default();
        for (case, object, before, after, ends) in [
            ("a label", &found, label("preview", true), label("preview", false), true),
            ("a label still", &found, label("preview", true), label("preview", true), false),
            ("not before either", &found, label("preview", false), label("preview", false), false),
            ("another label", &found, label("show", true), label("preview", false), false),
            ("the first answer", &found, nothing.clone(), label("preview", false), false),
            ("files", &found, paths("p", true), paths("p", false), true),
            ("other files", &found, paths("q", true), paths("p", false), false),
            ("a delivery", &told, label("preview", true), label("preview", false), false),
            ("a confirmation", &object(None, |_| ()), paths("p", true), paths("p", false), true),
            ("nothing is there", &bare, label("preview", true), label("preview", false), false),
        ] {
            assert_eq!(by_answer(object, &before, &after), ends, "{case}");
        }
    }

    /// Lets that many go, and takes note of who stays.
    #[derive(Default)]
    struct Lets(usize, Mutex<Vec<String>>);

    impl Brake for Lets {
        fn let_through<'a>(&'a self, of: Of<'a>, looked: &'a Looked) -> BoxFuture<'a, Result<BTreeSet<String>, RequestError>> {
            assert_eq!((of, looked.what), (("shop", "main"), Removed::Answered));
            self.1.lock().unwrap().extend(looked.standing.iter().cloned());
            ready(Ok(looked.ended.keys().take(self.0).cloned().collect())).boxed()
        }

        fn confirmed(&self) -> BoxFuture<'_, ()> {
            pending().boxed()
        }
    }

    #[tokio::test]
    async fn an_answer_that_the_brake_holds_is_none_and_one_that_lets_it_be_is_told_to_it() {
        let held = json!({"type": "LookedUp", "status": "False", "reason": "Held", "lastTransitionTime": "2026-01-02T03:04:05Z"});
        let (found, was_held) = (object(None, |_| ()), object(None, |o| o["status"]["conditions"] = json!([held])));
        let before = label("preview", true);
        for (case, object, lets, allowed, answered, stays) in [
            ("let through", &found, 1, false, true, 0),
            ("held", &found, 0, false, false, 0),
            ("held still", &was_held, 0, false, false, 0),
            ("it stays", &was_held, 0, true, true, 1),
            ("it was never held", &found, 0, true, true, 0),
        ] {
            let (brake, environment) = (Lets(lets, Mutex::default()), Environment::try_from(object).unwrap());
            let of = (object, &environment, &baseline(&json!({})));
            let learned = judged(&brake, of, (&before, label("preview", allowed))).await;
            match learned {
                Ok(Learned::Lookup(lookup)) => assert_eq!((*lookup, answered), (label("preview", allowed), true), "{case}"),
                Err(LookupError::Impossible(reason, _)) => assert_eq!((reason, answered), ("Held", false), "{case}"),
                _ => panic!("{case}"),
            }
            assert_eq!(brake.1.into_inner().unwrap().len(), stays, "{case}");
        }
    }

    #[tokio::test]
    async fn what_is_held_is_let_go_of_where_nobody_asks_any_more_whatever_failed_since() {
        let says = |reason: &str| {
            let condition = json!({"type": "LookedUp", "status": "False", "reason": reason, "lastTransitionTime": "2026-01-02T03:04:05Z"});
            object(None, |o| o["status"]["conditions"] = json!([condition]))
        };
        let plain = baseline(&json!({}));
        let records = |what: Removed| Baseline { held: [("u-1".to_owned(), what)].into(), ..plain.clone() };
        for (case, object, baseline, stays) in [
            ("the environment says so", says(HELD), None, 1),
            ("the forge was away since", says("Unavailable"), Some(records(Removed::Answered)), 1),
            ("it is held for something else", says("Unavailable"), Some(records(Removed::Unwanted)), 0),
            ("nothing is held", says("Unavailable"), Some(plain.clone()), 0),
        ] {
            let (brake, environment) = (Lets::default(), Environment::try_from(&object).unwrap());
            settled(&brake, (&object, &environment), baseline.as_ref()).await.unwrap();
            assert_eq!(brake.1.into_inner().unwrap().len(), stays, "{case}");
        }
    }

    #[test]
    fn only_whoever_lists_the_repository_says_what_an_environment_is_wanted_for() {
        let (pulled, sourceless) = (object(None, |_| ()), object(None, |o| o["spec"]["sources"] = json!([])));
        let (listing, other) = (baseline(&json!({})), Baseline { repositories: Vec::new(), ..baseline(&json!({})) });
        for (case, object, baseline, can_be) in [
            ("its repository is listed", &pulled, Some(&listing), true),
            ("another one is", &pulled, Some(&other), false),
            ("the Baseline is not known", &pulled, None, false),
            ("nobody recorded what it is for", &sourceless, Some(&listing), false),
        ] {
            let environment = Environment::try_from(object).unwrap();
            assert_eq!(can_be_judged(&environment, baseline), can_be, "{case}");
        }
    }

    #[tokio::test]
    async fn a_confirmation_has_those_asked_about_again_that_hold_an_answer_and_no_others() {
        let (store, mut writer) = kube::runtime::reflector::store();
        let held = json!({"type": "LookedUp", "status": "False", "reason": "Held", "lastTransitionTime": "2026-01-02T03:04:05Z"});
        let holding = object(None, |o| o["status"]["conditions"] = json!([held]));
        let other = object(None, |o| o["metadata"]["name"] = json!("web-pr-43"));
        for object in [holding, other] {
            writer.apply_watcher_event(&kube::runtime::watcher::Event::Apply(object));
        }
        let told = Arc::<Notify>::default();
        let mut asked = confirmed(Arc::clone(&told), store);
        assert!(asked.next().now_or_never().is_none(), "nobody confirmed anything");
        for _ in 0..2 {
            told.notify_one();
            assert_eq!(asked.next().await.unwrap().name, "web-pr-42");
            assert!(asked.next().now_or_never().is_none());
        }
    }

    #[test]
    fn what_the_forge_says_otherwise_ends_what_is_there_and_what_nobody_wished_for() {
        let there = object(None, |_| ());
        let bare = object(None, |o| o["status"] = json!({}));
        let wish = json!({"state": "Present", "actor": "ann", "at": "2026-01-02T00:00:00Z"});
        let wished = object(None, |o| o["spec"]["wish"] = wish);
        let (draft, closed) = (PullRequest { draft: true, ..pull() }, PullRequest { state: SourceState::Closed, ..pull() });
        let fork = PullRequest { head_repository_id: Some(8), ..closed.clone() };
        for (case, object, says, ends) in [
            ("a draft", &there, &draft, true),
            ("the same", &there, &pull(), false),
            ("a draft without anything", &bare, &draft, false),
            ("a draft that somebody wished for", &wished, &draft, false),
            ("closed", &bare, &closed, true),
            ("a fork that hid", &there, &fork, false),
        ] {
            let fact = says.to_source(ForgeKind::Github, None);
            assert_eq!(by_fact(object, &baseline(&json!({})), (&known(&pull()), &fact)), ends, "{case}");
        }
    }
}
