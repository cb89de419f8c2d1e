//! Monitors.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Monitors {
    /// List monitors and where they stood at their last look.
    List,
    /// Show a monitor: its slices, what was measured and its incident.
    Show { name: String },
    /// Look at a monitor now and say what it finds. Nobody is told and nothing is remembered.
    Evaluate {
        name: String,
        /// It counts as a look: it is remembered, and alerts are raised and resolved.
        #[arg(long)]
        raise: bool,
    },
}
