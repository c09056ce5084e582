//! The cluster that the user's kubeconfig names, asked with the user's own rights.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{Stream, StreamExt};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::Event;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Config, Resource, ResourceExt};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Global;
use super::errors::{Asked, Failure, Place};
use crate::api::{Baseline, PreviewEnvironment};
use crate::clock::Clock;

/// Long enough for a slow exec plugin and a busy API server, short enough for a person.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The schema's limit for `wish.actor`.
const ACTOR_MAX: usize = 253;

/// A connection, and the namespace that commands are about.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    clock: Clock,
    place: Place,
    /// The namespace of the Baseline: `--namespace`, else the context's.
    pub namespace: String,
}

/// A part of an environment's spec, with the field manager that owns it.
pub struct Part<'a> {
    /// The environment's name.
    pub name: &'a str,
    /// Its UID, where the object must be the one that was read.
    pub uid: Option<&'a str>,
    /// Its Baseline.
    pub baseline: &'a str,
    /// The field manager of the part.
    pub manager: &'static str,
    /// The field of spec.
    pub field: &'static str,
    /// What it is to hold.
    pub value: Value,
}

/// The configuration that the flags name: `--kubeconfig`, `KUBECONFIG`, `~/.kube/config`, and inside a pod the pod's own.
pub async fn config(global: &Global) -> Result<(Config, Option<String>), Failure> {
    let read = match &global.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let chosen = global.kubeconfig.is_some() || global.context.is_some();
    let (mut config, context) = match read {
        Err(error) if chosen => return Err(unreadable(&error)),
        Err(error) => (Config::incluster().map_err(|_| unreadable(&error))?, None),
        Ok(file) => {
            let context = global.context.clone().or_else(|| file.current_context.clone());
            let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
            (Config::from_custom_kubeconfig(file, &options).await.map_err(|e| unreadable(&e))?, context)
        }
    };
    // The client's own retries wait up to 1,000 s on 429, 503 and 504.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_LIMIT);
    Ok((config, context))
}

fn unreadable(error: &kube::config::KubeconfigError) -> Failure {
    Failure::failed(format!("cannot use the kubeconfig: {error}"))
        .next("name one with --kubeconfig or KUBECONFIG, and a context of it with --context")
        .next("see what there is: kubectl config get-contexts")
}

impl Cluster {
    /// Reads the kubeconfig. Nothing is sent yet.
    pub async fn connect(global: &Global) -> Result<Self, Failure> {
        let (config, context) = config(global).await?;
        let place = Place { url: config.cluster_url.to_string().trim_end_matches('/').to_owned(), context };
        let namespace = global.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let clock = Clock::default();
        let client = clock.client(config).map_err(|e| Failure::failed(format!("cannot use the kubeconfig: {e}")))?;
        Ok(Self { client, clock, place, namespace })
    }

    /// The Baselines of the namespace.
    pub async fn baselines(&self) -> Result<Vec<Baseline>, Failure> {
        let api: Api<Baseline> = Api::namespaced(self.client.clone(), &self.namespace);
        let asked = self.asked("list", "baselines");
        Ok(self.ask(asked, api.list(&ListParams::default())).await?.items)
    }

    /// The Baselines of every namespace, by namespace and name.
    pub async fn all_baselines(&self) -> Result<Vec<Baseline>, Failure> {
        let asked = Asked { namespace: None, ..self.asked("list", "baselines") };
        let mut items = self.ask(asked, Api::<Baseline>::all(self.client.clone()).list(&ListParams::default())).await?.items;
        items.sort_by_key(|b| (b.namespace(), b.name_any()));
        Ok(items)
    }

    /// The environments of the namespace, by name.
    pub async fn environments(&self) -> Result<Vec<PreviewEnvironment>, Failure> {
        let asked = self.asked("list", "previewenvironments");
        self.listed(self.api(), asked).await
    }

    /// The environments of every namespace, by namespace and name.
    pub async fn all_environments(&self) -> Result<Vec<PreviewEnvironment>, Failure> {
        let asked = Asked { namespace: None, ..self.asked("list", "previewenvironments") };
        self.listed(Api::all(self.client.clone()), asked).await
    }

    async fn listed(&self, api: Api<PreviewEnvironment>, asked: Asked<'_>) -> Result<Vec<PreviewEnvironment>, Failure> {
        let mut items = self.ask(asked, api.list(&ListParams::default())).await?.items;
        items.sort_by_key(|e| (e.namespace(), e.name_any()));
        Ok(items)
    }

    /// One environment, if it is there.
    pub async fn environment(&self, name: &str) -> Result<Option<PreviewEnvironment>, Failure> {
        let api = self.api();
        self.ask(self.asked("get", "previewenvironments"), api.get_opt(name)).await
    }

    /// Writes one part by server-side apply and returns the whole.
    pub async fn apply(&self, part: Part<'_>) -> Result<PreviewEnvironment, Failure> {
        let Part { name, uid, baseline, manager, field, value } = part;
        let mut object = json!({
            "apiVersion": PreviewEnvironment::api_version(&()),
            "kind": PreviewEnvironment::kind(&()),
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"baseline": baseline, field: value},
        });
        if let Some(uid) = uid {
            object["metadata"]["uid"] = uid.into();
        }
        let (api, params) = (self.api(), PatchParams::apply(manager).force());
        self.ask(self.asked("patch", "previewenvironments"), api.patch(name, &params, &Patch::Apply(&object))).await
    }

    /// Who asks, as the cluster knows them; `unknown` only where the cluster does not say.
    pub async fn user(&self) -> Result<String, Failure> {
        let api: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let asked = Asked { namespace: None, ..self.asked("create", "selfsubjectreviews") };
        let (params, review) = (PostParams::default(), SelfSubjectReview::default());
        let name = match timeout(ANSWER_LIMIT, api.create(&params, &review)).await {
            Err(_) => return Err(self.place.silent(&asked, ANSWER_LIMIT)),
            Ok(Err(kube::Error::Api(status))) if status.code != 401 => None,
            Ok(answer) => answer.map_err(|e| self.place.failure(&asked, &e))?.status.and_then(|s| s.user_info?.username),
        };
        Ok(name.unwrap_or_else(|| "unknown".to_owned()).chars().take(ACTOR_MAX).collect())
    }

    /// What happened to an environment, the latest last.
    pub async fn events(&self, environment: &PreviewEnvironment) -> Result<Vec<Event>, Failure> {
        let namespace = environment.namespace().unwrap_or_else(|| self.namespace.clone());
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let of_it = ListParams::default().fields(&format!("involvedObject.uid={}", environment.uid().unwrap_or_default()));
        let asked = Asked { verb: "list", resource: "events", namespace: Some(&namespace) };
        let mut events = self.ask(asked, api.list(&of_it)).await?.items;
        events.sort_by_key(last_seen);
        Ok(events)
    }

    /// An environment as it is and becomes: nothing once it is gone. A connection that breaks is made again; a refusal
    /// ends the stream.
    pub fn watch(&self, name: &str) -> impl Stream<Item = Result<Option<PreviewEnvironment>, Failure>> + use<> {
        let (place, namespace) = (self.place.clone(), self.namespace.clone());
        let changes = watcher::watch_object(self.api(), name).default_backoff();
        changes.filter_map(move |change| {
            let asked = Asked { verb: "watch", resource: "previewenvironments", namespace: Some(&namespace) };
            let seen = change.map_or_else(|error| refusal(&error).map(|e| Err(place.failure(&asked, e))), |object| Some(Ok(object)));
            std::future::ready(seen)
        })
    }

    /// The environments of the namespace, or of all, as they become: each with whether it is there.
    pub fn watch_all(&self, everywhere: bool) -> impl Stream<Item = Result<(PreviewEnvironment, bool), Failure>> + use<> {
        let (place, namespace) = (self.place.clone(), (!everywhere).then(|| self.namespace.clone()));
        let api = if everywhere { Api::all(self.client.clone()) } else { self.api() };
        watcher(api, watcher::Config::default()).default_backoff().filter_map(move |change| {
            let asked = Asked { verb: "watch", resource: "previewenvironments", namespace: namespace.as_deref() };
            std::future::ready(match change {
                Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => Some(Ok((object, true))),
                Ok(watcher::Event::Delete(object)) => Some(Ok((object, false))),
                Ok(watcher::Event::Init | watcher::Event::InitDone) => None,
                Err(error) => refusal(&error).map(|error| Err(place.failure(&asked, error))),
            })
        })
    }

    /// The API server's time, once it has answered anything: what people ask for is stamped with that.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// By how much the API server's clock is ahead of this machine's, once it has answered anything.
    pub fn ahead(&self) -> Option<TimeDelta> {
        self.clock.ahead_of(Utc::now())
    }

    /// URL of the API server.
    pub fn url(&self) -> &str {
        &self.place.url
    }

    /// The client, for objects of other kinds.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Asks for something that the user may have no right to: nothing where they have none, or where the cluster does not
    /// know it.
    pub async fn may_ask<T>(&self, asked: Asked<'_>, call: impl Future<Output = kube::Result<T>>) -> Result<Option<T>, Failure> {
        match timeout(ANSWER_LIMIT, call).await {
            Err(_) => Err(self.place.silent(&asked, ANSWER_LIMIT)),
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 403..=405) => Ok(None),
            Ok(answer) => answer.map(Some).map_err(|error| self.place.failure(&asked, &error)),
        }
    }

    fn api(&self) -> Api<PreviewEnvironment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn asked(&self, verb: &'static str, resource: &'static str) -> Asked<'_> {
        Asked { verb, resource, namespace: Some(&self.namespace) }
    }

    /// Asks for something, and says what it means where that fails.
    pub async fn ask<T>(&self, asked: Asked<'_>, call: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
        let answer = timeout(ANSWER_LIMIT, call).await.map_err(|_| self.place.silent(&asked, ANSWER_LIMIT))?;
        answer.map_err(|error| self.place.failure(&asked, &error))
    }
}

/// The error of a watch that trying again does not mend.
fn refusal(error: &watcher::Error) -> Option<&kube::Error> {
    match error {
        watcher::Error::InitialListFailed(inner) | watcher::Error::WatchStartFailed(inner) => match inner {
            kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404) => Some(inner),
            kube::Error::SerdeError(_) | kube::Error::Auth(_) => Some(inner),
            _ => None,
        },
        _ => None,
    }
}

/// When an Event was last seen: old ones and those of `events.k8s.io` say it in different fields.
pub fn last_seen(event: &Event) -> Option<i64> {
    let series = event.series.as_ref().and_then(|s| s.last_observed_time.as_ref());
    let micro = series.or(event.event_time.as_ref()).map(|t| t.0.as_second());
    let plain = event.last_timestamp.as_ref().map(|t| t.0.as_second());
    plain.max(micro).or_else(|| event.metadata.creation_timestamp.as_ref().map(|t| t.0.as_second()))
}
