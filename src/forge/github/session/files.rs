//! The files that say who we are: an account's token, or an App's private key. No error repeats what a file holds.

use std::io;
use std::path::{Path, PathBuf};

use jsonwebtoken::EncodingKey;
use secrecy::{ExposeSecret, SecretString};

/// Why we cannot talk to GitHub at all.
#[derive(Debug, thiserror::Error)]
pub enum GithubError {
    /// The token's file cannot be read.
    #[error("cannot read the GitHub token from {path}: {source}", path = .path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The token's file holds something that is not a token.
    #[error("cannot use the GitHub token in {path}: {why}", path = .path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        why: &'static str,
    },
    /// The file of the App's private key cannot be read.
    #[error("cannot read the GitHub App's private key from {path}: {source}", path = .path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file holds something that is not an App's private key.
    #[error("cannot use the GitHub App's private key in {path}: {why}", path = .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        why: &'static str,
    },
    /// The client cannot be made, for want of root certificates for example.
    #[error("cannot make a client for GitHub: {0}")]
    Client(String),
}

/// The token that the file holds now. A Secret's volume is in memory, so this small read does not wait.
pub(super) fn token(path: &Path) -> Result<SecretString, GithubError> {
    let unusable = |why| GithubError::Token { path: path.to_owned(), why };
    let text = text(path).map_err(|source| GithubError::TokenFile { path: path.to_owned(), source })?;
    let token = text.expose_secret().trim();
    if token.is_empty() {
        return Err(unusable("the file is empty"));
    }
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(unusable("it has spaces or characters that no token has"));
    }
    Ok(SecretString::from(token))
}

/// The private key that the file holds now: RSA, in PEM, as PKCS#1 (which GitHub gives out) or PKCS#8.
pub(super) fn key(path: &Path) -> Result<EncodingKey, GithubError> {
    let unusable = |why| GithubError::Key { path: path.to_owned(), why };
    let text = text(path).map_err(|source| GithubError::KeyFile { path: path.to_owned(), source })?;
    let pem = text.expose_secret().trim();
    if pem.is_empty() {
        return Err(unusable("the file is empty"));
    }
    if pem.contains("ENCRYPTED") {
        return Err(unusable("it is encrypted; take the file as GitHub gives it out"));
    }
    if !pem.contains("PRIVATE KEY-----") {
        return Err(unusable("it is no private key in PEM; take the file as GitHub gives it out"));
    }
    EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| unusable("it is no RSA key in PEM, or cut short"))
}

fn text(path: &Path) -> io::Result<SecretString> {
    std::fs::read_to_string(path).map(SecretString::from)
}
