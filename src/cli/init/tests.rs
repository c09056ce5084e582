//! The file, as the person sees it who goes on with it.

use super::*;
use crate::cli::plan::namespace::tests::{NASTY, manifests, reading, shop};
use crate::domain::baseline::SecretRule;

fn copied(name: &str, objects: Vec<Manifest>, draft: impl FnOnce(Draft) -> Draft) -> Copied {
    let reading = reading(objects);
    let drafted = draft(Draft::of(name, &reading.snapshot.objects));
    Copied::drafted(name, reading, drafted).unwrap()
}

fn file(copied: &Copied) -> String {
    written(copied, &[], SERVICE_NAMESPACE).unwrap().yaml
}

fn repo(name: &str) -> RepoName {
    name.parse().unwrap()
}

const PLAIN: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: \"localhost:5000/web:1\"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
";

#[test]
fn the_shop_s_file_is_for_people() {
    insta::assert_snapshot!("shop", file(&copied("shop", shop(), |draft| draft)));
}

#[test]
fn what_cannot_be_known_is_said() {
    let copied = copied("tools", manifests(PLAIN), |draft| draft);
    insta::assert_snapshot!("plain", written(&copied, &["main".to_owned()], "previews").unwrap().yaml);
}

#[test]
fn no_line_is_wider_than_a_terminal_and_every_guess_can_be_read_back() {
    for (name, objects) in [("shop", shop()), ("shop", manifests(NASTY)), ("2024", manifests(PLAIN)), ("no", manifests(PLAIN))] {
        let copied = copied(name, objects, |draft| draft);
        let text = file(&copied);
        let wide = text.lines().find(|line| line.chars().count() > 80 && line.split_whitespace().count() > 3);
        assert_eq!(wide, None);
        let all: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        assert_eq!(all, written(&copied, &[], SERVICE_NAMESPACE).unwrap().objects);
        let baseline = Baseline::try_from(&serde_json::from_value::<api::Baseline>(all[0].clone()).unwrap()).unwrap();
        let listed: Vec<&SecretRule> = baseline.secrets.iter().collect();
        let needed: Vec<String> = copied.needed().into_iter().map(|secret| secret.name).collect();
        assert_eq!(listed.iter().map(|rule| rule.name.clone()).collect::<Vec<_>>(), needed);
        assert_eq!((baseline.name.as_str(), baseline.namespace.as_str()), (name, name));
        let granted = all.iter().find(|object| object["kind"] == "Role").map(|role| role["rules"][0]["resourceNames"].clone());
        assert_eq!(granted.unwrap_or_else(|| json!([])), json!(needed));
    }
}

#[test]
fn who_says_more_is_asked_less() {
    let named = |draft: Draft| draft.built_by(&[repo("acme/shop")]).under("p.example.org");
    let text = file(&copied("shop", manifests(NASTY), named));
    assert!(text.contains("    - name: acme/shop\n") && text.contains("    domain: p.example.org\n"), "{text}");
    assert!(!text.contains("Guessed") && text.contains("registry.example.com/acme/payments"), "{text}");

    let two = |draft: Draft| draft.built_by(&[repo("acme/web"), repo("acme/other")]);
    let text = file(&copied("shop", manifests(NASTY), two));
    assert!(
        text.replace("\n    # ", " ").contains("Which repository builds these is for you to say: registry.example.com/acme/payments"),
        "{text}"
    );
}

#[test]
fn the_git_checkout_tells_what_names_of_images_do_not() {
    let of = |objects: &str, here: &str| {
        file(&copied("shop", manifests(objects), |draft| draft.from_checkout(&repo(here)))).replace("\n  # ", " ")
    };
    let unnamed = of(PLAIN, "acme/storefront");
    assert!(unnamed.contains("    - name: acme/storefront\n") && unnamed.contains("by the remote of the git checkout here"), "{unnamed}");
    let spelt = of(NASTY, "Acme/Web");
    assert!(spelt.contains("    - name: Acme/Web\n") && spelt.contains("    - name: acme/payments\n"), "{spelt}");
    let elsewhere = of(NASTY, "acme/infra");
    assert!(elsewhere.contains("is of acme/infra, which") && !elsewhere.contains("- name: acme/infra"), "{elsewhere}");
}

#[test]
fn what_others_wrote_stays_a_name_or_a_comment() {
    let evil = PLAIN.replace(
        "image: \"localhost:5000/web:1\"",
        r#"image: "localhost:5000/web:1", env: [{name: HOST, value: "http://a.example.com/\n    secrets: [{name: x}]"}],
           envFrom: [{secretRef: {name: "a\n      - name: production"}}, {secretRef: {name: "true"}}]"#,
    );
    let objects = written(&copied("tools", manifests(&evil), |draft| draft), &[], SERVICE_NAMESPACE).unwrap().objects;
    assert_eq!(objects[0]["spec"]["clone"], json!({"secrets": [{"name": "true"}]}));
}

#[test]
fn what_is_no_baseline_says_where_to_go() {
    let labels = |text: &str| {
        text.replace("metadata: {name: web}\nspec:\n  sel", "metadata: {name: web, labels: {preview-env.dev/environment: web-pr-1, preview-env.dev/baseline-namespace: shop}}\nspec:\n  sel")
    };
    let told = |name: &str, unread: &[&str], text: &str| {
        let mut reading = reading(manifests(text));
        reading.unread = unread.iter().map(|kind| (*kind).to_owned()).collect();
        let draft = Draft::of(name, &reading.snapshot.objects);
        let refused = refuse_copies(name, &reading.snapshot.objects);
        refused
            .and_then(|()| refuse_nothing(name, &Copied::drafted(name, reading, draft)?))
            .map_or_else(|f| f.to_string(), |()| "ok".into())
    };
    let settings = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}";
    let all = [
        told("shop-web-pr-1", &[], &labels(PLAIN)),
        told("tools", &[], "{apiVersion: v1, kind: ConfigMap, metadata: {name: kube-root-ca.crt}}"),
        told("tools", &[], settings),
        told("tools", &["deployments"], settings),
        told("tools", &["deployments"], PLAIN),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    error: namespace shop-web-pr-1 is that of the environment web-pr-1, a copy of shop
      write a Baseline for what it is a copy of: preview init -n shop
    error: namespace tools holds nothing that could be copied
      name the namespace that is to be copied: -n NAMESPACE
      see what there is: kubectl get namespaces
    error: namespace tools runs nothing: it holds no Deployment, StatefulSet or DaemonSet
      deploy the system there first, or name another namespace: -n NAMESPACE
    error: you may not list deployments in namespace tools, so nothing says what it runs
      ask whoever runs it for the role view there: kubectl create rolebinding -n tools ...
    ok
    ");
}

#[test]
fn a_domain_is_one() {
    for (text, read) in
        [("preview.example.com", Some("preview.example.com")), ("*.P.example.com", Some("p.example.com")), ("localhost", Some("localhost"))]
    {
        assert_eq!(parse_domain(text).ok().as_deref(), read);
    }
    for text in ["https://x.example.com", "", "a b", "x.example.com/", ".x"] {
        assert!(parse_domain(text).is_err(), "{text}");
    }
}
