//! What `fuzz/` reaches of requests that are read here; built for it alone.

use mainspring_gateway::Reading;
use mainspring_llm::exchange::{EmbedCall, RerankCall};

use crate::inputs;

#[must_use]
pub fn embed(body: &[u8]) -> Option<EmbedCall> {
    match inputs::embed(body) {
        Ok(Reading::Embed(call)) => Some(call),
        _ => None,
    }
}

#[must_use]
pub fn rerank(body: &[u8]) -> Option<RerankCall> {
    match inputs::rerank(body) {
        Ok(Reading::Rerank(call)) => Some(call),
        _ => None,
    }
}
