//! The local models, behind the `llm` seams. Files are looked for when a model is first used.

use std::{path::Path, sync::Arc};

use mainspring_config::{Config, ModelsConfig};
use mainspring_encoders::{
    CrossEncoder, CrossSpec, EmbedderSpec, EncoderFiles, EngineOptions, LateInteraction, LocalEmbedder, Locate, Pooling,
};
use mainspring_generators::{ChatOptions, ChatSpec, LocalChat};
use mainspring_llm::{Embedder, ModelFault, Models, Reranker};
use mainspring_registry::{ModelNames, ModelRole};
use mainspring_telemetry::large_pages;
use mainspring_weights::{Installed, ModelList, Role, Task, Weights, WeightsFault};
use mainspring_wire as wire;

use crate::measures::Measures;

/// The cache of model files, with the models this build knows and those of the user's list.
pub fn open_weights(config: &Config) -> Result<Weights, WeightsFault> {
    let mut models = ModelList::built_in()?;
    if let Some(list) = config.models_list() {
        models = models.with_file(&list)?;
    }
    Weights::open(&config.models_dir(), models)
}

/// The models and, for health, what is loaded.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    pub(crate) models: Models,
    weights: Weights,
    /// What the settings name: the models that must be here. Others may be.
    defaults: [String; 2],
    embedders: Vec<Arc<LocalEmbedder>>,
    rerankers: Vec<Arc<CrossEncoder>>,
    chats: Vec<Arc<LocalChat>>,
}

fn not_usable(name: &str) -> impl Fn(WeightsFault) -> ModelFault {
    let model = name.to_owned();
    move |fault| match fault {
        WeightsFault::NotInstalled { .. } => ModelFault::NotInstalled { model: model.clone() },
        WeightsFault::Damaged { .. } => ModelFault::Damaged { model: model.clone(), reason: fault.to_string() },
        fault => ModelFault::Engine { model: model.clone(), reason: mainspring_kernel::fault::chain(&fault) },
    }
}

/// Where a model's files are. What is missing while somebody brings it is something else than what nobody brings.
fn located(weights: &Weights, name: &str) -> Result<Installed, ModelFault> {
    let found = match weights.locate(name) {
        Err(WeightsFault::NotInstalled { .. } | WeightsFault::Damaged { .. }) if weights.is_coming(name) => {
            return Err(ModelFault::Fetching { model: name.to_owned() });
        }
        // It may have come between the two looks.
        Err(WeightsFault::NotInstalled { .. }) => weights.locate(name),
        found => found,
    };
    found.map_err(not_usable(name))
}

fn file(installed: &Installed, role: Role) -> Result<std::path::PathBuf, ModelFault> {
    installed.path(role).map(Path::to_owned).ok_or_else(|| ModelFault::NotInstalled { model: installed.name.clone() })
}

impl ModelNames for Local {
    fn names(&self, role: ModelRole) -> Vec<String> {
        let models = &self.models;
        match role {
            ModelRole::Embed => models.embedder_names().map(str::to_owned).collect(),
            ModelRole::Rerank => models.reranker_names().map(str::to_owned).collect(),
            ModelRole::Chat => models.chat_names().map(str::to_owned).collect(),
            ModelRole::Target => {
                let all = models.chat_names().chain(models.embedder_names()).chain(models.reranker_names());
                all.map(|name| format!("local/{name}")).collect()
            }
        }
    }
}

impl Local {
    pub(crate) fn open(weights: Weights, settings: &ModelsConfig) -> Result<Self, WeightsFault> {
        let mut local = Self {
            models: Models::default(),
            weights: weights.clone(),
            defaults: [settings.embed.clone(), settings.chat.clone()],
            embedders: Vec::new(),
            rerankers: Vec::new(),
            chats: Vec::new(),
        };
        for listed in weights.list()? {
            let name = listed.name.clone();
            let identity = listed.identity.to_string();
            match listed.task {
                Task::Embed { dimensions, max_tokens, pooling, query_prefix, passage_prefix } => {
                    let pooling = match pooling {
                        mainspring_weights::Pooling::Mean => Pooling::Mean,
                        mainspring_weights::Pooling::Cls => Pooling::Cls,
                    };
                    local.add_embedder(EmbedderSpec {
                        name,
                        identity,
                        dimensions,
                        max_tokens,
                        pooling,
                        query_prefix,
                        passage_prefix,
                    });
                }
                Task::Chat { context } => local.add_chat(ChatSpec { name, identity, context }),
                Task::Rerank { max_tokens } => local.add_reranker(CrossSpec { name, identity, max_tokens }),
                Task::Reference => {}
            }
        }
        Ok(local)
    }

    /// Compared with their digests when they are first used, which is why a server starts at once.
    fn encoder_files(&self, name: &str) -> Locate {
        let (weights, name) = (self.weights.clone(), name.to_owned());
        Arc::new(move || {
            let installed = located(&weights, &name)?;
            // From here on there is arithmetic to do.
            large_pages();
            Ok(EncoderFiles { model: file(&installed, Role::Model)?, tokenizer: file(&installed, Role::Tokenizer)? })
        })
    }

    fn add_embedder(&mut self, spec: EmbedderSpec) {
        let locate = self.encoder_files(&spec.name);
        let embedder = Arc::new(LocalEmbedder::new(spec, locate, EngineOptions::default()));
        let seam: Arc<dyn Embedder> = Arc::clone(&embedder) as Arc<dyn Embedder>;
        let late = Arc::new(LateInteraction::new(Arc::clone(&seam)));
        self.models = std::mem::take(&mut self.models).with_reranker(seam.name().to_owned(), late).with_embedder(seam);
        self.embedders.push(embedder);
    }

    fn add_reranker(&mut self, spec: CrossSpec) {
        let locate = self.encoder_files(&spec.name);
        let reranker = Arc::new(CrossEncoder::new(spec, locate, EngineOptions::default()));
        let seam: Arc<dyn Reranker> = Arc::clone(&reranker) as Arc<dyn Reranker>;
        self.models = std::mem::take(&mut self.models).with_reranker(seam.name().to_owned(), seam);
        self.rerankers.push(reranker);
    }

    fn add_chat(&mut self, spec: ChatSpec) {
        let (weights, name) = (self.weights.clone(), spec.name.clone());
        let locate = Arc::new(move || file(&located(&weights, &name)?, Role::Model));
        let chat = Arc::new(LocalChat::new(spec, locate, ChatOptions::default()));
        self.models = std::mem::take(&mut self.models).with_chat(Arc::clone(&chat) as Arc<dyn mainspring_llm::ChatModel>);
        self.chats.push(chat);
    }

    fn is_loaded(&self, name: &str) -> bool {
        use mainspring_llm::ChatModel;
        self.embedders.iter().any(|embedder| embedder.name() == name && embedder.is_loaded())
            || self.rerankers.iter().any(|reranker| reranker.name() == name && reranker.is_loaded())
            || self.chats.iter().any(|chat| chat.name() == name && chat.is_loaded())
    }

    pub(crate) fn is_default(&self, name: &str) -> bool {
        self.defaults.iter().any(|default| default == name)
    }

    pub(crate) fn views(&self) -> Vec<wire::ModelView> {
        let listed = self.weights.list().unwrap_or_default();
        let view = |model: mainspring_weights::Listed| {
            let state = match (self.is_loaded(&model.name), model.installed) {
                (true, _) => "loaded",
                (false, true) => "installed",
                (false, false) => "missing",
            };
            let (dimensions, context_window) = match &model.task {
                Task::Embed { dimensions, .. } => (Some(*dimensions), None),
                Task::Chat { context } => (None, Some(*context)),
                Task::Rerank { .. } | Task::Reference => (None, None),
            };
            wire::ModelView {
                role: model.task.as_str().to_owned(),
                state: state.to_owned(),
                digest: Some(model.identity.to_string()),
                bytes: Some(model.size),
                dimensions,
                context_window,
                licence: model.licence,
                detail: model.description,
                name: model.name,
            }
        };
        listed.into_iter().map(view).collect()
    }

    /// What the engines did and what waits for them. A model that nobody has used has zeros.
    pub(crate) fn measure(&self, measures: &Measures) {
        for embedder in &self.embedders {
            use mainspring_llm::Embedder as _;
            let (name, stats) = (embedder.name(), embedder.stats());
            let (tokens, waiting) = stats.map_or((0, 0), |stats| (stats.tokens, stats.waiting_tokens));
            measures.model(name, (tokens, 0));
            measures.now("mainspring_encoder_queue_tokens", "Tokens that wait for an encoder.", &[("model", name)], waiting);
        }
        for chat in &self.chats {
            use mainspring_llm::ChatModel as _;
            let (name, stats) = (chat.name(), chat.stats());
            let tokens = stats.as_ref().map_or((0, 0), |stats| (stats.prefill_tokens, stats.decode_tokens));
            let (waiting, running) = stats.map_or((0, 0), |stats| (stats.waiting, stats.running));
            measures.model(name, tokens);
            measures.now("mainspring_chat_queue_requests", "Requests that wait for a chat model.", &[("model", name)], waiting);
            measures.now("mainspring_chat_running_requests", "Requests that a chat model answers.", &[("model", name)], running);
        }
    }
}
