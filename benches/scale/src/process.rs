//! What a process takes of the machine, as the kernel says in /proc (proc(5)).

use std::time::Duration;

use anyhow::{Context, Result};

/// The kernel's clock ticks in a second for user space (`USER_HZ`), the same on every Linux.
const TICKS: u32 = 100;

/// What a process took until now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    /// Resident memory now (`VmRSS`), in MiB.
    pub resident: f64,
    /// The most that it ever was (`VmHWM`), in MiB.
    pub peak: f64,
    /// Time on a core (`utime` and `stime`).
    pub busy: Duration,
}

/// Looks at a process.
pub fn look(process: u32) -> Result<Taken> {
    let read = |name: &str| {
        let path = format!("/proc/{process}/{name}");
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    };
    parse(&read("status")?, &read("stat")?).with_context(|| format!("cannot understand what /proc says of process {process}"))
}

fn parse(status: &str, stat: &str) -> Option<Taken> {
    let kib = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    // The command's name is in brackets and may hold anything; the state is the first field after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u32>().ok();
    let busy = Duration::from_secs(1) * (ticks(11)? + ticks(12)?) / TICKS;
    Some(Taken { resident: kib("VmRSS")? / 1024.0, peak: kib("VmHWM")? / 1024.0, busy })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_are_read_as_the_kernel_writes_them() {
        let status = "Name:\tpreview\nVmPeak:\t  900000 kB\nVmHWM:\t   65536 kB\nVmRSS:\t   32768 kB\n";
        let stat = "42 (a (odd) name) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 4 0 100 1 2";
        let taken = Taken { resident: 32.0, peak: 64.0, busy: Duration::from_secs(2) };
        assert_eq!(parse(status, stat), Some(taken));
        assert_eq!(parse(status, "42 (cut"), None);
    }

    #[test]
    fn this_process_takes_something() {
        let taken = look(std::process::id()).expect("it is there");
        assert!(taken.resident > 0.0 && taken.peak >= taken.resident);
    }
}
