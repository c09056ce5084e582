//! Comments as GitHub holds them, in words that are the same each time, kept to be read as a reviewer would.

use crate::shop::Pull;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Compares what a pull request's comment says in a state with what is kept of it. `before` is a commit that it had before.
pub async fn kept(state: &str, pull: &Pull<'_>, body: &str, before: Option<&str>) -> anyhow::Result<()> {
    let head = pull.revision()?;
    let mut text = body.to_owned();
    for (revision, word) in [(Some(head.as_str()), "head"), (before, "before")] {
        let Some(revision) = revision else { continue };
        text = text.replace(revision, &format!("the-whole-{word}")).replace(&revision[..7], word);
    }
    // The first line is for us, and signed by this cluster.
    if let Some(uid) = pull.environment().await.ok().and_then(|environment| environment.metadata.uid) {
        text = text.replace(&uid, "UID");
    }
    let lines = text.lines().skip_while(|line| line.starts_with("<!--")).map(timeless);
    insta::with_settings!({snapshot_path => "said", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(state, lines.collect::<Vec<_>>().join("\n"));
    });
    Ok(())
}

/// A line without numbers of a moment: `27 Nov, 14:05 UTC`, `12 s`, the digest of an image, the port of a registry.
fn timeless(line: &str) -> String {
    let line = match line.split_once(" services are up, ") {
        Some((count, _)) => format!("{count} services are up, so long after the push."),
        None => line.to_owned(),
    };
    let words: Vec<&str> = line.split(' ').collect();
    let bare = |word: &'_ str| word.trim_matches(|c: char| c.is_ascii_punctuation()).to_owned();
    let next = |at: usize| words.get(at + 1).map(|word| bare(word)).unwrap_or_default();
    let is_number = |word: &str| !bare(word).is_empty() && bare(word).bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let put = |(at, word): (usize, &&str)| {
        let of_time = MONTHS.contains(&next(at).as_str()) || matches!(next(at).as_str(), "s" | "min" | "ms");
        match *word {
            word if is_number(word) && of_time => word.replace(&bare(word), "N"),
            word if next(at) == "UTC" && word.contains(':') => "H:M".to_owned(),
            word if MONTHS.contains(&bare(word).as_str()) => word.replace(&bare(word), "MONTH"),
            "min" => "s".to_owned(),
            word => numberless(word),
        }
    };
    words.iter().enumerate().map(put).collect::<Vec<_>>().join(" ")
}

/// A word without a port of this machine and without a digest.
fn numberless(word: &str) -> String {
    let cut = |text: &str, mark: &str, put: &str| match text.split_once(mark) {
        Some((left, right)) => format!("{left}{put}{}", right.trim_start_matches(|c: char| c.is_ascii_hexdigit())),
        None => text.to_owned(),
    };
    cut(&cut(word, "127.0.0.1:", "registry"), "sha256:", "sha256:DIGEST")
}

#[test]
fn what_differs_from_run_to_run_is_taken_out() {
    for (line, expected) in [
        ("Expires 27 Nov, 14:05 UTC if nothing happens", "Expires N MONTH, H:M UTC if nothing happens"),
        ("It took 12.3 s to start.", "It took N s to start."),
        ("2 of 2 services are up, less than a second after it.", "2 of 2 services are up, so long after the push."),
        ("`127.0.0.1:4711/acme/front:x@sha256:0a1b2c`", "`registry/acme/front:x@sha256:DIGEST`"),
        ("2 of 2 services", "2 of 2 services"),
    ] {
        assert_eq!(timeless(line), expected);
    }
}
