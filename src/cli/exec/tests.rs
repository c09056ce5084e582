//! Which pod it is, what it is wired to, and what goes over the wire, against a server that plays the container.

use std::io::Write;
use std::sync::{Arc, Mutex};

use clap::Parser;
use futures::{SinkExt, StreamExt};
use kube::api::AttachParams;
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::choose::NoPod;
use super::*;
use crate::api::PreviewEnvironment;

fn args(line: &str) -> ExecArgs {
    let cli = crate::cli::Cli::try_parse_from(line.split(' ')).unwrap();
    let crate::cli::Command::Exec(args) = cli.command else { panic!("not exec") };
    args
}

#[test]
fn the_command_stands_behind_two_dashes() {
    let all = args("preview exec web-pr-42 web -it -c app -- psql -U shop -c x");
    assert_eq!(
        (all.which.name.as_deref(), all.positional.as_deref(), all.container.as_deref()),
        (Some("web-pr-42"), Some("web"), Some("app"))
    );
    assert_eq!((all.stdin, all.tty, all.command.join(" ")), (true, true, "psql -U shop -c x".to_owned()));
    let by_pull = args("preview exec --pull 42 --service db -- env");
    assert_eq!((by_pull.which.pull, by_pull.service.as_deref(), by_pull.command.len()), (Some(42), Some("db"), 1));
    for line in ["preview exec", "preview exec web-pr-42 web ls", "preview exec web-pr-42 web --service db", "preview exec --pull 42 db"] {
        assert!(crate::cli::Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
    }
}

#[test]
fn a_shell_is_typed_at_and_a_command_is_not_unless_somebody_says_so() {
    for (line, is_terminal, stdin, tty) in [
        ("preview exec e web", true, true, true),
        ("preview exec e web", false, true, false),
        ("preview exec e web -- env", true, false, false),
        ("preview exec e web -i -- cat", true, true, false),
        ("preview exec e web -it -- top", true, true, true),
        ("preview exec e web -it -- top", false, true, false),
    ] {
        let wiring = Wiring::of(&args(line), is_terminal);
        assert_eq!(wiring, Wiring { stdin, tty }, "{line}");
        let params = wiring.params("c");
        assert!(params.stdout && params.stderr != tty, "the API server takes no errors of their own with a terminal");
    }
}

fn environment(services: &[(&str, &str)]) -> PreviewEnvironment {
    let mut object = PreviewEnvironment::new("web-pr-42", serde_json::from_value(json!({"baseline": "shop"})).unwrap());
    let services: Vec<Value> =
        services.iter().map(|(name, from)| json!({"kind": "Deployment", "name": name, "from": from, "ready": true})).collect();
    object.status = serde_json::from_value(json!({"namespace": "n", "services": services})).unwrap();
    object
}

#[test]
fn without_a_service_it_is_the_one_that_is_surely_meant() {
    let of = |services: &[(&str, &str)], named: Option<&str>| choose::service(&environment(services), named);
    assert_eq!(of(&[("db", "Baseline")], None).unwrap(), "db");
    assert_eq!(of(&[("db", "Baseline"), ("web", "Branch")], None).unwrap(), "web");
    assert_eq!(of(&[("db", "Baseline"), ("web", "Branch")], Some("db")).unwrap(), "db");
    let several = of(&[("api", "Branch"), ("web", "Branch")], None).unwrap_err().to_string();
    insta::assert_snapshot!(several, @r"
    error: web-pr-42 has several services, and nothing says which one is meant
      it has api, web
      name one: preview exec web-pr-42 SERVICE
    ");
}

/// A pod of the Deployment web: its age in minutes, whether it is ready, and its containers with how they are.
fn pod(name: &str, age: u32, ready: bool, containers: &[(&str, Value)]) -> Pod {
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6f7", "uid": "u", "controller": true});
    let status = |(name, state): &(&str, Value)| json!({"name": name, "image": "", "imageID": "", "ready": ready, "restartCount": 0, "state": state});
    let conditions = json!([{"type": "Ready", "status": if ready { "True" } else { "False" }}]);
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"pod-template-hash": "6f7"}, "ownerReferences": [owner],
            "creationTimestamp": format!("2026-01-01T00:{:02}:00Z", 59 - age)},
        "spec": {"containers": containers.iter().map(|(name, _)| json!({"name": name})).collect::<Vec<_>>()},
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": containers.iter().map(status).collect::<Vec<_>>()},
    }))
    .unwrap()
}

fn runs() -> Value {
    json!({"running": {}})
}

fn crashes() -> Value {
    json!({"waiting": {"reason": "CrashLoopBackOff"}})
}

fn choose(pods: &[Pod], container: Option<&str>) -> Result<Chosen, NoPod> {
    choose::pod(pods, &[("Deployment".to_owned(), "web".to_owned())], container)
}

#[test]
fn the_newest_pod_that_is_ready_serves_and_else_one_that_runs() {
    let chosen = |pods: &[Pod]| choose(pods, None).map(|chosen| chosen.pod);
    let (old, new) = (pod("old", 9, true, &[("web", runs())]), pod("new", 1, true, &[("web", runs())]));
    assert_eq!(chosen(&[old.clone(), new]).unwrap(), "new");
    let starting = pod("new", 1, false, &[("web", runs())]);
    assert_eq!(chosen(&[starting.clone(), old.clone()]).unwrap(), "old");
    let crashing = pod("new", 1, false, &[("web", crashes())]);
    assert_eq!(chosen(&[crashing.clone(), old.clone()]).unwrap(), "old");
    let mut going = old;
    going.metadata.deletion_timestamp = going.metadata.creation_timestamp.clone();
    assert_eq!(chosen(&[going.clone(), starting]).unwrap(), "new");
    assert_eq!(chosen(&[going, crashing]).unwrap(), "old", "what goes still runs");
    assert_eq!(chosen(&[]), Err(NoPod::None));
}

#[test]
fn the_container_is_the_one_that_the_pod_names_unless_somebody_does() {
    let containers = [("proxy", runs()), ("app", runs())];
    let plain = pod("p", 1, true, &containers);
    let chosen = choose(std::slice::from_ref(&plain), None).unwrap();
    assert_eq!((chosen.container.as_str(), chosen.others().as_deref()), ("proxy", Some("app")));
    let mut marked = plain.clone();
    marked.metadata.annotations = Some([("kubectl.kubernetes.io/default-container".to_owned(), "app".to_owned())].into());
    assert_eq!(choose(&[marked], None).unwrap().container, "app");
    let named = choose(std::slice::from_ref(&plain), Some("app")).unwrap();
    assert_eq!((named.container.as_str(), named.others()), ("app", None));
    let shown = [
        choose(&[plain], Some("ap")).unwrap_err(),
        choose(&[pod("p", 1, false, &[("web", crashes())])], None).unwrap_err(),
        choose(&[pod("p", 1, false, &[("web", json!({"terminated": {"exitCode": 3}}))])], None).unwrap_err(),
        NoPod::None,
    ];
    insta::assert_snapshot!(shown.map(|none| none.failure("web-pr-42", "web").to_string()).join("\n"), @r"
    error: p has no container ap
      it has proxy, app
    error: web of p does not run: CrashLoopBackOff
      what it logged before: preview logs web-pr-42 web --previous
      how it is: preview describe web-pr-42
    error: web of p does not run: it ended with 3
      what it logged before: preview logs web-pr-42 web --previous
      how it is: preview describe web-pr-42
    error: no pod of web is there in web-pr-42
      how it is: preview describe web-pr-42
    ");
}

/// Where a test reads what was written.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

type Socket = WebSocketStream<TcpStream>;

/// A message on a channel of the protocol (`remotecommand` of k8s.io/apimachinery): 0 input, 1 output, 2 errors, 3 how it ended.
fn on(channel: u8, bytes: &[u8]) -> Message {
    Message::binary([&[channel], bytes].concat())
}

/// Starts a command whose container is played by that function, and gives the process with the path that was asked for.
async fn played<F: Future<Output = ()> + Send>(
    params: AttachParams,
    container: impl FnOnce(Socket) -> F + Send + 'static,
) -> (AttachedProcess, String) {
    // The first provider that is installed stays.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (path, asked) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "what tungstenite asks for")]
        let answer = |request: &Request, mut response: Response| {
            response.headers_mut().insert("sec-websocket-protocol", "v5.channel.k8s.io".parse().unwrap());
            path.send(request.uri().to_string()).unwrap();
            Ok(response)
        };
        container(tokio_tungstenite::accept_hdr_async(stream, answer).await.unwrap()).await;
    });
    let client = Client::try_from(Config::new(format!("http://{address}").parse().unwrap())).unwrap();
    let process = Api::<Pod>::namespaced(client, "n").exec("web-1", ["cat", "-n"], &params).await.unwrap();
    (process, asked.await.unwrap())
}

#[tokio::test]
async fn what_is_typed_arrives_and_what_is_answered_is_shown_with_the_exit_code() {
    let wiring = Wiring { stdin: true, tty: false };
    let (process, path) = played(wiring.params("web"), |mut socket: Socket| async move {
        let mut typed = Vec::new();
        while let Some(Ok(Message::Binary(message))) = socket.next().await {
            match (message[0], &message[1..]) {
                (0, bytes) => typed.extend_from_slice(bytes),
                // Nothing more comes.
                (255, [0]) => break,
                _ => {}
            }
        }
        socket.send(on(1, &typed)).await.unwrap();
        socket.send(on(2, b"and no more\n")).await.unwrap();
        let status =
            json!({"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}});
        socket.send(on(3, status.to_string().as_bytes())).await.unwrap();
    })
    .await;
    assert_eq!(path, "/api/v1/namespaces/n/pods/web-1/exec?&stdin=true&stdout=true&stderr=true&container=web&command=cat&command=-n");
    let (output, errors, (sender, input)) = (Page::default(), Page::default(), mpsc::channel(2));
    sender.send(b"one\n".to_vec()).await.unwrap();
    sender.send(b"two\n".to_vec()).await.unwrap();
    drop(sender);
    let ended = Session::of(Some(input), Box::new(output.clone()), Box::new(errors.clone())).follow(process).await.unwrap();
    assert_eq!((ended, output.text().as_str(), errors.text().as_str()), (Ended::Ran(7), "one\ntwo\n", "and no more\n"));
}

#[tokio::test]
async fn a_connection_that_breaks_ends_the_command_and_says_so() {
    let wiring = Wiring { stdin: false, tty: false };
    let (process, _) = played(wiring.params("web"), |mut socket: Socket| async move {
        socket.send(on(1, b"half")).await.unwrap();
        drop(socket);
    })
    .await;
    let output = Page::default();
    let ended = Session::of(None, Box::new(output.clone()), Box::new(std::io::sink())).follow(process).await.unwrap();
    assert!(matches!(ended, Ended::Lost(_)), "{ended:?}");
    assert_eq!(output.text(), "half");
}

#[tokio::test]
async fn whoever_reads_no_more_ends_it_without_a_failure() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (process, _) = played(Wiring { stdin: false, tty: false }.params("web"), |mut socket: Socket| async move {
        while socket.send(on(1, b"y\n")).await.is_ok() {}
    })
    .await;
    let ended = Session::of(None, Box::new(Closed), Box::new(std::io::sink())).follow(process).await.unwrap();
    assert_eq!(ended, Ended::Ran(0));
}
