//! What the App says of a repository that it may not see any more, and what says nothing of it.

use super::{HTML, INSTALLATION, MISSING, TOKEN, World, web};
use crate::forge::{Access, Forge, ForgeError};

const OUT_OF_REACH: &str =
    r#"{"message": "There is at least one repository that does not exist or is not accessible to the parent installation."}"#;
const LIST: &str = "GET /app/installations";

fn named(access: &Result<Access, ForgeError>) -> &str {
    match access {
        Ok(Access::Granted(Some(facts))) => facts.name.as_str(),
        Ok(Access::Granted(None)) => "granted",
        Ok(Access::Revoked) => "revoked",
        Err(error) => error.label(),
    }
}

#[tokio::test]
async fn only_a_forge_that_knows_the_app_and_twice_no_installation_says_revoked() {
    let lost = &[None][..];
    for (installations, forced, expected) in [
        (&[Some(5)][..], None, "acme/site"),
        (lost, None, "revoked"),
        (&[None, Some(5)], None, "acme/site"),
        (lost, Some(("GET /app", 401, r#"{"message": "Integration not found"}"#)), "refused"),
        (lost, Some(("GET /app", 404, MISSING)), "not_found"),
        (lost, Some(("GET /", 404, r#"{"message": "Integration not found"}"#)), "not_found"),
        (lost, Some(("GET /app", 200, HTML)), "unreadable"),
        (lost, Some(("GET /app", 200, "[]")), "unreadable"),
        (lost, Some(("GET /app", 500, HTML)), "unavailable"),
        (lost, Some(("GET /", 404, MISSING)), "not_found"),
        (lost, Some((LIST, 404, MISSING)), "not_found"),
        (&[Some(5)], Some((LIST, 200, "[]")), "unreadable"),
        (lost, Some((LIST, 200, r#"[{"id": 5, "suspended_at": "2026-01-02T03:04:05Z"}]"#)), "granted"),
        (lost, Some((INSTALLATION, 404, HTML)), "unavailable"),
        (lost, Some((INSTALLATION, 404, r#"{"message": "no Route matched with those values"}"#)), "refused"),
        (lost, Some((INSTALLATION, 500, HTML)), "unavailable"),
        (lost, Some((INSTALLATION, 200, HTML)), "unreadable"),
        (lost, Some((INSTALLATION, 200, "[]")), "unreadable"),
        (lost, Some((INSTALLATION, 429, "{}")), "rate_limited"),
        (lost, Some((INSTALLATION, 200, r#"{"id": 6}"#)), "granted"),
    ] {
        let world = World::new().await;
        world.model().installations = installations.to_vec();
        // What begins with these words begins with those of a list too.
        world.model().forced.extend(forced.filter(|(start, ..)| *start != "GET /app"));
        world.model().exact = forced.filter(|(start, ..)| *start == "GET /app");
        assert_eq!(named(&world.github.access(7, &web()).await), expected, "{forced:?}");
    }
}

#[tokio::test]
async fn an_installation_that_does_not_reach_the_number_says_so_in_githubs_words() {
    const ONE: (&str, u16, &str) = (LIST, 200, r#"[{"id": 5}]"#);
    for (status, body, expected) in [
        (422, OUT_OF_REACH, "revoked"),
        (422, r#"{"message": "The permissions requested are not granted to this installation."}"#, "refused"),
        (422, HTML, "unavailable"),
        (404, MISSING, "not_found"),
        (403, r#"{"message": "This installation has been suspended"}"#, "rate_limited"),
        (201, r#"{"repositories": [{"id": 8, "full_name": "acme/web", "private": true}]}"#, "unreadable"),
        (201, "{}", "unreadable"),
    ] {
        let world = World::new().await;
        world.model().installations = vec![None];
        world.model().forced = vec![ONE, (TOKEN, status, body)];
        assert_eq!(named(&world.github.access(7, &web()).await), expected, "{status} {body}");
    }
}

#[tokio::test]
async fn an_installation_of_another_owner_keeps_and_ends_nothing_of_ours() {
    const SUSPENDED: &str = r#""suspended_at": "2026-01-02T03:04:05Z""#;
    let (lost, here) = (None, Some(5));
    let reaches = (201, r#"{"repositories": [{"id": 7, "full_name": "acme/site", "private": true}]}"#);
    let forbidden = (422, r#"{"message": "This installation has been suspended"}"#);
    for (listed, installed, token, expected) in [
        (r#"{"id": 5, "account": {"login": "Acme"}, @}"#, lost, reaches, "granted"),
        (r#"{"id": 5, "account": {"login": "globex"}, @}"#, lost, reaches, "revoked"),
        (r#"{"id": 5, "account": {"slug": "acme"}, @}"#, lost, reaches, "revoked"),
        (r#"{"id": 5, "account": null, @}"#, lost, reaches, "granted"),
        (r#"{"id": 6, "account": {"login": "globex"}, @}, {"id": 5, "account": {"login": "acme"}}"#, lost, reaches, "acme/site"),
        (r#"{"id": 5, "account": {"login": "acme"}}"#, lost, forbidden, "refused"),
        (r#"{"id": 5, "account": {"login": "globex"}}"#, lost, forbidden, "revoked"),
        (r#"{"id": 5, "account": {"login": "globex"}}"#, lost, (404, MISSING), "revoked"),
        (r#"{"id": 5, "account": {"login": "globex"}}"#, lost, (404, HTML), "unavailable"),
        (r#"{"id": 5, "account": {"login": "globex"}}"#, lost, (500, HTML), "unavailable"),
        (r#"{"id": 6, "account": {"login": "globex"}}, {"id": 5}"#, here, reaches, "acme/site"),
        (r#"{"id": 6}, {"id": 5}"#, here, reaches, "acme/site"),
    ] {
        let world = World::new().await;
        world.model().installations = vec![installed];
        // The server's words live as long as the test.
        let answer: &'static str = format!("[{listed}]").replace('@', SUSPENDED).leak();
        world.model().forced = vec![(LIST, 200, answer), (TOKEN, token.0, token.1)];
        assert_eq!(named(&world.github.access(7, &web()).await), expected, "{answer} {token:?}");
    }
}
