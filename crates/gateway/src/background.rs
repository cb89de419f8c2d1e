//! Answers that are made in the background. Their providers are asked until they are there; only then it is known what the
//! call used, and it is settled, once. Until then it holds what was set aside for it, also when this process ends: the next
//! one over the same journal goes on waiting.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use mainspring_kernel::{Stop, fault, id::ProjectId};
use mainspring_llm::{Provenance, TokenUsage, trace::OpenSpan};
use mainspring_providers::{About, Adapter as _, FaultClass, Kept, Operation, openai::OpenAi};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, timeout},
};

use crate::{
    bill::{self, Left},
    cost::Charge,
    estimate,
    fault::GatewayFault,
    gateway::Gateway,
    kept::Place,
    live::Live,
    makers, reckon,
    record::{CallRecord, CallStatus},
    store::{self, Maker, MakerRow},
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
/// So long a client waits at most until the catalog knows who makes its response. It is told there once more when its call is
/// settled.
const NOTED_WITHIN: Duration = Duration::from_secs(2);
/// A provider that does not know a response any more so often in turn does not keep it.
const UNKNOWN: u32 = 3;
/// No provider works on one for so long.
const GIVE_UP: Duration = Duration::from_secs(24 * 3_600);

type Key = (ProjectId, String);

fn key(record: &CallRecord) -> Key {
    (record.caller.project, record.response.clone().unwrap_or_default())
}

/// The responses that this process waits for.
#[derive(Debug)]
pub(crate) struct Background {
    waiting: Mutex<HashMap<Key, Arc<Heard>>>,
    turns: Semaphore,
}

impl Default for Background {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }
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

    fn is_over(&self, record: &CallRecord) {
        self.lock().remove(&key(record));
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
        let row = MakerRow::of(left.permit.worst());
        // From here on it is waited for, even if its client hangs up at this moment.
        self.wait_for(left, FIRST);
        // The others have to know before the call is settled who makes it.
        let Some(row) = row else { return };
        match timeout(NOTED_WITHIN, store::put_maker(self.inner.ledger.catalog(), &row)).await {
            Ok(Ok(())) => {}
            Ok(Err(found)) => {
                tracing::warn!(error = fault::chain(&found), "who makes a response in the background is not written down yet");
            }
            Err(_) => tracing::warn!("who makes a response in the background is not written down in time"),
        }
    }

    /// Goes on waiting for what an earlier process has left.
    pub(crate) fn follow_left(&self) {
        let mut first = FIRST;
        for permit in self.inner.ledger.take_left() {
            // As if this were the moment after it was begun.
            let mut record = CallRecord { status: CallStatus::Cancelled, ..permit.worst().clone() };
            bill::add_up(&mut record);
            self.wait_for(Left { permit, record, span: None }, first);
            first += APART;
        }
    }

    /// `first`: how long until it is asked for.
    fn wait_for(&self, left: Left, first: Duration) {
        let (gateway, heard) = (self.clone(), self.inner.background.wait(key(&left.record)));
        self.inner
            .tasks
            .spawn("gateway-background", move |stop| async move { gateway.waits(left, (heard.as_ref(), first), stop).await });
    }

    async fn waits(&self, left: Left, (heard, first): (&Heard, Duration), stop: Stop) {
        let outcome = tokio::select! {
            outcome = self.outcome(&left.record, (heard, first)) => Some(outcome),
            () = stop.requested() => None,
        };
        self.inner.background.is_over(&left.record);
        match outcome {
            Some(Some((status, body))) => self.settle(left, &status, &body),
            Some(None) => self.give_up(left),
            None => {
                left.permit.stays_open();
                if let Some(mut span) = left.span {
                    span.set(trace::STATUS, "in the background");
                    span.finish();
                }
            }
        }
    }

    /// How the response ended, and the whole of it; nothing where that will not be known.
    async fn outcome(&self, record: &CallRecord, (heard, first): (&Heard, Duration)) -> Option<(String, Bytes)> {
        let response = record.response.as_deref()?;
        let until = record.at.plus(GIVE_UP);
        let (mut pause, mut unknown) = (first, 0);
        loop {
            let _ = timeout(pause.mul_f64(rand::random_range(0.75..=1.0)), heard.told.notified()).await;
            pause = (pause * 2).min(LONGEST);
            let asked = match heard.last() {
                Some(body) => Ok(body),
                None => {
                    let _turn = self.inner.background.turns.acquire().await;
                    self.read(record, response).await
                }
            };
            unknown = match &asked {
                Err(fault) if fault.class() == Some(FaultClass::NotFound) => unknown + 1,
                _ => 0,
            };
            match asked {
                Ok(body) => {
                    if let Some(status) = makers::ended(response, &body) {
                        return Some((status, body));
                    }
                }
                Err(_) if unknown == UNKNOWN => return None,
                Err(fault) => tracing::debug!(%fault, response, "a response in the background could not be read"),
            }
            if self.inner.reach.clock.now() >= until {
                return None;
            }
        }
    }

    async fn read(&self, record: &CallRecord, response: &str) -> Result<Bytes, GatewayFault> {
        let maker = Maker {
            model: record.model.clone(),
            route: record.route.clone(),
            provider: record.provider.clone().unwrap_or_default(),
            target: record.target.clone().unwrap_or_default(),
        };
        self.read_from(record.caller.project, response, &maker).await
    }

    async fn read_from(&self, project: ProjectId, response: &str, maker: &Maker) -> Result<Bytes, GatewayFault> {
        let place = Place { project, maker, kept: Kept { about: About::Read, response, query: None } };
        let said = self.say(place, &HeaderMap::new(), Instant::now() + WITHIN).await?;
        Ok(said.whole().await?)
    }

    /// Before a response that is waited for goes away it is asked once more.
    pub(crate) async fn hear_of(&self, project: ProjectId, response: &str, maker: &Maker) {
        if self.inner.background.is_waiting(project, response)
            && let Ok(body) = self.read_from(project, response, maker).await
        {
            self.inner.background.hear(project, response, &body);
        }
    }

    fn settle(&self, left: Left, status: &str, body: &[u8]) {
        let Left { permit, mut record, span } = left;
        let told = OpenAi { azure: false }.usage(Operation::Responses, body);
        let usage = told.unwrap_or_else(|| guess(permit.worst(), status, body));
        if told.is_some() || !usage.is_nothing() {
            let charge = self.price(&record, &usage);
            let (provider, target) = (record.provider.clone().unwrap_or_default(), record.target.clone().unwrap_or_default());
            bill::enter(&mut record, (provider.as_str(), target.as_str()), &usage, charge.as_ref());
            if charge.is_none() && !usage.is_nothing() {
                self.inner.desk.counters.unpriced();
            }
        }
        record.status = match status {
            "failed" => CallStatus::Failed,
            "cancelled" => CallStatus::Cancelled,
            _ => CallStatus::Ok,
        };
        record.class = (record.status == CallStatus::Failed).then_some(FaultClass::Server);
        let took = self.inner.reach.clock.now().since(record.at);
        record.took_ms = bill::millis(took);
        record.conclude();
        permit.settle(record.clone());
        self.tell(record, span, "upstream-server");
    }

    /// What it used will never be known: it costs what was set aside, as a call does whose process died.
    fn give_up(&self, left: Left) {
        let record = left.permit.interrupt();
        tracing::warn!(call = %record.id, "a response in the background cannot be read any more: it costs what was set aside");
        self.tell(record, left.span, "internal");
    }

    fn tell(&self, record: CallRecord, span: Option<OpenSpan>, code: &'static str) {
        let desk = &self.inner.desk;
        if let Some(span) = span {
            bill::close(span, &record, Some(code));
        }
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

/// What a response used that does not say so: what its request says, and what is seen of its text. One that failed before it
/// wrote anything used nothing, as far as anybody knows.
fn guess(worst: &CallRecord, status: &str, body: &[u8]) -> TokenUsage {
    let written = reckon::tokens(estimate::streamed_text(body, &["\"text\"", "\"content\"", "\"arguments\""]));
    if status == "failed" && written == 0 {
        return TokenUsage::default();
    }
    TokenUsage {
        input: worst.usage.input,
        output: written.min(worst.usage.output),
        input_from: Provenance::Estimated,
        output_from: Provenance::Estimated,
        ..TokenUsage::default()
    }
}
