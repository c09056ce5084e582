//! Objects and worlds for tests, made to be read as sentences.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::book::RuleBook;
use super::{Controlled, ImageSwap, Manifest, ObjectName, Plan, ResolvedImages, Snapshot, Target, plan_by};
use crate::api::baseline::Follow;
use crate::api::status::ImageOrigin;
use crate::domain::baseline::isolation::Isolation;
use crate::domain::baseline::{Choices, Hosts, Rewrite, Selection};
use crate::domain::{Baseline, EnvironmentName, Seed};

/// An object with nothing but its name.
pub fn object(api_version: &str, kind: &str, name: &str) -> Manifest {
    Manifest::new(json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}}))
}

/// A Deployment of one pod that stops quickly.
pub fn deployment(name: &str) -> Manifest {
    object("apps/v1", "Deployment", name).with("/spec", workload_spec(name))
}

/// A StatefulSet of one pod that stops quickly.
pub fn stateful_set(name: &str) -> Manifest {
    object("apps/v1", "StatefulSet", name).with("/spec", workload_spec(name)).with("/spec/serviceName", json!(name))
}

/// A Service of pods that carry its name.
pub fn service(name: &str) -> Manifest {
    object("v1", "Service", name).with("/spec", json!({"selector": {"app": name}, "ports": [{"port": 80}]}))
}

/// A `CronJob` of one container that stops quickly.
pub fn cron_job(name: &str) -> Manifest {
    let template = workload_spec(name)["template"].clone();
    let spec = json!({"schedule": "0 3 * * *", "suspend": false, "jobTemplate": {"spec": {"template": template}}});
    object("batch/v1", "CronJob", name).with("/spec", spec)
}

/// An autoscaler of a Deployment.
pub fn autoscaler(name: &str, deployment: &str) -> Manifest {
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment});
    object("autoscaling/v2", "HorizontalPodAutoscaler", name).with("/spec", json!({"scaleTargetRef": target, "maxReplicas": 5}))
}

/// An `HTTPRoute` from those hosts of a Gateway here to a Service of its name.
pub fn http_route(name: &str, hosts: &[&str]) -> Manifest {
    let rules = json!([{"backendRefs": [{"name": name, "port": 80}]}]);
    object("gateway.networking.k8s.io/v1", "HTTPRoute", name)
        .with("/spec", json!({"parentRefs": [{"name": "edge"}], "hostnames": hosts, "rules": rules}))
}

fn workload_spec(name: &str) -> Value {
    let container = json!({"name": name, "image": format!("{name}:1")});
    json!({
        "replicas": 1,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 5},
        },
    })
}

/// The object, controlled by `owner`, which is a kind and a name.
pub fn controlled_by(object: Manifest, api_version: &str, owner: &str) -> Manifest {
    let (kind, name) = owner.split_once('/').unwrap();
    let reference = json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": "u", "controller": true});
    object.with("/metadata/ownerReferences", json!([reference]))
}

impl Manifest {
    /// With a value at a JSON pointer.
    pub fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, field) = pointer.rsplit_once('/').unwrap_or_default();
        if let Some(Value::Object(map)) = self.get_mut(parent) {
            map.insert(field.to_owned(), value);
        } else {
            let path: Vec<&str> = parent.split('/').skip(1).collect();
            self.set(&path, field, value);
        }
        self
    }

    /// Without a field of the object at a JSON pointer.
    pub fn without(mut self, parent: &str, field: &str) -> Self {
        self.remove(parent, field);
        self
    }

    /// With a label.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.set(&["metadata", "labels"], key, json!(value));
        self
    }

    /// With an annotation.
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.set(&["metadata", "annotations"], key, json!(value));
        self
    }

    /// With a label on its pods.
    pub fn pod_label(mut self, key: &str, value: &str) -> Self {
        self.set(&["spec", "template", "metadata", "labels"], key, json!(value));
        self
    }

    /// With that image in its first container.
    pub fn image(self, image: &str) -> Self {
        self.with("/spec/template/spec/containers/0/image", json!(image))
    }

    /// With that image in the first container of its Jobs.
    pub fn image_of_jobs(self, image: &str) -> Self {
        self.with("/spec/jobTemplate/spec/template/spec/containers/0/image", json!(image))
    }

    /// With that many pods.
    pub fn replicas(self, count: i64) -> Self {
        self.with("/spec/replicas", json!(count))
    }

    /// With a claim that each of its pods gets.
    pub fn claim(self, name: &str) -> Self {
        let claim = json!({"metadata": {"name": name, "creationTimestamp": null}, "spec": {}, "status": {"phase": "Pending"}});
        self.with("/spec/volumeClaimTemplates", json!([claim]))
    }
}

/// What is made around a copy where the Baseline's `isolation` says this.
pub fn isolated(isolation: Value) -> Isolation {
    isolation_of(Value::Object([("isolation".to_owned(), isolation)].into_iter().collect()))
}

/// The same where the Baseline's spec says this.
pub fn isolation_of(more: Value) -> Isolation {
    let mut spec = json!({"repositories": [{"name": "acme/web"}]});
    if let (Some(spec), Value::Object(mut more)) = (spec.as_object_mut(), more) {
        spec.append(&mut more);
    }
    let mut object = crate::api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some("shop".into());
    Baseline::try_from(&object).unwrap().isolation
}

/// Everything that a plan follows from: namespace `shop`, environment `web-pr-42`, domain `preview.example.com`.
pub struct World {
    pub snapshot: Snapshot,
    pub images: ResolvedImages,
    baseline: Baseline,
    seed: Option<Seed>,
    isolated: bool,
    held: HashSet<String>,
    recorded: HashSet<String>,
}

/// A plan, with ways to look into it.
pub struct Made {
    pub plan: Plan,
}

impl World {
    /// A baseline of those objects.
    pub fn of(objects: impl IntoIterator<Item = Manifest>) -> Self {
        let hosts = Hosts {
            probe: crate::api::baseline::Probe::default(),
            domain: "preview.example.com".into(),
            ingress_class_name: None,
            annotations: BTreeMap::new(),
            gateway: None,
            expose: vec![],
        };
        let baseline = Baseline {
            namespace: "shop".into(),
            name: "shop".into(),
            uid: "uid-shop".into(),
            generation: 1,
            repositories: vec![],
            created_at: None,
            doubted_at: None,
            held: std::collections::BTreeMap::new(),
            trigger: crate::domain::baseline::Trigger::default(),
            trust: crate::api::baseline::Trust::default(),
            feedback: crate::api::baseline::FeedbackRules::default(),
            hosts: Some(hosts),
            secrets: vec![],
            images: crate::domain::baseline::ImagePolicy::default(),
            env: vec![],
            patches: vec![],
            rewrite: Rewrite::default(),
            selection: Selection::default(),
            choices: Choices::default(),
            ttl: std::time::Duration::from_secs(86_400),
            max: None,
            warn_before: std::time::Duration::from_secs(14_400),
            grace: std::time::Duration::ZERO,
            limits: crate::api::baseline::Limits::default(),
            follow: Follow::OnPush,
            hooks: vec![],
            isolation: Isolation::default(),
            policy: crate::domain::policy::Ruling::default(),
        };
        Self {
            snapshot: Snapshot { objects: objects.into_iter().collect(), ..Snapshot::default() },
            images: ResolvedImages::default(),
            baseline,
            seed: Some(Seed::for_show()),
            isolated: false,
            held: HashSet::new(),
            recorded: HashSet::new(),
        }
    }

    /// And an object of another kind.
    pub fn other(mut self, object: ObjectName) -> Self {
        self.snapshot.others.push(object);
        self
    }

    /// And an object of another kind that `owner` controls, which is a kind and a name.
    pub fn made(mut self, object: ObjectName, api_version: &str, owner: &str) -> Self {
        let (kind, name) = owner.split_once('/').unwrap();
        let owner = ObjectName { api_version: api_version.into(), kind: kind.into(), name: name.into() };
        self.snapshot.controlled.push(Controlled { object, owner });
        self
    }

    /// And a listed Secret that is not there.
    pub fn missing(mut self, secret: &str) -> Self {
        self.snapshot.missing_secrets.push(secret.to_owned());
        self
    }

    /// The branch builds that image.
    pub fn branch(self, repository: &str, tag: &str) -> Self {
        self.swap(repository, tag, ImageOrigin::Branch)
    }

    /// A person asked for that image.
    pub fn asked(self, repository: &str, tag: &str) -> Self {
        self.swap(repository, tag, ImageOrigin::Override)
    }

    fn swap(mut self, repository: &str, tag: &str, from: ImageOrigin) -> Self {
        self.images.swaps.push(ImageSwap::by_tag(repository.parse().unwrap(), tag.to_owned(), from));
        self
    }

    /// Another environment holds that host.
    pub fn held(mut self, host: &str) -> Self {
        self.held.insert(host.to_owned());
        self
    }

    /// This environment was given that host before.
    pub fn recorded(mut self, host: &str) -> Self {
        self.recorded.insert(host.to_owned());
        self
    }

    /// The Baseline differs.
    pub fn baseline(mut self, change: impl FnOnce(&mut Baseline)) -> Self {
        change(&mut self.baseline);
        self
    }

    /// It is for a change from outside that nobody approved.
    pub fn isolated(mut self) -> Self {
        self.isolated = true;
        self
    }

    /// The service has that seed.
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The service has no seed.
    pub fn without_seed(mut self) -> Self {
        self.seed = None;
        self
    }

    /// The Baseline says nothing about hosts.
    pub fn without_domain(self) -> Self {
        self.baseline(|b| b.hosts = None)
    }

    /// The Baseline names a class for Ingresses.
    pub fn class(mut self, class: &str) -> Self {
        self.baseline.hosts.as_mut().unwrap().ingress_class_name = Some(class.to_owned());
        self
    }

    /// The Baseline gives Ingresses that annotation.
    pub fn annotated(mut self, key: &str, value: &str) -> Self {
        self.baseline.hosts.as_mut().unwrap().annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Its Baseline.
    pub fn its_baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// The plan for it.
    pub fn plan(&self) -> Made {
        self.plan_by(&RuleBook::all())
    }

    /// The plan for it by those rules and no others.
    pub(in crate::plan) fn plan_by(&self, book: &RuleBook) -> Made {
        self.with_target(|target| Made { plan: plan_by(book, (&self.snapshot, target, &self.images)) })
    }

    /// Something that is asked of its environment.
    pub fn with_target<T>(&self, ask: impl FnOnce(&Target<'_>) -> T) -> T {
        let environment = EnvironmentName::recorded("web-pr-42");
        let target = Target {
            environment: &environment,
            uid: "uid-42",
            namespace: "shop-web-pr-42",
            baseline: &self.baseline,
            isolated: self.isolated,
            source: None,
            seed: self.seed.as_ref(),
            held_hosts: &self.held,
            recorded_hosts: &self.recorded,
            run: "revision",
        };
        ask(&target)
    }
}

impl Made {
    /// The planned object of that kind and name.
    pub fn find(&self, name: &str) -> &Manifest {
        let found = self.objects().find(|m| m.name().to_string() == name);
        found.unwrap_or_else(|| panic!("{name} is not in the plan: {:#?}", self.said()))
    }

    /// All objects in the order of the plan.
    pub fn objects(&self) -> impl Iterator<Item = &Manifest> {
        self.plan.stages.iter().flatten().map(|p| &p.manifest)
    }

    /// The decisions as people read them.
    pub fn said(&self) -> Vec<String> {
        self.plan.decisions.iter().map(ToString::to_string).collect()
    }
}
