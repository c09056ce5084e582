//! Deliveries that are not what they should be, and what each is answered.

use std::io::ErrorKind;

use github_double::{Action, Delivery, Hook, Open, Permission};
use kube::api::ListParams;
use test_world::{DEVELOPER, SECRET, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::shop::{Shop, story};

/// One byte more than the service takes.
const TOO_LARGE: usize = preview_env::config::DEFAULT_BODY_LIMIT + 1;

async fn expect(world: &World, delivery: &Delivery, status: u16, says: &str) {
    let sent = world.github.send(delivery).await;
    assert_eq!(sent.status(), Some(status), "{}", sent.answer());
    assert!(sent.answer().contains(says), "{says:?} is not in {}", sent.answer());
}

#[test]
fn what_is_not_signed_with_our_secret_is_not_read() {
    story(|world| async move {
        let shop = Shop::open(world, "unsigned").await?;
        let (pull, opened) = shop.unheard_of("login")?;
        for (delivery, says) in [
            (opened.clone().unsigned(), "X-Hub-Signature-256 is missing"),
            (opened.clone().signed_with("another secret"), "different secrets"),
            (opened.clone().with_header("X-Hub-Signature-256", "sha256=abc"), "64 hexadecimal digits"),
            (opened.clone().with_body("this is not even JSON"), "different secrets"),
        ] {
            expect(world, &delivery, 401, says).await;
        }
        assert_eq!(shop.environments().list(&ListParams::default()).await?.items.len(), 0);
        expect(world, &opened, 202, "accepted").await;
        pull.wait_until_ready().await?;
        Ok(())
    });
}

#[test]
fn what_is_not_the_event_that_it_says_gets_the_field_that_is_wrong() {
    story(|world| async move {
        let shop = Shop::open(world, "malformed").await?;
        let (_, opened) = shop.unheard_of("login")?;
        let with = |change: fn(&mut serde_json::Value)| {
            let mut payload = opened.json();
            change(&mut payload);
            opened.clone().with_body(payload.to_string()).signed_with(SECRET)
        };
        let text = |body: &'static str| opened.clone().with_body(body).signed_with(SECRET);
        for (delivery, field) in [
            (text("hello"), "it is not JSON"),
            (text(r#"["opened"]"#), "it is not a JSON object"),
            (text("{}"), "action"),
            (text(r#"{"action": "opened"}"#), "pull_request"),
            (with(|p| p["pull_request"]["head"]["sha"] = "main".into()), "pull_request.head.sha"),
            (with(|p| p["pull_request"]["updated_at"] = "yesterday".into()), "pull_request.updated_at"),
            (with(|p| p["pull_request"]["number"] = (-1).into()), "pull_request.number"),
            (opened.clone().without_header("X-GitHub-Event"), "X-GitHub-Event"),
        ] {
            expect(world, &delivery, 400, field).await;
        }
        assert_eq!(shop.environments().list(&ListParams::default()).await?.items.len(), 0);
        Ok(())
    });
}

#[test]
fn a_form_is_refused_with_the_setting_that_mends_it() {
    story(|world| async move {
        world.github.add_repository("acme/form")?;
        world.github.permit("acme/form", DEVELOPER, Permission::Write)?;
        let url = world.service.lock().await.url("/webhooks/github");
        world.github.add_webhook(Hook::to(&url).secret(SECRET).form().only("acme/form"))?;
        let done = world.github.perform(Open::new("acme/form", "login", DEVELOPER)).await?;
        let is_form = |d: &&Delivery| d.header("Content-Type") == Some("application/x-www-form-urlencoded");
        let form = done.deliveries.iter().find(is_form).expect("one of the two webhooks sends forms");
        assert_eq!(form.status(), Some(415));
        assert!(form.answer().contains("set the webhook's content type to application/json"), "{}", form.answer());
        Ok(())
    });
}

#[test]
fn what_no_environment_depends_on_is_ignored_and_says_why() {
    story(|world| async move {
        let shop = Shop::open(world, "ignored").await?;
        let (_, opened) = shop.unheard_of("login")?;
        expect(world, &opened.clone().with_header("X-GitHub-Event", "star"), 202, "ignored: no environment depends on the event star")
            .await;
        let mut assigned = opened.json();
        assigned["action"] = "assigned".into();
        let assigned = opened.clone().with_body(assigned.to_string()).signed_with(SECRET);
        expect(world, &assigned, 202, "the action assigned").await;

        world.github.add_repository("acme/unlisted")?;
        world.github.permit("acme/unlisted", DEVELOPER, Permission::Write)?;
        let done = world.github.act(Open::new("acme/unlisted", "login", DEVELOPER))?;
        expect(world, done.delivery(), 202, "no Baseline lists the repository acme/unlisted").await;
        assert_eq!(shop.environments().list(&ListParams::default()).await?.items.len(), 0);

        let ping = world.github.act(Action::Ping { hook: opened.hook })?;
        expect(world, ping.delivery(), 200, "pong").await;
        Ok(())
    });
}

#[test]
fn what_is_too_large_is_refused_however_it_comes() {
    story(|world| async move {
        let announced = format!("Content-Length: {TOO_LARGE}\r\n\r\n");
        assert_eq!(post(world, &announced, &[]).await?, "HTTP/1.1 413 Payload Too Large");
        let size = 1024 * 1024;
        let chunk = [format!("{size:x}\r\n").into_bytes(), vec![b' '; size], b"\r\n".to_vec()].concat();
        let chunks: Vec<&[u8]> = vec![&chunk; TOO_LARGE.div_ceil(size)];
        assert_eq!(post(world, "Transfer-Encoding: chunked\r\n\r\n", &chunks).await?, "HTTP/1.1 413 Payload Too Large");
        Ok(())
    });
}

/// Sends a request by hand, and gives the first line of the answer, which may come before all is sent.
async fn post(world: &World, headers: &str, body: &[&[u8]]) -> anyhow::Result<String> {
    let url = world.service.lock().await.url("");
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await?;
    let (mut answer, mut request) = stream.split();
    let send = async {
        request.write_all(format!("POST /webhooks/github HTTP/1.1\r\nHost: preview\r\n{headers}").as_bytes()).await?;
        for part in body {
            request.write_all(part).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    let read = async {
        let mut text = Vec::new();
        while !text.contains(&b'\n') {
            let mut some = [0; 1024];
            match answer.read(&mut some).await? {
                0 => break,
                count => text.extend_from_slice(&some[..count]),
            }
        }
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned())
    };
    let (written, line) = tokio::join!(send, read);
    match written {
        Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => Err(error.into()),
        _ => Ok(line?),
    }
}
