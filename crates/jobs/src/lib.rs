#![doc = include_str!("../README.md")]

mod every;
mod fault;
mod model;
mod queue;
mod schedules;
pub mod store;
mod upkeep;
mod worker;

#[cfg(test)]
mod tests;

pub use every::{Every, EveryFault};
pub use fault::JobFault;
pub use model::{Contest, Enqueued, Job, JobCount, JobFilter, JobState, JobStateFault, Lease, NewJob, Retry};
pub use queue::Jobs;
pub use schedules::{NewSchedule, Schedule};
pub use worker::{Context, Failure, Handler, StopReason, Worker};
