//! Reads the namespace of one Baseline, in that namespace alone: one watch for each kind that can be cloned, and a list
//! now and then of the names of others. The client is used here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::authorization::v1::{ResourceRule, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ListParams, PostParams};
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::baseline_cache::{BaselineCache, Names};
use super::catalogue::Catalogue;
use super::discovery::Discovery;
use super::requests::{RequestError, within_deadline};
use super::scope::{Scope, Watch, allow_reading};
use crate::domain::baseline::GroupKind;
use crate::kinds::{Kind, Reading};
use crate::plan::{Manifest, ObjectName};

/// How often a kind that a Baseline names and nobody serves is looked for.
const LOOK_FOR_MISSING: Duration = Duration::from_secs(30);
/// How often it is asked whether more kinds of custom resources may be listed.
const LOOK_FOR_RIGHTS: Duration = Duration::from_secs(600);
/// How often the names of what is not cloned are listed.
const LIST_NAMES: Duration = Duration::from_secs(270);
/// How soon a list that failed is tried again, at first and at last.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// Names in one answer.
const PAGE: u32 = 500;

/// What a reader works with.
pub struct Reader {
    /// The client.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    /// What it fills.
    pub cache: Arc<BaselineCache>,
    /// Which kinds there are.
    pub discovery: Arc<Discovery>,
    /// The custom resources that the Baseline asks for.
    pub custom: watch::Receiver<Vec<GroupKind>>,
}

/// A task that ends when this is dropped.
#[derive(Debug)]
pub struct Task(AbortHandle);

impl Task {
    /// Starts it.
    pub fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work).abort_handle())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Keeps the cache of a namespace up to date until it is dropped.
pub async fn follow(reader: Reader) {
    let (client, namespace, cache) = (reader.client.clone(), reader.namespace.clone(), reader.cache.clone());
    futures::join!(follow_scope(reader), follow_label(Api::all(client), &namespace, &cache));
}

/// Reads what is to be read, and goes over it again whenever other kinds are served or asked for.
async fn follow_scope(mut reader: Reader) {
    let mut tasks: HashMap<Watch, Task> = HashMap::new();
    let mut served = reader.discovery.subscribe();
    // Kinds are often installed shortly before what uses them.
    reader.discovery.look_again();
    loop {
        let catalogue = served.borrow_and_update().clone();
        let mut pause = LOOK_FOR_RIGHTS;
        if let Some(catalogue) = catalogue {
            let scope = scope(&mut reader, &catalogue).await;
            if !scope.problems.is_empty() {
                // What was just installed may not have been seen yet.
                reader.discovery.look_again();
                pause = LOOK_FOR_MISSING;
            }
            tasks.retain(|watch, _| scope.watches.contains(watch));
            reader.cache.read_only(scope.clone());
            for watch in scope.watches {
                tasks.entry(watch).or_insert_with_key(|watch| Task::spawn(reader.follow_kind(watch.clone())));
            }
        }
        tokio::select! {
            _ = served.changed() => {}
            _ = reader.custom.changed() => {}
            () = reader.cache.recovered.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn scope(reader: &mut Reader, catalogue: &Catalogue) -> Scope {
    let custom = reader.custom.borrow_and_update().clone();
    // Most often nothing but the table is served, and then nobody has to be asked.
    let rules = if catalogue.custom().next().is_some() { rights(&reader.client, &reader.namespace).await } else { Vec::new() };
    Scope::of(catalogue, &custom, |kind| allow_reading(&rules, kind))
}

/// What we may do in the namespace. Without an answer nothing is taken for granted.
async fn rights(client: &Client, namespace: &str) -> Vec<ResourceRule> {
    let spec = SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) };
    let review = SelfSubjectRulesReview { spec, ..SelfSubjectRulesReview::default() };
    let (api, post): (Api<SelfSubjectRulesReview>, _) = (Api::all(client.clone()), PostParams::default());
    let what = format!("ask what may be read in namespace {namespace}");
    match within_deadline(&what, api.create(&post, &review)).await {
        Ok(answer) => answer.status.map(|status| status.resource_rules).unwrap_or_default(),
        Err(error) => {
            tracing::warn!(namespace, %error, "custom resources are not named");
            Vec::new()
        }
    }
}

/// The namespace itself, for its labels: the one that its copies share, and those that policies select by.
async fn follow_label(api: Api<PartialObjectMeta<Namespace>>, namespace: &str, cache: &BaselineCache) {
    let one = watcher::Config::default().fields(&format!("metadata.name={namespace}"));
    let mut events = std::pin::pin!(watcher(api, one).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => {
                cache.put_namespace(object.labels().clone());
            }
            Ok(watcher::Event::InitDone) => cache.namespace_listed(),
            Ok(watcher::Event::Init | watcher::Event::Delete(_)) => {}
            Err(error) => tracing::warn!(namespace, %error, "a watch was interrupted and goes on"),
        }
    }
}

impl Reader {
    fn follow_kind(&self, watch: Watch) -> impl Future<Output = ()> + Send + 'static {
        let (client, namespace) = (self.client.clone(), self.namespace.clone());
        let kind = OfKind { watch, cache: self.cache.clone(), discovery: self.discovery.clone() };
        async move {
            let resource = kind.watch.kind.resource();
            match kind.watch.reading {
                Reading::Whole => kind.follow_whole(Api::namespaced_with(client, &namespace, &resource)).await,
                _ => kind.follow_names(Api::namespaced_with(client, &namespace, &resource)).await,
            }
        }
    }
}

/// One watch and what it fills.
struct OfKind {
    watch: Watch,
    cache: Arc<BaselineCache>,
    discovery: Arc<Discovery>,
}

impl OfKind {
    async fn follow_whole(self, api: Api<DynamicObject>) {
        let mut fresh = BTreeMap::new();
        let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => fresh = BTreeMap::new(),
                Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) if grants_us(&object) => {}
                Ok(watcher::Event::InitApply(object)) => drop(fresh.insert(object.name_any(), manifest(&self.watch.kind, object))),
                Ok(watcher::Event::InitDone) => self.cache.put_all(&self.watch, std::mem::take(&mut fresh)),
                Ok(watcher::Event::Apply(object)) => {
                    self.cache.put(&self.watch, object.name_any(), manifest(&self.watch.kind, object));
                }
                Ok(watcher::Event::Delete(object)) => self.cache.remove(&self.watch, &object.name_any()),
                Err(error) => self.failed(code_of(&error), &error.to_string()),
            }
        }
    }

    /// Names only tell what is left out, so they may be some minutes old. A list now and then costs less than one more
    /// connection that is held for ever, of which there would be more than for everything that is cloned.
    async fn follow_names(self, api: Api<DynamicObject>) {
        let mut retry = FIRST_RETRY;
        loop {
            let pause = match list_names(&api, &self.watch.kind).await {
                Ok(names) => {
                    self.cache.put_names(&self.watch, names);
                    retry = FIRST_RETRY;
                    LIST_NAMES + spread(&self.watch.kind)
                }
                Err(error) => {
                    self.failed(error.code(), &error.to_string());
                    let now = retry;
                    retry = (retry * 2).min(LONGEST_RETRY);
                    now
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// A kind that is not served any more answers 404.
    fn failed(&self, code: Option<u16>, why: &str) {
        if code == Some(404) {
            self.discovery.look_again();
        }
        self.cache.failed(&self.watch, why);
    }
}

fn code_of(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status)) => Some(status.code),
        _ => None,
    }
}

async fn list_names(api: &Api<DynamicObject>, kind: &Kind) -> Result<Names, RequestError> {
    let what = format!("list {kind}");
    let (mut names, mut params) = (Names::new(), ListParams::default().limit(PAGE));
    loop {
        let page = within_deadline(&what, api.list_metadata(&params)).await?;
        names.extend(page.items.iter().map(|object| (object.name_any(), controller(&object.metadata))));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(names),
        }
    }
}

/// Less than a minute, another one for each kind, so that they are not all listed at once.
fn spread(kind: &Kind) -> Duration {
    Duration::from_secs(kind.to_string().bytes().map(u64::from).sum::<u64>() % 60)
}

/// The Roles and RoleBindings that let us read the namespace are no part of the system in it.
fn grants_us(object: &DynamicObject) -> bool {
    object.metadata.name.as_ref().is_some_and(|name| name.starts_with("preview-env:baseline-"))
}

/// Lists leave out what each item is, so it is put back; who wrote which field is of no use to anybody here.
fn manifest(kind: &Kind, mut object: DynamicObject) -> Manifest {
    object.metadata.managed_fields = None;
    let mut value = serde_json::to_value(object).unwrap_or_default();
    value["apiVersion"] = kind.api_version.as_ref().into();
    value["kind"] = kind.kind.as_ref().into();
    Manifest::new(value)
}

fn controller(metadata: &ObjectMeta) -> Option<ObjectName> {
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))?;
    Some(ObjectName { api_version: owner.api_version.clone(), kind: owner.kind.clone(), name: owner.name.clone() })
}
