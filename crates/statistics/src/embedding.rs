//! Whether texts differ between periods, seen through their embeddings: by kernel means and by shares of clusters.

mod clusters;
mod features;
mod shares;

pub use clusters::{Clusters, Place};
pub use features::{Features, KernelMean, MeanDifference, compare_means};
pub use shares::{ClusterGrowth, ClusterShares, GrowthReport, compare_shares};

/// Euclid's distance, squared.
fn squared_distance(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(one, other)| (f64::from(*one) - f64::from(*other)).powi(2)).sum()
}
