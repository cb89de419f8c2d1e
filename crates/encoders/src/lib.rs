#![doc = include_str!("../README.md")]

mod batch;
#[cfg(target_arch = "x86_64")]
mod bert;
mod cross;
mod embedder;
mod engine;
mod late;
mod onnx;
mod queue;
mod session;
mod spec; // start here: what an encoder is told
mod tokens;

#[cfg(test)]
mod tests;

pub use cross::CrossEncoder;
pub use embedder::LocalEmbedder;
pub use engine::EngineStats;
pub use late::LateInteraction;
pub use spec::{CrossSpec, EmbedderSpec, EncoderFiles, EngineOptions, Locate, Pooling};
