//! Whatever stands in a field from outside, the comment keeps its shape, and nothing in it reaches anybody.

use proptest::prelude::*;

use super::fixtures::*;
use crate::api::PreviewEnvironment;
use crate::api::conditions::{self, ConditionStatus};
use crate::api::environment::{Verb, Wish, WishState};
use crate::api::status::{CommandOutcome, HookState, HookStatus, ImageOrigin, Moved, ServiceStatus, Url};

/// A text as an attacker would write it, with something in it that can be seen.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "@octocat",
        "acme/web#1",
        "#12",
        "GH-1",
        "<img src=x>",
        "</details>",
        "<!--",
        "-->",
        "![x](https://e.example/x.png)",
        "[x](y)",
        "https://e.example",
        "www.e.example",
        "a@b.example",
        "`",
        "``",
        "```",
        "~~~",
        "|",
        "\\",
        "\\|",
        "\n",
        "\r\n",
        "\n\n",
        "\t",
        "\u{2028}",
        "\u{202e}",
        "\u{200b}",
        "$x$",
        "$",
        ":octocat:",
        "*",
        "_",
        "# ",
        "- ",
        "1. ",
        "> ",
        "=",
        "---",
        "&lt;",
        "(",
        ")",
        "\"",
        "'",
        "3f9c2abcd",
        "word",
        "é",
    ];
    let piece = prop_oneof![4 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => ".{0,6}"];
    proptest::collection::vec((piece, any::<bool>()), 0..9).prop_map(|pieces| {
        let joined: String = pieces.into_iter().map(|(piece, space)| if space { piece + " " } else { piece }).collect();
        if joined.contains(|c: char| c.is_ascii_graphic()) { joined } else { joined + "x" }
    })
}

/// Every state in turn, each with the text in every field that comes from outside.
fn states(text: &str) -> Vec<PreviewEnvironment> {
    let wanted = |object: PreviewEnvironment| filled(object, text);
    let told = |type_, status, reason| filled(ready(), text).condition(type_, status, reason, text);
    vec![
        wanted(ready()),
        told(conditions::READY, ConditionStatus::False, "NotReady"),
        told(conditions::STALLED, ConditionStatus::True, "Refused"),
        told(conditions::APPROVED, ConditionStatus::False, "Fork"),
        told(conditions::APPROVED, ConditionStatus::False, "ForksDenied"),
        told(conditions::REACHABLE, ConditionStatus::Unknown, "NoRoute"),
        told(conditions::IMAGES_AVAILABLE, ConditionStatus::False, "BaselineInstead"),
        failing(told(conditions::READY, ConditionStatus::False, "NotReady").phase("Creating"), text),
        queued(told(conditions::READY, ConditionStatus::False, "Queued").phase("Waiting"), text),
        told(conditions::WANTED, ConditionStatus::False, "NotTriggered").phase("Removed"),
        told(conditions::WANTED, ConditionStatus::False, "DeletedByWish").phase("Removed"),
        told(conditions::READY, ConditionStatus::False, "Waiting")
            .condition(conditions::PROGRESSING, ConditionStatus::True, "Waiting", text)
            .phase("Waiting"),
    ]
}

/// What the branch builds crashes.
fn failing(mut object: PreviewEnvironment, text: &str) -> PreviewEnvironment {
    let web = &mut object.status().services[0];
    (web.ready, web.reason, web.log) = (false, Some(format!("exit code 1 {text}")), Some(text.into()));
    object
}

fn queued(mut object: PreviewEnvironment, text: &str) -> PreviewEnvironment {
    object.status().queue = Some(second_of_three());
    object.condition(conditions::PROGRESSING, ConditionStatus::Unknown, "Queued", text)
}

fn filled(mut object: PreviewEnvironment, text: &str) -> PreviewEnvironment {
    object.metadata.name = Some(text.into());
    object.metadata.namespace = Some(text.into());
    object.spec.wish = Some(Wish { state: WishState::Absent, actor: text.into(), at: time("27T09:12"), target: None });
    let source = &mut object.spec.sources[0];
    (source.repository, source.revision, source.head_branch) = (text.into(), text.into(), Some(text.into()));
    let status = object.status();
    (status.namespace, status.revision) = (Some(text.into()), Some(text.into()));
    status.urls = vec![Url { host: text.into(), url: text.into() }, Url { host: "x".into(), url: format!("https://{text}") }];
    let service = |from, ready| {
        let (kind, name, image) = (text.into(), text.into(), text.into());
        ServiceStatus { kind, name, image, from, ready, reason: (!ready).then(|| text.into()), log: None, waits_for: None }
    };
    status.services = vec![service(ImageOrigin::Branch, true), service(ImageOrigin::Baseline, false)];
    status.services[1].log = Some(text.into());
    status.moved = Some(Moved { revision: text.into(), services: vec![text.into()] });
    status.hooks = vec![HookStatus {
        name: text.into(),
        job: text.into(),
        state: HookState::Failed,
        message: Some(text.into()),
        log: Some(text.into()),
    }];
    status.left_out.clear();
    let told = (CommandOutcome::Refused, text);
    let object = object.commanded(Verb::Unknown, &[text, text], told, None).commanded(Verb::Logs, &[text], told, Some(text));
    object.left_out(text, text, text).left_out(text, text, text)
}

/// Their comment where logs are shown to everybody.
fn comment(object: PreviewEnvironment) -> String {
    text_of(all([object]), &serde_json::json!({"logs": "Always"}), early())
}

/// The text without what stands in code, or None where a backtick opens something that nothing closes.
fn without_code(line: &str) -> Option<String> {
    let mut rest = line;
    let mut out = String::new();
    while let Some(start) = rest.find('`') {
        out.push_str(&rest[..start]);
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let inside = &rest[start + ticks..];
        let end = closing(inside, ticks)?;
        out.push_str("CODE");
        rest = &inside[end + ticks..];
    }
    Some(out + rest)
}

fn closing(inside: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = inside[at..].find('`').map(|i| at + i) {
        let run = inside[found..].len() - inside[found..].trim_start_matches('`').len();
        if run == ticks {
            return Some(found);
        }
        at = found + run;
    }
    None
}

/// A line of a table in its cells, any other line whole.
fn cells(line: &str) -> Vec<String> {
    if line.starts_with('|') { line.replace("\\|", "BAR").split('|').map(str::to_owned).collect() } else { vec![line.to_owned()] }
}

/// What a line is to GitHub.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Line {
    /// Outside of fenced code.
    Text,
    /// The first or the last of fenced code.
    Fence,
    /// Inside.
    Code,
}

/// Each line with what it is (`CommonMark` 0.31, "Fenced code blocks"). Lines inside a fence are no lines to anything else.
fn lines(comment: &str) -> Vec<(Line, &str)> {
    let mut open: Option<usize> = None;
    let kind = |line: &str| {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match open {
            Some(length) if ticks >= length && line.trim_start_matches('`').trim().is_empty() => {
                open = None;
                Line::Fence
            }
            Some(_) => Line::Code,
            // What has backticks behind it is no fence but a code span.
            None if ticks >= 3 && !line[ticks..].contains('`') => {
                open = Some(ticks);
                Line::Fence
            }
            None => Line::Text,
        }
    };
    comment.split('\n').scan(kind, |kind, line| Some((kind(line), line))).collect()
}

/// What each line is to GitHub: its start, its cells and whether it is code. Code is as long as it likes.
fn shape(comment: &str) -> Vec<String> {
    let shape = |(kind, line): &(Line, &str)| match kind {
        Line::Code => "code".to_owned(),
        Line::Fence => "fence".to_owned(),
        Line::Text => {
            let start = line.split(' ').next().filter(|start| ["###", ">", "-", "|"].contains(start) || start.starts_with('<'));
            format!("{} {}", start.unwrap_or("text"), cells(line).len())
        }
    };
    let mut shapes: Vec<_> = lines(comment).iter().map(shape).collect();
    shapes.dedup_by(|a, b| a == "code" && b == "code");
    shapes
}

/// What must not stand outside code, whoever wrote it.
fn reaches_out(line: &str) -> bool {
    let summary = line.strip_prefix("<details><summary>").and_then(|rest| rest.strip_suffix("</summary>"));
    let harmless = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || " .:/-".contains(c));
    let ours = ["<!-- preview-env -->", "</details>"].contains(&line) || summary.is_some_and(harmless);
    let words = |c: char| c.is_ascii_alphanumeric();
    let after = |mark: char| line.split(mark).skip(1).any(|rest| rest.starts_with(words));
    !ours
        && (line.contains(['<', '\\', '$', '\u{202e}'])
            || after('@')
            || line.replace("](https://", "").contains("://")
            || line.contains("![")
            || after('#'))
}

proptest! {
    #[test]
    fn outside_text_never_changes_the_shape(text in hostile()) {
        for (object, tame) in states(&text).into_iter().zip(states("tame")) {
            let comment = comment(object);
            prop_assert_eq!(shape(&comment), shape(&self::comment(tame)), "{}", comment);
        }
    }

    #[test]
    fn outside_text_reaches_nobody(text in hostile()) {
        for comment in states(&text).into_iter().map(comment) {
            let outside = lines(&comment).into_iter().filter(|(kind, _)| *kind == Line::Text);
            for cell in outside.flat_map(|(_, line)| cells(line)) {
                let plain = without_code(&cell);
                prop_assert!(plain.as_deref().is_some_and(|plain| !reaches_out(plain)), "{plain:?} in {comment}");
            }
        }
    }
}

#[test]
fn a_comment_is_never_too_long() {
    for (services, left_out, environments) in [(0, 0, 1), (1_500, 0, 1), (0, 1_500, 1), (700, 700, 3), (20, 20, 25), (0, 0, 25)] {
        let mut object = filled(ready(), &"`@x ".repeat(100));
        let status = object.status();
        status.services = status.services.iter().cycle().take(services).cloned().collect();
        status.left_out = status.left_out.iter().cycle().take(left_out).cloned().collect();
        let comment = text_of(all(vec![object; environments]), &serde_json::json!({"logs": "Always"}), early());
        assert!(comment.len() <= 65_536 && comment.contains("### "), "{}", comment.len());
    }
}

#[test]
fn what_is_cut_is_said() {
    let mut object = ready();
    let status = object.status();
    status.services = status.services.iter().map(|s| ServiceStatus { ready: false, ..s.clone() }).cycle().take(900).collect();
    status.left_out = status.left_out.iter().cycle().take(900).cloned().collect();
    let comment = comment_of(all([object]));
    assert!(comment.contains("more services do not fit in here; `preview describe web-pr-42 -n shop` shows all."), "{comment}");
    assert!(comment.contains("**[web-pr-42.preview.example.com]") && comment.contains("Expires 27 Nov, 14:05 UTC"), "{comment}");
    assert!(comment.len() > 60_000, "{}", comment.len());
}

#[test]
fn the_least_important_folds_go_first() {
    let line = "y".repeat(294);
    let long = vec![line.as_str(); 42].join("\n");
    let mut object = ready();
    for _ in 0..5 {
        object = object.commanded(Verb::Logs, &["web"], (CommandOutcome::Done, "the last 42 lines"), Some(&long));
    }
    let comment = comment(object.clone());
    assert!(comment.contains("The last commands") && !comment.contains("<summary>Commands</summary>"), "{}", comment.len());
    assert!(comment.contains("Not all of it fits in here; `preview describe web-pr-42 -n shop` shows more."));
    object.status().commands.truncate(1);
    assert!(self::comment(object).contains("<summary>Commands</summary>"));
}
