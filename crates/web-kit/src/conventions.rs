//! Headers that applications of other gateways send. What they ask for takes effect where there is something like it here;
//! the rest is told back in one header, so that nothing is passed over in silence.

mod read;
mod sink;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{extract::Request, middleware::Next, response::Response};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use mainspring_kernel::{Actor, Clock, Digest};
use mainspring_llm::{EventSink, SpanContext, SpanId, TraceId};
use serde_json::{Map, Value};

use crate::traceparent::traceparent;

/// What a request asked for in headers and did not get.
const IGNORED: HeaderName = HeaderName::from_static("x-mainspring-ignored");
/// A header that is longer than this is of no use to anyone.
const IGNORED_BYTES_MAX: usize = 1_000;

/// Of what the ids of such traces are made.
const OWN_TRACE: &[u8] = b"mainspring-client-trace-1";

/// Headers that carry a key for the gateway itself, in the order in which they are looked at.
pub(crate) const KEYS: [&str; 3] = ["helicone-auth", "x-portkey-api-key", "x-litellm-api-key"];

/// What a client wants of answers that were kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// A new answer, which is kept.
    Refresh,
    /// None of them, and this one is not kept either.
    Bypass,
}

/// What the headers of one request ask for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wished {
    /// The end user.
    pub user: Option<String>,
    /// The conversation.
    pub session: Option<String>,
    /// For the trace.
    pub metadata: Map<String, Value>,
    /// How the client names the trace.
    pub trace: Option<TraceId>,
    pub kept: Option<Kept>,
    /// For the whole call.
    pub timeout: Option<Duration>,
    /// The provider by its name here, and the header that names it.
    pub provider: Option<(String, &'static str)>,
    /// A route by its name here.
    pub config: Option<String>,
    /// A model that is asked in the place of the one in the body.
    pub model: Option<String>,
    /// The header that asks for answers to be kept.
    pub wants_cache: Option<&'static str>,
    /// The header that wants what was asked, or what was answered, left out of traces.
    pub omit_request: Option<&'static str>,
    pub omit_response: Option<&'static str>,
    /// By header.
    pub ignored: BTreeSet<String>,
}

impl Wished {
    /// Nothing where no header is of another gateway.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        read::read(headers)
    }
}

/// What a request wishes, handed to whoever answers it; what turns out to have no effect is added on the way.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    wished: Arc<Wished>,
    ignored: Arc<Mutex<BTreeSet<String>>>,
}

impl Wishes {
    #[must_use]
    pub fn new(mut wished: Wished) -> Self {
        let ignored = std::mem::take(&mut wished.ignored);
        Self { wished: Arc::new(wished), ignored: Arc::new(Mutex::new(ignored)) }
    }

    /// Of the request at hand; none, where it follows no convention.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    #[must_use]
    pub fn wished(&self) -> &Wished {
        &self.wished
    }

    /// With what the body says of its request, where a header does not say otherwise.
    #[must_use]
    pub fn noting(self, fields: Map<String, Value>) -> Self {
        let mut wished = Wished::clone(&self.wished);
        for (name, value) in fields {
            wished.metadata.entry(name).or_insert(value);
        }
        Self { wished: Arc::new(wished), ignored: self.ignored }
    }

    /// What this header asks for has no effect.
    pub fn ignore(&self, header: &str) {
        self.ignored.lock().unwrap_or_else(PoisonError::into_inner).insert(header.to_owned());
    }

    /// No answer is kept: whoever asked for it is told.
    pub fn not_kept(&self) {
        if let Some(header) = self.wished.wants_cache {
            self.ignore(header);
        }
    }

    /// At most so long, where the client says how long it waits.
    #[must_use]
    pub fn within(&self, usual: Duration) -> Duration {
        self.wished.timeout.map_or(usual, |timeout| timeout.min(usual))
    }

    /// The trace of a request; goes on in the caller's where a `traceparent` says so.
    #[must_use]
    pub fn context(
        &self,
        (actor, headers): (&Actor, &HeaderMap),
        (sink, clock): (Arc<dyn EventSink>, Arc<dyn Clock>),
        (may_omit, may_name_traces): (bool, bool),
    ) -> SpanContext {
        let given = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(traceparent);
        let sink = self.sink(sink, given.map(|(_, span)| span), may_omit);
        let mut context = SpanContext::root(actor.project, sink, clock);
        if let Some(trace) = self.trace(actor).filter(|_| may_name_traces) {
            context.trace = trace;
        }
        match given {
            Some((trace, span)) => context.continuing(trace, span),
            None => context,
        }
    }

    /// A sink that adds what the client says of its request to spans without a parent, or under the client's own span. What is
    /// kept is the owner's to say: only where they let clients do it, `may_omit`, something is left out.
    fn sink(&self, inner: Arc<dyn EventSink>, parent: Option<SpanId>, may_omit: bool) -> Arc<dyn EventSink> {
        let Wished { omit_request, omit_response, .. } = *self.wished;
        if !may_omit {
            omit_request.iter().chain(&omit_response).for_each(|header| self.ignore(header));
        }
        sink::of(&self.wished, inner, parent, may_omit)
    }

    /// The trace that the client names. It is one of this client's own: what another client, or another project, calls by the
    /// same name is another trace.
    fn trace(&self, actor: &Actor) -> Option<TraceId> {
        let (project, principal) = (actor.project.to_string(), actor.principal.to_string());
        let named = self.wished.trace?;
        let own = Digest::of_parts([OWN_TRACE, project.as_bytes(), principal.as_bytes(), named.as_bytes().as_slice()]);
        TraceId::from_slice(&own.as_bytes()[..16])
    }

    fn told(&self) -> Option<HeaderValue> {
        let ignored = self.ignored.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = String::new();
        for header in ignored.iter() {
            if told.len() + header.len() > IGNORED_BYTES_MAX {
                told.push_str(", ...");
                break;
            }
            if !told.is_empty() {
                told.push_str(", ");
            }
            told.push_str(header);
        }
        (!told.is_empty()).then(|| HeaderValue::from_str(&told).ok()).flatten()
    }
}

/// Reads the headers before a request is answered, and tells with the answer what had no effect.
pub async fn follow_conventions(mut request: Request, next: Next) -> Response {
    let Some(wished) = Wished::of(request.headers()) else { return next.run(request).await };
    let wishes = Wishes::new(wished);
    request.extensions_mut().insert(wishes.clone());
    let mut response = next.run(request).await;
    if let Some(told) = wishes.told() {
        response.headers_mut().insert(IGNORED, told);
    }
    response
}
