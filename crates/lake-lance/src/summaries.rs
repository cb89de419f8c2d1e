//! What a group's numbers are summed up as: how they are spread, their moments. Summaries of parts add up to that of the whole.

use std::{fmt::Debug, sync::Arc};

use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, cast::AsArray, types::Float64Type};
use arrow_schema::DataType;
use lance::deps::datafusion::{
    common::{ScalarValue, exec_err, plan_err},
    error::{DataFusionError, Result},
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility, function::AccumulatorArgs,
    },
};
use mainspring_statistics::{Moments, Quantiles};

use crate::sketch::Sketch;

/// What numbers become one by one.
pub(crate) trait Summary: Debug + Default + Send + Sync + 'static {
    /// Adds a number that stands for as many, where that is asked.
    fn add(&mut self, number: f64, weight: f64);
    fn merge(&mut self, other: &Self);
    /// Whether no number was added.
    fn is_empty(&self) -> bool;
    /// Memory beside itself.
    fn heap(&self) -> usize;
    fn to_bytes(&self) -> Vec<u8>;
    /// Or why they are none.
    fn of_bytes(bytes: &[u8]) -> std::result::Result<Self, String>;
}

pub(crate) fn read<S: Summary>(bytes: &[u8]) -> Result<S> {
    S::of_bytes(bytes).map_err(DataFusionError::Execution)
}

impl Summary for Sketch {
    fn add(&mut self, number: f64, weight: f64) {
        self.add_weighed(number, weight);
    }
    fn merge(&mut self, other: &Self) {
        self.merge(other);
    }
    fn is_empty(&self) -> bool {
        self.is_empty()
    }
    fn heap(&self) -> usize {
        self.heap()
    }
    fn to_bytes(&self) -> Vec<u8> {
        self.to_bytes()
    }
    fn of_bytes(bytes: &[u8]) -> std::result::Result<Self, String> {
        Self::from_bytes(bytes).map_err(|fault| fault.to_string())
    }
}

impl Summary for Quantiles {
    fn add(&mut self, number: f64, _: f64) {
        self.add(number);
    }
    fn merge(&mut self, other: &Self) {
        self.merge(other);
    }
    fn is_empty(&self) -> bool {
        self.count() == 0 && self.unusable() == 0
    }
    fn heap(&self) -> usize {
        self.heap()
    }
    fn to_bytes(&self) -> Vec<u8> {
        self.to_bytes()
    }
    fn of_bytes(bytes: &[u8]) -> std::result::Result<Self, String> {
        Self::from_bytes(bytes).map_err(|fault| fault.to_string())
    }
}

impl Summary for Moments {
    fn add(&mut self, number: f64, _: f64) {
        self.add(number);
    }
    fn merge(&mut self, other: &Self) {
        self.merge(other);
    }
    fn is_empty(&self) -> bool {
        self.count() == 0 && self.unusable() == 0
    }
    fn heap(&self) -> usize {
        0
    }
    fn to_bytes(&self) -> Vec<u8> {
        self.to_bytes()
    }
    fn of_bytes(bytes: &[u8]) -> std::result::Result<Self, String> {
        Self::from_bytes(bytes).map_err(|fault| fault.to_string())
    }
}

/// `sketch(number)`, `sketch(number, weight)`: how the numbers of a group are spread, and how many each stands for. A weight
/// that is null is one.
pub(crate) fn sketch() -> AggregateUDF {
    summing(Kind::Sketch)
}

/// `spread(number)`: the same of rows that stand for themselves, as whoever asks reads it.
pub(crate) fn spread() -> AggregateUDF {
    summing(Kind::Spread)
}

/// `moments(number)`: how many there are, their mean and their variance.
pub(crate) fn moments() -> AggregateUDF {
    summing(Kind::Moments)
}

fn summing(kind: Kind) -> AggregateUDF {
    AggregateUDF::new_from_impl(Summing { kind, signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Sketch,
    Spread,
    Moments,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Summing {
    kind: Kind,
    signature: Signature,
}

impl AggregateUDFImpl for Summing {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Sketch => "sketch",
            Kind::Spread => "spread",
            Kind::Moments => "moments",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let numbers = arguments.iter().all(|kind| kind.is_numeric() || *kind == DataType::Null);
        match (arguments.len(), self.kind) {
            (1, _) | (2, Kind::Sketch) if numbers => Ok(vec![DataType::Float64; arguments.len()]),
            (_, Kind::Sketch) => plan_err!("sketch takes a number, and its weight, not {arguments:?}"),
            _ => plan_err!("{} takes a number, not {arguments:?}", self.name()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if arguments.is_distinct {
            return plan_err!("{} counts every number, DISTINCT or not", self.name());
        }
        Ok(match self.kind {
            Kind::Sketch => Box::new(One::<Sketch>::default()),
            Kind::Spread => Box::new(One::<Quantiles>::default()),
            Kind::Moments => Box::new(One::<Moments>::default()),
        })
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        !arguments.is_distinct
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(match self.kind {
            Kind::Sketch => Box::new(Groups::<Sketch>::default()),
            Kind::Spread => Box::new(Groups::<Quantiles>::default()),
            Kind::Moments => Box::new(Groups::<Moments>::default()),
        })
    }
}

/// The summary of one group.
#[derive(Debug, Default)]
struct One<S>(S);

impl<S: Summary> One<S> {
    fn value(&self) -> ScalarValue {
        ScalarValue::Binary((!self.0.is_empty()).then(|| self.0.to_bytes()))
    }
}

impl<S: Summary> Accumulator for One<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (numbers, weights) = (numbers(values)?, weights(values)?);
        for row in (0..numbers.len()).filter(|row| numbers.is_valid(*row)) {
            self.0.add(numbers.value(row), weight_of(weights, row));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.heap()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for bytes in parts(states)?.iter().flatten() {
            self.0.merge(&read::<S>(bytes)?);
        }
        Ok(())
    }
}

/// The summaries of many groups.
#[derive(Debug, Default)]
struct Groups<S> {
    summaries: Vec<S>,
    heap: usize,
}

impl<S: Summary> Groups<S> {
    fn change(&mut self, group: usize, change: impl FnOnce(&mut S)) {
        let summary = &mut self.summaries[group];
        let before = summary.heap();
        change(summary);
        self.heap += summary.heap().saturating_sub(before);
    }

    fn emit(&mut self, to: EmitTo) -> ArrayRef {
        let taken = to.take_needed(&mut self.summaries);
        self.heap = self.heap.saturating_sub(taken.iter().map(Summary::heap).sum());
        let bytes = taken.iter().map(|summary| (!summary.is_empty()).then(|| summary.to_bytes()));
        Arc::new(bytes.collect::<BinaryArray>())
    }
}

fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

impl<S: Summary> GroupsAccumulator for Groups<S> {
    fn update_batch(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>, total: usize) -> Result<()> {
        let (numbers, weights) = (numbers(values)?, weights(values)?);
        self.summaries.resize_with(total, S::default);
        for (row, &group) in groups.iter().enumerate() {
            if numbers.is_valid(row) && passes(filter, row) {
                self.change(group, |summary| summary.add(numbers.value(row), weight_of(weights, row)));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, to: EmitTo) -> Result<ArrayRef> {
        Ok(self.emit(to))
    }

    fn state(&mut self, to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.emit(to)])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>, total: usize) -> Result<()> {
        let parts = parts(values)?;
        self.summaries.resize_with(total, S::default);
        for (row, &group) in groups.iter().enumerate() {
            if parts.is_valid(row) && passes(filter, row) {
                let part = read::<S>(parts.value(row))?;
                self.change(group, |summary| summary.merge(&part));
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.summaries.capacity() * size_of::<S>() + self.heap
    }
}

fn numbers(values: &[ArrayRef]) -> Result<&Float64Array> {
    match values.first().and_then(|values| values.as_primitive_opt::<Float64Type>()) {
        Some(numbers) => Ok(numbers),
        None => exec_err!("numbers were to be summed up, and something came that is none"),
    }
}

/// What each number stands for, where that is asked.
fn weights(values: &[ArrayRef]) -> Result<Option<&Float64Array>> {
    let Some(weights) = values.get(1) else { return Ok(None) };
    match weights.as_primitive_opt::<Float64Type>() {
        Some(weights) => Ok(Some(weights)),
        None => exec_err!("a weight is not a number"),
    }
}

fn weight_of(weights: Option<&Float64Array>, row: usize) -> f64 {
    weights.filter(|weights| weights.is_valid(row)).map_or(1.0, |weights| weights.value(row))
}

fn parts(states: &[ArrayRef]) -> Result<&BinaryArray> {
    match states.first().and_then(|states| states.as_binary_opt::<i32>()) {
        Some(parts) => Ok(parts),
        None => exec_err!("a part of a summary is none"),
    }
}
