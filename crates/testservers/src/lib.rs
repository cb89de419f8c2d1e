#![doc = include_str!("../README.md")]

pub mod disk;
mod engines;
pub mod postgres;
pub mod s3;
pub mod upstream;

/// A folder that is removed with the value: for the macro, whose callers need not depend on `tempfile`.
#[must_use]
pub fn temporary_folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the temporary directory can be written")
}
