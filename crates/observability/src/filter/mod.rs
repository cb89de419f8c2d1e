//! The language in which people say which spans they mean: for lists, counts, groups, exports and the live tail.
//!
//! `text` → words (`lexer`) → a tree (`parser`) → a condition on the table (`compile`), or an answer for one span in
//! memory (`matching`). `docs/reference/filters.md` is the grammar.

mod compile;
mod fault;
mod fields;
mod lexer;
mod matching;
mod parser;
mod records;
mod tree;
mod values;

#[cfg(test)]
mod tests;

pub use fault::FilterFault;
pub use fields::{FIELDS, FieldKind, KnownField, SEVERITIES, STATUSES};
pub use tree::SpanFilter;

pub(crate) use compile::holds;
pub(crate) use fields::{known, severity_of};
pub(crate) use matching::At;
pub(crate) use parser::LENGTH_MAX;
pub(crate) use tree::{Comparison, Test, Value, score_written};
