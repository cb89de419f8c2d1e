//! The many names that senders give to the same things, and what they mean here.
//!
//! `aliases.rs` and `contents.rs` are the table; `facts.rs` reads the columns of a span by it, `conversation.rs` its messages.
//! `counted.rs` says whose usage counts where several spans of a trace say the same; `report.rs` says what was not understood.

mod aliases;
mod contents;
mod conversation;
pub(crate) mod counted;
mod facts;
mod hashing;
mod indexed;
mod kinds;
mod messages;
mod page;
mod parts;
pub(crate) mod persons;
mod plain;
pub(crate) mod report;
mod said;
mod steps;
mod usage;
mod values;

#[cfg(test)]
mod tests;

pub(crate) use aliases::{alias, is_content, is_person, person_names};
pub(crate) use contents::{QUESTIONS, is_content_of_event, may_be_content_of_event, said_above};
pub(crate) use facts::{is_ours, unpriced};

pub use aliases::Convention;
pub use conversation::{Conversation, FoundDocument, ToolUse};
pub use facts::Facts;
pub use kinds::SpanType;
pub use messages::{Message, Part};
pub use page::page;
pub use usage::Tokens;
