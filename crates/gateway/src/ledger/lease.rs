//! Fetching shares of limits that several processes keep together, and giving back what is not used.

use std::time::Duration;

use futures::StreamExt as _;
use mainspring_kernel::{Fault as _, Stop};
use tokio::time::Instant;

use super::{
    Ledger,
    fault::LedgerFault,
    limit::Metric,
    meter::{Reply, Wish},
    meters::MeterKey,
};
use crate::{
    limits::Rate,
    store::{self, Bucket, BudgetKey},
};

/// How often shares are looked at when nobody asks for more.
const PERIOD: Duration = Duration::from_millis(250);
/// The catalog is told this often that the process is alive, when nothing else tells it.
const ALIVE_EVERY: u32 = 4;
/// Shares that are fetched at the same time.
const AT_ONCE: usize = 8;

impl Ledger {
    /// Fetches and gives back until told to stop; then all goes back.
    pub(super) async fn keep_leasing(self, stop: Stop) {
        let (mut round, mut looked) = (0_u32, Instant::now());
        loop {
            tokio::select! {
                go_on = stop.sleep(PERIOD) => if !go_on {
                    self.give_back(true).await;
                    return;
                },
                () = self.inner.wished.notified() => {}
            }
            self.fetch().await;
            // However often more is wished for, what is not used goes back in time.
            if looked.elapsed() < PERIOD {
                continue;
            }
            looked = Instant::now();
            self.give_back(false).await;
            round = round.wrapping_add(1);
            if round.is_multiple_of(ALIVE_EVERY) {
                self.say_alive().await;
            }
        }
    }

    pub(super) async fn say_alive(&self) {
        let now = self.inner.parts.clock.now();
        if let Err(fault) = store::seen_writer(&self.inner.parts.catalog, &self.inner.owner, now).await {
            tracing::debug!(%fault, "the catalog could not be told that this process is alive");
        }
    }

    /// Fetches what is wished for, and wakes the calls that wait for it.
    pub(super) async fn fetch(&self) {
        let wishes = {
            let mut state = self.state();
            let book = std::sync::Arc::clone(&state.book);
            state.meters.wishes(&book)
        };
        if wishes.is_empty() {
            return;
        }
        let each = futures::stream::iter(wishes);
        each.for_each_concurrent(AT_ONCE, |(key, amount, wish)| async move { self.fetch_one(&key, amount, wish).await }).await;
    }

    async fn fetch_one(&self, key: &MeterKey, amount: i128, wish: Wish) {
        let reply = self.ask(key, amount, wish).await;
        let clock = self.inner.parts.clock.now();
        {
            let mut state = self.state();
            let now = state.meters.now(clock);
            match reply {
                Ok(reply) => state.meters.reply(key, reply, now),
                Err(fault) => {
                    if !fault.kind().is_transient() {
                        tracing::error!(%fault, "a share of a limit could not be fetched");
                    }
                    state.meters.away(key, (amount, wish), now);
                }
            }
        }
        self.inner.granted.notify_waiters();
    }

    async fn ask(&self, key: &MeterKey, amount: i128, wish: Wish) -> Result<Reply, LedgerFault> {
        let (catalog, owner) = (&self.inner.parts.catalog, self.inner.owner.as_str());
        let limit = i64::try_from(amount).unwrap_or(i64::MAX);
        if let Some(budget) = &BudgetKey::of(key) {
            return catalog
                .transact(|mut tx| async move {
                    let reply = store::lease_money(&mut tx, owner, budget, (limit, wish)).await?;
                    Ok((tx, reply))
                })
                .await;
        }
        let (bucket, clock) = (bucket(key), self.inner.parts.clock.now());
        if key.metric == Metric::Concurrent {
            return catalog
                .transact(|mut tx| async move {
                    let reply = store::lease_slots(&mut tx, owner, bucket, (limit, wish), clock).await?;
                    Ok((tx, reply))
                })
                .await;
        }
        let here = self.state().meters.now(clock);
        Ok(store::lease_rate(catalog, bucket, (wish, amount), |cells| nanos(amount, cells), here).await?)
    }

    /// Gives back what has not been used lately, or everything.
    pub(super) async fn give_back(&self, all: bool) {
        let clock = self.inner.parts.clock.now();
        let surplus = {
            let mut state = self.state();
            let now = state.meters.now(clock);
            let book = std::sync::Arc::clone(&state.book);
            state.meters.surplus(&book, all, now)
        };
        for (key, amount, extra) in surplus {
            if let Err(fault) = self.give_back_one(&key, amount, extra).await {
                tracing::debug!(%fault, "a share of a limit could not be given back; it is tried again");
                self.state().meters.add(&key, extra);
            }
        }
        if all {
            // Whoever waits for a share asks anew.
            self.inner.granted.notify_waiters();
        }
    }

    async fn give_back_one(&self, key: &MeterKey, amount: i128, extra: i128) -> Result<(), LedgerFault> {
        let (catalog, owner) = (&self.inner.parts.catalog, self.inner.owner.as_str());
        let units = i64::try_from(extra).unwrap_or(i64::MAX);
        if let Some(budget) = &BudgetKey::of(key) {
            let given = catalog
                .transact(|mut tx| async move {
                    let given = store::give_back_lease(&mut tx, owner, budget, units).await?;
                    Ok::<_, LedgerFault>((tx, given))
                })
                .await?;
            if !given {
                tracing::warn!(
                    whom = key.whom(),
                    "money that was fetched is counted as spent, since this process was taken for dead"
                );
            }
            return Ok(());
        }
        if key.metric == Metric::Concurrent {
            let bucket = bucket(key);
            return catalog
                .transact(|mut tx| async move {
                    store::give_back_slots(&mut tx, owner, bucket, units).await?;
                    Ok((tx, ()))
                })
                .await;
        }
        // Nobody asks a bucket whose limit is gone.
        if amount > 0 {
            store::give_back_rate(catalog, bucket(key), nanos(amount, extra)).await?;
        }
        Ok(())
    }
}

pub(super) fn bucket(key: &MeterKey) -> Bucket<'_> {
    Bucket { project: key.project, kind: key.kind, subject: &key.subject, metric: key.metric.as_str() }
}

/// How long a limit takes to refill so many; less than nothing for less than none.
fn nanos(amount: i128, cells: i128) -> i64 {
    let rate = Rate(u64::try_from(amount.max(1)).unwrap_or(u64::MAX));
    let nanos = rate.nanos(u64::try_from(cells.unsigned_abs()).unwrap_or(u64::MAX));
    if cells < 0 { -nanos } else { nanos }
}
