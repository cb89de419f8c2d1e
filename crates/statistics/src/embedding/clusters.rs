use serde::{Deserialize, Serialize};

use super::squared_distance;
use crate::{
    quantiles::Quantiles,
    random::{Random, mix},
};

/// How many points a step of training looks at.
const BATCH: usize = 256;
/// The share of the training points that lie within a cluster's reach.
const WITHIN: f64 = 0.99;

/// Groups of embeddings that lie together: the topics of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clusters {
    centres: Vec<Vec<f32>>,
    /// Beyond it a text belongs to no cluster. Of so few digits that it is the same again when it is read from JSON: what was
    /// counted in clusters that differ in the last digit would be left out as if it were of others.
    reach: Vec<f32>,
}

/// Where an embedding belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub cluster: usize,
    pub distance: f64,
    /// Whether it lies farther out than 99 % of what the cluster was made from: it is like nothing seen before.
    pub far: bool,
}

impl Clusters {
    /// Mini-batch k-means (Sculley, "Web-scale k-means clustering", 2010) from the start of k-means++ (Arthur and
    /// Vassilvitskii, 2007). Points of other dimensions than the first are left out. There are fewer than `count`
    /// clusters where fewer points differ; nothing where there are no points.
    #[must_use]
    pub fn train(points: &[Vec<f32>], count: usize, steps: usize, seed: u64) -> Option<Self> {
        let dimensions = points.first()?.len();
        let usable = |point: &&[f32]| point.len() == dimensions && point.iter().all(|number| number.is_finite());
        let points: Vec<&[f32]> = points.iter().map(Vec::as_slice).filter(usable).collect();
        let mut random = Random::new(mix(seed));
        let mut centres = start(&points, count, &mut random)?;
        let mut seen = vec![0_u64; centres.len()];
        for _ in 0..steps {
            let batch: Vec<&[f32]> = (0..BATCH).map(|_| points[random.below(points.len())]).collect();
            let places: Vec<usize> = batch.iter().map(|point| nearest(&centres, point).0).collect();
            for (point, place) in batch.into_iter().zip(places) {
                seen[place] += 1;
                let rate = 1.0 / seen[place] as f32;
                for (number, target) in centres[place].iter_mut().zip(point) {
                    *number += rate * (target - *number);
                }
            }
        }
        let reach = reach(&centres, &points);
        Some(Self { centres, reach })
    }

    #[must_use]
    pub fn centres(&self) -> &[Vec<f32>] {
        &self.centres
    }

    /// What tells these clusters from others.
    #[must_use]
    pub fn mark(&self) -> u64 {
        let numbers = self.centres.iter().flatten().map(|number| u64::from(number.to_bits()));
        let all = numbers.chain(self.reach.iter().map(|reach| u64::from(reach.to_bits())));
        all.fold(self.centres.len() as u64, |mark, word| mix(mark ^ mix(word.wrapping_add(mark))))
    }

    /// Nothing where the embedding has other dimensions or a number that is not finite.
    #[must_use]
    pub fn place(&self, embedding: &[f32]) -> Option<Place> {
        let dimensions = self.centres.first()?.len();
        if embedding.len() != dimensions || embedding.iter().any(|number| !number.is_finite()) {
            return None;
        }
        let (cluster, squared) = nearest(&self.centres, embedding);
        let distance = squared.sqrt();
        Some(Place { cluster, distance, far: self.reach.get(cluster).is_some_and(|reach| distance > f64::from(*reach)) })
    }

    /// The points nearest to each centre, by index, the nearest first: examples to name a topic by.
    #[must_use]
    pub fn examples(&self, points: &[Vec<f32>], most: usize) -> Vec<Vec<usize>> {
        let mut near: Vec<Vec<(f64, usize)>> = vec![Vec::new(); self.centres.len()];
        for (index, point) in points.iter().enumerate() {
            if let Some(place) = self.place(point) {
                near[place.cluster].push((place.distance, index));
            }
        }
        let first = |mut all: Vec<(f64, usize)>| {
            all.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
            all.into_iter().take(most).map(|(_, index)| index).collect()
        };
        near.into_iter().map(first).collect()
    }
}

/// k-means++: each next centre is a point drawn with a probability that grows with its squared distance from those so far.
fn start(points: &[&[f32]], count: usize, random: &mut Random) -> Option<Vec<Vec<f32>>> {
    if points.is_empty() || count == 0 {
        return None;
    }
    let mut centres = vec![points[random.below(points.len())].to_vec()];
    let mut distances: Vec<f64> = points.iter().map(|point| squared_distance(point, &centres[0])).collect();
    while centres.len() < count {
        let all: f64 = distances.iter().sum();
        if all <= 0.0 || !all.is_finite() {
            break;
        }
        let mut left = random.uniform() * all;
        let drawn = distances.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        let chosen = points[drawn.unwrap_or(points.len() - 1)].to_vec();
        for (distance, point) in distances.iter_mut().zip(points) {
            *distance = distance.min(squared_distance(point, &chosen));
        }
        centres.push(chosen);
    }
    Some(centres)
}

/// The nearest centre and its squared distance; the first of equals.
fn nearest(centres: &[Vec<f32>], point: &[f32]) -> (usize, f64) {
    let distances = centres.iter().map(|centre| squared_distance(centre, point)).enumerate();
    distances.min_by(|one, other| one.1.total_cmp(&other.1)).unwrap_or((0, f64::INFINITY))
}

fn reach(centres: &[Vec<f32>], points: &[&[f32]]) -> Vec<f32> {
    let mut distances = vec![Quantiles::default(); centres.len()];
    for point in points {
        let (cluster, squared) = nearest(centres, point);
        distances[cluster].add(squared.sqrt());
    }
    // A little beyond the cell of the sketch, so that its own error puts nothing outside.
    distances.iter().map(|distances| (distances.quantile(WITHIN).unwrap_or(0.0) * 1.02) as f32).collect()
}
