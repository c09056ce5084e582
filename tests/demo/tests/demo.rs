//! The demo itself, from its first line to its last.

use std::process::Command;

use anyhow::Result;

#[test]
fn the_demo_tells_the_whole_story_and_leaves_nothing() -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).output()?;
    let (told, errors) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{told}\n{errors}");
    for part in [
        "dev opens acme/web#1",
        "namespace shop-web-pr-1 is there",
        "12 of 12 services are ready",
        "Preview of ",
        "the check preview / shop: success (Rebuild, Extend by 24 h, Delete)",
        "\"View deployment\" leads to https://web-pr-1.preview.example.com",
        "written there, and nothing else:",
        "3 PATCHes: deployments bff, web, worker",
        "no pod is left",
        "environment web-pr-1 is gone",
        "nothing is left",
        "Preview removed: the pull request was merged",
        "Everything that the demo started has ended",
    ] {
        assert!(told.contains(part), "{part:?} is missing:\n{told}");
    }
    // What `preview list` prints into a pipe is as wide as it is.
    let own = told.lines().filter(|line| !line.contains(" acme/") && !line.starts_with("NAME"));
    let long: Vec<_> = own.filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "wider than a terminal: {long:#?}");
    assert!(!told.contains('\u{1b}'), "colour in a pipe");
    Ok(())
}
