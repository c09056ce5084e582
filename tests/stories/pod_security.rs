//! What the plan says of a pod is what the API server answers: a pod for each row of the Pod Security Standards, under
//! both levels, by itself and in a Deployment.

use std::fmt;

use anyhow::Context;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Client;
use kube::api::{Api, PostParams};
use kube::client::Body;
use preview_env::api::baseline::isolation::PodSecurity;
use preview_env::plan::Manifest;
use preview_env::plan::admission::{VERSION, violations};
use serde_json::{Value, json};
use test_world::{World, wait_for};

use crate::shop::story;

/// A pod, as what is changed in the spec of one that the level takes: pointers and values.
type Row = (&'static str, Vec<(&'static str, Value)>);

fn row(name: &'static str, pointer: &'static str, value: Value) -> Row {
    (name, vec![(pointer, value)])
}

const CONTAINER: &str = "/containers/0/securityContext";

fn in_pods() -> Vec<Row> {
    vec![
        ("as it is", vec![]),
        row("host network", "/hostNetwork", json!(true)),
        row("host PID", "/hostPID", json!(true)),
        row("host IPC", "/hostIPC", json!(true)),
        row("no host network", "/hostNetwork", json!(false)),
        row("SELinux type", "/securityContext/seLinuxOptions", json!({"type": "spc_t"})),
        row("usual SELinux type", "/securityContext/seLinuxOptions", json!({"type": "container_engine_t", "level": "s0"})),
        row("SELinux user", "/securityContext/seLinuxOptions", json!({"user": "root"})),
        row("SELinux role", "/securityContext/seLinuxOptions", json!({"role": "sysadm_r"})),
        row("kernel setting", "/securityContext/sysctls", json!([{"name": "kernel.msgmax", "value": "1"}])),
        row("safe setting", "/securityContext/sysctls", json!([{"name": "net.ipv4.tcp_rmem", "value": "1 2 3"}])),
        row("no seccomp", "/securityContext/seccompProfile", json!({"type": "Unconfined"})),
        row("seccomp by a file", "/securityContext/seccompProfile", json!({"type": "Localhost", "localhostProfile": "p.json"})),
        row("no AppArmor", "/securityContext/appArmorProfile", json!({"type": "Unconfined"})),
        row("AppArmor", "/securityContext/appArmorProfile", json!({"type": "RuntimeDefault"})),
        row("may be root", "/securityContext/runAsNonRoot", json!(false)),
        row("nothing about root", "/securityContext/runAsNonRoot", Value::Null),
        row("root", "/securityContext/runAsUser", json!(0)),
        row("somebody", "/securityContext/runAsUser", json!(1000)),
        row("nothing about seccomp", "/securityContext/seccompProfile", Value::Null),
        ("root in a user namespace", vec![("/hostUsers", json!(false)), ("/securityContext/runAsUser", json!(0))]),
        ("may be root in a user namespace", vec![("/hostUsers", json!(false)), ("/securityContext/runAsNonRoot", json!(false))]),
        (
            "a host process of Windows",
            vec![(
                "",
                json!({"os": {"name": "windows"}, "hostNetwork": true, "securityContext": {"windowsOptions": {"hostProcess": true}},
                    "containers": [{"name": "main", "image": "x"}]}),
            )],
        ),
        (
            "a pod of Windows",
            vec![(
                "",
                json!({"os": {"name": "windows"}, "securityContext": {"runAsNonRoot": true},
                "containers": [{"name": "main", "image": "x"}]}),
            )],
        ),
    ]
}

fn in_containers() -> Vec<Row> {
    let unmasked = ("/containers/0/securityContext/procMount", json!("Unmasked"));
    vec![
        ("privileged", vec![("/containers/0/securityContext/privileged", json!(true)), (ESCALATION, json!(true))]),
        row("not privileged", "/containers/0/securityContext/privileged", json!(false)),
        row("may gain rights", ESCALATION, json!(true)),
        row("nothing about gaining rights", ESCALATION, Value::Null),
        row("nothing at all", CONTAINER, Value::Null),
        row("a capability", "/containers/0/securityContext/capabilities/add", json!(["NET_ADMIN"])),
        row("a usual capability", "/containers/0/securityContext/capabilities/add", json!(["CHOWN"])),
        row("low ports", "/containers/0/securityContext/capabilities/add", json!(["NET_BIND_SERVICE"])),
        row("drops some", "/containers/0/securityContext/capabilities/drop", json!(["NET_RAW"])),
        row("host port", "/containers/0/ports", json!([{"containerPort": 80, "hostPort": 80}])),
        row("port", "/containers/0/ports", json!([{"containerPort": 80}])),
        ("bare /proc", vec![("/hostUsers", json!(false)), unmasked]),
        row("usual /proc", "/containers/0/securityContext/procMount", json!("Default")),
        row("its SELinux type", "/containers/0/securityContext/seLinuxOptions", json!({"type": "spc_t"})),
        row("its SELinux user", "/containers/0/securityContext/seLinuxOptions", json!({"user": "root"})),
        row("its SELinux role", "/containers/0/securityContext/seLinuxOptions", json!({"role": "r"})),
        row("without seccomp itself", "/containers/0/securityContext/seccompProfile", json!({"type": "Unconfined"})),
        row("without AppArmor itself", "/containers/0/securityContext/appArmorProfile", json!({"type": "Unconfined"})),
        row("may be root itself", "/containers/0/securityContext/runAsNonRoot", json!(false)),
        row("root itself", "/containers/0/securityContext/runAsUser", json!(0)),
        row("liveness elsewhere", "/containers/0/livenessProbe", json!({"httpGet": {"port": 80, "host": "10.0.0.1"}})),
        row("liveness over TCP elsewhere", "/containers/0/livenessProbe", json!({"tcpSocket": {"port": 80, "host": "10.0.0.1"}})),
        row("liveness here", "/containers/0/livenessProbe", json!({"httpGet": {"port": 80}})),
        row("readiness elsewhere", "/containers/0/readinessProbe", json!({"httpGet": {"port": 80, "host": "10.0.0.1"}})),
        row("readiness over TCP elsewhere", "/containers/0/readinessProbe", json!({"tcpSocket": {"port": 80, "host": "10.0.0.1"}})),
        row("start elsewhere", "/containers/0/startupProbe", json!({"httpGet": {"port": 80, "host": "10.0.0.1"}})),
        row("start over TCP elsewhere", "/containers/0/startupProbe", json!({"tcpSocket": {"port": 80, "host": "10.0.0.1"}})),
        row("hook elsewhere", "/containers/0/lifecycle", json!({"postStart": {"httpGet": {"port": 80, "host": "10.0.0.1"}}})),
        row("last hook elsewhere", "/containers/0/lifecycle", json!({"preStop": {"httpGet": {"port": 80, "host": "10.0.0.1"}}})),
        row("hook over TCP elsewhere", "/containers/0/lifecycle", json!({"postStart": {"tcpSocket": {"port": 80, "host": "10.0.0.1"}}})),
        row("last hook over TCP elsewhere", "/containers/0/lifecycle", json!({"preStop": {"tcpSocket": {"port": 80, "host": "10.0.0.1"}}})),
        row(
            "an init container",
            "/initContainers",
            json!([{"name": "init", "image": "x", "securityContext": {"capabilities": {"add": ["SYS_TIME"]}}}]),
        ),
    ]
}

const ESCALATION: &str = "/containers/0/securityContext/allowPrivilegeEscalation";

fn in_volumes() -> Vec<Row> {
    let claim = json!({"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}});
    let volumes = [
        ("a folder of the node", json!({"hostPath": {"path": "/var/log"}})),
        ("NFS", json!({"nfs": {"server": "10.0.0.1", "path": "/"}})),
        ("iSCSI", json!({"iscsi": {"targetPortal": "10.0.0.1", "iqn": "iqn.2001-04.com.example:x", "lun": 0}})),
        ("an empty folder", json!({"emptyDir": {}})),
        ("nothing said", json!({})),
        ("settings", json!({"configMap": {"name": "c"}})),
        ("a secret", json!({"secret": {"secretName": "s"}})),
        ("a claim", json!({"persistentVolumeClaim": {"claimName": "c"}})),
        ("a claim of its own", json!({"ephemeral": claim})),
        ("a driver", json!({"csi": {"driver": "example.com"}})),
        ("an image", json!({"image": {"reference": "x"}})),
        ("about itself", json!({"downwardAPI": {"items": []}})),
        ("several", json!({"projected": {"sources": [{"configMap": {"name": "c"}}]}})),
    ];
    let volume = |mut source: Value| {
        source["name"] = json!("v");
        json!([source])
    };
    volumes.into_iter().map(|(name, source)| row(name, "/volumes", volume(source))).collect()
}

/// A pod's spec that the level takes.
fn admitted(level: PodSecurity) -> Value {
    let plain = json!({"automountServiceAccountToken": false, "containers": [{"name": "main", "image": "x"}]});
    if level == PodSecurity::Baseline {
        return plain;
    }
    let mut hardened = plain;
    hardened["securityContext"] = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    hardened["containers"][0]["securityContext"] = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    hardened
}

/// Sets what stands at a pointer, making objects on the way; `null` takes it away.
fn set(root: &mut Value, pointer: &str, value: Value) {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        *root = value;
        return;
    };
    if root.pointer(parent).is_none_or(Value::is_null) {
        set(root, parent, json!({}));
    }
    if let Some(Value::Object(map)) = root.pointer_mut(parent) {
        if value.is_null() {
            map.remove(key);
        } else {
            map.insert(key.to_owned(), value);
        }
    }
}

/// What the API server says of an object that it is only asked about.
struct Answer {
    status: u16,
    warning: String,
    body: String,
}

impl Answer {
    fn violates(&self) -> bool {
        self.status == 403 && self.body.contains("violates PodSecurity")
    }

    fn warns(&self) -> bool {
        self.warning.contains("would violate PodSecurity")
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.status, self.warning, self.body)
    }
}

async fn ask(client: &Client, path: &str, object: &Value) -> anyhow::Result<Answer> {
    let request = http::Request::post(format!("{path}?dryRun=All")).header("Content-Type", "application/json");
    let answer = client.send(request.body(Body::from(serde_json::to_vec(object)?))?).await?;
    let status = answer.status().as_u16();
    let warnings = answer.headers().get_all("warning").iter().filter_map(|w| w.to_str().ok());
    let warning = warnings.collect::<Vec<_>>().join("; ");
    let body = answer.into_body().collect_bytes().await.context("the answer broke off")?;
    Ok(Answer { status, warning, body: String::from_utf8_lossy(&body).into_owned() })
}

async fn namespace(world: &World, level: PodSecurity) -> anyhow::Result<String> {
    let name = format!("pod-security-{}", level.as_str());
    let labels = json!({
        "pod-security.kubernetes.io/enforce": level.as_str(), "pod-security.kubernetes.io/enforce-version": VERSION,
        "pod-security.kubernetes.io/warn": level.as_str(), "pod-security.kubernetes.io/warn-version": VERSION,
    });
    let object: Namespace = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}}))?;
    Api::all(world.admin.clone()).create(&PostParams::default(), &object).await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(world.admin.clone(), &name);
    wait_for(&accounts, "default", "there", |account: Option<&ServiceAccount>| account.is_some()).await?;
    Ok(name)
}

#[test]
fn the_plan_says_of_every_pod_what_the_api_server_says() {
    story(|world| async move {
        let mut differences = Vec::new();
        let rows: Vec<Row> = in_pods().into_iter().chain(in_containers()).chain(in_volumes()).collect();
        for level in [PodSecurity::Baseline, PodSecurity::Restricted] {
            let namespace = namespace(world, level).await?;
            for (name, changes) in &rows {
                let mut spec = admitted(level);
                for (pointer, value) in changes {
                    set(&mut spec, pointer, value.clone());
                }
                let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
                let template = json!({"metadata": {"labels": {"app": "p"}}, "spec": spec});
                let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "p"},
                    "spec": {"selector": {"matchLabels": {"app": "p"}}, "template": template}});
                let ours = violations(&Manifest::new(pod.clone()), level);
                let alone = ask(&world.admin, &format!("/api/v1/namespaces/{namespace}/pods"), &pod).await?;
                let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
                let in_deployment = ask(&world.admin, &path, &deployment).await?;
                assert_eq!(violations(&Manifest::new(deployment), level).len(), ours.len(), "{name}");
                let taken = alone.status == 201 && in_deployment.status == 201;
                let agree = if ours.is_empty() { taken && !in_deployment.warns() } else { alone.violates() && in_deployment.warns() };
                if !agree {
                    differences.push(format!("{} {name}: {ours:?}\n  {alone}\n  {in_deployment}", level.as_str()));
                }
            }
        }
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        Ok(())
    });
}
