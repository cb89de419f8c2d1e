use serde::{Deserialize, Serialize};

use super::Clusters;
use crate::{
    bytes::{Reader, Writer},
    drift::{Compared, psi},
    fault::SketchFault,
    multiplicity::holm,
    rates::{Interval, newcombe, two_proportions},
};

const WHAT: &str = "cluster shares";
/// More clusters than anybody can read.
const CLUSTERS_AT_MOST: usize = 4_096;

/// How many embeddings fell into each cluster, and how many were like nothing seen before; mergeable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterShares {
    mark: u64,
    counts: Vec<u64>,
    far: u64,
    unusable: u64,
}

impl ClusterShares {
    #[must_use]
    pub fn new(clusters: &Clusters) -> Self {
        Self { mark: clusters.mark(), counts: vec![0; clusters.centres().len()], far: 0, unusable: 0 }
    }

    /// Adds an embedding. `clusters` are those the shares were made for.
    pub fn add(&mut self, clusters: &Clusters, embedding: &[f32]) -> Result<(), SketchFault> {
        if clusters.centres().len() != self.counts.len() {
            return Err(SketchFault::Unlike { what: WHAT });
        }
        let counter = match clusters.place(embedding) {
            None => &mut self.unusable,
            Some(place) if place.far => &mut self.far,
            Some(place) => &mut self.counts[place.cluster],
        };
        *counter = counter.saturating_add(1);
        Ok(())
    }

    pub fn merge(&mut self, other: &Self) -> Result<(), SketchFault> {
        if self.mark != other.mark || self.counts.len() != other.counts.len() {
            return Err(SketchFault::Unlike { what: WHAT });
        }
        for (count, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*theirs);
        }
        self.far = self.far.saturating_add(other.far);
        self.unusable = self.unusable.saturating_add(other.unusable);
        Ok(())
    }

    /// In the clusters and far from all of them.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(self.far, |sum, count| sum.saturating_add(*count))
    }
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }
    #[must_use]
    pub const fn far(&self) -> u64 {
        self.far
    }
    #[must_use]
    pub const fn unusable(&self) -> u64 {
        self.unusable
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(&self.mark.to_le_bytes());
        writer.count(self.far);
        writer.count(self.unusable);
        writer.count(self.counts.len() as u64);
        self.counts.iter().for_each(|count| writer.count(*count));
        writer.done()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchFault> {
        let mut reader = Reader::new(bytes, WHAT)?;
        let mut mark = [0; 8];
        mark.copy_from_slice(reader.raw(8)?);
        let (far, unusable) = (reader.count()?, reader.count()?);
        let length = reader.length(CLUSTERS_AT_MOST)?;
        let counts = (0..length).map(|_| reader.count()).collect::<Result<Vec<_>, _>>()?;
        reader.done()?;
        Ok(Self { mark: u64::from_le_bytes(mark), counts, far, unusable })
    }
}

/// How one cluster's share changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClusterGrowth {
    /// Nothing: the texts that are far from every cluster.
    pub cluster: Option<usize>,
    pub before: f64,
    pub after: f64,
    /// Of the change; all intervals of a report hold at once with its level.
    pub change: Interval,
    /// Holm's correction over all clusters.
    pub p_adjusted: f64,
}

impl ClusterGrowth {
    /// Whether it surely takes a larger share than before.
    #[must_use]
    pub fn grew(&self) -> bool {
        self.change.low > 0.0
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrowthReport {
    pub reference: u64,
    pub current: u64,
    pub level: f64,
    pub psi: f64,
    /// What grew most comes first, what shrank most last.
    pub clusters: Vec<ClusterGrowth>,
}

/// Which topics grew and which shrank, where each period has at least `needed` texts.
pub fn compare_shares(
    reference: &ClusterShares,
    current: &ClusterShares,
    needed: u64,
    level: f64,
) -> Result<Compared<GrowthReport>, SketchFault> {
    if reference.mark != current.mark || reference.counts.len() != current.counts.len() {
        return Err(SketchFault::Unlike { what: WHAT });
    }
    let counts = (reference.count(), current.count());
    Ok(Compared::from_counts(counts.0, counts.1, needed, || growth(reference, current, level)))
}

fn growth(reference: &ClusterShares, current: &ClusterShares, level: f64) -> GrowthReport {
    let (before, after) = (reference.count(), current.count());
    let named = reference.counts.iter().zip(&current.counts).enumerate();
    let mut bins: Vec<(Option<usize>, u64, u64)> = named.map(|(index, (one, other))| (Some(index), *one, *other)).collect();
    bins.push((None, reference.far, current.far));
    let p_values: Vec<f64> = bins.iter().map(|(_, one, other)| two_proportions((*one, before), (*other, after))).collect();
    let each = 1.0 - (1.0 - level) / bins.len() as f64;
    let grown = bins.iter().zip(holm(&p_values)).map(|((cluster, one, other), p_adjusted)| ClusterGrowth {
        cluster: *cluster,
        before: *one as f64 / before as f64,
        after: *other as f64 / after as f64,
        change: newcombe((*other, after), (*one, before), each),
        p_adjusted,
    });
    let mut clusters: Vec<ClusterGrowth> = grown.collect();
    clusters.sort_by(|one, other| other.change.estimate.total_cmp(&one.change.estimate));
    let pairs: Vec<(u64, u64)> = bins.iter().map(|(_, one, other)| (*one, *other)).collect();
    GrowthReport { reference: before, current: after, level, psi: psi(&pairs), clusters }
}
