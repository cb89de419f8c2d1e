//! Answers that are made in the background. Their providers are asked until they are there; only then it is known what the
//! call used, and it is settled, once. Until then it holds what was set aside for it, also when this process ends: the next
//! one over the same journal goes on waiting, or another over the same catalog.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use mainspring_kernel::{
    Digest, Stop, fault,
    id::{CallId, ProjectId},
};
use mainspring_llm::{TokenUsage, trace::OpenSpan};
use mainspring_providers::{About, FaultClass, Kept, Operation};
use tokio::{
    sync::{Notify, Semaphore, oneshot},
    time::{Instant, timeout},
};

use crate::{
    bill::{self, Left},
    cost::Charge,
    ended::Ended,
    fault::GatewayFault,
    gateway::Gateway,
    kept::Place,
    ledger::{LedgerFault, Permit},
    live::Live,
    makers,
    record::{CallRecord, CallStatus},
    store::Maker,
    target::Target,
    trace,
};

/// Responses that are waited for at once. Each is asked for twice a minute once it takes long.
pub(crate) const MOST: usize = 10_000;
/// Responses that are asked for at the same time: a provider that does not answer must not take all connections.
const AT_ONCE: usize = 256;
/// From one question to the next: the first, and the longest after they have doubled. Each comes a little sooner, so that
/// those that began together are not asked for together.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// Between those that an earlier process left: 10,000 of them are asked for within `LONGEST`.
const APART: Duration = Duration::from_millis(3);
/// One question.
const WITHIN: Duration = Duration::from_secs(60);
/// So long a client waits at most until the catalog knows who makes its response, and who waits for it. It is told again with
/// the first question.
const NOTED_WITHIN: Duration = Duration::from_secs(2);
/// A provider that does not know a response any more so often in turn does not keep it.
const UNKNOWN: u32 = 3;
/// No provider works on one for so long.
const GIVE_UP: Duration = Duration::from_secs(24 * 3_600);
/// How often it is looked whether another process is gone that waited for some, and how many of them are taken over at once.
const ADOPT_EVERY: Duration = Duration::from_secs(5);
const ADOPTED_AT_ONCE: usize = 200;

type Key = (ProjectId, String);

fn key(record: &CallRecord) -> Key {
    (record.caller.project, record.response.clone().unwrap_or_default())
}

/// The responses that this process waits for.
#[derive(Debug)]
pub(crate) struct Background {
    waiting: Mutex<HashMap<Key, Arc<Heard>>>,
    /// The calls that made them. Whoever waits for one is told here when it is another process's.
    calls: Mutex<HashMap<CallId, Arc<Notify>>>,
    turns: Semaphore,
}

impl Default for Background {
    fn default() -> Self {
        Self { waiting: Mutex::default(), calls: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }
}

/// Why a response is not waited for any more.
#[derive(Debug)]
enum Over {
    /// It ended, or nobody can read any more how.
    Ended(Option<Ended>),
    /// Another process waits for it.
    Taken,
    /// This process ends first.
    Stopped,
}

/// What others heard of a response that is waited for.
#[derive(Debug, Default)]
struct Heard {
    last: Mutex<Option<Bytes>>,
    told: Notify,
}

impl Heard {
    fn last(&self) -> Option<Bytes> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Background {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Heard>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lock().len() >= MOST
    }

    fn is_waiting(&self, project: ProjectId, response: &str) -> bool {
        self.lock().contains_key(&(project, response.to_owned()))
    }

    fn wait(&self, key: Key) -> Arc<Heard> {
        Arc::clone(self.lock().entry(key).or_default())
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<CallId, Arc<Notify>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it is told that the call is another process's.
    fn watch(&self, call: CallId) -> Arc<Notify> {
        Arc::clone(self.calls().entry(call).or_default())
    }

    fn are_taken(&self, taken: &HashSet<CallId>) {
        let mut calls = self.calls();
        // Where a task broke off nobody is left to hear it, and it must not be looked for for ever.
        calls.retain(|_, told| Arc::strong_count(told) > 1);
        taken.iter().filter_map(|call| calls.get(call)).for_each(|call| call.notify_one());
    }

    fn is_over(&self, record: &CallRecord) {
        self.lock().remove(&key(record));
        self.calls().remove(&record.id);
    }

    /// A client was told how a response stands. If it is over nobody needs to ask again.
    pub(crate) fn hear(&self, project: ProjectId, response: &str, body: &Bytes) {
        let Some(heard) = self.lock().get(&(project, response.to_owned())).cloned() else { return };
        if makers::ended(response, body).is_some() {
            *heard.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(body.clone());
            heard.told.notify_one();
        }
    }
}

impl Gateway {
    /// Waits from here on for the response that a call has begun.
    pub(crate) async fn follow(&self, mut left: Left) {
        if let Err(found) = left.permit.leaves(&left.record) {
            tracing::error!(error = fault::chain(&found), "a call in the background is known to this process only");
        }
        // As tables take it.
        let worst = left.permit.worst().clone();
        // From here on it is waited for, even if its client hangs up at this moment.
        self.wait_for(left, FIRST);
        // The others have to know before the call is settled who makes it.
        if let Err(found) = self.tell_left(&worst).await {
            tracing::warn!(error = fault::chain(&found), "who waits for a response in the background is not written down yet");
        }
    }

    async fn tell_left(&self, worst: &CallRecord) -> Result<(), LedgerFault> {
        let told = timeout(NOTED_WITHIN, self.inner.ledger.tell_left(worst)).await;
        told.unwrap_or(Err(LedgerFault::Interrupted))
    }

    /// Goes on waiting for what an earlier process has left.
    pub(crate) fn follow_left(&self) {
        self.go_on(self.inner.ledger.take_left());
    }

    /// Looks whether there are some whose process is gone, until told to stop.
    pub(crate) async fn adopt_from_time_to_time(self, stop: Stop) {
        while stop.sleep(ADOPT_EVERY).await {
            if let Err(found) = self.adopt().await {
                tracing::debug!(error = fault::chain(&found), "it could not be read whether calls are waited for by nobody");
            }
        }
    }

    /// Goes on waiting for what processes waited for that are gone, and lets go of what others have taken over from this one,
    /// which was cut off then.
    pub(crate) async fn adopt(&self) -> Result<(), LedgerFault> {
        let calls: Vec<CallId> = self.inner.background.calls().keys().copied().collect();
        let taken = self.inner.ledger.taken_by_others(&calls).await?;
        if !taken.is_empty() {
            // None of them is taken back until nobody waits for it here: that is looked at next time.
            self.inner.background.are_taken(&taken);
            return Ok(());
        }
        if !self.inner.background.is_full() {
            self.go_on(self.inner.ledger.adopt(ADOPTED_AT_ONCE).await?);
        }
        Ok(())
    }

    fn go_on(&self, permits: Vec<Permit>) {
        let mut first = FIRST;
        for permit in permits {
            // As if this were the moment after it was begun.
            let mut record = CallRecord { status: CallStatus::Cancelled, ..permit.worst().clone() };
            bill::add_up(&mut record);
            self.wait_for(Left { permit, record, span: None }, first);
            first += APART;
        }
    }

    /// `first`: how long until it is asked for.
    fn wait_for(&self, left: Left, first: Duration) {
        let background = &self.inner.background;
        let (heard, taken) = (background.wait(key(&left.record)), background.watch(left.record.id));
        let gateway = self.clone();
        self.inner.tasks.spawn("gateway-background", move |stop| async move {
            gateway.waits(left, (heard.as_ref(), first), (taken.as_ref(), stop)).await;
        });
    }

    async fn waits(&self, left: Left, (heard, first): (&Heard, Duration), (taken, stop): (&Notify, Stop)) {
        let over = tokio::select! {
            outcome = self.outcome(left.permit.worst(), (heard, first)) => Over::Ended(outcome),
            () = taken.notified() => Over::Taken,
            () = stop.requested() => Over::Stopped,
        };
        self.inner.background.is_over(&left.record);
        let written = match over {
            Over::Ended(Some(ended)) => self.settle(left, &ended),
            Over::Ended(None) => self.give_up(left),
            Over::Taken => {
                tracing::info!(call = %left.record.id, "a call in the background is another process's, which has taken it over");
                left.permit.goes_elsewhere();
                return goes_on(left.span);
            }
            Over::Stopped => {
                left.permit.stays_open();
                return goes_on(left.span);
            }
        };
        // One that another process has taken over is settled there, and told of there: here nobody hears of it.
        tokio::select! {
            written = written => if let Ok(record) = written {
                self.tell(record);
            },
            () = stop.requested() => {}
        }
    }

    /// How the response ended; nothing where that will not be known. `worst` is the call as it was let in.
    async fn outcome(&self, worst: &CallRecord, (heard, first): (&Heard, Duration)) -> Option<Ended> {
        let response = worst.response.as_deref()?;
        let maker = maker(worst);
        let until = worst.at.plus(GIVE_UP);
        let (mut pause, mut unknown, mut told) = (first, 0, false);
        loop {
            let _ = timeout(pause.mul_f64(rand::random_range(0.75..=1.0)), heard.told.notified()).await;
            pause = (pause * 2).min(LONGEST);
            told = told || self.tell_left(worst).await.is_ok();
            let asked = match heard.last() {
                Some(body) => Ok(body),
                None => {
                    let _turn = self.inner.background.turns.acquire().await;
                    self.told_by(&maker, (worst.caller.project, response), About::Read).await
                }
            };
            match asked {
                Ok(body) => {
                    unknown = 0;
                    if let Some(said) = makers::ended(response, &body) {
                        return Some(Ended::of(worst, &said, &body));
                    }
                }
                Err(fault) => {
                    tracing::debug!(%fault, response, "a response in the background could not be read");
                    // Whoever deleted it has left word of how it ended.
                    match self.inner.ledger.word_of(worst.id).await {
                        Ok(word) => {
                            if let Ok(ended) = serde_json::from_str(&word) {
                                return Some(ended);
                            }
                            unknown = if fault.class() == Some(FaultClass::NotFound) { unknown + 1 } else { 0 };
                        }
                        // There may be word.
                        Err(found) => tracing::debug!(error = fault::chain(&found), "word of a response could not be read"),
                    }
                    if unknown == UNKNOWN {
                        return None;
                    }
                }
            }
            if self.inner.reach.clock.now() >= until {
                return None;
            }
        }
    }

    async fn told_by(&self, maker: &Maker, (project, response): (ProjectId, &str), about: About) -> Result<Bytes, GatewayFault> {
        let place = Place { project, maker, kept: Kept { about, response, query: None } };
        let said = self.say(place, &HeaderMap::new(), Instant::now() + WITHIN).await?;
        Ok(said.whole().await?)
    }

    /// Before a response goes away that a process waits for, this one or another, it is asked how it ended. One that goes on is
    /// ended first: nobody could read it any more, and what it used could not be asked.
    pub(crate) async fn hear_of(&self, project: ProjectId, response: &str, maker: &Maker) -> Result<(), GatewayFault> {
        let worst = self.inner.ledger.waited_for(project, response).await?;
        if worst.is_none() && !self.inner.background.is_waiting(project, response) {
            return Ok(());
        }
        for about in [About::Read, About::Cancel, About::Read] {
            // Not every provider ends one, and one may end by itself meanwhile: so it is asked once more.
            let Ok(body) = self.told_by(maker, (project, response), about).await else { continue };
            let Some(said) = makers::ended(response, &body) else { continue };
            if let Some(worst) = &worst {
                let word = serde_json::to_string(&Ended::of(worst, &said, &body)).unwrap_or_default();
                self.inner.ledger.leave_word(worst.id, &word).await?;
            }
            self.inner.background.hear(project, response, &body);
            break;
        }
        Ok(())
    }

    fn settle(&self, left: Left, ended: &Ended) -> oneshot::Receiver<CallRecord> {
        let Left { permit, mut record, span } = left;
        if let Some(usage) = &ended.usage {
            let charge = self.price(&record, usage);
            let (provider, target) = (record.provider.clone().unwrap_or_default(), record.target.clone().unwrap_or_default());
            bill::enter(&mut record, (provider.as_str(), target.as_str()), usage, charge.as_ref());
            if charge.is_none() && !usage.is_nothing() {
                self.inner.desk.counters.unpriced();
            }
        }
        record.status = ended.status;
        record.class = (record.status == CallStatus::Failed).then_some(FaultClass::Server);
        let took = self.inner.reach.clock.now().since(record.at);
        record.took_ms = bill::millis(took);
        record.conclude();
        let written = permit.settle_and_hear(record.clone());
        if let Some(span) = span {
            bill::close(span, &record, Some("upstream-server"));
        }
        written
    }

    /// What it used will never be known: it costs what was set aside, as a call does whose process died.
    fn give_up(&self, left: Left) -> oneshot::Receiver<CallRecord> {
        let (record, written) = left.permit.interrupt();
        tracing::warn!(call = %record.id, "a response in the background cannot be read any more: it costs what was set aside");
        if let Some(span) = left.span {
            bill::close(span, &record, Some("internal"));
        }
        written
    }

    fn tell(&self, record: CallRecord) {
        let desk = &self.inner.desk;
        desk.counters.settled(Operation::Responses, record.status);
        desk.board.tell(|| Live::Settled(Box::new(record)));
    }

    /// What so much costs at the target as it is now.
    fn price(&self, record: &CallRecord, usage: &TokenUsage) -> Option<Charge> {
        let project = record.caller.project;
        let prices = self.inner.ledger.prices(project);
        let (provider, model) = (record.provider.as_deref()?, record.target.as_deref()?);
        let route = self.find(project, record.route.as_deref().unwrap_or(&record.model));
        let target = route.as_ref().and_then(|route| {
            let is_it = |target: &&Target| target.provider.name.as_str() == provider && target.model(&record.model) == model;
            route.targets.iter().find(is_it)
        });
        let Some(target) = target else { return prices.cost_anywhere((provider, model), usage, record.batch) };
        let charge = prices.cost(target.place(&record.model), usage, record.batch);
        target.state.used(usage, charge.as_ref().map(|charge| charge.cost).unwrap_or_default());
        charge
    }
}

/// Ends the span of a call that somebody else waits for.
fn goes_on(span: Option<OpenSpan>) {
    if let Some(mut span) = span {
        span.set(trace::STATUS, "in the background");
        span.finish();
    }
}

/// Who makes the response of a call in the background.
fn maker(worst: &CallRecord) -> Maker {
    Maker {
        model: worst.model.clone(),
        route: worst.route.clone(),
        provider: worst.provider.clone().unwrap_or_default(),
        target: worst.target.clone().unwrap_or_default(),
        account: worst.account.unwrap_or(Digest::of(b"")),
    }
}
