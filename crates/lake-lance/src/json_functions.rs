//! Conditions on values inside of JSON text, and the functions that answer with such values, as the engine calls them.

use std::{cmp::Ordering, sync::Arc};

use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, StringArray, cast::AsArray};
use arrow_schema::DataType;
use lance::deps::datafusion::{
    common::{ScalarValue, exec_err, plan_err},
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};
use mainspring_lake::{Comparison, JsonTest, Scalar};

use crate::json::{Glance, Leaf, find};

/// Deeper than this nobody names a value.
pub(crate) const KEYS_MAX: usize = 32;

/// A test that can be told apart from another, as the engine needs it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Test {
    Exists,
    Is(Comparison, Operand),
    OneOf(Vec<Operand>),
    /// In lower case.
    Contains(String),
    StartsWith(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Operand {
    Bool(bool),
    Int(i64),
    /// By its bits.
    Float(u64),
    Text(String),
}

impl Operand {
    fn of(value: &Scalar) -> Self {
        match value {
            Scalar::Bool(truth) => Self::Bool(*truth),
            Scalar::Int(number) => Self::Int(*number),
            Scalar::Float(number) => Self::Float(number.to_bits()),
            Scalar::Text(text) => Self::Text(text.clone()),
        }
    }

    /// How a value lies to this one, where both are of one kind.
    #[expect(clippy::cast_precision_loss, reason = "JSON promises no more of a number")]
    fn compare(&self, leaf: &Leaf) -> Option<Ordering> {
        match (leaf, self) {
            (Leaf::Bool(leaf), Self::Bool(truth)) => Some(leaf.cmp(truth)),
            (Leaf::Int(leaf), Self::Int(number)) => Some(leaf.cmp(number)),
            (Leaf::Int(leaf), Self::Float(bits)) => (*leaf as f64).partial_cmp(&f64::from_bits(*bits)),
            (Leaf::Float(leaf), Self::Int(number)) => leaf.partial_cmp(&(*number as f64)),
            (Leaf::Float(leaf), Self::Float(bits)) => leaf.partial_cmp(&f64::from_bits(*bits)),
            (Leaf::Text(leaf), Self::Text(text)) => Some(leaf.as_str().cmp(text)),
            _ => None,
        }
    }
}

impl Test {
    fn of(test: &JsonTest) -> Self {
        match test {
            JsonTest::Exists => Self::Exists,
            JsonTest::Is(comparison, value) => Self::Is(*comparison, Operand::of(value)),
            JsonTest::OneOf(values) => Self::OneOf(values.iter().map(Operand::of).collect()),
            JsonTest::Contains(part) => Self::Contains(part.to_lowercase()),
            JsonTest::StartsWith(start) => Self::StartsWith(start.clone()),
        }
    }

    /// The answer for a value, or that there is none.
    fn ask(&self, leaf: Option<&Leaf>) -> Option<bool> {
        let leaf = match (leaf, self) {
            (found, Self::Exists) => return Some(found.is_some_and(|leaf| *leaf != Leaf::Null)),
            (None, _) => return None,
            (Some(leaf), _) => leaf,
        };
        match (self, leaf) {
            (Self::Is(comparison, value), leaf) => value.compare(leaf).map(|order| holds(*comparison, order)),
            (Self::OneOf(values), leaf) => {
                let orders: Vec<Ordering> = values.iter().filter_map(|value| value.compare(leaf)).collect();
                (!orders.is_empty()).then(|| orders.iter().any(|order| order.is_eq()))
            }
            (Self::Contains(part), Leaf::Text(text)) => Some(text.to_lowercase().contains(part)),
            (Self::StartsWith(start), Leaf::Text(text)) => Some(text.starts_with(start)),
            _ => None,
        }
    }
}

const fn holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Eq => order.is_eq(),
        Comparison::NotEq => order.is_ne(),
        Comparison::Lt => order.is_lt(),
        Comparison::LtEq => order.is_le(),
        Comparison::Gt => order.is_gt(),
        Comparison::GtEq => order.is_ge(),
    }
}

/// The condition as a function of the text column.
pub(crate) fn matches_udf(path: &[String], test: &JsonTest) -> ScalarUDF {
    ScalarUDF::new_from_impl(Matches {
        path: path.to_vec(),
        test: Test::of(test),
        signature: Signature::any(1, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Matches {
    path: Vec<String>,
    test: Test,
    signature: Signature,
}

impl ScalarUDFImpl for Matches {
    fn name(&self) -> &'static str {
        "json_matches"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let glance = Glance::at(&self.path);
        let rows = first_of(&call)?;
        let answers: BooleanArray = texts_of(&rows)?
            .map(|text| {
                let leaf = text.filter(|text| glance.may_hold(text)).and_then(|text| find(text, &self.path));
                text.and_then(|_| self.test.ask(leaf.as_ref()))
            })
            .collect();
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }
}

/// `json_text(column, 'key', …)` and `json_number(column, 'key', …)`, for questions in SQL.
pub(crate) fn sql_udfs() -> [ScalarUDF; 2] {
    [("json_text", DataType::Utf8), ("json_number", DataType::Float64)].map(|(name, kind)| {
        ScalarUDF::new_from_impl(Get { name, kind, signature: Signature::variadic_any(Volatility::Immutable) })
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Get {
    name: &'static str,
    kind: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for Get {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        if arguments.len() > KEYS_MAX {
            return plan_err!("{} takes a column and up to {KEYS_MAX} keys", self.name);
        }
        match arguments {
            [DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null, ..] => Ok(self.kind.clone()),
            _ => plan_err!("{} reads JSON text, not {:?}", self.name, arguments.first()),
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let path = call.args.iter().skip(1).map(key_of).collect::<Result<Vec<_>>>()?;
        let glance = Glance::at(&path);
        let rows = first_of(&call)?;
        let leaves = texts_of(&rows)?.map(|text| text.filter(|text| glance.may_hold(text)).and_then(|text| find(text, &path)));
        let values: ArrayRef = if self.kind == DataType::Float64 {
            Arc::new(leaves.map(number_of).collect::<Float64Array>())
        } else {
            Arc::new(leaves.map(text_of).collect::<StringArray>())
        };
        Ok(ColumnarValue::Array(values))
    }
}

fn key_of(argument: &ColumnarValue) -> Result<String> {
    match argument {
        ColumnarValue::Scalar(
            ScalarValue::Utf8(Some(key)) | ScalarValue::LargeUtf8(Some(key)) | ScalarValue::Utf8View(Some(key)),
        ) => Ok(key.clone()),
        ColumnarValue::Scalar(ScalarValue::Int64(Some(at))) => Ok(at.to_string()),
        _ => exec_err!("the keys of a JSON value are texts that stand in the question"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "the function answers in double precision")]
fn number_of(leaf: Option<Leaf>) -> Option<f64> {
    match leaf? {
        Leaf::Int(number) => Some(number as f64),
        Leaf::Float(number) => Some(number),
        _ => None,
    }
}

fn text_of(leaf: Option<Leaf>) -> Option<String> {
    match leaf? {
        Leaf::Text(text) => Some(text),
        Leaf::Bool(truth) => Some(truth.to_string()),
        Leaf::Int(number) => Some(number.to_string()),
        Leaf::Float(number) => Some(number.to_string()),
        Leaf::Null | Leaf::Nested => None,
    }
}

/// The rows of the first argument.
pub(crate) fn first_of(call: &ScalarFunctionArgs) -> Result<ArrayRef> {
    match call.args.first() {
        Some(column) => column.to_array_of_size(call.number_rows),
        None => exec_err!("a function of JSON text was called without any"),
    }
}

/// The texts of a column, however it holds them.
pub(crate) fn texts_of(array: &ArrayRef) -> Result<Box<dyn Iterator<Item = Option<&str>> + '_>> {
    Ok(match array.data_type() {
        DataType::Utf8 => Box::new(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => Box::new(array.as_string::<i64>().iter()),
        DataType::Utf8View => Box::new(array.as_string_view().iter()),
        DataType::Null => Box::new(std::iter::repeat_n(None, array.len())),
        other => return exec_err!("{other} is not JSON text"),
    })
}
