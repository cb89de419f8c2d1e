#![doc = include_str!("../README.md")]

pub mod anthropic;
pub mod bedrock;
mod credential;
mod fault;
pub mod gemini;
mod kind;
pub mod openai;
pub mod peek;
mod plain;
mod preset;
#[cfg(test)]
mod recorded;
pub mod seam;
mod socket;
mod spec;
pub mod sse;
pub mod translation;

pub use credential::{Allowed, CredentialFault, CredentialRef, Credentials, SecretSource};
pub use fault::{FaultClass, UpstreamFault};
pub use kind::descriptor;
pub use plain::beside_content;
pub use preset::{Habits, Known, Preset, providers};
pub use seam::{About, Adapter, Encoded, Endpoint, Events, Kept, Lost, Operation, Outgoing, adapter};
pub use socket::{Incoming, NotDialled, Patience, Socket, SocketConfig, SocketFault};
pub use spec::{EndpointFault, ProviderKind, ProviderSpec};
