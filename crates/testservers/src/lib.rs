#![doc = include_str!("../README.md")]

pub mod disk;
mod engines;
pub mod postgres;
pub mod recordings;
pub mod s3;
pub mod smtp;
pub mod upstream;

use std::pin::Pin;

/// A folder that is removed with the value: for the macro, whose callers need not depend on `tempfile`.
#[must_use]
pub fn temporary_folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the temporary directory can be written")
}

/// A future on the heap, made in a frame that ends before it runs. Code that is not optimised keeps room on the stack for
/// each future a function makes itself, and those of whole cases are large.
#[must_use]
pub fn boxed<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::pin(make())
}
