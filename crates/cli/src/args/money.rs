//! Limits, usage and calls.

use clap::{Args as ClapArgs, Subcommand};

use super::Paging;

#[derive(Debug, Subcommand)]
pub(crate) enum Limits {
    /// List the project's limits, and how its budgets stand.
    List,
    /// Set a limit: `mainspring limits set requests-per-minute 60 --for key` gives each key sixty.
    Set {
        /// `requests-per-minute`, `tokens-per-minute`, `concurrent`, `usd-per-day` or `usd-per-month`.
        metric: String,
        /// A whole number, or dollars: `60`, `12.50`.
        amount: String,
        /// `project`; or `key`, `principal`, `user` or `model` for each there is; or one of them: `key=key_…`, `user=ann`.
        #[arg(long = "for", value_name = "KIND[=SUBJECT]", default_value = "project")]
        subject: String,
    },
    /// Remove a limit; it ends at once.
    Remove { id: String },
}

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Usage {
    #[command(subcommand)]
    pub(crate) command: Option<UsageCommand>,
    #[command(flatten)]
    pub(crate) show: ShowUsage,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UsageCommand {
    /// Say what the same calls would have cost on another model, or at other prices.
    Reprice {
        /// Every call that writes text on this model: a model, or `provider/model`. Others are counted apart.
        #[arg(long = "as", value_name = "MODEL", required_unless_present = "prices", conflicts_with = "prices")]
        other: Option<String>,
        /// Every call where it went, at the prices of this table of the project: `default`, `default@v3`.
        #[arg(long, value_name = "NAME")]
        prices: Option<String>,
        /// As for `usage`: `target`, `model`, `project`, `key`, `user`, `day` and so on.
        #[arg(long, default_value = "target")]
        by: String,
        /// Calls of all projects together, at the prices of the project `default`. This takes an admin of it.
        #[arg(long)]
        all_projects: bool,
        #[command(flatten)]
        stretch: Stretch,
        #[command(flatten)]
        only: Only,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowUsage {
    /// `project`, `key`, `principal`, `user`, `app`, `route`, `model`, `provider`, `target`, `day` or `hour`.
    #[arg(long, default_value = "model")]
    pub(crate) by: String,
    /// Of all projects together. This takes an admin of the project `default`.
    #[arg(long)]
    pub(crate) all_projects: bool,
    #[command(flatten)]
    pub(crate) stretch: Stretch,
    #[command(flatten)]
    pub(crate) only: Only,
}

/// A stretch of time, in which calls began.
#[derive(Debug, ClapArgs)]
pub(crate) struct Stretch {
    /// RFC 3339, a date, or how long ago: `12h`. Default: thirty days ago.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Up to this moment; default: now.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

/// Only some calls.
#[derive(Debug, ClapArgs)]
pub(crate) struct Only {
    /// Only of this key.
    #[arg(long, value_name = "ID")]
    pub(crate) key: Option<String>,
    /// Only for this end user.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Only by this app.
    #[arg(long)]
    pub(crate) app: Option<String>,
    /// Only of this model, as clients name it.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Only at this provider.
    #[arg(long)]
    pub(crate) provider: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Calls {
    /// Goes on with calls as they end, from now on, until it is interrupted.
    #[arg(long)]
    pub(crate) follow: bool,
    /// `ok`, `failed`, `cancelled` or `interrupted`.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only lines of this batch.
    #[arg(long, value_name = "ID")]
    pub(crate) batch: Option<String>,
    #[command(flatten)]
    pub(crate) stretch: Stretch,
    #[command(flatten)]
    pub(crate) only: Only,
    #[command(flatten)]
    pub(crate) paging: Paging,
}
