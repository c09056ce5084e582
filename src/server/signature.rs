//! Proof that a delivery comes from the forge: an HMAC over its raw bytes with a secret that both know.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Secrets that can be live at once: the present one, and the next or the last while one is replaced.
const SECRETS_MAX: usize = 2;
/// How old what was read from the files may be, so that a rotated secret works without a restart.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);
const PREFIX: &str = "sha256=";

/// Why a delivery is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignatureError {
    /// It has no signature.
    #[error("the header X-Hub-Signature-256 is missing; give the webhook the secret that this service has")]
    Missing,
    /// Its signature is not `sha256=` and 64 hexadecimal digits.
    #[error("the header X-Hub-Signature-256 is not sha256= and 64 hexadecimal digits")]
    Malformed,
    /// It was signed with another secret, or changed on its way.
    #[error("the signature does not match; the webhook and this service have different secrets")]
    Wrong,
}

/// Why there are no secrets to check with.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// None was configured.
    #[error(
        "cannot start without a webhook secret: set --webhook-secret-file (or PREVIEW_WEBHOOK_SECRET_FILE) to a file that holds the secret of the GitHub webhook"
    )]
    None,
    /// A file cannot be read.
    #[error("cannot read the webhook secret from {path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds nothing.
    #[error("cannot use the webhook secret in {path}: the file is empty", path = .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// More than two.
    #[error("cannot use {0} webhook secrets: two at most, the present one and the one that it is replaced with")]
    TooMany(usize),
}

/// The live secrets, read again when their files change.
pub struct WebhookSecrets {
    files: Vec<PathBuf>,
    held: Mutex<Held>,
}

struct Held {
    secrets: Arc<[SecretString]>,
    read_at: Instant,
}

impl WebhookSecrets {
    /// Reads one or two secrets: from two files, or from two lines of one.
    pub fn from_files(files: &[PathBuf]) -> Result<Self, SecretsError> {
        let held = Held { secrets: read_files(files)?, read_at: Instant::now() };
        Ok(Self { files: files.to_vec(), held: Mutex::new(held) })
    }

    /// Checks the value of `X-Hub-Signature-256` against the raw bytes of a body, in constant time ("Validating
    /// webhook deliveries").
    pub fn verify(&self, signature: Option<&str>, body: &[u8]) -> Result<(), SignatureError> {
        let digits = signature.ok_or(SignatureError::Missing)?.strip_prefix(PREFIX).ok_or(SignatureError::Malformed)?;
        let mut tag = [0; 32];
        hex::decode_to_slice(digits, &mut tag).map_err(|_| SignatureError::Malformed)?;
        // Every secret is tried, so that the time does not tell which one matched.
        let matches = self.current(Instant::now()).iter().filter(|secret| signed_with(secret, body, &tag)).count();
        if matches > 0 { Ok(()) } else { Err(SignatureError::Wrong) }
    }

    /// While the files cannot be read, what was read before stays.
    fn current(&self, now: Instant) -> Arc<[SecretString]> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(held.read_at) >= READ_AGAIN_AFTER {
            held.read_at = now;
            match read_files(&self.files) {
                Ok(secrets) => held.secrets = secrets,
                Err(error) => tracing::warn!(%error, "the webhook secrets stay as they were"),
            }
        }
        Arc::clone(&held.secrets)
    }
}

fn signed_with(secret: &SecretString, body: &[u8], tag: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    mac.update(body);
    mac.verify_slice(tag).is_ok()
}

fn read_files(files: &[PathBuf]) -> Result<Arc<[SecretString]>, SecretsError> {
    let mut secrets = Vec::with_capacity(SECRETS_MAX);
    // An environment variable that is set to nothing gives a file without a name.
    for file in files.iter().filter(|file| !file.as_os_str().is_empty()) {
        secrets.append(&mut read_file(file)?);
    }
    match secrets.len() {
        0 => Err(SecretsError::None),
        1..=SECRETS_MAX => Ok(secrets.into()),
        more => Err(SecretsError::TooMany(more)),
    }
}

fn read_file(path: &Path) -> Result<Vec<SecretString>, SecretsError> {
    let text = std::fs::read_to_string(path).map_err(|source| SecretsError::File { path: path.to_owned(), source })?;
    let lines: Vec<SecretString> = text.lines().filter(|line| !line.is_empty()).map(SecretString::from).collect();
    if lines.is_empty() { Err(SecretsError::Empty { path: path.to_owned() }) } else { Ok(lines) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn sign(secret: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        format!("{PREFIX}{}", hex::encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn githubs_own_example_verifies() {
        // From GitHub's "Validating webhook deliveries".
        let (_folder, path) = file("It's a Secret to Everybody\n");
        let secrets = WebhookSecrets::from_files(&[path]).unwrap();
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(secrets.verify(Some(signature), b"Hello, World!"), Ok(()));
        assert_eq!(secrets.verify(Some(signature), b"Hello, World?"), Err(SignatureError::Wrong));
    }

    #[test]
    fn either_of_two_secrets_is_good() {
        let (_one, first) = file("old");
        let (_two, second) = file("new\r\n");
        let (_both, lines) = file("\nold\nnew\r\n");
        for files in [vec![first, second], vec![lines]] {
            let secrets = WebhookSecrets::from_files(&files).unwrap();
            assert_eq!(secrets.verify(Some(&sign("old", b"x")), b"x"), Ok(()));
            assert_eq!(secrets.verify(Some(&sign("new", b"x")), b"x"), Ok(()));
            assert_eq!(secrets.verify(Some(&sign("other", b"x")), b"x"), Err(SignatureError::Wrong));
            assert_eq!(secrets.verify(Some(&sign("", b"x")), b"x"), Err(SignatureError::Wrong));
        }
    }

    #[test]
    fn what_is_no_signature_is_told_apart() {
        let (_folder, path) = file("s");
        let secrets = WebhookSecrets::from_files(&[path]).unwrap();
        assert_eq!(secrets.verify(None, b""), Err(SignatureError::Missing));
        let long = format!("{}00", sign("s", b""));
        for text in ["", "sha256=", "sha1=00", "sha256=zz", "757107ea", &sign("s", b"")[..70], &long] {
            assert_eq!(secrets.verify(Some(text), b""), Err(SignatureError::Malformed), "{text}");
        }
    }

    #[test]
    fn a_start_without_a_usable_secret_says_how_to_set_it() {
        assert!(matches!(WebhookSecrets::from_files(&[PathBuf::new()]), Err(SecretsError::None)));
        let error = WebhookSecrets::from_files(&[]).err().unwrap().to_string();
        assert!(
            error.contains("--webhook-secret-file") && error.contains("PREVIEW_WEBHOOK_SECRET_FILE") && !error.contains('\n'),
            "{error}"
        );
        let (_folder, empty) = file("\n\n");
        assert!(matches!(WebhookSecrets::from_files(&[empty]), Err(SecretsError::Empty { .. })));
        let (_folder, many) = file("a\nb\nc");
        assert!(matches!(WebhookSecrets::from_files(&[many]), Err(SecretsError::TooMany(3))));
        assert!(matches!(WebhookSecrets::from_files(&["/nowhere/secret".into()]), Err(SecretsError::File { .. })));
    }

    #[test]
    fn a_rotated_secret_is_taken_up() {
        let (folder, path) = file("old");
        let secrets = WebhookSecrets::from_files(std::slice::from_ref(&path)).unwrap();
        std::fs::write(&path, "new").unwrap();
        secrets.current(Instant::now() + READ_AGAIN_AFTER);
        assert_eq!(secrets.verify(Some(&sign("new", b"x")), b"x"), Ok(()));
        assert_eq!(secrets.verify(Some(&sign("old", b"x")), b"x"), Err(SignatureError::Wrong));
        drop(folder);
        secrets.current(Instant::now() + 3 * READ_AGAIN_AFTER);
        assert_eq!(secrets.verify(Some(&sign("new", b"x")), b"x"), Ok(()));
    }

    proptest! {
        #[test]
        fn one_flipped_bit_is_refused(body in prop::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(), bit in 0u8..8, in_body in any::<bool>()) {
            let (_folder, path) = file("s3cret");
            let secrets = WebhookSecrets::from_files(&[path]).unwrap();
            let mut tag = hex::decode(&sign("s3cret", &body)[PREFIX.len()..]).unwrap();
            let mut sent = body.clone();
            let bytes = if in_body { &mut sent } else { &mut tag };
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let flipped = format!("{PREFIX}{}", hex::encode(tag));
            prop_assert_eq!(secrets.verify(Some(&flipped), &sent), Err(SignatureError::Wrong));
            prop_assert_eq!(secrets.verify(Some(&sign("s3cret", &body)), &body), Ok(()));
        }
    }
}
