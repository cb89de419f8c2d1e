#![doc = include_str!("../README.md")]

mod spec; // start here: what a chat model is told
mod chat;
mod engine;
mod generation;
mod slots;
mod sampler;
mod gate;
mod model;
mod template;
mod schema;
mod backend;
mod cpu;

#[cfg(test)]
mod tests;

pub use chat::LocalChat;
pub use cpu::{CpuFault, check_cpu};
pub use engine::ChatStats;
pub use spec::{ChatOptions, ChatSpec, Locate};
