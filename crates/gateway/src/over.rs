//! An answer is handed over to the surface: whole and settled, as a stream that settles itself, or from the cache.

use std::sync::Arc;

use futures::{StreamExt, future::BoxFuture};
use http::{HeaderMap, HeaderName, HeaderValue};
use mainspring_kernel::Money;
use mainspring_llm::{Budget, Told};

use crate::{
    asked::Asked,
    attempt::Attempt,
    begin::{Begun, Flow},
    bill::{Settled, Spent},
    cache::{Cache, Found, Keeper, Slot},
    call::LetIn,
    flow::Handed,
    gateway::Gateway,
    record::CallStatus,
    run::Got,
    service::{Answered, Body, CacheOutcome, CacheWish, Request},
};

/// By which price a call is paid: `gpt-4o@3f2a…`, or `unknown`.
const PRICE: HeaderName = HeaderName::from_static("x-mainspring-price");

/// What an answer is handed over with.
pub(crate) struct Over<'a> {
    pub(crate) cache: &'a Arc<Cache>,
    pub(crate) asked: &'a Asked,
    pub(crate) admitted: LetIn,
    pub(crate) outcome: CacheOutcome,
    /// Where the cache keeps it.
    pub(crate) slot: Option<Slot>,
}

/// Who answered, and what is said beside the answer.
struct Origin {
    provider: String,
    target: String,
    lost: Vec<String>,
    headers: HeaderMap,
}

impl Origin {
    fn of(attempt: &Attempt, lost: Vec<String>, mut headers: HeaderMap) -> Self {
        let (provider, target) = attempt.names();
        if let Some(price) = attempt.price().and_then(|price| HeaderValue::from_str(&price).ok()) {
            headers.insert(PRICE, price);
        }
        Self { provider, target, lost, headers }
    }
}

impl Over<'_> {
    pub(crate) fn hand(mut self, got: Got) -> Answered {
        match got {
            Got::Whole { attempt, body, lost, headers } => {
                let from = Origin::of(&attempt, lost, headers);
                let goes_on = attempt.left().is_some();
                // Whatever an attempt still has to say of its cost it says when it goes.
                drop(attempt);
                let settled = if goes_on { None } else { self.admitted.bill.settle(CallStatus::Ok, None) };
                if let Some(keeper) = self.keeper(&from) {
                    keeper.keep(&body, settled.map(|settled| settled.usage));
                }
                self.answered(from, body, settled)
            }
            Got::Stream(begun) => self.stream(begun),
        }
    }

    fn stream(mut self, begun: Begun) -> Answered {
        let Begun { attempt, flow, lost, headers } = begun;
        let from = Origin::of(&attempt, lost, headers);
        let (keeper, ending) = (self.keeper(&from), self.asked.request.told.ending());
        let (bill, of) = (&self.admitted.bill, (&*self.asked.named, self.asked.deadline));
        let handed = Handed::new(attempt, Arc::clone(bill), keeper, ending.clone());
        let told = (Some(bill), ending);
        let body = match flow {
            Flow::Passing(passing) => Body::Chunks(bill.streams().hold(passing.stream(handed), of, told)),
            Flow::Translating(translating) => Body::Events(bill.streams().hold(translating.stream(handed), of, told)),
            // Only streams come here; a whole answer has been read before.
            Flow::Ready(body) => body,
            Flow::Head(_) => Body::Bytes(bytes::Bytes::new()),
        };
        self.answered(from, body, None)
    }

    fn keeper(&mut self, from: &Origin) -> Option<Keeper> {
        let Origin { provider, target, lost, headers } = from;
        let named = (provider.clone(), target.clone());
        self.slot.take().map(|slot| Keeper::new(Arc::clone(self.cache), slot, named, (lost.clone(), headers.clone())))
    }

    fn answered(self, from: Origin, body: Body, settled: Option<Settled>) -> Answered {
        let Origin { provider, target, lost, mut headers } = from;
        let Self { asked, admitted: LetIn { id, bill, headers: limits }, outcome, .. } = self;
        headers.extend(limits);
        Answered {
            call: id,
            route: asked.route.shown.clone(),
            provider,
            target,
            attempts: bill.attempts(),
            cache: outcome,
            cost: settled.and_then(|settled| settled.cost),
            spent: if settled.is_some() { Spent::default() } else { bill.spent() },
            usage: settled.map(|settled| settled.usage).filter(|usage| usage.total() > 0),
            lost,
            headers,
            body,
        }
    }
}

impl Gateway {
    /// An answer that was given before. It costs nothing and is counted by the limits on requests.
    pub(crate) fn given(&self, asked: &Asked, found: &Found, semantic: bool, admitted: LetIn) -> Answered {
        let outcome = match (semantic, found.stale) {
            (true, _) => CacheOutcome::SemanticHit,
            (false, true) => CacheOutcome::Stale,
            (false, false) => CacheOutcome::Hit,
        };
        let LetIn { id, bill, headers: limits } = admitted;
        self.inner.desk.counters.cache(outcome);
        let kept = &found.entry.kept;
        bill.settle_cached((&kept.provider, &kept.target), outcome);
        if outcome == CacheOutcome::Stale && found.entry.claim_refresh() {
            self.refresh_answer(asked, found);
        }
        let mut headers = kept.headers.clone();
        headers.remove(PRICE);
        headers.extend(limits);
        Answered {
            call: id,
            route: asked.route.shown.clone(),
            provider: kept.provider.clone(),
            target: kept.target.clone(),
            attempts: 0,
            cache: outcome,
            cost: Some(Money::ZERO),
            spent: Spent::default(),
            usage: kept.usage,
            lost: kept.lost.clone(),
            headers,
            body: kept.body(),
        }
    }

    /// Fetches a new answer for one that is old, on behalf of whoever was given the old one.
    fn refresh_answer(&self, asked: &Asked, found: &Found) {
        let (gateway, entry, request) = (self.clone(), Arc::clone(&found.entry), again(asked));
        self.inner.tasks.spawn("gateway-cache-refresh", move |stop| async move {
            tokio::select! {
                () = gateway.fetch(request) => {}
                () = stop.requested() => {}
            }
            entry.release_refresh();
        });
    }

    /// Boxed: a call may start a task that makes a call.
    fn fetch(self, request: Request) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            match self.call(request).await {
                Ok(Answered { body: Body::Chunks(mut chunks), .. }) => while chunks.next().await.is_some() {},
                Ok(Answered { body: Body::Events(mut events), .. }) => while events.next().await.is_some() {},
                Ok(_) => {}
                Err(fault) => tracing::debug!(%fault, "an old answer could not be fetched anew"),
            }
        })
    }
}

/// The same request once more, for the cache alone.
fn again(asked: &Asked) -> Request {
    let request = &asked.request;
    Request {
        caller: request.caller.clone(),
        version: request.version.clone(),
        labels: request.labels.clone(),
        trace: request.trace.clone(),
        operation: request.operation,
        said_in: request.said_in,
        headers: request.headers.clone(),
        body: request.body.clone(),
        peeked: request.peeked.clone(),
        read: request.read,
        cache: CacheWish::Refresh,
        budget: Budget::of(asked.route.spec.timeouts.total.as_duration()),
        batch: request.batch,
        told: Told::default(),
    }
}
