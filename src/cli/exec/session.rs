//! What goes between this process and a command in a container, until one of them ends.

use std::io::{ErrorKind, Write, stderr, stdout};
use std::time::Duration;

use futures::SinkExt;
use kube::api::AttachedProcess;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::ended::Ended;
use super::terminal;
use crate::cli::errors::Failure;
use crate::cli::output::note;

/// How long what was written may take to arrive once the command has ended. It is on its way already.
const DRAIN: Duration = Duration::from_secs(5);
/// How long where the connection broke.
const BROKEN: Duration = Duration::from_millis(200);
/// What is read at one time.
const CHUNK: usize = 8 * 1024;

type Output = Box<dyn Write + Send>;

/// The ends of the streams on this side.
pub struct Session {
    input: Option<mpsc::Receiver<Vec<u8>>>,
    output: Output,
    errors: Output,
    signals: Signals,
}

impl Session {
    /// The standard streams, input where it is wanted.
    pub fn of_this_process(with_input: bool) -> Self {
        Self::with(with_input.then(terminal::input), Box::new(stdout()), Box::new(stderr()))
    }

    /// Nothing is passed on.
    pub fn silent() -> Self {
        Self::with(None, Box::new(std::io::sink()), Box::new(std::io::sink()))
    }

    /// The ends that a test holds.
    #[cfg(test)]
    pub fn of(input: Option<mpsc::Receiver<Vec<u8>>>, output: Output, errors: Output) -> Self {
        Self::with(input, output, errors)
    }

    fn with(input: Option<mpsc::Receiver<Vec<u8>>>, output: Output, errors: Output) -> Self {
        Self { input, output, errors, signals: Signals::listen() }
    }

    /// Passes everything on until the command ends, or nobody reads any more, or this process is told to end.
    ///
    /// # Errors
    /// Where what the command wrote cannot be written.
    pub async fn follow(self, mut process: AttachedProcess) -> Result<Ended, Failure> {
        let Self { input, mut output, mut errors, mut signals } = self;
        let status = process.take_status();
        let (stdin, sizes) = (process.stdin(), process.terminal_size());
        let (out, err) = (process.stdout(), process.stderr());
        let outputs = async { tokio::try_join!(copy(out, &mut output), copy(err, &mut errors)).map(drop) };
        tokio::pin!(outputs);
        let inputs = async { tokio::join!(feed(input, stdin), resize(sizes)) };
        let ended = async {
            match status {
                Some(status) => status.await,
                None => None,
            }
        };
        tokio::pin!(ended);
        let mut is_read = true;
        tokio::pin!(inputs);
        let (mut is_fed, to_end) = (true, signals.told_to_end());
        tokio::pin!(to_end);
        let status = loop {
            tokio::select! {
                status = &mut ended => break status,
                copied = &mut outputs, if is_read => match copied {
                    Ok(()) => is_read = false,
                    // Whoever read has seen enough, as in `preview exec ... | head`.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Ended::Ran(0)),
                    Err(error) => return Err(unwritten(&error)),
                },
                _ = &mut inputs, if is_fed => is_fed = false,
                code = &mut to_end => return Ok(Ended::Told(code)),
            }
        };
        if is_read {
            // Nothing more comes where the connection broke, and nobody says so to whoever reads.
            match timeout(if status.is_some() { DRAIN } else { BROKEN }, outputs).await {
                Ok(Err(error)) if error.kind() != ErrorKind::BrokenPipe => return Err(unwritten(&error)),
                Err(_) if status.is_some() => note("the command has ended, and the end of its output did not come"),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(match status {
            Some(status) => Ended::of(&status),
            None => Ended::Lost(process.join().await.err().map_or_else(|| "it was closed".to_owned(), |why| why.to_string())),
        })
    }
}

fn unwritten(error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot write the output: {error}"))
}

async fn copy(from: Option<impl AsyncRead + Unpin>, to: &mut Output) -> std::io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = from.read(&mut chunk).await?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&chunk[..length])?;
        to.flush()?;
    }
}

/// Passes on what is typed, and that nothing more comes.
async fn feed(input: Option<mpsc::Receiver<Vec<u8>>>, to: Option<impl AsyncWrite + Unpin>) {
    let (Some(mut input), Some(mut to)) = (input, to) else { return };
    while let Some(chunk) = input.recv().await {
        if to.write_all(&chunk).await.is_err() {
            return;
        }
    }
    // A command that has ended meanwhile reads no more.
    let _ = to.shutdown().await;
}

/// Tells how large the terminal is, now and whenever that changes.
async fn resize(sizes: Option<futures::channel::mpsc::Sender<kube::api::TerminalSize>>) {
    let (Some(mut sizes), Ok(mut changes)) = (sizes, signal(SignalKind::window_change())) else { return };
    loop {
        if let Some(size) = terminal::size()
            && sizes.send(size).await.is_err()
        {
            return;
        }
        if changes.recv().await.is_none() {
            return;
        }
    }
}

/// The signals that end this process, heard from the moment that this is made, so that a terminal that is made raw afterwards is put
/// back whenever one comes.
struct Signals([Option<Signal>; 3]);

impl Signals {
    fn listen() -> Self {
        Self([SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok()))
    }

    /// Waits for one, and gives the exit code that a shell shows for it. The command is told of none; it goes on, or ends as its
    /// connection does.
    async fn told_to_end(&mut self) -> u8 {
        let [hang_up, interrupt, terminate] = &mut self.0;
        tokio::select! {
            () = heard(hang_up) => 129,
            () = heard(interrupt) => 130,
            () = heard(terminate) => 143,
        }
    }
}

async fn heard(signal: &mut Option<Signal>) {
    let heard = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if heard.is_none() {
        std::future::pending::<()>().await;
    }
}
