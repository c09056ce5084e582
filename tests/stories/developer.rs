//! A developer at a shell: the rights of `edit` in the shop's namespace, a folder of their own, and a pipe for a screen.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use kube::Api;
use preview_env::api::PreviewEnvironment;
use serde_json::json;
use tempfile::TempDir;
use test_world::{DEVELOPER, World, apply};
use tokio::process::Command;

use crate::shop::Shop;

/// What a command left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Its output, of a command that ends well.
    #[track_caller]
    pub fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// What it says, of a command that ends with that code and prints nothing for scripts.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{}", self.stderr);
        self.stderr
    }
}

/// A developer of one shop.
pub struct Developer {
    kubeconfig: PathBuf,
    home: TempDir,
}

impl Developer {
    /// Lets the administrator give them `edit` in the shop's namespace, and nothing else anywhere.
    pub async fn of(shop: &Shop) -> anyhow::Result<Self> {
        Self::with_role(shop.world, &shop.namespace, "edit").await
    }

    /// Lets the administrator give them that ClusterRole in a namespace, and nothing else anywhere.
    pub async fn with_role(world: &World, namespace: &str, role: &str) -> anyhow::Result<Self> {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": DEVELOPER}});
        apply(&world.admin, &serde_json::from_value(account)?, Some(namespace)).await?;
        Self::bind(world, namespace, namespace, role).await?;
        let kubeconfig = world.cluster.service_account_kubeconfig(namespace, DEVELOPER).await?;
        Ok(Self { kubeconfig, home: tempfile::tempdir()? })
    }

    /// Lets the developer of one namespace use a ClusterRole in another.
    pub async fn bind(world: &World, of: &str, there: &str, role: &str) -> anyhow::Result<()> {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": DEVELOPER},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": DEVELOPER, "namespace": of}],
        });
        apply(&world.admin, &serde_json::from_value(binding)?, Some(there)).await?;
        Ok(())
    }

    /// Lets them do everything everywhere: the rights in a namespace end with it.
    pub async fn administers(&self, shop: &Shop) -> anyhow::Result<()> {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": format!("administer-{}", shop.namespace)},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": DEVELOPER, "namespace": shop.namespace}],
        });
        apply(&shop.world.admin, &serde_json::from_value(binding)?, None).await
    }

    /// The environments of that shop, as they see them without the command line.
    pub async fn environments(shop: &Shop) -> anyhow::Result<Api<PreviewEnvironment>> {
        let client = shop.world.cluster.service_account_client(&shop.namespace, DEVELOPER).await?;
        Ok(Api::namespaced(client, &shop.namespace))
    }

    /// Where they stand.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs `preview` with these arguments.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<Ran> {
        self.command(env!("CARGO_BIN_EXE_preview"), arguments).await
    }

    /// Runs a script of the shell, in which `preview` is the command line.
    pub async fn sh(&self, script: &str) -> anyhow::Result<Ran> {
        self.command("sh", &["-c", &with_preview(script)]).await
    }

    /// The same on a terminal of its own, what is shown there being its output.
    pub async fn on_a_terminal(&self, script: &str) -> anyhow::Result<Ran> {
        self.command("script", &["--quiet", "--return", "--command", &with_preview(script), "/dev/null"]).await
    }

    /// Runs git with these arguments, which must go well.
    pub async fn git(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let ran = self.command("git", arguments).await?;
        anyhow::ensure!(ran.code == Some(0), "git {arguments:?}: {}", ran.stderr);
        Ok(())
    }

    async fn command(&self, program: &str, arguments: &[&str]) -> anyhow::Result<Ran> {
        let command = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("KUBECONFIG", &self.kubeconfig)
            .current_dir(self.home())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(2 * test_world::deadline(), command).await;
        let output = output.with_context(|| format!("{program} {arguments:?} does not end"))??;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) })
    }
}

fn with_preview(script: &str) -> String {
    format!("export PREVIEW='{}'\npreview() {{ \"$PREVIEW\" \"$@\"; }}\n{script}", env!("CARGO_BIN_EXE_preview"))
}
