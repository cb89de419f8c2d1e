//! Metrics: list, show.

use clap::{Args as ClapArgs, Subcommand};

use super::Paging;

#[derive(Debug, Subcommand)]
pub(crate) enum Metrics {
    /// List metrics by name: what they are, who sends them and what they said last.
    List(ListMetrics),
    /// Show what a metric came to over time.
    Show(ShowMetric),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ListMetrics {
    /// Only those with this in their name.
    #[arg(long, value_name = "TEXT")]
    pub(crate) find: Option<String>,
    /// Only of this service.
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// RFC 3339, a date, or how long ago: `12h`. Default: a day ago.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Up to this moment; default: now.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowMetric {
    /// What programs call it, such as `gen_ai.client.token.usage`.
    pub(crate) name: String,
    /// An attribute whose values are told apart, such as `gen_ai.token.type`.
    #[arg(long, value_name = "ATTRIBUTE")]
    pub(crate) by: Option<String>,
    /// RFC 3339, a date, or how long ago: `12h`. Default: a day ago.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Up to this moment; default: now.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// How long a step is: `5m`, `1h`, `1d`.
    #[arg(long, value_name = "TIME")]
    pub(crate) step: Option<String>,
    /// Only of this service.
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// Only of this model.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`, where several are sent under the name.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// In this unit, where several are sent under the name; `""` is none.
    #[arg(long)]
    pub(crate) unit: Option<String>,
    /// Of sums: those that never fall (`true`), or the others.
    #[arg(long, value_name = "BOOL")]
    pub(crate) monotonic: Option<bool>,
    /// Points that count since their program began (`cumulative`), since the one before (`delta`), or do not say it
    /// (`unspecified`), where several are sent under the name.
    #[arg(long)]
    pub(crate) temporality: Option<String>,
}
