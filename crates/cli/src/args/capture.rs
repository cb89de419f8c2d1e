//! What the project keeps.

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Capture {
    /// Show what is kept, and what this server left out since it began.
    Show,
    /// Change what is kept; what is not said stays.
    Set(Box<SetCapture>),
    /// Show what a text becomes; without one it is read from standard input.
    Preview { text: Option<String> },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SetCapture {
    /// `none`, `metadata`, `redacted`, `full`, or `server`: what the server keeps.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) capture: Option<String>,
    /// A regular expression whose finds become `[NAME]`; takes the place of one of that name.
    #[arg(long = "pattern", value_name = "NAME=REGEX")]
    pub(crate) patterns: Vec<String>,
    /// Take a pattern away.
    #[arg(long = "without", value_name = "NAME")]
    pub(crate) without: Vec<String>,
    /// The share of traces that is kept whatever happens in them, from 0 to 1.
    #[arg(long)]
    pub(crate) share: Option<f64>,
    /// Whether traces with an error are kept beside the share.
    #[arg(long, value_name = "BOOL")]
    pub(crate) keep_errors: Option<bool>,
    /// Traces with a span that took so many milliseconds are kept beside the share; 0: none are for that.
    #[arg(long, value_name = "MS")]
    pub(crate) keep_slower_than: Option<u64>,
    /// How many seconds spans wait for an error or a slow span of their trace.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) hold: Option<u32>,
    /// Refuse unless the policy is at this revision now (0: there is none).
    #[arg(long, value_name = "REVISION")]
    pub(crate) expected: Option<u64>,
}
