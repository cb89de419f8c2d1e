#![doc = include_str!("../README.md")]

mod capture;
mod spill;
mod table;
mod writer;
mod query;
mod service;
mod fault;

#[cfg(test)]
mod tests;

pub use capture::Capture;
pub use fault::TraceFault;
pub use query::{ActivityBucket, TraceFilter, TraceSummary};
pub use service::{AppTraffic, Observability, Settings, Status};
