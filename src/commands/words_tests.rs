//! Commands on a pull request without an environment are answered in words, where whoever gave them may command.

use super::*;

/// What is recorded after a pass that wrote results.
fn answered(object: &PreviewEnvironment, context: &Context) -> PreviewEnvironment {
    let mut object = object.clone();
    let results = context.memory.results(&object);
    object.status.get_or_insert_default().commands = results;
    object
}

#[tokio::test]
async fn whoever_may_command_is_answered_where_no_environment_is_and_the_answer_stays_until_it_is_shown() {
    for (verb, args, says) in [
        (Verb::Unknown, vec!["craete"], "Refused: There is no such command. Did you mean /preview create?"),
        (Verb::Help, vec![], "Done: /preview, followed by one of"),
        (Verb::Status, vec![], "Done: there is no environment for this pull request. /preview create makes one."),
        (Verb::Extend, vec!["1h", "2h"], "Refused: Nothing was done: write it as /preview extend 24h."),
    ] {
        let (world, context) = world(vec![]);
        world.untold.store(true, Ordering::Relaxed);
        let object = environment(&given(verb, &args), false);
        let waits = pass(&object, &context, now()).await.unwrap();
        let done = world.done().join("\n");
        assert!(done.contains(&format!("results 1, {says}")) && !done.contains("remove") && !done.contains("prune"), "{done}");
        assert_eq!(waits, Action::requeue(Duration::from_secs(3_590)), "an hour after the command at the latest");

        // As after a restart: it is neither carried out nor answered again.
        let again = super::context(&world);
        let object = answered(&object, &context);
        pass(&object, &again, now()).await.unwrap();
        assert!(world.done().is_empty());
        world.untold.store(false, Ordering::Relaxed);
        pass(&object, &again, now()).await.unwrap();
        assert_eq!(world.done(), ["remove"]);
    }
}

#[tokio::test]
async fn a_forge_that_does_not_take_the_answer_keeps_the_object_for_an_hour() {
    let (world, context) = world(vec![]);
    world.untold.store(true, Ordering::Relaxed);
    let object = environment(&given(Verb::Help, &[]), false);
    pass(&object, &context, now()).await.unwrap();
    let object = answered(&object, &context);
    world.done();
    pass(&object, &context, now() + TimeDelta::minutes(59)).await.unwrap();
    assert!(world.done().is_empty());
    pass(&object, &context, now() + TimeDelta::hours(1)).await.unwrap();
    assert_eq!(world.done(), ["remove"]);
}

#[tokio::test]
async fn a_strangers_command_is_answered_in_words_nowhere_and_goes_at_once() {
    for (verb, args, permission) in [
        (Verb::Create, vec![], Permission::Read),
        (Verb::Help, vec![], Permission::Read),
        (Verb::Status, vec![], Permission::Triage),
        (Verb::Unknown, vec!["craete"], Permission::Read),
        (Verb::Unknown, vec!["craete"], Permission::None),
    ] {
        let (world, context) = world(vec![Ok(permission)]);
        world.untold.store(true, Ordering::Relaxed);
        pass(&environment(&given(verb, &args), false), &context, now()).await.unwrap();
        assert_eq!(world.done().last().map(String::as_str), Some("remove"), "{verb:?}");
        assert!(!world.done().join("\n").contains("results"), "{verb:?}");
    }
}

#[tokio::test]
async fn an_answer_that_waits_is_not_lost_with_the_next_command() {
    let (world, context) = world(vec![Ok(Permission::Write), Ok(Permission::Read)]);
    world.untold.store(true, Ordering::Relaxed);
    let mut object = environment(&given(Verb::Help, &[]), false);
    pass(&object, &context, now()).await.unwrap();
    object = answered(&object, &context);
    object.spec.commands.push(command("1002.1", 1, Verb::Delete, &[]));
    world.done();
    pass(&object, &context, now()).await.unwrap();
    assert_eq!(world.done(), ["prune 1001.1"], "the other one keeps the object");
    object.spec.commands.remove(0);
    pass(&object, &context, now()).await.unwrap();
    assert!(world.done().iter().all(|done| done.starts_with("react")), "a stranger's is not told, and what is told stays");
    world.untold.store(false, Ordering::Relaxed);
    pass(&object, &context, now()).await.unwrap();
    assert_eq!(world.done(), ["remove"]);
}
