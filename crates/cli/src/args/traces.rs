//! Traces: list, show, count, measure, export, follow.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::Paging;

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Traces {
    #[command(subcommand)]
    pub(crate) command: Option<TracesCommand>,
    /// Show this one: its first 1000 spans, and how many there are.
    pub(crate) trace: Option<String>,
    #[command(flatten)]
    pub(crate) list: ListTraces,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TracesCommand {
    /// List traces, newest first, by the span by which each is entered; with `--any`, by any of its spans; with `--spans`, list
    /// every span that passes.
    List(ListTraces),
    /// Show one trace as a tree, and how many spans it has.
    Show(ShowTrace),
    /// Count traces, by the span by which each is entered; with `--any`, by any of its spans; with `--spans`, count spans.
    Count(CountTraces),
    /// Measure spans, in groups and over time.
    Metrics(Measure),
    /// Write every span that passes, oldest first, to a file or to standard output.
    Export(ExportTraces),
    /// Print traces as they come, until it is interrupted.
    Tail(TailTraces),
    /// List sessions, the last active first, or show one with its traces.
    Sessions {
        session: Option<String>,
        /// Only where a span passes: see `docs/reference/filters.md`.
        #[arg(long, value_name = "FILTER", conflicts_with = "session")]
        filter: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// List end users, the last active first, with what their traces used.
    Users {
        /// Only where a span passes: see `docs/reference/filters.md`.
        #[arg(long, value_name = "FILTER")]
        filter: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowTrace {
    pub(crate) trace: String,
    /// At most this many spans, in the order in which they began.
    #[arg(long, default_value_t = ShowTrace::LIMIT, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Go on where a part of the trace ended: what it gave as `next`.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

impl ShowTrace {
    const LIMIT: u32 = 1_000;

    /// The beginning of a trace.
    pub(crate) fn of(trace: &str) -> Self {
        Self { trace: trace.to_owned(), limit: Self::LIMIT, cursor: None }
    }
}

/// Which spans are meant.
#[derive(Debug, ClapArgs)]
pub(crate) struct Which {
    /// Only what passes, such as `error and start > -1h`: see `docs/reference/filters.md`.
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// Only answers of this app.
    #[arg(long)]
    pub(crate) app: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ListTraces {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Spans, wherever they stand in their traces.
    #[arg(long)]
    pub(crate) spans: bool,
    /// Traces of which any span passes, and not only the one by which they are entered: which model or tool was called is
    /// mostly told by others.
    #[arg(long, conflicts_with = "spans")]
    pub(crate) any: bool,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CountTraces {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Spans, wherever they stand in their traces.
    #[arg(long)]
    pub(crate) spans: bool,
    /// Traces of which any span passes, and not only the one by which they are entered: which model or tool was called is
    /// mostly told by others.
    #[arg(long, conflicts_with = "spans")]
    pub(crate) any: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Measure {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Fields to group by: `model`, `app,user`.
    #[arg(long, value_name = "FIELDS")]
    pub(crate) by: Option<String>,
    /// Buckets of time: `5m`, `1h`, `1d`.
    #[arg(long, value_name = "TIME")]
    pub(crate) bucket: Option<String>,
    /// What to measure: `count,error_rate,cost,duration_p95`.
    #[arg(long, value_name = "NAMES")]
    pub(crate) measures: Option<String>,
    /// From this moment, RFC 3339; default: a day ago.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Up to this moment; default: now.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Rows at most.
    #[arg(long)]
    pub(crate) limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// A span on each line.
    Jsonl,
    /// An OTLP export request on each line.
    OtlpJson,
    /// One file for notebooks and warehouses.
    Parquet,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExportTraces {
    #[command(flatten)]
    pub(crate) which: Which,
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub(crate) format: ExportFormat,
    /// Write to this file instead of standard output. It is there only when it is whole.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Send the spans to another collector by OTLP over HTTP instead, each request until it is taken.
    #[arg(long, value_name = "URL", conflicts_with_all = ["out", "format"])]
    pub(crate) to: Option<String>,
    /// The environment variable with the bearer key of that collector.
    #[arg(long, value_name = "NAME", requires = "to")]
    pub(crate) to_key: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TailTraces {
    /// Only what passes, such as `error or duration > 5s`: see `docs/reference/filters.md`.
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// Every span, not only those by which traces are entered.
    #[arg(long)]
    pub(crate) spans: bool,
}
