//! What a parser makes of a file: one text, and where in it the structure is.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use serde::{Deserialize, Serialize};

use crate::{unspoken, warning::ParseWarning};

/// Raised when the same bytes would give other text, structure or places of links: what was kept from before is parsed again
/// where it would be cut anew.
pub const VERSION: u32 = 6;

/// Which parsers made a document. Those before the number was kept are 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MadeBy(u32);

impl MadeBy {
    const fn unnumbered() -> Self {
        Self(1)
    }

    #[must_use]
    pub const fn is_current(self) -> bool {
        self.0 == VERSION
    }
}

impl Default for MadeBy {
    fn default() -> Self {
        Self(VERSION)
    }
}

/// A foreign file as text. It crosses a process border and is stored, so fields are only ever added, and what
/// was written before is read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ParsedDocument {
    #[serde(default = "MadeBy::unnumbered")]
    pub made_by: MadeBy,
    pub title: String,
    pub media_type: String,
    /// The text, Markdown-like; every offset refers to its bytes.
    pub text: String,
    /// In the order of the text, not overlapping, together covering everything but white space.
    pub blocks: Vec<Block>,
    #[serde(default)]
    pub pages: Option<u32>,
    #[serde(default)]
    pub links: Vec<Link>,
    /// Places of the text that are written for programs (where a link leads, a backslash before a sign):
    /// shown, but not searched or embedded. Ascending, apart.
    #[serde(default)]
    pub unspoken: Vec<(usize, usize)>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// What a person should know: a page without a text layer, bytes that were not text.
    #[serde(default)]
    pub warnings: Vec<ParseWarning>,
}

impl ParsedDocument {
    /// A stretch of the text as it is searched and embedded.
    #[must_use]
    pub fn spoken(&self, range: Range<usize>) -> Cow<'_, str> {
        unspoken::without(&self.text, range, &self.unspoken)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub kind: BlockKind,
    pub start: usize,
    pub end: usize,
    /// The headings above it, outermost first.
    #[serde(default)]
    pub heading_path: Vec<String>,
    #[serde(default)]
    pub page: Option<u32>,
    /// A heading's own words, as they stand in the paths of what is below it.
    #[serde(default)]
    pub heading: Option<String>,
}

impl Block {
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum BlockKind {
    Heading {
        level: u8,
    },
    Paragraph,
    ListItem,
    Quote,
    Code {
        language: Option<String>,
    },
    /// A whole table as Markdown; the first line is its header where it has one.
    Table,
    /// A message's headers, a record of JSON lines: key and value lines that belong together.
    Record,
}

impl BlockKind {
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Heading { .. } => "heading",
            Self::Paragraph => "paragraph",
            Self::ListItem => "listitem",
            Self::Quote => "quote",
            Self::Code { .. } => "code",
            Self::Table => "table",
            Self::Record => "record",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub text: String,
    pub target: String,
    /// Where its words stand in the text, in bytes. Of what was parsed before this was kept, nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<(usize, usize)>,
}
