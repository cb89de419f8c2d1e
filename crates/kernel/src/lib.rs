#![doc = include_str!("../README.md")]

pub mod actor;
pub mod clock;
pub mod digest;
pub mod duration;
pub mod fault;
pub mod figure;
pub mod id;
pub mod money;
pub mod name;
pub mod net;
pub mod once;
pub mod page;
pub mod tasks;
pub mod text;

#[cfg(test)]
mod tests;

pub use actor::{Actor, Labels, ModelScope, Role};
pub use clock::{Clock, FrozenClock, SystemClock, Timestamp};
pub use digest::{Digest, canonical_json};
pub use fault::{Fault, FaultKind};
pub use id::{Id, IdKind};
pub use money::Money;
pub use name::{AssetKind, AssetRef, Name, Selector};
pub use once::Once;
pub use page::{Page, PageRequest};
pub use tasks::{Stop, Tasks};
