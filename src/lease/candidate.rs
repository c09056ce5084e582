//! The Lease as one replica knows it, and what the replica does next. No client, no clock, no logging.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use tokio::time::{Duration, Instant};

use super::{Place, Timing};

/// What comes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Ask for the Lease.
    Look,
    /// Write [`Candidate::proposal`].
    Write,
    /// Nothing before that moment, unless something is heard of the Lease.
    Wait(Instant),
}

/// What did not succeed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failed {
    /// To look.
    Look,
    /// To write. Whether it was written nobody knows.
    Write,
}

/// One replica.
#[derive(Debug)]
pub(super) struct Candidate {
    place: Place,
    timing: Timing,
    view: View,
    /// Whether the Lease may be another one than it was seen, by what we did.
    doubts: bool,
    /// When something was heard of the Lease last.
    heard: Instant,
    /// Until when the API server is left alone after a failure.
    rests_until: Option<Instant>,
    /// When the request was sent by which we lead.
    led_from: Option<Instant>,
    /// When the Lease that we wrote over last had been renewed, by the clock of whoever did so.
    renewed_before: Option<Timestamp>,
}

#[derive(Debug)]
enum View {
    /// There is none, and nobody who had one may still write from that moment on.
    Absent { free_at: Instant },
    /// It has been like this since.
    There { lease: Box<Lease>, since: Instant },
}

impl Candidate {
    /// Nothing was seen yet.
    pub(super) fn new(place: Place, timing: Timing, now: Instant) -> Self {
        let view = View::Absent { free_at: now };
        Self { place, timing, view, doubts: true, heard: now, rests_until: None, led_from: None, renewed_before: None }
    }

    /// Until when somebody led before the last write, as far as the Lease said. For looks at what happened since, and not for
    /// who may write: it is by another clock.
    pub(super) const fn renewed_before(&self) -> Option<Timestamp> {
        self.renewed_before
    }

    /// An annotation of the Lease that is there, where whoever wrote it is not known to be us: we have not led since we began.
    pub(super) fn left(&self, annotation: &str) -> Option<&str> {
        match &self.view {
            View::There { lease, .. } if self.led_from.is_none() => Some(lease.metadata.annotations.as_ref()?.get(annotation)?),
            _ => None,
        }
    }

    /// How long ago the Lease that is there was renewed, by the clock of whoever did so.
    pub(super) fn silent_for(&self, now: Timestamp) -> Duration {
        let View::There { lease, .. } = &self.view else { return Duration::ZERO };
        let renewed = lease.spec.as_ref().and_then(|spec| Some(spec.renew_time.as_ref()?.0));
        let seconds = renewed.map_or(0, |at| now.as_second().saturating_sub(at.as_second()));
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// What comes next.
    pub(super) fn next(&self, now: Instant) -> Step {
        if let Some(until) = self.rests_until.filter(|until| now < *until) {
            return Step::Wait(until);
        }
        if self.doubts {
            return Step::Look;
        }
        match &self.view {
            View::Absent { free_at } => at(*free_at, now, Step::Write),
            View::There { lease, since } => match holder(lease) {
                None => Step::Write,
                Some(holder) if holder == self.place.identity => self.renew(now),
                Some(_) => {
                    let (expires, silent) = (*since + self.lasts(lease), self.heard + self.timing.silence);
                    match at(expires, now, Step::Write) {
                        Step::Wait(_) if now >= silent => Step::Look,
                        Step::Wait(_) => Step::Wait(expires.min(silent)),
                        write => write,
                    }
                }
            },
        }
    }

    /// Whether we may write.
    pub(super) fn leads(&self, now: Instant) -> bool {
        self.led_from.is_some_and(|sent| now < sent + self.timing.writes)
    }

    /// Who holds the Lease as it was seen last, where that is somebody else.
    pub(super) fn other(&self) -> Option<&str> {
        match &self.view {
            View::There { lease, .. } => holder(lease).filter(|holder| *holder != self.place.identity),
            View::Absent { .. } => None,
        }
    }

    /// The Lease as it was seen.
    pub(super) fn looked(&mut self, found: Option<Lease>, now: Instant) {
        self.doubts = false;
        self.heard = now;
        let Some(lease) = found else { return self.missed(now) };
        if holder(&lease) != Some(&self.place.identity) {
            self.led_from = None;
        }
        let is_known = matches!(&self.view, View::There { lease: known, .. } if version(known) == version(&lease));
        if !is_known {
            self.view = View::There { lease: Box::new(lease), since: now };
        }
    }

    /// There is none. Perhaps somebody deleted it under whoever leads, which that one may not know yet.
    fn missed(&mut self, now: Instant) {
        self.led_from = None;
        let free_at = match &self.view {
            View::There { lease, since } if self.other().is_some() => *since + self.lasts(lease),
            View::There { .. } => now,
            View::Absent { free_at } => *free_at,
        };
        self.view = View::Absent { free_at };
    }

    /// The Lease was written, with a request that was sent at that moment.
    pub(super) fn wrote(&mut self, lease: Lease, sent: Instant, now: Instant) {
        self.doubts = false;
        self.heard = now;
        self.rests_until = None;
        self.led_from = (holder(&lease) == Some(&self.place.identity)).then_some(sent);
        self.renewed_before = match &self.view {
            View::There { lease, .. } => lease.spec.as_ref().and_then(|spec| Some(spec.renew_time.as_ref()?.0)),
            View::Absent { .. } => None,
        };
        self.view = View::There { lease: Box::new(lease), since: now };
    }

    /// A request that was sent at that moment did not succeed.
    pub(super) fn failed(&mut self, what: Failed, sent: Instant) {
        self.rests_until = Some(sent + self.timing.retry);
        self.doubts |= what == Failed::Write;
    }

    /// The Lease with us as its holder, to be written over the one that was seen or, where there was none, anew. `now` is the
    /// time for people who look at it.
    pub(super) fn proposal(&self, now: Timestamp) -> Lease {
        let mut lease = match &self.view {
            View::There { lease, .. } => lease.as_ref().clone(),
            View::Absent { .. } => Lease::default(),
        };
        let is_ours = holder(&lease) == Some(&self.place.identity);
        lease.metadata.name = Some(self.place.name.clone());
        let spec = lease.spec.get_or_insert_default();
        if !is_ours {
            spec.acquire_time = Some(MicroTime(now));
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |count| count.saturating_add(1)));
        }
        spec.holder_identity = Some(self.place.identity.clone());
        spec.lease_duration_seconds = i32::try_from(self.timing.lasts.as_secs()).ok();
        spec.renew_time = Some(MicroTime(now));
        lease
    }

    /// The Lease without a holder, to be written over the one that was seen; nothing, where that is not ours.
    pub(super) fn release(&self, now: Timestamp) -> Option<Lease> {
        let View::There { lease, .. } = &self.view else { return None };
        let ours = holder(lease) == Some(&self.place.identity);
        let mut lease = ours.then(|| lease.as_ref().clone())?;
        let spec = lease.spec.get_or_insert_default();
        // As client-go does it, whose candidates understand it too.
        spec.holder_identity = Some(String::new());
        spec.renew_time = Some(MicroTime(now));
        Some(lease)
    }

    /// Leaves the Lease to others for as long as one lasts, and looks before anything else then.
    pub(super) fn stand_back(&mut self, now: Instant) {
        self.led_from = None;
        self.doubts = true;
        self.rests_until = Some(now + self.timing.lasts);
    }

    /// Where we are the holder: from now on, or again. Where our time has run out, such as while this machine stood still, what
    /// we know is as old.
    fn renew(&self, now: Instant) -> Step {
        match self.led_from {
            Some(sent) if self.leads(now) => at(sent + self.timing.renew, now, Step::Write),
            Some(sent) if self.heard < sent + self.timing.writes => Step::Look,
            _ => Step::Write,
        }
    }

    /// How long a holder counts as one that may write. Never less than we promise ourselves.
    fn lasts(&self, lease: &Lease) -> Duration {
        let said = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
        self.timing.lasts.max(Duration::from_secs(said.unwrap_or_default()))
    }
}

fn at(moment: Instant, now: Instant, step: Step) -> Step {
    if now < moment { Step::Wait(moment) } else { step }
}

/// Who holds it. It is given back by a holder without a name.
fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// Tells every state of a Lease from all others, and from those of another one of its name.
fn version(lease: &Lease) -> (Option<&str>, Option<&str>) {
    (lease.metadata.uid.as_deref(), lease.metadata.resource_version.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Timing = Timing::DEFAULT;

    fn candidate(identity: &str, now: Instant) -> Candidate {
        let place = Place { namespace: "preview-env".into(), name: "preview-env".into(), identity: identity.into() };
        Candidate::new(place, T, now)
    }

    fn lease(holder: &str, version: &str) -> Lease {
        let mut lease = Lease::default();
        lease.metadata.resource_version = Some(version.to_owned());
        let spec = lease.spec.get_or_insert_default();
        (spec.holder_identity, spec.lease_duration_seconds) = (Some(holder.to_owned()), Some(10));
        lease
    }

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn whoever_takes_the_lease_knows_until_when_somebody_led() {
        let (start, last) = (Instant::now(), Timestamp::from_second(1_800_000_000).unwrap());
        for holder in ["", "b"] {
            let mut found = lease(holder, "1");
            found.spec.get_or_insert_default().renew_time = Some(MicroTime(last));
            let mut a = candidate("a", start);
            a.looked(Some(found), start);
            a.wrote(a.proposal(Timestamp::now()), start, start);
            assert_eq!(a.renewed_before(), Some(last), "{holder:?}");
        }
        let mut first = candidate("a", start);
        first.looked(None, start);
        first.wrote(first.proposal(Timestamp::now()), start, start);
        assert_eq!(first.renewed_before(), None);
    }

    #[test]
    fn what_nobody_holds_is_taken_at_once_and_renewed_in_time() {
        let start = Instant::now();
        for found in [None, Some(lease("", "1")), Some(lease("a", "1"))] {
            let mut a = candidate("a", start);
            assert_eq!(a.next(start), Step::Look);
            a.looked(found.clone(), start);
            assert_eq!(a.next(start), Step::Write, "{found:?}");
            a.wrote(lease("a", "2"), start, start + seconds(1));
            assert!(a.leads(start + seconds(6)) && !a.leads(start + seconds(7)), "from when it was sent");
            assert_eq!(a.next(start + seconds(1)), Step::Wait(start + seconds(3)));
            assert_eq!(a.next(start + seconds(3)), Step::Write);
            assert_eq!(a.next(start + seconds(20)), Step::Look, "after it stood still");
            a.looked(Some(lease("a", "2")), start + seconds(20));
            assert_eq!(a.next(start + seconds(20)), Step::Write);
        }
    }

    #[test]
    fn what_somebody_holds_is_taken_once_it_stayed_the_same_for_long_enough() {
        let start = Instant::now();
        let mut b = candidate("b", start);
        b.looked(Some(lease("a", "1")), start);
        assert_eq!((b.next(start), b.other()), (Step::Wait(start + seconds(4)), Some("a")));
        b.looked(Some(lease("a", "2")), start + seconds(3));
        assert_eq!(b.next(start + seconds(7)), Step::Look, "nothing was heard for too long");
        b.looked(Some(lease("a", "2")), start + seconds(7));
        assert_eq!(b.next(start + seconds(12)), Step::Look);
        assert_eq!(b.next(start + seconds(13)), Step::Write, "10 s after it changed, not after it was looked at");
        // Where its holder says that it lasts longer, it does.
        let mut long = lease("a", "3");
        long.spec.get_or_insert_default().lease_duration_seconds = Some(60);
        b.looked(Some(long), start + seconds(13));
        b.heard = start + seconds(72);
        assert_eq!(b.next(start + seconds(72)), Step::Wait(start + seconds(73)));
    }

    #[test]
    fn a_lease_that_somebody_deletes_is_not_free_before_its_holder_has_stopped() {
        let start = Instant::now();
        let mut b = candidate("b", start);
        b.looked(Some(lease("a", "1")), start);
        b.looked(None, start + seconds(2));
        assert_eq!(b.next(start + seconds(2)), Step::Wait(start + seconds(10)));
        b.looked(None, start + seconds(5));
        assert_eq!((b.next(start + seconds(10)), b.other()), (Step::Write, None));
        // Whoever held it stops at once.
        let mut a = candidate("a", start);
        a.wrote(lease("a", "1"), start, start);
        a.looked(None, start + seconds(2));
        assert!(!a.leads(start + seconds(2)));
    }

    #[test]
    fn after_a_failure_it_is_looked_before_it_is_written_and_not_at_once() {
        let start = Instant::now();
        let mut a = candidate("a", start);
        a.wrote(lease("a", "1"), start, start);
        a.failed(Failed::Write, start + seconds(3));
        assert!(a.leads(start + seconds(3)));
        assert_eq!(a.next(start + seconds(3)), Step::Wait(start + seconds(4)));
        assert_eq!(a.next(start + seconds(5)), Step::Look, "a request that took longer than the pause");
        a.failed(Failed::Look, start + seconds(5));
        assert_eq!(a.next(start + seconds(6)), Step::Look);
        // The lost answer was a success.
        a.looked(Some(lease("a", "2")), start + seconds(6));
        assert_eq!((a.next(start + seconds(6)), a.leads(start + seconds(6))), (Step::Write, true));
        // Somebody else was faster.
        a.looked(Some(lease("b", "3")), start + seconds(6));
        assert_eq!((a.leads(start + seconds(6)), a.other()), (false, Some("b")));
    }

    #[test]
    fn whoever_stands_back_leaves_the_lease_to_others_for_as_long_as_one_lasts() {
        let start = Instant::now();
        let mut a = candidate("a", start);
        a.wrote(lease("a", "1"), start, start);
        let given_back = a.release(Timestamp::now()).unwrap();
        a.wrote(given_back, start + seconds(1), start + seconds(1));
        a.stand_back(start + seconds(1));
        assert!(!a.leads(start + seconds(1)));
        assert_eq!(a.next(start + seconds(1)), Step::Wait(start + seconds(11)));
        assert_eq!(a.next(start + seconds(11)), Step::Look);
        let mut free = a;
        free.looked(Some(lease("", "2")), start + seconds(11));
        assert_eq!(free.next(start + seconds(11)), Step::Write, "nobody else wanted it");
        // The Lease could not be given back, and somebody has taken it since.
        let mut b = candidate("b", start);
        b.wrote(lease("b", "1"), start, start);
        b.stand_back(start + seconds(1));
        assert_eq!((b.next(start + seconds(3)), b.leads(start + seconds(3))), (Step::Wait(start + seconds(11)), false));
        b.looked(Some(lease("a", "2")), start + seconds(11));
        assert_eq!(b.other(), Some("a"));
    }

    #[test]
    fn who_holds_it_and_since_when_can_be_read() {
        let (start, time) = (Instant::now(), "2026-01-02T03:04:05Z".parse::<Timestamp>().unwrap());
        let mut b = candidate("b", start);
        let spec = b.proposal(time).spec.unwrap();
        assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions, spec.lease_duration_seconds), (Some("b"), Some(0), Some(10)));
        b.looked(Some(lease("a", "1")), start);
        assert_eq!(b.release(time), None, "what is not ours is not given back");
        let mut taken = b.proposal(time);
        assert_eq!((taken.spec.as_ref().unwrap().lease_transitions, taken.metadata.resource_version.as_deref()), (Some(0), Some("1")));
        taken.spec.get_or_insert_default().lease_transitions = Some(4);
        b.wrote(taken, start, start);
        let later = "2026-01-02T03:04:08Z".parse::<Timestamp>().unwrap();
        let spec = b.proposal(later).spec.unwrap();
        assert_eq!((spec.acquire_time, spec.renew_time, spec.lease_transitions), (Some(MicroTime(time)), Some(MicroTime(later)), Some(4)));
        assert_eq!(b.release(later).unwrap().spec.unwrap().holder_identity.as_deref(), Some(""));
    }
}
