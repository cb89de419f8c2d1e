use std::collections::BTreeMap;

use crate::{
    bytes::{Reader, Writer},
    fault::SketchFault,
};

/// How far a quantile may be from the truth, relative to it, while a sketch is at level 0.
pub const ACCURACY: f64 = 0.01;
/// A sketch holds no more cells than this; it takes under 4 kB, and about 2 bytes for each cell in use.
pub const CELLS: usize = 1_024;
/// Smaller numbers count as zero.
const SMALLEST: f64 = 1e-12;
/// The logarithm of the factor between cells of level 0; written out, since sketches of all builds have to agree.
const STEP: f64 = 0.020000666706669525;
/// No set of numbers needs a higher one.
const TOP_LEVEL: u8 = 8;
/// What separates the two signs in the order of cells; larger than every index.
const APART: i64 = 1 << 20;

/// Quantiles of numbers, mergeable with a guaranteed error.
///
/// A histogram whose cells grow by a fixed factor: DDSketch (Masson, Rim and Lee, VLDB 2019), with the uniform collapse
/// of UDDSketch (Epicoco and others, 2020): when there are too many cells, neighbours become one everywhere and the
/// level rises. A sketch is a pure function of the numbers it has seen, whatever their order and however they were split
/// and merged, and two sketches can be compared cell by cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Quantiles {
    level: u8,
    cells: BTreeMap<i64, u64>,
    count: u64,
    min: f64,
    max: f64,
    unusable: u64,
}

/// Cells in the order of what they hold: negative numbers, zero, positive ones.
fn cell_of(number: f64) -> i64 {
    let size = number.abs();
    if size < SMALLEST {
        return 0;
    }
    let place = (size.ln() / STEP).ceil() as i64 + APART;
    if number < 0.0 { -place } else { place }
}

/// The cell one level up: the upper ends of every second cell stay.
const fn raise(cell: i64) -> i64 {
    if cell == 0 {
        return 0;
    }
    let index = cell.abs() - APART;
    let place = (index + 1).div_euclid(2) + APART;
    if cell < 0 { -place } else { place }
}

impl Quantiles {
    pub fn add(&mut self, number: f64) {
        self.add_many(number, 1);
    }

    pub fn add_many(&mut self, number: f64, times: u64) {
        if times == 0 {
            return;
        }
        if !number.is_finite() {
            self.unusable = self.unusable.saturating_add(times);
            return;
        }
        (self.min, self.max) = if self.count == 0 { (number, number) } else { (self.min.min(number), self.max.max(number)) };
        self.count = self.count.saturating_add(times);
        let cell = (0..self.level).fold(cell_of(number), |cell, _| raise(cell));
        let held = self.cells.entry(cell).or_default();
        *held = held.saturating_add(times);
        self.fit();
    }

    pub fn merge(&mut self, other: &Self) {
        self.unusable = self.unusable.saturating_add(other.unusable);
        if other.count == 0 {
            return;
        }
        (self.min, self.max) =
            if self.count == 0 { (other.min, other.max) } else { (self.min.min(other.min), self.max.max(other.max)) };
        self.count = self.count.saturating_add(other.count);
        self.raise_to(other.level);
        for (cell, held) in other.cells_at(self.level) {
            let sum = self.cells.entry(cell).or_default();
            *sum = sum.saturating_add(held);
        }
        self.fit();
    }

    fn fit(&mut self) {
        while self.cells.len() > CELLS && self.level < TOP_LEVEL {
            self.raise_to(self.level + 1);
        }
    }

    fn raise_to(&mut self, level: u8) {
        if level > self.level {
            self.cells = self.cells_at(level);
            self.level = level;
        }
    }

    /// The cells as they are on this level, which is not below the sketch's own.
    fn cells_at(&self, level: u8) -> BTreeMap<i64, u64> {
        if level <= self.level {
            return self.cells.clone();
        }
        let mut raised = BTreeMap::<i64, u64>::new();
        for (cell, held) in &self.cells {
            let cell = (self.level..level).fold(*cell, |cell, _| raise(cell));
            let sum = raised.entry(cell).or_default();
            *sum = sum.saturating_add(*held);
        }
        raised
    }

    /// The number that stands for a cell: no number in it is further away than the accuracy, relatively.
    fn stand_in(level: u8, cell: i64) -> f64 {
        if cell == 0 {
            return 0.0;
        }
        let step = STEP * 2_f64.powi(i32::from(level));
        let upper = (cell.abs() - APART) as f64 * step;
        let size = (upper + (2.0 / (1.0 + step.exp())).ln()).min(709.78).exp();
        if cell < 0 { -size } else { size }
    }

    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }
    /// Numbers that were not finite.
    #[must_use]
    pub const fn unusable(&self) -> u64 {
        self.unusable
    }
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min)
    }
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
    }
    /// Memory beside the sketch itself, about.
    #[must_use]
    pub fn heap(&self) -> usize {
        // A cell and its part of a node of the tree.
        self.cells.len() * 24
    }
    /// How far a quantile may be from the truth, relative to it.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let factor = (STEP * 2_f64.powi(i32::from(self.level))).exp();
        (factor - 1.0) / (factor + 1.0)
    }

    /// The number below which this share of all lies; nothing where there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        if self.count == 0 || share.is_nan() {
            return None;
        }
        if share <= 0.0 {
            return Some(self.min);
        }
        if share >= 1.0 {
            return Some(self.max);
        }
        let rank = (share * (self.count - 1) as f64).floor() as u64;
        let mut below = 0_u64;
        for (cell, held) in &self.cells {
            below = below.saturating_add(*held);
            if below > rank {
                return Some(Self::stand_in(self.level, *cell).max(self.min).min(self.max));
            }
        }
        Some(self.max)
    }

    /// The share of numbers that lie in the cell of `number` or below it.
    #[must_use]
    pub fn share_up_to(&self, number: f64) -> Option<f64> {
        if self.count == 0 || number.is_nan() {
            return None;
        }
        let place = if number.is_finite() {
            (0..self.level).fold(cell_of(number), |cell, _| raise(cell))
        } else if number > 0.0 {
            i64::MAX
        } else {
            i64::MIN
        };
        let below: u64 = self.cells.range(..=place).fold(0, |sum, (_, held)| sum.saturating_add(*held));
        Some((below as f64 / self.count as f64).min(1.0))
    }

    /// Both sketches on the finer level that both can have: what stands for each cell, and how many each has in it.
    #[must_use]
    pub fn side_by_side(&self, other: &Self) -> Vec<(f64, u64, u64)> {
        let level = self.level.max(other.level);
        let mut both = BTreeMap::<i64, (u64, u64)>::new();
        for (cell, held) in self.cells_at(level) {
            both.entry(cell).or_default().0 = held;
        }
        for (cell, held) in other.cells_at(level) {
            both.entry(cell).or_default().1 = held;
        }
        both.into_iter().map(|(cell, (one, two))| (Self::stand_in(level, cell), one, two)).collect()
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(&[self.level]);
        writer.count(self.unusable);
        writer.count(self.cells.len() as u64);
        let mut last = 0;
        for (cell, held) in &self.cells {
            writer.signed(cell - last);
            writer.count(*held);
            last = *cell;
        }
        if self.count > 0 {
            writer.double(self.min);
            writer.double(self.max);
        }
        writer.done()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchFault> {
        let mut reader = Reader::new(bytes, "sketch of quantiles")?;
        let level = reader.byte()?;
        let unusable = reader.count()?;
        let length = reader.length(CELLS)?;
        let mut read = Self { level, unusable, ..Self::default() };
        let mut last = 0_i64;
        for index in 0..length {
            let cell = last.checked_add(reader.signed()?).ok_or(reader.bad())?;
            let held = reader.count()?;
            let placed = cell == 0 || cell.unsigned_abs().abs_diff(APART as u64) < APART as u64 / 2;
            if held == 0 || !placed || (index > 0 && cell <= last) {
                return Err(reader.bad());
            }
            read.cells.insert(cell, held);
            read.count = read.count.checked_add(held).ok_or(reader.bad())?;
            last = cell;
        }
        if read.count > 0 {
            (read.min, read.max) = (reader.double()?, reader.double()?);
        }
        if level > TOP_LEVEL || read.min > read.max {
            return Err(reader.bad());
        }
        reader.done()?;
        Ok(read)
    }
}

impl Extend<f64> for Quantiles {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, numbers: I) {
        numbers.into_iter().for_each(|number| self.add(number));
    }
}

impl FromIterator<f64> for Quantiles {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut sketch = Self::default();
        sketch.extend(numbers);
        sketch
    }
}
