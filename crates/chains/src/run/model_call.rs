//! One call to the model, and its span.

use std::{sync::Arc, time::Instant};

use mainspring_llm::{
    Budget, ChatModel, ChatStream, FinishReason, Message, SpanContext, Usage,
    chat::Speaker,
    retrieve::{documents_of, labels_to_read},
    trace::{OpenSpan, SpanKind, names},
};

use super::{Run, fail, messages_json, millis};
use crate::{fault::ChainFault, resolve::Chosen};

/// The span of one call to the model.
#[derive(Debug)]
pub(super) struct ModelCall {
    pub(super) model: Arc<dyn ChatModel>,
    span: Option<OpenSpan>,
    started: Instant,
    first: Option<f64>,
}

impl ModelCall {
    fn start(run: &Run, Chosen { model, local }: &Chosen, context: &SpanContext, index: usize) -> Self {
        let mut span = context.start(format!("chat {}", model.name()), SpanKind::Client);
        span.set(names::OPERATION, "chat");
        if *local {
            span.set(names::PROVIDER, "mainspring.local");
        }
        span.set(names::REQUEST_MODEL, model.name());
        span.set(names::RESPONSE_MODEL, model.identity());
        span.set(names::INPUT_MESSAGES, messages_json(&run.prompt));
        span.set(names::DOCUMENTS, documents_of(run.passages.iter().map(|(_, passage)| passage)));
        span.set(names::LABELS, labels_to_read(run.passages.iter().map(|(_, passage)| passage)));
        let request = run.chat_request(index);
        span.set(names::TEMPERATURE, request.sampling.temperature);
        span.set(names::TOP_P, request.sampling.top_p);
        if let Some(seed) = request.sampling.seed {
            span.set(names::SEED, seed);
        }
        if let Some(max_tokens) = request.max_tokens {
            span.set(names::MAX_TOKENS, max_tokens);
        }
        let beneath = model.under(span.context());
        if beneath.is_some() {
            span.set(names::USAGE_BENEATH, true);
        }
        let model = beneath.unwrap_or_else(|| Arc::clone(model));
        Self { model, span: Some(span), started: Instant::now(), first: None }
    }

    pub(super) async fn begin(
        run: &Run,
        chosen: &Chosen,
        context: &SpanContext,
        index: usize,
        budget: Budget,
    ) -> Result<(Self, ChatStream), ChainFault> {
        let mut call = Self::start(run, chosen, context, index);
        match call.model.stream(run.chat_request(index), budget).await {
            Ok(stream) => Ok((call, stream)),
            Err(fault) => {
                let fault = ChainFault::Model(fault);
                call.fail(&fault);
                Err(fault)
            }
        }
    }

    pub(super) fn first_token(&mut self) {
        if self.first.is_none() {
            self.first = Some(millis(self.started));
        }
    }

    pub(super) fn finish(&mut self, text: &str, finish: FinishReason, usage: Usage) -> Vec<(String, f64)> {
        let total = millis(self.started);
        if let Some(mut span) = self.span.take() {
            span.set(names::OUTPUT_MESSAGES, messages_json(&[Message::new(Speaker::Assistant, text)]));
            span.set(names::FINISH, vec![finish.as_str()]);
            span.set(names::INPUT_TOKENS, usage.input_tokens);
            span.set(names::OUTPUT_TOKENS, usage.output_tokens);
            span.set(names::CACHED_TOKENS, usage.cached_tokens);
            if let Some(first) = self.first {
                span.set(names::FIRST_TOKEN_MS, first);
            }
            span.finish();
        }
        vec![("first_token".to_owned(), self.first.unwrap_or(total)), ("model".to_owned(), total)]
    }

    pub(super) fn fail(&mut self, fault: &ChainFault) {
        if let Some(span) = self.span.take() {
            fail(span, fault);
        }
    }
}
