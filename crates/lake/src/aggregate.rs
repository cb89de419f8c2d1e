//! Groups of rows and what is reckoned over each, as data.

use std::time::Duration;

use arrow_array::RecordBatch;

use crate::{filter::Filter, table::Order};

/// What one question may take before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub within: Duration,
    /// Bytes for groups, sorting and joining; what is read at the moment is not counted.
    pub memory: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { within: Duration::from_secs(30), memory: 256 << 20 }
    }
}

/// What a key groups by.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyOf {
    /// Rows with the same value. Null is a group of its own.
    Column(String),
    /// Rows of a whole-number column (a time, a count) that lie in one bucket; the key is where the bucket begins.
    Bucket { column: String, width: i64, origin: i64 },
    /// The same over a column of any kind of number, with buckets that need not be whole.
    Share { column: String, width: f64, origin: f64 },
    /// Rows with the same value inside of a column's JSON text, under these keys: a text, or a number or a truth as it is written.
    /// Where there is none, or an object or a list, it is null.
    Json { column: String, path: Vec<String> },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub name: String,
    pub of: KeyOf,
}

/// What is reckoned over the rows of a group. Nulls are left out; over nothing all but the counts are null.
#[derive(Debug, Clone, PartialEq)]
pub enum MeasureOf {
    /// Rows.
    Rows,
    /// Rows with a value in this column.
    Present(String),
    Sum(String),
    Min(String),
    Max(String),
    Mean(String),
    /// The value below which this share of the values lies (0.95: the 95th percentile), within half a percent of it.
    Quantile {
        column: String,
        at: f64,
    },
    /// How many values there are, their mean and their variance: the bytes of `mainspring_statistics::Moments`.
    Moments(Numbers),
    /// How the values are spread: the bytes of `mainspring_statistics::Quantiles`, of which two add up.
    Spread(Numbers),
    /// How many different values, within about two percent.
    Distinct(String),
    /// The greatest sum of two columns of whole numbers in one row, such as when something ended that says when it began and how
    /// long it took.
    MaxSum(String, String),
}

/// Numbers that are summed up.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    pub column: String,
    /// The keys of those that lie inside of the column's JSON text; empty: the column holds them.
    pub path: Vec<String>,
    /// So many of them are one.
    pub unit: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    pub name: String,
    pub of: MeasureOf,
    /// Only these rows of the group.
    pub only: Filter,
    /// A column of numbers that says how many rows each stands for, as a sample's rows do. A null is one. Counts, sums, means and
    /// quantiles are of all that the rows stand for, counts and sums of whole numbers rounded to whole ones; where no row says
    /// anything they are exactly those without it. Least and greatest values, how many differ, moments and
    /// spreads are of the rows themselves.
    pub weight: Option<String>,
}

/// Which rows come first of those that share values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// What `Measure::only` calls it: a column that has a value in rows which come first, and is null in every other. No column
    /// of the table is called so.
    pub name: String,
    /// Columns of text: of the rows with the same ones, one comes first. Nulls are the same.
    pub by: Vec<String>,
    /// A column of whole numbers within 2^62: the least comes first. Where several have it, so do they all.
    pub at: String,
    /// Of rows with the same number, those without a value in this column come before the others.
    pub above: String,
}

/// Rows in groups. The answer has a column for each key and then each measure, under their names and in this order.
///
/// Keys by column, least and greatest values have the type of their column; keys inside of JSON are texts; buckets of whole numbers, counts, sums of whole
/// numbers and `MaxSum` are `Int64`, moments and spreads `Binary`, everything else is `Float64`.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    pub filter: Filter,
    /// None: all rows are one group, which is there even when no row is.
    pub keys: Vec<Key>,
    pub measures: Vec<Measure>,
    /// Whether measures ask which rows come first, among those that pass the filter.
    pub first: Option<First>,
    /// Which groups come first, by keys or measures, nulls last; the keys decide between equals.
    pub order: Vec<(String, Order)>,
    pub limit: usize,
    pub allowance: Allowance,
}

impl Aggregate {
    #[must_use]
    pub fn of(filter: Filter) -> Self {
        Self {
            filter,
            keys: Vec::new(),
            measures: Vec::new(),
            first: None,
            order: Vec::new(),
            limit: 10_000,
            allowance: Allowance::default(),
        }
    }

    #[must_use]
    pub fn by(mut self, column: &str) -> Self {
        self.keys.push(Key { name: column.to_owned(), of: KeyOf::Column(column.to_owned()) });
        self
    }

    #[must_use]
    pub fn by_bucket(mut self, name: &str, column: &str, width: i64, origin: i64) -> Self {
        self.keys.push(Key { name: name.to_owned(), of: KeyOf::Bucket { column: column.to_owned(), width, origin } });
        self
    }

    #[must_use]
    pub fn measure(self, name: &str, of: MeasureOf) -> Self {
        self.measure_of(name, of, Filter::All)
    }

    #[must_use]
    pub fn measure_of(mut self, name: &str, of: MeasureOf, only: Filter) -> Self {
        self.measures.push(Measure { name: name.to_owned(), of, only, weight: None });
        self
    }

    /// The same of what the rows stand for.
    #[must_use]
    pub fn measure_weighed(mut self, name: &str, of: MeasureOf, only: Filter, weight: &str) -> Self {
        self.measures.push(Measure { name: name.to_owned(), of, only, weight: Some(weight.to_owned()) });
        self
    }

    #[must_use]
    pub fn first(mut self, first: First) -> Self {
        self.first = Some(first);
        self
    }

    #[must_use]
    pub fn order(mut self, name: &str, order: Order) -> Self {
        self.order.push((name.to_owned(), order));
        self
    }

    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// The groups, first ones first.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouped {
    pub batches: Vec<RecordBatch>,
    /// Whether the limit left groups out.
    pub more: bool,
}
