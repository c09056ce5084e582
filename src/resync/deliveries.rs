//! What the forge could not deliver, asked for again. Its record is read part by part and asked about in portions, so that
//! however much failed, all of it gets its turn: in each round one part of what is new, one part of what is left from before,
//! and at most [`PORTION`] deliveries. With 5,000 entries to a part, a day of 100,000 deliveries is read in 20 rounds.

use std::collections::{BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use crate::forge::{Class, Cursor, Deliveries, ForgeError};

/// Deliveries that are asked for again in one round. Asking is a write, and one a second at most: longer rounds would keep
/// others waiting.
const PORTION: usize = 60;
/// How far before the newest entry the next round begins: what is on its way has no entry yet, and gets one dated back.
const OVERLAP: TimeDelta = TimeDelta::minutes(2);

/// What is known of the record, from round to round.
pub(super) struct Missed {
    /// Up to here it was looked at, by the forge's own clock.
    since: DateTime<Utc>,
    /// Where parts that were too long go on, and back to when each.
    unread: VecDeque<(Cursor, DateTime<Utc>)>,
    /// What failed and is not asked for again yet. Smaller numbers are older.
    failed: BTreeSet<i64>,
    /// What was asked for and may be read once more as failed: a delivery that fails again has another number.
    asked: BTreeSet<i64>,
}

impl Missed {
    /// Nothing was looked at since.
    pub(super) const fn new(since: DateTime<Utc>) -> Self {
        Self { since, unread: VecDeque::new(), failed: BTreeSet::new(), asked: BTreeSet::new() }
    }

    /// Reads on, and asks for some of what failed. What could not be done is the next round's.
    pub(super) async fn round(&mut self, deliveries: &dyn Deliveries) -> Result<(), ForgeError> {
        let read = self.read(deliveries).await;
        let asked = self.ask(deliveries).await;
        read.and(asked)
    }

    async fn read(&mut self, deliveries: &dyn Deliveries) -> Result<(), ForgeError> {
        let left = self.unread.front().cloned();
        let new = deliveries.failed_since(self.since, None).await?;
        let fresh = BTreeSet::from_iter(new.deliveries);
        self.asked.retain(|id| fresh.contains(id));
        self.failed.extend(fresh.difference(&self.asked));
        self.unread.extend(new.rest.map(|rest| (rest, self.since)));
        self.since = new.newest.map_or(self.since, |newest| self.since.max(newest - OVERLAP));
        let Some((cursor, since)) = left else { return Ok(()) };
        let old = deliveries.failed_since(since, Some(&cursor)).await?;
        self.failed.extend(old.deliveries);
        self.unread.pop_front();
        if let Some(rest) = old.rest {
            self.unread.push_front((rest, since));
        }
        Ok(())
    }

    async fn ask(&mut self, deliveries: &dyn Deliveries) -> Result<(), ForgeError> {
        let mut asked = 0;
        while let Some(id) = self.failed.first().copied().filter(|_| asked < PORTION) {
            match deliveries.redeliver(id).await {
                Err(error) if error.class() == Class::Transient => return Err(error),
                Err(error) => tracing::warn!(id, %error, "the forge does not send a delivery again"),
                Ok(()) => {}
            }
            self.failed.remove(&id);
            self.asked.insert(id);
            asked += 1;
        }
        if asked > 0 {
            tracing::info!(count = asked, left = self.failed.len(), "the forge sends again what it could not deliver");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::FutureExt;

    use super::*;
    use crate::forge::{Answer, FailedDeliveries};

    /// Entries to a part.
    const PART: usize = 500;

    /// A record of failed deliveries, numbered by their second, newest last.
    #[derive(Default)]
    struct Record {
        failed: Vec<i64>,
        asked: Mutex<Vec<i64>>,
        /// What it does not send again, and how it says so.
        refuses: Option<(i64, ForgeError)>,
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    impl Deliveries for Record {
        fn failed_since<'a>(&'a self, since: DateTime<Utc>, from: Option<&'a Cursor>) -> Answer<'a, FailedDeliveries> {
            let before = from.map_or(i64::MAX, |Cursor(id)| id.parse().unwrap());
            let mut found = self.failed.iter().rev().copied().filter(|id| *id < before && at(*id) >= since);
            let mut part: Vec<i64> = found.by_ref().take(PART).collect();
            let rest = found.next().and(part.last()).map(|last| Cursor(last.to_string()));
            let newest = part.first().map(|id| at(*id));
            part.reverse();
            futures::future::ready(Ok(FailedDeliveries { deliveries: part, newest, rest })).boxed()
        }

        fn redeliver(&self, delivery: i64) -> Answer<'_, ()> {
            let refused = self.refuses.as_ref().filter(|(id, _)| *id == delivery).map(|(_, error)| error.clone());
            if refused.is_none() {
                self.asked.lock().unwrap().push(delivery);
            }
            futures::future::ready(refused.map_or(Ok(()), Err)).boxed()
        }
    }

    impl Record {
        fn asked(&self) -> BTreeSet<i64> {
            self.asked.lock().unwrap().iter().copied().collect()
        }
    }

    #[tokio::test]
    async fn however_much_failed_all_of_it_is_asked_for_again() {
        let record = Record { failed: (1..=2_300).collect(), ..Record::default() };
        let mut missed = Missed::new(at(0));
        for _ in 0..2_300_usize.div_ceil(PORTION) {
            missed.round(&record).await.unwrap();
        }
        assert_eq!(record.asked(), (1..=2_300).collect());
        assert!(missed.unread.is_empty() && missed.failed.is_empty());
    }

    #[tokio::test]
    async fn what_fails_while_much_is_left_is_read_too() {
        let mut record = Record { failed: (1..=1_200).collect(), ..Record::default() };
        let mut missed = Missed::new(at(0));
        for round in 0..40 {
            missed.round(&record).await.unwrap();
            record.failed.push(1_300 + round);
        }
        let expected: BTreeSet<i64> = (1..=1_200).chain(1_300..1_339).collect();
        assert!(expected.is_subset(&record.asked()), "{:?}", expected.difference(&record.asked()));
    }

    #[tokio::test]
    async fn one_that_is_not_sent_again_holds_up_no_other_and_a_limit_is_waited_for() {
        let gone = ForgeError::NotFound("delivery 2".into());
        let limited = ForgeError::RateLimited { what: "ask again for delivery 2".into(), seconds: 60 };
        for (error, asked, left) in [(gone, vec![1, 3], vec![]), (limited.clone(), vec![1], vec![2, 3])] {
            let is_limited = error == limited;
            let record = Record { failed: vec![1, 2, 3], refuses: Some((2, error)), ..Record::default() };
            let mut missed = Missed::new(at(0));
            assert_eq!(missed.round(&record).await.is_err(), is_limited);
            assert_eq!((record.asked(), missed.failed), (asked.into_iter().collect(), left.into_iter().collect()));
        }
    }

    #[tokio::test]
    async fn what_was_on_its_way_is_found_by_the_next_round() {
        let mut record = Record { failed: vec![1_000], ..Record::default() };
        let mut missed = Missed::new(at(0));
        missed.round(&record).await.unwrap();
        record.failed.insert(0, 995);
        missed.round(&record).await.unwrap();
        assert!(record.asked().contains(&995), "it began before the newest entry, and failed after it");
    }
}
