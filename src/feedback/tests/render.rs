//! The comment in each state, for a person to read.

use super::fixtures::*;
use super::said;
use crate::api::PreviewEnvironment;
use crate::api::baseline::{MissingImage, Removed};
use crate::api::conditions::{self, ConditionStatus};
use crate::api::environment::{SourceState, Verb, Wish, WishState};
use crate::api::status::{CommandOutcome, CommandResult, ImageOrigin, Moved, Url};
use crate::controller::availability;
use crate::domain::Baseline;
use crate::feedback::{Group, PullKey};

fn comment(object: PreviewEnvironment) -> String {
    comment_of(all([object]))
}

macro_rules! reads {
    ($name:ident, $object:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), comment($object));
        }
    };
}

reads!(pending, recorded().wanted().phase("Pending"));
reads!(waiting, {
    started().phase("Waiting").condition(
        conditions::PROGRESSING,
        ConditionStatus::True,
        "Waiting",
        "namespace shop-web-pr-42 is still being deleted",
    )
});
reads!(waiting_for_its_image, {
    let why = &said::missing_image(&recorded(), MissingImage::Wait, 0).message;
    let object = started().service("web", ImageOrigin::Branch, Some("waits for its image")).service("db", ImageOrigin::Baseline, None);
    object.phase("Waiting").condition(conditions::PROGRESSING, ConditionStatus::Unknown, "ImageMissing", why)
});
reads!(waiting_for_its_next_image, {
    let mut object = ready().phase("Waiting");
    object.spec.sources[0].revision = NEXT.into();
    let why = &said::missing_image(&object, MissingImage::Wait, 0).message;
    let mut object = object.condition(conditions::READY, ConditionStatus::False, "ImageMissing", why);
    let web = &mut object.status().services[0];
    (web.ready, web.reason) = (false, Some("waits for its image".into()));
    object
});
reads!(ready_without_its_own_code, {
    let why = availability::observation(&[said::missing_image(&recorded(), MissingImage::UseBaseline, 30)]).unwrap().message;
    let mut object = ready().condition(conditions::IMAGES_AVAILABLE, ConditionStatus::False, "BaselineInstead", &why);
    object.status().services[0].from = ImageOrigin::Baseline;
    object
});
reads!(creating_without_services, started());
reads!(creating, {
    let pull = "Back-off pulling image \"registry.example.com/acme/web:pr-42-3f9c2ab\"";
    let pull = said::of_pod("web", &serde_json::json!({"waiting": {"reason": "ImagePullBackOff", "message": pull}}), 0);
    let starts = said::of_workload(&serde_json::json!({"updatedReplicas": 1}));
    let object = started().service("web", ImageOrigin::Branch, Some(&pull));
    let object = object.service("db", ImageOrigin::Baseline, Some(&starts)).service("api", ImageOrigin::Baseline, None);
    object.service("worker", ImageOrigin::Override, Some(&starts))
});
reads!(ready_with_twelve_services, ready());
reads!(ready_with_few_services_and_two_addresses, {
    let mut object = applied(&["api", "db"]).up().phase("Ready");
    object
        .status()
        .urls
        .push(Url { host: "api-web-pr-42.preview.example.com".into(), url: "https://api-web-pr-42.preview.example.com".into() });
    object
});
reads!(ready_without_an_address, {
    let mut object = applied(&["db"]).up().phase("Ready");
    object.status().urls.clear();
    object
});
reads!(updating_before_the_apply, {
    let mut object = ready().phase("Updating");
    object.spec.sources[0].revision = NEXT.into();
    object
});
reads!(updating_after_the_apply, {
    let mut object = ready().condition(conditions::READY, ConditionStatus::False, "Updating", "").phase("Updating");
    let web = &mut object.status().services[0];
    let stops = serde_json::json!({"replicas": 2, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1});
    (web.ready, web.reason) = (false, Some(said::of_workload(&stops)));
    object
});
reads!(not_ready, {
    let mut object = ready().condition(conditions::READY, ConditionStatus::False, "NotReady", "").phase("Ready");
    let mail = object.status().services.iter_mut().find(|s| s.name == "mail").unwrap();
    (mail.ready, mail.reason) = (false, Some(said::crashes("mail")));
    object
});
reads!(stalled, {
    let why = said::refused(&serde_json::json!({"volumes": [{"name": "logs", "hostPath": {"path": "/var/log"}}]}));
    started().phase("Stalled").condition(conditions::STALLED, ConditionStatus::True, "Refused", &why)
});
reads!(stalled_on_an_update, {
    let why = said::refused(&serde_json::json!({"hostNetwork": true}));
    let mut object = ready().phase("Stalled").condition(conditions::STALLED, ConditionStatus::True, "Refused", &why);
    object.spec.sources[0].revision = NEXT.into();
    object
});
reads!(fork, recorded().wanted().condition(conditions::APPROVED, ConditionStatus::False, "Fork", "").phase("Waiting"));
reads!(fork_approved_and_pushed_again, {
    let mut object = ready().condition(conditions::APPROVED, ConditionStatus::False, "Fork", "");
    object.spec.sources[0].revision = NEXT.into();
    object.phase("Waiting")
});
reads!(forks_denied, recorded().wanted().condition(conditions::APPROVED, ConditionStatus::False, "ForksDenied", "").phase("Waiting"));
reads!(queued, {
    let mut object = recorded().wanted().phase("Queued");
    object.status().queue = Some(second_of_three());
    let why = said::no_room(&object);
    object.condition(conditions::PROGRESSING, ConditionStatus::Unknown, "Queued", &why)
});
reads!(failed, {
    let mut object = started().service("web", ImageOrigin::Branch, Some(&said::crashes("app"))).service("db", ImageOrigin::Baseline, None);
    object.status().revision = Some(HEAD.into());
    object
});
reads!(failed_on_an_update, {
    let mut object = ready().condition(conditions::READY, ConditionStatus::False, "NotReady", "").phase("Updating");
    object.spec.sources[0].revision = NEXT.into();
    let status = object.status();
    (status.revision, status.ready_revision) = (Some(NEXT.into()), Some(HEAD.into()));
    (status.services[0].ready, status.services[0].reason) = (false, Some(said::crashes("web")));
    object
});
reads!(ready_and_answered, timed(ready()).answered(HEAD));
reads!(ready_and_not_asked_yet, {
    let mut object = ready().answered(HEAD);
    object.status().probe.as_mut().unwrap().revision = Some(NEXT.into());
    object
});
reads!(up_without_an_answer, {
    let why = said::answers(&ready(), 502);
    let mut object = ready().answered(HEAD);
    let probe = object.status().probe.as_mut().unwrap();
    (probe.answered, probe.status, probe.why) = (false, Some(502), why);
    object
});
reads!(ready_and_not_checked, {
    let why = "web-pr-42.preview.example.com cannot be resolved where the service runs";
    ready().condition(conditions::REACHABLE, ConditionStatus::Unknown, "NotChecked", why)
});
reads!(ready_with_what_else_moved, {
    let mut object = timed(ready()).answered(HEAD);
    object.status().moved = Some(Moved { revision: HEAD.into(), services: vec!["api".into(), "cart".into()] });
    object.status().behind = 3;
    object
});
reads!(pinned, {
    let mut object = ready();
    object.spec.lifetime = Some(serde_json::from_value(serde_json::json!({"pinned": true})).unwrap());
    (object.status().pinned, object.status().expires_at) = (Some(true), None);
    object
});
reads!(hook_failed, {
    let mut object = ready();
    object.status().hooks = vec![said::failed_hook()];
    object
});
reads!(draft, recorded().unwanted("Draft", "Waiting"));
reads!(removing_after_merge, ready().unwanted("Merged", "Removing"));
reads!(removed_after_merge, ready().unwanted("Merged", "Removed"));
reads!(removed_after_close, ready().unwanted("Closed", "Removed"));
reads!(expired, ready().unwanted("Expired", "Removed"));
reads!(expired_since_it_was_there_long, {
    let why = "it was there for as long as lifetime.max lets one be";
    ready().unwanted("Expired", "Removed").condition(conditions::WANTED, ConditionStatus::False, "Expired", why)
});
reads!(evicted, {
    let why = "it gave way to web-pr-57, since nothing had happened to it for the longest time";
    ready().unwanted("Evicted", "Removed").condition(conditions::WANTED, ConditionStatus::False, "Evicted", why)
});
reads!(closed_and_kept_for_a_while, {
    let why = "acme/web#42 was closed; all of it stays until 27 Nov, 15:12 UTC";
    let mut object = ready().condition(conditions::WANTED, ConditionStatus::True, "Closing", why);
    object.spec.sources[0].state = SourceState::Closed;
    object
});
reads!(deleted_by_a_person, {
    let mut object = ready().unwanted("DeletedByWish", "Removed");
    object.spec.wish = Some(Wish { state: WishState::Absent, actor: "ann@example.com".into(), at: time("27T09:12"), target: None });
    object
});
reads!(object_deleted, ready().unwanted("Deleted", "Removing"));
reads!(made_a_draft_again, ready().unwanted("Draft", "Removing"));

#[test]
fn two_baselines() {
    insta::assert_snapshot!("two_baselines", comment_of(all([second(started()), applied(&["db"]).up().phase("Ready")])));
}

#[test]
fn the_order_of_the_environments_does_not_matter() {
    assert_eq!(comment_of(all([ready(), second(started())])), comment_of(all([second(started()), ready()])));
}

#[test]
fn expiring_soon() {
    let soon = time("27T10:05");
    insta::assert_snapshot!("expiring_soon", text_of(all([ready()]), &serde_json::json!({}), soon));
    let later = text_of(all([ready()]), &serde_json::json!({}), soon + chrono::TimeDelta::hours(1));
    assert_eq!(text_of(all([ready()]), &serde_json::json!({}), soon), later, "the text names a moment and none that passes");
}

#[test]
fn what_a_failing_service_logged_is_shown_where_the_baseline_lets_everybody_read_it() {
    let mut object = started().service("web", ImageOrigin::Branch, Some(&said::crashes("web")));
    object.status().revision = Some(HEAD.into());
    let lines: Vec<_> = (1..=30).map(|line| format!("line {line}")).collect();
    let secret = "connecting to postgres://shop:hunter2@db/shop";
    let logged = format!("{}\n{secret}\npanic: no such table\n", lines.join("\n"));
    object.status().services[0].log = crate::controller::logs::shown(&logged, 4_096);
    insta::assert_snapshot!("failed_with_its_log", text_of(all([object.clone()]), &serde_json::json!({"logs": "Always"}), early()));
    let closed = comment_of(all([object]));
    assert!(!closed.contains("panic") && !closed.contains("/preview logs"), "what would be refused is not offered: {closed}");
}

#[test]
fn what_a_failed_hook_logged_is_shown_where_the_baseline_lets_everybody_read_it() {
    let object = said::stalled_by_a_hook(started());
    let shown = text_of(all([object.clone()]), &serde_json::json!({"logs": "Always"}), early());
    insta::assert_snapshot!("hook_failed_with_its_log", shown);
    assert!(!comment_of(all([object])).contains("no such table"));
}

#[test]
fn what_a_command_brought_of_logs_is_shown_where_they_may_be_read() {
    let mut object = ready();
    object.status().commands.push(said::logged(&asks("100.1", Verb::Logs, &["web"]), "GET /\nGET /cart\n"));
    assert!(!comment_of(all([object.clone()])).contains("/cart"), "they could be read when it was asked for, and cannot any more");
    for command in [asks("101.1", Verb::Unknown, &["updaet"]), asks("102.1", Verb::Extend, &["24h"])] {
        let result = comes_to(&command, Some(&object), SourceState::Open);
        object.status().commands.push(result);
    }
    insta::assert_snapshot!("commanded", text_of(all([object.clone()]), &serde_json::json!({"logs": "Always"}), early()));
    let closed = comment_of(all([object]));
    assert!(closed.contains("`/preview logs web` by") && !closed.contains("/cart"), "{closed}");
}

#[test]
fn a_strangers_command_moves_nobodys_answer_and_changes_no_check() {
    let says = |number: i64, words: &str, unsaid: bool| {
        let command = asks(&format!("{number}.1"), Verb::Create, &[]);
        let message = words.to_owned();
        CommandResult { actor: "eve".into(), unsaid, message, ..CommandResult::of(&command, CommandOutcome::Denied) }
    };
    let team = ready().commanded(Verb::Logs, &["web"], (CommandOutcome::Done, "the last 2 lines"), Some("GET /\nGET /cart\n"));
    let shown = |strangers: &[CommandResult]| {
        let mut object = team.clone();
        object.status().commands.extend_from_slice(strangers);
        let members = all([object]);
        let group = Group::of(PullKey::of(&members[0]).unwrap(), members).unwrap();
        let show = by(shop(&serde_json::json!({"logs": "Always"}), false)).show(&group, early()).unwrap();
        (show.letter.unwrap().text, show.parts[0].checking.as_ref().unwrap().digest())
    };
    let (alone, check) = shown(&[]);
    assert_eq!(shown(&[says(201, "nobody sees this", true)]), (alone, check.clone()));
    let crowd: Vec<_> = (0..9).map(|n| says(201 + n, &format!("the word number {n}"), false)).chain([says(210, "nobody", true)]).collect();
    let (text, checked) = shown(&crowd);
    assert_eq!(checked, check, "beside the commit stands nothing of it");
    assert!(text.contains("The last command, `/preview logs web` by `ann`") && text.contains("GET /cart"), "{text}");
    assert!(text.contains("the word number 8") && !text.contains("the word number 7") && !text.contains("nobody"), "{text}");
}

#[test]
fn what_holds_a_removal_up_is_said_when_it_takes_long_and_not_before() {
    let why = "acme/web#42 was merged: namespace shop-web-pr-42 does not go: 1 of persistentvolumeclaims (data) is held by the finalizer \
               example.com/hold; whoever set a finalizer has to take it off, so look whether its controller runs; where it never will \
               again: preview delete web-pr-42 -n shop --force-finalizers";
    let object = ready().unwanted("Merged", "Removing").condition(conditions::PROGRESSING, ConditionStatus::True, "Removing", why);
    let at = |minutes| text_of(all([object.clone()]), &serde_json::json!({}), time("27T09:12") + chrono::TimeDelta::minutes(minutes));
    assert!(!at(1).contains("finalizer"));
    insta::assert_snapshot!("removing_takes_long", at(2));
    let members = all([object.clone()]);
    let group = Group::of(PullKey::of(&object).unwrap(), members).unwrap();
    let show = plain().show(&group, time("27T09:13")).unwrap();
    assert_eq!(show.changes_at, Some(time("27T09:14")), "and it is looked at then");
}

#[test]
fn what_stays_although_its_pull_request_seems_closed_or_unwanted_says_which_and_who_has_to_confirm_it() {
    let show_as = |what: Removed, uid: &str, object: PreviewEnvironment| {
        let baseline = Baseline { held: [(uid.to_owned(), what)].into(), ..shop(&serde_json::json!({}), false) };
        let members = all([object]);
        let group = Group::of(PullKey::of(&members[0]).unwrap(), members).unwrap();
        by(baseline).show(&group, early()).unwrap()
    };
    let show = |uid: &str, object| show_as(Removed::Environment, uid, object);
    let (held, other) = (show("uid-1", ready()), show("uid-2", ready()));
    insta::assert_snapshot!("closed_and_held", held.letter.unwrap().text);
    assert!(!other.letter.unwrap().text.contains("seems to have been closed"));
    assert_ne!(held.gist.news, other.gist.news, "it is told at once");
    let gone = show("uid-1", ready().unwanted("Closed", "Removed")).letter.unwrap().text;
    assert!(!gone.contains("seems to have been closed"), "{gone}");
    for (what, name) in [(Removed::Unwanted, "open_and_held"), (Removed::Answered, "open_and_held_by_an_answer")] {
        let text = show_as(what, "uid-1", ready()).letter.unwrap().text;
        let said: Vec<&str> = text.lines().skip(1).take(3).collect();
        insta::assert_snapshot!(name, said.join("\n"));
    }
}

#[test]
fn an_end_that_nothing_puts_off_is_not_said_to_wait_for_somebody() {
    let mut object = ready();
    let end = object.status().expires_at.unwrap();
    let mut baseline = shop(&serde_json::json!({}), false);
    baseline.max = Some(std::time::Duration::from_secs(3_600));
    for (before, said) in [(59, "if nothing happens before"), (60, "`lifetime.max` lets none be there for longer")] {
        object.status().started_at = Some(end - chrono::TimeDelta::minutes(before));
        let members = all([object.clone()]);
        let group = Group::of(PullKey::of(&members[0]).unwrap(), members).unwrap();
        let text = by(baseline.clone()).show(&group, early()).unwrap().letter.unwrap().text;
        assert!(text.contains(said), "{before} {text}");
    }
}
