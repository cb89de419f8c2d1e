//! How long telemetry is kept, and erasing it before its time.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::Paging;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kept {
    Spans,
    Logs,
    Points,
}

impl Kept {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Spans => "spans",
            Self::Logs => "logs",
            Self::Points => "points",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Retention {
    /// Show what the project holds of each kind, and how long it stays.
    Show,
    /// Say how long a kind is kept, and how much of it. What is left out stays as it is; where all of it is, the project goes
    /// back to what the settings say.
    Set(SetRetention),
}

#[derive(Debug, Args)]
pub(crate) struct SetRetention {
    pub(crate) kind: Kept,
    /// `12h`, `30d`, or `server` for what the settings say.
    #[arg(long, value_name = "TIME")]
    pub(crate) keep_for: Option<String>,
    /// Beyond so many bytes the oldest go first.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_bytes: Option<u64>,
    /// However many bytes there are.
    #[arg(long, conflicts_with = "max_bytes")]
    pub(crate) no_max_bytes: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").required(true).args(["user", "session", "trace", "document"])))]
pub(crate) struct Erase {
    /// Every trace in which this user is named, and points of metrics that name them.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Every trace of this session, and points of metrics that name it.
    #[arg(long)]
    pub(crate) session: Option<String>,
    /// This trace.
    #[arg(long)]
    pub(crate) trace: Option<String>,
    /// A document, as `knowledge/id` or `knowledge/name`: it is forgotten, also when it is gone from its source, and traces that
    /// used it lose what was written and read.
    #[arg(long, value_name = "KNOWLEDGE/ID")]
    pub(crate) document: Option<String>,
    /// Wait until it is done.
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Erasures {
    /// List erasures, newest first.
    List(Paging),
    /// Show one erasure, and how far it has come.
    Show { erasure: String },
}
