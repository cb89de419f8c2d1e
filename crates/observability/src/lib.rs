#![doc = include_str!("../README.md")]

mod adopting;
mod along;
mod aside;
mod belonging;
mod capture;
mod clocks;
mod compared;
mod conventions;
mod dashboards;
mod deciding;
mod drift;
mod elsewhere;
mod errand;
mod fault;
mod filter;
mod forget;
mod hold;
mod json;
mod keeping;
mod known;
mod looking;
mod pace;
mod parquet_file;
mod points;
mod pricing;
mod query;
mod room;
mod sampling;
mod scores;
mod searched;
mod senders;
mod service;
mod settle;
mod spill;
mod table;
mod tail;
mod values;
mod writer;

#[cfg(test)]
mod tests;

pub use aside::aside;
pub use capture::{Capture, CaptureFault, CapturePolicies, CapturePolicy, Found, OwnPattern, Policies, Preview, ShownPolicy};
pub use clocks::{ClockMark, END_AS_SENT, clock_marks};
pub use conventions::{
    Convention, Conversation, Facts, FoundDocument, Message, Part, SpanType, Tokens, ToolUse, page as conventions_page,
    report::{Conventions, ServiceWords, UnknownName},
};
pub use dashboards::{BUILT_IN, ChartKind, DashboardSpec, PanelMetric, PanelSpec, PanelUnit, built_in, descriptor};
pub use drift::{
    Against, Bin as DriftBin, Drift, DriftQuestion, DriftReport, DriftState, FieldDrift, Figures as DriftFigures,
    Releases as DriftReleases, Topic, TopicDrift, TopicSketch, TopicsVersion, Why as TopicsWhy,
};
pub use errand::{Elsewhere, Ended, Errand, ErrandKind, Errands, FailingErrand, Workplace};
pub use fault::{TraceFault, Trouble};
pub use filter::{FIELDS, FieldKind, FilterFault, KnownField, SEVERITIES, STATUSES, SpanFilter};
pub use hold::Hold;
pub use keeping::{
    Derived, Entering, EraseJob, Erased, Erasure, ErasureId, ErasureState, ErasureStep, Holder, Holding, Keeping, KeepingFault,
    KeepingParts, Looked, Names as ErasedNames, Removal, Retention, ServerId, SpanServer, Subject, Telemetry, TelemetryFault,
};
pub use parquet_file::ParquetExport;
pub use points::{
    Counting, Metric, MetricFigure, MetricFigures, MetricForm, MetricGroup, MetricPoint, MetricPoints, MetricQuestion,
    MetricRange, MetricSeries, MetricStep, MetricValue, PointFilter, PointKind, Temporality, check_point_attribute,
};
pub use pricing::{Estimate, SpanPrices};
pub use query::{
    ActivityBucket, Counted, Export, Gathered, GatheredBy, LogRecord, Measured, MetricsQuestion, MetricsRow, SessionTraces,
    SpanMetrics, SpanSummary, TREE_MAX, TraceFilter, TracePart, TraceSummary, TraceTree, Traffic, TreeTotals, measures,
};
pub use query::{
    DashboardAnswer, DashboardQuestion, PanelAnswer, PromAnswer, PromFault, PromFound, PromListed, PromMetric, PromSeries,
    PromTimes, SqlColumn, SqlQuestion, SqlRows, SqlTable,
};
pub use query::{FirstSeen, Listener, NewRelease, NumbersRow, SeriesQuestion, SeriesRow, check_group_field, check_number_field};
pub use sampling::Tally;
pub use scores::{
    FEEDBACK, Feedback, NewScore, Rating, Score, ScoreFilter, ScoreKind, ScoreListener, ScoreMeasure, ScoreSource, ScoreSummary,
    ScoreValue, Scores, evaluations, event_of, score_field,
};
pub use service::{AppTraffic, Observability, Settings, Status, Swept};
pub use tail::{Heard, Tailing};
pub use values::{ValueAside, WholeValue};
pub use writer::Bring;
