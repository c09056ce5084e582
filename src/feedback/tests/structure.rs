//! Whatever stands in a field from outside, the comment keeps its shape, and nothing in it reaches anybody.

use proptest::prelude::*;

use super::fixtures::*;
use crate::api::PreviewEnvironment;
use crate::api::conditions::{self, ConditionStatus};
use crate::api::environment::{Wish, WishState};
use crate::api::status::{ImageOrigin, ServiceStatus, Url};
use crate::feedback::render::render;

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
        told(conditions::WANTED, ConditionStatus::False, "NotTriggered").phase("Removed"),
        told(conditions::WANTED, ConditionStatus::False, "DeletedByWish").phase("Removed"),
        told(conditions::READY, ConditionStatus::False, "Waiting")
            .condition(conditions::PROGRESSING, ConditionStatus::True, "Waiting", text)
            .phase("Waiting"),
    ]
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
    status.left_out.clear();
    object.left_out(text, text, text).left_out(text, text, text)
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

/// What each line is to GitHub: its start, its cells and whether it is code.
fn shape(comment: &str) -> Vec<String> {
    let mut fenced = false;
    let shape = |line: &str| {
        if line.starts_with("```") {
            fenced = !fenced;
            return "fence".to_owned();
        }
        if fenced {
            return "code".to_owned();
        }
        let start = line.split(' ').next().filter(|start| ["###", ">", "-", "|"].contains(start) || start.starts_with('<'));
        format!("{} {}", start.unwrap_or("text"), cells(line).len())
    };
    comment.lines().map(shape).collect()
}

/// What must not stand outside code, whoever wrote it.
fn reaches_out(line: &str) -> bool {
    let ours = ["<!-- preview-env -->", "</details>"].contains(&line) || line.starts_with("<details><summary>");
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
            let comment = render(&all([object]));
            prop_assert_eq!(shape(&comment), shape(&render(&all([tame]))), "{}", comment);
        }
    }

    #[test]
    fn outside_text_reaches_nobody(text in hostile()) {
        for comment in states(&text).into_iter().map(|object| render(&all([object]))) {
            let mut fenced = false;
            for line in comment.lines() {
                fenced ^= line.starts_with("```");
                for cell in cells(line).iter().filter(|_| !fenced && !line.starts_with("```")) {
                    let plain = without_code(cell);
                    prop_assert!(plain.as_deref().is_some_and(|plain| !reaches_out(plain)), "{plain:?} in {comment}");
                }
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
        let comment = render(&all(vec![object; environments]));
        assert!(comment.len() <= 65_536 && comment.contains("### "), "{}", comment.len());
    }
}

#[test]
fn what_is_cut_is_said() {
    let mut object = ready();
    let status = object.status();
    status.services = status.services.iter().map(|s| ServiceStatus { ready: false, ..s.clone() }).cycle().take(900).collect();
    status.left_out = status.left_out.iter().cycle().take(900).cloned().collect();
    let comment = render(&all([object]));
    assert!(comment.contains("more services do not fit in here; `preview describe web-pr-42 -n shop` shows all."), "{comment}");
    assert!(
        comment.contains("**[web-pr-42.preview.example.com]") && comment.contains("The preview expires 27 Nov, 14:05 UTC"),
        "{comment}"
    );
    assert!(comment.len() > 60_000, "{}", comment.len());
}
