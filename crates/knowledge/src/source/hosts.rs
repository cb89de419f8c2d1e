//! Manners: how much a host is asked for at once, and how long it is left alone when it says that it is too much.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until},
};
use url::Url;

use super::{
    SourceFault,
    egress::{Answer, Egress, Validators, place},
};

/// Requests of one source under way at once, however many hosts it names.
const IN_ALL: usize = 16;
/// How often one address is asked for while its host says that it is busy.
const TRIES: u32 = 3;
/// Before the second try, where the host does not say itself; doubled before the third.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// A host that wants to be left alone for longer is not waited for, and nothing more is asked of it: the next ingestion is.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Refusals, none of them followed by an answer, after which a host is left alone for the rest of the run.
const REFUSALS: u32 = 12;
const FOR_THE_RUN: Duration = Duration::from_secs(24 * 3600);

/// The hosts that a source asks.
#[derive(Debug)]
pub(super) struct Hosts {
    egress: Egress,
    per_host: usize,
    all: Semaphore,
    known: Mutex<BTreeMap<String, Arc<Host>>>,
}

#[derive(Debug)]
struct Host {
    permits: Semaphore,
    rest: Mutex<Rest>,
}

#[derive(Debug, Default)]
struct Rest {
    /// It is not asked before this.
    until: Option<Instant>,
    /// How often it refused since it last answered.
    refusals: u32,
}

impl Hosts {
    pub(super) fn new(egress: Egress, per_host: usize) -> Self {
        Self { egress, per_host, all: Semaphore::new(IN_ALL), known: Mutex::default() }
    }

    /// Fetches when it is this address's turn, and again after a while where its host is busy.
    pub(super) async fn get(&self, url: &Url, known: &Validators, limit: u64) -> Result<Answer, SourceFault> {
        let closed = |_| SourceFault::Unreachable { place: place(url), reason: "the source was closed".into() };
        let host = self.host(url);
        let _turn = host.permits.acquire().await.map_err(closed)?;
        let mut tries = 0;
        loop {
            host.rested(url).await?;
            let answer = {
                let _one = self.all.acquire().await.map_err(closed)?;
                self.egress.get(url, known, limit).await
            };
            let Err(SourceFault::Busy { after, .. }) = &answer else {
                host.answered();
                return answer;
            };
            tries += 1;
            host.refused(tries, *after);
            if tries == TRIES {
                return answer;
            }
        }
    }

    fn host(&self, url: &Url) -> Arc<Host> {
        let name = format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Host { permits: Semaphore::new(self.per_host), rest: Mutex::default() });
        known.entry(name).or_insert_with(new).clone()
    }
}

impl Host {
    /// Waits until the host may be asked; says that it is busy where that is too far off.
    async fn rested(&self, url: &Url) -> Result<(), SourceFault> {
        // Others may be refused while this one waits.
        while let Some(until) = self.until() {
            let wait = until.saturating_duration_since(Instant::now());
            if wait > LONGEST_WAIT {
                return Err(SourceFault::Busy { place: place(url), after: Some(wait) });
            }
            sleep_until(until).await;
        }
        Ok(())
    }

    fn until(&self) -> Option<Instant> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).until.filter(|until| *until > Instant::now())
    }

    fn answered(&self) {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).refusals = 0;
    }

    fn refused(&self, tries: u32, after: Option<Duration>) {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.refusals += 1;
        let wait = if rest.refusals >= REFUSALS { FOR_THE_RUN } else { after.unwrap_or(FIRST_WAIT * 2_u32.pow(tries - 1)) };
        // One that asks for years is left alone all the same, and an instant has an end.
        rest.until = rest.until.max(Some(Instant::now() + wait.min(FOR_THE_RUN)));
    }
}
