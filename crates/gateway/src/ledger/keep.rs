//! What has to be done from time to time.

use std::time::Duration;

use mainspring_catalog::CatalogFault;
use mainspring_kernel::{Fault as _, Stop, fault};

use super::{Ledger, fault::LedgerFault};
use crate::store;

/// How soon limits and prices that were changed elsewhere are in force here.
const PERIOD: Duration = Duration::from_secs(2);
/// Rounds between the rarer duties: two minutes.
const RARELY: u32 = 60;
/// A process that was not seen for so long is taken for dead, and what it had fetched of budgets for spent.
const DEAD_AFTER: Duration = Duration::from_secs(3_600);
/// Windows of budgets are kept longer than the longest lasts.
const KEEP_WINDOWS: Duration = Duration::from_secs(70 * 86_400);
/// OpenAI keeps responses for so long.
const KEEP_MAKERS: Duration = Duration::from_secs(30 * 86_400);
/// What became of calls in the background is known to processes that come back after so long; each ends within a day.
const KEEP_BACKGROUND: Duration = Duration::from_secs(92 * 86_400);
const AT_ONCE: usize = 200;
/// Rows that are little more than names.
const MAKERS_AT_ONCE: usize = 2_000;

impl Ledger {
    pub(super) async fn keep_up(self, stop: Stop) {
        let mut round: u32 = 0;
        while stop.sleep(PERIOD).await {
            if let Err(found) = self.refresh().await {
                complain(&found, "limits and prices could not be read again");
            }
            self.measure();
            // The first time soon after the start.
            if round.is_multiple_of(RARELY)
                && let Err(found) = self.tidy().await
            {
                complain(&found, "old calls could not be tidied up");
            }
            round = round.wrapping_add(1);
        }
    }

    pub(crate) async fn refresh(&self) -> Result<(), LedgerFault> {
        self.inner.prices.refresh().await?;
        // Where one process keeps the limits, nobody else changes them.
        let shared = self.state().meters.shared();
        if shared { self.reload().await } else { Ok(()) }
    }

    fn measure(&self) {
        let (waiting, bytes, under_way, refused) = {
            let mut state = self.state();
            let refused = std::mem::take(&mut state.refused);
            (state.journal.waiting(), state.journal.waiting_bytes(), state.journal.under_way(), refused)
        };
        let metrics = &self.inner.parts.metrics;
        #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
        for (name, help, value) in [
            ("mainspring_ledger_waiting_calls", "Calls that ended and are not in the catalog yet.", waiting as f64),
            ("mainspring_ledger_waiting_bytes", "What they take of the disk.", bytes as f64),
            ("mainspring_ledger_open_calls", "Calls that were let through and have not ended.", under_way as f64),
        ] {
            metrics.set(name, help, &[], value);
        }
        #[expect(clippy::cast_precision_loss, reason = "counters are floats")]
        for (code, count) in refused {
            metrics.add("mainspring_ledger_refused_total", "Calls that were not let through.", &[("code", code)], count as f64);
        }
    }

    /// Forgets what is past its time, packs what can be packed, and settles for processes that are gone.
    pub(crate) async fn tidy(&self) -> Result<(), LedgerFault> {
        let (catalog, now) = (&self.inner.parts.catalog, self.inner.parts.clock.now());
        while store::forget_segments(catalog, now.minus(self.inner.parts.keep_calls_for), AT_ONCE).await? == AT_ONCE {}
        while store::forget_makers(catalog, now.minus(KEEP_MAKERS), MAKERS_AT_ONCE).await? == MAKERS_AT_ONCE {}
        while store::forget_background(catalog, now.minus(KEEP_BACKGROUND), MAKERS_AT_ONCE).await? == MAKERS_AT_ONCE {}
        store::forget_budgets(catalog, now.minus(KEEP_WINDOWS)).await?;
        if self.state().meters.shared() {
            self.settle_for_the_dead().await?;
        }
        self.compact().await
    }

    async fn settle_for_the_dead(&self) -> Result<(), LedgerFault> {
        let seen_before = self.inner.parts.clock.now().minus(DEAD_AFTER);
        loop {
            let forfeited = self
                .inner
                .parts
                .catalog
                .transact(|mut tx| async move {
                    let forfeited = store::forfeit_leases(&mut tx, seen_before, AT_ONCE).await?;
                    Ok::<_, CatalogFault>((tx, forfeited))
                })
                .await?;
            if forfeited > 0 {
                tracing::warn!(budgets = forfeited, "what processes had fetched that were not seen for an hour counts as spent");
            }
            if forfeited < AT_ONCE {
                return Ok(());
            }
        }
    }
}

fn complain(found: &LedgerFault, what: &str) {
    if found.kind().is_transient() {
        tracing::debug!(error = fault::chain(found), "{what}");
    } else {
        tracing::error!(error = fault::chain(found), "{what}");
    }
}
