//! The metrics there are, and their labels.

use mainspring_kernel::text::{did_you_mean, elide};
use mainspring_lake::{Filter, MeasureOf};

use crate::query::{counted, entry_only};

/// Labels of every series, as far as its spans say them. They are called as the fields of spans are.
pub(super) const USUAL: [&str; 6] = ["app", "model", "provider", "service", "operation", "status"];
/// Labels of those series only whose question names them: they have many values.
pub(super) const ASKED: [&str; 5] = ["environment", "release", "prompt", "key", "user"];

/// What a label of the metric's own says, and what is measured for it.
pub(super) type Variant = (&'static str, MeasureOf);

pub(super) struct Known {
    pub(super) name: &'static str,
    help: &'static str,
    /// Whose spans are measured.
    pub(super) only: fn() -> Filter,
    pub(super) of: Of,
    /// What one of what is kept is.
    pub(super) scale: f64,
}

#[derive(Clone, Copy)]
pub(super) enum Of {
    Rows,
    Sum(&'static str),
    /// By kind, as the label `type`.
    Tokens,
    /// As the label `quantile`.
    Quantiles(&'static str),
}

impl Known {
    /// What only counts up.
    pub(super) const fn is_counter(&self) -> bool {
        !matches!(self.of, Of::Quantiles(_))
    }

    /// The label of its own, if it has one.
    pub(super) const fn own(&self) -> Option<&'static str> {
        match self.of {
            Of::Tokens => Some("type"),
            Of::Quantiles(_) => Some("quantile"),
            Of::Rows | Of::Sum(_) => None,
        }
    }

    pub(super) fn variants(&self) -> Vec<Variant> {
        match self.of {
            Of::Rows => vec![("", MeasureOf::Rows)],
            Of::Sum(column) => vec![("", MeasureOf::Sum(column.to_owned()))],
            Of::Tokens => TOKENS.iter().map(|(kind, column)| (*kind, MeasureOf::Sum((*column).to_owned()))).collect(),
            Of::Quantiles(column) => {
                QUANTILES.iter().map(|(name, at)| (*name, MeasureOf::Quantile { column: column.to_owned(), at: *at })).collect()
            }
        }
    }
}

const TOKENS: [(&str, &str); 5] = [
    ("input", "input_tokens"),
    ("output", "output_tokens"),
    ("cache_read", "cache_read_tokens"),
    ("cache_write", "cache_write_tokens"),
    ("reasoning", "reasoning_tokens"),
];
const QUANTILES: [(&str, f64); 4] = [("0.5", 0.5), ("0.9", 0.9), ("0.95", 0.95), ("0.99", 0.99)];
const OURS: &str = "mainspring_";
const SECONDS: f64 = 1e-6;
const DOLLARS: f64 = 1e-9;

fn calls() -> Filter {
    Filter::any_of("type", ["chat", "embedding", "rerank"])
}
const fn all() -> Filter {
    Filter::All
}

const fn known(name: &'static str, help: &'static str, only: fn() -> Filter, of: Of, scale: f64) -> Known {
    Known { name, help, only, of, scale }
}

static KNOWN: [Known; 11] = [
    known("mainspring_spans_total", "Spans, log records among them.", all, Of::Rows, 1.0),
    known(
        "mainspring_requests_total",
        "Requests: each trace once, in every series that an entry of it is of.",
        entry_only,
        Of::Rows,
        1.0,
    ),
    known(
        "mainspring_request_duration_seconds",
        "How long they took, over the step or five minutes.",
        entry_only,
        Of::Quantiles("duration"),
        SECONDS,
    ),
    known("mainspring_request_duration_seconds_sum", "How long they took together.", entry_only, Of::Sum("duration"), SECONDS),
    known("mainspring_calls_total", "Calls of models: chats, embeddings, rerankings.", calls, Of::Rows, 1.0),
    known(
        "mainspring_call_duration_seconds",
        "How long calls of models took, over the step or five minutes.",
        calls,
        Of::Quantiles("duration"),
        SECONDS,
    ),
    known("mainspring_call_duration_seconds_sum", "How long calls of models took together.", calls, Of::Sum("duration"), SECONDS),
    known("mainspring_call_duration_seconds_count", "Calls of models.", calls, Of::Rows, 1.0),
    known(
        "mainspring_first_token_seconds",
        "How long it was to the first token, over the step or five minutes.",
        calls,
        Of::Quantiles("first_token"),
        SECONDS,
    ),
    known(
        "mainspring_tokens_total",
        "Tokens by type; what a parent and its child both tell counts once.",
        || counted("input_tokens"),
        Of::Tokens,
        1.0,
    ),
    known("mainspring_cost_usd_total", "What calls of models cost, in dollars.", || counted("cost"), Of::Sum("cost"), DOLLARS),
];

pub(super) fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

/// Whether programs may have sent what has this name. What nobody sent has no series, as with Prometheus.
pub(super) fn may_be_sent(name: &str) -> bool {
    !name.starts_with(OURS)
}

pub(super) fn no_such(name: &str) -> String {
    format!("there is no metric `{}`{}", elide(name, 80), did_you_mean(name, KNOWN.iter().map(|known| known.name)))
}

/// A metric, as programs ask about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromMetric {
    pub name: String,
    /// `counter` or `gauge`.
    pub kind: &'static str,
    pub help: String,
    /// As it was sent; of our own it is in the name.
    pub unit: String,
}

/// Every metric over spans.
pub(super) fn metrics() -> impl Iterator<Item = PromMetric> {
    KNOWN.iter().map(|known| PromMetric {
        name: known.name.to_owned(),
        kind: if known.is_counter() { "counter" } else { "gauge" },
        help: known.help.to_owned(),
        unit: String::new(),
    })
}

/// Every label of those.
pub(super) fn labels() -> impl Iterator<Item = &'static str> {
    USUAL.into_iter().chain(ASKED).chain(["__name__", "quantile", "type"])
}

/// Values that do not depend on what was sent.
pub(super) fn fixed_values(label: &str) -> Option<Vec<String>> {
    let of = |names: Vec<&str>| Some(names.into_iter().map(str::to_owned).collect());
    match label {
        "__name__" => of(KNOWN.iter().map(|known| known.name).collect()),
        "quantile" => of(QUANTILES.iter().map(|(name, _)| *name).collect()),
        "type" => of(TOKENS.iter().map(|(name, _)| *name).collect()),
        _ => None,
    }
}
