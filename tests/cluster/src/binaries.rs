//! Finds the components' binaries: in `KUBEBUILDER_ASSETS`, in the cache, or built from their Go modules.
//!
//! The cache is one per user and shared by clones. A file lock lets one build at a time, each binary appears by a
//! rename, and what a killed build had finished stays.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{self, Path, PathBuf};
use std::process;

use anyhow::{Context, Result, bail, ensure};

use crate::go::Go;
use crate::recipe::{
    API_SERVER, CONTROLLER_MANAGER, Command, ETCD_SERVER, GATEWAY_API, HELM_COMMAND, KUBELET_DOUBLE, KWOK, PROMETHEUS_OPERATOR, Recipe,
    SCHEDULER, STAGES,
};

/// Where each component's binary is.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The store.
    pub etcd: PathBuf,
    /// The API server.
    pub api_server: PathBuf,
    /// Deployments, StatefulSets, garbage collection, namespaces.
    pub controller_manager: PathBuf,
    /// The scheduler.
    pub scheduler: PathBuf,
    /// Plays the kubelet.
    pub kwok: PathBuf,
    /// What kwok does with nodes, pods and volumes: a file of `Stage` objects.
    pub stages: PathBuf,
}

impl Binaries {
    /// Finds all binaries and builds those that are missing, which takes minutes once per user and machine.
    ///
    /// Fails in one line when Go is missing or too old, and with the end of Go's output when a build fails.
    pub fn find_or_build() -> Result<Self> {
        Ok(Self {
            etcd: binary(&ETCD_SERVER)?,
            api_server: binary(&API_SERVER)?,
            controller_manager: binary(&CONTROLLER_MANAGER)?,
            scheduler: binary(&SCHEDULER)?,
            kwok: binary(&KUBELET_DOUBLE)?,
            stages: Shelf::new(&KWOK)?.stages()?,
        })
    }
}

/// A file with the `CustomResourceDefinition`s of the Gateway API's standard channel, fetched once per user and machine. A
/// cluster has them only where somebody applies them.
pub fn gateway_api() -> Result<PathBuf> {
    let shelf = Shelf::new(&GATEWAY_API)?;
    shelf.find_or_make("crds.yaml", |part| shelf.collect("config/crd/standard", "CustomResourceDefinition", part))
}

/// The same of the Prometheus Operator, for what monitors a service: `ServiceMonitor`s and `PrometheusRule`s.
pub fn prometheus_operator() -> Result<PathBuf> {
    let shelf = Shelf::new(&PROMETHEUS_OPERATOR)?;
    shelf.find_or_make("crds.yaml", |part| shelf.collect_definitions(&["servicemonitors", "prometheusrules"], part))
}

/// Helm, built once per user and machine: none of the cluster's components, so whoever needs it asks for it.
pub fn helm() -> Result<PathBuf> {
    binary(&HELM_COMMAND)
}

/// The user's cache folder for clusters.
pub fn cache_folder() -> Result<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .context("cannot find the user's cache folder: set XDG_CACHE_HOME or HOME")?;
    Ok(cache.join("preview-env").join("cluster"))
}

fn binary(command: &Command) -> Result<PathBuf> {
    if let Some(found) = asset(command.name) {
        return Ok(found);
    }
    let shelf = Shelf::new(command.recipe)?;
    shelf.find_or_make(command.name, |part| shelf.build(command, part))
}

/// One module's folder in the cache.
struct Shelf {
    recipe: &'static Recipe,
    folder: PathBuf,
}

impl Shelf {
    fn new(recipe: &'static Recipe) -> Result<Self> {
        Ok(Self { recipe, folder: cache_folder()?.join(recipe.key()?) })
    }

    fn stages(&self) -> Result<PathBuf> {
        self.find_or_make("stages.yaml", |part| self.collect_stages(part))
    }

    fn find_or_make(&self, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let path = self.folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot create {}", self.folder.display()))?;
        let _lock = build_lock()?;
        if !path.is_file() {
            self.remove_left_overs()?;
            let part = self.folder.join(format!(".part-{}", process::id()));
            make(&part)?;
            fs::rename(&part, &path).with_context(|| format!("cannot put {} in its place", path.display()))?;
        }
        Ok(path)
    }

    /// Removes what killed builds left; whoever holds the lock is the only builder.
    fn remove_left_overs(&self) -> Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".part-") {
                fs::remove_file(entry.path()).with_context(|| format!("cannot remove {}", entry.path().display()))?;
            }
        }
        Ok(())
    }

    fn build(&self, command: &Command, to: &Path) -> Result<()> {
        let go = self.go()?;
        let version = self.recipe.version()?.trim_start_matches('v');
        let Command { name, package, takes, recipe: _ } = command;
        say(&format!("building {name} {version} from its Go module, once per machine (about {takes})"));
        go.build(package, &self.recipe.ld_flags()?, to).with_context(|| format!("cannot build {name} {version}"))?;
        ensure!(to.is_file(), "cannot build {name}: Go left no {}", to.display());
        Ok(())
    }

    fn collect_stages(&self, to: &Path) -> Result<()> {
        let parts = STAGES.iter().map(|stage| self.objects(&format!("kustomize/stage/{stage}"), "Stage"));
        let all = parts.collect::<Result<String>>()?;
        fs::write(to, all).with_context(|| format!("cannot write {}", to.display()))
    }

    fn collect(&self, folder: &str, kind: &str, to: &Path) -> Result<()> {
        fs::write(to, self.objects(folder, kind)?).with_context(|| format!("cannot write {}", to.display()))
    }

    /// Some of the Prometheus Operator's definitions, by their plurals: the others have hundreds of kilobytes each.
    fn collect_definitions(&self, plurals: &[&str], to: &Path) -> Result<()> {
        let folder = self.go()?.module_folder(self.recipe.module)?.join("example/prometheus-operator-crd");
        let mut all = String::new();
        for plural in plurals {
            let file = folder.join(format!("monitoring.coreos.com_{plural}.yaml"));
            all.push_str(&fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?);
        }
        fs::write(to, all).with_context(|| format!("cannot write {}", to.display()))
    }

    /// The files of one folder of the module that hold objects of a kind, as one text.
    fn objects(&self, folder: &str, kind: &str) -> Result<String> {
        let folder = self.go()?.module_folder(self.recipe.module)?.join(folder);
        let mut all = String::new();
        for file in files_of(&folder, kind).with_context(|| format!("cannot read {}", folder.display()))? {
            all.push_str("---\n");
            all.push_str(&fs::read_to_string(file)?);
        }
        Ok(all)
    }

    fn go(&self) -> Result<Go> {
        let folder = self.folder.join("recipe");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fs::write(folder.join("go.mod"), self.recipe.go_mod)?;
        fs::write(folder.join("go.sum"), self.recipe.go_sum)?;
        Go::find(folder, self.recipe.go_version()?)
    }
}

/// The files of one folder with objects of a kind, without kustomize's own file, in the order of their names.
fn files_of(folder: &Path, kind: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let yaml = path.extension().is_some_and(|ext| ext == "yaml");
        if yaml && fs::read_to_string(&path)?.contains(&format!("\nkind: {kind}\n")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A binary of that name in the folder that `KUBEBUILDER_ASSETS` names.
fn asset(name: &str) -> Option<PathBuf> {
    // Components run in folders of their own, so the path must not depend on ours.
    let path = path::absolute(env::var_os("KUBEBUILDER_ASSETS")?).ok()?.join(name);
    path.is_file().then_some(path)
}

/// Holds off other builds until it is dropped; the system lets go of it when a build is killed.
fn build_lock() -> Result<File> {
    let path = cache_folder()?.join("build.lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => say("the cluster's binaries are being built elsewhere: waiting"),
        Err(TryLockError::Error(error)) => bail!("cannot lock {}: {error}", path.display()),
    }
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Writes a line for whoever waits. Written directly, because the test harness swallows what `eprintln!` prints.
fn say(line: &str) {
    // Nobody reads standard error any more: then nobody misses the line.
    let _ = writeln!(io::stderr(), "test-cluster: {line}");
}
