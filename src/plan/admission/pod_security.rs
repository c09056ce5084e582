//! The checks of the Pod Security Standards, as a table, for the version that every environment's namespace pins.
//!
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>, version 1.36. Where the page leaves
//! something open, the API server decides (module `k8s.io/pod-security-admission`), and a story compares every row with
//! what it answers.

use serde_json::Value;

use super::template::Template;
use crate::api::baseline::isolation::PodSecurity;
use crate::plan::manifest::Manifest;
use crate::plan::pods::text;

/// The version of the standard that the table is of, and that the namespaces pin. An older API server judges by its own.
pub const VERSION: &str = "v1.36";

/// A field that a level of the standard forbids.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Path of the field, such as `spec.template.spec.containers[web].securityContext.privileged`.
    pub path: String,
    /// What it asks for.
    pub what: &'static str,
    /// The most lenient level that forbids it.
    pub level: PodSecurity,
}

/// Everything that a level forbids in the pods of an object: nothing for an object that makes none.
pub fn violations(object: &Manifest, level: PodSecurity) -> Vec<Violation> {
    let Some(template) = Template::of(object) else { return Vec::new() };
    let mut found: Vec<Violation> = Vec::new();
    for check in CHECKS.iter().filter(|check| check.level <= level && !check.spares(&template) && !check.holds(&template)) {
        for field in check.fields(&template) {
            let is_new = found.iter().all(|v| v.path != field.path);
            if is_new && !(check.allows)(field.value) {
                found.push(Violation { path: field.path, what: check.what, level: check.level });
            }
        }
    }
    found.extend(app_armor_annotations(&template));
    found
}

/// One row: what a field may be.
#[derive(Clone, Copy)]
struct Check {
    level: PodSecurity,
    what: &'static str,
    place: Place,
    /// Path of the field; `*` stands for every item of a list.
    field: &'static str,
    allows: fn(Option<&Value>) -> bool,
    spares: Spares,
}

/// Where the field stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// In the pod's spec.
    Pod,
    /// In every container.
    Containers,
    /// In every container, and where it is absent there, in the pod's spec.
    Inherited,
}

/// Pods that a row does not apply to.
#[derive(Clone, Copy, PartialEq)]
enum Spares {
    /// None.
    Nobody,
    /// Those of Windows, which has no such thing.
    Windows,
    /// Those in a user namespace of their own, where root is nobody on the node.
    UserNamespaces,
}

/// A field that was looked up, absent or not.
struct Field<'a> {
    path: String,
    value: Option<&'a Value>,
}

impl Check {
    const fn spared(self, spares: Spares) -> Self {
        Self { spares, ..self }
    }

    fn spares(&self, pod: &Template<'_>) -> bool {
        match self.spares {
            Spares::Nobody => false,
            Spares::Windows => pod.spec.get("os").and_then(|os| os.get("name")).and_then(Value::as_str) == Some("windows"),
            Spares::UserNamespaces => pod.spec.get("hostUsers") == Some(&Value::Bool(false)),
        }
    }

    /// Whether no field is wrong: the common case, for which no path is put together.
    fn holds(&self, pod: &Template<'_>) -> bool {
        let allows = |value: Option<&Value>| (self.allows)(value);
        match self.place {
            Place::Pod => all(Some(pod.spec), self.field, &allows),
            Place::Containers => pod.containers().all(|(_, container)| all(Some(container), self.field, &allows)),
            Place::Inherited => {
                let of_pod = self.field.split('.').try_fold(pod.spec, |value, name| value.get(name));
                let allows = |value: Option<&Value>| (self.allows)(value.or(of_pod));
                pod.containers().all(|(_, container)| all(Some(container), self.field, &allows))
            }
        }
    }

    fn fields<'a>(&self, pod: &Template<'a>) -> Vec<Field<'a>> {
        if self.place == Place::Pod {
            return look_up(pod.spec, self.field, pod.path);
        }
        let mut fields = Vec::new();
        for (list, container) in pod.containers() {
            let path = format!("{}.{list}[{}]", pod.path, text(container, "name").unwrap_or("?"));
            fields.extend(look_up(container, self.field, &path));
        }
        if self.place == Place::Inherited {
            let of_pod = look_up(pod.spec, self.field, pod.path).into_iter().next().and_then(|f| f.value);
            for field in &mut fields {
                field.value = field.value.or(of_pod);
            }
        }
        fields
    }
}

/// Whether the field at a path with dots is allowed, or all of them where the path goes through lists.
fn all(value: Option<&Value>, field: &str, allows: &dyn Fn(Option<&Value>) -> bool) -> bool {
    if field.is_empty() {
        return allows(value);
    }
    let (key, rest) = field.split_once('.').unwrap_or((field, ""));
    if key == "*" {
        return value.and_then(Value::as_array).into_iter().flatten().all(|item| all(Some(item), rest, allows));
    }
    all(value.and_then(|value| value.get(key)).filter(|value| !value.is_null()), rest, allows)
}

/// The field at a path with dots, or all of them where the path goes through lists.
fn look_up<'a>(root: &'a Value, field: &str, path: &str) -> Vec<Field<'a>> {
    let mut found = vec![Field { path: path.to_owned(), value: Some(root) }];
    for key in field.split('.') {
        found = found.into_iter().flat_map(|at| step(&at, key)).collect();
    }
    found
}

fn step<'a>(at: &Field<'a>, key: &str) -> Vec<Field<'a>> {
    if key == "*" {
        let items = at.value.and_then(Value::as_array).into_iter().flatten().enumerate();
        return items.map(|(index, item)| Field { path: format!("{}[{}]", at.path, name_of(item, index)), value: Some(item) }).collect();
    }
    let value = at.value.and_then(|value| value.get(key)).filter(|value| !value.is_null());
    vec![Field { path: format!("{}.{key}", at.path), value }]
}

fn name_of(item: &Value, index: usize) -> String {
    let name = item.as_str().or_else(|| text(item, "name"));
    name.map_or_else(|| index.to_string(), str::to_owned)
}

/// The older way to say it, which the API server still reads: an annotation for each container.
fn app_armor_annotations(pod: &Template<'_>) -> Vec<Violation> {
    let annotations = pod.annotations.and_then(Value::as_object).into_iter().flatten();
    let is_forbidden = |value: &Value| {
        let profile = value.as_str().unwrap_or_default();
        !(profile.is_empty() || profile == "runtime/default" || profile.starts_with("localhost/"))
    };
    let ours = annotations.filter(|(key, value)| key.starts_with("container.apparmor.security.beta.kubernetes.io/") && is_forbidden(value));
    let parent = pod.path.strip_suffix("spec").unwrap_or_default();
    let violation =
        |key: &str| Violation { path: format!("{parent}metadata.annotations[{key}]"), what: APP_ARMOR, level: PodSecurity::Baseline };
    ours.map(|(key, _)| violation(key)).collect()
}

const APP_ARMOR: &str = "to run without AppArmor";
const SECCOMP: &str = "to run without seccomp";
const SELINUX: &str = "an SELinux context of its own";
const PROBED_HOST: &str = "requests from the node to another host";

const fn pod(field: &'static str, what: &'static str, allows: fn(Option<&Value>) -> bool) -> Check {
    Check { level: PodSecurity::Baseline, what, place: Place::Pod, field, allows, spares: Spares::Nobody }
}

const fn containers(field: &'static str, what: &'static str, allows: fn(Option<&Value>) -> bool) -> Check {
    Check { place: Place::Containers, ..pod(field, what, allows) }
}

const fn restricted(check: Check, spares: Spares) -> Check {
    Check { level: PodSecurity::Restricted, spares, ..check }
}

const fn inherited(check: Check) -> Check {
    Check { place: Place::Inherited, ..check }
}

/// The rows of the standard. Fields that pods and containers share are two rows.
static CHECKS: [Check; 41] = [
    pod("hostNetwork", "the node's network", not_true),
    pod("hostPID", "the node's processes", not_true),
    pod("hostIPC", "the node's shared memory", not_true),
    pod("volumes.*.hostPath", "a folder of the node", absent),
    containers("securityContext.privileged", "all rights on the node", not_true),
    containers("securityContext.capabilities.add.*", "a capability beyond the usual", usual_capability),
    containers("ports.*.hostPort", "a port of the node", zero),
    containers("securityContext.procMount", "a /proc without masks", default_proc).spared(Spares::UserNamespaces),
    pod("securityContext.windowsOptions.hostProcess", "all rights on a Windows node", not_true),
    containers("securityContext.windowsOptions.hostProcess", "all rights on a Windows node", not_true),
    pod("securityContext.seLinuxOptions.type", SELINUX, container_type),
    containers("securityContext.seLinuxOptions.type", SELINUX, container_type),
    pod("securityContext.seLinuxOptions.user", SELINUX, empty),
    containers("securityContext.seLinuxOptions.user", SELINUX, empty),
    pod("securityContext.seLinuxOptions.role", SELINUX, empty),
    containers("securityContext.seLinuxOptions.role", SELINUX, empty),
    pod("securityContext.sysctls.*", "a setting of the kernel", safe_sysctl),
    pod("securityContext.seccompProfile.type", SECCOMP, profile_or_absent),
    containers("securityContext.seccompProfile.type", SECCOMP, profile_or_absent),
    pod("securityContext.appArmorProfile.type", APP_ARMOR, profile_or_absent),
    containers("securityContext.appArmorProfile.type", APP_ARMOR, profile_or_absent),
    containers("livenessProbe.httpGet.host", PROBED_HOST, empty),
    containers("livenessProbe.tcpSocket.host", PROBED_HOST, empty),
    containers("readinessProbe.httpGet.host", PROBED_HOST, empty),
    containers("readinessProbe.tcpSocket.host", PROBED_HOST, empty),
    containers("startupProbe.httpGet.host", PROBED_HOST, empty),
    containers("startupProbe.tcpSocket.host", PROBED_HOST, empty),
    containers("lifecycle.postStart.httpGet.host", PROBED_HOST, empty),
    containers("lifecycle.postStart.tcpSocket.host", PROBED_HOST, empty),
    containers("lifecycle.preStop.httpGet.host", PROBED_HOST, empty),
    containers("lifecycle.preStop.tcpSocket.host", PROBED_HOST, empty),
    restricted(pod("volumes.*", "a volume of a kind that is not for everybody", common_volume), Spares::Nobody),
    restricted(containers("securityContext.allowPrivilegeEscalation", "leave to gain rights", is_false), Spares::Windows),
    restricted(pod("securityContext.runAsNonRoot", "to run as root", not_false), Spares::UserNamespaces),
    restricted(inherited(pod("securityContext.runAsNonRoot", "leave to run as root", is_true)), Spares::UserNamespaces),
    restricted(pod("securityContext.runAsUser", "to run as root", not_zero), Spares::UserNamespaces),
    restricted(containers("securityContext.runAsUser", "to run as root", not_zero), Spares::UserNamespaces),
    restricted(inherited(pod("securityContext.seccompProfile.type", "leave to run without seccomp", profile)), Spares::Windows),
    restricted(containers("securityContext.capabilities.drop", "capabilities that it does not drop (ALL)", drops_all), Spares::Windows),
    restricted(containers("securityContext.capabilities.add.*", "a capability beyond NET_BIND_SERVICE", bind_service), Spares::Windows),
    restricted(containers("securityContext.procMount", "a /proc without masks", default_proc), Spares::Nobody),
];

fn absent(value: Option<&Value>) -> bool {
    value.is_none()
}

fn not_true(value: Option<&Value>) -> bool {
    value != Some(&Value::Bool(true))
}

fn not_false(value: Option<&Value>) -> bool {
    value != Some(&Value::Bool(false))
}

fn is_true(value: Option<&Value>) -> bool {
    value == Some(&Value::Bool(true))
}

fn is_false(value: Option<&Value>) -> bool {
    value == Some(&Value::Bool(false))
}

fn zero(value: Option<&Value>) -> bool {
    value.and_then(Value::as_i64).unwrap_or_default() == 0
}

fn not_zero(value: Option<&Value>) -> bool {
    value.and_then(Value::as_i64) != Some(0)
}

fn one_of(value: Option<&Value>, allowed: &[&str]) -> bool {
    allowed.contains(&value.and_then(Value::as_str).unwrap_or_default())
}

fn empty(value: Option<&Value>) -> bool {
    one_of(value, &[""])
}

fn profile(value: Option<&Value>) -> bool {
    one_of(value, &["RuntimeDefault", "Localhost"])
}

fn profile_or_absent(value: Option<&Value>) -> bool {
    value.is_none() || profile(value)
}

fn default_proc(value: Option<&Value>) -> bool {
    value.is_none() || one_of(value, &["Default"])
}

fn container_type(value: Option<&Value>) -> bool {
    one_of(value, &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"])
}

fn usual_capability(value: Option<&Value>) -> bool {
    const USUAL: [&str; 13] = [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ];
    one_of(value, &USUAL)
}

fn bind_service(value: Option<&Value>) -> bool {
    one_of(value, &["NET_BIND_SERVICE"])
}

fn drops_all(value: Option<&Value>) -> bool {
    value.and_then(Value::as_array).is_some_and(|dropped| dropped.iter().any(|c| c.as_str() == Some("ALL")))
}

fn safe_sysctl(value: Option<&Value>) -> bool {
    const SAFE: [&str; 12] = [
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    ];
    one_of(value.and_then(|sysctl| sysctl.get("name")), &SAFE)
}

fn common_volume(value: Option<&Value>) -> bool {
    const COMMON: [&str; 9] =
        ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"];
    let sources = value.and_then(Value::as_object).into_iter().flatten();
    let mut sources = sources.filter(|(key, source)| *key != "name" && !source.is_null()).map(|(key, _)| key.as_str());
    // A folder of the node is said by its own row; what has no source at all is an empty folder.
    sources.all(|source| COMMON.contains(&source) || source == "hostPath")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::sample::{deployment, object};

    const SPEC: &str = "/spec/template/spec";

    fn paths(object: &Manifest, level: PodSecurity) -> Vec<String> {
        let found = violations(object, level);
        found.into_iter().map(|v| v.path.strip_prefix("spec.template.spec.").unwrap_or(&v.path).to_owned()).collect()
    }

    /// A pod that the strictest level takes.
    fn hardened() -> Manifest {
        deployment("web")
            .with(&format!("{SPEC}/securityContext"), json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}))
            .with(
                &format!("{SPEC}/containers/0/securityContext"),
                json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}),
            )
    }

    #[test]
    fn an_ordinary_pod_meets_the_baseline_and_a_hardened_one_everything() {
        assert!(paths(&deployment("web"), PodSecurity::Baseline).is_empty());
        assert!(paths(&hardened(), PodSecurity::Restricted).is_empty());
        assert_eq!(
            paths(&deployment("web"), PodSecurity::Restricted),
            [
                "containers[web].securityContext.allowPrivilegeEscalation",
                "containers[web].securityContext.runAsNonRoot",
                "containers[web].securityContext.seccompProfile.type",
                "containers[web].securityContext.capabilities.drop",
            ]
        );
    }

    #[test]
    fn every_container_and_every_item_has_its_path() {
        let two = json!([{"name": "a", "ports": [{"name": "p", "containerPort": 1, "hostPort": 1}, {"containerPort": 2, "hostPort": 2}]}]);
        let pod = deployment("web")
            .with(&format!("{SPEC}/initContainers"), two)
            .with(&format!("{SPEC}/containers/0/securityContext"), json!({"capabilities": {"add": ["CHOWN", "SYS_ADMIN"]}}))
            .with(&format!("{SPEC}/securityContext"), json!({"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}));
        assert_eq!(
            paths(&pod, PodSecurity::Baseline),
            [
                "containers[web].securityContext.capabilities.add[SYS_ADMIN]",
                "initContainers[a].ports[p].hostPort",
                "initContainers[a].ports[1].hostPort",
                "securityContext.sysctls[kernel.msgmax]",
            ]
        );
    }

    #[test]
    fn what_is_said_for_the_pod_holds_for_containers_that_say_nothing() {
        let pod = hardened().with(&format!("{SPEC}/containers/0/securityContext/runAsNonRoot"), json!(false));
        assert_eq!(paths(&pod, PodSecurity::Restricted), ["containers[web].securityContext.runAsNonRoot"]);
        let unsaid = hardened().without(&format!("{SPEC}/securityContext"), "seccompProfile");
        assert_eq!(paths(&unsaid, PodSecurity::Restricted), ["containers[web].securityContext.seccompProfile.type"]);
    }

    #[test]
    fn each_path_is_named_once() {
        let pod = hardened()
            .with(&format!("{SPEC}/volumes"), json!([{"name": "v", "hostPath": {"path": "/"}}, {"name": "n", "nfs": {}}]))
            .with(&format!("{SPEC}/containers/0/securityContext/capabilities/add"), json!(["SYS_ADMIN"]));
        assert_eq!(
            paths(&pod, PodSecurity::Restricted),
            ["volumes[v].hostPath", "containers[web].securityContext.capabilities.add[SYS_ADMIN]", "volumes[n]"]
        );
    }

    #[test]
    fn windows_and_user_namespaces_are_spared() {
        let windows = deployment("web")
            .with(&format!("{SPEC}/os"), json!({"name": "windows"}))
            .with(&format!("{SPEC}/securityContext"), json!({"runAsNonRoot": true}));
        assert!(paths(&windows, PodSecurity::Restricted).is_empty());
        let own = hardened()
            .with(&format!("{SPEC}/hostUsers"), json!(false))
            .with(&format!("{SPEC}/securityContext/runAsUser"), json!(0))
            .with(&format!("{SPEC}/containers/0/securityContext/procMount"), json!("Unmasked"));
        assert!(paths(&own, PodSecurity::Baseline).is_empty());
        assert_eq!(paths(&own, PodSecurity::Restricted), ["containers[web].securityContext.procMount"]);
    }

    #[test]
    fn pods_inside_other_kinds_are_seen() {
        let spec = json!({"hostPID": true, "containers": []});
        let job = object("batch/v1", "CronJob", "j").with("/spec/jobTemplate/spec/template/spec", spec.clone());
        assert_eq!(paths(&job, PodSecurity::Baseline), ["spec.jobTemplate.spec.template.spec.hostPID"]);
        let pod = object("v1", "Pod", "p").with("/spec", spec).annotation("container.apparmor.security.beta.kubernetes.io/c", "unconfined");
        assert_eq!(
            paths(&pod, PodSecurity::Baseline),
            ["spec.hostPID", "metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]"]
        );
        assert!(paths(&object("v1", "ConfigMap", "c"), PodSecurity::Restricted).is_empty());
    }
}
