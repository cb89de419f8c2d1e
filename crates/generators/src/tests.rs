//! What generators promise: pure parts, and the real model.

mod answering;
mod gating;
mod grammars;
mod running;
mod sampling;
mod schemas;
mod slotting;
mod templates;
mod wording;

use std::{path::PathBuf, sync::Arc, time::Duration};

use mainspring_llm::{Budget, ChatRequest, Message, ModelFault};
use mainspring_weights::{ModelList, Role, Weights};

use crate::{ChatOptions, ChatSpec, LocalChat, Locate};

pub(crate) fn budget() -> Budget {
    Budget::of(Duration::from_secs(300))
}

/// The real weights, fetched once into the cache that all tests share.
pub(crate) async fn gguf() -> PathBuf {
    let weights = Weights::open(&Weights::default_dir(), ModelList::built_in().unwrap()).unwrap();
    let name = "smollm2-135m-instruct";
    let installed = match weights.locate(name) {
        Ok(installed) => installed,
        Err(_) => weights.pull(name, |_| ()).await.unwrap(),
    };
    installed.path(Role::Model).unwrap().to_owned()
}

/// A smaller window than the model's keeps the tests' memory and time small.
pub(crate) fn spec() -> ChatSpec {
    ChatSpec { name: "smollm2-135m-instruct".to_owned(), identity: "sha256:test".to_owned(), context: 1024 }
}

pub(crate) fn at(path: PathBuf) -> Locate {
    Arc::new(move || Ok(path.clone()))
}

pub(crate) fn nowhere() -> Locate {
    Arc::new(|| Err(ModelFault::NotInstalled { model: "smollm2-135m-instruct".to_owned() }))
}

pub(crate) async fn smollm() -> LocalChat {
    LocalChat::new(spec(), at(gguf().await), ChatOptions::default())
}

/// A request with a seed and a bound.
pub(crate) fn ask(question: &str, max_tokens: usize) -> ChatRequest {
    let mut request = ChatRequest::of(vec![Message::user(question)]);
    request.max_tokens = Some(max_tokens);
    request.sampling.seed = Some(7);
    request
}
