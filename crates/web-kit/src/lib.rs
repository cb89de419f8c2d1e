#![doc = include_str!("../README.md")]

mod address;
mod alive;
mod auth;
mod body;
mod conventions;
mod in_time;
mod line;
mod paging;
mod problem;
mod refusal;
mod request;
mod routes;
mod sse;
mod told;
mod traceparent;

#[cfg(test)]
mod tests;

pub use address::{Path, Query};
pub use alive::{Alive, SILENCE};
pub use auth::{Access, Authenticate, Caller, Home, PROJECT, authenticate, may_name, may_name_any};
pub use body::{Body, parse_body, read_body};
pub use conventions::{Kept, Wished, Wishes, follow_conventions};
pub use in_time::{BodyWithin, in_time, too_slow};
pub use paging::Paging;
pub use problem::{Answer, Problem, ProblemBody};
pub use refusal::{Refusal, Refuses};
pub use request::{Deadlines, Dialect, RequestLog, RequestTag, deadline, log_requests};
pub use routes::Route;
pub use sse::{Sse, SseEvent, comment, costing, event_stream};
pub use told::{told_headers, with_cost, with_told, with_trace};
