//! What a parser makes of a file: one text, and where in it the structure is.

use std::{collections::BTreeMap, ops::Range};

use serde::{Deserialize, Serialize};

/// A foreign file as text. It crosses a process border and is stored, so fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ParsedDocument {
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
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// What a person should know: a page without a text layer, bytes that were not text.
    #[serde(default)]
    pub warnings: Vec<String>,
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
}
