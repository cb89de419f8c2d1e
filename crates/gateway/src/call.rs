//! One call from start to end: found, looked up in the cache, let in, asked, handed over, settled.

use std::{sync::Arc, time::Duration};

use http::HeaderMap;
use mainspring_kernel::{
    Fault, Money, Timestamp,
    id::{CallId, ProjectId},
    text,
};
use mainspring_llm::{
    TokenUsage,
    exchange::Dialect,
    trace::{SpanKind, names},
};
use mainspring_providers::Operation;
use tokio::time::{Instant, timeout};

use crate::{
    allowed,
    asked::Asked,
    background,
    bill::Bill,
    cache::{Compared, Look, Slot},
    choose,
    cost::Prices,
    estimate,
    fault::GatewayFault,
    gateway::Gateway,
    incurs::Incurs,
    ledger::{Candidate, Intent},
    live::{Live, Started},
    makers,
    over::Over,
    reckon,
    record::{CallRecord, CallStatus},
    routes::Route,
    run::Run,
    service::{Answered, CacheOutcome, Reading, Request},
    target::Target,
    told, trace,
};

/// The catalog is asked for no longer who made a response: then it is whose turn it is.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);
/// When to come back where too many answers are made in the background.
const FULL: Duration = Duration::from_secs(30);

/// A call that was let in, and the headers that tell its client of limits.
#[derive(Debug)]
pub(crate) struct LetIn {
    pub(crate) id: CallId,
    pub(crate) bill: Arc<Bill>,
    pub(crate) headers: HeaderMap,
}

impl Gateway {
    /// Makes a call. What comes back has begun; the bill of a stream is settled when it ends.
    pub async fn call(&self, request: Request) -> Result<Answered, GatewayFault> {
        self.called(request).await.map(|(answered, _)| answered)
    }

    /// The same with the call's bill, which knows what a stream cost when it has ended.
    pub(crate) async fn called(&self, request: Request) -> Result<(Answered, Arc<Bill>), GatewayFault> {
        let started = Instant::now();
        let route = self.resolve(request.caller.project, &request.peeked.model)?;
        self.may_stay(&request)?;
        let asked = Asked::of(request, route, started);
        let prices = self.inner.ledger.prices(asked.request.caller.project);
        let look = self.inner.cache.look(&asked);
        // Before anything is computed for the call: one that is over a limit is not worth an embedding.
        let admitted = self.let_in(&asked, &prices, look.outcome()).await?;
        let bill = Arc::clone(&admitted.bill);
        let answered = match look {
            Look::Off => self.ask(&asked, &prices, (admitted, None)).await?,
            Look::Hit(found) => self.given(&asked, &found, false, admitted),
            Look::Miss(sought) => match self.inner.cache.compare(&asked, sought).await {
                Compared::Alike(found) => self.given(&asked, &found, true, admitted),
                Compared::Miss(slot) => {
                    self.inner.desk.counters.cache(CacheOutcome::Miss);
                    self.ask(&asked, &prices, (admitted, Some(slot))).await?
                }
            },
        };
        Ok((answered, bill))
    }

    /// The route a model name means in a project, or the path to a provider's or a local model.
    pub(crate) fn resolve(&self, project: ProjectId, model: &str) -> Result<Arc<Route>, GatewayFault> {
        self.find(project, model).ok_or_else(|| self.unknown(project, model))
    }

    pub(crate) fn find(&self, project: ProjectId, model: &str) -> Option<Arc<Route>> {
        let routes = self.inner.routes.of(project);
        let states = &self.inner.routes.states;
        let local = || self.inner.reach.has(model).then(|| routes.local(model, states));
        routes.exact(model).or_else(local).or_else(|| routes.fitting(model, states))
    }

    /// Whether a call of this name is answered here: by a route, by a provider's model or by a model of this process.
    #[must_use]
    pub fn has(&self, project: ProjectId, model: &str) -> bool {
        self.find(project, model).is_some()
    }

    /// That nobody here has the name, with the nearest one that somebody has.
    #[must_use]
    pub fn unknown(&self, project: ProjectId, model: &str) -> GatewayFault {
        let names = self.inner.routes.of(project).names();
        let nearest = text::nearest(model, names.iter().map(String::as_str)).map(str::to_owned);
        GatewayFault::UnknownModel { model: text::elide(model, 80), nearest }
    }

    async fn ask(
        &self,
        asked: &Asked,
        prices: &Prices,
        (admitted, slot): (LetIn, Option<Slot>),
    ) -> Result<Answered, GatewayFault> {
        let outcome = if slot.is_some() { CacheOutcome::Miss } else { CacheOutcome::Off };
        let seen = asked.question().weigh(&asked.route, prices, Instant::now());
        let mut order = choose::order(&seen, asked.route.spec.choose, asked.sticky(), &mut rand::rng());
        if let Some(index) = self.maker(asked).await {
            order.prefer(index);
        }
        match Run::of(&self.inner.reach, &self.inner.desk, (asked, &admitted.bill), order).run().await {
            Ok(got) => {
                let left = got.left().map(|response| (response.to_owned(), Arc::clone(&admitted.bill)));
                let answered = Over { cache: &self.inner.cache, asked, admitted, outcome, slot }.hand(got);
                if let Some(left) = left.and_then(|(response, bill)| bill.leave(response)) {
                    Box::pin(self.follow(left)).await;
                }
                Ok(answered)
            }
            Err(fault) => {
                admitted.bill.fails(&fault);
                told::failed(&asked.request.told, asked.request.trace.trace, Some(&admitted.bill));
                Err(fault)
            }
        }
    }

    /// The target that made the response the request goes on from. What is not remembered here the catalog may know.
    async fn maker(&self, asked: &Asked) -> Option<usize> {
        let (project, targets) = (asked.request.caller.project, &asked.route.targets);
        if asked.request.said_in != Dialect::OpenAiResponses || targets.len() < 2 {
            return None;
        }
        let response = makers::previous(&asked.request.body)?;
        // Another model of an account may have made it, which is not among these.
        let remembered = self.inner.desk.makers.of(project, response);
        if let Some(index) = remembered.and_then(|id| targets.iter().position(|target| target.id == id)) {
            return Some(index);
        }
        let known = timeout(KNOWN_WITHIN, Box::pin(self.known_maker(project, makers::plain(response)?))).await.ok()?;
        let maker = known.inspect_err(|fault| tracing::debug!(%fault, "who made a response could not be read")).ok()??;
        let is_it =
            |target: &Target| target.provider.name.as_str() == maker.provider && target.model(&asked.named) == maker.target;
        // Another model of the same account knows the response too.
        let same = |target: &Target| target.provider.name.as_str() == maker.provider;
        targets.iter().position(is_it).or_else(|| targets.iter().position(same))
    }

    /// A line of a batch has one answer, which is there when the batch is.
    fn may_stay(&self, request: &Request) -> Result<(), GatewayFault> {
        if request.operation != Operation::Responses || !request.peeked.background {
            return Ok(());
        }
        if request.is_line() {
            return Err(GatewayFault::invalid("background", "a batch is made in the background as it is; leave it out"));
        }
        if self.inner.background.is_full() {
            let why = format!("{} answers are made in the background already", background::MOST);
            return Err(GatewayFault::NoTarget { model: request.peeked.model.clone(), why, retry_after: Some(FULL) });
        }
        Ok(())
    }

    /// Asks the ledger, and opens the call's bill and span.
    async fn let_in(&self, asked: &Asked, prices: &Prices, cache: CacheOutcome) -> Result<LetIn, GatewayFault> {
        let request = &asked.request;
        let at = self.inner.reach.clock.now();
        let id = CallId::new(at);
        let operation = request.operation;
        let mut span = request.trace.start(format!("{} {}", operation.as_str(), asked.named), SpanKind::Internal);
        span.set(names::OPERATION, operation.as_str());
        span.set(names::REQUEST_MODEL, &*asked.named);
        span.set(trace::CALL, id.to_string());
        span.set(trace::ROUTE, asked.route.at());
        span.set(trace::CACHE, cache.as_str());
        if let Some(user) = &request.caller.user {
            span.set(names::USER, user.as_str());
        }
        if let Some(app) = &request.caller.app {
            span.set(names::APP, app.as_str());
        }
        if let Some(key) = request.caller.key {
            span.set(names::KEY, key.to_string());
        }
        let cached = !matches!(cache, CacheOutcome::Off | CacheOutcome::Miss);
        let permit = match self.inner.ledger.admit_async(&request.caller, &intent(asked, prices, (id, at), cached)).await {
            Ok(permit) => permit,
            Err(fault) => {
                let fault = GatewayFault::from(fault);
                self.inner.desk.counters.refused();
                span.fail(fault.code(), fault.to_string());
                told::failed(&request.told, request.trace.trace, None);
                return Err(fault);
            }
        };
        self.inner.desk.board.tell(|| Live::Started(Box::new(started(asked, id, at))));
        let headers = permit.headers();
        let opened = (permit, record(asked, id, at), span);
        let bill = Bill::open(Arc::clone(&self.inner.desk), prices.clone(), (operation, asked.started), opened);
        Ok(LetIn { id, bill, headers })
    }
}

/// What the call may come to: one attempt. Further ones are asked for when they are made.
fn intent(asked: &Asked, prices: &Prices, (id, at): (CallId, Timestamp), cached: bool) -> Intent {
    let Asked { request, route, named, .. } = asked;
    let is_paid = |target: &&Target| match request.operation {
        _ if cached => false,
        Operation::CountTokens => false,
        Operation::Moderations => prices.is_paid(target.place(named), request.batch),
        _ => true,
    };
    let paid: Vec<&Target> = route.targets.iter().filter(is_paid).collect();
    let candidate = |target: &Target| Candidate {
        provider: target.provider.name.clone(),
        kind: target.provider.kind(),
        preset: target.provider.preset,
        price_as: target.price_as(named).to_owned(),
        max_output_tokens: Some(asked.most(target)),
    };
    let Reads { most, about, searches, incurs } = if paid.is_empty() { Reads::nothing() } else { Reads::of(asked) };
    Intent {
        id,
        at,
        model: called(asked).to_owned(),
        route: route.name.as_ref().map(ToString::to_string),
        operation: request.operation,
        input_tokens_upper: most,
        input_tokens_about: about,
        searches_upper: searches,
        incurs,
        candidates: paid.into_iter().map(candidate).collect(),
        batch: request.batch,
        trace: request.trace.trace,
    }
}

/// What a call reads, wherever it goes: tokens at most and about, and what they may be.
struct Reads {
    most: u64,
    about: u64,
    searches: u64,
    incurs: Incurs,
}

impl Reads {
    const fn nothing() -> Self {
        Self { most: 0, about: 0, searches: 1, incurs: Incurs::ALL }
    }

    /// The body, and the most that a target's parameters add to it.
    fn of(asked: &Asked) -> Self {
        let Asked { request, route, size, .. } = asked;
        let (mut more, mut incurs) = (0, Incurs::of(&request.body));
        for parameters in route.targets.iter().map(|target| &target.spec.parameters).filter(|parameters| !parameters.is_empty()) {
            let added = allowed::added(parameters);
            more = more.max(added.len() as u64);
            incurs = incurs.and(Incurs::of(&added));
        }
        let ranks = request.operation == Operation::Rerank;
        let Reranking { again: (again, again_about), searches } = if ranks { Reranking::of(asked) } else { Reranking::NONE };
        let most = size.most().saturating_add(more).saturating_add(again);
        let about = size.about().saturating_add(estimate::about(more)).saturating_add(again_about);
        Self { most, about, searches, incurs }
    }
}

/// What a reranking may come to beside its body.
struct Reranking {
    /// Tokens at most and about: the question stands there once, and is read with each document.
    again: (u64, u64),
    /// As how many searches it may be billed, with a token in each byte of its documents.
    searches: u64,
}

impl Reranking {
    const NONE: Self = Self { again: (0, 0), searches: 1 };

    fn of(asked: &Asked) -> Self {
        match asked.reading() {
            Ok(Reading::Rerank(call)) => {
                let documents = (call.documents.len() as u64).saturating_sub(1);
                let again = (call.query.len() as u64).saturating_mul(documents);
                let searches = reckon::searches(call, |document| document.len() as u64);
                Self { again: (again, estimate::about(again)), searches }
            }
            // It may go on as it came: each byte may be a document, and what a question and so many documents come to is most
            // where each has half of the bytes. A guess of what it used is by its bytes too.
            _ => {
                let bytes = asked.size.most();
                Self { again: (bytes.saturating_mul(bytes) / 4, 0), searches: reckon::searches_of(bytes) }
            }
        }
    }
}

/// The name of the call's model for limits and records: as the client gives it, but of a model of this process, which is one
/// by whichever of its names it is called.
fn called(asked: &Asked) -> &str {
    asked.route.here().unwrap_or(&asked.named)
}

fn record(asked: &Asked, id: CallId, at: Timestamp) -> CallRecord {
    let Asked { request, route, .. } = asked;
    CallRecord {
        id,
        caller: request.caller.clone(),
        at,
        took_ms: 0,
        first_ms: None,
        model: called(asked).to_owned(),
        route: route.name.as_ref().map(ToString::to_string),
        provider: None,
        target: None,
        operation: request.operation.as_str().to_owned(),
        status: CallStatus::Cancelled,
        class: None,
        attempts: 0,
        usage: TokenUsage::default(),
        cost: Money::ZERO,
        price: None,
        charges: Vec::new(),
        cached: false,
        batch: request.batch,
        response: None,
        account: None,
        background: None,
        trace: request.trace.trace,
    }
}

fn started(asked: &Asked, id: CallId, at: Timestamp) -> Started {
    let Asked { request, route, .. } = asked;
    Started {
        id,
        caller: request.caller.clone(),
        at,
        model: called(asked).to_owned(),
        route: route.name.as_ref().map(ToString::to_string),
        operation: request.operation.as_str().to_owned(),
        stream: request.peeked.stream,
        batch: request.batch,
        trace: request.trace.trace,
    }
}
