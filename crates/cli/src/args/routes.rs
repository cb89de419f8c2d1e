//! Routes.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Routes {
    /// List the targets of the project's routes: breakers, latencies, errors and spend since the server started. Where
    /// several processes serve calls, as the one that answers sees them.
    List,
    /// Say which target a call would take now, and why. Makes no call.
    Explain {
        /// As a client would name it.
        model: String,
        /// How long the request is.
        #[arg(long, value_name = "TOKENS")]
        input: Option<u64>,
        /// What it may write.
        #[arg(long, value_name = "TOKENS")]
        max: Option<u32>,
        /// The user of a route that keeps users together.
        #[arg(long)]
        user: Option<String>,
        /// The conversation of a route that keeps conversations together.
        #[arg(long)]
        session: Option<String>,
        /// The key that would make the call, as `mainspring keys list` shows its id. Without one it is yours.
        #[arg(long, value_name = "ID")]
        key: Option<String>,
    },
}
