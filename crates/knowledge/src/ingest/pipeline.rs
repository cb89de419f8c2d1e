//! What flows between the stages of a run.

use mainspring_kernel::Digest;

use super::vectors::Vector;
use crate::{model::Document, store::document::Change, table::ChunkRow};

/// A document cut into chunks.
#[derive(Debug)]
pub(super) struct Prepared {
    pub document: Document,
    pub attributes: Digest,
    pub fingerprint: Option<String>,
    pub row_key: Digest,
    pub chunks: Vec<ChunkRow>,
    /// As what it is counted when its rows are there, and not before.
    pub gain: Gain,
}

/// What a document with new rows is to its knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gain {
    Added,
    Changed,
    /// New by name, and of the content of one that is gone.
    Moved,
}

#[derive(Debug)]
pub(super) enum Item {
    Rows(Box<Prepared>),
    /// Nothing to embed: a document that failed, is gone, or is what it was.
    Change(Change),
}

/// A document with a vector for every chunk.
#[derive(Debug)]
pub(super) enum Complete {
    Rows(Box<Prepared>, Vec<Vector>),
    Change(Change),
}

impl Complete {
    pub(super) fn chunks(&self) -> usize {
        match self {
            Self::Rows(prepared, _) => prepared.chunks.len(),
            Self::Change(_) => 0,
        }
    }
}
