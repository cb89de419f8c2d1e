#![doc = include_str!("../README.md")]

mod transport;
mod client;
mod sse;
mod fault;

#[cfg(test)]
mod tests;

pub use client::Client;
pub use fault::{ClientFault, Refusal};
pub use sse::Events;
pub use transport::{BodyStream, HttpTransport, Transport};
