//! Processes over one PostgreSQL tell each other of changed keys and members, in the transaction that changes them, so that
//! nobody goes on with what was looked up before.

use std::time::Duration;

use mainspring_catalog::{CatalogFault, Tx};
use mainspring_kernel::{Stop, fault};

use crate::Identity;

const CHANNEL: &str = "mainspring_access";
/// Before the connection that hears is opened again. Meanwhile what was looked up lives no longer than `cache::LIFE`.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells the others, once it is committed, that keys or members are not what they were.
pub(crate) async fn tell(tx: &mut Tx) -> Result<(), CatalogFault> {
    tx.tell(CHANNEL).await
}

impl Identity {
    /// Forgets what was looked up whenever somebody changes a key or a member, in whichever process. Give it to `Tasks`; where
    /// processes cannot tell each other anything it has nothing to do.
    pub async fn keep_told(self, stop: Stop) {
        let mut away = false;
        loop {
            let heard = tokio::select! {
                heard = self.hear(&mut away) => heard,
                () = stop.requested() => return,
            };
            match heard {
                Ok(()) => return,
                // Once, and not every second until it is back.
                Err(found) if !std::mem::replace(&mut away, true) => {
                    tracing::warn!(
                        error = fault::chain(&found),
                        "keys that others revoke are refused within five seconds for now"
                    );
                }
                Err(_) => {}
            }
            if !stop.sleep(PAUSE).await {
                return;
            }
        }
    }

    /// Until the connection breaks; at once where there is nobody to hear.
    async fn hear(&self, away: &mut bool) -> Result<(), CatalogFault> {
        let Some(mut notices) = self.catalog.listen(CHANNEL).await? else { return Ok(()) };
        *away = false;
        loop {
            // What was told before anybody listened is in this too.
            self.cache.forget_all();
            notices.heard().await?;
        }
    }
}
