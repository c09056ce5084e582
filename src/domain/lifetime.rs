//! Durations as people write them.

use std::time::Duration;

/// A span such as `5d` or `36h`, at least a second and at most ten years.
pub fn parse_ttl(text: &str) -> Result<Duration, InvalidTtl> {
    let invalid = |why: String| InvalidTtl { text: text.to_owned(), why };
    let ttl = humantime::parse_duration(text).map_err(|error| invalid(error.to_string()))?;
    match ttl.as_secs() {
        0 => Err(invalid("it must be at least a second".to_owned())),
        s if s > 10 * 365 * 86_400 => Err(invalid("it must be at most ten years".to_owned())),
        _ => Ok(ttl),
    }
}

/// Why a text is not a lifetime.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot read {text:?} as a time to live: {why}; write it like 36h or 5d")]
pub struct InvalidTtl {
    text: String,
    why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        assert_eq!(parse_ttl("5d").unwrap().as_secs(), 5 * 86_400);
        assert_eq!(parse_ttl("1h30m").unwrap().as_secs(), 5_400);
        for text in ["", "0s", "5", "soon", "900000d"] {
            assert!(parse_ttl(text).is_err(), "{text}");
        }
    }
}
