#![doc = include_str!("../README.md")]

mod store;
mod fault;

#[cfg(test)]
mod tests;

pub use fault::BlobFault;
pub use store::{Blobs, S3Location};
