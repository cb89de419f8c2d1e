//! Responses that were made before, asked of the provider that made them and keeps them. A project is told of its own only.

use std::{fmt, sync::Arc, time::Duration};

use async_stream::stream;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use mainspring_kernel::{Fault as _, Name, id::ProjectId};
use mainspring_llm::{Budget, Ending, SpanContext, trace::SpanKind};
use mainspring_providers::{About, Endpoint, Incoming, Kept, Patience, UpstreamFault, adapter, sse};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    begin::{ANSWER_MAX, handed_on, refused},
    fault::GatewayFault,
    gateway::Gateway,
    ledger::LedgerFault,
    makers,
    route::Timeouts,
    scan,
    store::{self, Maker},
    trace,
};

/// Another process writes down who made a response within a fraction of a second.
const SOON: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(400)];

/// What a client asks about a response.
#[derive(Debug)]
pub struct KeptRequest {
    pub project: ProjectId,
    pub response: String,
    pub about: About,
    /// What stands behind `?`.
    pub query: Option<String>,
    /// Of the client's headers those that the provider reads.
    pub headers: HeaderMap,
    pub trace: SpanContext,
    pub budget: Budget,
}

/// What its provider says.
#[derive(Debug)]
pub struct KeptAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: KeptBody,
    /// Of one that comes in pieces.
    pub ending: Ending,
}

pub enum KeptBody {
    Whole(Bytes),
    /// Whole events of a stream, as they arrive.
    Events(BoxStream<'static, Result<Bytes, GatewayFault>>),
}

impl fmt::Debug for KeptBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::Events(_) => "Events",
        })
    }
}

/// A response and who made it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) project: ProjectId,
    pub(crate) maker: &'a Maker,
    pub(crate) kept: Kept<'a>,
}

/// An answer that has begun.
pub(crate) struct Said {
    endpoint: Arc<Endpoint>,
    pub(crate) incoming: Incoming,
    timeouts: Timeouts,
    until: Instant,
}

impl Gateway {
    /// Who made a response of the project, where its provider keeps it.
    pub async fn made_by(&self, project: ProjectId, response: &str) -> Result<Option<Maker>, GatewayFault> {
        let Some(response) = makers::plain(response.as_bytes()) else { return Ok(None) };
        let mut found = self.known_maker(project, response).await?;
        if found.is_none() && self.inner.desk.makers.of(project, response.as_bytes()).is_some() {
            // It was made here, and its call waits to be written down.
            Box::pin(self.inner.ledger.flush()).await?;
            return self.known_maker(project, response).await;
        }
        for wait in SOON {
            if found.is_some() {
                break;
            }
            sleep(wait).await;
            found = self.known_maker(project, response).await?;
        }
        Ok(found)
    }

    /// Who made it, as far as the catalog knows at this moment.
    pub(crate) async fn known_maker(&self, project: ProjectId, response: &str) -> Result<Option<Maker>, GatewayFault> {
        let found = store::maker(self.inner.ledger.catalog(), project, response).await;
        Ok(found.map_err(LedgerFault::from)?)
    }

    /// Asks who made it. It costs nothing and is counted by no limit.
    pub async fn about(&self, request: KeptRequest, maker: &Maker) -> Result<KeptAnswer, GatewayFault> {
        let mut span = request.trace.start(format!("response {}", request.about.as_str()), SpanKind::Client);
        span.set(trace::TARGET, format!("{}/{}", maker.provider, maker.target));
        // Not which one: whoever knows its name may read it.
        match self.asked(&request, maker).await {
            Ok(answer) => {
                span.finish();
                Ok(answer)
            }
            Err(fault) => {
                span.fail(fault.code(), fault.class().map_or("it was not asked", |class| class.as_str()));
                Err(fault)
            }
        }
    }

    async fn asked(&self, request: &KeptRequest, maker: &Maker) -> Result<KeptAnswer, GatewayFault> {
        let KeptRequest { project, response, about, query, headers, trace: _, budget } = request;
        if *about == About::Delete {
            // What is deleted cannot be asked what it used.
            if let Ok(heard) = timeout_at(budget.deadline(), Box::pin(self.hear_of(*project, response, maker))).await {
                heard?;
            }
        }
        let place = Place { project: *project, maker, kept: Kept { about: *about, response, query: query.as_deref() } };
        let said = self.say(place, headers, budget.deadline()).await?;
        let (status, headers) = (said.incoming.status, handed_on(&said.endpoint, &said.incoming.headers));
        let kind = said.incoming.headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes().to_ascii_lowercase());
        if kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
            let (until, ending) = (said.until, Ending::default());
            let events = self.inner.desk.streams.hold(said.events(), (maker.model.as_str(), until), (None, &ending));
            return Ok(KeptAnswer { status, headers, body: KeptBody::Events(events), ending });
        }
        let body = said.whole().await?;
        if matches!(about, About::Read | About::Cancel) {
            self.inner.background.hear(*project, response, &body);
        }
        Ok(KeptAnswer { status, headers, body: KeptBody::Whole(body), ending: Ending::default() })
    }

    /// Sends a request to who keeps a response, and waits for the head of an answer that says yes.
    pub(crate) async fn say(&self, place: Place<'_>, headers: &HeaderMap, until: Instant) -> Result<Said, GatewayFault> {
        let Place { project, maker, kept } = place;
        let gone = || GatewayFault::MakerGone { provider: maker.provider.clone(), response: kept.response.to_owned() };
        let routes = self.inner.routes.of(project);
        let name = maker.provider.parse::<Name>().map_err(|_| gone())?;
        // Of the same name it may be another account now, which made nothing of this.
        let provider = routes.provider(&name).filter(|provider| provider.account == maker.account).ok_or_else(gone)?;
        // A name that now belongs to what is no server keeps nothing.
        let adapter = adapter(provider.kind()).ok_or_else(gone)?;
        let endpoint = provider.endpoint()?;
        let mut outgoing = adapter.kept(&endpoint, kept).ok_or_else(gone)??;
        for (name, value) in headers {
            outgoing.headers.append(name, value.clone());
        }
        let reach = &self.inner.reach;
        adapter.authorize(&endpoint, &mut outgoing, reach.clock.now())?;
        let route = maker.route.as_deref().and_then(|route| routes.exact(route));
        let timeouts = route.map(|route| route.spec.timeouts.clone()).unwrap_or_default();
        let until = until.min(Instant::now() + timeouts.total.as_duration());
        // A response that is made now says nothing while its model thinks.
        let first = if kept.about == About::Read { timeouts.for_stream() } else { timeouts.for_brief() };
        let (connect, first) = (timeouts.connect.as_duration(), first.as_duration());
        let patience = Patience { connect, first, idle: first, until };
        let incoming = reach.socket.send(&endpoint, outgoing, patience).await?;
        if !incoming.status.is_success() {
            let pause = timeouts.idle.as_duration();
            return Err(refused(incoming, (adapter, endpoint.as_ref()), pause).await.into());
        }
        Ok(Said { endpoint, incoming, timeouts, until })
    }
}

impl Said {
    pub(crate) async fn whole(mut self) -> Result<Bytes, UpstreamFault> {
        self.incoming.whole(ANSWER_MAX).await
    }

    /// Whole events only, so that an error can follow at any time.
    fn events(self) -> BoxStream<'static, Result<Bytes, GatewayFault>> {
        let Self { endpoint, mut incoming, timeouts, until: _ } = self;
        incoming.pauses(timeouts.idle.as_duration());
        stream! {
            let (mut events, mut complete) = (sse::Events::default(), Vec::new());
            loop {
                let (over, read) = match incoming.next_chunk().await {
                    Ok(Some(chunk)) => (false, events.split(&chunk, &mut complete).map_err(|fault| malformed(&endpoint, &fault))),
                    Ok(None) => {
                        complete.extend(events.end());
                        (true, Ok(()))
                    }
                    Err(fault) => (true, Err(fault)),
                };
                // One that quotes our key is told in our words.
                if complete.iter().any(|event| endpoint.is_quoted(event)) {
                    yield Err(GatewayFault::Upstream(UpstreamFault::malformed(&endpoint, "it quotes the key it was asked with")));
                    return;
                }
                if !complete.is_empty() {
                    yield Ok(scan::joined(&complete));
                    complete.clear();
                }
                if let Err(fault) = read {
                    yield Err(GatewayFault::Upstream(fault));
                    return;
                }
                if over {
                    return;
                }
            }
        }
        .boxed()
    }
}

fn malformed(endpoint: &Endpoint, fault: &sse::SseFault) -> UpstreamFault {
    UpstreamFault::malformed(endpoint, fault.to_string())
}
