//! What callers hold: a chat model that loads itself when it is first asked for something.

use std::{fmt, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use futures::stream;
use llama_cpp_2::token::LlamaToken;
use mainspring_kernel::Fault;
use mainspring_llm::{
    Budget, ChatModel, ChatRequest, ChatStream, Delta, Message, ModelFault,
    chat::{ResponseFormat, Sampling},
};
use tokio::sync::{OnceCell, mpsc};

use crate::{
    cpu::check_cpu,
    engine::{ChatStats, Engine},
    generation::Request,
    model::{Model, PromptFault},
    schema::{self, Unkept},
    spec::{ChatOptions, ChatSpec, Locate},
};

const STOPS_MAX: usize = 16;
const STOP_BYTES_MAX: usize = 256;
const LOGPROBS_MAX: u8 = 20;

/// A chat model on this machine.
pub struct LocalChat {
    spec: ChatSpec,
    options: ChatOptions,
    locate: Locate,
    engine: OnceCell<Arc<Engine>>,
}

impl fmt::Debug for LocalChat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalChat").field("spec", &self.spec).field("loaded", &self.is_loaded()).finish_non_exhaustive()
    }
}

/// What is to be continued.
enum Prompt {
    Messages(Vec<Message>),
    Text(String),
}

impl LocalChat {
    /// Costs nothing: the file is looked for at the first call.
    #[must_use]
    pub fn new(spec: ChatSpec, locate: Locate, options: ChatOptions) -> Self {
        Self { spec, options, locate, engine: OnceCell::new() }
    }

    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.engine.initialized()
    }

    /// `None` until the model was loaded.
    #[must_use]
    pub fn stats(&self) -> Option<ChatStats> {
        self.engine.get().map(|engine| engine.stats())
    }

    /// Loads the model ahead of the first question.
    pub async fn prepare(&self, budget: Budget) -> Result<(), ModelFault> {
        self.engine(budget).await.map(drop)
    }

    async fn engine(&self, budget: Budget) -> Result<&Arc<Engine>, ModelFault> {
        let load = self.engine.get_or_try_init(|| async {
            let (spec, options, locate) = (self.spec.clone(), self.options.clone(), Arc::clone(&self.locate));
            self.blocking(move || load(&spec, options, &locate).map(Arc::new)).await
        });
        match tokio::time::timeout_at(budget.deadline(), load).await {
            Ok(engine) => engine,
            Err(_) => Err(ModelFault::Timeout { model: self.spec.name.clone() }),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ModelFault> + Send + 'static,
    ) -> Result<T, ModelFault> {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(fault) => Err(ModelFault::Engine { model: self.spec.name.clone(), reason: fault.to_string() }),
        }
    }

    async fn tokens(&self, engine: &Engine, prompt: Prompt) -> Result<Vec<LlamaToken>, ModelFault> {
        let (model, name) = (Arc::clone(engine.model()), self.spec.name.clone());
        self.blocking(move || tokens(&model, &name, &prompt)).await
    }

    async fn start(&self, prompt: Prompt, request: ChatRequest, budget: Budget) -> Result<ChatStream, ModelFault> {
        check(&request)?;
        let ChatRequest { messages: _, sampling, max_tokens, stop, format, logprobs } = request;
        let engine = self.engine(budget).await?;
        let prompt = self.tokens(engine, prompt).await?;
        let limit = self.limit(prompt.len(), max_tokens, engine.model().window)?;
        let name = self.spec.name.clone();
        let grammar = self.blocking(move || grammar(&format, &name)).await?;
        // Room for every token, for the end, and for a fault: the engine never waits for a reader.
        let (out, deltas) = mpsc::channel(limit + 3);
        engine.submit(Request { prompt, limit, sampling, grammar, stop, logprobs, deadline: budget.deadline(), out })?;
        Ok(read(deltas, Arc::clone(engine), self.spec.name.clone(), budget))
    }

    /// How many tokens the answer may have, or why not even one.
    fn limit(&self, prompt: usize, asked: Option<usize>, window: usize) -> Result<usize, ModelFault> {
        let tokens = prompt.saturating_add(asked.unwrap_or(1));
        if tokens > window {
            return Err(ModelFault::ContextExceeded { model: self.spec.name.clone(), tokens, window });
        }
        if prompt == 0 {
            return Err(ModelFault::InvalidParameter { parameter: "prompt", reason: "it is empty".to_owned() });
        }
        Ok(asked.unwrap_or(window - prompt))
    }
}

#[async_trait]
impl ChatModel for LocalChat {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn identity(&self) -> String {
        self.spec.identity.clone()
    }

    fn context_window(&self) -> Option<usize> {
        Some(self.engine.get().map_or(self.spec.context, |engine| engine.model().window))
    }

    async fn count_tokens(&self, messages: &[Message]) -> Result<usize, ModelFault> {
        let load = Budget::of(std::time::Duration::from_secs(120));
        let engine = self.engine(load).await?;
        Ok(self.tokens(engine, Prompt::Messages(messages.to_vec())).await?.len())
    }

    async fn stream(&self, mut request: ChatRequest, budget: Budget) -> Result<ChatStream, ModelFault> {
        let messages = std::mem::take(&mut request.messages);
        self.start(Prompt::Messages(messages), request, budget).await
    }

    async fn stream_text(&self, prompt: String, request: ChatRequest, budget: Budget) -> Result<ChatStream, ModelFault> {
        self.start(Prompt::Text(prompt), request, budget).await
    }
}

fn load(spec: &ChatSpec, options: ChatOptions, locate: &Locate) -> Result<Engine, ModelFault> {
    let start = std::time::Instant::now();
    check_cpu().map_err(|fault| ModelFault::Unsupported {
        model: spec.name.clone(),
        what: format!("{fault}; {}", fault.hint().unwrap_or_default()),
    })?;
    let path: PathBuf = locate()?;
    let model = Model::load(&path, spec.context).map_err(|reason| ModelFault::Engine { model: spec.name.clone(), reason })?;
    tracing::info!(model = spec.name, took_ms = start.elapsed().as_millis() as u64, window = model.window, "chat model loaded");
    Engine::start(spec.name.clone(), model, options)
}

fn tokens(model: &Model, name: &str, prompt: &Prompt) -> Result<Vec<LlamaToken>, ModelFault> {
    match prompt {
        Prompt::Text(text) => Ok(model.text_tokens(text)),
        Prompt::Messages(messages) => model.chat_tokens(messages).map_err(|fault| match fault {
            PromptFault::NoTemplate => ModelFault::Unsupported {
                model: name.to_owned(),
                what: "it has no chat template; it can only continue text".to_owned(),
            },
            PromptFault::Refused(reason) => ModelFault::InvalidParameter { parameter: "messages", reason },
            PromptFault::Broken(reason) => {
                ModelFault::Engine { model: name.to_owned(), reason: format!("its chat template failed: {reason}") }
            }
        }),
    }
}

fn grammar(format: &ResponseFormat, name: &str) -> Result<Option<String>, ModelFault> {
    let grammar = match format {
        ResponseFormat::Text => return Ok(None),
        ResponseFormat::Json => schema::object_grammar(),
        ResponseFormat::JsonSchema(schema) => schema::grammar(schema),
    };
    grammar.map(Some).map_err(|Unkept { at, what, is_wrong }| match is_wrong {
        true => ModelFault::InvalidParameter { parameter: "response_format", reason: format!("the schema at {at}: {what}") },
        false => ModelFault::UnkeptSchema { model: name.to_owned(), what, at },
    })
}

fn check(request: &ChatRequest) -> Result<(), ModelFault> {
    let refuse = |parameter, reason: String| Err(ModelFault::InvalidParameter { parameter, reason });
    let Sampling { temperature, top_p, top_k, seed: _, frequency_penalty, presence_penalty } = request.sampling;
    if !(0.0..=2.0).contains(&temperature) {
        return refuse("temperature", format!("it must be 0 to 2, not {temperature}"));
    }
    if !(top_p > 0.0 && top_p <= 1.0) {
        return refuse("top_p", format!("it must be above 0 and at most 1, not {top_p}"));
    }
    if top_k == Some(0) {
        return refuse("top_k", "it must be at least 1".to_owned());
    }
    for (parameter, value) in [("frequency_penalty", frequency_penalty), ("presence_penalty", presence_penalty)] {
        if !(-2.0..=2.0).contains(&value) {
            return refuse(parameter, format!("it must be -2 to 2, not {value}"));
        }
    }
    if request.max_tokens == Some(0) {
        return refuse("max_tokens", "it must be at least 1".to_owned());
    }
    if request.stop.len() > STOPS_MAX || request.stop.iter().any(|stop| stop.is_empty() || stop.len() > STOP_BYTES_MAX) {
        return refuse("stop", format!("at most {STOPS_MAX} sequences of 1 to {STOP_BYTES_MAX} bytes"));
    }
    if request.logprobs.is_some_and(|count| count > LOGPROBS_MAX) {
        return refuse("logprobs", format!("at most {LOGPROBS_MAX} alternatives"));
    }
    Ok(())
}

/// The reader's end. Dropping it closes the channel, which the engine sees. It keeps the engine, so
/// that a request once taken is answered even when the model's owner is gone.
fn read(deltas: mpsc::Receiver<Result<Delta, ModelFault>>, engine: Arc<Engine>, name: String, budget: Budget) -> ChatStream {
    Box::pin(stream::unfold(Some((deltas, engine, name)), move |state| async move {
        let (mut deltas, engine, name) = state?;
        match tokio::time::timeout_at(budget.deadline(), deltas.recv()).await {
            Ok(Some(Ok(Delta::Text { text, logprobs }))) => {
                Some((Ok(Delta::Text { text, logprobs }), Some((deltas, engine, name))))
            }
            Ok(Some(last)) => Some((last, None)),
            Ok(None) => Some((Err(ModelFault::Engine { model: name, reason: "it stopped in the middle".to_owned() }), None)),
            Err(_) => Some((Err(ModelFault::Timeout { model: name }), None)),
        }
    }))
}
