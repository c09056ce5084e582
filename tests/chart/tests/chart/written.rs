//! What is written in two places says the same in both.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser};
use kube::ResourceExt;
use kube::api::DynamicObject;
use preview_env::cli::Cli;
use serde_json::{Value, json};
use test_world::{read, root};

use crate::helm::{Helm, chart, matrix, only, values};

fn deployed(file: &str) -> Result<Vec<DynamicObject>> {
    read(&std::fs::read_to_string(root().join("deploy").join(file)).with_context(|| format!("cannot read deploy/{file}"))?)
}

/// An object as it is without labels, which every object of a chart gets, and without what Helm is told of it.
fn without_marks(object: &DynamicObject) -> Result<Value> {
    let mut value = serde_json::to_value(object)?;
    for pointer in ["/metadata", "/spec/template/metadata"] {
        if let Some(metadata) = value.pointer_mut(pointer).and_then(Value::as_object_mut) {
            metadata.remove("labels");
            metadata.remove("annotations");
        }
    }
    Ok(value)
}

fn name_of(object: &DynamicObject) -> String {
    let kind = object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
    format!("{kind}/{}", object.name_any())
}

fn variables(deployment: &Value) -> BTreeMap<String, Value> {
    let variables = deployment.pointer("/spec/template/spec/containers/0/env").and_then(Value::as_array);
    variables.into_iter().flatten().map(|variable| (variable["name"].as_str().unwrap_or_default().to_owned(), variable.clone())).collect()
}

#[test]
fn the_reference_of_values_is_written_from_them() -> Result<()> {
    for (name, text) in chart::written()? {
        assert!(chart::read(name)? == text, "charts/preview-env/{name} is old; write it anew: make chart");
    }
    Ok(())
}

#[test]
fn the_chart_has_the_version_of_the_program() -> Result<()> {
    let chart: Value = serde_saphyr::from_str(&chart::read("Chart.yaml")?)?;
    for field in ["version", "appVersion"] {
        assert_eq!(chart[field], env!("CARGO_PKG_VERSION"), "{field}");
    }
    Ok(())
}

#[test]
fn the_rights_and_the_admission_policies_are_those_of_deploy() -> Result<()> {
    let rendered = Helm::new()?.rendered("preview-env", &["-f", &values("everything")])?;
    let rendered: BTreeMap<String, &DynamicObject> = rendered.iter().map(|object| (name_of(object), object)).collect();
    let own_labels = |object: &DynamicObject| object.labels().clone();
    let mut seen = 0;
    for object in deployed("rbac.yaml")?.iter().chain(&deployed("clone-roles.yaml")?) {
        let name = name_of(object);
        if name == "Namespace/preview-env" || name == "ServiceAccount/preview-env" {
            continue;
        }
        let made = rendered.get(&name).with_context(|| format!("the chart makes no {name}"))?;
        assert_eq!(without_marks(made)?, without_marks(object)?, "{name}");
        let labels = own_labels(object);
        assert!(labels.iter().all(|(key, value)| made.labels().get(key) == Some(value)), "{name}: {labels:?}");
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
    let made =
        rendered.keys().filter(|name| ["ClusterRole", "Role", "ValidatingAdmissionPolicy"].iter().any(|kind| name.starts_with(kind)));
    // And one RoleBinding more: the baseline's.
    assert_eq!(made.count(), seen + 1, "{:?}", rendered.keys());
    Ok(())
}

#[test]
fn in_another_namespace_nothing_means_the_usual_one() -> Result<()> {
    for object in Helm::new()?.rendered("previews", &["-f", &values("app")])? {
        let text = serde_json::to_string(&object)?;
        for trace in
            ["serviceaccount:preview-env", "serviceaccounts:preview-env", "\"namespace\":\"preview-env\"", "orValue('') != 'preview-env'"]
        {
            assert!(!text.contains(trace), "{}: {trace}", name_of(&object));
        }
        let label = text.matches("orValue('') == 'preview-env'").count();
        assert_eq!(label, text.matches("managed-by'].orValue('') == 'preview-env'").count(), "{}", name_of(&object));
    }
    Ok(())
}

#[test]
fn the_pods_are_those_of_deploy() -> Result<()> {
    let rendered = Helm::new()?.rendered("preview-env", &["-f", &values("minimal")])?;
    let plain = deployed("service.yaml")?;
    for kind in ["Deployment", "PodDisruptionBudget", "Service"] {
        let (mut made, mut expected) = (only(&rendered, kind)?, only(&plain, kind)?);
        for (name, variable) in variables(&expected) {
            assert_eq!(variables(&made).get(&name), Some(&variable), "{name}");
        }
        for object in [&mut made, &mut expected] {
            object["metadata"]["labels"] = json!({});
            if kind == "Deployment" {
                object["spec"]["template"]["metadata"]["labels"] = json!({});
                let container = &mut object["spec"]["template"]["spec"]["containers"][0];
                for field in ["image", "imagePullPolicy", "env"] {
                    container[field] = json!("is another");
                }
            }
            if kind == "Service" {
                object["spec"]["type"] = json!("ClusterIP");
            }
        }
        assert_eq!(made, expected);
    }
    Ok(())
}

#[test]
fn every_flag_of_the_service_is_a_value_or_set_and_has_the_default_of_the_service() -> Result<()> {
    let helm = Helm::new()?;
    let mut set: BTreeSet<String> = BTreeSet::new();
    for file in matrix()? {
        let rendered = helm.rendered("preview-env", &["-f", &file.display().to_string()])?;
        set.extend(variables(&only(&rendered, "Deployment")?).into_keys());
    }
    let usual = variables(&only(&helm.rendered("preview-env", &["-f", &values("minimal")])?, "Deployment")?);
    let serve = Cli::command().find_subcommand("serve").context("no serve")?.clone();
    let global = Cli::command().get_arguments().filter(|argument| argument.get_env().is_some()).cloned().collect::<Vec<_>>();
    let own = serve.get_arguments().filter(|argument| !argument.is_global_set() && argument.get_id() != "help").cloned();
    for argument in own.chain(global) {
        let variable =
            argument.get_env().with_context(|| format!("--{} has no variable", argument.get_id()))?.to_string_lossy().into_owned();
        assert!(set.contains(&variable), "{variable} is not to be had by the chart");
        // Logs are for machines there.
        let default = argument.get_default_values().first().filter(|_| variable != "PREVIEW_LOG_FORMAT");
        if let (Some(default), Some(value)) = (default, usual.get(&variable).and_then(|set| set["value"].as_str())) {
            assert_eq!(value, default.to_string_lossy(), "{variable}");
        }
    }
    Ok(())
}

#[test]
fn the_commands_of_the_notes_can_be_run() -> Result<()> {
    let helm = Helm::new()?;
    for (namespace, file) in [("preview-env", "minimal"), ("previews", "app"), ("preview-env", "poll")] {
        let notes = helm.must(&["install", "preview-env", &chart(), "--dry-run=client", "-n", namespace, "-f", &values(file)])?;
        let (_, notes) = notes.split_once("NOTES:\n").context("there are no notes")?;
        let commands: Vec<&str> = notes.lines().filter_map(|line| line.trim().starts_with("preview ").then_some(line.trim())).collect();
        assert_eq!(commands.len(), 1, "{notes}");
        for command in commands {
            let words = command.split('|').next().unwrap_or_default().split_whitespace();
            Cli::try_parse_from(words).with_context(|| command.to_owned())?;
        }
        let url = notes.contains("https://hooks.example.com/webhooks/github");
        assert_eq!(url, file == "app", "{notes}");
        assert_eq!(notes.contains("--service-namespace previews"), namespace == "previews", "{notes}");
    }
    Ok(())
}

/// The commands of a document's blocks that begin with a word, with the lines that continue them.
fn commands(document: &str, first: &str) -> Vec<String> {
    let joined = document.replace("\\\n", " ");
    joined.lines().filter(|line| line.starts_with(first)).map(str::to_owned).collect()
}

#[test]
fn the_readme_installs_what_the_chart_takes() -> Result<()> {
    let helm = Helm::new()?;
    let readme = std::fs::read_to_string(root().join("README.md"))?;
    let installs = commands(&readme, "helm install ");
    assert_eq!(installs.len(), 1, "{installs:?}");
    for command in installs {
        let words = command.split_whitespace().skip(2).map(|word| if word == "charts/preview-env" { chart() } else { word.to_owned() });
        let arguments: Vec<String> = ["template".to_owned()].into_iter().chain(words).collect();
        let objects = read(&helm.must(&arguments)?)?;
        assert_eq!(only(&objects, "PreviewPolicy")?["spec"], json!({"domains": ["preview.example.com"]}));
        assert_eq!(only(&objects, "Ingress")?["spec"]["rules"][0]["host"], "hooks.example.com");
    }
    // What it says beside that.
    for words in ["--set-string github.appId=123456", "--set poll=30s"] {
        assert!(readme.contains(words), "{words}");
        let image = "image.repository=registry.example.com/preview";
        helm.rendered("preview-env", &[&["--set", image], &words.split(' ').collect::<Vec<_>>()[..]].concat())?;
    }
    Ok(())
}
