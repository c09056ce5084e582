//! Programs that end with this process.
//!
//! However this process ends (return, panic, Ctrl-C, `kill -9`), the system ends them too: each is started through
//! `setpriv --pdeathsig`, which asks Linux for a signal when the *thread* that started it is gone (`man 2 prctl`,
//! `PR_SET_PDEATHSIG`). Test threads end early, so one thread that never ends starts them all.

use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// What a tied program gets when its owner is gone.
#[derive(Debug, Clone, Copy)]
pub enum Farewell {
    /// Time to tidy up.
    Interrupt,
    /// No time.
    Kill,
}

/// A command that ends with this process, if [`spawn`] starts it.
pub fn command(program: &Path, farewell: Farewell) -> Command {
    let signal = match farewell {
        Farewell::Interrupt => "INT",
        Farewell::Kill => "KILL",
    };
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

type Order = (Command, Sender<io::Result<Child>>);

/// Starts a command from the thread that lives as long as this process.
pub fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in orders {
                // Whoever asked may be gone: then the child is dropped, still tied to this process.
                let _ = answer.send(command.spawn());
            }
        });
        sender
    });
    let gone = || io::Error::other("the thread that starts programs is gone");
    let (answer, child) = channel();
    spawner.send((command, answer)).map_err(|_| gone())?;
    match child.recv().map_err(|_| gone())? {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(io::Error::new(error.kind(), "setpriv is missing: install util-linux"))
        }
        other => other,
    }
}
