#![doc = include_str!("../README.md")]

mod log;
mod metrics;
mod pages;
mod process;
mod resident;

#[cfg(test)]
mod tests;

pub use log::{LogFault, LogFormat, start_log};
pub use metrics::Metrics;
pub use pages::{large_pages, small_pages};
pub use process::{ProcessStats, process_stats};
pub use resident::{let_go_of_code, remember_libraries};
