//! Against Debian's docker-registry, and against servers that answer as no registry should.

use std::process::Command;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use test_registry::{Image, PASSWORD, Registry as Real, Seen, Strange, USER, tool};

use super::manifest::ACCEPT;
use super::*;

const REVISION: &str = "3f9c2ab03f9c2ab03f9c2ab03f9c2ab03f9c2ab0";

fn config(host: &str) -> RegistryConfig {
    let private = vec!["127.0.0.0/8".parse().unwrap()];
    RegistryConfig { plain_http: vec![host.to_owned()], private, timeout: Duration::from_secs(2), ..RegistryConfig::default() }
}

fn query(host: &str, tag: &str, revisions: bool) -> Query {
    Query::of(&format!("{host}/acme/web").parse().unwrap(), tag, revisions)
}

async fn ask(host: &str, tag: &str, revisions: bool, logins: &[Credentials]) -> Answer {
    Registry::new(config(host)).look_up(&query(host, tag, revisions), logins).await
}

fn found(answer: Answer) -> Found {
    match answer {
        Answer::Found(found) => found,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_image_is_found_by_its_digest_or_is_absent() {
    let Some(registry) = Real::start().await.unwrap() else { return };
    let host = registry.host();
    assert_eq!(ask(host, "pr-42", false, &[]).await, Answer::Absent);
    let digest = registry.push("acme/web", "pr-42", &Image::new("one").revision(REVISION)).await.unwrap();
    assert_eq!(found(ask(host, "pr-42", false, &[]).await), Found { digest: digest.clone(), ..Found::default() });
    let closely = found(ask(host, "pr-42", true, &[]).await);
    assert_eq!((closely.digest, closely.revisions), (digest, vec![REVISION.to_owned()]));
    assert_eq!(ask(host, "other", false, &[]).await, Answer::Absent);
}

#[tokio::test]
async fn an_index_tells_its_platforms() {
    let Some(registry) = Real::start().await.unwrap() else { return };
    let image = Image::new("two").revision(REVISION).platforms(&["linux/amd64", "linux/arm64"]);
    let digest = registry.push("acme/web", "1", &image).await.unwrap();
    let answer = found(ask(registry.host(), "1", true, &[]).await);
    let platforms = vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()];
    assert_eq!(answer, Found { digest, platforms, revisions: vec![REVISION.to_owned()] });
}

#[tokio::test]
async fn a_guarded_registry_wants_a_login() {
    let Some(registry) = Real::start_guarded().await.unwrap() else { return };
    let digest = registry.push("acme/web", "1", &Image::new("three")).await.unwrap();
    let login = |user: &str, password: &str| {
        let config = serde_json::json!({"auths": {registry.host(): {"username": user, "password": password}}});
        Credentials::read(config.to_string().as_bytes()).unwrap()
    };
    let (wrong, right) = (login(USER, "wrong"), login(USER, PASSWORD));
    for logins in [vec![], vec![wrong.clone()]] {
        let answer = ask(registry.host(), "1", false, &logins).await;
        assert!(matches!(&answer, Answer::Unknown(Unknown::Refused(why)) if why.contains("401")), "{answer:?}");
    }
    assert_eq!(found(ask(registry.host(), "1", false, &[wrong, right]).await).digest, digest);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), registry.docker_config().to_string()).unwrap();
    let own = RegistryConfig { credentials_file: Some(file.path().to_owned()), ..config(registry.host()) };
    assert_eq!(found(Registry::new(own).look_up(&query(registry.host(), "1", false), &[]).await).digest, digest);
}

#[tokio::test]
async fn images_of_umoci_and_skopeo_are_read() {
    let (Some(umoci), Some(skopeo)) = (tool("umoci"), tool("skopeo")) else { return };
    let Some(registry) = Real::start().await.unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = |program: &std::path::Path, arguments: &[&str]| {
        let done = Command::new(program).args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    run(&umoci, &["init", "--layout", "web"]);
    run(&umoci, &["new", "--image", "web:1"]);
    run(&umoci, &["config", "--image", "web:1", "--config.label", &format!("org.opencontainers.image.revision={REVISION}")]);
    let target = format!("docker://{}/acme/web:1", registry.host());
    run(&skopeo, &["copy", "--insecure-policy", "--dest-tls-verify=false", "oci:web:1", &target]);
    let answer = found(ask(registry.host(), "1", true, &[]).await);
    assert_eq!(answer.revisions, [REVISION]);
}

/// A server with one answer for everything.
async fn strange(answer: impl Fn(&Seen) -> Response<Body> + Clone + Send + Sync + 'static) -> Strange {
    Strange::start(answer).await.unwrap()
}

fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut reply = Response::builder().status(status);
    for (name, value) in headers {
        reply = reply.header(*name, *value);
    }
    reply.body(body.into()).unwrap()
}

async fn unknown_of(server: &Strange) -> Unknown {
    match ask(server.host(), "1", true, &[]).await {
        Answer::Unknown(why) => why,
        other => panic!("{other:?}"),
    }
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[tokio::test]
async fn what_never_ends_is_cut_off() {
    let endless = strange(|_| {
        let chunk = || Ok::<_, std::io::Error>(vec![b' '; 64 * 1024]);
        reply(200, &[("content-type", INDEX)], Body::from_stream(futures::stream::repeat_with(chunk)))
    })
    .await;
    let why = unknown_of(&endless).await;
    assert!(matches!(&why, Unknown::Failed(text) if text.contains("more than 4194304 bytes")), "{why:?}");

    let silent = strange(|_| reply(200, &[], Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>()))).await;
    let before = Instant::now();
    let why = unknown_of(&silent).await;
    assert!(matches!(&why, Unknown::Unreachable(text) if text.contains("did not answer within 2 s")), "{why:?}");
    assert!(before.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn huge_heads_and_other_things_than_manifests_are_refused() {
    let huge = strange(|_| reply(200, &[("x", &"y".repeat(200_000))], "")).await;
    let many = strange(|_| {
        let mut reply = reply(200, &[], "");
        for n in 0..500 {
            reply.headers_mut().append("x-n", n.into());
        }
        reply
    })
    .await;
    let page = strange(|_| reply(200, &[("content-type", "text/html")], "<html>log in</html>")).await;
    let failing = strange(|_| reply(500, &[], "oops")).await;
    for server in [&huge, &many, &page, &failing] {
        let why = unknown_of(server).await;
        assert!(matches!(why, Unknown::Failed(_)), "{why:?}");
    }
    assert_eq!(failing.seen().len(), 2, "a failure is tried once more");
}

#[tokio::test]
async fn another_manifest_than_the_named_one_is_not_believed() {
    let named = digest_of(b"another");
    let liar = strange(move |_| {
        reply(200, &[("content-type", INDEX), ("docker-content-digest", &named)], r#"{"schemaVersion": 2, "manifests": []}"#)
    })
    .await;
    let why = unknown_of(&liar).await;
    assert!(matches!(&why, Unknown::Failed(text) if text.contains("another manifest")), "{why:?}");
    let odd = strange(|_| {
        reply(200, &[("content-type", INDEX), ("docker-content-digest", "sha256:../../x")], r#"{"schemaVersion": 2, "manifests": []}"#)
    })
    .await;
    let digest = found(ask(odd.host(), "1", false, &[]).await).digest;
    assert_eq!(digest, digest_of(br#"{"schemaVersion": 2, "manifests": []}"#), "a digest that is none is worked out");
}

#[tokio::test]
async fn no_redirect_is_followed_for_a_manifest() {
    let other = strange(|_| reply(200, &[], "secrets")).await;
    let target = format!("http://{}/latest/meta-data/", other.host());
    let leading = strange(move |_| reply(307, &[("location", &target)], "")).await;
    assert!(matches!(unknown_of(&leading).await, Unknown::Failed(_)));
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn private_addresses_are_not_connected_to() {
    let inside = strange(|_| reply(200, &[], "secrets")).await;
    let port = inside.host().rsplit(':').next().unwrap();
    for host in [inside.host().to_owned(), format!("localhost:{port}")] {
        let closed = RegistryConfig { private: vec![], ..config(&host) };
        let answer = Registry::new(closed).look_up(&query(&host, "1", false), &[]).await;
        assert!(matches!(&answer, Answer::Unknown(Unknown::NotAllowed(why)) if why.contains("not a public address")), "{host}: {answer:?}");
    }
    assert!(inside.seen().is_empty());
}

#[tokio::test]
async fn a_registry_that_cannot_be_reached_is_remembered() {
    let gone = strange(|_| reply(200, &[], "")).await.host().to_owned();
    let registry = Registry::new(config(&gone));
    let first = registry.look_up(&query(&gone, "1", false), &[]).await;
    assert!(matches!(first, Answer::Unknown(Unknown::Unreachable(_))), "{first:?}");
    assert!(registry.recall(&gone).is_some() && registry.recall("other").is_none());
}

/// A registry that has its tokens given out by `realm`, and gives an image to whoever has one.
async fn with_tokens(realm: String) -> Strange {
    strange(move |seen| match (seen.path.starts_with("/token"), seen.authorization.as_deref()) {
        (true, Some("Basic dTpw")) => reply(200, &[], r#"{"token": "good"}"#),
        (true, _) => reply(401, &[], ""),
        (false, Some("Bearer good")) => {
            reply(200, &[("content-type", ACCEPT.split(',').nth(2).unwrap().trim()), ("docker-content-digest", &digest_of(b""))], "")
        }
        (false, _) => reply(401, &[("www-authenticate", &format!("Bearer realm=\"{realm}\",service=\"a b\""))], ""),
    })
    .await
}

fn login(host: &str) -> Vec<Credentials> {
    let config = serde_json::json!({"auths": {host: {"username": "u", "password": "p"}}});
    vec![Credentials::read(config.to_string().as_bytes()).unwrap()]
}

#[tokio::test]
async fn a_token_is_got_where_the_registry_says() {
    let tokens = with_tokens(String::new()).await;
    let registry = with_tokens(format!("http://{}/token?x=1", tokens.host())).await;
    let realm = format!("{}={}", registry.host(), tokens.host()).parse().unwrap();
    let config = RegistryConfig { realms: vec![realm], ..config(registry.host()) };
    let answer = Registry::new(config).look_up(&query(registry.host(), "1", false), &login(registry.host())).await;
    assert_eq!(found(answer).digest, digest_of(b""));
    assert_eq!(tokens.seen()[0].path, "/token?x=1&service=a%20b&scope=repository%3Aacme%2Fweb%3Apull");
}

#[tokio::test]
async fn a_login_is_told_to_nobody_else() {
    let thief = with_tokens(String::new()).await;
    let registry = with_tokens(format!("http://{}/token", thief.host())).await;
    let answer = ask(registry.host(), "1", false, &login(registry.host())).await;
    let flag = format!("--registry-realm {}={}", registry.host(), thief.host());
    assert!(matches!(&answer, Answer::Unknown(Unknown::NotAllowed(why)) if why.contains(&flag)), "{answer:?}");
    assert!(thief.seen().is_empty(), "{:?}", thief.seen());
    let other = ask(registry.host(), "1", false, &login("other.example.com")).await;
    assert!(matches!(other, Answer::Unknown(_)));
    assert!(registry.seen().iter().all(|seen| seen.authorization.is_none()));
}
