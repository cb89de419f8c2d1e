//! What callers hold: an embedder that loads itself when it is first asked for something.

use std::{fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use mainspring_llm::{
    Budget, Embedder, Embedding, ModelFault, TextTokenizer,
    embed::{EmbedAs, Embedded},
};
use tokio::sync::OnceCell;

use crate::{
    batch::Want,
    engine::{Encoded, Engine, EngineStats, Parts},
    queue::{Answer, Lane},
    session::{Forward, Session},
    spec::{EmbedderSpec, EngineOptions, Locate, Pooling},
    tokens::{Encoder, LazyTokenizer, SharedTokenizer},
};
#[cfg(target_arch = "x86_64")]
use crate::{bert, session::Threads};

/// An embedding model on this machine.
pub struct LocalEmbedder {
    spec: EmbedderSpec,
    options: EngineOptions,
    locate: Locate,
    tokenizer: SharedTokenizer,
    loaded: OnceCell<Loaded>,
}

/// A model in memory, with its threads.
pub(crate) struct Loaded {
    pub(crate) encoder: Arc<Encoder>,
    pub(crate) engine: Engine,
}

impl fmt::Debug for LocalEmbedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEmbedder").field("spec", &self.spec).field("loaded", &self.is_loaded()).finish_non_exhaustive()
    }
}

impl LocalEmbedder {
    /// Costs nothing: the files are looked for at the first call.
    #[must_use]
    pub fn new(spec: EmbedderSpec, locate: Locate, options: EngineOptions) -> Self {
        let tokenizer = Arc::new(LazyTokenizer::new(spec.name.clone(), Arc::clone(&locate)));
        Self { spec, options, locate, tokenizer, loaded: OnceCell::new() }
    }

    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.loaded.initialized()
    }

    /// `None` until the model was loaded.
    #[must_use]
    pub fn stats(&self) -> Option<EngineStats> {
        self.loaded.get().map(|loaded| loaded.engine.stats())
    }

    async fn loaded(&self) -> Result<&Loaded, ModelFault> {
        let start = || {
            let load = Load {
                name: self.spec.name.clone(),
                locate: Arc::clone(&self.locate),
                max_tokens: self.spec.max_tokens,
                pooling: self.spec.pooling,
                options: self.options.clone(),
            };
            load.run()
        };
        self.loaded.get_or_try_init(start).await
    }

    async fn run(&self, texts: Vec<String>, lane: Lane, want: Want, budget: Budget) -> Result<(Vec<Answer>, u64), ModelFault> {
        let name = &self.spec.name;
        let loaded = within(name, budget, self.loaded()).await?;
        let encoder = Arc::clone(&loaded.encoder);
        let encoded = blocking(name, move || texts.iter().map(|text| encoder.encode(text)).collect()).await?;
        let tokens = encoded.iter().map(|row: &Encoded| row.ids.len() as u64).sum();
        Ok((loaded.engine.run(lane, want, encoded, budget).await?, tokens))
    }

    /// Texts as the model wants them, and the lane they go on.
    fn prefixed(&self, texts: Vec<String>, purpose: EmbedAs) -> (Lane, Vec<String>) {
        let (lane, prefix) = match purpose {
            EmbedAs::Query => (Lane::Query, self.spec.query_prefix.as_str()),
            EmbedAs::Passage => (Lane::Passage, self.spec.passage_prefix.as_str()),
        };
        match prefix {
            "" => (lane, texts),
            prefix => (lane, texts.into_iter().map(|text| format!("{prefix}{text}")).collect()),
        }
    }

    fn fault(&self, reason: String) -> ModelFault {
        ModelFault::Engine { model: self.spec.name.clone(), reason }
    }

    fn check(&self, vector: Embedding) -> Result<Embedding, ModelFault> {
        if vector.len() == self.spec.dimensions {
            return Ok(vector);
        }
        Err(self.fault(format!("its vectors have {} dimensions instead of {}", vector.len(), self.spec.dimensions)))
    }
}

#[async_trait]
impl Embedder for LocalEmbedder {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn identity(&self) -> String {
        self.spec.identity.clone()
    }

    fn dimensions(&self) -> usize {
        self.spec.dimensions
    }

    fn max_tokens(&self) -> usize {
        self.spec.max_tokens
    }

    async fn prepare(&self, budget: Budget) -> Result<(), ModelFault> {
        within(&self.spec.name, budget, self.loaded()).await?;
        let tokenizer = Arc::clone(&self.tokenizer);
        within(&self.spec.name, budget, async {
            match tokio::task::spawn_blocking(move || tokenizer.load().map(drop)).await {
                Ok(loaded) => loaded,
                Err(fault) => Err(self.fault(fault.to_string())),
            }
        })
        .await
    }

    async fn embed(&self, texts: Vec<String>, purpose: EmbedAs, budget: Budget) -> Result<Embedded, ModelFault> {
        let (lane, texts) = self.prefixed(texts, purpose);
        let (answers, tokens) = self.run(texts, lane, Want::Pooled, budget).await?;
        let vectors = answers.into_iter().map(|answer| match answer {
            Answer::Vector(vector) => self.check(vector),
            Answer::Vectors(_) => Err(mixed_up(&self.spec.name)),
        });
        Ok(Embedded { vectors: vectors.collect::<Result<_, _>>()?, tokens })
    }

    async fn embed_whole(&self, texts: Vec<String>, purpose: EmbedAs, budget: Budget) -> Result<Embedded, ModelFault> {
        self.prepare(budget).await?;
        let (_, whole) = self.prefixed(texts.clone(), purpose);
        let tokenizer = Arc::clone(&self.tokenizer);
        let (name, window) = (self.spec.name.clone(), self.spec.max_tokens);
        let measured = tokio::task::spawn_blocking(move || {
            for text in &whole {
                let tokens = tokenizer.count_whole(text)?;
                if tokens > window {
                    return Err(ModelFault::ContextExceeded { model: name, tokens, window });
                }
            }
            Ok(())
        });
        let waited = async { measured.await.unwrap_or_else(|fault| Err(self.fault(fault.to_string()))) };
        within(&self.spec.name, budget, waited).await?;
        self.embed(texts, purpose, budget).await
    }

    /// On the queries' lane: somebody waits for a ranking.
    async fn embed_tokens(&self, texts: Vec<String>, budget: Budget) -> Result<Vec<Vec<Embedding>>, ModelFault> {
        let (answers, _) = self.run(texts, Lane::Query, Want::Tokens, budget).await?;
        let vectors = answers.into_iter().map(|answer| match answer {
            Answer::Vectors(vectors) => Ok(vectors),
            Answer::Vector(_) => Err(mixed_up(&self.spec.name)),
        });
        vectors.collect()
    }

    fn tokenizer(&self) -> Arc<dyn TextTokenizer> {
        Arc::clone(&self.tokenizer) as Arc<dyn TextTokenizer>
    }
}

pub(crate) fn mixed_up(model: &str) -> ModelFault {
    ModelFault::Engine { model: model.to_owned(), reason: "it gave another kind of answer than asked".to_owned() }
}

/// How a model gets into memory.
pub(crate) struct Load {
    pub(crate) name: String,
    pub(crate) locate: Locate,
    pub(crate) max_tokens: usize,
    pub(crate) pooling: Pooling,
    pub(crate) options: EngineOptions,
}

impl Load {
    pub(crate) async fn run(self) -> Result<Loaded, ModelFault> {
        let name = self.name.clone();
        match tokio::task::spawn_blocking(move || self.load()).await {
            Ok(loaded) => loaded,
            Err(fault) => Err(ModelFault::Engine { model: name, reason: fault.to_string() }),
        }
    }

    fn load(self) -> Result<Loaded, ModelFault> {
        let Self { name, locate, max_tokens, pooling, options } = self;
        let start = std::time::Instant::now();
        let files = locate()?;
        let fault = |reason| ModelFault::Engine { model: name.clone(), reason };
        let read = std::fs::read(&files.tokenizer);
        let bytes = read.map_err(|cause| fault(format!("cannot read {}: {cause}", files.tokenizer.display())))?;
        let encoder = Encoder::load(&bytes, max_tokens).map_err(fault)?;
        let forward = forward(&name, &files.model, &options).map_err(fault)?;
        let pad = encoder.pad();
        let parts = Parts { name: name.clone(), forward, pooling, pad, options };
        let engine = Engine::start(parts)?;
        tracing::info!(model = name, took_ms = start.elapsed().as_millis() as u64, "encoder loaded");
        Ok(Loaded { encoder: Arc::new(encoder), engine })
    }
}

/// The model in the runtime, or on the processor's own units where they give the same.
fn forward(name: &str, path: &Path, options: &EngineOptions) -> Result<Box<dyn Forward>, String> {
    #[cfg(target_arch = "x86_64")]
    if let Some(unit) = bert::Unit::of_this_machine() {
        let runtime = Session::load_for_once(path)?;
        match bert::take_over(path, unit, &runtime, &Threads::new(options.threads.max(1))) {
            Ok(taken) => {
                tracing::info!(model = name, ?unit, "the encoder runs on the processor's bf16 units");
                return Ok(taken);
            }
            Err(reason) => tracing::debug!(model = name, reason, "the runtime keeps the encoder"),
        }
    }
    Ok(Box::new(Session::load(path)?))
}

/// The work, or a timeout when the budget ends first. What loads goes on loading for the next caller
/// only if it is asked again: a load that nobody waits for is not repeated in the background.
pub(crate) async fn within<T>(
    model: &str,
    budget: Budget,
    work: impl Future<Output = Result<T, ModelFault>>,
) -> Result<T, ModelFault> {
    match tokio::time::timeout_at(budget.deadline(), work).await {
        Ok(result) => result,
        Err(_) => Err(ModelFault::Timeout { model: model.to_owned() }),
    }
}

/// Tokenising is CPU work: not on the threads that serve requests.
pub(crate) async fn blocking(
    model: &str,
    work: impl FnOnce() -> Result<Vec<Encoded>, String> + Send + 'static,
) -> Result<Vec<Encoded>, ModelFault> {
    let fault = |reason| ModelFault::Engine { model: model.to_owned(), reason };
    match tokio::task::spawn_blocking(work).await {
        Ok(encoded) => encoded.map_err(fault),
        Err(cause) => Err(fault(cause.to_string())),
    }
}
