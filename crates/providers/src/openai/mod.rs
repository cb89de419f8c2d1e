#![doc = include_str!("README.md")]

mod address;
pub mod chat;
mod decode;
mod embed;
mod encode;
mod events;
mod extra;
mod fields;
mod media;
mod refusal;
pub mod rerank;
pub mod responses;
mod thoughts;
mod tools;
mod usage;

#[cfg(test)]
mod tests;

pub use fields::ReadFault;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use mainspring_kernel::Timestamp;
use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Call, Dialect, EmbedAnswer, EmbedCall, RerankAnswer, RerankCall},
};

use crate::{
    fault::UpstreamFault,
    plain,
    seam::{self, Adapter, Encoded, Endpoint, Events, Kept, Operation, Outgoing},
};

/// OpenAI, everything that speaks its dialect, and, with other addresses and another header, Azure.
#[derive(Debug, Clone, Copy)]
pub struct OpenAi {
    pub azure: bool,
}

impl OpenAi {
    fn post(&self, endpoint: &Endpoint, operation: Operation, body: Bytes) -> Result<Outgoing, UpstreamFault> {
        let missing = || Err(UpstreamFault::unsupported(endpoint, operation.as_str()));
        address::outgoing(endpoint, self.azure, operation, body).unwrap_or_else(missing)
    }
}

impl Adapter for OpenAi {
    fn dialect(&self) -> Dialect {
        Dialect::OpenAiChat
    }

    fn pass(&self, endpoint: &Endpoint, operation: Operation, body: Bytes, _: bool) -> Option<Result<Outgoing, UpstreamFault>> {
        address::outgoing(endpoint, self.azure, operation, body)
    }

    fn kept(&self, endpoint: &Endpoint, kept: Kept<'_>) -> Option<Result<Outgoing, UpstreamFault>> {
        address::kept(endpoint, self.azure, kept)
    }

    fn encode(&self, endpoint: &Endpoint, call: &Call) -> Result<Encoded, UpstreamFault> {
        let call = plain::of(call, self.dialect());
        let (body, mut lost) = encode::body(endpoint, self.azure, &call)?;
        lost.extend(seam::unread(&call));
        Ok(Encoded { outgoing: self.post(endpoint, Operation::Chat, body.to_string().into())?, lost })
    }

    fn decode(&self, endpoint: &Endpoint, body: &[u8]) -> Result<Answer, UpstreamFault> {
        decode::answer(endpoint, body)
    }

    fn events(&self, endpoint: &Endpoint) -> Box<dyn Events> {
        Box::new(events::Stream::new(endpoint))
    }

    fn counts(&self, endpoint: &Endpoint, said_in: Dialect) -> bool {
        !self.azure && said_in == Dialect::OpenAiResponses && endpoint.habits.responses && endpoint.habits.compact
    }

    fn usage(&self, operation: Operation, body: &[u8]) -> Option<TokenUsage> {
        match operation {
            // Counting tokens uses none.
            Operation::CountTokens => None,
            Operation::Embeddings | Operation::Rerank | Operation::Moderations => usage::peek(body).map(usage::all_read),
            Operation::Chat | Operation::Responses | Operation::Compact | Operation::Messages | Operation::Completions => {
                usage::peek(body)
            }
        }
    }

    fn encode_embed(&self, endpoint: &Endpoint, call: &EmbedCall) -> Result<Outgoing, UpstreamFault> {
        let body = embed::body(endpoint, self.azure, call);
        self.post(endpoint, Operation::Embeddings, body.to_string().into())
    }

    fn decode_embed(&self, endpoint: &Endpoint, body: &[u8]) -> Result<EmbedAnswer, UpstreamFault> {
        embed::answer(endpoint, body)
    }

    fn encode_rerank(&self, endpoint: &Endpoint, call: &RerankCall) -> Result<Outgoing, UpstreamFault> {
        self.post(endpoint, Operation::Rerank, rerank::body(endpoint, call).to_string().into())
    }

    fn decode_rerank(&self, endpoint: &Endpoint, body: &[u8]) -> Result<RerankAnswer, UpstreamFault> {
        rerank::answer(endpoint, body)
    }

    fn refusal(&self, endpoint: &Endpoint, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> UpstreamFault {
        refusal::of(endpoint, status, headers, body)
    }

    fn authorize(&self, endpoint: &Endpoint, outgoing: &mut Outgoing, _: Timestamp) -> Result<(), UpstreamFault> {
        endpoint.add_secret_headers(outgoing)?;
        address::authorize(endpoint, self.azure, outgoing)
    }
}
