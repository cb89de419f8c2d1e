#![doc = include_str!("../README.md")]

mod aside;
mod capture;
mod fault;
mod forget;
mod query;
mod room;
mod service;
mod spill;
mod table;
mod writer;

#[cfg(test)]
mod tests;

pub use aside::aside;
pub use capture::Capture;
pub use fault::{TraceFault, Trouble};
pub use query::{ActivityBucket, TraceFilter, TraceSummary};
pub use service::{AppTraffic, Observability, Settings, Status, Swept};
pub use writer::Bring;
