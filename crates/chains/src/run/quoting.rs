//! An answer that no model writes: the sentences of the sources that come nearest to the question.

use std::{sync::Arc, time::Instant};

use mainspring_llm::{
    Budget, Embedder, FinishReason, Message, Passage, Reranker, SpanContext, Usage,
    chat::Speaker,
    retrieve::{documents_of, labels_to_read},
    trace::{SpanKind, names},
};

use super::{messages_json, millis};
use crate::{
    fault::ChainFault,
    model::QuoteStep,
    quotes::{self, Quoted},
};

/// More is not compared: a search that finds more passages than answers need should not make them slow.
const TEXTS_MAX: usize = 200;

/// What compares sentences with a question.
#[derive(Debug, Clone)]
pub(crate) struct Quoter {
    pub(crate) step: QuoteStep,
    pub(crate) reranker: Arc<dyn Reranker>,
    /// The same model, which knows its tokens.
    pub(crate) embedder: Arc<dyn Embedder>,
}

/// What the client says about the answer's end.
#[derive(Debug, Clone, Default)]
pub(super) struct Bounds {
    pub(super) max_tokens: Option<usize>,
    pub(super) stop: Vec<String>,
}

/// An answer of quotes, as it is given.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) quoted: Quoted,
    pub(super) finish: FinishReason,
    pub(super) usage: Usage,
    pub(super) took: f64,
}

impl Quoter {
    /// `None`: no sentence comes near enough.
    pub(super) async fn quote(
        &self,
        asked: &str,
        passages: &[Passage],
        bounds: &Bounds,
        trace: &SpanContext,
        budget: Budget,
    ) -> Result<Option<Given>, ChainFault> {
        let begun = Instant::now();
        let mut span = trace.start(format!("rerank {}", self.embedder.name()), SpanKind::Internal);
        span.set(names::OPERATION, "rerank");
        span.set(names::REQUEST_MODEL, self.embedder.name());
        span.set(names::DOCUMENTS, documents_of(passages));
        span.set(names::LABELS, labels_to_read(passages));
        let mut parts = quotes::parts(passages);
        let mut texts: Vec<String> = Vec::new();
        let mut of: Vec<usize> = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            for text in part.texts(passages) {
                texts.push(text.to_owned());
                of.push(index);
            }
        }
        texts.truncate(TEXTS_MAX);
        of.truncate(TEXTS_MAX);
        parts.truncate(of.last().map_or(0, |last| last + 1));
        span.set("mainspring.rerank.candidates", texts.len());
        let compared = match self.compare(asked, texts, budget).await {
            Ok(compared) => compared,
            Err(fault) => {
                use mainspring_kernel::Fault;
                span.fail(fault.code(), fault.to_string());
                return Err(fault);
            }
        };
        let mut scores = vec![f32::NEG_INFINITY; parts.len()];
        for (score, part) in compared.scores.iter().zip(&of) {
            scores[*part] = scores[*part].max(*score);
        }
        let limit = usize::try_from(self.step.limit).unwrap_or(usize::MAX);
        let quoted = quotes::quote(passages, &parts, &scores, limit, self.step.at_least);
        let given = quoted.map(|quoted| self.end(quoted, bounds, compared.tokens));
        span.set(names::INPUT_TOKENS, compared.tokens);
        if let Some((quoted, ..)) = &given {
            span.set(names::OUTPUT_MESSAGES, messages_json(&[Message::new(Speaker::Assistant, quoted.text.as_str())]));
        }
        span.finish();
        let took = millis(begun);
        Ok(given.map(|(quoted, finish, usage)| Given { quoted, finish, usage, took }))
    }

    async fn compare(&self, asked: &str, texts: Vec<String>, budget: Budget) -> Result<Compared, ChainFault> {
        self.embedder.prepare(budget).await?;
        let tokenizer = self.embedder.tokenizer();
        let window = self.embedder.max_tokens();
        let read = std::iter::once(asked).chain(texts.iter().map(String::as_str));
        let tokens = read.map(|text| tokenizer.count(text).min(window) as u64).sum();
        let mut scores = vec![f32::NEG_INFINITY; texts.len()];
        for scored in self.reranker.rerank(asked, texts, budget).await? {
            if let Some(score) = scores.get_mut(scored.index) {
                *score = scored.score;
            }
        }
        Ok(Compared { scores, tokens })
    }

    /// Ends the answer where the client wants it to end, whichever comes first.
    fn end(&self, mut quoted: Quoted, bounds: &Bounds, input_tokens: u64) -> (Quoted, FinishReason, Usage) {
        let stop = bounds.stop.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| quoted.text.find(stop.as_str())).min();
        if let Some(stop) = stop {
            quoted.cut(stop);
        }
        let tokenizer = self.embedder.tokenizer();
        let mut ranges = tokenizer.tokenize(&quoted.text).ranges;
        let mut finish = FinishReason::Stop;
        if let Some(most) = bounds.max_tokens.filter(|most| *most < ranges.len()) {
            quoted.cut(most.checked_sub(1).map_or(0, |last| ranges[last].end));
            ranges.truncate(most);
            finish = FinishReason::Length;
        }
        let usage = Usage { input_tokens, output_tokens: ranges.len() as u64, cached_tokens: 0 };
        (quoted, finish, usage)
    }
}

struct Compared {
    scores: Vec<f32>,
    tokens: u64,
}
