//! An approval is what the forge itself says that somebody wrote.

use super::*;
use crate::api::environment::SourceState;

fn written() -> PostedComment {
    let at = given(Verb::Approve, &[]).at;
    PostedComment {
        repository_id: 7,
        repository: "acme/web".parse().unwrap(),
        pull: 42,
        id: 1001,
        author: "aNN".into(),
        by_bot: false,
        body: format!("/preview approve {HEAD}"),
        created_at: at,
        updated_at: at,
    }
}

#[tokio::test]
async fn what_the_forge_does_not_say_that_they_wrote_approves_nothing() {
    let (at, good) = (given(Verb::Approve, &[]).at, written());
    let gone = ForgeError::NotFound("it".into());
    for (case, comment, expected) in [
        ("as it was given", Ok(good.clone()), "Done"),
        ("of somebody else", Ok(PostedComment { author: "eve".into(), ..good.clone() }), "Refused: Nothing was approved: the comment says"),
        ("of another commit", Ok(PostedComment { body: "/preview approve 0123456789ab".into(), ..good.clone() }), "Refused: Nothing"),
        (
            "another command",
            Ok(PostedComment { body: "/preview".into(), ..good.clone() }),
            "Refused: Nothing was approved: the comment says",
        ),
        (
            "none at all",
            Ok(PostedComment { body: "Thanks!".into(), ..good.clone() }),
            "Refused: Nothing was approved: the comment holds no",
        ),
        ("on another pull request", Ok(PostedComment { pull: 43, ..good.clone() }), "Refused: Nothing was approved: the comment says"),
        (
            "edited",
            Ok(PostedComment { updated_at: at + TimeDelta::seconds(1), ..good.clone() }),
            "Refused: Nothing was approved: the comment was",
        ),
        (
            "older than it was said",
            Ok(PostedComment { created_at: at - TimeDelta::days(1), updated_at: at - TimeDelta::days(1), ..good.clone() }),
            "Refused: Nothing",
        ),
        ("a bot's", Ok(PostedComment { by_bot: true, ..good }), "Refused: Nothing was approved: a bot wrote"),
        ("deleted", Err(gone), "Refused: Nothing was approved: the comment is not there any more."),
    ] {
        let (world, context) = world(vec![]);
        *world.pull.lock().unwrap() = Some(PullRequest { head_repository_id: Some(9), state: SourceState::Open, ..fixtures::pull() });
        *world.written.lock().unwrap() = Some(comment);
        pass(&environment(&given(Verb::Approve, &[HEAD]), true), &context, now()).await.unwrap();
        if case == "deleted" {
            assert!(!world.done().join("\n").contains("results"), "it may be too new to be found");
            pass(&environment(&given(Verb::Approve, &[HEAD]), true), &context, now() + TimeDelta::seconds(31)).await.unwrap();
        }
        let done = world.done().join("\n");
        assert!(done.contains(&format!("results 1, {expected}")), "{case}: {done}");
        assert_eq!(done.contains("apply preview-env/approval"), expected == "Done", "{case}: {done}");
    }
}

#[tokio::test]
async fn an_approval_waits_for_a_forge_that_does_not_answer() {
    let (world, context) = world(vec![]);
    *world.pull.lock().unwrap() = Some(PullRequest { head_repository_id: Some(9), ..fixtures::pull() });
    *world.written.lock().unwrap() = Some(Err(ForgeError::Unavailable { what: "read".into(), why: "502".into() }));
    let object = environment(&given(Verb::Approve, &[HEAD]), true);
    pass(&object, &context, now()).await.unwrap();
    assert_eq!(world.done(), ["react 1001 Seen"]);
    *world.written.lock().unwrap() = Some(Ok(written()));
    pass(&object, &context, now() + TimeDelta::minutes(1)).await.unwrap();
    assert!(world.done().join("\n").contains("apply preview-env/approval"));
}
