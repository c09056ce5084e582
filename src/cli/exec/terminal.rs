//! The terminal of this process: given to a command as it is, key by key, and put back however that ends.

use std::io::{Read, stdin, stdout};
use std::thread;

use kube::api::TerminalSize;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use terminal_size::{Height, Width, terminal_size_of};
use tokio::sync::mpsc;

use crate::cli::errors::Failure;

/// What is read at one time.
const CHUNK: usize = 8 * 1024;
/// Chunks on their way; a slow command slows the reading.
const ON_THEIR_WAY: usize = 16;

/// A terminal that passes every key on and echoes none. Dropping it makes it what it was, also where something panics.
#[derive(Debug)]
pub struct RawTerminal {
    before: Termios,
}

impl RawTerminal {
    /// Makes the terminal of standard input raw.
    pub fn enter() -> Result<Self, Failure> {
        let failed = |why: rustix::io::Errno| {
            Failure::failed(format!("cannot use this terminal: {why}")).next("go on without one: preview exec ... -- COMMAND, without -t")
        };
        let before = tcgetattr(stdin()).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw).map_err(failed)?;
        Ok(Self { before })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // Where it is gone, there is nothing to put back.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}

/// How large the terminal is, if standard output is one.
pub fn size() -> Option<TerminalSize> {
    terminal_size_of(stdout()).map(|(Width(width), Height(height))| TerminalSize { width, height })
}

/// Standard input, as it comes. A thread of its own reads it, which nobody waits for: a read from a terminal ends with the
/// next key only.
pub fn input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(ON_THEIR_WAY);
    thread::spawn(move || {
        let mut chunk = vec![0; CHUNK];
        loop {
            match stdin().lock().read(&mut chunk) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(length) if length > 0 && sender.blocking_send(chunk[..length].to_vec()).is_ok() => {}
                _ => return,
            }
        }
    });
    receiver
}
