//! What a gateway and the process that works at its traces say to each other: lines of JSON.

use std::path::PathBuf;

use mainspring_observability::{Ended, Errand};
use serde::{Deserialize, Serialize};

pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The first line to the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// Of who started it: another one may know other tables.
    pub(super) version: String,
    pub(super) lake: String,
    pub(super) synced: bool,
    pub(super) spill: PathBuf,
    pub(super) values: PathBuf,
    /// The log's filter and format.
    pub(super) log: (String, String),
}

/// Every other line to the child, none before it is ready. Where they end, whoever started it has gone.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    Run {
        id: u64,
        errand: Errand,
    },
    /// Write whole what is begun, and end.
    Stop,
}

/// A line of the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Said {
    /// It holds the spill folder. Whoever answers now lived after that, so nobody else can have taken the folder for left.
    Ready,
    /// Said again and again, whatever it is at.
    Lives,
    Ended {
        id: u64,
        ended: Ended,
    },
    Failed {
        id: u64,
        reason: String,
    },
    /// It ends, and can do nothing of what it was asked for.
    Fails {
        reason: String,
    },
}
