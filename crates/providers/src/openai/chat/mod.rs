//! Chat completions from the client's side: its requests, and the answers it is given.

pub(super) mod message;
mod read;
pub(super) mod turns;
mod write;
mod writer;

pub use read::read;
pub use write::write;
pub use writer::Writer;
