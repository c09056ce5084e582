//! HTTP as a client library would not send it.

use std::time::{Duration, Instant};

use github_double::{Double, Failure, Fault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{TOKEN, double};

/// Sends a request with these header lines, and returns the answer as text.
async fn exchange(double: &Double, line: &str, headers: &[String]) -> anyhow::Result<String> {
    let address = double.base_url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await?;
    let headers: String = headers.iter().map(|header| header.clone() + "\r\n").collect();
    let request = format!("{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let lines = answer.lines().take_while(|line| !line.is_empty());
    let mut pairs = lines.filter_map(|line| line.split_once(": "));
    pairs.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn agent() -> String {
    "user-agent: a-test".to_owned()
}

fn token() -> String {
    format!("authorization: Bearer {TOKEN}")
}

#[tokio::test]
async fn a_request_without_a_user_agent_is_forbidden() -> anyhow::Result<()> {
    let double = double()?;
    let answer = exchange(&double, "GET /user", &[token()]).await?;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn without_a_token_public_things_are_read_sixty_times() -> anyhow::Result<()> {
    let double = double()?;
    let answer = exchange(&double, "GET /repos/acme/web/pulls/1", &[agent()]).await?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(header(&answer, "x-ratelimit-limit"), Some("60"));
    assert!(exchange(&double, "GET /user", &[agent()]).await?.starts_with("HTTP/1.1 401"));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn what_is_known_already_is_not_modified_and_free() -> anyhow::Result<()> {
    let double = double()?;
    let first = exchange(&double, "GET /repos/acme/web/pulls/1", &[agent(), token()]).await?;
    let etag = format!("if-none-match: {}", header(&first, "etag").unwrap_or_default());
    let again = exchange(&double, "GET /repos/acme/web/pulls/1", &[agent(), token(), etag.clone()]).await?;
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
    assert_eq!(header(&again, "x-ratelimit-remaining"), header(&first, "x-ratelimit-remaining"));
    double.act(github_double::on("acme/web", 1, "dev").push())?;
    let changed = exchange(&double, "GET /repos/acme/web/pulls/1", &[agent(), token(), etag]).await?;
    assert!(changed.starts_with("HTTP/1.1 200"), "{changed}");
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_delayed_answer_is_late_and_right() -> anyhow::Result<()> {
    let double = double()?;
    double.inject(Fault::next(Failure::delay(Duration::from_millis(50))));
    let began = Instant::now();
    let answer = exchange(&double, "GET /user", &[agent(), token()]).await?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(began.elapsed() >= Duration::from_millis(50));
    Ok(())
}

#[tokio::test]
async fn a_scheme_that_nobody_knows_is_bad_credentials() -> anyhow::Result<()> {
    let double = double()?;
    let basic = "authorization: Basic abc".to_owned();
    let answer = exchange(&double, "GET /user", &[agent(), basic]).await?;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("Bad credentials"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn the_double_ends_when_it_is_dropped() -> anyhow::Result<()> {
    let double = double()?;
    let address = double.base_url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await?;
    drop(double);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await?;
    assert!(ended.is_err() || rest.is_empty(), "the connection ends with it");
    Ok(())
}
