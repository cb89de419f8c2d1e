use serde::{Deserialize, Serialize};

use super::squared_distance;
use crate::{
    bytes::{Reader, Writer},
    drift::Compared,
    fault::SketchFault,
    moments::Moments,
    random::{Random, mix},
    special::student_tail,
};

/// In how many parts a mean is kept. Their scatter says how far a mean is from the truth.
const PARTS: usize = 16;
/// More frequencies than any use here; a bound for what a sketch on disk may ask for.
const FREQUENCIES_AT_MOST: usize = 4_096;
const WHAT: &str = "kernel mean";

/// A map from embeddings to features whose inner product is nearly a Gaussian kernel.
///
/// Rahimi and Recht, "Random features for large-scale kernel machines", 2007, with a sine and a cosine for each
/// frequency, which varies less (Sutherland and Schneider, 2015) and gives every text the same length, 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    frequencies: Vec<f32>,
    dimensions: usize,
    /// What tells these features from others.
    mark: u64,
}

impl Features {
    /// Features of the kernel exp(-distance² / (2 bandwidth²)). The same arguments give the same features for ever.
    #[must_use]
    pub fn new(dimensions: usize, frequencies: usize, bandwidth: f64, seed: u64) -> Self {
        let dimensions = dimensions.max(1);
        let frequencies = frequencies.clamp(1, FREQUENCIES_AT_MOST);
        let bandwidth = if bandwidth.is_finite() && bandwidth > 0.0 { bandwidth } else { 1.0 };
        let words = [dimensions as u64, frequencies as u64, bandwidth.to_bits(), seed];
        let mark = words.into_iter().fold(0x6b65_726e, |mark, word| mix(mark ^ mix(word.wrapping_add(mark))));
        let mut random = Random::new(mark);
        let drawn = (0..dimensions * frequencies).map(|_| (random.normal() / bandwidth) as f32);
        Self { frequencies: drawn.collect(), dimensions, mark }
    }

    /// The median distance between pairs of a sample, the usual bandwidth (Gretton and others, 2012). At most 1,000 pairs
    /// are drawn; nothing where all are the same.
    #[must_use]
    pub fn median_distance(sample: &[Vec<f32>], seed: u64) -> Option<f64> {
        let mut random = Random::new(seed);
        let pairs = (0..1_000.min(sample.len() * sample.len())).map(|_| {
            let (one, other) = (random.below(sample.len()), random.below(sample.len()));
            squared_distance(&sample[one], &sample[other]).sqrt()
        });
        let mut distances: Vec<f64> = pairs.filter(|distance| distance.is_finite() && *distance > 0.0).collect();
        distances.sort_by(f64::total_cmp);
        distances.get(distances.len() / 2).copied()
    }

    #[must_use]
    pub const fn dimensions(&self) -> usize {
        self.dimensions
    }
    /// How many numbers a text becomes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frequencies.len() / self.dimensions * 2
    }
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.frequencies.is_empty()
    }

    /// Nothing where the embedding has other dimensions or a number that is not finite.
    #[must_use]
    pub fn of(&self, embedding: &[f32]) -> Option<Vec<f64>> {
        if embedding.len() != self.dimensions || embedding.iter().any(|number| !number.is_finite()) {
            return None;
        }
        let scale = (2.0 / self.len() as f64).sqrt();
        let waves = self.frequencies.chunks_exact(self.dimensions).flat_map(|frequency| {
            let phase: f64 = frequency.iter().zip(embedding).map(|(wave, number)| f64::from(*wave) * f64::from(*number)).sum();
            // Embeddings can be finite and so large that the phase is not.
            let (sine, cosine) = if phase.is_finite() { phase.sin_cos() } else { (0.0, 1.0) };
            [cosine * scale, sine * scale]
        });
        Some(waves.collect())
    }

    /// A mean of nothing yet.
    #[must_use]
    pub fn mean(&self) -> KernelMean {
        KernelMean { mark: self.mark, length: self.len(), counts: [0; PARTS], sums: vec![0.0; PARTS * self.len()], unusable: 0 }
    }
}

/// The mean of texts in the space of a kernel, in parts; mergeable.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelMean {
    mark: u64,
    length: usize,
    counts: [u64; PARTS],
    sums: Vec<f64>,
    unusable: u64,
}

impl KernelMean {
    /// Adds a text. What shares a `unit` (a conversation, a user) goes to the same part, so that things which depend on
    /// one another do not look like so many independent ones.
    pub fn add(&mut self, features: &Features, embedding: &[f32], unit: &[u8]) -> Result<(), SketchFault> {
        if features.mark != self.mark {
            return Err(SketchFault::Unlike { what: WHAT });
        }
        let Some(waves) = features.of(embedding) else {
            self.unusable = self.unusable.saturating_add(1);
            return Ok(());
        };
        let part = (crate::random::stable_hash(unit) % PARTS as u64) as usize;
        self.counts[part] = self.counts[part].saturating_add(1);
        for (sum, wave) in self.sums[part * self.length..].iter_mut().zip(waves) {
            *sum += wave;
        }
        Ok(())
    }

    pub fn merge(&mut self, other: &Self) -> Result<(), SketchFault> {
        if self.mark != other.mark || self.length != other.length {
            return Err(SketchFault::Unlike { what: WHAT });
        }
        self.unusable = self.unusable.saturating_add(other.unusable);
        for (count, theirs) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(theirs);
        }
        for (sum, theirs) in self.sums.iter_mut().zip(&other.sums) {
            *sum += theirs;
        }
        Ok(())
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
    /// Embeddings that had other dimensions or numbers that are not finite.
    #[must_use]
    pub const fn unusable(&self) -> u64 {
        self.unusable
    }

    fn part(&self, part: usize) -> &[f64] {
        &self.sums[part * self.length..(part + 1) * self.length]
    }

    /// The mean of the parts that `wanted` names.
    fn mean_of(&self, wanted: impl Fn(usize) -> bool) -> Option<Vec<f64>> {
        let (mut mean, mut count) = (vec![0.0; self.length], 0.0);
        for part in (0..PARTS).filter(|part| wanted(*part)) {
            count += self.counts[part] as f64;
            for (sum, more) in mean.iter_mut().zip(self.part(part)) {
                *sum += more;
            }
        }
        if count == 0.0 {
            return None;
        }
        mean.iter_mut().for_each(|sum| *sum /= count);
        Some(mean)
    }

    /// Single precision is plenty for means; 16 parts of 256 features take 16 kB.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(&self.mark.to_le_bytes());
        writer.count(self.length as u64);
        writer.count(self.unusable);
        for (part, count) in self.counts.into_iter().enumerate() {
            writer.count(count);
            if count > 0 {
                self.part(part).iter().for_each(|sum| writer.single((sum / count as f64) as f32));
            }
        }
        writer.done()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchFault> {
        let mut reader = Reader::new(bytes, WHAT)?;
        let mut mark = [0; 8];
        mark.copy_from_slice(reader.raw(8)?);
        let length = reader.count()?;
        let unusable = reader.count()?;
        if length == 0 || length % 2 == 1 || length > 2 * FREQUENCIES_AT_MOST as u64 {
            return Err(reader.bad());
        }
        let length = length as usize;
        let (mut counts, mut sums) = ([0; PARTS], vec![0.0; PARTS * length]);
        for (count, sums) in counts.iter_mut().zip(sums.chunks_exact_mut(length)) {
            *count = reader.count()?;
            for sum in sums.iter_mut().filter(|_| *count > 0) {
                let mean = reader.single()?;
                if mean.abs() > 1.0001 {
                    return Err(reader.bad());
                }
                *sum = f64::from(mean) * *count as f64;
            }
        }
        reader.done()?;
        Ok(Self { mark: u64::from_le_bytes(mark), length, counts, sums, unusable })
    }
}

/// How far the texts of two periods are apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanDifference {
    pub reference: u64,
    pub current: u64,
    /// The maximum mean discrepancy, squared, without bias: around 0 where nothing changed, at most 2.
    pub mmd_squared: f64,
    /// How probable such a difference is where nothing has changed.
    pub p: f64,
}

/// Compares two means, where each is of at least `needed` texts.
///
/// The discrepancy is Gretton and others', "A kernel two-sample test", 2012, in time linear in the number of texts. The
/// p-value is in the manner of Shekhar, Kim and Ramdas, "A permutation-free kernel two-sample test", 2022: half of the
/// parts say in which direction the periods differ, and along that direction the other half, which had no say in it, are
/// compared by Welch's t-test over the parts.
pub fn compare_means(reference: &KernelMean, current: &KernelMean, needed: u64) -> Result<Compared<MeanDifference>, SketchFault> {
    if reference.mark != current.mark || reference.length != current.length {
        return Err(SketchFault::Unlike { what: WHAT });
    }
    let (before, after) = (reference.count(), current.count());
    if before == 0 || after == 0 {
        return Ok(Compared::Missing { reference: before, current: after });
    }
    // Below about this the parts are empty too often, and their means not nearly normal.
    let needed = needed.max(2 * PARTS as u64);
    let found = if before < needed || after < needed { None } else { measure(reference, current) };
    Ok(found.map_or(Compared::TooFew { reference: before, current: after, needed }, Compared::Measured))
}

/// Nothing where too few parts hold anything.
fn measure(reference: &KernelMean, current: &KernelMean) -> Option<MeanDifference> {
    let direction: Vec<f64> = {
        let (before, after) = (reference.mean_of(|part| part % 2 == 0)?, current.mean_of(|part| part % 2 == 0)?);
        after.iter().zip(&before).map(|(after, before)| after - before).collect()
    };
    let along = |mean: &KernelMean| -> Moments {
        let odd = (0..PARTS).filter(|part| part % 2 == 1 && mean.counts[*part] > 0);
        odd.map(|part| dot(mean.part(part), &direction) / mean.counts[part] as f64).collect()
    };
    let (before, after) = (along(reference), along(current));
    let t = welch(&after, &before)?;
    Some(MeanDifference {
        reference: reference.count(),
        current: current.count(),
        mmd_squared: mmd_squared(reference, current)?,
        p: student_tail(t.0, t.1),
    })
}

/// Welch's t and its degrees of freedom ("The generalization of Student's problem when several different population
/// variances are involved", 1947).
fn welch(one: &Moments, other: &Moments) -> Option<(f64, f64)> {
    let (first, second) = (one.error_squared()?, other.error_squared()?);
    let off = one.mean()? - other.mean()?;
    let both = first + second;
    if both <= 0.0 {
        // No scatter at all: the means are the same, or surely not.
        let t = if off.abs() < 1e-12 { 0.0 } else { f64::INFINITY.copysign(off) };
        return Some((t, 1.0));
    }
    let freedom = both * both / (first * first / (one.count() - 1) as f64 + second * second / (other.count() - 1) as f64);
    Some((off / both.sqrt(), freedom))
}

fn mmd_squared(reference: &KernelMean, current: &KernelMean) -> Option<f64> {
    let (before, after) = (reference.mean_of(|_| true)?, current.mean_of(|_| true)?);
    // Every text is of length 1, so its product with itself can be taken out of the mean's.
    let within = |mean: &[f64], count: u64| {
        let n = count as f64;
        (n * dot(mean, mean) - 1.0) / (n - 1.0)
    };
    Some(within(&before, reference.count()) + within(&after, current.count()) - 2.0 * dot(&before, &after))
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}
