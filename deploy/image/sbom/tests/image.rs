//! What `deploy/image/build` makes, and what it says that the binary is made of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn run(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

fn sbom() -> Result<Vec<u8>> {
    run(Command::new(env!("CARGO_BIN_EXE_sbom")).arg("x86_64-unknown-linux-musl").current_dir(root()))
}

/// Makes an image in a folder, and unpacks its archive there.
fn image(folder: &Path, binary: &Path) -> Result<()> {
    let list = folder.join("list.json");
    fs::write(&list, sbom()?)?;
    let mut build = Command::new(root().join("deploy/image/build"));
    run(build.arg("--binary").arg(binary).arg("--sbom").arg(list).arg("--to").arg(folder))?;
    run(Command::new("tar").arg("--extract").arg("--file").arg(folder.join("preview-env.oci.tar")).arg("--directory").arg(folder)).map(drop)
}

/// A blob, whose content is what its descriptor says.
fn blob(folder: &Path, descriptor: &Value) -> Result<Vec<u8>> {
    let hash = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).context("no digest")?;
    let content = fs::read(folder.join("blobs/sha256").join(hash))?;
    assert_eq!(hex::encode(Sha256::digest(&content)), hash);
    assert_eq!(descriptor["size"], content.len());
    Ok(content)
}

#[test]
fn the_list_holds_what_is_linked_and_nothing_of_the_tests() -> Result<()> {
    let list: Value = serde_json::from_slice(&sbom()?)?;
    let components = list["components"].as_array().context("no components")?;
    let has = |name: &str| components.iter().any(|component| component["name"] == name);
    for name in ["kube", "octocrab", "rustls", "tokio"] {
        assert!(has(name), "{name}");
    }
    for name in ["insta", "proptest", "test-cluster", "github-double", "windows-sys"] {
        assert!(!has(name), "{name}");
    }
    for component in components {
        assert!(component["licenses"].is_array() && component["hashes"].is_array(), "{component}");
    }
    assert_eq!(sbom()?, sbom()?, "it is the same each time");
    Ok(())
}

#[test]
fn the_image_is_a_binary_for_a_user_without_rights_and_the_same_each_time() -> Result<()> {
    let (folder, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let binary = folder.path().join("a-binary");
    fs::write(&binary, "not really one")?;
    image(folder.path(), &binary)?;
    let index: Value = serde_json::from_slice(&fs::read(folder.path().join("index.json"))?)?;
    let manifest: Value = serde_json::from_slice(&blob(folder.path(), &index["manifests"][0])?)?;
    let config: Value = serde_json::from_slice(&blob(folder.path(), &manifest["config"])?)?;
    assert_eq!((&config["config"]["User"], &config["config"]["Entrypoint"]), (&json!("65532:65532"), &json!(["/usr/bin/preview"])));

    let layer = folder.path().join("layer.tar.gz");
    fs::write(&layer, blob(folder.path(), &manifest["layers"][0])?)?;
    let uncompressed = run(Command::new("gzip").arg("--decompress").arg("--stdout").arg(&layer))?;
    assert_eq!(config["rootfs"]["diff_ids"], json!([format!("sha256:{}", hex::encode(Sha256::digest(&uncompressed)))]));
    let listed =
        String::from_utf8(run(Command::new("tar").arg("--list").arg("--verbose").arg("--numeric-owner").arg("--file").arg(&layer))?)?;
    let files: Vec<&str> = listed.lines().filter(|line| !line.starts_with('d')).filter_map(|line| line.rsplit(' ').next()).collect();
    let expected = ["./etc/nsswitch.conf", "./etc/ssl/certs/ca-certificates.crt", "./usr/bin/preview", "./usr/share/sbom/preview.cdx.json"];
    assert_eq!(files, expected);
    assert!(listed.lines().all(|line| line.contains(" 0/0 ")), "{listed}");
    assert!(listed.lines().any(|line| line.starts_with("-rwxr-xr-x") && line.ends_with("/preview")), "{listed}");

    image(other.path(), &binary)?;
    assert_eq!(fs::read(folder.path().join("preview-env.oci.tar"))?, fs::read(other.path().join("preview-env.oci.tar"))?);
    Ok(())
}
