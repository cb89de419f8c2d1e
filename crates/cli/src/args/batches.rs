//! Batches.

use std::path::PathBuf;

use clap::Subcommand;

use super::Paging;

#[derive(Debug, Subcommand)]
pub(crate) enum Batches {
    /// List batches, newest first, and how far they are.
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one batch, and how far it has come.
    Show { id: String },
    /// Print what its lines gave so far, one on each line, in the order they ended.
    Results {
        id: String,
        /// Those that did not go well.
        #[arg(long)]
        failed: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Begin no further line; what there is is kept.
    Cancel { id: String },
    /// Send a file of requests, one on each line, to be answered as a batch.
    Submit {
        file: PathBuf,
        /// Where the lines go; default: the `url` of the first.
        #[arg(long, value_name = "PATH")]
        endpoint: Option<String>,
        /// Lines that have not begun after this long are not made any more.
        #[arg(long, value_name = "TIME", default_value = "24h")]
        window: String,
        /// A word to find it by; several may be given.
        #[arg(long, value_name = "KEY=VALUE")]
        metadata: Vec<String>,
        /// Follow it to its end.
        #[arg(long)]
        wait: bool,
    },
}
