//! Asks registries, beside the passes over environments: each question once, however many environments have it, and
//! again while the answer is "not there yet". An answer wakes whoever asked. The registries are used here.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use kube::Client;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::nodes::Nodes;
use super::resolve::Wanted;
use super::wake::Wake;
use crate::registry::{Answer, Credentials, Query, Registry, Unknown};

/// The first pause before a missing image is asked for again.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest, while somebody is likely to wait before a screen.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long that is, and the pause after it.
const EAGER: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(300));
/// Least time between two look-ups of one image, whatever wakes them.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// How long an answer stands for whoever asks the same: a tag that was found can move on.
const LIFE: Duration = Duration::from_secs(60);
/// The same for an answer that says nothing.
const SHORT_LIFE: Duration = Duration::from_secs(15);

/// A question to a registry, in the name of a baseline, whose logins are used for it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Question {
    /// Namespace of the Baseline.
    pub baseline: String,
    query: Query,
    /// The commit that the image is to be of, where its label counts.
    revision: Option<String>,
}

impl Question {
    /// The question for a wanted image.
    pub fn of(baseline: &str, wanted: &Wanted) -> Self {
        let query = Query::of(&wanted.repository, &wanted.tag, wanted.revision_label || wanted.unproven);
        Self { baseline: baseline.to_owned(), query, revision: wanted.revision.clone() }
    }

    /// The registry that is asked.
    pub fn registry(&self) -> &str {
        &self.query.registry
    }
}

/// An environment that asks.
#[derive(Clone, Debug)]
pub struct Asker {
    /// Its UID.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When it last heard of its forge or of a person: something new there is worth a look at once.
    pub activity: Option<DateTime<Utc>>,
}

/// All questions and what is known of them.
pub struct Images {
    registry: Registry,
    open: Mutex<HashMap<Question, Open>>,
    answered: watch::Sender<u64>,
    nodes: Nodes,
    around: Around,
}

/// What the answers concern.
pub struct Around {
    /// Wakes who asked.
    pub wake: Wake,
    /// Lists the nodes, with whose platforms those of images are compared; none in tests.
    pub client: Option<Client>,
}

/// One question.
struct Open {
    answer: Option<(Answer, Instant)>,
    wanted: Wanted,
    logins: Vec<Credentials>,
    askers: HashMap<String, Asker>,
    /// Asks at once instead of after the pause. Absent once nobody asks any more.
    hurry: Option<Arc<Notify>>,
}

impl Open {
    /// Whether the answer counts for a new asker.
    fn is_fresh(&self) -> bool {
        match &self.answer {
            _ if self.hurry.is_some() => true,
            Some((Answer::Unknown(_), at)) => at.elapsed() < SHORT_LIFE,
            Some((_, at)) => at.elapsed() < LIFE,
            None => false,
        }
    }
}

impl Images {
    /// Nothing is asked yet.
    pub fn new(registry: Registry, around: Around) -> Self {
        Self { registry, open: Mutex::default(), answered: watch::Sender::new(0), nodes: Nodes::default(), around }
    }

    /// The platforms of the nodes, as far as they are known.
    pub fn nodes(&self) -> Vec<String> {
        self.nodes.platforms()
    }

    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<Question, Open>) -> T) -> T {
        work(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is known of a question: nothing where it was not asked, or not answered yet.
    pub fn answer(&self, question: &Question) -> Option<Answer> {
        self.lock(|open| open.get(question).filter(|o| o.is_fresh())?.answer.as_ref().map(|(answer, _)| answer.clone()))
    }

    /// Whether an answer will wake this environment without its asking once more.
    pub fn is_asked_by(&self, question: &Question, asker: &Asker) -> bool {
        let knows = |open: &Open| open.askers.get(&asker.uid).is_some_and(|known| known.activity == asker.activity);
        self.lock(|all| all.get(question).is_some_and(|open| open.hurry.is_some() && knows(open)))
    }

    /// Asks, unless it is asked already. `used` are the registries that the baseline's own images come from.
    pub fn ask(self: &Arc<Self>, asker: &Asker, (question, wanted): (&Question, &Wanted), (used, logins): (&[String], &[Credentials])) {
        if let Some(refused) = self.refused(question.registry(), used) {
            let answer = Some((Answer::Unknown(refused), Instant::now()));
            let open = Open { answer, wanted: wanted.clone(), logins: Vec::new(), askers: HashMap::new(), hurry: None };
            self.lock(|all| drop(all.insert(question.clone(), open)));
            return;
        }
        let begun = self.lock(|all| {
            all.retain(|_, open| open.is_fresh());
            let fresh = || Open { answer: None, wanted: wanted.clone(), logins: Vec::new(), askers: HashMap::new(), hurry: None };
            let open = all.entry(question.clone()).or_insert_with(fresh);
            logins.clone_into(&mut open.logins);
            if open.hurry.is_none() && open.answer.is_some() {
                return None;
            }
            let before = open.askers.insert(asker.uid.clone(), asker.clone());
            match &open.hurry {
                Some(hurry) => {
                    if before.is_some_and(|known| known.activity != asker.activity) {
                        hurry.notify_one();
                    }
                    None
                }
                None => Some(open.hurry.insert(Arc::default()).clone()),
            }
        });
        if let Some(hurry) = begun {
            tokio::spawn(self.clone().pursue(question.clone(), hurry));
        }
    }

    fn refused(&self, registry: &str, used: &[String]) -> Option<Unknown> {
        if self.registry.config().allows(registry, used) {
            return None;
        }
        let why = if self.registry.config().allowed.is_empty() {
            format!("none of the baseline's own images comes from {registry}, so it is not asked; --registry allows it")
        } else {
            format!("{registry} is not among the registries that this service asks (--registry)")
        };
        Some(Unknown::NotAllowed(why))
    }

    /// Waits until all questions are answered. Give it a deadline.
    pub async fn answered(&self, questions: &[Question]) {
        let mut answered = self.answered.subscribe();
        while !questions.iter().all(|question| self.answer(question).is_some()) {
            if answered.changed().await.is_err() {
                return;
            }
        }
    }

    /// Forgets that an environment asked, but for these questions.
    pub fn keep_only(&self, uid: &str, questions: &[Question]) {
        self.lock(|all| {
            for (question, open) in all.iter_mut().filter(|(question, _)| !questions.contains(question)) {
                if open.askers.remove(uid).is_some() {
                    tracing::debug!(image = %open.wanted.image(), baseline = question.baseline, "no longer asked for");
                }
            }
        });
    }

    /// Asks until there is an answer that stands, or nobody asks any more.
    async fn pursue(self: Arc<Self>, question: Question, hurry: Arc<Notify>) {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let Some(logins) = self.lock(|all| all.get(&question).map(|open| open.logins.clone())) else { return };
            let answer = self.registry.look_up(&question.query, &logins).await;
            if let (Answer::Found(found), Some(client)) = (&answer, &self.around.client)
                && !found.platforms.is_empty()
            {
                self.nodes.look(client).await;
            }
            if !self.publish(&question, answer) {
                return;
            }
            tokio::time::sleep(LEAST_PAUSE).await;
            let _ = tokio::time::timeout(jittered(pause.saturating_sub(LEAST_PAUSE)), hurry.notified()).await;
            let (eager, lazy) = EAGER;
            pause = if begun.elapsed() > eager { lazy } else { (pause * 2).min(LONGEST_PAUSE) };
        }
    }

    /// Keeps an answer, wakes whom it is new to, and says whether to ask again.
    fn publish(&self, question: &Question, answer: Answer) -> bool {
        let (again, woken) = self.lock(|all| {
            let Some(open) = all.get_mut(question) else { return (false, Vec::new()) };
            let missing = |answer: &Answer| match answer {
                Answer::Absent => true,
                Answer::Found(found) => !open.wanted.accepts(found),
                Answer::Unknown(_) => false,
            };
            let was_missing = open.answer.as_ref().is_some_and(|(before, _)| missing(before));
            // What was missing is asked for until it is there: no failure in between says that it is.
            let again = missing(&answer) || was_missing && matches!(answer, Answer::Unknown(_));
            if again && was_missing && matches!(answer, Answer::Unknown(_)) {
                return (!open.askers.is_empty(), Vec::new());
            }
            let news = open.answer.as_ref().is_none_or(|(before, _)| *before != answer);
            open.answer = Some((answer, Instant::now()));
            let woken = if news { open.askers.values().cloned().collect() } else { Vec::new() };
            let again = again && !open.askers.is_empty();
            if !again {
                open.hurry = None;
                open.askers.clear();
            }
            (again, woken)
        });
        self.answered.send_modify(|count| *count += 1);
        for asker in woken {
            self.around.wake.environment(&asker.namespace, &asker.name);
        }
        again
    }
}

/// Up to a quarter more or less, so that many waits do not end at once.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    let thousandths = 750 + u32::try_from(random / 2).unwrap_or_default();
    pause * thousandths / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::RegistryConfig;
    use axum::body::Body;
    use axum::response::Response;
    use futures::StreamExt;
    use std::sync::atomic::{AtomicU16, Ordering};
    use test_registry::Strange;

    const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    /// A registry with one image, which answers with the status that the test sets.
    async fn registry(status: &Arc<AtomicU16>) -> Strange {
        let status = status.clone();
        let answer = move |_: &test_registry::Seen| {
            let reply = Response::builder().status(status.load(Ordering::SeqCst)).header("docker-content-digest", DIGEST);
            reply.header("content-type", "application/vnd.oci.image.manifest.v1+json").body(Body::empty()).unwrap()
        };
        Strange::start(answer).await.unwrap()
    }

    fn images(host: &str) -> (Arc<Images>, impl futures::Stream<Item = String> + Unpin) {
        let config =
            RegistryConfig { plain_http: vec![host.into()], private: vec!["127.0.0.0/8".parse().unwrap()], ..RegistryConfig::default() };
        let (wake, woken) = Wake::channel();
        (Arc::new(Images::new(Registry::new(config), Around { wake, client: None })), woken.map(|object| object.name))
    }

    fn wanted(host: &str) -> Wanted {
        Wanted {
            repository: format!("{host}/acme/web").parse().unwrap(),
            tag: "1".into(),
            from: crate::api::status::ImageOrigin::Branch,
            revision: None,
            revision_label: false,
            unproven: false,
            built_from: None,
        }
    }

    fn asker(name: &str, activity: i64) -> Asker {
        let activity = DateTime::from_timestamp(activity, 0);
        Asker { uid: format!("u-{name}"), namespace: "shop".into(), name: name.into(), activity }
    }

    async fn next(woken: &mut (impl futures::Stream<Item = String> + Unpin)) -> String {
        tokio::time::timeout(Duration::from_secs(20), woken.next()).await.expect("somebody is woken").unwrap()
    }

    #[tokio::test]
    async fn one_look_up_serves_all_who_ask_and_a_missing_image_is_asked_for_again() {
        let status = Arc::new(AtomicU16::new(404));
        let server = registry(&status).await;
        let (images, mut woken) = images(server.host());
        let (wanted, used) = (wanted(server.host()), [server.host().to_owned()]);
        let question = Question::of("shop", &wanted);
        let ask = |name: &str, activity| images.ask(&asker(name, activity), (&question, &wanted), (&used, &[]));
        ask("a", 1);
        ask("b", 1);
        let mut both = [next(&mut woken).await, next(&mut woken).await];
        both.sort();
        assert_eq!((both, server.seen().len()), (["a".to_owned(), "b".to_owned()], 1));
        assert_eq!(images.answer(&question), Some(Answer::Absent));
        assert!(images.is_asked_by(&question, &asker("a", 1)) && !images.is_asked_by(&question, &asker("a", 2)));
        images.keep_only("u-b", &[]);
        // The image comes, and the environment hears of something: that is worth a look before the pause is over.
        status.store(200, Ordering::SeqCst);
        ask("a", 2);
        assert_eq!(next(&mut woken).await, "a");
        assert!(matches!(images.answer(&question), Some(Answer::Found(found)) if found.digest == DIGEST));
        assert!(!images.is_asked_by(&question, &asker("a", 2)), "what is found is asked for no more");
        let before = server.seen().len();
        ask("c", 1);
        assert_eq!(server.seen().len(), before, "a fresh answer is given again");
    }

    #[tokio::test]
    async fn a_failure_in_between_does_not_make_a_missing_image_unknown() {
        let status = Arc::new(AtomicU16::new(404));
        let server = registry(&status).await;
        let (images, mut woken) = images(server.host());
        let (wanted, used) = (wanted(server.host()), [server.host().to_owned()]);
        let question = Question::of("shop", &wanted);
        images.ask(&asker("a", 1), (&question, &wanted), (&used, &[]));
        next(&mut woken).await;
        status.store(403, Ordering::SeqCst);
        assert!(images.publish(&question, Answer::Unknown(Unknown::Refused(String::new()))), "it is asked for again");
        assert_eq!(images.answer(&question), Some(Answer::Absent));
    }

    #[tokio::test]
    async fn a_registry_of_nobody_s_is_not_asked() {
        let server = registry(&Arc::new(AtomicU16::new(200))).await;
        let (images, _woken) = images(server.host());
        let wanted = wanted(server.host());
        let question = Question::of("shop", &wanted);
        images.ask(&asker("a", 1), (&question, &wanted), (&["docker.io".to_owned()], &[]));
        assert!(matches!(images.answer(&question), Some(Answer::Unknown(Unknown::NotAllowed(_)))));
        assert!(server.seen().is_empty());
    }

    #[test]
    fn pauses_differ_by_a_quarter_at_most() {
        for _ in 0..100 {
            let pause = jittered(Duration::from_secs(8));
            assert!(pause >= Duration::from_secs(6) && pause <= Duration::from_secs(10), "{pause:?}");
        }
    }
}
