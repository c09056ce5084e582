//! The cluster's certificates, keys and tokens, made anew for each cluster.
//!
//! People and components come with a bearer token over verified TLS. That spares a client certificate for each of them
//! and reads the same to the API server: a user name and its groups.

use std::fs::{self, File};
use std::io::Read;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use crate::folder::Folder;

/// The user name of the administrator.
pub const ADMIN: &str = "kubernetes-admin";
/// Who may do everything, whatever RBAC says.
const MASTERS: &str = "system:masters";

/// What a client needs to reach the API server and to know that it is the right one.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The certificate authority, PEM.
    pub authority: String,
    users: Vec<(&'static str, String)>,
}

impl Credentials {
    /// Makes them and writes what the API server and the controllers read into the folder.
    pub fn write(folder: &Folder) -> Result<Self> {
        let authority = write_certificates(folder).context("cannot make certificates")?;
        let key = KeyPair::generate().context("cannot make a key")?;
        write(folder, "service-accounts.key", &key.serialize_pem())?;
        write(folder, "service-accounts.pub", &key.public_key_pem())?;
        let names = [ADMIN, "system:kube-controller-manager", "system:kube-scheduler", "kwok"];
        let users = names.into_iter().map(|name| Ok((name, random_token()?))).collect::<Result<Vec<_>>>()?;
        let lines: Vec<String> = users.iter().map(|(name, token)| format!("{token},{name},{name},\"{MASTERS}\"\n")).collect();
        write(folder, "tokens.csv", &lines.concat())?;
        Ok(Self { authority, users })
    }

    /// The users and their tokens.
    pub fn users(&self) -> impl Iterator<Item = (&str, &str)> {
        self.users.iter().map(|(name, token)| (*name, token.as_str()))
    }
}

/// Writes the API server's certificate and key; returns the authority's certificate.
fn write_certificates(folder: &Folder) -> Result<String> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "test-cluster");
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);

    let names = ["localhost", "127.0.0.1", "kubernetes.default", "kubernetes.default.svc"].map(String::from);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    write(folder, "ca.crt", &authority.pem())?;
    write(folder, "api-server.crt", &certificate.pem())?;
    write(folder, "api-server.key", &key.serialize_pem())?;
    Ok(authority.pem())
}

/// 128 bits that nobody guesses: other users of the machine reach the port too.
fn random_token() -> Result<String> {
    let mut bytes = [0; 16];
    let mut source = File::open("/dev/urandom").context("cannot open /dev/urandom")?;
    source.read_exact(&mut bytes).context("cannot read /dev/urandom")?;
    Ok(hex::encode(bytes))
}

fn write(folder: &Folder, name: &str, text: &str) -> Result<()> {
    let path = folder.file(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
