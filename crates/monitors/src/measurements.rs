//! The seam to whatever counts: time series of summaries by query.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mainspring_kernel::{Fault, Timestamp};
use mainspring_statistics::{
    Categories,
    embedding::{ClusterShares, KernelMean},
};

use crate::{
    spec::{Measure, Of, ReleaseOf},
    weighed::{self, Numbers, Tally},
};

/// More slices than this are too many to watch each by itself.
pub const SLICES: usize = 100;

/// What an evaluation wants to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub filter: Option<String>,
    pub of: Of,
    pub measure: Measure,
    /// Each value of this field apart, the `SLICES` with the most data.
    pub slices: Option<String>,
    /// Of this release only.
    pub release: Option<String>,
    /// What is meant by a release.
    pub release_of: ReleaseOf,
    /// Of these services only, none among them being whoever does not say its name; empty: of all that the filter finds.
    pub services: Vec<Option<String>>,
    /// With this moment.
    pub from: Timestamp,
    /// Without this one.
    pub to: Timestamp,
    /// The length of a point; `from` begins the first.
    pub step: Duration,
}

/// One slice over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The slice's value; absent where the query asks for none.
    pub slice: Option<String>,
    /// In order; a time in which nothing was has no point.
    pub points: Vec<Point>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// When it begins.
    pub at: Timestamp,
    pub summary: Summary,
}

/// What is known of one stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub enum Summary {
    /// For `count`.
    Count(Tally),
    /// For `rate`.
    Rate { hits: Tally, trials: Tally },
    /// For `sum`, `mean`, `percentile` and `numbers`.
    Numbers(Box<Numbers>),
    /// For `categories`; of a sample as many as it is worth.
    Categories(Categories),
    /// For `topics`.
    Topics(Box<Topics>),
    /// For `metric`, but for percentiles of histograms: these are `Numbers`.
    Reading(Reading),
}

/// One number that programs sent, or that points of theirs came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub value: f64,
    /// Points that it was made of.
    pub points: u64,
    /// How many numbers it is the mean of, where they were counted.
    pub of: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Topics {
    pub mean: KernelMean,
    /// Absent while there are no clusters of this field yet.
    pub shares: Option<ClusterShares>,
    /// The words that tell each cluster from the others, in the order of the shares.
    pub words: Arc<[Vec<String>]>,
}

/// A release of the application that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSeen {
    pub name: String,
    /// Whose it is: the service that sent it, or the prompt that it is a version of. None: nobody says.
    pub of: Option<String>,
    pub first: Timestamp,
}

#[async_trait]
pub trait Measurements: Send + Sync {
    async fn read(&self, query: Query) -> Result<Vec<Series>, Box<dyn Fault>>;
    /// The releases among what a filter finds, each once for everyone whose it is, the first seen first.
    async fn releases(&self, filter: Option<&str>, of: Of, by: ReleaseOf) -> Result<Vec<ReleaseSeen>, Box<dyn Fault>>;
    /// This is compared with something for the first time, or with something else than before: the monitor is new, or its spec
    /// changed.
    async fn reference_set(&self, _: &Measure) -> Result<(), Box<dyn Fault>> {
        Ok(())
    }
}

impl Summary {
    /// How much it is of, and of a sample how much that is worth; for a count the count itself. Of a metric it is points, where
    /// nobody knows of how many numbers they tell.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::Count(tally) => tally.count(),
            Self::Rate { hits, trials } => weighed::rate(hits, trials).1,
            Self::Numbers(numbers) => numbers.count(),
            Self::Categories(categories) => categories.total(),
            Self::Topics(topics) => topics.mean.count(),
            Self::Reading(Reading { points, of, .. }) => of.unwrap_or(*points),
        }
    }

    /// Whether it is too little to say anything of. A number that programs say is what it is, of however few points.
    pub(crate) fn lacks(&self, minimum: u64) -> bool {
        match self {
            Self::Reading(Reading { of, .. }) => of.is_some_and(|of| of < minimum),
            other => other.count() < minimum,
        }
    }

    /// Whether some of it stands for what was not kept. Of distributions that is not known.
    #[must_use]
    pub fn is_estimate(&self) -> bool {
        match self {
            Self::Count(tally) | Self::Rate { trials: tally, .. } => tally.is_estimate(),
            Self::Numbers(numbers) => numbers.is_estimate(),
            Self::Categories(_) | Self::Topics(_) | Self::Reading(_) => false,
        }
    }

    /// Hits and trials, of a rate.
    pub(crate) fn rate(&self) -> Option<(u64, u64)> {
        if let Self::Rate { hits, trials } = self { Some(weighed::rate(hits, trials)) } else { None }
    }

    /// Adds another of the same kind; whether they could be put together.
    pub(crate) fn merge(&mut self, other: &Self) -> bool {
        match (self, other) {
            (Self::Count(tally), Self::Count(more)) => tally.merge(more),
            (Self::Rate { hits, trials }, Self::Rate { hits: more, trials: further }) => {
                hits.merge(more);
                trials.merge(further);
            }
            (Self::Numbers(numbers), Self::Numbers(more)) => numbers.merge(more),
            (Self::Categories(categories), Self::Categories(more)) => categories.merge(more),
            (Self::Topics(topics), Self::Topics(more)) => return topics.merge(more),
            _ => return false,
        }
        true
    }
}

impl Topics {
    fn merge(&mut self, other: &Self) -> bool {
        let merged = self.mean.merge(&other.mean).is_ok();
        // Where clusters were made meanwhile, shares of before say nothing of them.
        self.shares = match (self.shares.take(), &other.shares) {
            (Some(mut shares), Some(more)) => shares.merge(more).is_ok().then_some(shares),
            _ => None,
        };
        merged
    }
}

/// All points of a series that begin in a stretch of time, put together. Nothing where there are none; the second says
/// whether all of them could be.
pub(crate) fn together(series: &Series, from: Timestamp, to: Timestamp) -> (Option<Summary>, bool) {
    let mut whole: Option<Summary> = None;
    let mut alike = true;
    for point in series.points.iter().filter(|point| point.at >= from && point.at < to) {
        match &mut whole {
            None => whole = Some(point.summary.clone()),
            Some(summary) => alike &= summary.merge(&point.summary),
        }
    }
    (whole, alike)
}
