//! Volumes in pods that are the baseline's own data: a disk or a share that is named in the pod itself becomes an empty
//! folder, as claims start empty. With `clone.volumes: Skip` claims become empty folders too.
//! <https://kubernetes.io/docs/concepts/storage/volumes/>

use serde_json::{Value, json};

use super::Notes;
use crate::api::baseline::Volumes;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::pods::{list, spec_path, spec_pointer, text};

/// Volumes that name a disk or a share, and so the same one for every pod.
const DATA: [&str; 17] = [
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "fc",
    "flexVolume",
    "gcePersistentDisk",
    "glusterfs",
    "iscsi",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "storageos",
    "vsphereVolume",
];
const SHARED: &str = "the data of the baseline is not shared";
const SKIPPED: &str = "clone.volumes: Skip";
const EMPTY: &str = "an empty folder";

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let skips = context.target.baseline.choices.volumes == Volumes::Skip;
    let path = spec_path(manifest);
    for volume in manifest.items_mut(&format!("{}/volumes", spec_pointer(manifest))) {
        let name = text(volume, "name").unwrap_or("?").to_owned();
        let data = DATA.into_iter().find(|kind| volume.get(*kind).is_some());
        let claim = ["persistentVolumeClaim", "ephemeral"].into_iter().find(|kind| skips && volume.get(*kind).is_some());
        if let Some((kind, why)) = data.map(|kind| (kind, SHARED)).or(claim.map(|kind| (kind, SKIPPED))) {
            notes.changed(format!("{path}.volumes[{name}]"), (kind, EMPTY), why);
            *volume = json!({"name": name, "emptyDir": {}});
        }
    }
    if skips {
        drop_templates(manifest, notes);
    }
}

/// A StatefulSet gives each pod a volume called after the template.
fn drop_templates(manifest: &mut Manifest, notes: &mut Notes) {
    let Some(templates) = manifest.remove("/spec", "volumeClaimTemplates") else { return };
    let names = templates.as_array().into_iter().flatten().filter_map(|t| t.pointer("/metadata/name")?.as_str());
    let pointer = spec_pointer(manifest);
    let path: Vec<&str> = pointer.split('/').skip(1).collect();
    let mut volumes: Vec<Value> = manifest.get(pointer).into_iter().flat_map(|spec| list(spec, "volumes")).cloned().collect();
    for name in names {
        notes.changed(format!("spec.volumeClaimTemplates[{name}]"), ("a claim", EMPTY), SKIPPED);
        volumes.retain(|volume| text(volume, "name") != Some(name));
        volumes.push(json!({"name": name, "emptyDir": {}}));
    }
    manifest.set(&path, "volumes", Value::Array(volumes));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::baseline::Volumes;
    use crate::plan::sample::{World, deployment, stateful_set};

    const VOLUMES: &str = "/spec/template/spec/volumes";

    #[test]
    fn nothing_writes_to_the_baseline_s_data() {
        let nfs =
            json!([{"name": "uploads", "nfs": {"server": "nas", "path": "/shop"}}, {"name": "tmp", "emptyDir": {"medium": "Memory"}}]);
        let plan = World::of([deployment("web").with(VOLUMES, nfs)]).plan();
        let expected = json!([{"name": "uploads", "emptyDir": {}}, {"name": "tmp", "emptyDir": {"medium": "Memory"}}]);
        assert_eq!(plan.find("Deployment/web").get(VOLUMES), Some(&expected));
        assert_eq!(
            plan.said(),
            ["Deployment/web spec.template.spec.volumes[uploads]: nfs -> an empty folder (the data of the baseline is not shared)"]
        );
    }

    #[test]
    fn a_baseline_can_do_without_claims() {
        let claim = json!([{"name": "files", "persistentVolumeClaim": {"claimName": "files"}}]);
        let world = World::of([deployment("web").with(VOLUMES, claim), stateful_set("db").claim("data")]);
        assert!(world.plan().find("StatefulSet/db").get("/spec/volumeClaimTemplates").is_some());
        let plan = world.baseline(|b| b.choices.volumes = Volumes::Skip).plan();
        assert_eq!(plan.find("Deployment/web").get(VOLUMES), Some(&json!([{"name": "files", "emptyDir": {}}])));
        let db = plan.find("StatefulSet/db");
        assert_eq!(db.get(VOLUMES), Some(&json!([{"name": "data", "emptyDir": {}}])));
        assert!(db.get("/spec/volumeClaimTemplates").is_none());
    }
}
