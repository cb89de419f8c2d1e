#![doc = include_str!("../README.md")]

mod auth;
mod body;
mod paging;
mod problem;
mod request;
mod sse;

#[cfg(test)]
mod tests;

pub use auth::{Access, Authenticate, Caller, authenticate};
pub use body::Body;
pub use paging::Paging;
pub use problem::{Answer, Problem, ProblemBody};
pub use request::{RequestLog, RequestTag, deadline, log_requests};
pub use sse::{Sse, SseEvent};
