//! The models this process can reach, by name.

use std::{collections::BTreeMap, sync::Arc};

use mainspring_kernel::text;

use crate::{chat::ChatModel, embed::Embedder, fault::ModelFault, rerank::Reranker};

/// Built once by `server`; rooms look names up in it.
#[derive(Debug, Clone, Default)]
pub struct Models {
    chat: BTreeMap<String, Arc<dyn ChatModel>>,
    embedders: BTreeMap<String, Arc<dyn Embedder>>,
    rerankers: BTreeMap<String, Arc<dyn Reranker>>,
    behind_routes: bool,
}

impl Models {
    /// Models that only a route may name: they are found by name, and no list has them.
    #[must_use]
    pub fn only_behind_routes(self) -> Self {
        Self { behind_routes: true, ..self }
    }
    #[must_use]
    pub const fn are_behind_routes(&self) -> bool {
        self.behind_routes
    }

    #[must_use]
    pub fn with_chat(mut self, model: Arc<dyn ChatModel>) -> Self {
        self.chat.insert(model.name().to_owned(), model);
        self
    }
    #[must_use]
    pub fn with_embedder(mut self, model: Arc<dyn Embedder>) -> Self {
        self.embedders.insert(model.name().to_owned(), model);
        self
    }
    /// Under the embedder's name: late interaction compares the token vectors of the model that embedded.
    #[must_use]
    pub fn with_reranker(mut self, name: impl Into<String>, model: Arc<dyn Reranker>) -> Self {
        self.rerankers.insert(name.into(), model);
        self
    }

    pub fn chat(&self, name: &str) -> Result<Arc<dyn ChatModel>, ModelFault> {
        self.find(&self.chat, name, "chat model")
    }
    pub fn embedder(&self, name: &str) -> Result<Arc<dyn Embedder>, ModelFault> {
        self.find(&self.embedders, name, "embedding model")
    }
    pub fn reranker(&self, name: &str) -> Result<Arc<dyn Reranker>, ModelFault> {
        self.find(&self.rerankers, name, "reranker")
    }

    pub fn chat_names(&self) -> impl Iterator<Item = &str> {
        self.chat.keys().map(String::as_str).filter(|_| !self.behind_routes)
    }
    pub fn embedder_names(&self) -> impl Iterator<Item = &str> {
        self.embedders.keys().map(String::as_str).filter(|_| !self.behind_routes)
    }
    pub fn reranker_names(&self) -> impl Iterator<Item = &str> {
        self.rerankers.keys().map(String::as_str).filter(|_| !self.behind_routes)
    }

    fn find<T: ?Sized>(&self, models: &BTreeMap<String, Arc<T>>, name: &str, wanted: &'static str) -> Result<Arc<T>, ModelFault> {
        models.get(name).cloned().ok_or_else(|| match self.kind_of(name) {
            Some(is) => {
                let known = models.keys().filter(|_| !self.behind_routes).cloned().collect();
                ModelFault::OtherKind { model: name.to_owned(), is, wanted, known }
            }
            None => ModelFault::UnknownModel {
                model: text::elide(name, 80),
                nearest: text::nearest(name, models.keys().map(String::as_str)).map(str::to_owned),
            },
        })
    }

    fn kind_of(&self, name: &str) -> Option<&'static str> {
        match name {
            name if self.chat.contains_key(name) => Some("a chat model"),
            name if self.embedders.contains_key(name) => Some("an embedding model"),
            name if self.rerankers.contains_key(name) => Some("a reranker"),
            _ => None,
        }
    }
}
