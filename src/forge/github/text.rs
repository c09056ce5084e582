//! Texts within GitHub's limits. No client, no clock, no logging.

/// At most that many characters; what is cut ends with an ellipsis.
pub(super) fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// An address that GitHub takes as a link: with another scheme it refuses the whole request.
pub(super) fn link(url: &str) -> Option<&str> {
    ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_too_long_is_cut() {
        for (text, most, expected) in [("über", 4, "über"), ("über", 3, "üb…"), ("", 0, ""), ("ab", 1, "…")] {
            assert_eq!(clipped(text, most), expected);
        }
    }

    #[test]
    fn only_addresses_of_pages_are_links() {
        for (url, taken) in [("https://x.example.com", true), ("http://x", true), ("javascript:alert(1)", false), ("", false)] {
            assert_eq!(link(url).is_some(), taken, "{url}");
        }
    }
}
