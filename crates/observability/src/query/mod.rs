//! Questions about traces. Everything is asked within one project and as one actor.

mod access;
mod activity;
mod beneath;
mod bodies;
mod by;
mod count;
mod dashboard;
mod export;
mod firsts;
mod logs;
mod metrics;
mod numbers;
mod once;
mod promql;
mod releases;
mod series;
mod sessions;
mod spans;
mod sql;
mod traces;
mod tree;

use mainspring_kernel::{Actor, PageRequest, Timestamp};
use mainspring_lake::{Filter, Order, Scalar, Scan, Table};
use mainspring_llm::DocumentAccess;
use serde::{Deserialize, Serialize};

use crate::{
    conventions::counted::Quantity,
    fault::TraceFault,
    filter::{SpanFilter, holds},
    scores::Scores,
    searched::CONTENT,
    table::{COUNTED_PART, WEIGHT},
};

pub(crate) use access::{hidden, hidden_in, seen};
pub(crate) use activity::{activity, by_app};
pub(crate) use beneath::records;
pub(crate) use bodies::trace;
pub(crate) use by::{By, ways};
pub(crate) use count::{count_any, count_spans, count_traces};
pub(crate) use dashboard::{dashboard, width_for, wrong_sql};
pub(crate) use export::EXPORTS_MAX;
pub(crate) use firsts::Firsts;
pub(crate) use logs::list_logs;
pub(crate) use metrics::{Unit, float, group_column, metrics, unit_of};
pub(crate) use promql::{prometheus, prometheus_labels, prometheus_metrics, prometheus_series, prometheus_values};
#[cfg(test)]
pub(crate) use sessions::in_windows;
pub(crate) use sessions::{session, sessions};
pub(crate) use spans::{list_spans, summary_of};
pub(crate) use sql::{Sources, sql, sql_tables};
pub(crate) use traces::{list, list_any};
pub(crate) use tree::{span, tree};

pub use activity::{ActivityBucket, Traffic};
pub use bodies::TracePart;
pub use count::Counted;
pub use dashboard::{DashboardAnswer, DashboardQuestion, PanelAnswer};
pub use export::Export;
pub use firsts::FirstSeen;
pub use logs::LogRecord;
pub use metrics::{Measured, MetricsQuestion, MetricsRow, SpanMetrics, measures};
pub use numbers::{Listener, NumbersRow, check_number_field};
pub use promql::{PromAnswer, PromFault, PromFound, PromListed, PromMetric, PromSeries, PromTimes};
pub use releases::NewRelease;
pub use series::{SeriesQuestion, SeriesRow, check_group_field};
pub use sessions::{Gathered, GatheredBy, SessionTraces};
pub use spans::SpanSummary;
pub use sql::{SqlColumn, SqlQuestion, SqlRows, SqlTable};
pub use traces::TraceSummary;
pub use tree::{TREE_MAX, TraceTree, TreeTotals};

/// What lists and trees show of a name, and of what is said of a failure. A span that is asked for by itself has all of it.
const NAME_SHOWN: usize = 200;
const ERROR_SHOWN: usize = 1_000;
/// Rows looked at for one page at most: a reader who may see little does not make the server read everything.
const LOOKED_AT_MAX: usize = 20_000;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceFilter {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub app: Option<String>,
    pub model: Option<String>,
    /// `ok`, `error` or `unset`.
    pub status: Option<String>,
    pub min_millis: Option<u64>,
    /// In prompts, answers and names, letter case ignored.
    pub text: Option<String>,
    pub operation: Option<String>,
    pub user: Option<String>,
    pub session: Option<String>,
    pub also: SpanFilter,
}

impl TraceFilter {
    /// Spans that pass, of the actor's project.
    pub(crate) fn spans(&self, actor: &Actor, now: Timestamp) -> Filter {
        let mut parts = vec![Filter::eq("project", actor.project.to_string())];
        parts.extend(self.from.map(|from| Filter::GtEq("start".into(), from.as_micros().into())));
        parts.extend(self.to.map(|to| Filter::Lt("start".into(), to.as_micros().into())));
        parts.extend(self.min_millis.map(|millis| {
            Filter::GtEq("duration".into(), i64::try_from(millis.saturating_mul(1000)).unwrap_or(i64::MAX).into())
        }));
        let texts = [
            ("app", &self.app),
            ("model", &self.model),
            ("status", &self.status),
            ("operation", &self.operation),
            ("user", &self.user),
            ("session", &self.session),
        ];
        parts.extend(
            texts.into_iter().filter_map(|(column, value)| value.as_ref().map(|value| Filter::eq(column, value.as_str()))),
        );
        if let Some(text) = &self.text {
            parts.push(Filter::Or(vec![holds(CONTENT, text), holds("name", text)]));
        }
        Filter::And(parts).and(self.also.condition(now))
    }

    /// The same with another filter of spans.
    fn with(&self, also: SpanFilter) -> Self {
        Self { also, ..self.clone() }
    }

    /// Those of its spans that came as log records.
    pub(crate) fn of_logs(&self) -> Self {
        self.with(self.also.and(&SpanFilter::logs()))
    }

    /// Spans that pass and by which a trace is entered.
    pub(crate) fn entries(&self, actor: &Actor, now: Timestamp) -> Filter {
        self.spans(actor, now).and(entry_only())
    }
}

/// Who asks, and what is asked to answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) table: &'a dyn Table,
    pub(crate) access: &'a dyn DocumentAccess,
    pub(crate) actor: &'a Actor,
    pub(crate) now: Timestamp,
    /// None where there is no room for them.
    pub(crate) scores: Option<&'a Scores>,
}

impl Asking<'_> {
    pub(crate) fn project(&self) -> Filter {
        Filter::eq("project", self.actor.project.to_string())
    }
}

/// Where the next page starts: after this row, in order of start (newest first), span and trace. Programs that number
/// their spans give those of two traces one id. The last is when the first page was asked for: what a filter says of the
/// time means the same on every page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct After(i64, String, String, i64);

impl After {
    fn beyond(&self) -> Filter {
        let Self(start, span, trace, _) = self;
        let earlier = Filter::Lt("start".into(), (*start).into());
        let then = Filter::Eq("start".into(), (*start).into());
        Filter::Or(vec![earlier, then.and(beyond_id(span, trace))])
    }
}

/// What comes after a row among those that start when it does.
fn beyond_id(span: &str, trace: &str) -> Filter {
    let same = Filter::Eq("span".into(), span.into()).and(Filter::Gt("trace".into(), trace.into()));
    Filter::Or(vec![Filter::Gt("span".into(), span.into()), same])
}

/// Newest first.
fn newest(scan: Scan) -> Scan {
    scan.order("start", Order::Descending).order("span", Order::Ascending).order("trace", Order::Ascending)
}

/// Where a page starts, and the time that its list is about.
fn place(page: &PageRequest, now: Timestamp) -> Result<(Option<After>, Timestamp), TraceFault> {
    let after: Option<After> = page.after()?;
    let now = after.as_ref().map_or(now, |after| Timestamp::from_micros(after.3));
    Ok((after, now))
}

/// Rows of which this column of tokens or cost counts. Rows from before this was kept count where a trace is entered.
fn counted(column: &str) -> Filter {
    let entered = Filter::And(vec![Filter::IsNull("counted".into()), entry_only()]);
    let part = Filter::eq(COUNTED_PART, Quantity::of(column).as_str());
    Filter::Or(vec![Filter::Eq("counted".into(), Scalar::Bool(true)), part, entered])
}

fn entry_only() -> Filter {
    Filter::Eq("entry".into(), Scalar::Bool(true))
}

fn failed() -> Filter {
    Filter::eq("status", "error")
}

/// Rows that stand for more than themselves: what is reckoned over them is an estimate.
fn sampled() -> Filter {
    Filter::Gt(WEIGHT.into(), Scalar::Float(1.0))
}
