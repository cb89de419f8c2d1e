//! Cutting a parsed document into chunks: on its structure first, then on sentences or lines, then on tokens.
//! The document is tokenised once; everything after is arithmetic on token places. Pure functions.

mod pack;
mod pieces;
mod spec;
#[cfg(test)]
mod tests;

use std::ops::Range;

use mainspring_llm::TextTokenizer;
use mainspring_parsers::ParsedDocument;

pub use spec::{ChunkSpec, Strategy};

/// A piece of a document that is found and embedded as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub ordinal: u32,
    /// Byte offsets into the parsed text.
    pub start: usize,
    pub end: usize,
    /// Tokens of all that is given with it: header, text, and a table's first row that the header has no room for.
    pub tokens: u32,
    pub heading_path: Vec<String>,
    pub page: Option<u32>,
    /// The section around it, where that is larger than the chunk and small enough to be shown whole.
    pub parent: Option<Range<usize>>,
    /// `title > heading > heading`, and for a later piece of a table its header row: embedded with the text.
    pub header: String,
    /// Of a later piece of a table, the table's first row: whoever reads the piece needs the names of its columns. It
    /// stands elsewhere in the document, so the offsets do not count it.
    pub table_head: Option<String>,
    pub kind: &'static str,
}

impl Chunk {
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Cuts a document. Chunks are in order, none is empty, and together they hold every byte that is not white space.
#[must_use]
pub fn chunk(document: &ParsedDocument, spec: &ChunkSpec, tokenizer: &dyn TextTokenizer) -> Vec<Chunk> {
    let places = Places::of(&document.text, tokenizer);
    let packing = pack::Packing { spec, tokenizer, places: &places };
    match spec.strategy {
        Strategy::Structure => pack::pack(document, pieces::by_structure(document), &packing),
        Strategy::Fixed => {
            let mut chunks = pack::pack(document, pieces::whole(document), &packing);
            // The one unit they are cut from stands on all pages.
            for chunk in &mut chunks {
                chunk.page = page_at(document, chunk.start);
            }
            chunks
        }
    }
}

/// The page a byte stands on, as far as the parser knows it.
fn page_at(document: &ParsedDocument, byte: usize) -> Option<u32> {
    let after = document.blocks.partition_point(|block| block.start <= byte);
    document.blocks.get(after.checked_sub(1)?)?.page
}

/// Where each token stands.
#[derive(Debug)]
pub(crate) struct Places {
    tokens: Vec<Range<usize>>,
}

impl Places {
    fn of(text: &str, tokenizer: &dyn TextTokenizer) -> Self {
        Self { tokens: tokenizer.tokenize(text).ranges }
    }

    /// How many tokens stand in a range; what is left of one that is cut in two counts on either side.
    pub(crate) fn count(&self, range: &Range<usize>) -> usize {
        self.index(range.end) - self.index(range.start) + usize::from(self.is_inside(range.start))
    }

    /// How many tokens start before a byte.
    pub(crate) fn index(&self, byte: usize) -> usize {
        self.tokens.partition_point(|token| token.start < byte)
    }

    /// Where the n-th token starts; `None` past the last.
    pub(crate) fn start(&self, index: usize) -> Option<usize> {
        self.tokens.get(index).map(|token| token.start)
    }

    /// The place up to which so many tokens stand from a byte on; `None` if fewer do.
    pub(crate) fn after(&self, byte: usize, tokens: usize) -> Option<usize> {
        self.start(self.index(byte) + tokens.saturating_sub(usize::from(self.is_inside(byte))))
    }

    /// Whether a cut at this byte goes through a token.
    fn is_inside(&self, byte: usize) -> bool {
        self.index(byte).checked_sub(1).is_some_and(|last| self.tokens[last].end > byte)
    }
}
