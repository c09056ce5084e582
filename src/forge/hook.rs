//! How a forge delivers what it tells of its own accord. The server knows no more of a forge than this. No client, no clock, no
//! logging.

use chrono::{DateTime, Utc};

use super::event::{Event, ParseError};

/// What is known of a delivery beside its body. The signature does not cover it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// What the header says that it is; empty where there is none.
    pub event: &'a str,
    /// When it arrived, by the forge's clock. Only for what the forge says no time of.
    pub at: DateTime<Utc>,
}

/// Where and how one forge delivers: JSON, signed with HMAC-SHA256 over its raw bytes as `sha256=` and hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Where it posts.
    pub path: &'static str,
    /// The header with the signature, in small letters.
    pub signature: &'static str,
    /// The header that says what the delivery is, in small letters.
    pub event: &'static str,
    /// The header with the delivery's number, for the log, in small letters.
    pub delivery: &'static str,
    /// Reads a body. Its signature was checked before.
    pub parse: fn(&Arrival<'_>, &[u8]) -> Result<Event, ParseError>,
}
