//! Looks at a stream that passes through: where its events lie, what they say of usage, and whether it is complete.
//! Nothing is read that need not be.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use mainspring_llm::TokenUsage;
use mainspring_providers::{Adapter, Endpoint, FaultClass, Operation, UpstreamFault, sse};
use memchr::{memchr, memmem};
use serde_json::{Value, json};

use crate::{echo::Echo, estimate, makers};

const ERROR: &[u8] = b"\"error\"";
/// The last event of a response that failed.
const FAILED: &[u8] = b"response.failed";

/// How streams of chat and of completions end.
const DONE: &[u8] = b"data: [DONE]";

/// What one look found.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    Usage(TokenUsage),
    /// About so many eighths of a token of text.
    Text(u64),
    /// The name of the response that begins, and whether it is made in the background.
    Made(Bytes, bool),
    /// The stream says that it is complete.
    Complete,
    /// The provider says in the stream that it failed. The event goes to the client as it is.
    Failed(Box<UpstreamFault>),
}

#[derive(Debug)]
pub(crate) struct Scan {
    operation: Operation,
    events: sse::Events,
    split: Vec<Bytes>,
    /// The client did not ask for usage: the chunk that brings nothing else is taken out.
    strip: bool,
    /// The last chunk ended where an event does.
    between: bool,
    begun: bool,
    complete: bool,
    /// An answer came to its end, though the stream may not have.
    finished: bool,
    /// What of the text is the request's.
    echo: Option<Echo>,
}

impl Scan {
    pub(crate) fn of(operation: Operation, strip: bool) -> Self {
        Self {
            operation,
            events: sse::Events::default(),
            split: Vec::new(),
            strip,
            between: true,
            begun: false,
            complete: false,
            finished: false,
            echo: None,
        }
    }

    /// The answer may repeat its request first.
    pub(crate) fn repeating(self, echo: Option<Echo>) -> Self {
        Self { echo, ..self }
    }

    /// Whether an event with data has come.
    pub(crate) const fn has_begun(&self) -> bool {
        self.begun
    }

    /// Reads a chunk; answers what of it goes to the client: whole events only, so that an error can follow at any time. A
    /// chunk of whole events, as most are, goes on without being copied.
    pub(crate) fn read(
        &mut self,
        (adapter, endpoint): (&dyn Adapter, &Endpoint),
        chunk: &Bytes,
        found: &mut Vec<Found>,
    ) -> (Bytes, Result<(), UpstreamFault>) {
        let mut split = std::mem::take(&mut self.split);
        let read = self.events.split(chunk, &mut split).map_err(|fault| UpstreamFault::malformed(endpoint, fault.to_string()));
        let ends = ends_event(chunk);
        let mut whole = !self.strip && std::mem::replace(&mut self.between, ends) && ends;
        let mut broken = None;
        for place in 0..split.len() {
            match self.look(adapter, endpoint, &split[place], found) {
                Ok(true) => {}
                Ok(false) => {
                    split[place] = Bytes::new();
                    whole = false;
                }
                Err(fault) => {
                    split.truncate(place);
                    broken = Some(fault);
                    break;
                }
            }
        }
        let read = broken.map_or(read, Err);
        let out = if whole && read.is_ok() { chunk.clone() } else { joined(&split) };
        split.clear();
        self.split = split;
        (out, read)
    }

    /// The connection ended in good order. An event without the blank line behind it is taken all the same, and the last word
    /// of the dialect is added to an answer that is complete without it.
    pub(crate) fn end(
        &mut self,
        (adapter, endpoint): (&dyn Adapter, &Endpoint),
        found: &mut Vec<Found>,
    ) -> Result<Bytes, UpstreamFault> {
        let last = match self.events.end() {
            Some(event) if self.look(adapter, endpoint, &event, found)? => event,
            _ => Bytes::new(),
        };
        if !self.complete && !self.finished {
            return Err(UpstreamFault::new(endpoint, FaultClass::Reset, "the stream ended before the answer was complete"));
        }
        let mut rest = vec![last];
        if !self.complete {
            self.complete = true;
            found.push(Found::Complete);
            // Clients wait for it, and what the answer cost is told before it.
            if matches!(self.operation, Operation::Chat | Operation::Completions) {
                rest.push(Bytes::from_static(DONE));
            }
        }
        Ok(joined(&rest))
    }

    /// Looks at one event; answers whether the client gets it.
    fn look(
        &mut self,
        adapter: &dyn Adapter,
        endpoint: &Endpoint,
        event: &Bytes,
        found: &mut Vec<Found>,
    ) -> Result<bool, UpstreamFault> {
        let Some(data) = sse::data(event) else { return Ok(true) };
        let data = data.trim_ascii();
        // The heartbeat of some servers. Clients would read it as JSON.
        if data.is_empty() {
            return Ok(false);
        }
        if data == b"[DONE]" {
            self.complete(found);
            return Ok(true);
        }
        if !(data.starts_with(b"{") && data.ends_with(b"}")) {
            return Err(UpstreamFault::malformed(endpoint, "an event of the stream is no JSON object"));
        }
        let kind = self.kind(event, data);
        if is_error(data, kind) {
            let fault = said(adapter, endpoint, data);
            found.extend(self.usage(adapter, data, kind).map(Found::Usage));
            // One that quotes our key is told in our words.
            if !self.begun || endpoint.is_quoted(data) {
                return Err(fault);
            }
            self.complete = true;
            found.push(Found::Failed(Box::new(fault)));
            return Ok(true);
        }
        // Somebody is there, and no more: Anthropic's `ping`, and what OpenAI's responses have for it.
        if matches!(kind, b"ping" | b"keepalive") {
            return Ok(true);
        }
        if !std::mem::replace(&mut self.begun, true) {
            if !begins(self.operation, data) {
                return Err(UpstreamFault::malformed(endpoint, "the first event of the stream begins no answer"));
            }
            if self.operation == Operation::Responses {
                let goes_on = makers::in_background(data);
                let made = goes_on.as_deref().map(str::as_bytes).or_else(|| makers::made(data));
                found.extend(made.map(|id| Found::Made(Bytes::copy_from_slice(id), goes_on.is_some())));
            }
        }
        let usage = self.usage(adapter, data, kind);
        found.extend(usage.map(Found::Usage));
        let beside = self.echo.as_mut().and_then(|echo| echo.beside(data));
        let text = beside.unwrap_or_else(|| estimate::streamed_text(data, self.texts(kind)));
        if text > 0 {
            found.push(Found::Text(text));
        }
        if is_last(kind) {
            self.complete(found);
        }
        // Until there is a reason, some say that it is empty.
        self.finished |=
            value(data, b"\"finish_reason\"").is_some_and(|reason| reason.starts_with(b"\"") && reason.get(1) != Some(&b'"'));
        Ok(!(self.strip && usage.is_some() && has_no_choices(data)))
    }

    /// What the event is. Where it has a name the name says it: some servers write `type` behind the rest. In dialects that
    /// name none most events are nothing but data.
    fn kind<'a>(&self, event: &'a [u8], data: &'a [u8]) -> &'a [u8] {
        let named = matches!(self.operation, Operation::Responses | Operation::Messages) || !event.starts_with(b"data");
        let name = if named { sse::name(event) } else { None };
        name.filter(|name| !name.is_empty()).unwrap_or_else(|| kind(data))
    }

    fn complete(&mut self, found: &mut Vec<Found>) {
        if !std::mem::replace(&mut self.complete, true) {
            found.push(Found::Complete);
        }
    }

    /// Most events have none, and many servers write `null` into every one.
    fn usage(&self, adapter: &dyn Adapter, data: &[u8], kind: &[u8]) -> Option<TokenUsage> {
        if self.operation == Operation::Responses && !is_last(kind) && kind != FAILED {
            return None;
        }
        let told = |at: usize| value(&data[at..], b"\"usage\"").is_some_and(|said| !said.starts_with(b"null"));
        memmem::find_iter(data, b"\"usage\"").any(told).then(|| adapter.usage(self.operation, data)).flatten()
    }

    /// What the dialect calls text that is written.
    fn texts(&self, kind: &[u8]) -> &'static [&'static str] {
        match self.operation {
            Operation::Chat => &["\"content\"", "\"reasoning_content\"", "\"reasoning\"", "\"arguments\"", "\"refusal\""],
            Operation::Messages => &["\"text\"", "\"thinking\"", "\"partial_json\""],
            // Its last events repeat the whole text.
            Operation::Responses if kind.ends_with(b".delta") => &["\"delta\""],
            Operation::Completions => &["\"text\""],
            _ => &[],
        }
    }
}

/// Events as a stream again; those that were taken out are empty.
pub(crate) fn joined(events: &[Bytes]) -> Bytes {
    let mut out = BytesMut::with_capacity(events.iter().map(|event| event.len() + 2).sum());
    for event in events.iter().filter(|event| !event.is_empty()) {
        out.extend_from_slice(event);
        out.extend_from_slice(b"\n\n");
    }
    out.freeze()
}

/// Whether an event ends with this chunk, as far as the chunk alone can tell.
fn ends_event(chunk: &[u8]) -> bool {
    chunk.ends_with(b"\n\n") || chunk.ends_with(b"\r\n\r\n")
}

/// The event's `type`, where it stands near its beginning, as it does in every dialect that has one.
fn kind(data: &[u8]) -> &[u8] {
    let Some(said) = value(&data[..data.len().min(96)], b"\"type\"").and_then(|said| said.strip_prefix(b"\"")) else {
        return b"";
    };
    memchr(b'"', said).map_or(b"".as_slice(), |end| &said[..end])
}

/// What stands behind a name and its colon, where the name is first met.
fn value<'a>(data: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = memmem::find(data, name)? + name.len();
    Some(data[at..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start())
}

/// Whether an event, or a whole answer, says that something failed. It is read only where it may.
fn is_error(data: &[u8], kind: &[u8]) -> bool {
    let reads = || serde_json::from_slice::<Value>(data).is_ok_and(|said| failed(&said));
    kind == b"error" || kind == FAILED || (may_be_error(data) && reads())
}

/// Within a text the quotes around the word are escaped, so that it does not count; many servers write `null` behind it into
/// every event. As a value it is a kind of object, or why an answer ended.
fn may_be_error(data: &[u8]) -> bool {
    let told = |at: usize| {
        let behind = data[at + ERROR.len()..].trim_ascii_start();
        behind.strip_prefix(b":").is_none_or(|said| !said.trim_ascii_start().starts_with(b"null"))
    };
    memmem::find_iter(data, ERROR).any(told)
}

/// vLLM's errors are objects of that kind; OpenRouter's stand beside choices that ended with one, or within them.
fn failed(said: &Value) -> bool {
    let mut choices = said["choices"].as_array().into_iter().flatten();
    said["object"] == "error"
        || said["type"] == "error"
        || is_said(&said["error"])
        || choices.any(|choice| is_said(&choice["error"]) || choice["finish_reason"] == "error")
}

/// Some write an empty one where there is none.
fn is_said(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

/// An error without the answer around it, which is nobody's to read; nothing where the whole of it is one.
fn apart(data: &[u8]) -> Option<Vec<u8>> {
    let said: Value = serde_json::from_slice(data).ok()?;
    if said["object"] == "error" || said["type"] == "error" {
        return None;
    }
    let choices = said["choices"].as_array().into_iter().flatten().map(|choice| &choice["error"]);
    let error = [&said["error"], &said["response"]["error"]].into_iter().chain(choices).find(|error| is_said(error));
    match error {
        Some(error) => Some(json!({"error": error}).to_string().into_bytes()),
        None if said["choices"].is_null() && said["response"].is_null() => None,
        None => Some(b"{}".to_vec()),
    }
}

fn is_last(kind: &[u8]) -> bool {
    matches!(kind, b"message_stop" | b"response.completed" | b"response.incomplete")
}

fn has_no_choices(data: &[u8]) -> bool {
    value(data, b"\"choices\"")
        .and_then(|said| said.strip_prefix(b"["))
        .is_some_and(|inside| inside.trim_ascii_start().starts_with(b"]"))
}

/// Whether a first event has what first events have.
fn begins(operation: Operation, data: &[u8]) -> bool {
    let has = |name: &str| memmem::find(data, name.as_bytes()).is_some();
    match operation {
        Operation::Chat | Operation::Completions => has("\"choices\"") || has("\"usage\""),
        _ => has("\"type\""),
    }
}

/// Whether a whole answer has what its kind of answer has.
pub(crate) fn looks_like(operation: Operation, data: &[u8]) -> bool {
    let names: &[&str] = match operation {
        Operation::Chat | Operation::Completions => &["\"choices\""],
        Operation::Messages => &["\"content\""],
        Operation::Responses => &["\"output\"", "\"status\""],
        Operation::Compact => &["\"output\""],
        Operation::CountTokens => &["\"input_tokens\""],
        Operation::Embeddings => &["\"data\"", "\"embeddings\""],
        Operation::Rerank | Operation::Moderations => &["\"results\"", "\"data\""],
    };
    data.trim_ascii_start().starts_with(b"{") && names.iter().any(|name| memmem::find(data, name.as_bytes()).is_some())
}

/// An error in an answer whose status said that all is well: what it means it says itself.
pub(crate) fn said(adapter: &dyn Adapter, endpoint: &Endpoint, data: &[u8]) -> UpstreamFault {
    let apart = apart(data);
    let mut fault = adapter.refusal(endpoint, StatusCode::OK, &HeaderMap::new(), apart.as_deref().unwrap_or(data));
    fault.status = None;
    fault
}

/// Whether a whole answer is an error all the same.
pub(crate) fn is_error_answer(data: &[u8]) -> bool {
    let data = data.trim_ascii();
    data.starts_with(b"{") && is_error(data, kind(data))
}
