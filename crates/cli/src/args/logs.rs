//! Log records: list, count.

use clap::{Args as ClapArgs, Subcommand};

use super::Paging;

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Logs {
    #[command(subcommand)]
    pub(crate) command: Option<LogsCommand>,
    #[command(flatten)]
    pub(crate) list: ListLogs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogsCommand {
    /// List log records, newest first, those written in a span and those written in none.
    List(ListLogs),
    /// Count log records.
    Count(WhichLogs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ListLogs {
    #[command(flatten)]
    pub(crate) which: WhichLogs,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// Which log records are meant.
#[derive(Debug, ClapArgs)]
pub(crate) struct WhichLogs {
    /// Only what passes, such as `severity >= warn and service = shop and start > -1h`: see `docs/reference/filters.md`.
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// Only those with this in what they say, or in their name.
    #[arg(long, value_name = "TEXT")]
    pub(crate) find: Option<String>,
}
