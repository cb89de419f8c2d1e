//! A filter as a condition on the table.
//!
//! The table knows three truths: a comparison with what a row does not have is unknown, and so is its opposite. Here it
//! is false, and its opposite true. So `not` is carried down to the conditions, and the opposite of one that may be
//! unknown finds the rows in which it is.

use mainspring_kernel::Timestamp;
use mainspring_lake::{Comparison as LakeComparison, Filter, JsonTest, Scalar};

use super::{
    fields::{FieldKind, KnownField},
    records,
    tree::{Comparison, Condition, Expr, Field, SpanFilter, Test, Value},
};
use crate::searched::{CONTENT, REST};

impl SpanFilter {
    /// The rows that are meant, by whoever asks now.
    pub(crate) fn condition(&self, now: Timestamp) -> Filter {
        if self.is_all() { Filter::All } else { of(&self.0, true, now) }
    }
}

/// The rows of which this is so, or is not so.
fn of(expr: &Expr, wanted: bool, now: Timestamp) -> Filter {
    let each = |parts: &[Expr]| parts.iter().map(|part| of(part, wanted, now)).collect();
    match (expr, wanted) {
        (Expr::And(parts), true) | (Expr::Or(parts), false) => Filter::And(each(parts)),
        (Expr::Or(parts), true) | (Expr::And(parts), false) => Filter::Or(each(parts)),
        (Expr::Not(inner), wanted) => of(inner, !wanted, now),
        (Expr::Is(condition), true) => positive(condition, now),
        (Expr::Is(condition), false) => negative(condition, now),
        (Expr::Scored(scored), true) => scored.condition(),
        (Expr::Scored(scored), false) => Filter::Unless(Box::new(scored.condition())),
        (Expr::Open, _) => Filter::All,
    }
}

fn negative(condition: &Condition, now: Timestamp) -> Filter {
    let positive = Box::new(positive(condition, now));
    match &condition.field {
        // Of what is always there the engine knows more ways to find the opposite. What lies behind the beginning of a text
        // is not always there.
        Field::Known(field) if !field.may_miss && field.column != CONTENT => Filter::Not(positive),
        Field::Known(_) | Field::Attribute(_) | Field::Score(_) => Filter::Unless(positive),
    }
}

fn positive(Condition { field, test }: &Condition, now: Timestamp) -> Filter {
    match field {
        Field::Known(field) => match field.kind {
            FieldKind::Flag => flag(field, test, now),
            FieldKind::Severity => of(&records::severity(test), true, now),
            FieldKind::List => list(field, test),
            _ => known(field, test, now),
        },
        Field::Attribute(key) => attribute(key, test),
        // Scores lie in a table of their own. Whoever asks spans without having asked there is told so by the engine.
        Field::Score(_) => Filter::IsNull("score".to_owned()),
    }
}

fn flag(field: &KnownField, test: &Test, now: Timestamp) -> Filter {
    let wanted = match test {
        Test::Compare(Comparison::NotEq, Value::Flag(flag)) => !flag,
        Test::Compare(_, Value::Flag(flag)) => *flag,
        _ => true,
    };
    match (field.name, wanted) {
        ("error", true) => Filter::eq(field.column, "error"),
        ("error", false) => Filter::NotEq(field.column.to_owned(), "error".into()),
        ("log", wanted) => of(&records::log(), wanted, now),
        (_, wanted) => Filter::Eq(field.column.to_owned(), Scalar::Bool(wanted)),
    }
}

fn list(field: &KnownField, test: &Test) -> Filter {
    let text = |value: &Value| if let Value::Text(text) = value { Some(text.clone()) } else { None };
    let among = match test {
        Test::Compare(_, value) => text(value).into_iter().collect(),
        Test::In(values) => values.iter().filter_map(text).collect(),
        _ => return exists(field),
    };
    Filter::HasAny(field.column.to_owned(), among)
}

fn exists(field: &KnownField) -> Filter {
    if field.may_miss { Filter::present(field.column) } else { Filter::All }
}

fn known(field: &KnownField, test: &Test, now: Timestamp) -> Filter {
    let column = field.column.to_owned();
    match test {
        Test::Compare(comparison, value) => compared(column, *comparison, scalar(value, now)),
        Test::In(values) => Filter::In(column, values.iter().map(|value| scalar(value, now)).collect()),
        Test::Contains(text) => holds(&column, text),
        Test::Words(words) => Filter::And(words.iter().map(|word| holds(&column, word)).collect()),
        Test::StartsWith(text) => Filter::StartsWith(column, text.clone()),
        Test::Exists | Test::Holds => exists(field),
    }
}

/// Rows of which this text holds another one.
pub(crate) fn holds(column: &str, text: &str) -> Filter {
    let within = |column: &str| Filter::Contains(column.to_owned(), text.to_owned());
    if column == CONTENT { Filter::Or(vec![within(CONTENT), within(REST)]) } else { within(column) }
}

const fn comparison_of(comparison: Comparison) -> LakeComparison {
    match comparison {
        Comparison::Eq => LakeComparison::Eq,
        Comparison::NotEq => LakeComparison::NotEq,
        Comparison::Lt => LakeComparison::Lt,
        Comparison::LtEq => LakeComparison::LtEq,
        Comparison::Gt => LakeComparison::Gt,
        Comparison::GtEq => LakeComparison::GtEq,
    }
}

fn compared(column: String, comparison: Comparison, value: Scalar) -> Filter {
    match comparison {
        Comparison::Eq => Filter::Eq(column, value),
        Comparison::NotEq => Filter::NotEq(column, value),
        Comparison::Lt => Filter::Lt(column, value),
        Comparison::LtEq => Filter::LtEq(column, value),
        Comparison::Gt => Filter::Gt(column, value),
        Comparison::GtEq => Filter::GtEq(column, value),
    }
}

fn scalar(value: &Value, now: Timestamp) -> Scalar {
    match value {
        Value::Text(text) => Scalar::Text(text.clone()),
        Value::Flag(flag) => Scalar::Bool(*flag),
        Value::Number(number) | Value::Duration(number) | Value::Money(number) => Scalar::Int(*number),
        Value::Decimal(number) => Scalar::Float(*number),
        Value::Time(moment) => Scalar::Int(moment.micros(now)),
    }
}

fn attribute(key: &str, test: &Test) -> Filter {
    let json = |test| Filter::json("attributes", &[key], test);
    let value = |value: &Value| match value {
        Value::Text(text) => Scalar::Text(text.clone()),
        Value::Flag(flag) => Scalar::Bool(*flag),
        Value::Decimal(number) => Scalar::Float(*number),
        Value::Number(number) | Value::Duration(number) | Value::Money(number) => Scalar::Int(*number),
        // An attribute is never compared with a time.
        Value::Time(moment) => Scalar::Int(moment.micros(Timestamp::default())),
    };
    match test {
        Test::Compare(comparison, with) => json(JsonTest::Is(comparison_of(*comparison), value(with))),
        Test::In(values) => json(JsonTest::OneOf(values.iter().map(value).collect())),
        Test::Contains(text) => json(JsonTest::Contains(text.clone())),
        Test::Words(words) => Filter::And(words.iter().map(|word| json(JsonTest::Contains(word.clone()))).collect()),
        Test::StartsWith(text) => json(JsonTest::StartsWith(text.clone())),
        Test::Exists | Test::Holds => json(JsonTest::Exists),
    }
}
