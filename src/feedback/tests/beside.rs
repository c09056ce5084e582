//! What stands beside the comment: deployments and checks, whatever goes wrong on the way.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::double::{Double, Fault, Records, away, forbidden};
use super::fixtures::*;
use crate::api::PreviewEnvironment;
use crate::api::conditions::{self, ConditionStatus};
use crate::api::environment::Verb;
use crate::api::status::{CommandOutcome, Feedback, ImageOrigin};
use crate::feedback::deliver::{Deliverer, Measure, Memory, Outcome};
use crate::feedback::{Group, Heads, PullKey, Sources, group};
use crate::forge::{Conclusion, DeploymentState, ForgeError};

/// A forge with everything, the environments, and what a running service remembers.
struct World {
    forge: Arc<Double>,
    records: Arc<Records>,
    memory: Memory,
    sources: Sources,
}

impl World {
    fn of(member: PreviewEnvironment) -> Self {
        Self::by(&json!({}), member)
    }

    fn by(feedback: &Value, member: PreviewEnvironment) -> Self {
        let sources = by(shop(feedback, false));
        Self { forge: Arc::default(), records: Records::of([member]), memory: Memory::default(), sources }
    }

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
        assert_eq!(self.deliver().await, None, "and there is nothing more to do");
    }

    /// The controller changes it, and it is delivered.
    async fn becomes(&mut self, member: PreviewEnvironment) {
        self.records.replace(member);
        self.delivered().await;
    }

    fn states(&self) -> Vec<Option<DeploymentState>> {
        self.forge.deployed().iter().map(super::double::Deployed::state).collect()
    }

    fn conclusions(&self) -> Vec<Option<Conclusion>> {
        self.forge.checks().iter().map(|check| check.conclusion).collect()
    }

    fn feedback(&self) -> Feedback {
        self.records.members()[0].status.as_ref().unwrap().feedback.clone().unwrap()
    }

    fn is_over(&self) -> bool {
        group::nothing_left_to_say(&self.records.members()[0], &[], &self.sources, early())
    }
}

/// The next commit, on its way and then up.
fn pushed() -> PreviewEnvironment {
    let mut object = ready().phase("Updating");
    object.spec.sources[0].revision = NEXT.into();
    object
}

fn pushed_and_up() -> PreviewEnvironment {
    let mut object = pushed().phase("Ready");
    object.status().revision = Some(NEXT.into());
    object
}

fn crashing(from: ImageOrigin) -> PreviewEnvironment {
    let object = started().service("web", from, Some("CrashLoopBackOff: back-off 40s restarting failed container"));
    let mut object = object.condition(conditions::READY, ConditionStatus::False, "NotReady", "");
    object.status().revision = Some(HEAD.into());
    object
}

fn stalled(reason: &str) -> PreviewEnvironment {
    started().phase("Stalled").condition(conditions::STALLED, ConditionStatus::True, reason, "why")
}

#[tokio::test]
async fn a_commit_is_deployed_once_and_its_state_follows() {
    let mut world = World::of(started());
    world.delivered().await;
    assert_eq!(world.forge.calls(), ["find", "create", "find check", "check", "list", "deploy", "state"]);
    let made = world.forge.deployed().remove(0);
    assert_eq!((made.new.environment.as_str(), made.new.revision.as_str()), ("preview/shop", HEAD));
    assert_eq!(made.new.description, "Preview of #42 at 3f9c2ab");
    assert_eq!((world.states(), world.conclusions()), (vec![Some(DeploymentState::InProgress)], vec![None]));
    assert_eq!(world.forge.abouts(), [(7, 42)], "all of it has the place of its pull request");
    world.becomes(ready()).await;
    assert_eq!(world.forge.calls(), ["edit", "recheck", "state"], "three writes, and nothing is asked");
    let url = world.forge.deployed()[0].said.last().unwrap().url.clone();
    assert_eq!(url.as_deref(), Some("https://web-pr-42.preview.example.com"));
    assert_eq!((world.states(), world.conclusions()), (vec![Some(DeploymentState::Success)], vec![Some(Conclusion::Success)]));
}

#[tokio::test]
async fn a_check_that_is_asked_for_once_more_is_written_anew_though_nothing_changed() {
    let updated = |id: &str| {
        let mut object = ready().commanded(Verb::Update, &[], (CommandOutcome::Done, "It is up to date."), None);
        object.status().commands[0].id = id.to_owned();
        object
    };
    let mut world = World::of(updated("101.1"));
    world.delivered().await;
    world.forge.calls();
    for (id, rewritten) in [("102.1", &[][..]), ("button.aa", &["recheck"]), ("button.bb", &["recheck"])] {
        world.records.replace(updated(id));
        world.deliver().await;
        assert_eq!(world.forge.calls(), rewritten, "{id}");
        assert_eq!(world.deliver().await, None, "{id}");
        assert_eq!(world.conclusions(), [Some(Conclusion::Success)], "{id}");
    }
}

#[tokio::test]
async fn the_commit_before_stays_deployed_until_the_next_one_is_up() {
    let mut world = World::of(ready());
    world.delivered().await;
    world.becomes(pushed()).await;
    assert_eq!(world.states(), [Some(DeploymentState::Success), Some(DeploymentState::InProgress)]);
    world.becomes(pushed_and_up()).await;
    assert_eq!(world.states(), [Some(DeploymentState::Inactive), Some(DeploymentState::Success)]);
    assert_eq!(world.conclusions(), [Some(Conclusion::Success), Some(Conclusion::Success)]);
}

#[tokio::test]
async fn a_check_of_a_commit_that_was_never_up_does_not_go_on_for_ever() {
    let mut world = World::of(started());
    world.delivered().await;
    world.becomes(pushed()).await;
    assert_eq!(world.conclusions(), [Some(Conclusion::Skipped), None]);
}

#[tokio::test]
async fn at_the_end_no_deployment_is_left_and_only_then_the_object_may_go() {
    let mut world = World::of(ready());
    world.delivered().await;
    world.becomes(pushed_and_up()).await;
    let mut gone = pushed_and_up().unwanted("Merged", "Removed");
    gone.spec.sources[0].state = crate::api::environment::SourceState::Merged;
    world.records.replace(gone);
    assert!(!world.is_over());
    world.forge.fail_call("undeploy", Fault::Before(away()));
    assert_eq!(world.deliver().await, Some(Outcome::Retry(None)));
    assert!(!world.is_over(), "a deployment is left");
    world.delivered().await;
    assert!(world.forge.deployed().is_empty() && world.feedback().deployments.is_empty() && world.is_over());
    assert_eq!(world.conclusions(), [Some(Conclusion::Success), Some(Conclusion::Success)], "what was true of a commit stays");
}

#[tokio::test]
async fn what_was_never_recorded_is_found_at_the_end_and_does_not_go_on() {
    for (what, object, end) in [
        ("merged while it was made", started(), "Removing"),
        ("merged and gone before anything more was told", started(), "Removed"),
        ("its first commit was never recorded, nor its second", pushed(), "Removed"),
    ] {
        for restart in [false, true] {
            let mut world = World::of(started());
            // What others have beside the same commit is none of ours.
            let mut other = World { forge: world.forge.clone(), ..World::of(of_pull(43, started())) };
            other.delivered().await;
            world.records.refuse_after(1);
            assert_eq!(world.deliver().await, Some(Outcome::Retry(None)), "the API server goes away");
            let mut object = object.clone();
            object.status().revision = Some(HEAD.into());
            world.records.replace(object.clone());
            world.deliver().await;
            if restart {
                world.memory = Memory::default();
            }
            world.records.refuse(false);
            let mut gone = object.unwanted("Merged", end);
            gone.spec.sources[0].state = crate::api::environment::SourceState::Merged;
            world.records.replace(gone);
            assert!(!world.is_over(), "{what}: nobody looked");
            world.delivered().await;
            let left: Vec<_> = world.forge.deployed().into_iter().map(|deployed| deployed.new.description).collect();
            assert_eq!(left, ["Preview of #43 at 3f9c2ab"], "{what}");
            let going: Vec<_> = world.forge.checks().into_iter().filter(|check| check.conclusion.is_none()).map(|c| c.pull).collect();
            assert!(going.iter().all(|pull| *pull == Some(43)), "{what}: {going:?}");
            assert!(world.is_over(), "{what}");
        }
    }
}

#[tokio::test]
async fn what_is_recorded_is_not_looked_for_at_the_end() {
    let mut world = World::of(ready());
    world.delivered().await;
    world.forge.calls();
    let mut gone = ready().unwanted("Merged", "Removed");
    gone.spec.sources[0].state = crate::api::environment::SourceState::Merged;
    world.becomes(gone).await;
    assert_eq!(world.forge.calls(), ["edit", "state", "undeploy"]);
}

/// What is begun whose answer is lost, and whether the service is started anew after it.
const LOST: [(&str, bool); 4] = [("deploy", false), ("deploy", true), ("check", false), ("check", true)];

async fn after_lost(call: &'static str, restart: bool) -> World {
    let mut world = World::of(started());
    world.forge.fail_call(call, Fault::After(away()));
    assert_eq!(world.deliver().await, Some(Outcome::Retry(None)));
    if restart {
        world.memory = Memory::default();
    }
    world
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_deployment_and_no_second_check() {
    for (call, restart) in LOST {
        let mut world = after_lost(call, restart).await;
        world.delivered().await;
        assert_eq!((world.forge.deployed().len(), world.forge.checks().len(), world.forge.comments().len()), (1, 1, 1), "{call}");
    }
}

#[tokio::test]
async fn what_a_lost_answer_made_for_a_commit_ends_as_all_others_do_where_another_one_was_pushed_before_it_was_found() {
    for (call, restart) in LOST {
        let mut world = after_lost(call, restart).await;
        world.becomes(pushed_and_up()).await;
        assert_eq!(world.states(), [Some(DeploymentState::Inactive), Some(DeploymentState::Success)], "{call}");
        assert_eq!(world.conclusions(), [Some(Conclusion::Skipped), Some(Conclusion::Success)], "{call}");
        assert!(world.feedback().begun.is_empty(), "{call}");
    }
}

#[tokio::test]
async fn what_was_begun_for_a_commit_that_is_gone_or_by_another_name_keeps_nothing_from_the_head() {
    let gone = || ForgeError::Refused { what: "find the check".into(), status: 422, message: "No commit found".into() };
    let mut world = after_lost("check", false).await;
    world.records.replace(pushed_and_up());
    world.forge.fail_call("find unfinished", Fault::Before(gone()));
    world.delivered().await;
    assert_eq!(world.conclusions(), [None, Some(Conclusion::Success)]);

    // The answer to the question says nothing of what an earlier try made.
    let mut world = after_lost("check", false).await;
    world.forge.fail_call("find check", Fault::Before(forbidden()));
    assert_eq!(world.deliver().await, Some(Outcome::Refused));
    world.memory = Memory::default();
    world.becomes(pushed_and_up()).await;
    assert_eq!(world.conclusions(), [Some(Conclusion::Skipped), Some(Conclusion::Success)]);

    // It was called otherwise then, since another pull request had the same commit.
    let mut world = after_lost("check", false).await;
    world.memory = Memory::default();
    let named = |feedback: &mut Feedback| feedback.begun.iter_mut().for_each(|begun| begun.name = Some("preview / shop (#42)".into()));
    let mut object = pushed_and_up();
    object.status().feedback = Some(world.feedback()).map(|mut feedback| {
        named(&mut feedback);
        feedback
    });
    let forge = Arc::clone(&world.forge);
    world = World { forge, ..World::of(object) };
    world.delivered().await;
    assert_eq!(world.conclusions(), [None, Some(Conclusion::Success)], "nothing of the usual name is touched");
}

#[tokio::test]
async fn a_check_that_may_go_on_is_ended_where_checks_are_turned_off() {
    let mut world = after_lost("check", false).await;
    world.sources = by(shop(&json!({"checkRun": false}), false));
    world.memory = Memory::default();
    world.delivered().await;
    assert_eq!(world.conclusions(), [Some(Conclusion::Skipped)]);
    assert!(world.feedback().begun.is_empty());
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_begun() {
    let mut world = World::of(started());
    world.records.refuse(true);
    assert_eq!(world.deliver().await, Some(Outcome::Retry(None)));
    assert!(world.forge.calls().is_empty());
    world.records.refuse(false);
    world.delivered().await;
}

#[tokio::test]
async fn a_state_whose_answer_was_lost_is_told_again() {
    let mut world = World::of(started());
    world.delivered().await;
    world.records.replace(ready());
    world.forge.fail_call("state", Fault::After(away()));
    assert_eq!(world.deliver().await, Some(Outcome::Retry(None)));
    world.becomes(started()).await;
    assert_eq!(world.states(), [Some(DeploymentState::InProgress)], "back to a state that was recorded as shown");
}

#[tokio::test]
async fn what_somebody_deleted_is_made_again() {
    let mut world = World::of(started());
    world.delivered().await;
    world.forge.wipe_beside();
    world.records.replace(ready());
    assert_eq!(world.deliver().await, Some(Outcome::Retry(None)));
    world.delivered().await;
    assert_eq!((world.states(), world.conclusions()), (vec![Some(DeploymentState::Success)], vec![Some(Conclusion::Success)]));
}

#[tokio::test]
async fn a_refusal_of_one_holds_up_no_other_and_is_not_asked_again_at_once() {
    let mut world = World::of(started());
    world.forge.fail_call("find check", Fault::Before(forbidden()));
    assert_eq!(world.deliver().await, Some(Outcome::Refused));
    assert_eq!((world.forge.comments().len(), world.states()), (1, vec![Some(DeploymentState::InProgress)]));
    let refused = &world.feedback().refused;
    assert_eq!(refused.len(), 1);
    let members = world.records.members();
    let shown = conditions::find(&members[0].status.as_ref().unwrap().conditions, conditions::FEEDBACK_DELIVERED).unwrap().clone();
    assert_eq!((shown.reason.as_str(), shown.message.contains("403")), ("Refused", true));
    world.forge.calls();
    world.records.replace(ready());
    assert_eq!(world.deliver().await, Some(Outcome::Refused));
    assert_eq!(world.forge.calls(), ["edit", "state"], "the check is not offered again so soon");
}

#[tokio::test]
async fn where_the_forge_asks_to_wait_only_the_newest_state_is_told_later() {
    let mut world = World::of(started());
    let limit = ForgeError::RateLimited { what: "make the check".into(), seconds: 30 };
    world.forge.fail_call("check", Fault::Before(limit));
    assert_eq!(world.deliver().await, Some(Outcome::Retry(Some(Duration::from_secs(30)))));
    assert_eq!(world.forge.calls(), ["find", "create", "find check", "check"], "nothing more is tried");
    world.records.replace(ready());
    world.delivered().await;
    let calls = world.forge.calls();
    assert_eq!(calls, ["find check", "check", "list", "deploy", "state", "edit"], "what was not reached comes first");
    assert_eq!(world.forge.deployed()[0].said.len(), 1, "the state between vanishes");
}

#[tokio::test]
async fn whose_fault_it_is_decides_how_the_check_ends() {
    let fork = recorded().wanted().condition(conditions::APPROVED, ConditionStatus::False, "Fork", "").phase("Waiting");
    for (member, conclusion) in vec![
        (crashing(ImageOrigin::Branch), Some(Conclusion::Failure)),
        (crashing(ImageOrigin::Baseline), Some(Conclusion::Neutral)),
        (stalled("ImageMissing"), Some(Conclusion::Failure)),
        (stalled("NamespaceTaken"), Some(Conclusion::Neutral)),
        (stalled("ApplyRefused"), Some(Conclusion::Neutral)),
        (fork, Some(Conclusion::ActionRequired)),
        (recorded().unwanted("NotTriggered", "Removed"), Some(Conclusion::Skipped)),
        (recorded().unwanted("Draft", "Waiting"), Some(Conclusion::Skipped)),
        (started(), None),
    ] {
        let mut world = World::of(member);
        world.delivered().await;
        assert_eq!(world.conclusions(), [conclusion]);
    }
}

#[tokio::test]
async fn nothing_is_deployed_for_forks_that_wait_and_for_drafts() {
    let fork = recorded().wanted().condition(conditions::APPROVED, ConditionStatus::False, "Fork", "").phase("Waiting");
    for member in [fork, recorded().unwanted("Draft", "Waiting"), recorded().wanted().phase("Pending")] {
        let mut world = World::of(member);
        world.delivered().await;
        assert!(world.forge.deployed().is_empty());
    }
}

#[tokio::test]
async fn what_waits_for_somebody_ends_with_the_next_push_and_with_its_pull_request() {
    let fork = |revision: &str| {
        let mut object = recorded().wanted().condition(conditions::APPROVED, ConditionStatus::False, "Fork", "").phase("Waiting");
        object.spec.sources[0].revision = revision.into();
        object
    };
    for restart in [false, true] {
        let mut world = World::of(fork(HEAD));
        world.delivered().await;
        assert_eq!(world.conclusions(), [Some(Conclusion::ActionRequired)]);
        world.becomes(fork(NEXT)).await;
        assert_eq!(world.conclusions(), [Some(Conclusion::Skipped), Some(Conclusion::ActionRequired)]);
        let mut closed = fork(NEXT).unwanted("Closed", "Removed");
        closed.spec.sources[0].state = crate::api::environment::SourceState::Closed;
        world.records.replace(closed);
        if restart {
            world.records.forget();
            world.memory = Memory::default();
        }
        assert!(!world.is_over(), "a check is left that nobody can do anything about");
        world.delivered().await;
        assert_eq!(world.conclusions(), [Some(Conclusion::Skipped); 2]);
        assert!(world.is_over());
    }
}

#[tokio::test]
async fn no_commit_of_a_fork_is_ever_deployed() {
    let mut fork = ready();
    fork.spec.sources[0].head_repository_id = Some(9);
    let mut gone = ready();
    gone.spec.sources[0].head_repository_id = None;
    for member in [fork, gone] {
        let mut world = World::of(member);
        world.delivered().await;
        assert!(world.forge.deployed().is_empty());
        assert_eq!(world.conclusions(), [Some(Conclusion::Success)]);
    }
}

#[tokio::test]
async fn what_was_approved_stays_deployed_while_the_next_push_waits_for_an_approval() {
    let mut world = World::of(ready());
    world.delivered().await;
    let next = pushed().condition(conditions::APPROVED, ConditionStatus::False, "Fork", "").phase("Waiting");
    world.becomes(next).await;
    assert_eq!((world.states(), world.conclusions().pop()), (vec![Some(DeploymentState::Success)], Some(Some(Conclusion::ActionRequired))));
    assert!(world.forge.body().contains(&format!("/preview approve {NEXT}")), "{}", world.forge.body());
}

#[tokio::test]
async fn each_can_be_turned_off() {
    for (rules, shown) in [
        (json!({"comment": "Never"}), (0, 1, 1)),
        (json!({"deployment": false}), (1, 0, 1)),
        (json!({"checkRun": false}), (1, 1, 0)),
        (json!({"comment": "Never", "deployment": false, "checkRun": false}), (0, 0, 0)),
    ] {
        let mut world = World::by(&rules, ready());
        let outcome = world.deliver().await;
        assert!(matches!(outcome, None | Some(Outcome::Delivered)), "{outcome:?}");
        let there = (world.forge.comments().len(), world.forge.deployed().len(), world.forge.checks().len());
        assert_eq!(there, shown, "{rules}");
    }
}

#[tokio::test]
async fn what_is_turned_off_later_does_not_stay_as_it_was() {
    let mut world = World::of(ready());
    world.delivered().await;
    world.sources = by(shop(&json!({"comment": "Never", "deployment": false}), false));
    world.delivered().await;
    assert!(world.forge.deployed().is_empty() && world.forge.body().contains("not shown here any more"));
}

#[tokio::test]
async fn a_check_that_goes_on_when_it_is_turned_off_is_ended() {
    let mut world = World::of(started());
    world.delivered().await;
    assert_eq!(world.conclusions(), [None]);
    world.sources = by(shop(&json!({"checkRun": false}), false));
    world.delivered().await;
    assert_eq!(world.conclusions(), [Some(Conclusion::Skipped)]);
}

#[tokio::test]
async fn a_comment_on_deploy_waits_for_something_to_deploy() {
    let mut world = World::by(&json!({"comment": "OnDeploy"}), recorded().unwanted("Draft", "Waiting"));
    world.delivered().await;
    assert!(world.forge.comments().is_empty());
    world.becomes(started()).await;
    assert_eq!(world.forge.comments().len(), 1);
}

#[tokio::test]
async fn without_a_baseline_what_is_there_is_kept_true_and_nothing_is_added() {
    let mut world = World::of(ready());
    world.delivered().await;
    world.sources = Sources::new(Arc::new(|_, _| None), false);
    world.becomes(pushed()).await;
    assert!(world.forge.body().contains("Updating"));
    assert_eq!((world.forge.deployed().len(), world.forge.checks().len()), (1, 1));
}

#[tokio::test]
async fn where_answers_are_asked_for_nothing_is_ready_before_one_came() {
    let mut world = World { sources: probed(&json!({}), false), ..World::of(ready()) };
    world.delivered().await;
    assert_eq!((world.states(), world.conclusions()), (vec![Some(DeploymentState::InProgress)], vec![None]));
    world.records.replace(ready().answered(NEXT));
    assert_eq!(world.deliver().await, None, "another commit answered");
    world.becomes(ready().answered(HEAD)).await;
    assert_eq!((world.states(), world.conclusions()), (vec![Some(DeploymentState::Success)], vec![Some(Conclusion::Success)]));
}

#[tokio::test]
async fn a_deployment_of_the_same_commit_in_another_pull_request_is_not_taken() {
    let mut other = World::of(of_pull(43, ready()));
    other.delivered().await;
    let mut world = World { forge: other.forge.clone(), ..World::of(ready()) };
    world.delivered().await;
    let said: Vec<_> = world.forge.deployed().into_iter().map(|deployed| deployed.new.description).collect();
    assert_eq!(said, ["Preview of #43 at 3f9c2ab", "Preview of #42 at 3f9c2ab"]);
}

#[tokio::test]
async fn many_pushes_leave_few_deployments() {
    let mut world = World::of(ready());
    world.delivered().await;
    for push in 0..8 {
        let mut object = pushed_and_up();
        let revision = format!("{push}").repeat(40);
        object.spec.sources[0].revision.clone_from(&revision);
        object.status().revision = Some(revision);
        world.becomes(object).await;
    }
    assert_eq!(world.forge.deployed().len(), 5);
    assert_eq!(world.states().iter().filter(|state| **state == Some(DeploymentState::Success)).count(), 1);
}

/// The same change in another pull request, such as one into another branch.
fn of_pull(number: i64, mut object: PreviewEnvironment) -> PreviewEnvironment {
    object.metadata.name = Some(format!("web-pr-{number}"));
    object.metadata.uid = Some(format!("uid-{number}"));
    object.spec.sources[0].pull = Some(number);
    object
}

/// Tells of one among all that there are.
async fn told(world: &mut World, all: &[Arc<PreviewEnvironment>]) {
    let members = world.records.members();
    let group = Group::of(PullKey::of(&members[0]).unwrap(), members).unwrap().among(&Heads::of(all));
    let show = world.sources.show(&group, early()).unwrap();
    let deliverer = Deliverer::new(world.forge.clone(), world.records.clone());
    assert_eq!(deliverer.deliver(&group, (&show, Measure::All), &mut world.memory).await, Outcome::Delivered);
}

#[tokio::test]
async fn each_pull_request_of_one_commit_keeps_a_check_of_its_own() {
    let mut first = World::of(of_pull(42, started()));
    let mut second = World { forge: first.forge.clone(), ..World::of(of_pull(43, started())) };
    // The second one is heard of first.
    let alone = second.records.members();
    told(&mut second, &alone).await;
    let records = [first.records.clone(), second.records.clone()];
    let both = || -> Vec<_> { records.iter().flat_map(|records| records.members()).collect() };
    told(&mut first, &both()).await;
    told(&mut second, &both()).await;
    let shown = |world: &World| -> Vec<_> { world.forge.checks().into_iter().map(|c| (c.name, c.pull, c.conclusion)).collect() };
    let (usual, other) = ("preview / shop".to_owned(), "preview / shop (#43)".to_owned());
    assert_eq!(shown(&first), [(other.clone(), Some(43), None), (usual.clone(), Some(42), None)]);
    second.records.replace(of_pull(43, ready()));
    told(&mut second, &both()).await;
    assert_eq!(shown(&first), [(other.clone(), Some(43), Some(Conclusion::Success)), (usual.clone(), Some(42), None)]);
    // Alone again, it keeps the name that it has beside this commit.
    second.records.replace(of_pull(43, started()));
    told(&mut second, &records[1].members()).await;
    assert_eq!(shown(&first)[0], (other.clone(), Some(43), None));
    // The next commit is its own, and what goes on beside the last one is ended under the name that it has there.
    second.records.replace(of_pull(43, pushed()));
    told(&mut second, &both()).await;
    let ends = [(other, Some(43), Some(Conclusion::Skipped)), (usual.clone(), Some(42), None), (usual, Some(43), None)];
    assert_eq!(shown(&first), ends);
}
