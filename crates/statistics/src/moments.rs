use serde::{Deserialize, Serialize};

use crate::{
    bytes::{Reader, Writer},
    fault::SketchFault,
};

/// Count, mean and variance of numbers, and their bounds.
///
/// Welford, "Note on a method for calculating corrected sums of squares and products", 1962; merged as in Chan, Golub
/// and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979. Numbers that are not
/// finite are left out and counted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
    unusable: u64,
}

impl Moments {
    pub fn add(&mut self, number: f64) {
        // Beyond this the squares would not be finite any more.
        if !number.is_finite() || number.abs() > 1e150 {
            self.unusable = self.unusable.saturating_add(1);
            return;
        }
        (self.min, self.max) = if self.count == 0 { (number, number) } else { (self.min.min(number), self.max.max(number)) };
        self.count = self.count.saturating_add(1);
        let off = number - self.mean;
        self.mean += off / self.count as f64;
        self.squares += off * (number - self.mean);
    }

    /// The same number so many times.
    pub fn add_many(&mut self, number: f64, times: u64) {
        let mut one = Self::default();
        one.add(number);
        // None of them is off their mean.
        let many = Self { count: one.count.saturating_mul(times), unusable: one.unusable.saturating_mul(times), ..one };
        self.merge(&many);
    }

    pub fn merge(&mut self, other: &Self) {
        self.unusable = self.unusable.saturating_add(other.unusable);
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = Self { unusable: self.unusable, ..*other };
            return;
        }
        let (one, two) = (self.count as f64, other.count as f64);
        let (total, off) = (one + two, other.mean - self.mean);
        self.mean += off * (two / total);
        self.squares += other.squares + off * off * (one * (two / total));
        self.count = self.count.saturating_add(other.count);
        (self.min, self.max) = (self.min.min(other.min), self.max.max(other.max));
    }

    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }
    #[must_use]
    pub const fn unusable(&self) -> u64 {
        self.unusable
    }
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min)
    }
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
    }
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.mean * self.count as f64
    }
    /// Of the sample: divided by one less than the count.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / (self.count - 1) as f64).max(0.0))
    }
    /// The variance of the mean.
    #[must_use]
    pub fn error_squared(&self) -> Option<f64> {
        self.variance().map(|variance| variance / self.count as f64)
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.count(self.count);
        writer.count(self.unusable);
        if self.count > 0 {
            for number in [self.mean, self.squares, self.min, self.max] {
                writer.double(number);
            }
        }
        writer.done()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchFault> {
        let mut reader = Reader::new(bytes, "moments")?;
        let mut read = Self { count: reader.count()?, unusable: reader.count()?, ..Self::default() };
        if read.count > 0 {
            (read.mean, read.squares) = (reader.double()?, reader.double()?);
            (read.min, read.max) = (reader.double()?, reader.double()?);
            if read.squares < 0.0 || read.min > read.max {
                return Err(reader.bad());
            }
        }
        reader.done()?;
        Ok(read)
    }
}

impl Extend<f64> for Moments {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, numbers: I) {
        numbers.into_iter().for_each(|number| self.add(number));
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut moments = Self::default();
        moments.extend(numbers);
        moments
    }
}
