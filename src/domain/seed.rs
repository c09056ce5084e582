//! What generated values follow from.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Fewest characters of a seed: 32 hexadecimal digits hold 128 bits.
const MIN_LENGTH: usize = 32;
/// Bytes of the digest that a value shows: 160 bits, as 32 characters of five bits each.
const SHOWN_BYTES: usize = 20;
/// The alphabet of RFC 4648, section 6, in lower case: it needs no escaping in a URL, a DSN or a shell.
const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";

/// A secret of this installation. The values that `clone.secrets[].generate` asks for are keyed hashes under it: the same
/// each time without being stored or read anywhere, and not to be guessed by somebody who knows an environment's UID.
#[derive(Clone, Debug)]
pub struct Seed(SecretString);

/// Why a text is not a seed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot use a seed of {0} characters: at least 32 are needed, such as from `openssl rand -hex 32`")]
pub struct SeedTooShort(usize);

impl Seed {
    /// Takes a secret text, without the spaces around it.
    pub fn new(text: &str) -> Result<Self, SeedTooShort> {
        let text = text.trim();
        if text.chars().count() < MIN_LENGTH { Err(SeedTooShort(text.chars().count())) } else { Ok(Self(text.into())) }
    }

    /// The seed of a plan that is only looked at: what it gives is no value of any environment.
    pub fn for_show() -> Self {
        Self("what is generated here is only for show".into())
    }

    /// The value for one key of one Secret of the environment with that UID.
    pub fn value(&self, uid: &str, secret: &str, key: &str) -> String {
        // A keyed hash takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes()) else { return String::new() };
        for part in [uid, secret, key] {
            // With the length before it, so that no two lists of parts are one text.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        five_bits_each(&mac.finalize().into_bytes()[..SHOWN_BYTES])
    }
}

fn five_bits_each(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits) as usize & 31]));
        }
        held &= (1 << bits) - 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_same_each_time_and_differ_in_every_part() {
        let seed = Seed::new(&"5".repeat(32)).unwrap();
        let value = seed.value("uid", "db", "PASSWORD");
        assert_eq!(value, seed.value("uid", "db", "PASSWORD"));
        assert!(value.len() == 32 && value.bytes().all(|b| ALPHABET.contains(&b)), "{value}");
        let others = [("uid2", "db", "PASSWORD"), ("uid", "db2", "PASSWORD"), ("uid", "db", "OTHER"), ("uidd", "b", "PASSWORD")];
        assert!(others.iter().all(|(uid, secret, key)| seed.value(uid, secret, key) != value));
        assert_ne!(Seed::for_show().value("uid", "db", "PASSWORD"), value);
    }

    #[test]
    fn bits_are_taken_in_order() {
        // RFC 4648, section 10.
        assert_eq!(five_bits_each(b"fooba"), "mzxw6ytb");
    }

    #[test]
    fn a_short_seed_is_refused() {
        assert_eq!(Seed::new(" abc\n").unwrap_err(), SeedTooShort(3));
    }
}
