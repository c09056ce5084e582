//! What the forge knows of the repositories themselves: their numbers, names and privacy for the Baselines, and whether we
//! may still see them. What was taken from us for good ends its environments, like the forge's own word for it does.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use kube::runtime::reflector::Store;
use tokio::time::Instant;

use super::Context;
use crate::api::PreviewEnvironment;
use crate::api::baseline::Removed;
use crate::api::environment::SourceState;
use crate::controller::repositories::{Found, Key};
use crate::domain::Baseline;
use crate::domain::baseline::Repository;
use crate::forge::event::Event;
use crate::forge::{Access, Forge, ForgeError, RepositoryFacts};
use crate::intent::{About, Existing, Intent, decide};
use crate::record::Recorder;
use crate::resync::brake::{Brake, Looked};

/// How often it is looked for Baselines that are new.
const LOOK: Duration = Duration::from_secs(5);
/// How long an answer holds.
const LIFE: Duration = Duration::from_secs(600);
/// How many repositories are asked about at a time: one that does not answer holds up no other.
const AT_ONCE: usize = 8;
/// How long a failure is left alone.
const PAUSE: Duration = Duration::from_secs(60);

/// Asks about every repository that a Baseline lists, from time to time. Runs until it is dropped.
pub(super) async fn follow(context: &Context, store: &Store<PreviewEnvironment>) {
    let Some(forge) = &context.forge else { return };
    // With the forge's last word against a Baseline's repositories, since each is a reason to ask anew.
    let mut due: HashMap<Key, (Instant, Option<DateTime<Utc>>)> = HashMap::new();
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        let baselines = context.baselines.all().unwrap_or_default();
        let listed = baselines.iter().flat_map(|b| b.repositories.iter().map(move |r| (Key::of(b, r), b, r)));
        let listed: Vec<_> = listed.collect();
        due.retain(|key, _| listed.iter().any(|(known, ..)| known == key));
        let is_known = |key: &Key, baseline: &Baseline| {
            due.get(key).is_some_and(|(at, doubted)| *at > Instant::now() && *doubted == baseline.doubted_at)
        };
        let looks: Vec<_> = listed
            .into_iter()
            .filter(|(key, baseline, _)| !is_known(key, baseline))
            .map(|(key, baseline, repository)| async move {
                let pause = look_at(context, forge.as_ref(), (baseline, repository), store).await;
                (key, (Instant::now() + pause, baseline.doubted_at))
            })
            .collect();
        let answered: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        due.extend(answered);
    }
}

/// Asks about one repository, and says when to ask again.
async fn look_at(
    context: &Context,
    forge: &dyn Forge,
    (baseline, repository): (&Arc<Baseline>, &Repository),
    store: &Store<PreviewEnvironment>,
) -> Duration {
    let existing = |about: &About| store.state().iter().flat_map(|object| Existing::of(object, about)).collect();
    match facts_of(forge, (context.recorder.as_ref(), context.brake.as_ref()), repository, existing).await {
        Ok(Some(facts)) => {
            if context.baselines.repositories.put(Key::of(baseline, repository), Found::of(facts)) {
                context.baselines.changed.notify_one();
            }
            LIFE
        }
        Ok(None) => PAUSE,
        Err(ForgeError::Unsupported(_)) => LIFE,
        Err(error) => {
            tracing::debug!(repo = %repository.name, %error, "the forge said nothing of a repository");
            PAUSE
        }
    }
}

/// What the forge says of a repository: by its name, or where that does not lead to it, by its number. That it is another one
/// under the same name is said where nothing is known of ours.
async fn facts_of(
    forge: &dyn Forge,
    ends: (&dyn Recorder, &dyn Brake),
    repository: &Repository,
    existing: impl Fn(&About) -> Vec<Existing>,
) -> Result<Option<RepositoryFacts>, ForgeError> {
    let by_name = forge.repository(repository.current()).await;
    let Some(id) = repository.id else { return by_name.map(Some) };
    let stranger = match by_name {
        Ok(facts) if facts.id == id => return Ok(Some(facts)),
        Ok(stranger) => Some(stranger),
        Err(ForgeError::NotFound(_) | ForgeError::Refused { .. }) => None,
        Err(error) => return Err(error),
    };
    match forge.access(id, repository.current()).await? {
        Access::Granted(facts) => Ok(facts.or(stranger)),
        Access::Revoked => {
            end(ends, (repository, id), existing).await;
            Ok(None)
        }
    }
}

/// Ends the environments of a repository that was taken from us for good, as many as the brake lets through: a forge that is mistaken
/// says it of all that it has.
async fn end(
    (recorder, brake): (&dyn Recorder, &dyn Brake),
    (repository, id): (&Repository, i64),
    existing: impl Fn(&About) -> Vec<Existing>,
) {
    let event = Event::Gone {
        forge: repository.forge,
        repositories: vec![id],
        for_good: true,
        why: format!("{} was taken from this service: the App was uninstalled, or the repository deleted", repository.name),
    };
    let Some(about) = About::of(&event) else { return };
    let open: Vec<Existing> = existing(&about).into_iter().filter(|e| e.source.state == SourceState::Open).collect();
    let Intent::Record(facts) = decide(&event, &[], &open) else { return };
    tracing::warn!(repo = %repository.name, environments = facts.len(), "the repository may not be seen any more, and its environments end");
    let go = let_through(brake, &open).await;
    for fact in facts.iter().filter(|fact| open.iter().any(|e| e.is_for(fact) && go.contains(&e.uid))) {
        if let Err(error) = recorder.record(fact).await {
            tracing::warn!(env = fact.display(), %error, "the end of a repository was not recorded and is looked for again");
        }
    }
}

/// The UIDs of those that may end, of each Baseline by itself.
async fn let_through(brake: &dyn Brake, ends: &[Existing]) -> BTreeSet<String> {
    let mut of: BTreeMap<(&str, &str), BTreeMap<String, String>> = BTreeMap::new();
    for end in ends {
        of.entry((&end.namespace, &end.baseline)).or_default().insert(end.uid.clone(), end.name.to_string());
    }
    let mut all = BTreeSet::new();
    for (baseline, ended) in of {
        let looked =
            Looked { what: Removed::Environment, ended, unwanted: HashSet::new(), unasked: BTreeMap::new(), standing: HashSet::new() };
        match brake.let_through(baseline, &looked).await {
            Ok(go) => all.extend(go),
            Err(error) => tracing::warn!(namespace = baseline.0, name = baseline.1, %error, "nothing of it is removed"),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::FutureExt;
    use futures::future::BoxFuture;
    use serde_json::json;

    use super::super::tests::{Fake, baseline, pull};
    use super::*;
    use crate::api::baseline::ForgeKind;
    use crate::controller::requests::RequestError;
    use crate::intent::{CommandFact, Fact};
    use crate::record::{RecordError, Recorded};
    use crate::resync::brake::Of;

    /// What is recorded, and whether nothing may end.
    #[derive(Default)]
    struct Notebook(Mutex<Vec<Fact>>, bool);

    impl Brake for Notebook {
        fn let_through<'a>(&'a self, of: Of<'a>, looked: &'a Looked) -> BoxFuture<'a, Result<BTreeSet<String>, RequestError>> {
            assert_eq!((of, looked.what), (("shop", "main"), Removed::Environment));
            let go = looked.ended.keys().filter(|_| !self.1).cloned().collect();
            futures::future::ready(Ok(go)).boxed()
        }

        fn confirmed(&self) -> BoxFuture<'_, ()> {
            futures::future::pending().boxed()
        }
    }

    impl Recorder for Notebook {
        fn record<'a>(&'a self, fact: &'a Fact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
            self.0.lock().unwrap().push(fact.clone());
            futures::future::ready(Ok(Recorded::Held)).boxed()
        }

        fn command<'a>(&'a self, _: &'a CommandFact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
            futures::future::ready(Ok(Recorded::Held)).boxed()
        }
    }

    fn environment(about: &About) -> Vec<Existing> {
        let spec = json!({"baseline": "main", "sources": [pull().to_source(ForgeKind::Github, None)]});
        let mut object = PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        object.metadata.uid = Some("u-1".into());
        Existing::of(&object, about)
    }

    fn facts(id: i64, name: &str) -> RepositoryFacts {
        RepositoryFacts { id, name: name.parse().unwrap(), private: true }
    }

    #[tokio::test]
    async fn what_was_taken_for_good_ends_and_nothing_else_does() {
        let away = || ForgeError::Unavailable { what: "ask".into(), why: "404 for everything".into() };
        let (home, site, stranger) = (|| facts(7, "acme/web"), || facts(7, "acme/site"), || facts(8, "acme/web"));
        let (granted, by_number) = (|| Ok(Access::Granted(None)), || Ok(Access::Granted(Some(site()))));
        let revoked = || Ok(Access::Revoked);
        for (case, number, by_name, access, said, ends) in [
            ("uninstalled", Some(7), None, revoked(), Ok(None), true),
            ("held", Some(7), None, revoked(), Ok(None), false),
            ("as ever, whatever is said by number", Some(7), Some(home()), revoked(), Ok(Some(home())), false),
            ("nobody can tell", Some(7), None, granted(), Ok(None), false),
            ("renamed, and a stranger hides under the old name", Some(7), None, by_number(), Ok(Some(site())), false),
            ("renamed, and a stranger shows under the old name", Some(7), Some(stranger()), by_number(), Ok(Some(site())), false),
            ("a stranger, and nobody can tell", Some(7), Some(stranger()), granted(), Ok(Some(stranger())), false),
            ("the forge does not answer", Some(7), None, Err(away()), Err(away()), false),
            ("another repository than that of the environment", Some(8), None, revoked(), Ok(None), false),
        ] {
            let repository = Repository { id: number, ..baseline(&json!({})).repositories.remove(0) };
            let notebook = Notebook(Mutex::default(), case == "held");
            let forge = Fake { repository: by_name, access, ..Fake::default() };
            assert_eq!(facts_of(&forge, (&notebook, &notebook), &repository, environment).await, said, "{case}");
            let recorded: Vec<_> = notebook.0.into_inner().unwrap().into_iter().map(|f| (f.display(), f.source.state)).collect();
            let expected = if ends { vec![("shop/web-pr-42".to_owned(), SourceState::Gone)] } else { Vec::new() };
            assert_eq!(recorded, expected, "{case}");
        }
    }

    #[tokio::test]
    async fn without_a_number_nothing_ends() {
        let (notebook, repository) = (Notebook::default(), baseline(&json!({})).repositories.remove(0));
        let forge = Fake { access: Ok(Access::Revoked), ..Fake::default() };
        assert_eq!(facts_of(&forge, (&notebook, &notebook), &repository, environment).await.unwrap_err().label(), "not_found");
        assert!(notebook.0.into_inner().unwrap().is_empty());
    }
}
