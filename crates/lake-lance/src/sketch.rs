//! How numbers are spread, counted in steps that widen with the numbers: small enough to keep one for each group, exact enough
//! for percentiles, and two of them add up to what one over all the numbers would be.

use std::fmt;

/// There are 128 steps between a number and its double, so the middle of a step is within 0.4 % of all that lies in it.
const STEP_BITS: u32 = 7;
const SHIFT: u32 = f64::MANTISSA_DIGITS - 1 - STEP_BITS;
/// Numbers closer to nought than 2⁻⁶⁴ count as nought, and larger ones than 2⁶⁴ as 2⁶⁴.
const LEAST_EXPONENT: u64 = 1023 - 64;
const FIRST: u64 = LEAST_EXPONENT << STEP_BITS;
const LAST_KEY: i32 = 128 << STEP_BITS;
/// As many numbers are kept one by one before they are counted.
const FEW: usize = 64;
const FORMAT: u8 = 1;
/// No row of a sample stands for more.
const WEIGHT_MAX: f64 = 1e9;

/// The step a number lies in; nought in the middle, negative ones below.
#[expect(clippy::cast_possible_truncation, reason = "eleven bits of exponent and seven of step")]
fn key_of(number: f64) -> i32 {
    let step = number.abs().to_bits() >> SHIFT;
    if step < FIRST {
        return 0;
    }
    let key = ((step - FIRST) as i32 + 1).min(LAST_KEY);
    if number < 0.0 { -key } else { key }
}

/// The middle of a step.
fn number_of(key: i32) -> f64 {
    if key == 0 {
        return 0.0;
    }
    let step = u64::from(key.unsigned_abs() - 1) + FIRST;
    let middle = f64::midpoint(f64::from_bits(step << SHIFT), f64::from_bits((step + 1) << SHIFT));
    if key < 0 { -middle } else { middle }
}

#[derive(Debug, Clone, PartialEq)]
enum Counts {
    Few(Vec<i32>),
    /// From this key on.
    Many {
        first: i32,
        counts: Vec<u64>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sketch {
    total: u64,
    least: f64,
    greatest: f64,
    counts: Counts,
    /// What weights that are not whole have left over, for the next number.
    left_over: f64,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { total: 0, least: f64::INFINITY, greatest: f64::NEG_INFINITY, counts: Counts::Few(Vec::new()), left_over: 0.0 }
    }
}

/// Bytes that are no sketch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoSketch;

impl fmt::Display for NoSketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these bytes are no sketch")
    }
}

impl Sketch {
    /// Counts a number. What is not a number is left out.
    pub(crate) fn add(&mut self, number: f64) {
        self.add_many(number, 1);
    }

    /// Counts a number as often as it stands for. Counts are whole, so of three numbers that stand for two and a third each,
    /// two are counted twice and one three times.
    pub(crate) fn add_weighed(&mut self, number: f64, weight: f64) {
        if weight == 1.0 || !weight.is_finite() {
            return self.add(number);
        }
        if number.is_nan() {
            return;
        }
        self.left_over += weight.clamp(0.0, WEIGHT_MAX);
        let times = self.left_over.floor();
        self.left_over -= times;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between nought and its bound")]
        self.add_many(number, times as u64);
    }

    fn add_many(&mut self, number: f64, times: u64) {
        if number.is_nan() || times == 0 {
            return;
        }
        self.least = self.least.min(number);
        self.greatest = self.greatest.max(number);
        self.total = self.total.saturating_add(times);
        self.add_key(key_of(number), times);
    }

    fn add_key(&mut self, key: i32, times: u64) {
        match &mut self.counts {
            Counts::Few(keys) if keys.len() < FEW && times == 1 => keys.push(key),
            Counts::Few(keys) => {
                let keys = std::mem::take(keys);
                let first = keys.iter().copied().min().unwrap_or(key).min(key);
                let last = keys.iter().copied().max().unwrap_or(key).max(key);
                let mut counts = vec![0; length(first, last)];
                for key in keys {
                    counts[place(first, key)] += 1;
                }
                counts[place(first, key)] += times;
                self.counts = Counts::Many { first, counts };
            }
            Counts::Many { first, counts } => {
                if key < *first {
                    // Some room below, since the next one may be lower still.
                    let lowest = (key - 64).max(-LAST_KEY);
                    counts.splice(0..0, std::iter::repeat_n(0, length(lowest, *first - 1)));
                    *first = lowest;
                }
                let at = place(*first, key);
                if at >= counts.len() {
                    counts.resize(at + 1, 0);
                }
                counts[at] = counts[at].saturating_add(times);
            }
        }
    }

    /// Keys that occurred, and how often; the same key may come several times.
    fn entries(&self) -> Vec<(i32, u64)> {
        match &self.counts {
            Counts::Few(keys) => keys.iter().map(|key| (*key, 1)).collect(),
            Counts::Many { first, counts } => (*first..).zip(counts.iter().copied()).filter(|(_, count)| *count > 0).collect(),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        self.total = self.total.saturating_add(other.total);
        for (key, count) in other.entries() {
            self.add_key(key, count);
        }
    }

    /// The number below or at which this share of all numbers lies; nothing over no numbers.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank lies between nought and the total"
    )]
    pub(crate) fn quantile(&self, at: f64) -> Option<f64> {
        if self.total == 0 || !(0.0..=1.0).contains(&at) {
            return None;
        }
        let rank = ((self.total as f64 * at).ceil() as u64).clamp(1, self.total);
        if rank == 1 {
            return Some(self.least);
        }
        if rank == self.total {
            return Some(self.greatest);
        }
        let mut entries = self.entries();
        entries.sort_unstable_by_key(|(key, _)| *key);
        let mut below = 0_u64;
        let found = entries.into_iter().find(|(_, count)| {
            below = below.saturating_add(*count);
            below >= rank
        });
        Some(found.map_or(self.greatest, |(key, _)| number_of(key).clamp(self.least, self.greatest)))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Memory beside the sketch itself.
    pub(crate) const fn heap(&self) -> usize {
        match &self.counts {
            Counts::Few(keys) => keys.capacity() * size_of::<i32>(),
            Counts::Many { counts, .. } => counts.capacity() * size_of::<u64>(),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let entries = self.entries();
        let mut bytes = Vec::with_capacity(17 + entries.len() * 12);
        bytes.push(FORMAT);
        bytes.extend(self.least.to_le_bytes());
        bytes.extend(self.greatest.to_le_bytes());
        for (key, count) in entries {
            bytes.extend(key.to_le_bytes());
            bytes.extend(count.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, NoSketch> {
        let (head, entries) = bytes.split_at_checked(17).ok_or(NoSketch)?;
        let (format, ends) = head.split_first().ok_or(NoSketch)?;
        let (least, greatest) = ends.split_at_checked(8).ok_or(NoSketch)?;
        if *format != FORMAT || entries.len() % 12 != 0 {
            return Err(NoSketch);
        }
        let number = |bytes: &[u8]| bytes.try_into().map(f64::from_le_bytes).map_err(|_| NoSketch);
        let mut sketch = Self { least: number(least)?, greatest: number(greatest)?, ..Self::default() };
        for entry in entries.chunks_exact(12) {
            let (key, count) = entry.split_at(4);
            let key = i32::from_le_bytes(key.try_into().map_err(|_| NoSketch)?);
            let count = u64::from_le_bytes(count.try_into().map_err(|_| NoSketch)?);
            if !(-LAST_KEY..=LAST_KEY).contains(&key) || count == 0 {
                return Err(NoSketch);
            }
            sketch.total = sketch.total.saturating_add(count);
            sketch.add_key(key, count);
        }
        // Over no numbers the ends are the wrong way round, and over some they are not; neither is ever not a number.
        let whole = if sketch.is_empty() { sketch == Self::default() } else { sketch.least <= sketch.greatest };
        if whole { Ok(sketch) } else { Err(NoSketch) }
    }
}

fn length(first: i32, last: i32) -> usize {
    place(first, last) + 1
}

fn place(first: i32, key: i32) -> usize {
    usize::try_from(key - first).unwrap_or(0)
}
