#![doc = include_str!("../README.md")]

// Summaries that merge.
pub mod categories;
pub mod distinct;
pub mod moments;
pub mod quantiles;

// Comparisons of two periods.
pub mod drift;
pub mod embedding;
pub mod slices;

// Tests and intervals.
pub mod burn;
pub mod multiplicity;
pub mod rates;
pub mod resample;
pub mod sequential;

// What the rest is made of.
mod bytes;
mod fault;
pub mod random;
pub mod special;

#[cfg(test)]
mod tests;

pub use categories::Categories;
pub use distinct::Distinct;
pub use drift::Compared;
pub use fault::SketchFault;
pub use moments::Moments;
pub use quantiles::Quantiles;
pub use random::Random;
pub use rates::Interval;
