//! How many bytes of documents a process has in hand at once: of the files while they are fetched and parsed, then of
//! the rows made of them. The number of documents alone bounds nothing: one may be a thousand times another.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const UNIT: u64 = 1024;
/// Taken for a document whose size only fetching tells.
const GUESS: u64 = 4 << 20;

#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    free: Arc<Semaphore>,
    all: u32,
}

/// What one document takes of it, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    of: Allowance,
    /// `None` only while it waits for another size.
    permit: Option<OwnedSemaphorePermit>,
}

impl Allowance {
    pub(crate) fn of(bytes: u64) -> Self {
        let all = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 3);
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Waits until there is room. A document larger than all there is has it alone.
    pub(super) async fn take(&self, bytes: Option<u64>) -> Held {
        let mut held = Held { of: self.clone(), permit: None };
        held.change(bytes.unwrap_or(GUESS)).await;
        held
    }

    fn units(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.all)
    }
}

impl Held {
    /// It turned out to have another size. Whoever needs more lets go first: two that waited for more with something in
    /// hand would wait for each other.
    pub(super) async fn change(&mut self, bytes: u64) {
        let wanted = self.of.units(bytes);
        if self.permit.as_ref().is_some_and(|permit| permit.num_permits() >= wanted as usize) {
            return self.shrink(bytes);
        }
        self.permit = None;
        // It is never closed.
        self.permit = self.of.free.clone().acquire_many_owned(wanted).await.ok();
    }

    /// Gives back what is more than this, and waits for nothing.
    pub(super) fn shrink(&mut self, bytes: u64) {
        let wanted = self.of.units(bytes) as usize;
        if let Some(permit) = &mut self.permit {
            let more = permit.num_permits().saturating_sub(wanted);
            drop(permit.split(more));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn documents_share_what_there_is_and_a_giant_has_it_alone() {
        let allowance = Allowance::of(10 << 10);
        let mut first = allowance.take(Some(4 << 10)).await;
        let second = allowance.take(Some(6 << 10)).await;
        assert!(allowance.take(Some(0)).now_or_never().is_none(), "the smallest takes a unit");
        first.shrink(3 << 10);
        let third = allowance.take(Some(1)).now_or_never().unwrap();
        assert!(allowance.take(Some(u64::MAX)).now_or_never().is_none());
        drop((first, second));
        assert!(allowance.take(Some(u64::MAX)).now_or_never().is_none(), "the third is still there");
        drop(third);
        let giant = allowance.take(Some(u64::MAX)).now_or_never().unwrap();
        assert!(allowance.take(Some(1)).now_or_never().is_none());
        drop(giant);
        // Without a size a guess is taken, and changed when it is known.
        let mut guessed = allowance.take(None).now_or_never().unwrap();
        assert_eq!(allowance.free.available_permits(), 0);
        guessed.change(2 << 10).now_or_never().unwrap();
        assert_eq!(allowance.free.available_permits(), 8);
        guessed.change(9 << 10).now_or_never().unwrap();
        assert_eq!(allowance.free.available_permits(), 1);
        guessed.shrink(u64::MAX);
        assert_eq!(allowance.free.available_permits(), 1, "shrinking takes nothing");
    }

    #[tokio::test]
    async fn two_that_turn_out_larger_do_not_wait_for_each_other() {
        let allowance = Allowance::of(10 << 10);
        let (mut first, mut second) = (allowance.take(Some(4 << 10)).await, allowance.take(Some(4 << 10)).await);
        let grow = async |held: &mut Held| {
            held.change(9 << 10).await;
            held.shrink(0);
        };
        futures::future::join(grow(&mut first), grow(&mut second)).await;
    }
}
