//! Drift.

use clap::{Args as ClapArgs, ValueEnum};

#[derive(Debug, ClapArgs)]
pub(crate) struct Drift {
    /// Fields such as `model` or `model,duration`; attributes and scores as in a filter: `attributes["tier"]`,
    /// `score.relevance`.
    #[arg(required_unless_present = "all")]
    pub(crate) field: Option<String>,
    /// Every field that is kept by the hour and every score, what moved most first.
    #[arg(long, conflicts_with = "field")]
    pub(crate) all: bool,
    /// From this moment, RFC 3339; default: a day before the end.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Up to this moment; default: now.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// What it is compared with; default: as much time before.
    #[arg(long, value_enum)]
    pub(crate) against: Option<DriftAgainst>,
    /// Where the stretch begins that it is compared with.
    #[arg(long, value_name = "TIME", requires = "reference_to")]
    pub(crate) reference_from: Option<String>,
    /// Where that stretch ends.
    #[arg(long, value_name = "TIME", requires = "reference_from")]
    pub(crate) reference_to: Option<String>,
    /// The release that is looked at, beside another; default: the newest.
    #[arg(long, value_name = "RELEASE", conflicts_with_all = ["reference_from", "reference_to"])]
    pub(crate) release: Option<String>,
    /// The release that it is compared with; default: the one before.
    #[arg(long, value_name = "RELEASE", conflicts_with_all = ["reference_from", "reference_to"])]
    pub(crate) reference_release: Option<String>,
    /// Of this service only (`service.name`, or `app/NAME`); default: of all together, and where releases are compared of the
    /// only one that has some.
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DriftAgainst {
    /// As much time before.
    Previous,
    /// One release with another; where none is named, the newest with the one before.
    Release,
    /// A stretch of its own.
    Range,
}
