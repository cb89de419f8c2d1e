#![doc = include_str!("../README.md")]

pub mod budget;
pub mod chat;
pub mod embed;
pub mod ending;
pub mod exchange;
pub mod fault;
pub mod models;
pub mod rerank;
pub mod retrieve;
pub mod source;
pub mod told;
pub mod trace;
pub mod usage;

pub use budget::Budget;
pub use chat::{ChatModel, ChatReply, ChatRequest, ChatStream, Delta, FinishReason, Message, Usage};
pub use embed::{Embedder, Embedding, TextTokenizer, Tokens};
pub use ending::{End, Ending};
pub use fault::ModelFault;
pub use models::Models;
pub use rerank::{Reranker, Scored};
pub use retrieve::{
    DocumentAccess, HitScores, ModelUsed, Passage, ReadSoFar, RetrieveRequest, Retrieved, Retriever, SearchMode, Searched,
    TablePin, Unread, UnreadState,
};
pub use source::{Asking, ModelSource};
pub use told::{Facts, Told};
pub use trace::{EventSink, Span, SpanContext, SpanId, TraceId};
pub use usage::{Buckets, PartsFrom, Provenance, ServiceTier, TokenUsage};
