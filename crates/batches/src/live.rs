//! Lines that were asked and whose answers are not written yet: what outlives a lost lease.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainspring_kernel::{Fault as _, id::BatchId};
use tokio::{task::JoinSet, time::Instant};

use crate::{fault::BatchFault, lines::Asked, results::Answered, seam::LineReply, service::Batches};

/// So long after a look at the catalog said that the batch is this process's, a line may be begun that waits for a place.
const HOLDS_FOR: Duration = Duration::from_secs(10);

/// Until when lines of a batch may be begun here. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hold(Arc<Mutex<Option<Instant>>>);

impl Hold {
    /// The batch is this process's at this moment.
    pub(crate) fn renew(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + HOLDS_FOR);
    }

    pub(crate) fn holds(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }
}

/// Of one batch. Lines under way go on by themselves, whether or not somebody waits for them at the moment.
#[derive(Debug, Default)]
pub(crate) struct Open {
    /// A line that got its place too late, when nobody could say any more whose the batch is, was not asked and has no reply.
    pub(crate) under_way: JoinSet<(Asked, Option<LineReply>)>,
    pub(crate) hold: Hold,
    /// Those lines, and those that are answered and not written yet.
    pub(crate) lines: HashSet<u64>,
    pub(crate) answered: Vec<Answered>,
}

impl Open {
    pub(crate) fn is_empty(&self) -> bool {
        self.under_way.is_empty() && self.answered.is_empty()
    }

    pub(crate) fn answer(&mut self, answered: Answered) {
        self.lines.insert(answered.number);
        self.answered.push(answered);
    }

    /// In memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.answered.iter().map(|answered| answered.text.len()).sum()
    }

    /// They are written.
    pub(crate) fn written(&mut self) {
        for Answered { number, .. } in self.answered.drain(..) {
            self.lines.remove(&number);
        }
    }

    /// Takes in what has been answered while nobody waited. A line that would have to be asked again has no result, so
    /// whoever goes on with the batch comes upon it.
    fn collect(&mut self, batch: BatchId) {
        while let Some(ended) = self.under_way.try_join_next() {
            let Ok((asked, reply)) = ended else { continue };
            match reply.filter(|reply| reply.again.is_none()) {
                Some(reply) => self.answered.push(Answered::of(batch, &asked, &reply)),
                None => {
                    self.lines.remove(&asked.number);
                }
            }
        }
    }
}

type Seat = Arc<tokio::sync::Mutex<Open>>;

/// The batches that this process has lines of. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live(Arc<Mutex<HashMap<BatchId, Seat>>>);

impl Live {
    fn lock(&self) -> MutexGuard<'_, HashMap<BatchId, Seat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn seat(&self, id: BatchId) -> Seat {
        Arc::clone(self.lock().entry(id).or_default())
    }

    /// Forgets a batch of which nothing is left here.
    pub(crate) fn leave(&self, id: BatchId) {
        let mut seats = self.lock();
        // Nobody else has it, since that would take the lock that is held here.
        if seats.get(&id).is_some_and(|seat| Arc::strong_count(seat) == 1 && seat.try_lock().is_ok_and(|open| open.is_empty())) {
            seats.remove(&id);
        }
    }

    /// Writes down what came of batches whose lease was lost, or whose run was broken off.
    pub(crate) async fn write_what_came(&self, batches: &Batches) {
        let seats: Vec<(BatchId, Seat)> = self.lock().iter().map(|(id, seat)| (*id, Arc::clone(seat))).collect();
        for (id, seat) in seats {
            // One that is held is looked after by whoever holds it.
            let Ok(mut open) = seat.try_lock() else { continue };
            open.collect(id);
            match write(batches, id, &mut open).await {
                Ok(()) => {}
                // It has ended elsewhere, and every line of it has a result.
                Err(BatchFault::Stale { .. } | BatchFault::NotFound { .. }) => open.written(),
                Err(fault) if fault.kind().is_transient() => {}
                Err(fault) => {
                    tracing::error!(batch.id = %id, cause = %mainspring_kernel::fault::chain(&fault), "what lines gave cannot be written; it is tried again");
                }
            }
            drop(open);
            drop(seat);
            self.leave(id);
        }
    }

    /// How many batches have lines here, for tests.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }
}

async fn write(batches: &Batches, id: BatchId, open: &mut Open) -> Result<(), BatchFault> {
    if open.answered.is_empty() {
        return Ok(());
    }
    batches.commit(id, &open.answered).await?;
    open.written();
    Ok(())
}
