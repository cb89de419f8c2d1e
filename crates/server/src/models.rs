//! The local models, behind the `llm` seams. Files are looked for when a model is first used.

use std::{path::Path, sync::Arc};

use mainspring_encoders::{EmbedderSpec, EncoderFiles, EngineOptions, LateInteraction, LocalEmbedder, Pooling};
use mainspring_generators::{ChatOptions, ChatSpec, LocalChat};
use mainspring_llm::{Embedder, ModelFault, Models};
use mainspring_weights::{Installed, ModelList, Role, Task, Weights, WeightsFault};
use mainspring_wire as wire;

/// The cache of model files, with the models this build knows.
pub fn open_weights(dir: &Path) -> Result<Weights, WeightsFault> {
    Weights::open(dir, ModelList::built_in()?)
}

/// The models and, for health, what is loaded.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    pub(crate) models: Models,
    weights: Weights,
    embedders: Vec<Arc<LocalEmbedder>>,
    chats: Vec<Arc<LocalChat>>,
}

fn not_installed(name: &str) -> impl Fn(WeightsFault) -> ModelFault {
    let model = name.to_owned();
    move |fault| match fault {
        WeightsFault::NotInstalled { .. } | WeightsFault::Damaged { .. } => ModelFault::NotInstalled { model: model.clone() },
        fault => ModelFault::Engine { model: model.clone(), reason: mainspring_kernel::fault::chain(&fault) },
    }
}

fn file(installed: &Installed, role: Role) -> Result<std::path::PathBuf, ModelFault> {
    installed.path(role).map(Path::to_owned).ok_or_else(|| ModelFault::NotInstalled { model: installed.name.clone() })
}

impl Local {
    pub(crate) fn open(weights: Weights) -> Result<Self, WeightsFault> {
        let mut local = Self { models: Models::default(), weights: weights.clone(), embedders: Vec::new(), chats: Vec::new() };
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
                Task::Rerank { .. } | Task::Reference => {}
            }
        }
        Ok(local)
    }

    fn add_embedder(&mut self, spec: EmbedderSpec) {
        let (weights, name) = (self.weights.clone(), spec.name.clone());
        let locate = Arc::new(move || {
            let installed = weights.locate(&name).map_err(not_installed(&name))?;
            Ok(EncoderFiles { model: file(&installed, Role::Model)?, tokenizer: file(&installed, Role::Tokenizer)? })
        });
        let embedder = Arc::new(LocalEmbedder::new(spec, locate, EngineOptions::default()));
        let seam: Arc<dyn Embedder> = Arc::clone(&embedder) as Arc<dyn Embedder>;
        let late = Arc::new(LateInteraction::new(Arc::clone(&seam)));
        self.models = std::mem::take(&mut self.models).with_reranker(seam.name().to_owned(), late).with_embedder(seam);
        self.embedders.push(embedder);
    }

    fn add_chat(&mut self, spec: ChatSpec) {
        let (weights, name) = (self.weights.clone(), spec.name.clone());
        let locate = Arc::new(move || file(&weights.locate(&name).map_err(not_installed(&name))?, Role::Model));
        let chat = Arc::new(LocalChat::new(spec, locate, ChatOptions::default()));
        self.models = std::mem::take(&mut self.models).with_chat(Arc::clone(&chat) as Arc<dyn mainspring_llm::ChatModel>);
        self.chats.push(chat);
    }

    fn is_loaded(&self, name: &str) -> bool {
        use mainspring_llm::ChatModel;
        self.embedders.iter().any(|embedder| embedder.name() == name && embedder.is_loaded())
            || self.chats.iter().any(|chat| chat.name() == name && chat.is_loaded())
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
}
