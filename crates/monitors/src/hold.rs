//! The lease of a look. It is short, so that another process soon goes on when this one dies, and is renewed for as long as the
//! look takes. Whoever may have lost it tells nobody anything.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    time::Duration,
};

use mainspring_kernel::Timestamp;

use crate::{
    fault::MonitorFault,
    service::Monitors,
    store::{self, Kept},
};

/// A process that dies is followed by another after this.
pub(crate) const LEASE: Duration = Duration::from_secs(40);
/// It is renewed this often; the clocks of two servers may differ by the rest.
pub(crate) const BEAT: Duration = Duration::from_secs(5);

/// A monitor whose lease this process took.
#[derive(Debug)]
pub(crate) struct Held<'k> {
    pub(crate) kept: &'k Kept,
    /// Up to when nobody else can have begun, in microseconds.
    until: AtomicI64,
    /// It is being given back.
    ending: AtomicBool,
}

impl<'k> Held<'k> {
    pub(crate) fn new(kept: &'k Kept) -> Self {
        let until = kept.lease_until.map_or(i64::MIN, Timestamp::as_micros);
        Self { kept, until: AtomicI64::new(until), ending: AtomicBool::new(false) }
    }

    pub(crate) fn extend(&self, until: Timestamp) {
        self.until.fetch_max(until.as_micros(), Ordering::AcqRel);
    }

    fn lasts(&self, now: Timestamp) -> bool {
        now.as_micros() < self.until.load(Ordering::Acquire)
    }

    /// Refuses where another process may have begun: this one slept, or the catalog did not answer it in time.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), MonitorFault> {
        if self.lasts(now) { Ok(()) } else { Err(self.lost()) }
    }

    pub(crate) fn lost(&self) -> MonitorFault {
        MonitorFault::Busy { name: self.kept.name.to_string() }
    }

    /// From here on it is not renewed.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }
}

impl Monitors {
    /// Renews a lease until it is lost, and answers that it is.
    pub(crate) async fn keep_hold(&self, held: &Held<'_>) -> MonitorFault {
        loop {
            tokio::time::sleep(self.beat).await;
            if held.is_ending() {
                return std::future::pending().await;
            }
            let until = self.now().plus(LEASE);
            match store::renew(&self.parts.catalog, held.kept, until).await {
                Ok(true) => held.extend(until),
                // It was given back meanwhile.
                Ok(false) if held.is_ending() => return std::future::pending().await,
                Ok(false) => return held.lost(),
                // The catalog may be back in time.
                Err(_) if held.lasts(self.now()) => {}
                Err(_) => return held.lost(),
            }
        }
    }
}
