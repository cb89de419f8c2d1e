//! A condition becomes a DataFusion expression, as data.
//!
//! SQL's three truth values hold: a comparison with a null is neither true nor false, so neither it
//! nor its negation finds the row. Only `IsNull` finds nulls.

use std::sync::Arc;

use arrow_array::{LargeListArray, ListArray, new_empty_array};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use lance::deps::datafusion::{
    arrow::buffer::OffsetBuffer,
    common::{Column, ScalarValue},
    functions::string,
    functions_nested::array_has,
    logical_expr::{BinaryExpr, Expr, Operator, ScalarUDF, expr::InList},
};
use mainspring_kernel::text::elide;
use mainspring_lake::{Filter, JsonTest, LakeFault, Scalar};

use crate::{
    echoes::said,
    ids,
    json_functions::{KEYS_MAX, matches_udf},
    schema::{column, is_text, list_of_text},
};

/// A tree deeper than this comes from no person, and its walk would need more stack than a task has.
const DEPTH_MAX: usize = 64;

/// A condition ready to run. Constants are folded out, so an engine never sees them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Always,
    Never,
    When(Expr),
}

/// A filter ready to run: words that the text indexes look up, and the condition on each row.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    /// Columns, and the words all of which they must hold.
    pub(crate) words: Vec<(String, String)>,
    pub(crate) condition: Condition,
}

/// Takes the searches for words out of the conditions that must all hold.
pub(crate) fn ready(filter: &Filter, schema: &Schema, table: &str) -> Result<Ready, LakeFault> {
    let scope = Scope { schema, table };
    let (mut words, mut rest, mut parts) = (Vec::new(), Vec::new(), vec![(filter, 0)]);
    while let Some((part, depth)) = parts.pop() {
        match part {
            Filter::And(inner) if depth < DEPTH_MAX => parts.extend(inner.iter().rev().map(|part| (part, depth + 1))),
            Filter::Words(name, text) => {
                scope.text_column(name)?;
                match text.trim().is_empty() {
                    true => rest.push(Condition::Never),
                    false => words.push((name.clone(), text.clone())),
                }
            }
            other => rest.push(scope.condition(other, depth)?),
        }
    }
    Ok(Ready { words, condition: all_of(rest) })
}

fn all_of(parts: Vec<Condition>) -> Condition {
    if parts.contains(&Condition::Never) {
        return Condition::Never;
    }
    joined(exprs(parts), Operator::And).map_or(Condition::Always, Condition::When)
}

#[derive(Debug, Clone, Copy)]
struct Scope<'a> {
    schema: &'a Schema,
    table: &'a str,
}

pub(crate) fn compile(filter: &Filter, schema: &Schema, table: &str) -> Result<Condition, LakeFault> {
    Scope { schema, table }.condition(filter, 0)
}

impl<'a> Scope<'a> {
    fn condition(self, filter: &Filter, depth: usize) -> Result<Condition, LakeFault> {
        if depth > DEPTH_MAX {
            return Err(self.fault(format!("the condition is nested more than {DEPTH_MAX} deep")));
        }
        match filter {
            Filter::All => Ok(Condition::Always),
            Filter::Eq(name, value) => self.compare(name, Operator::Eq, value),
            Filter::NotEq(name, value) => self.compare(name, Operator::NotEq, value),
            Filter::Lt(name, value) => self.compare(name, Operator::Lt, value),
            Filter::LtEq(name, value) => self.compare(name, Operator::LtEq, value),
            Filter::Gt(name, value) => self.compare(name, Operator::Gt, value),
            Filter::GtEq(name, value) => self.compare(name, Operator::GtEq, value),
            Filter::In(name, values) => self.one_of(name, values),
            Filter::Ids(name, held) => {
                let field = self.text_column(name)?;
                if held.is_empty() {
                    return Ok(Condition::Never);
                }
                Ok(Condition::When(ids::one_of(held).call(vec![said::of(field)])))
            }
            Filter::HasAny(name, labels) => self.has_any(name, labels),
            Filter::Contains(name, text) => self.contains(name, text),
            Filter::StartsWith(name, text) => {
                let field = self.text_column(name)?;
                Ok(Condition::When(call(&string::starts_with(), vec![said::of(field), text_literal(text, field)])))
            }
            Filter::Words(name, _) => {
                self.text_column(name)?;
                Err(self.fault("a search for words stands alone or beside conditions that all hold, never under OR or NOT"))
            }
            Filter::Json { column, path, test } => self.json(column, path, test),
            Filter::IsNull(name) => Ok(Condition::When(Expr::IsNull(Box::new(reference(self.column(name)?))))),
            Filter::And(parts) => self.all(parts, depth),
            Filter::Or(parts) => self.any(parts, depth),
            Filter::Not(inner) => Ok(match self.condition(inner, depth + 1)? {
                Condition::Always => Condition::Never,
                Condition::Never => Condition::Always,
                Condition::When(expr) => Condition::When(Expr::Not(Box::new(expr))),
            }),
            Filter::Unless(inner) => Ok(match self.condition(inner, depth + 1)? {
                Condition::Always => Condition::Never,
                Condition::Never => Condition::Always,
                Condition::When(expr) => Condition::When(Expr::IsNotTrue(Box::new(expr))),
            }),
        }
    }

    fn all(self, parts: &[Filter], depth: usize) -> Result<Condition, LakeFault> {
        Ok(all_of(self.parts(parts, depth)?))
    }

    fn any(self, parts: &[Filter], depth: usize) -> Result<Condition, LakeFault> {
        let parts = self.parts(parts, depth)?;
        if parts.contains(&Condition::Always) {
            return Ok(Condition::Always);
        }
        Ok(joined(exprs(parts), Operator::Or).map_or(Condition::Never, Condition::When))
    }

    fn parts(self, parts: &[Filter], depth: usize) -> Result<Vec<Condition>, LakeFault> {
        parts.iter().map(|part| self.condition(part, depth + 1)).collect()
    }

    fn compare(self, name: &str, operator: Operator, value: &Scalar) -> Result<Condition, LakeFault> {
        let field = self.column(name)?;
        Ok(Condition::When(match self.operand(field, operator, value)? {
            Operand::Value(operator, value) => binary(said::of(field), operator, Expr::Literal(value, None)),
            Operand::Known(truth) => known(field, truth),
        }))
    }

    fn one_of(self, name: &str, values: &[Scalar]) -> Result<Condition, LakeFault> {
        let field = self.column(name)?;
        if values.is_empty() {
            return Ok(Condition::Never);
        }
        let mut literals = Vec::with_capacity(values.len());
        for value in values {
            if let Operand::Value(_, value) = self.operand(field, Operator::Eq, value)? {
                literals.push(Expr::Literal(value, None));
            }
        }
        Ok(Condition::When(match literals.len() {
            0 => known(field, false),
            1 => binary(said::of(field), Operator::Eq, literals.remove(0)),
            _ => Expr::InList(InList::new(Box::new(said::of(field)), literals, false)),
        }))
    }

    fn has_any(self, name: &str, labels: &[String]) -> Result<Condition, LakeFault> {
        let field = self.column(name)?;
        let item = list_of_text(field).ok_or_else(|| self.wrong_type(field, "is not a list of texts"))?;
        if labels.is_empty() {
            return Ok(Condition::Never);
        }
        let list = list_literal(labels, item, matches!(field.data_type(), DataType::LargeList(_)))
            .ok_or_else(|| self.wrong_type(field, "cannot be compared with labels"))?;
        Ok(Condition::When(call(&array_has::array_has_any_udf(), vec![reference(field), Expr::Literal(list, None)])))
    }

    fn contains(self, name: &str, text: &str) -> Result<Condition, LakeFault> {
        let field = self.text_column(name)?;
        if text.is_empty() {
            return Ok(Condition::When(known(field, true)));
        }
        let lower = call(&string::lower(), vec![said::of(field)]);
        Ok(Condition::When(call(&string::contains(), vec![lower, text_literal(&text.to_lowercase(), field)])))
    }

    fn json(self, name: &str, path: &[String], test: &JsonTest) -> Result<Condition, LakeFault> {
        let field = self.text_column(name)?;
        if path.len() > KEYS_MAX {
            return Err(self.fault(format!("a value inside of JSON is named by up to {KEYS_MAX} keys")));
        }
        let compared = match test {
            JsonTest::Is(_, value) => std::slice::from_ref(value),
            JsonTest::OneOf(values) if values.is_empty() => return Ok(Condition::Never),
            JsonTest::OneOf(values) => values,
            JsonTest::Exists | JsonTest::Contains(_) | JsonTest::StartsWith(_) => &[],
        };
        if compared.iter().any(|value| matches!(value, Scalar::Float(number) if number.is_nan())) {
            return Err(self.fault("a condition compares with something that is not a number"));
        }
        Ok(Condition::When(matches_udf(path, test).call(vec![said::of(field)])))
    }

    /// The value as the column's own type, and the operator that then means the same.
    fn operand(self, field: &Field, operator: Operator, value: &Scalar) -> Result<Operand, LakeFault> {
        let kind = field.data_type();
        match value {
            Scalar::Text(text) if is_text(kind) => Ok(Operand::Value(operator, text_value(text, kind))),
            Scalar::Bool(truth) if *kind == DataType::Boolean => Ok(Operand::Value(operator, ScalarValue::Boolean(Some(*truth)))),
            Scalar::Int(number) if holds_whole_numbers(kind) => Ok(whole_operand(kind, operator, i128::from(*number))),
            Scalar::Float(number) if number.is_nan() => {
                Err(self.fault("a condition compares with something that is not a number"))
            }
            Scalar::Float(number) if holds_whole_numbers(kind) => Ok(fraction_operand(kind, operator, *number)),
            #[expect(clippy::cast_precision_loss, reason = "the column holds no better")]
            Scalar::Int(number) if kind.is_floating() => float_value(kind, *number as f64)
                .map(|value| Operand::Value(operator, value))
                .ok_or_else(|| self.wrong_type(field, "cannot be compared")),
            Scalar::Float(number) if kind.is_floating() => float_value(kind, *number)
                .map(|value| Operand::Value(operator, value))
                .ok_or_else(|| self.wrong_type(field, "cannot be compared")),
            Scalar::Bool(_) => Err(self.wrong_type(field, "cannot be compared with true or false")),
            Scalar::Int(_) | Scalar::Float(_) => Err(self.wrong_type(field, "cannot be compared with a number")),
            Scalar::Text(_) => Err(self.wrong_type(field, "cannot be compared with a text")),
        }
    }

    fn column(self, name: &str) -> Result<&'a Field, LakeFault> {
        column(self.schema, self.table, name)
    }

    fn text_column(self, name: &str) -> Result<&'a Field, LakeFault> {
        let field = self.column(name)?;
        if is_text(field.data_type()) { Ok(field) } else { Err(self.wrong_type(field, "is not text")) }
    }

    fn wrong_type(self, field: &Field, what: &str) -> LakeFault {
        self.fault(format!("column `{}` of type {} {what}", field.name(), field.data_type()))
    }

    fn fault(self, reason: impl Into<String>) -> LakeFault {
        LakeFault::Query { table: self.table.to_owned(), reason: elide(&reason.into(), 300) }
    }
}

#[derive(Debug)]
enum Operand {
    Value(Operator, ScalarValue),
    /// The same answer for every value that is not null.
    Known(bool),
}

const fn holds_whole_numbers(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Timestamp(_, _)
    )
}

/// A number outside what the column can hold is larger or smaller than all of it.
fn whole_operand(kind: &DataType, operator: Operator, number: i128) -> Operand {
    whole_value(kind, number).map_or_else(
        || {
            let above = number > 0;
            Operand::Known(match operator {
                Operator::NotEq => true,
                Operator::Lt | Operator::LtEq => above,
                Operator::Gt | Operator::GtEq => !above,
                _ => false,
            })
        },
        |value| Operand::Value(operator, value),
    )
}

/// Between two whole numbers lies no whole number, so the comparison moves to the nearer one.
#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, and what saturates is out of every column's range")]
fn fraction_operand(kind: &DataType, operator: Operator, number: f64) -> Operand {
    if number.fract() == 0.0 || number.is_infinite() {
        return whole_operand(kind, operator, number as i128);
    }
    match operator {
        Operator::Lt | Operator::LtEq => whole_operand(kind, Operator::LtEq, number.floor() as i128),
        Operator::Gt | Operator::GtEq => whole_operand(kind, Operator::GtEq, number.ceil() as i128),
        other => Operand::Known(other == Operator::NotEq),
    }
}

fn whole_value(kind: &DataType, number: i128) -> Option<ScalarValue> {
    Some(match kind {
        DataType::Int8 => ScalarValue::Int8(Some(number.try_into().ok()?)),
        DataType::Int16 => ScalarValue::Int16(Some(number.try_into().ok()?)),
        DataType::Int32 => ScalarValue::Int32(Some(number.try_into().ok()?)),
        DataType::Int64 => ScalarValue::Int64(Some(number.try_into().ok()?)),
        DataType::UInt8 => ScalarValue::UInt8(Some(number.try_into().ok()?)),
        DataType::UInt16 => ScalarValue::UInt16(Some(number.try_into().ok()?)),
        DataType::UInt32 => ScalarValue::UInt32(Some(number.try_into().ok()?)),
        DataType::UInt64 => ScalarValue::UInt64(Some(number.try_into().ok()?)),
        DataType::Timestamp(unit, zone) => {
            let (number, zone) = (Some(number.try_into().ok()?), zone.clone());
            match unit {
                TimeUnit::Second => ScalarValue::TimestampSecond(number, zone),
                TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(number, zone),
                TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(number, zone),
                TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(number, zone),
            }
        }
        _ => return None,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "the column holds single precision")]
const fn float_value(kind: &DataType, number: f64) -> Option<ScalarValue> {
    match kind {
        DataType::Float32 => Some(ScalarValue::Float32(Some(number as f32))),
        DataType::Float64 => Some(ScalarValue::Float64(Some(number))),
        _ => None,
    }
}

fn text_value(text: &str, kind: &DataType) -> ScalarValue {
    let text = Some(text.to_owned());
    match kind {
        DataType::LargeUtf8 => ScalarValue::LargeUtf8(text),
        DataType::Utf8View => ScalarValue::Utf8View(text),
        _ => ScalarValue::Utf8(text),
    }
}

fn text_literal(text: &str, field: &Field) -> Expr {
    Expr::Literal(text_value(text, field.data_type()), None)
}

/// A list of exactly the column's type, so that a label index is used.
fn list_literal(labels: &[String], item: &Arc<Field>, large: bool) -> Option<ScalarValue> {
    let values = labels.iter().map(|label| text_value(label, item.data_type()));
    let values = ScalarValue::iter_to_array(values).unwrap_or_else(|_| new_empty_array(item.data_type()));
    let length = values.len();
    Some(if large {
        let offsets = OffsetBuffer::from_lengths([length]);
        ScalarValue::LargeList(Arc::new(LargeListArray::try_new(item.clone(), offsets, values, None).ok()?))
    } else {
        let offsets = OffsetBuffer::from_lengths([length]);
        ScalarValue::List(Arc::new(ListArray::try_new(item.clone(), offsets, values, None).ok()?))
    })
}

/// `truth` for every row whose value is not null, and unknown where it is.
fn known(field: &Field, truth: bool) -> Expr {
    let unknown = Expr::Literal(ScalarValue::Boolean(None), None);
    let this = Box::new(reference(field));
    if truth { binary(Expr::IsNotNull(this), Operator::Or, unknown) } else { binary(Expr::IsNull(this), Operator::And, unknown) }
}

/// Unqualified and unparsed: a name with a dot or a quote in it is still one name.
pub(crate) fn reference(field: &Field) -> Expr {
    Expr::Column(Column::new_unqualified(field.name()))
}

fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)))
}

fn call(function: &Arc<ScalarUDF>, arguments: Vec<Expr>) -> Expr {
    function.call(arguments)
}

fn exprs(parts: Vec<Condition>) -> Vec<Expr> {
    parts
        .into_iter()
        .filter_map(|part| match part {
            Condition::When(expr) => Some(expr),
            Condition::Always | Condition::Never => None,
        })
        .collect()
}

/// A balanced tree: the engine walks expressions recursively, and a chain of thousands would not fit its stack.
pub(crate) fn joined(mut parts: Vec<Expr>, operator: Operator) -> Option<Expr> {
    while parts.len() > 1 {
        let mut pairs = Vec::with_capacity(parts.len().div_ceil(2));
        let mut rest = parts.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => binary(left, operator, right),
                None => left,
            });
        }
        parts = pairs;
    }
    parts.pop()
}
