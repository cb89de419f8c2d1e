#![doc = include_str!("../README.md")]

mod model;
mod render;
mod fault;
mod kind;

#[cfg(test)]
mod tests;

pub use fault::PromptFault;
pub use kind::descriptor;
pub use model::{InferenceSettings, Parameter, ParameterType, PromptMessage, PromptSpec};
