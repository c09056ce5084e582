//! What tells one text from another.

use sha2::{Digest, Sha256};

/// How many hexadecimal digits of the SHA-256 are kept: 64 bits, and only texts of one pull request are compared.
const DIGITS: usize = 16;

/// The first sixteen hexadecimal digits of the text's SHA-256.
pub fn digest(text: &str) -> String {
    let mut hex = hex::encode(Sha256::digest(text.as_bytes()));
    hex.truncate(DIGITS);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_one_of_sha256sum() {
        assert_eq!(digest("abc"), "ba7816bf8f01cfea");
    }
}
