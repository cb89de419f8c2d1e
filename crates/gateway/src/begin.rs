//! An attempt from its first byte out to its first byte back, and to the end of an answer that comes whole.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, header::CONTENT_TYPE};
use mainspring_kernel::Clock;
use mainspring_llm::{
    Models, Provenance, TokenUsage,
    exchange::{Answer, Dialect, Event},
};
use mainspring_providers::{
    Adapter, Endpoint, FaultClass, Incoming, Operation, Outgoing, Patience, ProviderKind, Socket, UpstreamFault, adapter,
};
use serde::de::IgnoredAny;
use tokio::time::{Instant, timeout};

use crate::{
    asked::{Asked, writes},
    attempt::Attempt,
    echo::Echo,
    estimate,
    fault::GatewayFault,
    flow::{Passing, Source, Translating, listen},
    here,
    local::Whole,
    makers,
    pass::{self, Passed},
    scan::{self, Scan},
    service::Body,
    told, trace,
    translate::{self, Shape, Translated},
};

/// An answer in one piece may be so long: thousands of embeddings.
pub(crate) const ANSWER_MAX: usize = 128 * 1024 * 1024;
/// Of an answer that says no, so much is read, for so long.
const REFUSAL_MAX: usize = 256 * 1024;
const REFUSAL_WITHIN: Duration = Duration::from_secs(30);

/// How attempts reach out.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    pub(crate) socket: Socket,
    pub(crate) models: Models,
    pub(crate) clock: Arc<dyn Clock>,
}

/// An attempt whose answer has begun.
pub(crate) struct Begun {
    pub(crate) attempt: Attempt,
    pub(crate) flow: Flow,
    pub(crate) lost: Vec<String>,
    pub(crate) headers: HeaderMap,
}

pub(crate) enum Flow {
    Passing(Box<Passing>),
    Translating(Box<Translating>),
    /// The head of an answer that comes in one piece.
    Head(Box<Head>),
    /// Of a model of this process.
    Ready(Body),
}

/// An answer that begins, the fields of the request that were left behind, and headers for the client.
pub(crate) type Beginning = (Flow, Vec<String>, HeaderMap);

pub(crate) struct Head {
    incoming: Incoming,
    adapter: &'static dyn Adapter,
    endpoint: Arc<Endpoint>,
    way: Way,
    /// Of an answer whose provider names none.
    id: String,
    /// What of it is the request's.
    echo: Option<Echo>,
}

/// How a request goes out, and so how its answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Pass { strip: bool },
    Translate(Shape),
}

struct Prepared {
    outgoing: Outgoing,
    way: Way,
    lost: Vec<String>,
}

impl Reach {
    /// Whether a model of this process has the name.
    pub(crate) fn has(&self, name: &str) -> bool {
        let models = &self.models;
        models.chat_names().chain(models.embedder_names()).chain(models.reranker_names()).any(|known| known == name)
    }

    /// Asks the attempt's target and waits until its answer begins. A fault has been told to the attempt.
    pub(crate) async fn begin(&self, asked: &Asked, index: usize, mut attempt: Attempt) -> Result<Begun, GatewayFault> {
        let until = asked.deadline.min(Instant::now() + asked.route.spec.timeouts.attempt.as_duration());
        let begun = match asked.route.targets[index].provider.kind() {
            _ if asked.request.operation == Operation::CountTokens && !is_counted_there(asked, index) => {
                self.count(asked, index).await
            }
            ProviderKind::Local if asked.is_background() => {
                let why = "`background` cannot be said to a model of this process".to_owned();
                Err(asked.route.targets[index].fault(FaultClass::Unsupported, why).into())
            }
            ProviderKind::Local => self.begin_local(asked, index, (&mut attempt, until)).await,
            _ => match self.begin_remote(asked, index, (&mut attempt, until)).await {
                Err(fault) if cannot_count(asked, index, &fault) => self.count(asked, index).await,
                begun => begun,
            },
        };
        match begun {
            Ok((flow, lost, headers)) => {
                if !lost.is_empty() {
                    attempt.mark(|span| span.set(trace::LOST, told::line(&lost)));
                }
                Ok(Begun { attempt, flow, lost, headers })
            }
            Err(fault) => Err(attempt.told(fault)),
        }
    }

    async fn begin_remote(
        &self,
        asked: &Asked,
        index: usize,
        (attempt, until): (&mut Attempt, Instant),
    ) -> Result<Beginning, GatewayFault> {
        let target = &asked.route.targets[index];
        let endpoint = target.endpoint(&asked.named)?;
        let Some(adapter) = adapter(endpoint.kind) else {
            return Err(UpstreamFault::unsupported(&endpoint, asked.request.operation.as_str()).into());
        };
        let Prepared { mut outgoing, way, lost } = prepare(asked, index, (adapter, endpoint.as_ref()))?;
        adapter.authorize(&endpoint, &mut outgoing, self.clock.now())?;
        let timeouts = &asked.route.spec.timeouts;
        let (connect, first, pause) = (timeouts.connect.as_duration(), asked.begins_within(), timeouts.idle.as_duration());
        // Some send the head of a whole answer at once, and its text when it is written. Until a stream has begun, whatever
        // comes is a sign of life and gives it as much time again.
        let idle = if asked.comes_whole() { pause.max(first) } else { first };
        // What is translated repeats nothing.
        let echo = match way {
            Way::Pass { .. } => Echo::of(asked.request.operation, &outgoing.body),
            Way::Translate(_) => None,
        };
        attempt.sends();
        let mut incoming = self.socket.send(&endpoint, outgoing, Patience { connect, first, idle, until }).await?;
        if !incoming.status.is_success() {
            return Err(refused(incoming, (adapter, endpoint.as_ref()), pause).await.into());
        }
        attempt.is_answered();
        let headers = handed_on(&endpoint, &incoming.headers);
        if !asked.request.peeked.stream {
            // What passes through has the name it came with.
            let id = if matches!(way, Way::Translate(_)) { asked.answer_id() } else { String::new() };
            let head = Head { incoming, adapter, endpoint, way, id, echo };
            return Ok((Flow::Head(Box::new(head)), lost, headers));
        }
        let flow = match way {
            Way::Pass { strip } => {
                is_stream(&mut incoming, (adapter, endpoint.as_ref())).await?;
                let scan = Scan::of(asked.request.operation, strip).repeating(echo);
                let (head, found) = (Vec::new(), Vec::new());
                let mut passing = Passing { incoming, adapter, endpoint: Arc::clone(&endpoint), scan, head, found, over: false };
                passing.begin(attempt).await?;
                passing.incoming.pauses(pause);
                Flow::Passing(Box::new(passing))
            }
            Way::Translate(_) => {
                let reader = adapter.events(&endpoint);
                let mut translating = Translating::of(Source::Remote { incoming: Box::new(incoming), reader }, asked.answer_id());
                translating.begin(attempt).await?;
                translating.pauses(pause);
                Flow::Translating(Box::new(translating))
            }
        };
        attempt.begins();
        Ok((flow, lost, headers))
    }
}

/// Whether the target's provider counts tokens itself. One that lacks its key says so where nobody else could count as well.
fn is_counted_there(asked: &Asked, index: usize) -> bool {
    let target = &asked.route.targets[index];
    let said_in = asked.request.said_in;
    match target.endpoint(&asked.named) {
        Ok(endpoint) => adapter(endpoint.kind).is_some_and(|adapter| adapter.counts(&endpoint, said_in)),
        Err(_) => target.provider.kind() == ProviderKind::Anthropic && said_in == Dialect::Anthropic,
    }
}

/// Whether tokens are counted here after all: the model, or the server, has no way to count them. A client of Anthropic's is
/// told what Anthropic itself says.
fn cannot_count(asked: &Asked, index: usize, fault: &GatewayFault) -> bool {
    let kind = asked.route.targets[index].provider.kind();
    let told = asked.request.said_in == Dialect::Anthropic && kind == ProviderKind::Anthropic;
    let cannot = matches!(fault.class(), Some(FaultClass::NotFound | FaultClass::Unsupported | FaultClass::Invalid));
    asked.request.operation == Operation::CountTokens && !told && cannot
}

fn prepare(asked: &Asked, index: usize, place: (&dyn Adapter, &Endpoint)) -> Result<Prepared, GatewayFault> {
    let spec = &asked.route.targets[index].spec;
    if let Some(passed) = pass::request(asked, spec, place) {
        let Passed { outgoing, strip, lost } = passed?;
        return Ok(Prepared { outgoing, way: Way::Pass { strip }, lost });
    }
    let Translated { outgoing, shape, lost } = translate::request(asked, spec, place)?;
    Ok(Prepared { outgoing, way: Way::Translate(shape), lost })
}

/// What an answer that says no means. One whose text does not come is a refusal all the same.
pub(crate) async fn refused(
    mut incoming: Incoming,
    (adapter, endpoint): (&dyn Adapter, &Endpoint),
    pause: Duration,
) -> UpstreamFault {
    let (status, headers) = (incoming.status, std::mem::take(&mut incoming.headers));
    let body = timeout(pause.min(REFUSAL_WITHIN), incoming.whole(REFUSAL_MAX)).await;
    let body = body.ok().and_then(Result::ok).unwrap_or_default();
    adapter.refusal(endpoint, status, &headers, &body)
}

/// Refuses an answer that is no stream before a byte of it goes anywhere.
async fn is_stream(incoming: &mut Incoming, (adapter, endpoint): (&dyn Adapter, &Endpoint)) -> Result<(), UpstreamFault> {
    let kind = incoming.headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes().to_ascii_lowercase()).unwrap_or_default();
    if !kind.starts_with(b"application/json") && !kind.starts_with(b"text/html") {
        return Ok(());
    }
    let body = incoming.whole(REFUSAL_MAX).await?;
    Err(if scan::is_error_answer(&body) {
        scan::said(adapter, endpoint, &body)
    } else {
        UpstreamFault::malformed(endpoint, "a stream was asked for, and what came is none")
    })
}

/// Headers of the provider that its own clients read. Its rate limits are not theirs: ours stand there. One that quotes our
/// key is nobody's.
pub(crate) fn handed_on(endpoint: &Endpoint, headers: &HeaderMap) -> HeaderMap {
    let read = |name: &HeaderName| {
        let name = name.as_str();
        let own = name.starts_with("openai-") || (name.starts_with("anthropic-") && !name.starts_with("anthropic-ratelimit-"));
        own || matches!(name, "request-id" | "x-request-id" | "cf-ray")
    };
    let handed = headers.iter().filter(|(name, value)| read(name) && !endpoint.is_quoted(value.as_bytes()));
    handed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl Begun {
    pub(crate) const fn is_stream(&self) -> bool {
        matches!(self.flow, Flow::Passing(_) | Flow::Translating(_))
    }

    /// Reads an answer that comes in one piece to its end. A fault has been told to the attempt.
    pub(crate) async fn finish(self) -> Result<(Attempt, Body, Vec<String>, HeaderMap), GatewayFault> {
        let Self { mut attempt, flow, lost, headers } = self;
        let read = match flow {
            Flow::Ready(body) => Ok(body),
            Flow::Head(head) => head.read(&mut attempt).await,
            Flow::Translating(translating) => collect(*translating, &mut attempt).await,
            Flow::Passing(_) => Err(attempt.unfinished()),
        };
        match read {
            Ok(body) => {
                if let Some(usage) = usage_of(&body) {
                    attempt.saw(&usage);
                }
                attempt.completes();
                Ok((attempt, body, lost, headers))
            }
            Err(fault) => Err(attempt.told(fault)),
        }
    }
}

fn usage_of(body: &Body) -> Option<TokenUsage> {
    match body {
        Body::Answer(answer) => answer.usage,
        Body::Embedded(answer) => answer.usage,
        Body::Reranked(answer) => answer.usage,
        // Seen while it was read.
        Body::Bytes(_) | Body::Chunks(_) | Body::Events(_) => None,
    }
}

async fn collect(mut translating: Translating, attempt: &mut Attempt) -> Result<Body, GatewayFault> {
    let mut whole = Whole::new();
    let mut events = std::mem::take(&mut translating.head);
    loop {
        for event in events.drain(..) {
            listen(attempt, &event);
            if matches!(event, Event::Ended) {
                return Ok(Body::Answer(Box::new(whole.answer())));
            }
            whole.push(event);
        }
        if translating.over {
            return Err(attempt.unfinished());
        }
        if let Err(fault) = translating.more(&mut events).await {
            // What came before it was used.
            events.iter().for_each(|event| listen(attempt, event));
            return Err(fault);
        }
    }
}

impl Head {
    async fn read(mut self, attempt: &mut Attempt) -> Result<Body, GatewayFault> {
        let bytes = self.incoming.whole(ANSWER_MAX).await?;
        let Self { adapter, endpoint, way, id, echo, .. } = self;
        Ok(match way {
            Way::Pass { .. } => {
                look(&bytes, (adapter, endpoint.as_ref()), (attempt, echo))?;
                Body::Bytes(bytes)
            }
            Way::Translate(shape) => {
                // Paid for, even if nobody can read the rest: by what it says it used, or else by what it is seen to hold.
                let told = adapter.usage(attempt.operation(), &bytes);
                if let Some(usage) = &told {
                    attempt.saw(usage);
                }
                if is_guessed(attempt.operation(), told.as_ref()) {
                    attempt.wrote(estimate::streamed_text(&bytes, &["\"text\"", "\"content\""]));
                }
                match shape {
                    Shape::Chat => {
                        let answer = adapter.decode(&endpoint, &bytes)?;
                        let id = if answer.id.is_empty() { id } else { answer.id };
                        Body::Answer(Box::new(Answer { id, ..answer }))
                    }
                    Shape::Embed => Body::Embedded(adapter.decode_embed(&endpoint, &bytes)?),
                    Shape::Count => {
                        let tokens = adapter.decode_count(&endpoint, &bytes)?;
                        Body::Answer(Box::new(here::counted(&endpoint.model, tokens, Provenance::Reported)))
                    }
                    Shape::Rerank => Body::Reranked(adapter.decode_rerank(&endpoint, &bytes)?),
                }
            }
        })
    }
}

/// Notes which response an answer is, and whether it goes on in the background.
fn name(bytes: &[u8], endpoint: &Endpoint, attempt: &mut Attempt) -> Result<(), UpstreamFault> {
    let goes_on = if attempt.is_background() { makers::under_way(bytes) } else { None };
    match goes_on {
        Some(id) if makers::plain(id.as_bytes()).is_some() => attempt.made(id.as_bytes(), true),
        // Nobody could come back for it, or ask what it used.
        Some(_) => return Err(UpstreamFault::malformed(endpoint, "a response in the background has no name to ask for it by")),
        None => {
            if let Some(id) = makers::made(bytes) {
                attempt.made(id, false);
            }
        }
    }
    Ok(())
}

/// Whether what a whole answer has written is guessed from its text. Documents that were ranked have texts, and nobody wrote
/// them.
fn is_guessed(operation: Operation, told: Option<&TokenUsage>) -> bool {
    writes(operation) && told.is_none_or(|told| told.output == 0)
}

/// What an answer that passes through says of itself. One that tells its usage has been read as JSON; another is checked
/// for being JSON at all. An order of documents is read.
fn look(
    bytes: &Bytes,
    (adapter, endpoint): (&dyn Adapter, &Endpoint),
    (attempt, echo): (&mut Attempt, Option<Echo>),
) -> Result<(), UpstreamFault> {
    let operation = attempt.operation();
    if operation == Operation::Responses {
        name(bytes, endpoint, attempt)?;
    }
    let usage = adapter.usage(operation, bytes);
    if let Some(usage) = &usage {
        attempt.saw(usage);
    }
    if is_guessed(operation, usage.as_ref()) {
        let beside = echo.and_then(|mut echo| echo.beside(bytes));
        attempt.wrote(beside.unwrap_or_else(|| estimate::whole_text(operation, bytes)));
    }
    if scan::is_error_answer(bytes) {
        return Err(scan::said(adapter, endpoint, bytes));
    }
    let looks = scan::looks_like(operation, bytes);
    // Clients sort by it, and it is short beside what it sorts: one that cannot be read would be an order of nothing.
    if operation == Operation::Rerank && looks {
        return adapter.decode_rerank(endpoint, bytes).map(drop);
    }
    if usage.is_some() && operation != Operation::Rerank {
        return Ok(());
    }
    match serde_json::from_slice::<IgnoredAny>(bytes) {
        Ok(_) if looks => Ok(()),
        Ok(_) => Err(UpstreamFault::malformed(endpoint, "it is JSON and no answer")),
        Err(error) => Err(UpstreamFault::malformed(endpoint, format!("it is no JSON: {error}"))),
    }
}
