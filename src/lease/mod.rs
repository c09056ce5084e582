//! One of all replicas leads: whoever holds a Lease (`coordination.k8s.io/v1`). All of them take deliveries; the one that
//! leads makes environments what they should be and tells the forge.
//!
//! ```text
//! candidate (pure): what one replica knows of the Lease, and what it does next
//! election  (IO):   does it, and says who leads
//! fence:            until when the one that leads may write
//! connection:       a client whose every write is checked at the fence
//! ```
//!
//! Two rules make that there is never more than one that writes, whatever becomes of processes, machines and networks:
//!
//! - **Nobody's clock is compared with another's.** Whoever does not lead waits until the Lease has stayed the same for
//!   [`Timing::lasts`], by its own clock that only goes forward, and takes it by a write that fails where the Lease is another
//!   than the one that was seen.
//! - **Who leads stops before.** It may write for [`Timing::writes`] from the moment when its last successful renewal was
//!   *sent*, which is less. Afterwards no byte goes out on its connections, since that is checked where bytes are handed to the
//!   system: what stood still in between, with the process or the machine, is not sent later.

mod candidate;
mod connection;
mod election;
mod fence;
#[cfg(test)]
mod simulation;

use std::time::Duration;

pub use connection::{Fenced, behind, client};
pub use election::{Election, Role};
pub use fence::{Ended, Fence, Moment, Pass};

/// How long what lasts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timing {
    /// How long the Lease has to stay the same before another one takes it.
    pub lasts: Duration,
    /// How long who leads may write, from the moment that its last successful renewal was sent. The rest of `lasts` is for
    /// requests that are under way then: they are cut off, and the API server may still be busy with one.
    pub writes: Duration,
    /// How often who leads renews.
    pub renew: Duration,
    /// The least time between two attempts that fail.
    pub retry: Duration,
    /// Longest time for one request about the Lease, so that one that hangs leaves time for another.
    pub answer: Duration,
    /// How long nothing may be heard of the Lease before it is asked for. Longer than `renew`, so it happens where the watch
    /// does not say what it should, and where nobody renews any more.
    pub silence: Duration,
}

impl Timing {
    /// A leader that dies is replaced within 10 s and what it takes to list everything; a renewal that fails is tried three
    /// times more.
    pub const DEFAULT: Self = Self {
        lasts: Duration::from_secs(10),
        writes: Duration::from_secs(7),
        renew: Duration::from_secs(3),
        retry: Duration::from_secs(1),
        answer: Duration::from_secs(2),
        silence: Duration::from_secs(4),
    };
}

/// Which Lease, and who asks for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who we are: another one for each process that may run at the same time. Whoever has the same as a process that has
    /// ended goes on in its place at once.
    pub identity: String,
}
