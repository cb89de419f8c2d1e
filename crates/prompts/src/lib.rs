#![doc = include_str!("../README.md")]

mod fault;
mod kind;
mod model;
mod render;

#[cfg(test)]
mod tests;

pub use fault::PromptFault;
pub use kind::descriptor;
pub use model::{InferenceSettings, Parameter, ParameterType, PromptMessage, PromptSpec};
