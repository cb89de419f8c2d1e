//! Forgetting, and what is left of it.

use clap::Args;

use super::Paging;

#[derive(Debug, Args)]
pub(crate) struct Forget {
    pub(crate) knowledge: String,
    /// Documents by id, by their whole path within their source, by their address, or by the absolute path of their file;
    /// also those that are gone from their source or were moved.
    pub(crate) documents: Vec<String>,
    /// Everything of one source, with what is gone from it.
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Let the next ingestion take them in again.
    #[arg(long)]
    pub(crate) readmit: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Receipts {
    pub(crate) knowledge: String,
    /// Show this one.
    pub(crate) receipt: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Args)]
pub(crate) struct Tombstones {
    pub(crate) knowledge: String,
    /// Let the next ingestion take this document in again: its id, or its name within its source. May be repeated.
    #[arg(long, value_name = "DOCUMENT")]
    pub(crate) lift: Vec<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}
