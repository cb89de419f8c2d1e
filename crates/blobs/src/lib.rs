#![doc = include_str!("../README.md")]

mod fault;
mod store;

#[cfg(test)]
mod tests;

pub use fault::BlobFault;
pub use store::{Blobs, Listing, S3Location};
