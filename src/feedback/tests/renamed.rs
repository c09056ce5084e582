//! A repository that is renamed, and whoever takes its old name.

use std::sync::Arc;

use serde_json::json;

use super::double::{Double, Fault, Records};
use super::fixtures::*;
use crate::api::PreviewEnvironment;
use crate::api::conditions;
use crate::api::environment::SourceState;
use crate::domain::Baseline;
use crate::feedback::deliver::{Deliverer, Measure, Memory, Outcome};
use crate::feedback::{Group, PullKey, Sources, group};
use crate::forge::ForgeError;

struct World {
    forge: Arc<Double>,
    records: Arc<Records>,
    memory: Memory,
}

impl World {
    fn of(member: PreviewEnvironment) -> Self {
        Self { forge: Arc::default(), records: Records::of([member]), memory: Memory::default() }
    }

    async fn deliver(&mut self, sources: &Sources) -> Outcome {
        let members = self.records.members();
        let group = sources.named(Group::of(PullKey::of(&members[0]).unwrap(), members).unwrap());
        let show = sources.show(&group, early()).unwrap();
        let deliverer = Deliverer::new(self.forge.clone(), self.records.clone());
        deliverer.deliver(&group, (&show, Measure::All), &mut self.memory).await
    }

    fn holds(&self) -> (usize, usize, usize) {
        (self.forge.comments().len(), self.forge.checks().len(), self.forge.deployed().len())
    }
}

/// What the Baseline says, where it knows the name of today or does not.
fn sources(renamed: Option<&str>) -> Sources {
    let mut baseline = shop(&json!({}), false);
    baseline.repositories[0].renamed = renamed.map(|name| name.parse().unwrap());
    by(baseline)
}

#[tokio::test]
async fn nothing_goes_to_whoever_took_the_name() {
    let mut world = World::of(started());
    world.forge.means(&[("acme/web", 8)]);
    assert_eq!(world.deliver(&sources(None)).await, Outcome::Refused);
    assert_eq!((world.forge.places(), world.holds()), (vec![], (0, 0, 0)), "nothing is asked there either");
    let members = world.records.members();
    let told = conditions::find(&members[0].status.as_ref().unwrap().conditions, conditions::FEEDBACK_DELIVERED).unwrap().clone();
    assert!(told.reason == "Refused" && told.message.contains("acme/web is another repository now"), "{told:?}");

    world.forge.means(&[("acme/web", 8), ("acme/site", 7)]);
    let mut again = World { forge: world.forge.clone(), records: world.records.clone(), memory: Memory::default() };
    assert_eq!(again.deliver(&sources(Some("acme/site"))).await, Outcome::Delivered, "once the Baseline knows the new name");
    assert_eq!((again.forge.places(), again.holds()), (vec!["acme/site".to_owned()], (1, 1, 1)));
}

#[tokio::test]
async fn a_name_that_is_taken_while_an_environment_runs_is_left_alone_to_the_end() {
    let mut world = World::of(ready());
    world.forge.means(&[("acme/web", 7)]);
    assert_eq!(world.deliver(&sources(None)).await, Outcome::Delivered);
    assert_eq!(world.forge.places(), ["acme/web"]);
    world.forge.means(&[("acme/web", 8)]);
    for state in [started(), ready().unwanted("Merged", "Removed")] {
        world.records.replace(state);
        assert_eq!(world.deliver(&sources(None)).await, Outcome::Refused);
        assert!(world.forge.places().is_empty());
    }
    let last = world.records.members();
    assert!(group::nothing_left_to_say(&last[0], &last, &sources(None), early()), "and nobody waits for a word that cannot be said");
}

#[tokio::test]
async fn a_forge_that_does_not_know_is_asked_again_and_the_old_name_serves_while_it_is_led_on() {
    let mut world = World::of(started());
    world.forge.means(&[("acme/site", 7)]);
    assert_eq!(world.deliver(&sources(None)).await, Outcome::Retry(None), "it knows no acme/web");
    world.forge.means(&[("acme/web", 7)]);
    let mut again = World { forge: world.forge.clone(), records: world.records.clone(), memory: Memory::default() };
    assert_eq!(again.deliver(&sources(Some("acme/site"))).await, Outcome::Delivered, "what the Baseline knows is out of date");
    assert_eq!(again.forge.places(), ["acme/web"]);
}

/// A Baseline that knows another number under that name knows nothing of this repository.
#[tokio::test]
async fn another_number_in_the_baseline_names_nothing() {
    let baseline = Baseline { repositories: vec![], ..shop(&json!({}), false) };
    let mut world = World::of(started());
    world.forge.means(&[("acme/web", 7)]);
    assert_eq!(world.deliver(&by(baseline)).await, Outcome::Delivered, "the forge's own word counts");
}

#[tokio::test]
async fn nothing_is_let_go_of_because_a_forge_finds_nothing() {
    let closed = || ready().unwanted("Closed", "Removed");
    let taken = || {
        let mut object = ready().unwanted("Gone", "Removed");
        object.spec.sources[0].state = SourceState::Gone;
        object
    };
    for (case, member, not_found, homes, outcome, over) in [
        ("it finds nothing at all", closed(), vec![], 0, Outcome::Retry(None), false),
        ("what was taken from us for good has nobody to be told", taken(), vec![], 0, Outcome::Refused, true),
        ("no comment, and then no repository", closed(), vec!["edit"], 1, Outcome::Retry(None), false),
        ("no comment, and the list of them is not found", closed(), vec!["edit", "find"], 2, Outcome::Retry(None), false),
        ("no deployment to put down, and then no repository", closed(), vec!["state"], 1, Outcome::Retry(None), false),
        ("no deployment to delete, and then no repository", closed(), vec!["undeploy"], 1, Outcome::Retry(None), false),
        ("no comments any more, in a repository that is there", closed(), vec!["edit", "find"], 9, Outcome::Refused, true),
    ] {
        let mut world = World::of(ready());
        world.forge.means(&[("acme/web", 7)]);
        assert_eq!(world.deliver(&sources(None)).await, Outcome::Delivered);
        world.records.replace(member);
        for call in not_found {
            world.forge.fail_call(call, Fault::Before(ForgeError::NotFound("it".into())));
        }
        world.forge.forgets_homes_after(homes);
        assert_eq!(world.deliver(&sources(None)).await, outcome, "{case}");
        let last = world.records.members();
        assert_eq!(group::nothing_left_to_say(&last[0], &last, &sources(None), early()), over, "{case}");
        if !over {
            // It comes to its senses.
            world.forge.means(&[("acme/web", 7)]);
            assert_eq!(world.deliver(&sources(None)).await, Outcome::Delivered, "{case}");
            assert!(!world.forge.body().contains("is ready") && world.forge.deployed().is_empty(), "{case}: {}", world.forge.body());
        }
    }
}
