#![doc = include_str!("../README.md")]

mod backend;
mod chat;
mod cpu;
mod engine;
mod gate;
mod generation;
mod grammar;
mod model;
mod sampler;
mod schema;
mod slots;
mod spec; // start here: what a chat model is told
mod template;

#[cfg(test)]
mod tests;

pub use chat::LocalChat;
pub use cpu::{CpuFault, check_cpu};
pub use engine::ChatStats;
pub use spec::{ChatOptions, ChatSpec, Locate};
