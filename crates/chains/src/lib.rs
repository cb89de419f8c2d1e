#![doc = include_str!("../README.md")]

pub mod citations;
mod fault;
mod following;
mod kind;
mod model;
mod names;
mod outcome;
mod quotes;
mod request;
mod resolve;
mod run;
mod unread;

#[cfg(test)]
mod tests;

pub use fault::ChainFault;
pub use kind::descriptors;
pub use model::{AppSpec, ChainSpec, ModelStep, PromptStep, QuoteStep, RetrieveStep, Step};
pub use names::Answerer;
pub use outcome::{Outcome, Source, VersionUsed};
pub use request::{Overrides, Pins, Question, Read, Replayable, Swap, Target};
pub use resolve::Callable;
pub use run::{Alternative, Answer, AnswerEvent, AnswerStream, Chains};
