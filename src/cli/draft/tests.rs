use super::*;

fn runs(images: &[&str]) -> Vec<Manifest> {
    let object = |image: &&str| {
        let spec = json!({"template": {"spec": {"containers": [{"name": "c", "image": image}]}}});
        Manifest::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec}))
    };
    images.iter().map(object).collect()
}

fn ingress(host: &str) -> Manifest {
    Manifest::new(json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"},
        "spec": {"rules": [{"host": host}]}}))
}

fn repositories(images: &[&str]) -> Vec<String> {
    Draft::of("shop", &runs(images)).repositories.into_keys().collect()
}

#[test]
fn repositories_are_guessed_by_what_most_images_begin_with() {
    assert_eq!(repositories(&["r.example.com/acme/web:1", "r.example.com/acme/api:1", "redis:8", "bitnami/x:1"]), ["acme/api", "acme/web"]);
    assert_eq!(repositories(&["ghcr.io/acme/shop/web:1", "ghcr.io/acme/shop/api:1"]), ["acme/shop"]);
    assert_eq!(repositories(&["weaveworksdemos/front-end:0.3", "mongo"]), ["weaveworksdemos/front-end"]);
    assert_eq!(repositories(&["me/tool:1", "r.example.com/acme/web:1"]), ["acme/web"]);
    assert_eq!(repositories(&["postgres:17"]), ["your-org/shop"]);
    assert_eq!(repositories(&["localhost:5000/web:1"]), ["your-org/web"]);
}

#[test]
fn the_tag_follows_what_runs() {
    let of = |tag: &str| Draft::of("shop", &runs(&[&format!("r.example.com/acme/web:{tag}")])).tag.clone();
    assert_eq!(of("1.8.2"), "{{ revision }}");
    assert_eq!(of("3f9c2ab"), "{{ revision_short }}");
    assert_eq!(of("sha-3f9c2ab"), "sha-{{ revision_short }}");
}

#[test]
fn the_domain_stands_beside_the_baseline_s() {
    let of = |host: &str| Draft::of("shop", &[ingress(host)]).domain;
    assert_eq!(of("shop.example.org").as_deref(), Some("preview.example.org"));
    assert_eq!(of("shop.local").as_deref(), Some("preview.example.com"));
    assert_eq!(Draft::of("shop", &[]).domain, None);
    let front = Manifest::new(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"}, "spec": {"type": "NodePort"}}));
    let draft = Draft::of("shop", std::slice::from_ref(&front));
    assert_eq!((draft.domain.as_deref(), draft.expose.as_slice()), (Some("preview.example.com"), &["front".to_owned()][..]));
    assert!(draft.yaml(&[]).contains("    expose:\n      - service: front"));
    assert!(Draft::of("shop", &[front, ingress("shop.example.com")]).expose.is_empty(), "a route stands for what it leads to");
}

#[test]
fn the_text_is_the_baseline_that_was_planned_with() {
    let mut objects = runs(&["r.example.com/acme/web:1", "r.example.com/acme/api:1"]);
    objects.push(ingress("shop.example.com"));
    let draft = Draft::of("shop", &objects);
    let text = draft.yaml(&[Needed { name: "db".into(), users: "api and web".into() }]);
    insta::assert_snapshot!(text, @r#"
    apiVersion: preview-env.dev/v1alpha1
    kind: Baseline
    metadata:
      name: shop
      namespace: shop
    spec:
      # Guessed by the images' names; tag: what CI pushes for a commit.
      repositories:
        - name: acme/api
          images:
            - name: r.example.com/acme/api
              tag: "{{ revision }}"
        - name: acme/web
          images:
            - name: r.example.com/acme/web
              tag: "{{ revision }}"
      # Previews are labels under it: one wildcard DNS record serves them all.
      hosts:
        domain: preview.example.com
      # Needed by workloads. What is listed is copied into every preview.
      # clone:
      #   secrets:
      #     - name: db  # api and web
    "#);
    let read = |text: &str| Baseline::try_from(&serde_saphyr::from_str::<api::Baseline>(text).unwrap()).unwrap();
    assert_eq!(read(&text), draft.baseline().unwrap());
    let listed = text.replace("  # clone", "  clone").replace("  #   s", "    s").replace("  #     -", "      -");
    assert_eq!(read(&listed).secrets.len(), 1);
}

#[test]
fn every_guess_is_a_valid_baseline() {
    for images in [&["a_b/c:1"][..], &["r.example.com/x"], &["r.example.com/acme/web", "ghcr.io/acme/web"], &[]] {
        let baseline = Draft::of("shop", &runs(images)).baseline();
        assert!(baseline.is_ok_and(|b| !b.repositories.is_empty()), "{images:?}");
    }
}

#[test]
fn a_name_that_yaml_would_take_for_something_else_is_quoted() {
    for (text, written) in [
        ("shop", "shop"),
        ("registry.example.com:5000/acme/web", "registry.example.com:5000/acme/web"),
        ("no", "\"no\""),
        ("True", "\"True\""),
        ("2024", "\"2024\""),
        ("1e3", "\"1e3\""),
        ("a: b", "\"a: b\""),
        ("{{ revision }}", "\"{{ revision }}\""),
    ] {
        assert_eq!(scalar(text), written);
    }
}

#[test]
fn named_repositories_get_the_images_that_are_called_like_them() {
    let images = runs(&["r.example.com/acme/web:1", "r.example.com/acme/shop-api:1", "r.example.com/acme/jobs/worker:1"]);
    let draft = |names: &[&str]| {
        let names: Vec<RepoName> = names.iter().map(|name| name.parse().unwrap()).collect();
        Draft::of("shop", &images).built_by(&names)
    };
    assert_eq!(draft(&["other/mono"]).repositories["other/mono"].len(), 3);
    let split = draft(&["Acme/Web", "acme/worker", "ACME/web"]);
    assert_eq!(split.repositories.keys().collect::<Vec<_>>(), ["Acme/Web", "acme/worker"]);
    assert!(split.repositories["Acme/Web"].contains("r.example.com/acme/web"));
    assert!(split.repositories["acme/worker"].contains("r.example.com/acme/jobs/worker"));
    assert_eq!(split.unclaimed.iter().collect::<Vec<_>>(), ["r.example.com/acme/shop-api"]);
}
