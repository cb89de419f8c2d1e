//! The client's dialect is the target's: the body goes out as it came, but for what the route says.

use bytes::Bytes;
use mainspring_llm::exchange::Dialect;
use mainspring_providers::{Adapter, Endpoint, FaultClass, Operation, Outgoing, ProviderKind, UpstreamFault, peek::Rewrite};

use crate::{
    asked::Asked,
    parameters::{self, Said},
    route,
};

/// A request that passes through.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) outgoing: Outgoing,
    /// The stream brings usage the client did not ask for.
    pub(crate) strip: bool,
    /// Parameters of the target that its endpoint does not know.
    pub(crate) lost: Vec<String>,
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
    let mut said = parameters::said(request.operation, &target.parameters)?;
    let lost = std::mem::take(&mut said.lost);
    let counts = matches!(request.operation, Operation::Chat | Operation::Completions);
    let strip = counts && request.peeked.stream && !request.peeked.include_usage && endpoint.habits.stream_options;
    let usage = counts && request.peeked.stream && endpoint.habits.stream_options;
    let body = match body(asked, said, endpoint, usage) {
        Ok(body) => body,
        Err(fault) => return Some(Err(fault)),
    };
    let outgoing = adapter.pass(endpoint, request.operation, body, request.peeked.stream)?;
    Some(outgoing.map(|mut outgoing| {
        for (name, value) in &request.headers {
            outgoing.headers.append(name, value.clone());
        }
        Passed { outgoing, strip, lost }
    }))
}

fn speaks(kind: ProviderKind, adapter: &dyn Adapter, said_in: Dialect) -> bool {
    match said_in {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => matches!(kind, ProviderKind::OpenAi | ProviderKind::Azure),
        Dialect::Anthropic | Dialect::Gemini | Dialect::Bedrock => adapter.dialect() == said_in,
        Dialect::Local => false,
    }
}

fn body(asked: &Asked, said: Said<'_>, endpoint: &Endpoint, usage: bool) -> Result<Bytes, UpstreamFault> {
    let request = &asked.request;
    let wish = Rewrite { model: Some(&endpoint.model), usage, without_mainspring: true };
    let body = request.peeked.places.rewrite(&request.body, wish);
    said.put(body).map_err(|fault| UpstreamFault::new(endpoint, FaultClass::Invalid, fault.to_string()))
}
