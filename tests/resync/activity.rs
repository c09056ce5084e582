//! What people write on a pull request keeps its environment alive, if they may write to the repository.

use chrono::{DateTime, TimeDelta, Utc};
use preview_env::api::status::Lapse;
use preview_env::forge::{Permission, PostedComment};
use serde_json::json;

use crate::rounds::{World, comment, now, pull, world};

/// So many minutes after the pull request changed last.
fn minute(minute: i64) -> DateTime<Utc> {
    pull(1).updated_at + TimeDelta::minutes(minute)
}

fn said(minutes: i64, by: &str) -> PostedComment {
    let at = minute(minutes);
    PostedComment { author: by.to_owned(), created_at: at, updated_at: at, ..comment(minutes, "Looks good.") }
}

/// An environment that is there and ends then, on whose pull request people write.
async fn with(status: serde_json::Value, comments: Vec<PostedComment>) -> World {
    let mut world = world(&json!({}));
    world.has(pull(1));
    world.round().await;
    world.cluster.environments.lock().unwrap().get_mut("web-pr-1").unwrap().status = serde_json::from_value(status).unwrap();
    world.forge.change(|state| {
        state.comments = comments;
        let may = [("ann", Permission::Write), ("boss", Permission::Admin), ("reader", Permission::Triage)];
        state.permissions = may.into_iter().map(|(login, may)| (login.to_owned(), may)).collect();
    });
    world.round().await;
    world
}

fn there() -> serde_json::Value {
    json!({"expiresAt": now() + TimeDelta::days(4)})
}

fn activity(world: &World) -> Option<(i64, String)> {
    let environments = world.cluster.environments.lock().unwrap();
    let activity = environments["web-pr-1"].spec.activity.clone()?;
    Some(((activity.at - minute(0)).num_minutes(), activity.by))
}

#[tokio::test]
async fn the_newest_comment_of_somebody_who_may_write_counts() {
    let bot = PostedComment { by_bot: true, ..said(400, "ann") };
    let ours = PostedComment { body: format!("{}\nis ready", preview_env::feedback::MARKER), ..said(401, "boss") };
    let elsewhere = PostedComment { pull: 2, ..said(402, "ann") };
    let on_it = || vec![said(61, "boss"), said(120, "ann"), said(300, "reader"), said(301, "stranger")];
    for (case, status, comments, counts) in [
        ("of four", there(), on_it(), Some((120, "github:ann"))),
        ("of nobody who may", there(), vec![said(300, "reader"), said(301, "stranger")], None),
        ("of a bot, of ours and elsewhere", there(), vec![bot, ours, elsewhere], None),
        ("within an hour", there(), vec![said(59, "ann")], None),
        ("nothing is there", json!({}), on_it(), None),
        ("written before it expired", json!({"lapsed": {"why": Lapse::Expired, "at": minute(121)}}), on_it(), Some((120, "github:ann"))),
        ("written after it expired", json!({"lapsed": {"why": Lapse::Expired, "at": minute(60)}}), on_it(), None),
        ("written before it gave way", json!({"lapsed": {"why": Lapse::Evicted, "at": minute(121)}}), on_it(), None),
    ] {
        let world = with(status, comments).await;
        let found = activity(&world);
        assert_eq!(found.as_ref().map(|(minute, by)| (*minute, by.as_str())), counts, "{case}");
    }
}

#[tokio::test]
async fn an_environment_is_written_to_once_an_hour_however_much_is_said() {
    let mut world = with(there(), vec![said(61, "ann")]).await;
    let writes = world.cluster.writes();
    for minutes in 62..=121 {
        world.forge.change(|state| state.comments.push(said(minutes, if minutes % 2 == 0 { "ann" } else { "boss" })));
        world.round().await;
    }
    assert_eq!((world.cluster.writes() - writes, activity(&world)), (1, Some((121, "github:boss".to_owned()))));
}

#[tokio::test]
async fn strangers_cost_a_question_an_hour_each_and_a_few_in_one_look() {
    let crowd: Vec<_> = (0..50).map(|n| said(100 + n, &format!("stranger-{}", n % 25))).collect();
    let questions = |world: &World| world.forge.change(|state| std::mem::take(&mut state.asked_about));
    let mut world = with(there(), crowd).await;
    let mut asked = questions(&world);
    assert_eq!(asked.len(), 10);
    for more in [10, 5, 0] {
        world.forge.change(|state| state.comments.push(said(200, "stranger-24")));
        world.round().await;
        let now = questions(&world);
        assert_eq!(now.len(), more, "{now:?}");
        asked.extend(now);
    }
    let different: std::collections::HashSet<_> = asked.iter().collect();
    assert_eq!((different.len(), activity(&world)), (25, None));
}

#[tokio::test]
async fn whoever_could_not_be_asked_about_is_asked_about_with_the_next_look() {
    let crowd: Vec<_> = (0..10).map(|n| said(200 + n, &format!("stranger-{n}"))).chain([said(120, "ann")]).collect();
    let mut world = with(there(), crowd).await;
    assert_eq!(activity(&world), None);
    world.round().await;
    assert_eq!(activity(&world), Some((120, "github:ann".to_owned())));
}
