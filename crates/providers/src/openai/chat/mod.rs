//! Chat completions from the client's side: its requests, and the answers it is given.

pub(super) mod message;
mod older;
mod read;
pub(super) mod turns;
mod write;
mod writer;

pub(crate) use older::modern;
pub use older::{is_older, write_older};
pub use read::{read, set};
pub use write::write;
pub use writer::Writer;
