//! The processes that serve calls over one catalog. What each knows of targets and of calls under way is its own.

use std::time::Duration;

use mainspring_kernel::{Actor, Page, PageRequest, Role, Timestamp};

use super::{Ledger, fault::LedgerFault, rules::needs};
use crate::store;

/// They say that they are there every few seconds; one that has not for so long is gone.
const GONE_AFTER: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The same again after a restart over the same journal.
    pub id: String,
    /// The one that was asked.
    pub here: bool,
    pub seen: Timestamp,
}

impl Ledger {
    /// The processes that serve calls now, this one among them, by their names.
    pub async fn processes(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Process>, LedgerFault> {
        needs(actor, Role::Reader)?;
        let (after, now) = (page.after::<String>()?, self.inner.parts.clock.now());
        let shared = self.state().meters.shared();
        if !shared {
            // Where one process keeps everything there is no other.
            let only = Process { id: self.owner().to_owned(), here: true, seen: now };
            return Ok(Page { items: vec![only].into_iter().filter(|_| after.is_none()).collect(), next: None });
        }
        let catalog = &self.inner.parts.catalog;
        let seen = store::writers_seen(catalog, now.minus(GONE_AFTER), (after, page.limit() + 1)).await?;
        let process = |(id, seen): (String, Timestamp)| Process { here: id == self.owner(), id, seen };
        Ok(Page::from_overfetch(seen.into_iter().map(process).collect(), page, |process| process.id.clone()))
    }
}
