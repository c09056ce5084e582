//! Until when the one that leads may write. One fence is for one term: what is shut stays shut.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// A moment by two clocks. The one that only goes forward stands still while a machine is suspended, and the other one can be
/// set; whichever says that more time has passed is believed.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    /// This one.
    pub fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// The same by the clock that only goes forward.
    pub const fn steady(&self) -> Instant {
        self.steady
    }

    /// The most time that can have passed since.
    fn passed(&self) -> Duration {
        // An error is a clock that was set back, of which the other one says nothing.
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

/// Says whether we may write. Clones share it.
#[derive(Clone, Debug)]
pub struct Fence(Arc<watch::Sender<State>>);

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Moment,
    lasts: Duration,
    /// Writes that wait for their answer.
    under_way: usize,
    /// Whether this replica itself brought the term to its end.
    finished: bool,
    /// Whether this replica wants another one to lead.
    resigned: bool,
    /// Until when somebody led before.
    led_before: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Open,
    /// What is under way goes on, and nothing begins.
    Ending,
    Shut,
}

/// The term has ended, and nothing is written in it any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("another replica may lead by now, so this one writes nothing")]
pub struct Ended;

/// One write under way, until it is dropped.
#[derive(Debug)]
pub struct Pass(Fence);

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.0.send_if_modified(|state| {
            state.under_way -= 1;
            state.under_way == 0
        });
    }
}

impl Fence {
    /// Open for so long since a moment.
    pub fn new(since: Moment, lasts: Duration) -> Self {
        let (under_way, finished, resigned) = (0, false, false);
        Self(Arc::new(watch::Sender::new(State { phase: Phase::Open, since, lasts, under_way, finished, resigned, led_before: None })))
    }

    /// The same of a term that follows one that somebody led until then.
    pub fn following(self, led_before: Option<DateTime<Utc>>) -> Self {
        self.0.send_modify(|state| state.led_before = led_before);
        self
    }

    /// Until when somebody led before this term, by the clock of whoever did; none where nobody knows. What happened since may
    /// have been missed.
    pub fn led_before(&self) -> Option<DateTime<Utc>> {
        self.0.borrow().led_before
    }

    /// When the term began or was extended last.
    pub fn since(&self) -> Moment {
        self.0.borrow().since
    }

    /// Open for so long since a later moment. Not where it was shut, or should have been.
    pub fn extend(&self, since: Moment) -> bool {
        let is_open = self.is_open();
        self.0.send_if_modified(|state| {
            if is_open && state.phase != Phase::Shut {
                state.since = since;
            }
            is_open
        });
        is_open
    }

    /// Whether bytes may go out.
    pub fn is_open(&self) -> bool {
        let is_open = {
            let state = self.0.borrow();
            state.phase != Phase::Shut && state.since.passed() < state.lasts
        };
        if !is_open {
            self.shut();
        }
        is_open
    }

    /// Ends the term at once.
    pub fn shut(&self) {
        self.0.send_if_modified(|state| std::mem::replace(&mut state.phase, Phase::Shut) != Phase::Shut);
    }

    /// Begins a write. While the term is being brought to its end this waits until it is.
    pub async fn enter(&self) -> Result<Pass, Ended> {
        let mut entered = false;
        if self.is_open() {
            self.0.send_if_modified(|state| {
                entered = state.phase == Phase::Open;
                state.under_way += usize::from(entered);
                false
            });
        }
        if entered {
            return Ok(Pass(self.clone()));
        }
        self.over().await;
        Err(Ended)
    }

    /// Lets no write begin any more, waits for those under way, and ends the term; at the latest after so long.
    pub async fn finish(&self, limit: Duration) {
        self.0.send_if_modified(|state| {
            state.finished = true;
            let was_open = state.phase == Phase::Open;
            if was_open {
                state.phase = Phase::Ending;
            }
            was_open
        });
        let mut states = self.0.subscribe();
        // The sender is here, so it is not gone.
        let ended = timeout(limit, states.wait_for(|state| state.under_way == 0 || state.phase == Phase::Shut)).await.is_ok();
        if !ended {
            tracing::warn!("a write was still under way at the end, and was cut off");
        }
        self.shut();
    }

    /// Whether this replica brought the term to its end, and wants no other.
    pub fn is_finished(&self) -> bool {
        self.0.borrow().finished
    }

    /// Ends the term as [`Self::finish`] does, so that another replica leads: this one gives the Lease back, and stands back for
    /// as long as a Lease lasts.
    pub async fn resign(&self, limit: Duration) {
        self.finish(limit).await;
        self.0.send_modify(|state| state.resigned = true);
    }

    /// Whether this replica wants another one to lead, and has nothing under way any more.
    pub fn has_resigned(&self) -> bool {
        self.0.borrow().resigned
    }

    /// Waits until the term has ended.
    pub async fn over(&self) {
        let mut states = self.0.subscribe();
        while self.is_open() {
            let left = {
                let state = states.borrow_and_update();
                state.lasts.saturating_sub(state.since.passed())
            };
            tokio::select! {
                _ = states.changed() => {}
                () = sleep(left) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const LASTS: Duration = Duration::from_secs(7);

    #[tokio::test(start_paused = true)]
    async fn it_shuts_by_itself_and_stays_shut() {
        let fence = Fence::new(Moment::now(), LASTS);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(fence.extend(Moment::now()));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(fence.is_open() && fence.over().now_or_never().is_none());
        let began = Instant::now();
        fence.over().await;
        assert_eq!((began.elapsed() + Duration::from_millis(500)).as_secs(), 1);
        assert!(!fence.extend(Moment::now()) && !fence.is_open());
        assert_eq!(fence.enter().await.map(drop), Err(Ended));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_jumps_forward_shuts_it_and_one_that_jumps_back_does_not_keep_it_open() {
        let now = Moment::now();
        let suspended = Moment { wall: now.wall - LASTS, ..now };
        assert!(!Fence::new(suspended, LASTS).is_open());
        let fence = Fence::new(Moment { wall: now.wall + Duration::from_secs(3600), ..now }, LASTS);
        assert!(fence.is_open());
        tokio::time::advance(LASTS).await;
        assert!(!fence.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_term_ends_after_its_last_write_and_no_other_begins() {
        let fence = Fence::new(Moment::now(), LASTS);
        let (first, second) = (fence.enter().await.unwrap(), fence.enter().await.unwrap());
        let mut finish = Box::pin(fence.finish(Duration::from_secs(5)));
        assert!(finish.as_mut().now_or_never().is_none());
        let mut late = Box::pin(fence.enter());
        assert!(late.as_mut().now_or_never().is_none(), "nobody is told to try again");
        assert!(fence.is_open(), "what is under way may go on");
        drop((first, second));
        finish.await;
        assert!(!fence.is_open() && fence.is_finished());
        assert_eq!(late.await.map(drop), Err(Ended));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_resigns_has_nothing_under_way() {
        let fence = Fence::new(Moment::now(), LASTS);
        let pass = fence.enter().await.unwrap();
        let mut resign = Box::pin(fence.resign(Duration::from_secs(5)));
        assert!(resign.as_mut().now_or_never().is_none() && !fence.has_resigned());
        drop(pass);
        resign.await;
        assert!(fence.has_resigned() && !fence.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_does_not_end_does_not_hold_up_the_end() {
        let fence = Fence::new(Moment::now(), LASTS);
        let _stuck = fence.enter().await.unwrap();
        let began = Instant::now();
        fence.finish(Duration::from_secs(5)).await;
        assert!(began.elapsed() >= Duration::from_secs(5) && !fence.is_open());
    }
}
