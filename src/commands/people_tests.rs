//! Who may command, and how often the forge is asked about that.

use super::*;

#[tokio::test]
async fn whoever_may_not_is_refused_with_the_reason() {
    let missing = || ForgeError::Refused { what: "ask".into(), status: 403, message: "Resource not accessible".into() };
    for (verb, answer, expected) in [
        (Verb::Delete, Ok(Permission::Triage), "Denied: ann has triage on acme/web, and this needs write (trust.approvers)."),
        (Verb::Status, Ok(Permission::None), "Denied: ann has no access on acme/web, and this needs read."),
        (Verb::Delete, Err(missing()), "Denied: Nobody can tell whether ann may"),
        (Verb::Delete, Err(ForgeError::Unsupported("permission")), "Denied: Nobody can tell whether ann may"),
        (Verb::Delete, Err(ForgeError::NotFound("acme/web".into())), "Denied: Nobody can tell whether ann may"),
    ] {
        let done = one(verb, &[], true, vec![answer]).await;
        assert!(done.contains(expected) && !done.contains("apply") && done.contains("react 1001 Refused"), "{verb:?}: {done}");
        assert!(!done.contains("react 1001 Seen"), "a sign for whoever may not comes last: {done}");
    }
}

#[tokio::test]
async fn a_crowd_of_strangers_is_refused_and_gets_few_signs_and_words() {
    let crowd = (0..30).map(|n| Command {
        id: format!("{}.1", 2000 + n),
        comment: Some(2000 + n),
        actor: format!("eve-{n}"),
        ..given(Verb::Delete, &[])
    });
    let (world, context) = world((0..30).map(|_| Ok(Permission::Read)).collect());
    for stranger in crowd {
        pass(&environment(&stranger, true), &context, now()).await.unwrap();
    }
    let done = world.done();
    let counted = |what: &str| done.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!((counted("results"), counted("react"), counted("prune")), (30, 5, 30), "{done:?}");
    assert_eq!(done.iter().filter(|line| line.ends_with("(unsaid)")).count(), 25, "and words as they get signs: {done:?}");
    pass(&environment(&given(Verb::Pin, &[]), true), &context, now()).await.unwrap();
    let signs: Vec<String> = world.done().into_iter().filter(|line| line.starts_with("react")).collect();
    assert_eq!(signs, ["react 1001 Seen", "react 1001 Done"], "whoever may is answered as ever");
    let text = context.metrics.text().unwrap();
    for line in [
        r#"preview_commands_total{baseline="shop/main",verb="delete",result="denied"} 30"#,
        r#"preview_commands_total{baseline="shop/main",verb="pin",result="done"} 1"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn somebody_who_may_not_is_asked_about_once_a_minute_and_a_comment_of_several_commands_once() {
    let (world, context) = world(vec![Ok(Permission::Read), Ok(Permission::Write)]);
    let say = |comment: i64, place: i64, second: i64| {
        let stranger = Command { id: format!("{comment}.{place}"), comment: Some(comment), ..given(Verb::Pin, &[]) };
        let (context, at) = (&context, now() + TimeDelta::seconds(second));
        async move { pass(&environment(&stranger, true), context, at).await.unwrap() }
    };
    for (comment, second) in [(2001, 0), (2002, 1), (2003, 59)] {
        say(comment, 1, second).await;
        let done = world.done().join("\n");
        assert!(done.contains("Denied: ann has read on acme/web, and this needs write (trust.approvers)."), "{done}");
    }
    assert_eq!(world.people.lock().unwrap().len(), 1, "one question for three comments");
    say(2004, 1, 60).await;
    assert!(world.done().join("\n").contains("Done: it lives"), "a minute later it is asked again");
    world.people.lock().unwrap().push_back(Ok(Permission::Read));
    say(2004, 2, 61).await;
    assert!(world.done().join("\n").contains("Done: it lives"), "a yes holds for the comment that it was asked for");
    say(2005, 1, 62).await;
    assert!(world.done().join("\n").contains("Denied: ann"), "and for no other");
}

#[tokio::test]
async fn another_repository_under_the_same_name_gives_nobody_rights() {
    let (_, mut context) = world(vec![Ok(Permission::Admin)]);
    let other = Arc::new(World { repository: 8, ..World::default() });
    context.forge = Some(other.clone());
    context.cluster = other.clone();
    pass(&environment(&given(Verb::Delete, &[]), true), &context, now()).await.unwrap();
    let done = other.done().join("\n");
    assert!(done.contains("acme/web is another repository") && !done.contains("apply"), "{done}");
    assert!(!done.contains("react"), "a sign would stand in the other repository: {done}");
}

#[tokio::test]
async fn a_forge_that_is_away_is_asked_again_for_ten_minutes() {
    let away = || Err(ForgeError::Unavailable { what: "ask".into(), why: "502".into() });
    let (world, context) = world(vec![away(), away(), away()]);
    let object = environment(&given(Verb::Delete, &[]), true);
    for minute in [0, 9] {
        pass(&object, &context, now() + TimeDelta::minutes(minute)).await.unwrap();
        let done = world.done();
        assert!(done.iter().all(|what| what == "react 1001 Seen") && done.len() <= 1, "{done:?}");
    }
    pass(&object, &context, now() + TimeDelta::minutes(10)).await.unwrap();
    let done = world.done().join("\n");
    assert!(done.contains("Denied: Nobody can tell whether ann may: cannot ask: 502."), "{done}");

    let (world, context) = super::tests::world(vec![away()]);
    pass(&object, &context, now()).await.unwrap();
    pass(&object, &context, now() + TimeDelta::minutes(1)).await.unwrap();
    assert!(world.done().join("\n").contains("results 1, Done"), "it goes on once the forge is back");
}
