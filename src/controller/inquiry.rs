//! The images of one environment in one pass: what is known of them, and asking for the rest. `images.rs` asks the
//! registries, and `changes.rs` the forge; the client is used here for one list of a baseline's pods.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use kube::Client;

use super::changes::{Change, Changes};
use super::images::{Asker, Images, Question};
use super::pods::Running;
use super::resolve::{Known, News, Resolution, Wanted, is_settled, resolution, wanted};
use crate::api::status::{ImageState, ImageStatus};
use crate::domain::template::TemplateError;
use crate::domain::{Baseline, Environment, ImageRef};
use crate::plan::{Manifest, Snapshot, images_of, pull_secrets_of, service_account_of};
use crate::registry::Credentials;

/// How long the registries may take beside what a pass does anyway. One in the same region answers within this time;
/// what comes later wakes the environment once more.
const PATIENCE: Duration = Duration::from_millis(300);

/// The images of one environment.
pub struct Inquiry<'a> {
    images: &'a Arc<Images>,
    changes: &'a Arc<Changes>,
    baseline: &'a Baseline,
    recorded: &'a [ImageStatus],
    asker: Asker,
    wanted: Vec<(Wanted, Question)>,
    now: DateTime<Utc>,
}

impl<'a> Inquiry<'a> {
    /// What this environment is to run, going on from what is recorded.
    pub fn new(
        (images, changes): (&'a Arc<Images>, &'a Arc<Changes>),
        environment: &Environment,
        (baseline, recorded): (&'a Baseline, &'a [ImageStatus]),
        now: DateTime<Utc>,
    ) -> Result<Self, TemplateError> {
        let asker = Asker {
            uid: environment.uid.clone(),
            namespace: environment.baseline_namespace.clone(),
            name: environment.name.to_string(),
            // Whatever changes is a reason to look once more, also what keeps nothing alive.
            activity: environment.asked_at().max(environment.activity.as_ref().map(|activity| activity.at)),
        };
        let with_question = |wanted: Wanted| {
            let question = Question::of(&baseline.namespace, &wanted);
            (wanted, question)
        };
        let wanted = wanted(environment, baseline)?.into_iter().map(with_question).collect();
        Ok(Self { images, changes, baseline, recorded, asker, wanted, now })
    }

    /// What follows from what is known at this moment.
    pub fn resolution(&self) -> Resolution {
        let known = Known { recorded: self.recorded, policy: self.baseline.images, nodes: self.images.nodes(), now: self.now };
        let wanted: Vec<Wanted> = self.wanted.iter().map(|(wanted, _)| wanted.clone()).collect();
        resolution(&wanted, &known, |wanted| match self.is_touched(wanted) {
            Some(true) => self.images.answer(&Question::of(&self.baseline.namespace, wanted)).map(News::Answered),
            Some(false) => Some(News::Unchanged),
            None => None,
        })
    }

    /// The same, with the images that the change does not touch held to what the baseline's pods run.
    pub async fn pinned(&self, client: &Client) -> Resolution {
        let mut resolution = self.resolution();
        let is_new = |record: &ImageStatus| record.state == ImageState::Unchanged && !self.recorded.contains(record);
        if resolution.record.iter().any(is_new) {
            let running = Running::list(client, &self.baseline.namespace).await;
            let wanted: Vec<Wanted> = self.wanted.iter().map(|(wanted, _)| wanted.clone()).collect();
            resolution.pin(&wanted, |repository| running.digest(repository));
        }
        resolution
    }

    /// Whether the change touches what an image is built from, once that is known.
    fn is_touched(&self, wanted: &Wanted) -> Option<bool> {
        let Some((paths, change)) = &wanted.built_from else { return Some(true) };
        self.changes.files(change).map(|files| files.touch(paths))
    }

    fn unknown_changes(&self) -> Vec<Change> {
        let unknown = self.unsettled().filter(|(wanted, _)| self.is_touched(wanted).is_none());
        unknown.filter_map(|(wanted, _)| wanted.built_from.as_ref().map(|(_, change)| change.clone())).collect()
    }

    /// The questions for registries that are neither answered for good nor not to be asked yet.
    fn questions(&self) -> impl Iterator<Item = &(Wanted, Question)> {
        self.unsettled().filter(|(wanted, _)| self.is_touched(wanted) == Some(true))
    }

    fn unsettled(&self) -> impl Iterator<Item = &(Wanted, Question)> {
        self.wanted.iter().filter(|(wanted, _)| !wanted.recorded(self.recorded).is_some_and(is_settled))
    }

    /// Whether everything is known, or will wake this environment when it is. Something new is looked at at once.
    pub fn is_under_way(&self) -> bool {
        self.questions().all(|(_, question)| self.images.is_asked_by(question, &self.asker))
            && self.unknown_changes().iter().all(|change| self.changes.is_asked_by(change, &self.asker.uid))
    }

    /// Asks for what is not known, with the logins that the baseline's own pods have for it.
    pub fn begin(&self, snapshot: &Snapshot) {
        let used = registries_of(&snapshot.objects);
        for change in self.unknown_changes() {
            self.changes.ask(&self.asker, &change);
        }
        for (wanted, question) in self.questions() {
            let logins = logins_for(&wanted.repository, &snapshot.objects);
            self.images.ask(&self.asker, (question, wanted), (&used, &logins));
        }
        let questions: Vec<Question> = self.questions().map(|(_, question)| question.clone()).collect();
        self.images.keep_only(&self.asker.uid, &questions);
    }

    /// Waits a little for the answers, and asks the registries for what the forge says is changed.
    pub async fn answered(&self, snapshot: &Snapshot) {
        let all = async {
            self.changes.answered(&self.unknown_changes()).await;
            self.begin(snapshot);
            let questions: Vec<Question> = self.questions().map(|(_, question)| question.clone()).collect();
            self.images.answered(&questions).await;
        };
        // What is not answered by then wakes the environment later.
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }
}

/// The registries that these objects' images come from.
fn registries_of(objects: &[Manifest]) -> Vec<String> {
    let images = objects.iter().flat_map(images_of).filter_map(|image| image.parse::<ImageRef>().ok());
    images.map(|image| image.registry_and_path().0).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The logins of the pods that run an image: their own pull secrets and those of their service accounts, as far as the
/// Baseline lists them.
fn logins_for(repository: &ImageRef, objects: &[Manifest]) -> Vec<Credentials> {
    let runs_it =
        |object: &&Manifest| images_of(object).filter_map(|i| i.parse().ok()).any(|image: ImageRef| image.same_repository(repository));
    let mut names: HashSet<&str> = HashSet::new();
    for workload in objects.iter().filter(runs_it) {
        names.extend(pull_secrets_of(workload));
        let account = service_account_of(workload);
        let accounts = objects.iter().filter(|o| o.kind() == "ServiceAccount" && o.text("/metadata/name") == Some(account));
        names.extend(accounts.flat_map(pull_secrets_of));
    }
    let secrets = objects.iter().filter(|o| o.kind() == "Secret" && o.text("/metadata/name").is_some_and(|name| names.contains(name)));
    secrets.filter_map(|secret| Credentials::of_secret(secret.value())).collect()
}
