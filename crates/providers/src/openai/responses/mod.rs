//! The responses endpoint from the client's side: its requests, and the answers it is given. Providers that have the
//! endpoint themselves are sent what the client sent; for the others a request becomes a call like any other.

mod custom;
mod flat;
mod items;
mod later;
mod outcome;
mod read;
mod sealed;
mod spaces;
mod write;
mod writer;

pub use custom::CustomTools;
pub use flat::{flat, flat_tools};
pub use read::read;
pub use write::{write, write_with};
pub use writer::{Named, Writer};
