#![doc = include_str!("../README.md")]

mod client;
mod fault;
mod form;
mod sse;
mod transport;

#[cfg(test)]
mod tests;

pub use client::Client;
pub use fault::{ClientFault, Refusal};
pub use form::Form;
pub use sse::Events;
pub use transport::{BodyStream, HttpTransport, Transport};
