#![doc = include_str!("../README.md")]

pub mod chunk;
mod documents;
mod fault;
mod forget;
mod forgotten;
mod gone; // what was, and is to be forgotten too
mod ingest;
mod kept;
mod kind;
mod model; // what a knowledge holds, and what its ingestion says of itself
mod search;
mod service; // every use case
pub mod source;
pub mod spec; // start here: what people write
mod store; // SQL lives here and nowhere else
mod table; // rows of the lake
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod texts;
mod upkeep;

pub use documents::{Called, Chunk, DocumentFilter, DocumentText, SourceStats, Stats};
pub use fault::KnowledgeFault;
pub use forget::{DroppedState, ForgetRequest, Forgotten, Receipt, RemovedRows};
pub use forgotten::Tombstone;
pub use ingest::{Because, IngestJob, IngestOptions, Ingestion, Parse, ParsedText, Worth};
pub use kind::kind;
pub use model::{
    Document, DocumentId, DocumentStatus, Failure, IngestRun, KnowledgeKey, KnowledgeVersion, Origin, Progress, Reason, Report,
    RunState, Stage, Warning,
};
pub use search::{Answer, Evidence, LeftOut};
pub use service::{Interrupted, KnowledgeConfig, Knowledges, Parts};
pub use source::{EgressPolicy, SourceFault, SourcePolicy};
pub use upkeep::Cleaned;
