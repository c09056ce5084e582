//! A pull request from its first day to its last.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, ListParams};

use crate::said::kept;
use crate::shop::{Shop, story};

#[test]
fn a_pull_request_gets_a_system_of_its_own_until_it_is_merged() {
    story(|world| async move {
        let shop = Shop::open(world, "lifecycle").await?;
        let pull = shop.pull_request("checkout").await?;
        assert_eq!(pull.status, Some(202));
        let status = pull.wait_until_ready().await?;
        assert_eq!(status.namespace.as_deref(), Some(pull.namespace().as_str()));
        assert_eq!(status.urls[0].url, format!("http://{}.lifecycle.preview.example.com", pull.name()));

        let admin = world.admin.clone();
        let namespace = pull.namespace();
        let web = Api::<Deployment>::namespaced(admin.clone(), &namespace).get("web").await?;
        let spec = web.spec.unwrap();
        let pod = spec.template.spec.unwrap();
        let image = format!("registry.example.com:5000/acme/web:pr-{}-{}", pull.number, &pull.revision()?[..7]);
        assert_eq!(spec.replicas, Some(1));
        assert_eq!(pod.containers[0].image.as_deref(), Some(image.as_str()));
        assert_eq!(pod.init_containers.unwrap()[0].image.as_deref(), Some(image.as_str()));
        let modes: Vec<_> = pod.containers[0].env.iter().flatten().filter(|e| e.name == "MODE").filter_map(|e| e.value.clone()).collect();
        assert_eq!(modes, ["second"], "of a variable named twice the last one counts");
        assert!(!web.metadata.annotations.unwrap().keys().any(|key| key.starts_with("meta.helm.sh/")));

        let service = Api::<Service>::namespaced(admin.clone(), &namespace).get("web").await?;
        assert_eq!(service.spec.unwrap().type_.as_deref(), Some("ClusterIP"));
        let ingress = Api::<Ingress>::namespaced(admin.clone(), &namespace).get("web").await?;
        assert_eq!(ingress.spec.unwrap().rules.unwrap()[0].host.as_deref(), Some(status.urls[0].host.as_str()));
        let secrets = Api::<Secret>::namespaced(admin.clone(), &namespace).list(&ListParams::default()).await?;
        assert_eq!(secrets.items.iter().filter_map(|s| s.metadata.name.as_deref()).collect::<Vec<_>>(), ["listed"]);
        assert_eq!(secrets.items[0].data.as_ref().unwrap()["password"].0, b"of-the-baseline");
        Api::<ConfigMap>::namespaced(admin.clone(), &namespace).get("settings").await?;
        Api::<ServiceAccount>::namespaced(admin.clone(), &namespace).get("web").await?;
        Api::<StatefulSet>::namespaced(admin.clone(), &namespace).get("db").await?;
        let claims = Api::<PersistentVolumeClaim>::namespaced(admin.clone(), &namespace).list(&ListParams::default()).await?;
        assert_eq!(claims.items.iter().filter_map(|c| c.metadata.name.as_deref()).collect::<Vec<_>>(), ["data-db-0", "uploads"]);
        let left_out: Vec<String> = status.left_out.iter().map(|l| format!("{}/{}", l.kind, l.name)).collect();
        assert!(left_out.contains(&"PodDisruptionBudget/web".to_owned()), "{left_out:?}");
        Api::<CronJob>::namespaced(admin, &namespace).get("nightly").await?;

        let comment = pull.wait_for_comment(|body| body.contains("is ready")).await?;
        assert!(comment.contains(&status.urls[0].url), "{comment}");
        kept("ready", &pull, &comment, None).await?;
        assert_eq!(pull.perform(github_double::On::merge).await?, Some(202));
        pull.wait_until_gone().await?;
        let comments = world.github.comments(&shop.repository, pull.number);
        assert_eq!(comments.len(), 1, "one comment from the first day to the last");
        assert!(comments[0].body.contains("emoved"), "{}", comments[0].body);
        kept("removed_after_the_merge", &pull, &comments[0].body, None).await?;
        Ok(())
    });
}
