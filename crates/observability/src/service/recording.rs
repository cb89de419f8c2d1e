//! Spans on their way in: who records them, and who waits until they are stored or found.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mainspring_llm::{EventSink, Span};
use tokio::sync::mpsc;

use super::Observability;
use crate::{
    fault::TraceFault,
    pricing::{SpanPrices, price},
    room::{self, Place},
    writer::{GROUP_MAX, Queued},
};

/// Room in the queue for a span.
type InQueue<'a> = (Place, mpsc::Permit<'a, Queued>);

impl Observability {
    /// Spans that come from outside are priced by these, where they say no cost themselves. The first prices told stay.
    pub fn price_by(&self, prices: Arc<dyn SpanPrices>) {
        let _ = self.prices.set(prices);
    }

    /// Waits until everything recorded so far is stored: it survives the death of the process.
    pub async fn flush(&self, within: Duration) -> Result<(), TraceFault> {
        wait(self.counters.recorded.load(Ordering::SeqCst), self.counters.stored.subscribe(), within).await
    }

    /// Waits until everything recorded so far can be found.
    pub async fn drain(&self, within: Duration) -> Result<(), TraceFault> {
        let recorded = self.counters.recorded.load(Ordering::SeqCst);
        let deadline = tokio::time::Instant::now() + within;
        if *self.counters.queryable.borrow() < recorded {
            // What waits for quiet must be on the disk before it is asked for.
            wait(recorded, self.counters.stored.subscribe(), within).await?;
            self.counters.asked.notify_one();
        }
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        wait(recorded, self.counters.queryable.subscribe(), left).await
    }

    /// Records and waits until the spans are stored; for senders who were promised so. Spans that a
    /// sender repeats, because an answer did not reach it, are in the lake once.
    pub async fn record_durably(&self, spans: Vec<Span>, within: Duration) -> Result<(), TraceFault> {
        if spans.is_empty() {
            return Ok(());
        }
        let lost = self.counters.dropped.load(Ordering::SeqCst);
        for (number, mut span) in (1_usize..).zip(spans) {
            if let Some(prices) = self.prices.get() {
                price(&mut span, prices.as_ref());
            }
            let bytes = room::weight(&span);
            // Who waits for each of them gives way after some dozens, and those are synced to the disk by themselves.
            let place = match self.place(bytes) {
                Some(place) => Some(place),
                None => tokio::time::timeout(within, self.wait_for_place(bytes)).await.ok().flatten(),
            };
            self.put(span, (bytes, true), place.ok_or(TraceFault::Saturated)?);
            if number.is_multiple_of(GROUP_MAX) {
                tokio::task::yield_now().await;
            }
        }
        self.flush(within).await?;
        if self.counters.dropped.load(Ordering::SeqCst) == lost {
            return Ok(());
        }
        // Which spans were lost is not known: the sender repeats all of them.
        Err(self.counters.trouble.borrow().map_or(TraceFault::NotStored, TraceFault::from))
    }

    /// For who may be asked to wait: while much is on its way to the lake, for a moment.
    pub async fn keep_pace(&self) {
        self.pace.keep().await;
    }

    /// A place in the queue for so many bytes, if there is one now.
    fn place(&self, bytes: usize) -> Option<InQueue<'_>> {
        self.room.try_take(bytes).zip(self.queue.try_reserve().ok())
    }

    async fn wait_for_place(&self, bytes: usize) -> Option<InQueue<'_>> {
        Some((self.room.take(bytes).await?, self.queue.reserve().await.ok()?))
    }

    fn put(&self, span: Span, (bytes, repeatable): (usize, bool), (place, permit): InQueue<'_>) {
        // It is counted before it can be taken out: whoever waits for what was counted would else be content with another's.
        self.counters.recorded.fetch_add(1, Ordering::SeqCst);
        permit.send(Queued { span, repeatable, bytes, _place: place });
    }
}

async fn wait(target: u64, mut reached: tokio::sync::watch::Receiver<u64>, within: Duration) -> Result<(), TraceFault> {
    match tokio::time::timeout(within, reached.wait_for(|count| *count >= target)).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(TraceFault::NotStored),
    }
}

impl EventSink for Observability {
    fn record(&self, span: Span) {
        let bytes = room::weight(&span);
        match self.place(bytes) {
            Some(place) => self.put(span, (bytes, false), place),
            None => self.counters.count_dropped(1, "queue_full"),
        }
    }
}
