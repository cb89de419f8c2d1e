//! Lance's errors as lake faults. Its variants say little about cause, so the chain below is read too.

use std::{error::Error as StdError, io};

use lance::Error;
use mainspring_kernel::text::elide;
use mainspring_lake::LakeFault;

const REASON_MAX: usize = 600;

/// What an error means, before it is known which table it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    DiskFull,
    Away,
    Contended,
    Missing,
    Schema,
    Other,
}

pub(crate) fn meaning(error: &Error, on_s3: bool) -> Meaning {
    if chain(error).any(is_disk_full) || says_disk_full(error) {
        return Meaning::DiskFull;
    }
    if error.is_commit_status_unknown() {
        // The store went away between a commit and its answer; whoever repeats the change finds out.
        return Meaning::Away;
    }
    match error {
        Error::CommitConflict { .. }
        | Error::RetryableCommitConflict { .. }
        | Error::IncompatibleTransaction { .. }
        | Error::TooMuchWriteContention { .. }
        | Error::RefConflict { .. } => Meaning::Contended,
        Error::DatasetNotFound { .. } | Error::NotFound { .. } | Error::VersionNotFound { .. } => Meaning::Missing,
        Error::SchemaMismatch { .. } | Error::Schema { .. } => Meaning::Schema,
        Error::Timeout { .. } => Meaning::Away,
        _ if on_s3 && (chain(error).any(is_store_away) || says_store_away(error)) => Meaning::Away,
        _ => Meaning::Other,
    }
}

/// A fault of one table.
pub(crate) fn of_table(table: &str, place: &Place<'_>, error: &Error) -> LakeFault {
    let table = table.to_owned();
    match meaning(error, place.on_s3) {
        Meaning::DiskFull => LakeFault::DiskFull,
        Meaning::Away => LakeFault::Unavailable { location: place.label.to_owned(), reason: reason(error) },
        Meaning::Contended => LakeFault::Contended { table },
        Meaning::Schema => LakeFault::Schema { table, reason: reason(error) },
        Meaning::Missing | Meaning::Other => LakeFault::Engine { table, reason: reason(error) },
    }
}

/// Where a table lives, as far as a fault needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) label: &'a str,
    pub(crate) on_s3: bool,
}

/// A fault of the lake as a whole.
pub(crate) fn of_lake(label: &str, error: &Error) -> LakeFault {
    match meaning(error, true) {
        Meaning::DiskFull => LakeFault::DiskFull,
        _ => LakeFault::Unavailable { location: label.to_owned(), reason: reason(error) },
    }
}

pub(crate) fn of_store(label: &str, error: &object_store::Error) -> LakeFault {
    if self_and_sources(error).any(is_disk_full) {
        return LakeFault::DiskFull;
    }
    LakeFault::Unavailable { location: label.to_owned(), reason: elide(&error.to_string(), REASON_MAX) }
}

pub(crate) fn of_io(label: &str, error: &io::Error) -> LakeFault {
    if is_disk_full(error) {
        return LakeFault::DiskFull;
    }
    LakeFault::Unavailable { location: label.to_owned(), reason: error.to_string() }
}

fn reason(error: &Error) -> String {
    elide(&error.to_string(), REASON_MAX)
}

fn chain(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    self_and_sources(error)
}

fn self_and_sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

fn is_disk_full(error: &(dyn StdError + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

/// Some layers of Lance keep only the text of a cause.
fn says_disk_full(error: &Error) -> bool {
    let text = error.to_string();
    text.contains("No space left on device") || text.contains("(os error 28)") || text.contains("Disk quota exceeded")
}

fn is_store_away(error: &(dyn StdError + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<object_store::Error>() {
        return matches!(
            error,
            object_store::Error::Generic { .. }
                | object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. }
        );
    }
    error.downcast_ref::<io::Error>().is_some()
}

/// What several wait for fails for each of them with the text of the one failure.
fn says_store_away(error: &Error) -> bool {
    error.to_string().contains("Generic S3 error")
}
