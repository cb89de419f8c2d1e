//! One answer, from question to checked citations.

mod finding;
mod model_call;
mod quoting;

use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Instant};

use futures::{Stream, StreamExt};
use mainspring_kernel::{Actor, Digest};
use mainspring_llm::{
    Budget, ChatModel, ChatRequest, ChatStream, Delta, FinishReason, Message, ModelSource, Models, Passage, Retrieved, Retriever,
    SpanContext, Unread, Usage,
    chat::{Speaker, TokenLogprob},
    retrieve::{documents_of, labels_to_read},
    trace::{OpenSpan, SpanKind, names},
};
use mainspring_prompts::InferenceSettings;
use mainspring_registry::Registry;
use serde_json::{Value, json};

use model_call::ModelCall;
pub(crate) use quoting::Quoter;
use quoting::{Bounds, Given};

use crate::{
    citations,
    fault::ChainFault,
    names::Names,
    outcome::{Outcome, Source, VersionUsed},
    request::{Question, Replayable, sampling},
    resolve::{By, Callable, Plan, Resolver, callables},
    unread,
};

/// Room kept for an answer when nobody says how long it may be.
const ANSWER_TOKENS: usize = 512;

#[derive(Debug, Clone)]
pub struct Chains {
    registry: Arc<Registry>,
    retriever: Arc<dyn Retriever>,
    models: Models,
    source: Option<Arc<dyn ModelSource>>,
    default_model: String,
    models_only: bool,
    pub(crate) names: Arc<Names>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AnswerEvent {
    /// The answer begins; what was found is known.
    Sources {
        sources: Vec<Source>,
        /// Nothing relevant was found: the text to come is the app's, not a model's.
        abstains: bool,
    },
    Text {
        index: usize,
        text: String,
        logprobs: Vec<TokenLogprob>,
    },
    Finished {
        index: usize,
        finish: FinishReason,
    },
    Done {
        /// Of all alternatives, with the prompt counted once.
        usage: Usage,
        outcomes: Vec<Outcome>,
    },
}

pub type AnswerStream = Pin<Box<dyn Stream<Item = Result<AnswerEvent, ChainFault>> + Send>>;

#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    pub text: String,
    pub finish: FinishReason,
    pub logprobs: Vec<TokenLogprob>,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub alternatives: Vec<Alternative>,
    /// Of all of them, with the prompt counted once.
    pub usage: Usage,
}

impl Chains {
    #[must_use]
    pub fn new(registry: Arc<Registry>, retriever: Arc<dyn Retriever>, models: Models, default_model: String) -> Self {
        Self { registry, retriever, models, source: None, default_model, models_only: false, names: Arc::default() }
    }

    /// For a process that runs no apps and no prompts: it knows their names, and says so where one is asked for.
    #[must_use]
    pub const fn serving_models_only(mut self) -> Self {
        self.models_only = true;
        self
    }

    #[must_use]
    pub const fn serves_models_only(&self) -> bool {
        self.models_only
    }

    /// Names that the source has a model for mean that model.
    #[must_use]
    pub fn with_source(mut self, source: Arc<dyn ModelSource>) -> Self {
        self.source = Some(source);
        self
    }

    /// Everything this actor can name as `model`.
    pub async fn callables(&self, actor: &Actor) -> Result<Vec<Callable>, ChainFault> {
        callables(actor, &self.registry, &self.models).await
    }

    #[must_use]
    pub const fn models(&self) -> &Models {
        &self.models
    }

    /// Answers as a stream. Faults that are known before the first token are returned, not streamed.
    pub async fn stream(
        &self,
        actor: &Actor,
        question: Question,
        trace: &SpanContext,
        budget: Budget,
    ) -> Result<AnswerStream, ChainFault> {
        let mut root = trace.start(format!("invoke_agent {}", question.target), SpanKind::Server);
        match self.begin(actor, question, &mut root, budget).await {
            Ok(run) => run.stream(root, budget).await,
            Err(fault) => {
                use mainspring_kernel::Fault;
                root.fail(fault.code(), fault.to_string());
                Err(fault)
            }
        }
    }

    /// Answers as a whole.
    pub async fn answer(
        &self,
        actor: &Actor,
        question: Question,
        trace: &SpanContext,
        budget: Budget,
    ) -> Result<Answer, ChainFault> {
        let mut stream = self.stream(actor, question, trace, budget).await?;
        let mut texts: BTreeMap<usize, (String, FinishReason, Vec<TokenLogprob>)> = BTreeMap::new();
        let empty = || (String::new(), FinishReason::Stop, Vec::new());
        while let Some(event) = stream.next().await {
            match event? {
                AnswerEvent::Sources { .. } => {}
                AnswerEvent::Text { index, text, logprobs } => {
                    let entry = texts.entry(index).or_insert_with(empty);
                    entry.0.push_str(&text);
                    entry.2.extend(logprobs);
                }
                AnswerEvent::Finished { index, finish } => texts.entry(index).or_insert_with(empty).1 = finish,
                AnswerEvent::Done { usage, outcomes } => {
                    let alternatives = outcomes
                        .into_iter()
                        .enumerate()
                        .map(|(index, outcome)| {
                            let (text, finish, logprobs) = texts.remove(&index).unwrap_or_else(empty);
                            Alternative { text, finish, logprobs, outcome }
                        })
                        .collect();
                    return Ok(Answer { alternatives, usage });
                }
            }
        }
        Err(ChainFault::Model(mainspring_llm::ModelFault::Engine {
            model: self.default_model.clone(),
            reason: "the stream ended without a last event".into(),
        }))
    }

    /// Everything up to the first token: versions, passages, the rendered prompt.
    async fn begin(&self, actor: &Actor, question: Question, root: &mut OpenSpan, budget: Budget) -> Result<Run, ChainFault> {
        note_question(root, &question);
        let resolver = Resolver {
            actor,
            registry: &self.registry,
            models: &self.models,
            source: self.source.as_deref(),
            default_model: &self.default_model,
            pins: &question.pins,
            user: question.user.as_deref(),
            batch: question.batch,
            line_of: question.line_of,
            told: &question.told,
            models_only: self.models_only,
            trace: root.context(),
        };
        let plan = resolver.plan(&question.target).await?;
        if let Some(app) = &plan.app {
            root.set(names::APP, app.as_str());
            root.set("gen_ai.agent.name", app.as_str());
        }
        let asked = last_user_message(&question.messages)?;
        let mut run = Run::new(plan, question);
        self.find(actor, &mut run, &asked, (root, budget)).await?;
        Ok(run)
    }
}

fn note_question(root: &mut OpenSpan, question: &Question) {
    root.set(names::OPERATION, "invoke_agent");
    root.set(names::REQUEST_MODEL, question.target.to_string());
    if let Some(user) = &question.user {
        root.set(names::USER, user.as_str());
    }
    if let Some(session) = &question.session {
        root.set(names::CONVERSATION, session.as_str());
    }
    root.set(names::INPUT_MESSAGES, messages_json(&question.messages));
    let replayable = Replayable {
        target: question.target.to_string(),
        messages: question.messages.clone(),
        overrides: question.overrides.clone(),
        parameters: question.parameters.clone(),
    };
    root.set(names::REPLAY, serde_json::to_value(replayable).unwrap_or_default());
}

/// Messages in the shape the GenAI conventions give `gen_ai.input.messages`.
fn messages_json(messages: &[Message]) -> Value {
    let shaped = messages
        .iter()
        .map(|message| json!({"role": message.role.as_str(), "parts": [{"type": "text", "content": message.content}]}));
    Value::Array(shaped.collect())
}

fn last_user_message(messages: &[Message]) -> Result<String, ChainFault> {
    let last = messages.iter().rev().find(|message| message.role == Speaker::User);
    last.map(|message| message.content.clone()).filter(|text| !text.trim().is_empty()).ok_or(ChainFault::NoQuestion)
}

/// One answer under way: everything is known but the text.
#[derive(Debug)]
struct Run {
    plan: Plan,
    question: Question,
    found: Vec<Retrieved>,
    /// Knowledges of the plan whose documents were not all read yet.
    unread: Vec<Unread>,
    /// Knowledge label and passage, in the order of their numbers.
    passages: Vec<(String, Passage)>,
    /// Of each passage, where the search that found it placed it.
    ranks: Vec<usize>,
    dropped: usize,
    prompt: Vec<Message>,
    prompt_tokens: usize,
    /// The answer, where nobody has to write it.
    given: Option<Given>,
    timings: Vec<(String, f64)>,
}

impl Run {
    const fn new(plan: Plan, question: Question) -> Self {
        Self {
            plan,
            question,
            found: Vec::new(),
            unread: Vec::new(),
            passages: Vec::new(),
            ranks: Vec::new(),
            dropped: 0,
            prompt: Vec::new(),
            prompt_tokens: 0,
            given: None,
            timings: Vec::new(),
        }
    }

    fn abstains(&self) -> bool {
        !self.plan.retrieves.is_empty() && self.passages.is_empty()
    }

    /// What is said where no model is asked: of documents that nobody read it is not known what they say.
    fn abstention(&self) -> String {
        if self.unread.is_empty() { self.plan.abstain.clone() } else { unread::words(&self.unread) }
    }

    fn versions(&self) -> Vec<VersionUsed> {
        let mut versions = self.plan.versions.clone();
        for retrieved in &self.found {
            let (name, number) = retrieved.knowledge.rsplit_once("@v").unwrap_or((&retrieved.knowledge, "0"));
            versions.push(VersionUsed {
                kind: mainspring_kernel::AssetKind::Knowledge,
                name: name.to_owned(),
                number: number.parse().unwrap_or(0),
                digest: retrieved.knowledge_digest.clone(),
            });
        }
        // The model that answers stands before these, and is named once if it is one of them.
        for model in self.found.iter().flat_map(|retrieved| &retrieved.models) {
            let (name, digest) = (model.name.clone(), model.identity.clone());
            let used = VersionUsed { kind: mainspring_kernel::AssetKind::Model, name, number: 0, digest };
            if !versions.contains(&used) {
                versions.push(used);
            }
        }
        versions
    }

    fn note(&self, root: &mut OpenSpan) {
        root.set(names::VERSIONS, self.versions().iter().map(ToString::to_string).collect::<Vec<_>>());
        let tables: Vec<Value> = self.found.iter().filter_map(|found| serde_json::to_value(&found.pin).ok()).collect();
        root.set(names::LAKE_PINS, tables);
        root.set(names::SOURCES, self.passages.iter().map(|(_, passage)| passage.chunk.as_str()).collect::<Vec<_>>());
        root.set(names::DOCUMENTS, documents_of(self.passages.iter().map(|(_, passage)| passage)));
        root.set(names::LABELS, labels_to_read(self.passages.iter().map(|(_, passage)| passage)));
        if !self.unread.is_empty() {
            root.set("mainspring.unread", self.unread.iter().map(|unread| unread.knowledge.as_str()).collect::<Vec<_>>());
        }
    }

    /// What can be done before the first piece of text: the prompt, or the quotes.
    /// `query` is what the passages were found by: the question, or with it what it leans on.
    async fn prepare(&mut self, (asked, query): (&str, &str), trace: &SpanContext, budget: Budget) -> Result<(), ChainFault> {
        match &self.plan.by {
            By::Model(chosen) => {
                let model = Arc::clone(&chosen.model);
                self.fit_prompt(asked, model.as_ref()).await
            }
            By::Quotes(quoter) => {
                self.refuse_unquotable()?;
                let passages: Vec<Passage> = self.passages.iter().map(|(_, passage)| passage.clone()).collect();
                let bounds = Bounds { max_tokens: self.max_tokens(), stop: self.stop() };
                self.given = quoter.quote(query, &passages, &bounds, trace, budget).await?;
                match &self.given {
                    Some(given) => self.timings.push(("quote".to_owned(), given.took)),
                    // Nothing of it answers, so nothing of it is given as a source.
                    None => {
                        self.passages.clear();
                        self.ranks.clear();
                    }
                }
                Ok(())
            }
        }
    }

    /// What only a model that writes can do.
    fn refuse_unquotable(&self) -> Result<(), ChainFault> {
        let overrides = &self.question.overrides;
        let asked = [("response_format", overrides.json.is_some()), ("logprobs", overrides.logprobs.is_some())];
        match asked.into_iter().find(|(_, asked)| *asked) {
            Some((parameter, _)) => Err(ChainFault::QuotesOnly { app: self.question.target.to_string(), parameter }),
            None => Ok(()),
        }
    }

    /// Renders the prompt, leaving out the worst sources until it fits the context window.
    async fn fit_prompt(&mut self, asked: &str, model: &dyn ChatModel) -> Result<(), ChainFault> {
        let wanted = self.max_tokens().unwrap_or(ANSWER_TOKENS);
        loop {
            self.prompt = self.render(asked)?;
            self.prompt_tokens = model.count_tokens(&self.prompt).await?;
            let Some(window) = model.context_window() else { return Ok(()) };
            if self.prompt_tokens + wanted <= window {
                return Ok(());
            }
            if self.passages.len() <= 1 {
                let least = self.max_tokens().unwrap_or(1);
                if self.prompt_tokens + least <= window {
                    return Ok(());
                }
                let model = model.name().to_owned();
                return Err(ChainFault::PromptTooLong { model, tokens: self.prompt_tokens, window });
            }
            self.drop_worst();
        }
    }

    fn render(&self, asked: &str) -> Result<Vec<Message>, ChainFault> {
        let Some((step, prompt)) = &self.plan.prompt else { return Ok(self.question.messages.clone()) };
        let mut values: BTreeMap<String, Value> = step.with.clone();
        values.extend(self.question.parameters.clone());
        let history = self.history();
        let ours = [("question", json!(asked)), ("sources", self.sources_value()), ("history", json!(history))];
        for (name, value) in ours {
            if prompt.parameters.contains_key(name) {
                values.entry(name.to_owned()).or_insert(value);
            }
        }
        let mut messages = prompt.render(&values)?;
        // A prompt that does not place the conversation itself gets it before its last message.
        if !prompt.parameters.contains_key("history") && !history.is_empty() {
            let at = messages.len().saturating_sub(1);
            messages.splice(at..at, history);
        }
        Ok(messages)
    }

    /// What was said before the question.
    fn history(&self) -> Vec<Message> {
        let messages = &self.question.messages;
        let last = messages.iter().rposition(|message| message.role == Speaker::User).unwrap_or(0);
        messages[..last].to_vec()
    }

    fn sources_value(&self) -> Value {
        let sources = self.passages.iter().enumerate().map(|(index, (_, passage))| {
            json!({
                "number": index + 1,
                "title": passage.title,
                "heading": passage.heading_path.join(" > "),
                "page": passage.page,
                "uri": passage.uri,
                "text": passage.shown(),
            })
        });
        Value::Array(sources.collect())
    }

    fn layers(&self) -> [&InferenceSettings; 3] {
        static NONE: InferenceSettings = InferenceSettings {
            temperature: None,
            top_p: None,
            max_tokens: None,
            seed: None,
            frequency_penalty: None,
            stop: Vec::new(),
        };
        let prompt = self.plan.prompt.as_ref().map_or(&NONE, |(_, prompt)| &prompt.settings);
        [&self.question.overrides.settings, &self.plan.settings, prompt]
    }

    fn max_tokens(&self) -> Option<usize> {
        self.layers().iter().find_map(|layer| layer.max_tokens).map(|tokens| tokens as usize)
    }

    fn stop(&self) -> Vec<String> {
        self.layers().iter().find(|layer| !layer.stop.is_empty()).map(|layer| layer.stop.clone()).unwrap_or_default()
    }

    fn chat_request(&self, index: usize) -> ChatRequest {
        let layers = self.layers();
        let mut sampling = sampling(&layers, self.question.overrides.presence_penalty);
        // Alternatives under one seed must differ, and the whole must still repeat.
        sampling.seed = sampling.seed.map(|seed| seed.wrapping_add(u32::try_from(index).unwrap_or(0)));
        ChatRequest {
            messages: self.prompt.clone(),
            sampling,
            max_tokens: self.max_tokens(),
            stop: self.stop(),
            format: self.question.overrides.format(),
            logprobs: self.question.overrides.logprobs,
        }
    }

    fn sources(&self, cited: &[citations::Citation]) -> Vec<Source> {
        let sources = self.passages.iter().enumerate().map(|(index, (knowledge, passage))| {
            Source::of(index + 1, knowledge, passage, cited.iter().any(|citation| citation.source == index + 1))
        });
        sources.collect()
    }

    fn outcome(&self, text: &str, trace: &SpanContext, timings: Vec<(String, f64)>) -> Outcome {
        let passages: Vec<Passage> = self.passages.iter().map(|(_, passage)| passage.clone()).collect();
        let checked = match &self.given {
            // Quotes are carried by where they stand; brackets in them are their document's.
            Some(given) => citations::Checked { citations: given.quoted.citations.clone(), ..citations::Checked::default() },
            None if passages.is_empty() => citations::Checked::default(),
            None => citations::check(text, &passages),
        };
        Outcome {
            trace_id: trace.trace,
            target: self.question.target.to_string(),
            versions: self.versions(),
            tables: self.found.iter().map(|found| found.pin.clone()).collect(),
            abstained: self.abstains(),
            unread: self.unread.clone(),
            sources: self.sources(&checked.citations),
            citations: checked.citations,
            unsupported: checked.unsupported,
            invented_citations: checked.invented,
            dropped_sources: self.dropped,
            timings,
        }
    }

    /// Where there are no sources to show before the model is asked, it is asked at once: what it refuses is a refusal, and no
    /// event of a stream.
    async fn stream(self, root: OpenSpan, budget: Budget) -> Result<AnswerStream, ChainFault> {
        if !self.plan.retrieves.is_empty() {
            return Ok(self.answers(root, None, budget));
        }
        let By::Model(chosen) = &self.plan.by else { return Ok(self.answers(root, None, budget)) };
        match ModelCall::begin(&self, chosen, root.context(), 0, budget).await {
            Ok(begun) => Ok(self.answers(root, Some(begun), budget)),
            Err(fault) => {
                fail(root, &fault);
                Err(fault)
            }
        }
    }

    fn answers(self, root: OpenSpan, mut first: Option<(ModelCall, ChatStream)>, budget: Budget) -> AnswerStream {
        let n = self.question.n.max(1);
        Box::pin(async_stream::stream! {
            yield Ok(AnswerEvent::Sources { sources: self.sources(&[]), abstains: self.abstains() });
            // What the model read and wrote, and what of it is told: whoever asks for several answers wrote one prompt.
            let (mut total, mut told) = (Usage::default(), Usage::default());
            let mut outcomes = Vec::with_capacity(n);
            let mut texts = Vec::with_capacity(n);
            for index in 0..n {
                let mut timings = self.timings.clone();
                let mut text = String::new();
                if self.abstains() {
                    text.push_str(&self.abstention());
                    yield Ok(AnswerEvent::Text { index, text: text.clone(), logprobs: Vec::new() });
                    yield Ok(AnswerEvent::Finished { index, finish: FinishReason::Stop });
                } else if let Some(given) = &self.given {
                    for piece in given.quoted.pieces() {
                        yield Ok(AnswerEvent::Text { index, text: piece.to_owned(), logprobs: Vec::new() });
                    }
                    text.push_str(&given.quoted.text);
                    yield Ok(AnswerEvent::Finished { index, finish: given.finish });
                    // However many alternatives: the sources were read once, and each of them is given.
                    let read = if index == 0 { given.usage.input_tokens } else { 0 };
                    let usage = Usage { input_tokens: read, ..given.usage };
                    add(&mut total, usage);
                    add(&mut told, usage);
                } else if let By::Model(chosen) = &self.plan.by {
                    let begun = match first.take() {
                        Some(begun) => Ok(begun),
                        None => ModelCall::begin(&self, chosen, root.context(), index, budget).await,
                    };
                    let (mut call, mut stream) = match begun {
                        Ok(begun) => begun,
                        Err(fault) => {
                            fail(root, &fault);
                            yield Err(fault);
                            return;
                        }
                    };
                    while let Some(delta) = stream.next().await {
                        match delta {
                            Ok(Delta::Text { text: piece, logprobs }) => {
                                call.first_token();
                                text.push_str(&piece);
                                yield Ok(AnswerEvent::Text { index, text: piece, logprobs });
                            }
                            Ok(Delta::Done { finish, usage }) => {
                                add(&mut total, usage);
                                add(&mut told, if index == 0 { usage } else { usage.of_alternative() });
                                timings.extend(call.finish(&text, finish, usage));
                                yield Ok(AnswerEvent::Finished { index, finish });
                                break;
                            }
                            Err(fault) => {
                                let fault = ChainFault::Model(fault);
                                call.fail(&fault);
                                fail(root, &fault);
                                yield Err(fault);
                                return;
                            }
                        }
                    }
                }
                outcomes.push(self.outcome(&text, root.context(), timings));
                texts.push(text);
            }
            close(root, &self, &texts, &outcomes, total);
            yield Ok(AnswerEvent::Done { usage: told, outcomes });
        })
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn add(total: &mut Usage, usage: Usage) {
    total.input_tokens += usage.input_tokens;
    total.output_tokens += usage.output_tokens;
    total.cached_tokens += usage.cached_tokens;
}

fn fail(root: OpenSpan, fault: &ChainFault) {
    use mainspring_kernel::Fault;
    root.fail(fault.code(), fault.to_string());
}

fn close(mut root: OpenSpan, run: &Run, texts: &[String], outcomes: &[Outcome], usage: Usage) {
    let answers: Vec<Message> = texts.iter().map(|text| Message::new(Speaker::Assistant, text.as_str())).collect();
    root.set(names::OUTPUT_MESSAGES, messages_json(&answers));
    root.set(names::ANSWER_DIGEST, Digest::of(texts.concat().as_bytes()).to_string());
    root.set(names::INPUT_TOKENS, usage.input_tokens);
    root.set(names::OUTPUT_TOKENS, usage.output_tokens);
    root.set(names::RESPONSE_MODEL, run.plan.model_name());
    if let Some(outcome) = outcomes.first() {
        root.set("mainspring.abstained", outcome.abstained);
        root.set("mainspring.citations", outcome.citations.len());
        root.set("mainspring.unsupported_sentences", outcome.unsupported.len());
    }
    root.finish();
}
