//! The client's dialect is the target's: the body goes out as it came, but for what the route says.

use std::borrow::Cow;

use bytes::Bytes;
use mainspring_llm::exchange::Dialect;
use mainspring_providers::{
    Adapter, Endpoint, FaultClass, Operation, Outgoing, ProviderKind, UpstreamFault,
    peek::{self, Rewrite},
};
use serde_json::{Map, Value};

use crate::{asked::Asked, route};

/// A request that passes through, and whether the stream brings usage the client did not ask for.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) outgoing: Outgoing,
    pub(crate) strip: bool,
}

/// Absent where the target speaks another dialect, has no such endpoint, or is given a parameter that only translation
/// can say.
pub(crate) fn request(
    asked: &Asked,
    target: &route::Target,
    (adapter, endpoint): (&dyn Adapter, &Endpoint),
) -> Option<Result<Passed, UpstreamFault>> {
    let request = &asked.request;
    if !speaks(endpoint.kind, adapter, request.said_in) {
        return None;
    }
    // Neither of them writes as the parameters say, and both refuse what they do not know.
    let aside = matches!(request.operation, Operation::Compact | Operation::CountTokens);
    let parameters = if aside && request.said_in == Dialect::OpenAiResponses {
        Cow::Owned(Map::new())
    } else {
        renamed(request.operation, &target.parameters)?
    };
    let counts = matches!(request.operation, Operation::Chat | Operation::Completions);
    let strip = counts && request.peeked.stream && !request.peeked.include_usage && endpoint.habits.stream_options;
    let usage = counts && request.peeked.stream && endpoint.habits.stream_options;
    let body = match body(asked, &parameters, endpoint, usage) {
        Ok(body) => body,
        Err(fault) => return Some(Err(fault)),
    };
    let outgoing = adapter.pass(endpoint, request.operation, body, request.peeked.stream)?;
    Some(outgoing.map(|mut outgoing| {
        for (name, value) in &request.headers {
            outgoing.headers.append(name, value.clone());
        }
        Passed { outgoing, strip }
    }))
}

fn speaks(kind: ProviderKind, adapter: &dyn Adapter, said_in: Dialect) -> bool {
    match said_in {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => matches!(kind, ProviderKind::OpenAi | ProviderKind::Azure),
        Dialect::Anthropic | Dialect::Gemini | Dialect::Bedrock => adapter.dialect() == said_in,
        Dialect::Local => false,
    }
}

fn body(asked: &Asked, parameters: &Map<String, Value>, endpoint: &Endpoint, usage: bool) -> Result<Bytes, UpstreamFault> {
    let request = &asked.request;
    let wish = Rewrite { model: Some(&endpoint.model), usage, without_mainspring: true };
    let body = request.peeked.places.rewrite(&request.body, wish);
    if parameters.is_empty() {
        return Ok(body);
    }
    peek::set_fields(&body, parameters).map_err(|fault| UpstreamFault::new(endpoint, FaultClass::Invalid, fault.to_string()))
}

/// A target's parameters are written as OpenAI's chat completions have them; other endpoints call some of them otherwise.
pub(crate) fn renamed(operation: Operation, parameters: &Map<String, Value>) -> Option<Cow<'_, Map<String, Value>>> {
    let name = |written: &str| match (operation, written) {
        (Operation::Messages, "stop") => Some("stop_sequences"),
        (Operation::Messages, "max_completion_tokens") => Some("max_tokens"),
        (Operation::Responses, "max_tokens" | "max_completion_tokens") => Some("max_output_tokens"),
        // Said in a form of its own there.
        (Operation::Messages | Operation::Responses, "reasoning_effort" | "response_format" | "tools" | "tool_choice") => None,
        _ => Some(""),
    };
    if parameters.keys().all(|written| name(written) == Some("")) {
        return Some(Cow::Borrowed(parameters));
    }
    let mut all = Map::new();
    for (written, value) in parameters {
        let meant = name(written)?;
        let meant = if meant.is_empty() { written.as_str() } else { meant };
        all.insert(meant.to_owned(), value.clone());
    }
    if let Some(stop @ Value::String(_)) = all.get_mut("stop_sequences") {
        *stop = Value::Array(vec![stop.take()]);
    }
    Some(Cow::Owned(all))
}
