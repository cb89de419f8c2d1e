//! What clients of raw completions get of answers that were given in a chat, or by a model of this process.

use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Event, Finish, Part},
};
use serde_json::{Value, json};

/// An answer as a whole; `model` is the name the client knows.
pub(crate) fn whole(answer: &Answer, (created, model): (i64, &str)) -> Value {
    let choices = answer.choices.iter().enumerate().map(|(index, choice)| {
        let texts = choice.parts.iter().filter_map(|part| match part {
            Part::Text { text, .. } | Part::Refusal { text } => Some(text.as_str()),
            _ => None,
        });
        self::choice(index as u64, &texts.collect::<String>(), Some(choice.finish))
    });
    let mut body = frame((&answer.id, created, model), choices.collect());
    if let Some(usage) = &answer.usage {
        body["usage"] = self::usage(usage);
    }
    body
}

fn frame((id, created, model): (&str, i64, &str), choices: Vec<Value>) -> Value {
    json!({"id": id, "object": "text_completion", "created": created, "model": model, "choices": choices})
}

fn choice(index: u64, text: &str, finish: Option<Finish>) -> Value {
    let reason = finish.map(|finish| match finish {
        Finish::Length => "length",
        Finish::ContentFilter => "content_filter",
        Finish::Stop | Finish::ToolCalls | Finish::Pause => "stop",
    });
    json!({"index": index, "text": text, "logprobs": null, "finish_reason": reason})
}

fn usage(usage: &TokenUsage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input.saturating_add(usage.output),
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
    })
}

/// Writes a stream of them.
#[derive(Debug)]
pub(crate) struct Writer {
    id: String,
    created: i64,
    model: String,
    include_usage: bool,
    usage: Option<TokenUsage>,
}

impl Writer {
    pub(crate) fn new(created: i64, model: &str, include_usage: bool) -> Self {
        Self { id: String::new(), created, model: model.to_owned(), include_usage, usage: None }
    }

    /// The data of the events that one event becomes.
    pub(crate) fn push(&mut self, event: Event) -> Vec<String> {
        match event {
            Event::Began { id, .. } => {
                self.id = id;
                Vec::new()
            }
            Event::Text { choice, text, .. } | Event::Refusal { choice, text } => {
                vec![self.chunk(vec![self::choice(choice.into(), &text, None)]).to_string()]
            }
            Event::Finished { choice, finish, .. } => {
                vec![self.chunk(vec![self::choice(choice.into(), "", Some(finish))]).to_string()]
            }
            Event::Usage(more) => {
                self.usage.get_or_insert_default().merge(&more);
                Vec::new()
            }
            Event::Ended => {
                let mut last = Vec::with_capacity(2);
                if let Some(usage) = self.usage.as_ref().filter(|_| self.include_usage) {
                    let mut chunk = self.chunk(Vec::new());
                    chunk["usage"] = self::usage(usage);
                    last.push(chunk.to_string());
                }
                last.push("[DONE]".to_owned());
                last
            }
            // What is thought, and tools, have no place here.
            _ => Vec::new(),
        }
    }

    fn chunk(&self, choices: Vec<Value>) -> Value {
        frame((&self.id, self.created, &self.model), choices)
    }
}
