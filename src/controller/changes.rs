//! Asks the forge what pull requests change, beside the passes over environments: each question once. An answer wakes
//! whoever asked. The forge is used here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::images::Asker;
use super::wake::Wake;
use crate::api::baseline::ForgeKind;
use crate::domain::RepoName;
use crate::forge::{ChangedFiles, Class, Forge, ForgeError, home};

/// Pauses before the forge is asked once more. After the last, everything counts as changed: then an image is waited for
/// that perhaps nobody builds, but nothing runs that is not the change's.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25)];
/// How long an answer is kept for other environments of the same pull request.
const LIFE: Duration = Duration::from_secs(600);

/// A pull request at one commit.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Change {
    /// The forge.
    pub forge: ForgeKind,
    /// The repository's number.
    pub repository_id: i64,
    /// The repository.
    pub repository: RepoName,
    /// Number of the pull request.
    pub pull: i64,
    /// Its head.
    pub revision: String,
}

/// What is known of the changes.
pub struct Changes {
    forge: Option<Arc<dyn Forge>>,
    known: Mutex<HashMap<Change, Known>>,
    answered: watch::Sender<u64>,
    wake: Wake,
}

#[derive(Default)]
struct Known {
    files: Option<(ChangedFiles, Instant)>,
    askers: HashMap<String, Asker>,
}

impl Changes {
    /// Nothing is asked yet. Without a forge nobody can be asked, and everything counts as changed.
    pub fn new(forge: Option<Arc<dyn Forge>>, wake: Wake) -> Self {
        Self { forge, known: Mutex::default(), answered: watch::Sender::new(0), wake }
    }

    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<Change, Known>) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The files of a change, once they are known.
    pub fn files(&self, change: &Change) -> Option<ChangedFiles> {
        if self.forge.is_none() {
            return Some(ChangedFiles::TooMany);
        }
        self.lock(|known| known.get(change)?.files.as_ref().map(|(files, _)| files.clone()))
    }

    /// Whether an answer will wake this environment.
    pub fn is_asked_by(&self, change: &Change, uid: &str) -> bool {
        self.lock(|known| known.get(change).is_some_and(|k| k.files.is_none() && k.askers.contains_key(uid)))
    }

    /// Asks, unless it is asked already.
    pub fn ask(self: &Arc<Self>, asker: &Asker, change: &Change) {
        let Some(forge) = self.forge.clone() else { return };
        let begun = self.lock(|known| {
            known.retain(|_, k| k.files.as_ref().is_none_or(|(_, at)| at.elapsed() < LIFE));
            let begun = !known.contains_key(change);
            let entry = known.entry(change.clone()).or_default();
            if entry.files.is_none() {
                entry.askers.insert(asker.uid.clone(), asker.clone());
            }
            begun
        });
        if begun {
            tokio::spawn(self.clone().pursue(forge, change.clone()));
        }
    }

    /// Waits until all changes are known. Give it a deadline.
    pub async fn answered(&self, changes: &[Change]) {
        let mut answered = self.answered.subscribe();
        while !changes.iter().all(|change| self.files(change).is_some()) {
            if answered.changed().await.is_err() {
                return;
            }
        }
    }

    async fn pursue(self: Arc<Self>, forge: Arc<dyn Forge>, change: Change) {
        let mut pauses = PAUSES.into_iter();
        let files = loop {
            match files(forge.as_ref(), &change).await {
                Ok(files) => break files,
                Err(error) => {
                    let Some(pause) = pauses.next().filter(|_| error.class() == Class::Transient) else {
                        tracing::warn!(repo = %change.repository, pull = change.pull, %error, "everything counts as changed");
                        break ChangedFiles::TooMany;
                    };
                    tokio::time::sleep(pause).await;
                }
            }
        };
        let askers = self.lock(|known| {
            let entry = known.entry(change).or_default();
            entry.files = Some((files, Instant::now()));
            std::mem::take(&mut entry.askers)
        });
        self.answered.send_modify(|count| *count += 1);
        for asker in askers.values() {
            self.wake.environment(&asker.namespace, &asker.name);
        }
    }
}

/// Asked of the repository of that number alone, whatever has its name now.
async fn files(forge: &dyn Forge, change: &Change) -> Result<ChangedFiles, ForgeError> {
    let name = home(forge, change.repository_id, &[&change.repository]).await?;
    forge.changed_files(&name, change.pull).await
}
