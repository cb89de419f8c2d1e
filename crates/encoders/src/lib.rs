#![doc = include_str!("../README.md")]

mod spec; // start here: what an encoder is told
mod embedder;
mod late;
mod cross;
mod tokens;
mod engine;
mod queue;
mod batch;
mod session;

#[cfg(test)]
mod tests;

pub use cross::CrossEncoder;
pub use embedder::LocalEmbedder;
pub use engine::EngineStats;
pub use late::LateInteraction;
pub use spec::{CrossSpec, EmbedderSpec, EncoderFiles, EngineOptions, Locate, Pooling};
