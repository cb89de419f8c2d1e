//! What is kept of a field over a stretch of time: numbers or categories, mergeable, as text.

use mainspring_statistics::{Categories, Quantiles, SketchFault};

use crate::fault::TraceFault;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sketch {
    Numbers(Quantiles),
    Categories(Categories),
}

impl Sketch {
    pub(crate) fn number(&mut self, number: f64) {
        if let Self::Numbers(numbers) = self {
            numbers.add(number);
        }
    }

    pub(crate) fn category(&mut self, category: &str) {
        if let Self::Categories(categories) = self {
            categories.add(category);
        }
    }

    /// Adds another of the same kind.
    pub(crate) fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Numbers(numbers), Self::Numbers(more)) => numbers.merge(more),
            (Self::Categories(categories), Self::Categories(more)) => categories.merge(more),
            _ => {}
        }
    }

    /// How many values it is of.
    pub(crate) const fn count(&self) -> u64 {
        match self {
            Self::Numbers(numbers) => numbers.count(),
            Self::Categories(categories) => categories.total(),
        }
    }

    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "numbers",
            Self::Categories(_) => "categories",
        }
    }

    pub(crate) fn written(&self) -> String {
        match self {
            Self::Numbers(numbers) => hex(&numbers.to_bytes()),
            Self::Categories(categories) => hex(&categories.to_bytes()),
        }
    }

    pub(crate) fn read(kind: &str, text: &str) -> Result<Self, TraceFault> {
        let bytes = bytes(text)?;
        let read = match kind {
            "numbers" => Quantiles::from_bytes(&bytes).map(Self::Numbers),
            "categories" => Categories::from_bytes(&bytes).map(Self::Categories),
            _ => return Err(TraceFault::Unreadable { reason: "a sketch is of no known kind".into() }),
        };
        read.map_err(|fault| unreadable(&fault))
    }
}

pub(crate) fn unreadable(fault: &SketchFault) -> TraceFault {
    TraceFault::Unreadable { reason: fault.to_string() }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

pub(crate) fn bytes(hex: &str) -> Result<Vec<u8>, TraceFault> {
    let unreadable = || TraceFault::Unreadable { reason: "a sketch is not in hexadecimal digits".into() };
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or_else(unreadable);
    let pairs = hex.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Ok((digit(*high)? << 4) | digit(*low)?),
        _ => Err(unreadable()),
    });
    pairs.collect()
}
