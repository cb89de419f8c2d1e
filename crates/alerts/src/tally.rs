//! What is counted of incidents and of what is sent of them, for metrics and for whoever asks how the server is.

use std::{collections::BTreeMap, sync::PoisonError, time::Duration};

use mainspring_kernel::{Fault as _, Stop, fault};

use crate::{fault::AlertFault, service::Alerts, store};

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What was given up longer ago is no news.
const LATELY: Duration = Duration::from_secs(24 * 3600);
/// Receivers for which something waits or was given up; more are not counted.
const RECEIVERS: usize = 1_000;
/// The way of a receiver that is gone, or cannot be read.
const UNKNOWN: &str = "unknown";
const WAYS: [&str; 5] = ["webhook", "slack", "email", "pagerduty", UNKNOWN];

/// How incidents and deliveries of all projects stand, as far as was seen within the last seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measured {
    pub open: u64,
    pub acknowledged: u64,
    /// By the way of their receiver: every way is there.
    pub deliveries: BTreeMap<&'static str, Backlog>,
}

/// Notices that have not arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// To be sent, or sent again.
    pub waiting: u64,
    /// Given up.
    pub failed: u64,
    /// Of these, given up within a day.
    pub failed_lately: u64,
}

impl Alerts {
    /// For whoever asks for metrics: nothing is read for it. Nothing is said where nobody looks.
    #[must_use]
    pub fn measured(&self) -> Option<Measured> {
        self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks how incidents and deliveries stand, for as long as the server runs. Give it to `Tasks`.
    pub async fn keep_measuring(self, stop: Stop) {
        loop {
            if let Err(found) = self.measure().await
                && !found.kind().is_transient()
            {
                tracing::warn!(cause = %fault::chain(&found), "it cannot be said how incidents and deliveries stand");
            }
            if !stop.sleep(LOOK_EVERY).await {
                return;
            }
        }
    }

    pub(crate) async fn measure(&self) -> Result<(), AlertFault> {
        let catalog = &self.inner.catalog;
        let (open, acknowledged) = store::going_on(catalog).await?;
        let mut deliveries: BTreeMap<&'static str, Backlog> = WAYS.iter().map(|way| (*way, Backlog::default())).collect();
        for (project, receiver, backlog) in store::backlogs(catalog, self.now().minus(LATELY), RECEIVERS).await? {
            let way = match self.spec(project, &receiver).await {
                Ok(spec) => spec.way(),
                Err(AlertFault::ReceiverNotFound { .. } | AlertFault::ReceiverUnreadable { .. }) => UNKNOWN,
                Err(fault) => return Err(fault),
            };
            let of_way = deliveries.entry(way).or_default();
            of_way.waiting += backlog.waiting;
            of_way.failed += backlog.failed;
            of_way.failed_lately += backlog.failed_lately;
        }
        let seen = Measured { open, acknowledged, deliveries };
        *self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(())
    }
}
