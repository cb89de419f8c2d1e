//! One answer, from question to checked citations.

mod answering;
mod finding;
mod model_call;
mod prompt;
mod quoting;

use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Instant};

use futures::{Stream, StreamExt};
use mainspring_kernel::Actor;
use mainspring_llm::{
    Budget, FinishReason, Message, ModelSource, Models, Passage, Retrieved, Retriever, SpanContext, Unread, Usage,
    chat::{Speaker, TokenLogprob},
    retrieve::{documents_of, labels_to_read},
    trace::{OpenSpan, SpanKind, names},
};
use mainspring_registry::Registry;
use serde_json::{Value, json};

use quoting::Given;
pub(crate) use quoting::Quoter;

use crate::{
    fault::ChainFault,
    names::Names,
    outcome::{Outcome, Source, VersionUsed},
    request::{Question, Replayable},
    resolve::{Callable, Plan, Resolver, callables},
    unread,
};

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
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn fail(root: OpenSpan, fault: &ChainFault) {
    use mainspring_kernel::Fault;
    root.fail(fault.code(), fault.to_string());
}
