#![doc = include_str!("../README.md")]

mod aside;
mod capture;
mod clocks;
mod conventions;
mod errand;
mod fault;
mod filter;
mod forget;
mod parquet_file;
mod points;
mod query;
mod room;
mod service;
mod settle;
mod spill;
mod table;
mod tail;
mod writer;

#[cfg(test)]
mod tests;

pub use aside::aside;
pub use capture::Capture;
pub use clocks::{ClockMark, END_AS_SENT, clock_marks};
pub use conventions::{
    Convention, Conversation, Facts, FoundDocument, Message, Part, SpanType, Tokens, ToolUse, page as conventions_page,
    report::{Conventions, ServiceWords, UnknownName},
};
pub use errand::{Elsewhere, Errand};
pub use fault::{TraceFault, Trouble};
pub use filter::{FIELDS, FieldKind, FilterFault, KnownField, SpanFilter};
pub use parquet_file::ParquetExport;
pub use points::{MetricPoint, MetricPoints, PointFilter, PointKind, Temporality};
pub use query::{
    ActivityBucket, Counted, Export, Gathered, GatheredBy, Measured, MetricsQuestion, MetricsRow, SessionTraces, SpanMetrics,
    SpanSummary, TraceFilter, TraceSummary, measures,
};
pub use service::{AppTraffic, Observability, Settings, Status, Swept};
pub use tail::{Heard, Tailing};
pub use writer::Bring;
