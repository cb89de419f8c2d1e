#![doc = include_str!("../README.md")]

mod fault;
mod imported;
mod report;

// What the three have in common.
mod client_keys;
mod costs;
mod draft;
mod key;
mod known;
mod names;
mod read;

mod litellm;
mod portkey;
mod tensorzero;

#[cfg(test)]
mod tests;

pub use fault::ImportFault;
pub use imported::{Imported, Manifest};
pub use report::{Action, Note, Report, Step, Variable, WantedKey, WantedLimit};

pub use litellm::{import as litellm, import_with_keys as litellm_with_keys};
pub use portkey::{Options as PortkeyOptions, import as portkey, import_with_keys as portkey_with_keys};
pub use tensorzero::import as tensorzero;

/// A longer file is none that a person wrote.
pub const TEXT_MAX: usize = 4 * 1024 * 1024;
