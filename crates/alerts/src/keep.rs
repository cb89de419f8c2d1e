//! What has to be done from time to time.

use std::time::Duration;

use mainspring_kernel::{Fault as _, Stop, fault};

use crate::{fault::AlertFault, service::Alerts, store};

const LOOK_EVERY: Duration = Duration::from_secs(600);
const AT_ONCE: usize = 100;

impl Alerts {
    /// Until told to stop.
    pub async fn keep_up(self, stop: Stop) {
        loop {
            match self.prune().await {
                Ok(AT_ONCE..) => continue,
                Ok(_) => {}
                Err(found) if found.kind().is_transient() => {}
                Err(found) => {
                    tracing::warn!(cause = %fault::chain(&found), "old incidents could not be deleted; it is tried again")
                }
            }
            if !stop.sleep(LOOK_EVERY).await {
                return;
            }
        }
    }

    /// Deletes what is too old; answers how many incidents that were.
    pub(crate) async fn prune(&self) -> Result<usize, AlertFault> {
        let before = self.now().minus(self.inner.settings.keep_for);
        let catalog = &self.inner.catalog;
        let old = store::old_incidents(catalog, before, AT_ONCE).await?;
        for id in old.iter().copied() {
            catalog
                .transact(|mut tx| async move {
                    store::prune_incident(&mut tx, id).await?;
                    Ok::<_, AlertFault>((tx, ()))
                })
                .await?;
        }
        while store::prune_silences(catalog, before, AT_ONCE).await? >= AT_ONCE {}
        Ok(old.len())
    }
}
