//! What the documents say is so: no reason is missing, no default is another, no link leads nowhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::CommandFactory;
use preview_env::cli::Cli;
use preview_env::controller::status::PHASES;
use test_world::root;

/// Single words with a capital that the sources hold and that are no reasons, beside kinds and what is not a word.
const OTHER_WORDS: [&str; 36] = [
    "Absent",
    "Age",
    "Apply",
    // What a span that failed says.
    "ApplyFailed",
    "Approve",
    "Branch",
    "Commands",
    "Delete",
    "Domain",
    "Environments",
    "Exact",
    "Expires",
    "False",
    "Helm",
    "Image",
    "Labels",
    "List",
    "Metrics",
    "New",
    "Open",
    "Orphan",
    "Phase",
    "Prefix",
    "Present",
    "Reason",
    "Rebuild",
    "Recorded",
    "Registries",
    "Registry",
    "RequestFailed",
    "Revision",
    "Source",
    // What the log says of a command that is passed over.
    "TooOld",
    "Tiller",
    "True",
    "User",
];
/// Kinds and values of the Kubernetes API that are one word or several.
const OF_KUBERNETES: [&str; 67] = [
    "Always",
    "BackoffLimitExceeded",
    "Baseline",
    "BaselineStatus",
    "Cluster",
    "ClusterRole",
    "Complete",
    "Container",
    "ContainerCreating",
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "DeadlineExceeded",
    "Deny",
    "Default",
    "Egress",
    "ErrImagePull",
    "Established",
    "ExitCode",
    "ExternalName",
    "Fail",
    "Failed",
    "FailedMount",
    "GitHub",
    "Group",
    "ImagePullBackOff",
    "InvalidImageName",
    "KongPlugin",
    "LoadBalancer",
    "Local",
    "Localhost",
    "Namespace",
    "NamespaceContentRemaining",
    "NamespaceDeletionContentFailure",
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceFinalizersRemaining",
    "Namespaced",
    "Never",
    "NodePort",
    "NonZeroExitCode",
    "None",
    "OnDelete",
    "OnFailure",
    "Opaque",
    "PartialEq",
    "PathPrefix",
    "PodInitializing",
    "PodScheduled",
    "PreviewEnvironment",
    "PreviewEnvironmentStatus",
    "PreviewPolicy",
    "ProgressDeadlineExceeded",
    "Programmed",
    "Recreate",
    "RegistryUnavailable",
    "ReplicaFailure",
    "ReplicaSet",
    "RequestRedirect",
    "RollingUpdate",
    "Route",
    "RunContainerError",
    "RuntimeDefault",
    "SingleStack",
    "Stale",
    "Success",
    "Unschedulable",
];

fn document(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))
}

/// Every source file below a folder, without tests.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some("tests" | "tests.rs") => {}
            _ if path.is_dir() => sources(&path, into)?,
            _ if path.extension().is_some_and(|extension| extension == "rs") => into.push(path),
            _ => {}
        }
    }
    Ok(())
}

/// Texts of one capitalised word, `NamespaceTaken` for example, outside comments and tests.
fn capitalised_words(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let literals = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    let is_word = |text: &&str| {
        let letters = text.chars().all(|character| character.is_ascii_alphabetic());
        let starts = text.starts_with(|first: char| first.is_ascii_uppercase()) && text.len() > 2;
        letters && starts && !text.as_bytes().windows(2).any(|pair| pair.iter().all(u8::is_ascii_uppercase))
    };
    literals.filter(is_word).map(str::to_owned).collect()
}

/// Every reason that a condition can have.
fn reasons() -> Result<BTreeSet<String>> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files)?;
    let mut words = BTreeSet::new();
    for file in files {
        words.extend(capitalised_words(&fs::read_to_string(file)?));
    }
    let is_kind = |word: &str| preview_env::kinds::KINDS.iter().any(|known| known.kind.kind == word);
    words.retain(|word| !is_kind(word) && !OF_KUBERNETES.contains(&word.as_str()));
    words.retain(|word| !OTHER_WORDS.contains(&word.as_str()));
    Ok(words)
}

#[test]
fn every_reason_has_its_line_in_troubleshooting() -> Result<()> {
    let text = document("docs/troubleshooting.md")?;
    let reasons = reasons()?;
    assert!(reasons.contains("NamespaceTaken") && reasons.contains("Fork"), "the sources are not read: {reasons:?}");
    let missing: Vec<_> = reasons.iter().filter(|reason| !text.contains(&format!("`{reason}`"))).collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md says nothing of {missing:?}; a word that is no reason belongs into this test");
    Ok(())
}

#[test]
fn every_phase_is_explained() -> Result<()> {
    let text = document("docs/troubleshooting.md")?;
    for phase in PHASES {
        assert!(text.contains(&format!("| `{phase}` |")), "{phase}");
    }
    Ok(())
}

#[test]
fn the_flags_of_the_service_are_as_documented() -> Result<()> {
    let (commands, readme) = (document("docs/commands.md")?, document("README.md")?);
    let serve = Cli::command().find_subcommand("serve").context("no serve")?.clone();
    let own = serve.get_arguments().filter(|argument| !argument.is_global_set() && argument.get_env().is_some());
    for argument in own {
        let variable = argument.get_env().unwrap_or_default().to_string_lossy().into_owned();
        let default = argument.get_default_values().first().map(|value| format!("`{}`", value.to_string_lossy()));
        for (name, text) in [("docs/commands.md", &commands), ("README.md", &readme)] {
            let line = text.lines().find(|line| line.contains(&format!("`{variable}`")));
            let line = line.with_context(|| format!("{name} says nothing of {variable}"))?;
            assert!(default.as_ref().is_none_or(|default| line.contains(default)), "{name}: {line}: not {default:?}");
        }
    }
    Ok(())
}

#[test]
fn links_between_documents_lead_somewhere() -> Result<()> {
    for path in [
        "README.md",
        "CONTRIBUTING.md",
        "charts/preview-env/README.md",
        "docs/architecture.md",
        "docs/commands.md",
        "docs/compare.md",
        "docs/configuration.md",
        "docs/github-app.md",
        "docs/images.md",
        "docs/isolation.md",
        "docs/kinds.md",
        "docs/metrics.md",
        "docs/operations.md",
        "docs/pull-request.md",
        "docs/rules.md",
        "docs/security.md",
        "docs/systems.md",
        "docs/troubleshooting.md",
        "docs/values.md",
    ] {
        let text = document(path)?;
        let folder = root().join(path).parent().context("a file is in a folder")?.to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let elsewhere = target.contains("://") || target.is_empty();
            assert!(elsewhere || folder.join(target).exists(), "{path}: {link}");
        }
    }
    Ok(())
}

/// The tests that a row of a table names: `` `a_name` and `another` in `a/file.rs` ``, one after the other.
fn named_tests(cell: &str) -> Vec<(String, String)> {
    let mut waiting = Vec::new();
    let mut named = Vec::new();
    for code in cell.split('`').skip(1).step_by(2) {
        if code.contains('/') {
            named.extend(waiting.drain(..).map(|test| (test, code.to_owned())));
        } else {
            waiting.push(code.to_owned());
        }
    }
    named.extend(waiting.into_iter().map(|test| (test, String::new())));
    named
}

/// Whether a source holds a test of that name, one with properties included.
fn has_test(source: &str, name: &str) -> bool {
    source.match_indices(&format!("fn {name}(")).any(|(at, _)| {
        let above = source[..at].rsplit("\n\n").next().unwrap_or_default();
        above.contains("#[test]") || above.contains("#[tokio::test")
    })
}

#[test]
fn every_attack_has_a_test_that_is_there() -> Result<()> {
    let page = document("docs/security.md")?;
    let (_, table) = page.split_once("| attack | what happens | test |").context("there is no table of attacks")?;
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 25, "the table is cut off after {} rows", rows.len());
    for row in rows {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let named = named_tests(cell);
        assert!(!named.is_empty(), "no test: {row}");
        for (test, file) in named {
            assert!(!file.is_empty(), "{test} is in no file: {row}");
            assert!(has_test(&document(&file)?, &test), "{file} has no test {test}");
        }
    }
    Ok(())
}
