#![doc = include_str!("../README.md")]

mod drive;
mod fault;
mod files;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod keep;
mod lines;
mod live;
mod model;
mod places;
mod quota;
mod rest;
mod results;
mod run;
mod seam;
mod service;
pub mod store;
mod tally;
mod trip;
mod validate;

#[cfg(test)]
mod tests;

pub use fault::BatchFault;
pub use files::Upload;
pub use model::{
    Batch, BatchQuery, Counts, Endpoint, FileId, FileQuery, KEEP_FOR, LineError, Maker, NewBatch, Purpose, Status, StoredFile,
    Waiting, WordFault,
};
pub use run::Runner;
pub use seam::{Again, Answers, LineReply, Standing};
pub use service::{BatchConfig, Batches, Parts};
pub use tally::Measured;
