//! The gateway as surfaces and the building see it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream::BoxStream;
use http::HeaderMap;
use mainspring_catalog::Catalog;
use mainspring_kernel::{Clock, Labels, Money, Tasks, id::CallId};
use mainspring_llm::{
    Budget, Models, SpanContext, TokenUsage, Told,
    exchange::{Answer, Call, Dialect, EmbedAnswer, EmbedCall, Event, RerankAnswer, RerankCall},
};
use mainspring_providers::{
    Credentials, Operation, Socket,
    peek::{Bounds, Peek, Places},
};
use mainspring_registry::Registry;
use mainspring_telemetry::Metrics;

use crate::{bill::Spent, fault::GatewayFault, record::Caller};

/// What the gateway is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    pub catalog: Catalog,
    pub registry: Registry,
    /// The engines of this process: targets of the type `local`, and the embedder of the semantic cache.
    pub models: Models,
    pub socket: Socket,
    pub credentials: Credentials,
    pub metrics: Metrics,
    pub tasks: Tasks,
    pub clock: Arc<dyn Clock>,
    /// Where the journal of calls lies.
    pub journal: std::path::PathBuf,
    /// The embedding model of semantic caches that name none.
    pub embedding: String,
    pub clients: Clients,
    /// A client that takes nothing of its stream for so long is gone.
    pub patience: Duration,
}

/// What clients may say in headers about traces, which belong to the owner of their project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clients {
    /// That what they asked or were answered is left out.
    pub may_omit: bool,
    /// Which of their own calls stand in one trace.
    pub may_name_traces: bool,
}

impl Default for Clients {
    fn default() -> Self {
        Self { may_omit: false, may_name_traces: true }
    }
}

/// What a surface knows of a request without reading all of it.
#[derive(Debug, Clone, Default)]
pub struct Peeked {
    pub model: String,
    pub stream: bool,
    /// How much may be written, as the client says.
    pub bounds: Bounds,
    pub user: Option<String>,
    pub session: Option<String>,
    /// The client asked for usage in the stream itself; otherwise the surface's dialect has to leave it out.
    pub include_usage: bool,
    /// The client wants an answer that is made while it is away.
    pub background: bool,
    /// The client wants an answer that no provider keeps.
    pub unkept: bool,
    /// Where the fields lie, so that the body need not be looked through again; left at its default, it is.
    pub places: Places,
}

impl From<Peek> for Peeked {
    fn from(peek: Peek) -> Self {
        let Peek { model, stream, bounds, user, session, include_usage, background, unkept, places } = peek;
        let model = model.unwrap_or_default();
        Self { model, stream, bounds, user, session, include_usage, background, unkept, places }
    }
}

/// What the request says once it is read whole; made only when policy or translation needs it.
#[derive(Debug, Clone)]
pub enum Reading {
    Chat(Box<Call>),
    Embed(EmbedCall),
    Rerank(RerankCall),
    /// Raw text that a model of this process goes on with, and that others are told by a user; the call has no turns.
    Text {
        prompt: String,
        call: Box<Call>,
    },
    /// Goes on as it came or not at all: moderations.
    Opaque,
}

/// Reads a whole body; given by the surface, since it knows the dialect. A fault here is the client's.
pub type Read = fn(&[u8]) -> Result<Reading, GatewayFault>;

/// One request of a client.
#[derive(Debug)]
pub struct Request {
    pub caller: Caller,
    /// Which version of an app asks, where one does.
    pub version: Option<String>,
    pub labels: Labels,
    pub trace: SpanContext,
    pub operation: Operation,
    pub said_in: Dialect,
    /// Of the client's headers those its dialect wants passed on: `anthropic-beta`, `openai-organization`…
    pub headers: HeaderMap,
    pub body: Bytes,
    pub peeked: Peeked,
    pub read: Read,
    pub cache: CacheWish,
    pub budget: Budget,
    /// Priced as calls in a batch are.
    pub batch: bool,
    /// What is told of it where no answer tells it: of a call that failed, where the rest stands and who was asked; of a stream,
    /// how it ended.
    pub told: Told,
}

impl Request {
    /// Whether nobody waits for the answer, which goes into a file when it is there.
    pub(crate) const fn is_line(&self) -> bool {
        self.batch || self.caller.line_of.is_some()
    }
}

/// What the client wants of the cache, by `x-mainspring-cache` or `cache-control`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheWish {
    #[default]
    AsConfigured,
    /// Do not answer from it, but keep the answer: `no-cache`.
    Refresh,
    /// Neither: `no-store`.
    Bypass,
}

/// An answer that has begun.
#[derive(Debug)]
pub struct Answered {
    pub call: CallId,
    pub route: String,
    pub provider: String,
    pub target: String,
    pub attempts: u32,
    pub cache: CacheOutcome,
    /// Of an answer that is whole, where its price is known. Of a stream nobody knows it yet, and `spent` does when it has ended.
    pub cost: Option<Money>,
    pub spent: Spent,
    pub usage: Option<TokenUsage>,
    /// What the target's dialect could not say, by field.
    pub lost: Vec<String>,
    /// Headers for the client: rate limits, and those of the provider that its clients read.
    pub headers: HeaderMap,
    pub body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheOutcome {
    Off,
    Miss,
    Hit,
    /// An old answer, while a new one is fetched.
    Stale,
    SemanticHit,
}

impl CacheOutcome {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Miss => "miss",
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::SemanticHit => "semantic-hit",
        }
    }
}

/// The client's dialect and the target's are one: bytes go through. Otherwise the surface writes what it is given.
/// Dropping a stream ends the attempt behind it.
pub enum Body {
    Bytes(Bytes),
    /// Pieces of an event stream in the client's own dialect, as they arrive.
    Chunks(BoxStream<'static, Result<Bytes, GatewayFault>>),
    Answer(Box<Answer>),
    Events(BoxStream<'static, Result<Event, GatewayFault>>),
    Embedded(EmbedAnswer),
    Reranked(RerankAnswer),
}

impl Body {
    /// What kind of body it is, for whoever looks at an answer without reading it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "bytes",
            Self::Chunks(_) => "chunks",
            Self::Answer(_) => "answer",
            Self::Events(_) => "events",
            Self::Embedded(_) => "embedded",
            Self::Reranked(_) => "reranked",
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&self.as_str()).finish()
    }
}
