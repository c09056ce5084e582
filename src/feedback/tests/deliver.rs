//! One comment, whatever goes wrong on the way. What stands beside it is switched off here.

use std::sync::Arc;
use std::time::Duration;

use super::double::{Double, Fault, Records, away, forbidden};
use super::fixtures::*;
use crate::api::PreviewEnvironment;
use crate::api::conditions::{self, Condition};
use crate::feedback::deliver::{Deliverer, Measure, Memory, Outcome};
use crate::feedback::{Group, Marker, PullKey, Sources, group};
use crate::forge::{Forge, ForgeError};

/// Baselines whose pull requests get a comment and nothing else.
fn comments() -> Sources {
    plain().on(&Double::plain())
}

fn nothing_left_to_say(object: &PreviewEnvironment, others: &[Arc<PreviewEnvironment>]) -> bool {
    group::nothing_left_to_say(object, others, &comments(), early())
}

/// A forge, the environments, and what a running service remembers.
struct World {
    forge: Arc<Double>,
    records: Arc<Records>,
    memory: Memory,
    sources: Sources,
}

impl World {
    fn of(members: impl IntoIterator<Item = PreviewEnvironment>) -> Self {
        Self { forge: Arc::new(Double::plain()), records: Records::of(members), memory: Memory::default(), sources: comments() }
    }

    /// A service of that name with environments of its own, which writes to the same forge under the same account.
    fn beside(&self, name: &str) -> Self {
        let sources = comments().signed(Marker::of(&name.parse().unwrap()));
        Self { forge: Arc::clone(&self.forge), sources, ..Self::of([started()]) }
    }

    /// What the driver does when the pull request is due: None where there is nothing to do.
    async fn deliver(&mut self) -> Option<Outcome> {
        let members = self.records.members();
        let group = Group::of(PullKey::of(&members[0])?, members)?;
        let show = self.sources.show(&group, early())?;
        if self.memory.is_done(&group, &show) {
            return None;
        }
        let deliverer = Deliverer::new(self.forge.clone(), self.records.clone());
        Some(deliverer.deliver(&group, (&show, Measure::All), &mut self.memory).await)
    }

    async fn delivered(&mut self) {
        assert_eq!(self.deliver().await, Some(Outcome::Delivered));
    }

    /// The service is started anew.
    fn restart(&mut self) {
        self.memory = Memory::default();
    }

    fn condition(&self, member: usize) -> Condition {
        let members = self.records.members();
        conditions::find(&members[member].status.as_ref().unwrap().conditions, conditions::FEEDBACK_DELIVERED).unwrap().clone()
    }

    fn comment_ids(&self) -> Vec<Option<i64>> {
        self.records.members().iter().map(|m| m.status.as_ref().unwrap().feedback.as_ref().unwrap().comment_id).collect()
    }
}

#[tokio::test]
async fn it_is_made_once_and_edited_in_place() {
    let mut world = World::of([started()]);
    world.delivered().await;
    assert_eq!(world.forge.calls(), ["find", "create"]);
    assert!(world.forge.body().contains("Creating the preview"));
    world.records.replace(ready());
    world.delivered().await;
    assert_eq!(world.forge.calls(), ["edit"]);
    assert!(world.forge.body().contains("is ready"));
    assert_eq!((world.condition(0).reason.as_str(), world.comment_ids()), ("Delivered", vec![Some(1)]));
}

#[tokio::test]
async fn an_unchanged_state_asks_nobody_anything() {
    let mut world = World::of([ready()]);
    world.delivered().await;
    world.forge.calls();
    assert_eq!(world.deliver().await, None);
    world.restart();
    assert_eq!(world.deliver().await, None);
    assert!(world.forge.calls().is_empty());
}

#[tokio::test]
async fn a_comment_that_says_it_already_is_not_written() {
    let mut world = World::of([ready()]);
    world.delivered().await;
    let mut other = World { forge: world.forge.clone(), ..World::of([ready()]) };
    world.forge.calls();
    other.delivered().await;
    assert_eq!((other.forge.calls(), other.comment_ids()), (vec!["find"], vec![Some(1)]));
}

#[tokio::test]
async fn a_comment_that_somebody_deleted_is_made_again() {
    let mut world = World::of([started()]);
    world.delivered().await;
    world.forge.wipe();
    world.records.replace(ready());
    world.delivered().await;
    assert_eq!(world.forge.calls(), ["find", "create", "edit", "find", "create"]);
    assert!(world.forge.body().contains("is ready"));
    assert_eq!(world.comment_ids(), [Some(2)]);
}

#[tokio::test]
async fn two_services_under_one_account_have_a_comment_each_and_find_it_again() {
    let mut unnamed = World::of([started()]);
    unnamed.delivered().await;
    let (mut staging, mut production) = (unnamed.beside("staging"), unnamed.beside("production"));
    staging.delivered().await;
    assert_eq!(staging.comment_ids(), [Some(1)], "one of before services had names is taken over");
    assert!(staging.forge.comments()[0].body.starts_with("<!-- preview-env staging -->\n"));
    production.delivered().await;
    assert_eq!(production.comment_ids(), [Some(2)]);
    for (name, number) in [("staging", 1), ("production", 2)] {
        let mut again = unnamed.beside(name);
        again.delivered().await;
        assert_eq!(again.comment_ids(), [Some(number)], "{name} finds its own without any record");
    }
    assert_eq!(staging.forge.comments().len(), 2);
}

/// Services of those names that all recorded the one comment that there was before comments were signed.
async fn sharing_a_comment(names: [&str; 2]) -> [World; 2] {
    let mut unnamed = World::of([started()]);
    unnamed.delivered().await;
    unnamed.forge.calls();
    names.map(|name| World { records: Records::of([ready().shown(1, "other")]), ..unnamed.beside(name) })
}

#[tokio::test]
async fn of_two_services_that_recorded_one_comment_before_it_was_signed_the_first_keeps_it_and_the_other_has_its_own() {
    let [mut staging, mut production] = sharing_a_comment(["staging", "production"]).await;
    staging.delivered().await;
    assert_eq!((staging.forge.calls(), staging.comment_ids()), (vec!["find", "edit"], vec![Some(1)]));
    production.delivered().await;
    assert_eq!((production.forge.calls(), production.comment_ids()), (vec!["find", "create"], vec![Some(2)]));
    // What was taken over is found signed once, and what is recorded as signed is not looked for any more.
    for (state, of_staging) in [(started(), vec!["find", "edit"]), (ready(), vec!["edit"]), (started(), vec!["edit"])] {
        for (world, calls) in [(&mut staging, of_staging), (&mut production, vec!["edit"])] {
            world.records.replace(state.clone());
            world.delivered().await;
            assert_eq!(world.forge.calls(), calls);
        }
    }
    let lines: Vec<_> = staging.forge.comments().iter().map(|comment| comment.body.lines().next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["<!-- preview-env staging -->", "<!-- preview-env production -->"]);
    for (world, name) in [(&staging, "staging"), (&production, "production")] {
        let members = world.records.members();
        let feedback = members[0].status.as_ref().unwrap().feedback.as_ref().unwrap();
        assert_eq!(feedback.comment_by.as_deref(), Some(name));
    }
}

#[tokio::test]
async fn a_comment_that_two_services_took_at_the_same_moment_stays_with_one_of_them() {
    let [mut staging, production] = sharing_a_comment(["staging", "production"]).await;
    staging.delivered().await;
    // The other one had found it before it was signed, and writes last.
    production.forge.edit_comment(&"acme/web".parse().unwrap(), 1, "<!-- preview-env production -->\ntext").await.unwrap();
    staging.records.replace(started());
    staging.delivered().await;
    assert_eq!(
        (staging.comment_ids(), staging.forge.comments()[0].body.as_str()),
        (vec![Some(2)], "<!-- preview-env production -->\ntext")
    );
}

#[tokio::test]
async fn a_service_that_is_named_anew_goes_on_with_its_comment() {
    let mut before = World::of([started()]).beside("before");
    before.delivered().await;
    before.forge.calls();
    let mut after = World { records: before.records.clone(), ..before.beside("after") };
    after.records.replace(ready());
    after.memory = before.memory;
    after.delivered().await;
    assert_eq!((after.forge.calls(), after.comment_ids()), (vec!["edit"], vec![Some(1)]));
    assert!(after.forge.body().starts_with("<!-- preview-env after -->\n"));
}

#[tokio::test]
async fn a_number_that_is_wrong_leads_to_the_comment_by_its_marker() {
    let mut world = World::of([started()]);
    world.delivered().await;
    world.restart();
    world.records = Records::of([ready().shown(99, "other")]);
    world.forge.calls();
    world.delivered().await;
    assert_eq!(world.forge.calls(), ["edit", "find", "edit"]);
    assert!(world.forge.body().contains("is ready"));
    assert_eq!(world.comment_ids(), [Some(1)]);
}

#[tokio::test]
async fn a_lost_answer_does_not_make_a_second_comment() {
    for restart in [false, true] {
        let mut world = World::of([started()]);
        world.forge.fail_call("create", Fault::After(away()));
        assert_eq!(world.deliver().await, Some(Outcome::Retry(None)));
        assert_eq!(world.forge.comments().len(), 1);
        if restart {
            world.restart();
        }
        world.records.replace(ready());
        world.delivered().await;
        assert!(world.forge.body().contains("is ready"));
        assert_eq!(world.comment_ids(), [Some(1)]);
    }
}

#[tokio::test]
async fn two_environments_share_one_comment() {
    let mut world = World::of([second(started()), ready()]);
    world.delivered().await;
    assert_eq!(world.forge.calls(), ["find", "create"]);
    let body = world.forge.body();
    assert!(body.contains("### `shop`: Preview") && body.contains("### `shop-eu`: Creating"), "{body}");
    assert_eq!(world.comment_ids(), [Some(1), Some(1)]);
    let members = world.records.members();
    let group = Group::of(PullKey::of(&members[0]).unwrap(), members).unwrap();
    assert_eq!(group.members()[0].metadata.uid.as_deref(), Some("uid-1"), "in the name of the smallest UID");
}

#[tokio::test]
async fn a_failure_that_passes_is_shown_and_tried_again() {
    let mut world = World::of([started()]);
    world.forge.fail(Fault::Before(away()));
    assert_eq!(world.deliver().await, Some(Outcome::Retry(None)));
    let shown = world.condition(0);
    assert_eq!((shown.reason.as_str(), shown.message.as_str()), ("Retrying", "cannot write the comment: no answer"));
    world.forge.fail(Fault::Before(ForgeError::RateLimited { what: "find the comment".into(), seconds: 60 }));
    assert_eq!(world.deliver().await, Some(Outcome::Retry(Some(Duration::from_secs(60)))));
    world.delivered().await;
    assert_eq!(world.condition(0).reason, "Delivered");
}

#[tokio::test]
async fn a_refusal_is_shown() {
    let mut world = World::of([started()]);
    world.forge.fail(Fault::Before(forbidden()));
    assert_eq!(world.deliver().await, Some(Outcome::Refused));
    assert_eq!(world.condition(0).reason, "Refused");
    assert!(world.condition(0).message.contains("403"), "{}", world.condition(0).message);
    world.delivered().await;
    assert_eq!(world.condition(0).reason, "Delivered");
}

#[tokio::test]
async fn an_edit_that_may_have_been_done_is_not_taken_for_undone() {
    let mut world = World::of([started()]);
    world.delivered().await;
    world.records.replace(ready());
    world.forge.fail(Fault::After(away()));
    assert_eq!(world.deliver().await, Some(Outcome::Retry(None)));
    assert!(world.forge.body().contains("is ready"));
    world.records.replace(started());
    world.delivered().await;
    assert!(world.forge.body().contains("Creating"), "back to a text that was recorded as shown");
}

#[tokio::test]
async fn a_record_that_fails_is_written_later_without_the_forge() {
    let mut world = World::of([started()]);
    world.records.refuse(true);
    assert_eq!(world.deliver().await, Some(Outcome::Retry(None)));
    world.forge.calls();
    world.records.refuse(false);
    world.delivered().await;
    assert!(world.forge.calls().is_empty());
    assert_eq!(world.comment_ids(), [Some(1)]);
}

#[tokio::test]
async fn what_was_never_there_opens_no_comment() {
    let mut world = World::of([recorded().unwanted("Closed", "Removed")]);
    world.delivered().await;
    assert_eq!(world.forge.calls(), ["find"]);
    assert!(world.forge.comments().is_empty());
    assert_eq!(world.deliver().await, None);
    assert!(nothing_left_to_say(&world.records.members()[0], &[]));
}

#[tokio::test]
async fn nothing_is_said_before_something_is_decided() {
    assert_eq!(World::of([recorded()]).deliver().await, None);
}

#[tokio::test]
async fn the_last_word_is_waited_for() {
    let mut world = World::of([ready()]);
    world.delivered().await;
    world.records.replace(ready().unwanted("Merged", "Removed"));
    let last = |world: &World| nothing_left_to_say(&world.records.members()[0], &world.records.members());
    assert!(!last(&world), "the comment still says that it is ready");
    world.forge.fail(Fault::Before(away()));
    world.deliver().await;
    assert!(!last(&world), "the forge is away");
    world.forge.fail(Fault::Before(forbidden()));
    world.deliver().await;
    assert!(last(&world), "the forge refuses it");
    world.delivered().await;
    assert!(last(&world) && world.forge.body().contains("Preview removed: the pull request was merged"));
}

#[tokio::test]
async fn since_when_a_commit_is_shown_stays_while_it_is_shown() {
    let mut world = World::of([started()]);
    // By the forge's clock, whatever ours says.
    world.forge.says_that_it_is(time("22T14:07"));
    let shows = |world: &World| world.records.members()[0].status.as_ref().unwrap().feedback.as_ref().unwrap().shows.clone().unwrap();
    world.delivered().await;
    let first = shows(&world);
    assert_eq!((first.revision.as_str(), first.since, first.pushed_at), (HEAD, time("22T14:07"), Some(time("22T14:05"))));
    world.forge.says_that_it_is(time("22T15:01"));
    let mut labelled = ready();
    labelled.spec.sources[0].observed_at = time("22T15:00");
    world.records.replace(labelled.clone());
    world.delivered().await;
    assert_eq!(shows(&world), first, "a label is no push");
    labelled.spec.sources[0].revision = NEXT.into();
    world.records.replace(labelled);
    world.delivered().await;
    let next = shows(&world);
    assert_eq!((next.revision.as_str(), next.since, next.pushed_at), (NEXT, time("22T15:01"), Some(time("22T15:00"))));
}

/// An approval that names no commit counts for the one that is recorded as shown.
#[tokio::test]
async fn that_a_fork_shows_another_commit_is_recorded_before_it_does() {
    let shows = |world: &World| world.records.members()[0].status.as_ref()?.feedback.as_ref()?.shows.clone().map(|shown| shown.revision);
    let from_fork = |revision: &str| {
        let mut object = ready();
        (object.spec.sources[0].head_repository_id, object.spec.sources[0].revision) = (Some(8), revision.to_owned());
        object
    };
    let mut world = World::of([from_fork(HEAD)]);
    world.delivered().await;
    assert_eq!(shows(&world).as_deref(), Some(HEAD));
    world.records.replace(from_fork(NEXT));
    world.records.refuse(true);
    world.forge.calls();
    assert_eq!(world.deliver().await, Some(Outcome::Retry(None)));
    assert!(world.forge.calls().is_empty(), "what cannot be recorded is not said");
    world.records.refuse(false);
    world.forge.fail(Fault::After(away()));
    assert_eq!(world.deliver().await, Some(Outcome::Retry(None)));
    assert_eq!((world.forge.calls(), shows(&world)), (vec!["edit"], None), "it may have been said");
    world.delivered().await;
    assert_eq!(shows(&world).as_deref(), Some(NEXT));
}

/// A token that has expired is replaced, and then all is put right that is still shown.
#[tokio::test]
async fn what_is_shown_and_cannot_be_changed_for_want_of_a_token_is_not_over() {
    let expired = || ForgeError::Refused { what: "edit the comment".into(), status: 401, message: "Bad credentials".into() };
    let last = |world: &World| nothing_left_to_say(&world.records.members()[0], &world.records.members());
    for (was_told, is_over) in [(true, false), (false, true)] {
        let mut world = World::of([ready()]);
        if was_told {
            world.delivered().await;
        }
        world.records.replace(ready().unwanted("Merged", "Removed"));
        world.forge.fail(Fault::Before(expired()));
        assert_eq!((world.deliver().await, last(&world)), (Some(Outcome::Refused), is_over));
        if was_told {
            world.delivered().await;
            assert!(last(&world));
        }
    }
}

#[test]
fn an_environment_of_a_branch_has_nothing_to_say() {
    let mut object = ready();
    (object.spec.sources[0].pull, object.spec.sources[0].branch) = (None, Some("login".into()));
    assert!(nothing_left_to_say(&object, &[]));
}
