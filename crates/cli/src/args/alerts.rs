//! Incidents, silences, receivers.

use clap::Subcommand;

use super::Paging;

#[derive(Debug, Subcommand)]
pub(crate) enum Incidents {
    /// List incidents, newest first.
    List {
        /// `open`, `acknowledged` or `resolved`.
        #[arg(long)]
        state: Option<String>,
        /// This bad or worse: `info`, `warning`, `error`, `critical`.
        #[arg(long)]
        severity: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show an incident: its alerts, what changed before it and the way back, who was told.
    Show { id: String },
    /// Say that somebody looks after it: nobody is reminded any more.
    #[command(alias = "acknowledge")]
    Ack {
        id: String,
        /// What there is to say; kept with the incident.
        #[arg(long, short)]
        message: Option<String>,
    },
    /// Say that it is over. It opens again when one of its alerts is still raised.
    Resolve {
        id: String,
        /// What there is to say; kept with the incident.
        #[arg(long, short)]
        message: Option<String>,
    },
    /// Try again the deliveries of an incident that were given up.
    Retry { id: String },
    /// List what was sent to receivers, newest first, and how it went.
    Deliveries {
        /// `pending`, `delivered`, `skipped` or `failed`.
        #[arg(long)]
        state: Option<String>,
        /// Only to this receiver.
        #[arg(long)]
        receiver: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Silences {
    /// List silences that have not ended, newest first.
    List {
        /// Those that have ended too.
        #[arg(long)]
        ended: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Tell nobody of alerts for a while: `mainspring silences add app=desk name=drift-* --for 2h`.
    Add {
        /// All of them hold for what is silenced: `label=value` or `label!=value`; a value may end in `*`.
        #[arg(required = true, value_name = "MATCHER")]
        matchers: Vec<String>,
        /// How long: `30m`, `2h`, `7d`.
        #[arg(long = "for", value_name = "TIME", required_unless_present = "until")]
        lasts: Option<String>,
        /// When it ends, as RFC 3339 has it.
        #[arg(long, value_name = "WHEN", conflicts_with = "lasts")]
        until: Option<String>,
        /// When it begins; default: now.
        #[arg(long, value_name = "WHEN")]
        from: Option<String>,
        /// Why.
        #[arg(long, short)]
        message: Option<String>,
    },
    /// End a silence now.
    Remove { id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Receivers {
    /// List receivers and how their deliveries stand.
    List,
    /// Send a receiver a notice that says it is a test, and print what happened.
    Test { name: String },
}
