//! Spans in OpenTelemetry's model, with the attribute names of its GenAI semantic conventions.

use std::{fmt, str::FromStr, sync::Arc};

use mainspring_kernel::{Clock, Timestamp, id::ProjectId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

macro_rules! otel_id {
    ($name:ident, $bytes:literal) => {
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// A new random id; never all zeros, which OpenTelemetry reserves.
            #[must_use]
            pub fn random() -> Self {
                loop {
                    let bytes: [u8; $bytes] = rand::random();
                    if bytes != [0; $bytes] {
                        return Self(bytes);
                    }
                }
            }
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
            /// From the wire; all zeros is no id.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                let bytes: [u8; $bytes] = bytes.try_into().ok()?;
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Some are written for every span that comes in, so into no memory of their own.
                let mut digits = [0_u8; $bytes * 2];
                hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
                f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = OtelIdFault;
            fn from_str(text: &str) -> Result<Self, OtelIdFault> {
                let mut bytes = [0_u8; $bytes];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| OtelIdFault { digits: $bytes * 2 })?;
                Self::from_slice(&bytes).ok_or(OtelIdFault { digits: $bytes * 2 })
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of {digits} hex digits, not all zero")]
pub struct OtelIdFault {
    pub digits: usize,
}

otel_id!(TraceId, 16);
otel_id!(SpanId, 8);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "code", content = "message")]
pub enum SpanStatus {
    Unset,
    Ok,
    Error(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanEvent {
    pub name: String,
    pub at: Timestamp,
    pub attributes: Map<String, Value>,
}

/// What a span points to beside its parent, in its own trace or another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanLink {
    pub trace: TraceId,
    pub span: SpanId,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
}

/// A finished span. What its sender says of itself stands among the attributes: `resource.*`, `otel.scope.name` and
/// `otel.scope.version`, `scope.*` and `otel.schema_url`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    pub project: ProjectId,
    pub trace: TraceId,
    pub span: SpanId,
    pub parent: Option<SpanId>,
    pub name: String,
    pub kind: SpanKind,
    pub start: Timestamp,
    pub end: Timestamp,
    pub status: SpanStatus,
    pub attributes: Map<String, Value>,
    pub events: Vec<SpanEvent>,
    /// Spans that were written before there were links have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<SpanLink>,
}

/// Where finished spans go. `record` never waits and never fails: what cannot be kept is counted.
pub trait EventSink: Send + Sync + fmt::Debug + 'static {
    fn record(&self, span: Span);
}

/// Drops everything; for tests and one-shot commands that leave no trace.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl EventSink for NoSink {
    fn record(&self, _: Span) {}
}

/// Where in which trace a piece of work stands, and where its spans go. Cheap to clone and hand down.
#[derive(Debug, Clone)]
pub struct SpanContext {
    pub project: ProjectId,
    pub trace: TraceId,
    pub span: Option<SpanId>,
    /// Highest label any document in this trace carried is recorded on the root; see `chains`.
    sink: Arc<dyn EventSink>,
    clock: Arc<dyn Clock>,
}

impl SpanContext {
    #[must_use]
    pub fn root(project: ProjectId, sink: Arc<dyn EventSink>, clock: Arc<dyn Clock>) -> Self {
        Self { project, trace: TraceId::random(), span: None, sink, clock }
    }

    /// Goes on in a trace that a client started (W3C `traceparent`).
    #[must_use]
    pub fn continuing(mut self, trace: TraceId, parent: SpanId) -> Self {
        self.trace = trace;
        self.span = Some(parent);
        self
    }

    /// Starts a span under this one; it is recorded when it is finished or dropped.
    #[must_use]
    pub fn start(&self, name: impl Into<String>, kind: SpanKind) -> OpenSpan {
        let now = self.clock.now();
        let id = SpanId::random();
        OpenSpan {
            context: Self { span: Some(id), ..self.clone() },
            span: Some(Span {
                project: self.project,
                trace: self.trace,
                span: id,
                parent: self.span,
                name: name.into(),
                kind,
                start: now,
                end: now,
                status: SpanStatus::Unset,
                attributes: Map::new(),
                events: Vec::new(),
                links: Vec::new(),
            }),
        }
    }

    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

/// A span still running. Dropped without `finish`, it is recorded as cancelled: the caller went away.
#[derive(Debug)]
pub struct OpenSpan {
    context: SpanContext,
    span: Option<Span>,
}

impl OpenSpan {
    /// What children of this span start from.
    #[must_use]
    pub const fn context(&self) -> &SpanContext {
        &self.context
    }

    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        if let Some(span) = &mut self.span {
            span.attributes.insert(key.to_owned(), value.into());
        }
    }

    pub fn event(&mut self, name: &str, attributes: Map<String, Value>) {
        let at = self.context.clock.now();
        if let Some(span) = &mut self.span {
            span.events.push(SpanEvent { name: name.to_owned(), at, attributes });
        }
    }

    pub fn finish(mut self) {
        self.close(SpanStatus::Ok);
    }

    /// Ends the span as failed; `code` is the stable error code, the message is what a person may read.
    pub fn fail(mut self, code: &str, message: impl Into<String>) {
        self.set("error.type", code);
        self.close(SpanStatus::Error(message.into()));
    }

    fn close(&mut self, status: SpanStatus) {
        if let Some(mut span) = self.span.take() {
            span.end = self.context.clock.now();
            span.status = status;
            self.context.sink.record(span);
        }
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if self.span.is_some() {
            self.set("error.type", "cancelled");
            self.close(SpanStatus::Error("cancelled".into()));
        }
    }
}

/// Attribute names: OpenTelemetry GenAI semantic conventions first, ours under `mainspring.`.
pub mod names {
    pub const OPERATION: &str = "gen_ai.operation.name";
    pub const PROVIDER: &str = "gen_ai.provider.name";
    pub const REQUEST_MODEL: &str = "gen_ai.request.model";
    pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
    pub const RESPONSE_ID: &str = "gen_ai.response.id";
    pub const TEMPERATURE: &str = "gen_ai.request.temperature";
    pub const TOP_P: &str = "gen_ai.request.top_p";
    pub const MAX_TOKENS: &str = "gen_ai.request.max_tokens";
    pub const SEED: &str = "gen_ai.request.seed";
    pub const STOP: &str = "gen_ai.request.stop_sequences";
    pub const FINISH: &str = "gen_ai.response.finish_reasons";
    pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
    pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
    pub const CACHED_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
    pub const INPUT_MESSAGES: &str = "gen_ai.input.messages";
    pub const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
    pub const CONVERSATION: &str = "gen_ai.conversation.id";
    pub const DATA_SOURCE: &str = "gen_ai.data_source.id";
    pub const EMBED_DIMENSIONS: &str = "gen_ai.embeddings.dimension.count";
    pub const USER: &str = "user.id";
    pub const ERROR: &str = "error.type";
    pub const FIRST_TOKEN_MS: &str = "mainspring.first_token_ms";
    pub const APP: &str = "mainspring.app";
    /// The key a call was made with, by its id.
    pub const KEY: &str = "mainspring.key";
    pub const RUN: &str = "mainspring.run";
    pub const REQUEST: &str = "mainspring.request";
    /// What was used, as `kind/name@vN#digest` strings.
    pub const VERSIONS: &str = "mainspring.versions";
    /// The lake table, version and transaction a search read.
    pub const LAKE_TABLE: &str = "mainspring.lake.table";
    pub const LAKE_VERSION: &str = "mainspring.lake.version";
    pub const LAKE_TRANSACTION: &str = "mainspring.lake.transaction";
    /// Every state of a lake table an answer read.
    pub const LAKE_PINS: &str = "mainspring.lake.pins";
    /// The chunks a prompt was given, in order of their numbers.
    pub const SOURCES: &str = "mainspring.sources";
    /// The documents this span shows text of.
    pub const DOCUMENTS: &str = "mainspring.documents";
    /// What was written and read here was taken away, with a document that was forgotten.
    pub const FORGOTTEN: &str = "mainspring.forgotten";
    pub const QUERY: &str = "mainspring.retrieval.query";
    pub const HITS: &str = "mainspring.retrieval.hits";
    /// Lists of access labels, one for each kind of document this trace shows text of. A reader who does not hold one label
    /// of every list does not see the trace.
    pub const LABELS: &str = "mainspring.access_labels";
    /// What a replay needs: target, messages and settings as they came in. Content, like the messages themselves.
    pub const REPLAY: &str = "mainspring.replay";
    /// What a span was made of that came as something else: `log`, a record whose body is the span's one event.
    pub const SIGNAL: &str = "otel.signal";
    /// How severe a log record is, in its sender's word and as the protocol's number, 1 to 24.
    pub const SEVERITY: &str = "otel.log.severity";
    pub const SEVERITY_NUMBER: &str = "otel.log.severity_number";
    /// Which record of its request a message was that came as a log record: those of one call may have one and the same time.
    pub const PLACE: &str = "otel.log.place";
    /// The span above this one is of another program, as the flags of the protocol say: it may never come here.
    pub const PARENT_REMOTE: &str = "otel.parent.remote";
    /// What `tracestate` said, of a span or of a link.
    pub const TRACE_STATE: &str = "otel.trace_state";
    /// How many the sender left out, and of events and links this server, as OpenTelemetry names it where its protocol is not
    /// spoken.
    pub const DROPPED_ATTRIBUTES: &str = "otel.dropped_attributes_count";
    pub const DROPPED_EVENTS: &str = "otel.dropped_events_count";
    pub const DROPPED_LINKS: &str = "otel.dropped_links_count";
    /// What this span says was used is said again by spans beneath it, where it counts.
    pub const USAGE_BENEATH: &str = "mainspring.usage_beneath";
    /// What of a span was redacted before it was stored: how often each kind was found.
    pub const REDACTED: &str = "mainspring.redacted";
    /// For how many spans this one stands, where only a share of the traces is kept.
    pub const SAMPLING_WEIGHT: &str = "mainspring.sampling.weight";
    /// The digest of the answer, kept even where its text is not.
    pub const ANSWER_DIGEST: &str = "mainspring.answer.digest";

    /// Attributes that hold what people wrote or read; the project's capture setting decides whether they are stored.
    pub const CONTENT: &[&str] = &[
        INPUT_MESSAGES,
        OUTPUT_MESSAGES,
        "gen_ai.system_instructions",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        QUERY,
        HITS,
        REPLAY,
    ];
}
