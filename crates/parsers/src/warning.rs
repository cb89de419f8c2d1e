//! What a person should know of a document that was taken in all the same.

use serde::{Deserialize, Serialize};

/// What is not as a reader would expect it, by its kind: programs tell kinds apart by their codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WarningKind {
    /// Pages with pictures of text, or with none.
    PageWithoutText,
    PageUnread,
    PagesCut,
    SlideHidden,
    SlideMissing,
    SheetHidden,
    SheetUnread,
    TableCut,
    RecordUnread,
    AttachmentUnread,
    AttachmentsCut,
    /// What lies deeper in messages within messages.
    NestingCut,
    EncodingGuessed,
    BytesReplaced,
    /// Kept by a version that did not tell kinds apart, or by one that knows more of them.
    Other,
}

impl WarningKind {
    pub const ALL: [Self; 15] = [
        Self::PageWithoutText,
        Self::PageUnread,
        Self::PagesCut,
        Self::SlideHidden,
        Self::SlideMissing,
        Self::SheetHidden,
        Self::SheetUnread,
        Self::TableCut,
        Self::RecordUnread,
        Self::AttachmentUnread,
        Self::AttachmentsCut,
        Self::NestingCut,
        Self::EncodingGuessed,
        Self::BytesReplaced,
        Self::Other,
    ];

    /// Stable, with a page in `docs/errors`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::PageWithoutText => "parse-page-without-text",
            Self::PageUnread => "parse-page-unread",
            Self::PagesCut => "parse-pages-cut",
            Self::SlideHidden => "parse-slide-hidden",
            Self::SlideMissing => "parse-slide-missing",
            Self::SheetHidden => "parse-sheet-hidden",
            Self::SheetUnread => "parse-sheet-unread",
            Self::TableCut => "parse-table-cut",
            Self::RecordUnread => "parse-record-unread",
            Self::AttachmentUnread => "parse-attachment-unread",
            Self::AttachmentsCut => "parse-attachments-cut",
            Self::NestingCut => "parse-nesting-cut",
            Self::EncodingGuessed => "parse-encoding-guessed",
            Self::BytesReplaced => "parse-bytes-replaced",
            Self::Other => "parse-warning",
        }
    }

    fn of(code: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.code() == code).unwrap_or(Self::Other)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct ParseWarning {
    pub kind: WarningKind,
    /// Which page, which sheet, how many: in words.
    pub detail: String,
}

impl ParseWarning {
    #[must_use]
    pub fn new(kind: WarningKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

/// As it crosses the process border and is kept.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Coded {
        code: String,
        detail: String,
    },
    /// All that versions without kinds kept.
    Words(String),
}

impl From<Written> for ParseWarning {
    fn from(written: Written) -> Self {
        match written {
            Written::Coded { code, detail } => Self { kind: WarningKind::of(&code), detail },
            Written::Words(detail) => Self { kind: WarningKind::Other, detail },
        }
    }
}

impl From<ParseWarning> for Written {
    fn from(ParseWarning { kind, detail }: ParseWarning) -> Self {
        Self::Coded { code: kind.code().to_owned(), detail }
    }
}
