//! What a call asks a model to read, kept for whoever has to guess how much that is.

use bytes::Bytes;
use mainspring_llm::exchange::RerankCall;

use crate::{
    estimate::Size,
    reckon,
    service::{Read, Reading, Request},
};

/// A longer request is counted by its bytes. It would be kept for as long as a stream goes on, and read at a moment at which
/// others wait; and what stands around the words matters little in it.
const READ_MAX: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub(crate) struct Input {
    size: Size,
    said: Option<(Bytes, Read)>,
}

impl Input {
    pub(crate) fn of(request: &Request, size: Size) -> Self {
        let said = (request.body.len() <= READ_MAX).then(|| (request.body.clone(), request.read));
        Self { size, said }
    }

    /// The provider has told how much it is.
    pub(crate) fn is_told(&mut self) {
        self.said = None;
    }

    /// About as many tokens as it has, by its words where they can be read, and as how many searches a reranking is billed:
    /// none where that is one.
    pub(crate) fn guess(&self) -> (u64, u64) {
        let tokens = match self.reading() {
            Some(Reading::Chat(call)) => reckon::call(&call),
            Some(Reading::Text { prompt, .. }) => reckon::text(&prompt),
            Some(Reading::Embed(call)) => call.inputs.iter().map(|input| reckon::text(input)).sum(),
            Some(Reading::Rerank(call)) => return ranked(&call),
            Some(Reading::Opaque) | None => self.size.about(),
        };
        (tokens, 0)
    }

    fn reading(&self) -> Option<Reading> {
        let (body, read) = self.said.as_ref()?;
        read(body).ok()
    }
}

fn ranked(call: &RerankCall) -> (u64, u64) {
    // The question is read with each of them.
    let question = reckon::text(&call.query);
    let tokens = call.documents.iter().map(|document| question + reckon::text(document)).sum();
    let searches = reckon::searches(call, reckon::text);
    (tokens, if searches > 1 { searches } else { 0 })
}
