//! `preview init`: from a namespace to a Baseline that works.

use anyhow::Context;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::Value;
use test_world::{World, apply, read};

use crate::developer::Developer;
use crate::plan::hold_the_shop;
use crate::shop::story;

/// Asks the API server whether it would take an object, as `kubectl apply --server-side --dry-run=server` does.
async fn is_taken(world: &World, object: &DynamicObject) -> anyhow::Result<()> {
    let types = object.types.as_ref().context("an object without a kind")?;
    let (resource, _) = kube::discovery::pinned_kind(&world.admin, &GroupVersionKind::try_from(types)?).await?;
    let namespace = object.namespace().with_context(|| format!("{} names no namespace", types.kind))?;
    let api: Api<DynamicObject> = Api::namespaced_with(world.admin.clone(), &namespace, &resource);
    let mut params = PatchParams::apply("administrator");
    params.dry_run = true;
    params.field_validation = Some(kube::api::ValidationDirective::Strict);
    let answer = api.patch(&object.name_any(), &params, &Patch::Apply(object)).await;
    answer.map(drop).with_context(|| format!("{} {}", types.kind, object.name_any()))
}

#[test]
fn what_init_writes_is_taken_and_planned_with() {
    story(|world| async move {
        let namespace = "init-shop";
        hold_the_shop(world, namespace).await?;
        world.github.add_repository("acme/init-shop")?;
        let developer = Developer::with_role(world, namespace, "edit").await?;
        let asked = ["init", "-n", namespace, "--domain", "init-shop.preview.example.com"];
        let file = [&asked[..], &["-f", "shop.yaml"]].concat();
        let ran = developer.run(&file).await?;
        assert!(ran.stderr.contains("wrote shop.yaml; look at its comments, then: kubectl apply -f shop.yaml"), "{}", ran.stderr);
        assert_eq!(ran.succeeds(), "");
        let written = std::fs::read_to_string(developer.home().join("shop.yaml"))?;
        assert_eq!(developer.run(&asked).await?.succeeds(), written, "a pipe gets the same");
        let taken = developer.run(&file).await?.fails(1);
        assert!(taken.contains("or replace it: --force"), "{taken}");
        developer.run(&[&file[..], &["--force", "--repo", "acme/init-shop"]].concat()).await?.succeeds();

        let text = std::fs::read_to_string(developer.home().join("shop.yaml"))?;
        assert!(text.contains("    - name: acme/init-shop\n") && !text.contains('\u{1b}'), "{text}");
        let objects = read(&text)?;
        assert_eq!(objects.len(), 4, "{text}");
        for object in &objects {
            is_taken(world, object).await?;
        }
        for object in &objects {
            apply(&world.admin, object, None).await?;
        }
        // The service can read what the rights beside it let it read.
        world.wait_until_baseline_is_ready(namespace, namespace).await?;
        let planned = developer.run(&["plan", "-n", namespace, "--pull", "1", "--repo", "acme/init-shop"]).await?;
        assert_eq!(planned.code, Some(0), "{}{}", planned.stdout, planned.stderr);
        assert!(planned.stdout.contains("All 12 workloads would start."), "{}", planned.stdout);

        let again = developer.run(&[&asked[..], &["-o", "json"]].concat()).await?;
        assert!(again.stderr.contains("namespace init-shop has the Baseline init-shop already"), "{}", again.stderr);
        let list: Value = serde_json::from_str(&again.succeeds())?;
        assert_eq!(list["items"].as_array().map(Vec::len), Some(4));
        let elsewhere = developer.run(&["init", "-n", "default"]).await?.fails(1);
        assert!(elsewhere.contains("you may not list anything in namespace default"), "{elsewhere}");
        let nowhere = developer.run(&["init", "-n", "init-nowhere"]).await?.fails(1);
        assert!(nowhere.contains("you may not list anything in namespace init-nowhere"), "{nowhere}");
        Ok(())
    });
}
