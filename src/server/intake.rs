//! Reads bodies of strangers: so many bytes each and in all, in so much time. Bytes count as they arrive, not as they are
//! announced. What turns out to be signed takes one of the places.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Limits;
use super::answer::Answer;

/// Counts what is in progress.
pub(super) struct Intake {
    deliveries: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    limit: usize,
    time: Duration,
}

/// A body, and its share of what may be in progress, given back when it is dropped.
pub(super) struct Taken {
    pub(super) body: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
}

impl Intake {
    pub(super) fn new(limits: &Limits) -> Self {
        let permits = |wanted: usize| Arc::new(Semaphore::new(wanted.min(Semaphore::MAX_PERMITS)));
        Self { deliveries: permits(limits.deliveries), bytes: permits(limits.bytes_in_progress), limit: limits.body, time: limits.read }
    }

    /// A place among the deliveries in progress, held until it is dropped.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, Answer> {
        Arc::clone(&self.deliveries).try_acquire_owned().map_err(|_| Answer::busy())
    }

    /// The whole body. One that says beforehand that it is too large is refused at once.
    pub(super) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Taken, Answer> {
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > self.limit) {
            return Err(Answer::too_large(self.limit));
        }
        tokio::time::timeout(self.time, self.collect(body)).await.unwrap_or_else(|_| Err(Answer::slow()))
    }

    async fn collect(&self, mut body: Body) -> Result<Taken, Answer> {
        let mut taken = Taken { body: Vec::new(), share: None };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Answer::broken())?;
            if let Ok(bytes) = frame.into_data() {
                self.add(&mut taken, &bytes)?;
            }
        }
        Ok(taken)
    }

    fn add(&self, taken: &mut Taken, bytes: &Bytes) -> Result<(), Answer> {
        if bytes.len() > self.limit - taken.body.len() {
            return Err(Answer::too_large(self.limit));
        }
        let count = u32::try_from(bytes.len()).map_err(|_| Answer::too_large(self.limit))?;
        let share = Arc::clone(&self.bytes).try_acquire_many_owned(count).map_err(|_| Answer::busy())?;
        match taken.share.as_mut() {
            Some(held) => held.merge(share),
            None => taken.share = Some(share),
        }
        taken.body.extend_from_slice(bytes);
        Ok(())
    }
}
