//! Targets of the type `local`: the models of this process behind the same answers as everyone else's.

use std::sync::Arc;

use futures::{StreamExt, stream::BoxStream};
use mainspring_llm::{
    Budget, ChatModel, ChatRequest, Delta, Message, ModelFault, Models, Provenance, TokenUsage, Usage,
    chat::{ResponseFormat, Sampling, Speaker, TokenLogprob},
    embed::EmbedAs,
    exchange::{
        Answer, Call, Choice, Dialect, EmbedAnswer, EmbedCall, Event, Finish, Format, Part, RerankAnswer, RerankCall, Role, Turn,
    },
};
use mainspring_providers::beside_content;
use serde_json::{Map, Value, json};

use crate::fault::GatewayFault;

/// One call of a client becomes at most so many answers here, one after the other.
const CHOICES_MAX: u32 = 16;

pub(crate) type Events = BoxStream<'static, Result<Event, GatewayFault>>;

/// A call as the models of this process take it, and the fields that mean nothing to them.
pub(crate) fn request(call: &Call, model: &str) -> Result<(ChatRequest, Vec<String>), ModelFault> {
    let unsupported = |what: &str| ModelFault::Unsupported { model: model.to_owned(), what: what.to_owned() };
    // Tools, before they were called so.
    let has_functions = |functions: &Value| !functions.is_null() && functions.as_array().is_none_or(|list| !list.is_empty());
    if !call.tools.is_empty() || call.extra.get("functions").is_some_and(has_functions) {
        return Err(unsupported("tools"));
    }
    let mut beside = Vec::new();
    let turns = call.turns.iter().enumerate();
    let messages = turns.map(|(index, turn)| message(turn, (index, &mut beside), model)).collect::<Result<Vec<_>, _>>()?;
    let mut request = ChatRequest::of(messages);
    let usual = Sampling::default();
    request.sampling = Sampling {
        temperature: call.temperature.unwrap_or(usual.temperature),
        top_p: call.top_p.unwrap_or(usual.top_p),
        top_k: call.top_k,
        // Larger seeds are as good as any.
        seed: call.seed.map(|seed| u32::try_from(seed & i64::from(u32::MAX)).unwrap_or(0)),
        frequency_penalty: call.frequency_penalty.unwrap_or(usual.frequency_penalty),
        presence_penalty: call.presence_penalty.unwrap_or(usual.presence_penalty),
    };
    request.max_tokens = call.max_tokens.map(|tokens| tokens as usize);
    request.stop.clone_from(&call.stop);
    request.logprobs = call.logprobs;
    request.format = match &call.format {
        Format::Text => ResponseFormat::Text,
        Format::Json => ResponseFormat::Json,
        Format::Schema { schema, .. } => ResponseFormat::JsonSchema(schema.clone()),
    };
    let lost = [
        ("reasoning", call.reasoning.is_some()),
        ("service_tier", call.service_tier.is_some()),
        ("parallel_tool_calls", call.parallel_tools.is_some()),
    ];
    let lost = lost.into_iter().filter(|(_, said)| *said).map(|(name, _)| name.to_owned());
    let unread = call.extra.keys().chain(&call.unread).cloned();
    Ok((request, lost.chain(beside).chain(unread).collect()))
}

/// Names what is said of the message beside its content.
fn message(turn: &Turn, (index, beside): (usize, &mut Vec<String>), model: &str) -> Result<Message, ModelFault> {
    let speaker = match turn.role {
        Role::System | Role::Developer => Speaker::System,
        Role::User => Speaker::User,
        Role::Assistant => Speaker::Assistant,
        Role::Tool => Speaker::Tool,
    };
    let mut texts: Vec<&str> = Vec::with_capacity(turn.parts.len());
    for part in &turn.parts {
        if let Some(fields) = beside_content(part) {
            beside.extend(fields.keys().map(|name| format!("messages[{index}].{name}")));
            continue;
        }
        let what = match part {
            Part::Text { text, .. } | Part::Refusal { text } => {
                texts.push(text);
                continue;
            }
            // Thinking of an earlier answer is the provider's to read.
            Part::Reasoning(_) => continue,
            Part::Image { .. } => "images",
            Part::Audio { .. } => "audio",
            Part::File { .. } => "files",
            Part::ToolCall { .. } | Part::ToolResult { .. } => "tools",
            Part::Other { .. } => "this kind of content",
        };
        return Err(ModelFault::Unsupported { model: model.to_owned(), what: what.to_owned() });
    }
    Ok(Message::new(speaker, texts.join("\n")))
}

/// The answers to a call, one after the other, as one stream; with a prompt, raw text goes on.
pub(crate) fn chat(
    model: Arc<dyn ChatModel>,
    (prompt, request): (Option<String>, ChatRequest),
    (id, n): (String, Option<u32>),
    budget: Budget,
) -> Events {
    let choices = n.unwrap_or(1).clamp(1, CHOICES_MAX);
    async_stream::stream! {
        let mut used = TokenUsage::default();
        for choice in 0..choices {
            let request = alternative(&request, choice);
            let begun = match &prompt {
                Some(prompt) => model.stream_text(prompt.clone(), request, budget).await,
                None => model.stream(request, budget).await,
            };
            let mut stream = match begun {
                Ok(stream) => stream,
                Err(fault) => {
                    yield Err(GatewayFault::from(fault));
                    return;
                }
            };
            if choice == 0 {
                yield Ok(Event::Began { id: id.clone(), model: model.name().to_owned() });
            }
            let mut done = false;
            while let Some(delta) = stream.next().await {
                match delta {
                    Ok(Delta::Text { text, logprobs: tokens }) => yield Ok(Event::Text { choice, text, logprobs: logprobs(&tokens) }),
                    Ok(Delta::Done { finish: why, usage }) => {
                        count(&mut used, if choice == 0 { usage } else { usage.of_alternative() });
                        yield Ok(Event::Finished { choice, finish: why.into(), stop_sequence: None });
                        done = true;
                        break;
                    }
                    Err(fault) => {
                        yield Err(GatewayFault::from(fault));
                        return;
                    }
                }
            }
            if !done {
                let reason = "it stopped in the middle".to_owned();
                yield Err(GatewayFault::from(ModelFault::Engine { model: model.name().to_owned(), reason }));
                return;
            }
        }
        yield Ok(Event::Usage(used.all_from(Provenance::Counted)));
        yield Ok(Event::Ended);
    }
    .boxed()
}

/// Alternatives under one seed must differ, and the whole must still repeat.
fn alternative(request: &ChatRequest, choice: u32) -> ChatRequest {
    let mut request = request.clone();
    request.sampling.seed = request.sampling.seed.map(|seed| seed.wrapping_add(choice));
    request
}

fn count(used: &mut TokenUsage, usage: Usage) {
    used.input += usage.input_tokens;
    used.output += usage.output_tokens;
    used.cache_read += usage.cached_tokens;
}

/// In OpenAI's form.
fn logprobs(tokens: &[TokenLogprob]) -> Option<Value> {
    if tokens.is_empty() {
        return None;
    }
    let entry = |token: &str, logprob: f32| json!({"token": token, "logprob": logprob, "bytes": token.as_bytes()});
    let content = tokens.iter().map(|token| {
        let mut shown = entry(&token.token, token.logprob);
        shown["top_logprobs"] = token.top.iter().map(|(token, logprob)| entry(token, *logprob)).collect();
        shown
    });
    Some(json!({"content": content.collect::<Vec<_>>(), "refusal": null}))
}

/// Reads the events of a model of this process to their end.
#[derive(Debug)]
pub(crate) struct Whole {
    id: String,
    model: String,
    choices: Vec<Choice>,
    usage: Option<TokenUsage>,
}

impl Whole {
    pub(crate) fn new() -> Self {
        Self { id: String::new(), model: String::new(), choices: Vec::new(), usage: None }
    }

    pub(crate) fn push(&mut self, event: Event) {
        match event {
            Event::Began { id, model } => (self.id, self.model) = (id, model),
            Event::Text { choice, text, logprobs } => {
                let choice = self.choice(choice);
                match choice.parts.last_mut() {
                    Some(Part::Text { text: so_far, .. }) => so_far.push_str(&text),
                    _ => choice.parts.push(Part::text(text)),
                }
                append(&mut choice.logprobs, logprobs);
            }
            Event::Finished { choice, finish, stop_sequence } => {
                let choice = self.choice(choice);
                choice.finish = finish;
                choice.stop_sequence = stop_sequence;
            }
            Event::Usage(usage) => self.usage.get_or_insert_default().merge(&usage),
            // These models say nothing else.
            _ => {}
        }
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let index = index as usize;
        while self.choices.len() <= index {
            let empty = Choice { parts: Vec::new(), finish: Finish::Stop, stop_sequence: None, logprobs: None };
            self.choices.push(empty);
        }
        &mut self.choices[index]
    }

    pub(crate) fn answer(self) -> Answer {
        let Self { id, model, choices, usage } = self;
        Answer { id, model, choices, usage, service_tier: None, fingerprint: None, said_in: Dialect::Local, extra: Map::new() }
    }
}

fn append(so_far: &mut Option<Value>, more: Option<Value>) {
    match (so_far.as_mut().and_then(|value| value["content"].as_array_mut()), more) {
        (Some(tokens), Some(mut more)) => {
            if let Some(more) = more["content"].as_array_mut() {
                tokens.append(more);
            }
        }
        (None, Some(more)) => *so_far = Some(more),
        (_, None) => {}
    }
}

pub(crate) async fn embed(models: &Models, name: &str, call: &EmbedCall, budget: Budget) -> Result<EmbedAnswer, ModelFault> {
    let model = models.embedder(name)?;
    if call.dimensions.is_some_and(|asked| asked as usize != model.dimensions()) {
        let reason = format!("`{}` gives {} dimensions and cannot be shortened", model.name(), model.dimensions());
        return Err(ModelFault::InvalidParameter { parameter: "dimensions", reason });
    }
    // Dialects do not say what a text is for; passages are the common case. They do say that a text beyond the window
    // is refused.
    let embedded = model.embed_whole(call.inputs.clone(), EmbedAs::Passage, budget).await?;
    let usage = counted(embedded.tokens);
    Ok(EmbedAnswer { model: model.name().to_owned(), vectors: embedded.vectors, usage: Some(usage) })
}

pub(crate) async fn rerank(models: &Models, name: &str, call: &RerankCall, budget: Budget) -> Result<RerankAnswer, ModelFault> {
    let model = models.reranker(name)?;
    let mut scored = model.rerank(&call.query, call.documents.clone(), budget).await?;
    scored.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.index.cmp(&b.index)));
    scored.truncate(call.top_n.map_or(usize::MAX, |top| top as usize));
    let results = scored.iter().map(|scored| (u32::try_from(scored.index).unwrap_or(u32::MAX), f64::from(scored.score)));
    let bytes = call.query.len() + call.documents.iter().map(String::len).sum::<usize>();
    let mut usage = counted(crate::estimate::about(bytes as u64));
    // The seam gives scores and no count.
    usage.input_from = Provenance::Estimated;
    Ok(RerankAnswer { model: name.to_owned(), results: results.collect(), usage: Some(usage) })
}

fn counted(input: u64) -> TokenUsage {
    TokenUsage { input, ..TokenUsage::default() }.all_from(Provenance::Counted)
}
