//! The table of kinds against the API server's own list.

use std::collections::BTreeSet;

use anyhow::ensure;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::Api;
use kube::api::ListParams;
use preview_env::kinds::{KINDS, Known, Reading, Treatment};
use test_world::World;

use crate::shop::story;

/// A kind in namespaces that Kubernetes itself serves, in the version that it prefers.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Served {
    group: String,
    kind: String,
    version: String,
}

/// Groups that are installed beside Kubernetes: by a definition, or served by another API server.
async fn installed(world: &World) -> anyhow::Result<BTreeSet<String>> {
    let definitions: Api<CustomResourceDefinition> = Api::all(world.admin.clone());
    let services: Api<APIService> = Api::all(world.admin.clone());
    let definitions = definitions.list(&ListParams::default()).await?.items.into_iter().map(|d| d.spec.group);
    let aggregated = services.list(&ListParams::default()).await?.items.into_iter().filter_map(|s| s.spec);
    let aggregated = aggregated.filter(|spec| spec.service.is_some()).filter_map(|spec| spec.group);
    Ok(definitions.chain(aggregated).collect())
}

async fn built_in(world: &World) -> anyhow::Result<BTreeSet<Served>> {
    let installed = installed(world).await?;
    let lists = [world.admin.list_core_api_versions_aggregated().await?, world.admin.list_api_groups_aggregated().await?];
    let mut served = BTreeSet::new();
    for group in lists.into_iter().flat_map(|list| list.items) {
        let name = group.metadata.and_then(|m| m.name).unwrap_or_default();
        let Some(version) = group.versions.into_iter().next().filter(|_| !installed.contains(&name)) else { continue };
        for resource in version.resources.into_iter().filter(|r| r.scope.as_deref() == Some("Namespaced")) {
            let kind = resource.response_kind.and_then(|k| k.kind).unwrap_or_default();
            served.insert(Served { group: name.clone(), kind, version: version.version.clone().unwrap_or_default() });
        }
    }
    Ok(served)
}

#[test]
fn every_kind_that_kubernetes_has_in_namespaces_is_decided_with_a_reason() {
    story(|world| async move {
        let served = built_in(world).await?;
        ensure!(served.len() > 30, "the API server's list is not read: {served:?}");
        let undecided: Vec<_> = served.iter().filter(|s| Known::find(&s.group, &s.kind).is_none()).collect();
        assert!(
            undecided.is_empty(),
            "this Kubernetes has kinds of which nobody decided whether they are cloned: {undecided:#?}\n\
             add each to src/kinds/table.rs: cloned, by opt in, left out or not read, and why"
        );
        for known in KINDS.iter().filter(|known| !known.installed) {
            let why = match known.treatment {
                Treatment::OptIn(_, why) | Treatment::LeftOut(why) | Treatment::Unread(why) => Some(why),
                Treatment::Cloned(_) | Treatment::Listed(_) => None,
            };
            assert!(why.is_none_or(|why| why.len() > 10), "{} is not cloned, without a reason", known.kind);
        }
        Ok(())
    });
}

#[test]
fn what_is_cloned_is_served_in_the_version_that_is_read() {
    story(|world| async move {
        let served = built_in(world).await?;
        let read = KINDS.iter().filter(|known| !known.installed && known.treatment.reading() != Reading::Never);
        for Known { kind, .. } in read {
            let there = served.iter().find(|s| s.group == kind.group() && s.kind == kind.kind);
            assert_eq!(there.map(|s| s.version.as_str()), Some(kind.version()), "{kind}");
        }
        Ok(())
    });
}
