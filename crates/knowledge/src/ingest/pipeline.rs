//! What flows between the stages of a run.

use mainspring_kernel::Digest;

use super::{allowance::Held, vectors::Vector};
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
    /// What its rows take of the process's allowance.
    pub held: Option<Held>,
}

impl Prepared {
    /// About what it takes in memory until it is written.
    pub(super) fn bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| (chunk.text.len() + chunk.search_text.len() + chunk.header.len()) as u64).sum()
    }
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
    /// It waits for others now, which may wait for what it holds.
    pub(super) fn let_go(&mut self) {
        if let Self::Rows(prepared, _) = self {
            prepared.held = None;
        }
    }

    pub(super) fn chunks(&self) -> usize {
        match self {
            Self::Rows(prepared, _) => prepared.chunks.len(),
            Self::Change(_) => 0,
        }
    }
}
