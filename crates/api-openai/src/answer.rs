//! What clients get: OpenAI's objects, with citations as annotations and everything else under `mainspring`.

use mainspring_chains::{Alternative, Outcome, Source};
use mainspring_kernel::{Clock, Money, id::RequestId};
use mainspring_llm::{FinishReason, Usage, chat::TokenLogprob};
use mainspring_web_kit::with_cost;
use serde_json::{Value, json};

use crate::page::Page;

/// What every object of one answer shares.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    id: String,
    created: i64,
    model: String,
    page: Page,
}

impl Envelope {
    pub(crate) fn new(prefix: &str, model: &str, clock: &dyn Clock) -> Self {
        let now = clock.now();
        let id = RequestId::new(now).to_string();
        Self { id: format!("{prefix}-{}", &id[4..]), created: now.as_seconds(), model: model.to_owned(), page: Page::default() }
    }

    /// Citations are linked to this page.
    pub(crate) fn on(self, page: Page) -> Self {
        Self { page, ..self }
    }

    pub(crate) fn completion(&self, alternatives: &[Alternative], usage: Usage, refuse: bool, cost: Option<Money>) -> Value {
        let choices = alternatives.iter().enumerate().map(|(index, alternative)| {
            let abstained = refuse && alternative.outcome.abstained;
            let mut choice = json!({
                "index": index,
                "message": {
                    "role": "assistant",
                    "content": if abstained { Value::Null } else { json!(alternative.text) },
                    "refusal": if abstained { json!(alternative.text) } else { Value::Null },
                    "annotations": annotations(&alternative.outcome, &self.page),
                },
                "logprobs": logprobs(&alternative.logprobs),
                "finish_reason": alternative.finish.as_str(),
            });
            // The field beside the choices tells of the first; what carries another one is its own.
            if alternatives.len() > 1 {
                choice["mainspring"] = json!(alternative.outcome);
            }
            choice
        });
        let mut body = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": choices.collect::<Vec<_>>(),
            "usage": usage_json(usage),
        });
        if let Some(first) = alternatives.first() {
            body["mainspring"] = with_cost(json!(first.outcome), cost);
        }
        body
    }

    fn chunk(&self, index: usize, delta: Value, finish: Option<FinishReason>) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": index, "delta": delta, "logprobs": null, "finish_reason": finish.map(FinishReason::as_str)}],
        })
    }

    /// The first chunk of an alternative, whose text stands under `field`: `content` or `refusal`.
    pub(crate) fn opening(&self, index: usize, field: &str) -> Value {
        self.chunk(index, json!({"role": "assistant", field: ""}), None)
    }

    pub(crate) fn text(&self, index: usize, field: &str, text: &str, tokens: &[TokenLogprob]) -> Value {
        let mut chunk = self.chunk(index, json!({field: text}), None);
        chunk["choices"][0]["logprobs"] = logprobs(tokens);
        chunk
    }

    /// What retrieval found, before the first word: a page can show sources while the model reads.
    pub(crate) fn sources(&self, sources: &[Source]) -> Value {
        let mut chunk = self.chunk(0, json!({}), None);
        chunk["mainspring"] = json!({"sources": sources});
        chunk
    }

    /// The last chunk of an alternative: why it ended, its citations, what is known about it; in the last of all what they cost.
    pub(crate) fn closing(&self, index: usize, finish: FinishReason, outcome: &Outcome, cost: Option<Money>) -> Value {
        let mut chunk = self.chunk(index, json!({"annotations": annotations(outcome, &self.page)}), Some(finish));
        chunk["mainspring"] = with_cost(json!(outcome), cost);
        chunk
    }

    pub(crate) fn usage(&self, usage: Usage) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": [],
            "usage": usage_json(usage),
        })
    }

    pub(crate) fn text_completion(&self, choices: Vec<Value>, usage: Option<Usage>) -> Value {
        let mut body = json!({
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if let Some(usage) = usage {
            body["usage"] = usage_json(usage);
        }
        body
    }
}

pub(crate) fn usage_json(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    })
}

/// Citations as OpenAI's `url_citation`s. The address opens the document at the cited passage.
pub(crate) fn annotations(outcome: &Outcome, page: &Page) -> Vec<Value> {
    let find = |number: usize| outcome.sources.iter().find(|source| source.number == number);
    let annotation = |citation: &mainspring_chains::citations::Citation| {
        find(citation.source).map(|source| {
            json!({
                "type": "url_citation",
                "url_citation": {
                    "start_index": citation.start,
                    "end_index": citation.end,
                    "title": source.title,
                    "url": page.passage(source),
                },
            })
        })
    };
    outcome.citations.iter().filter_map(annotation).collect()
}

/// Chat's shape of log probabilities; `null` where none were asked for.
fn logprobs(tokens: &[TokenLogprob]) -> Value {
    if tokens.is_empty() {
        return Value::Null;
    }
    let entry = |token: &str, logprob: f32| json!({"token": token, "logprob": logprob, "bytes": token.as_bytes()});
    let content = tokens.iter().map(|token| {
        let mut shown = entry(&token.token, token.logprob);
        shown["top_logprobs"] = token.top.iter().map(|(token, logprob)| entry(token, *logprob)).collect();
        shown
    });
    json!({"content": content.collect::<Vec<_>>(), "refusal": null})
}
