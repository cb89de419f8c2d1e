//! What is asked of log records, as conditions on the attributes in which a span says that it came as one.

use mainspring_llm::trace::names;

use super::{
    fields::severity_numbers,
    tree::{Comparison, Condition, Expr, Field, Test, Value},
};

fn attribute(key: &str, test: Test) -> Expr {
    Expr::Is(Condition { field: Field::Attribute(key.to_owned()), test })
}

/// It came as a log record.
pub(super) fn log() -> Expr {
    attribute(names::SIGNAL, Test::Compare(Comparison::Eq, Value::Text("log".to_owned())))
}

/// What is asked of a record's severity. A word stands for each of its numbers: an `ERROR2` is an error.
pub(super) fn severity(test: &Test) -> Expr {
    match test {
        Test::Compare(comparison, value) => compared(*comparison, value),
        Test::In(values) => Expr::Or(values.iter().map(|value| compared(Comparison::Eq, value)).collect()),
        _ => attribute(names::SEVERITY_NUMBER, Test::Exists),
    }
}

fn compared(comparison: Comparison, value: &Value) -> Expr {
    let numbers = if let Value::Text(word) = value { severity_numbers(word) } else { None };
    // No record has a severity that is none.
    let Some((first, last)) = numbers else { return Expr::Or(Vec::new()) };
    let is = |comparison, number| attribute(names::SEVERITY_NUMBER, Test::Compare(comparison, Value::Number(number)));
    match comparison {
        Comparison::Eq => Expr::And(vec![is(Comparison::GtEq, first), is(Comparison::LtEq, last)]),
        Comparison::NotEq => Expr::Or(vec![is(Comparison::Lt, first), is(Comparison::Gt, last)]),
        Comparison::Lt | Comparison::GtEq => is(comparison, first),
        Comparison::LtEq | Comparison::Gt => is(comparison, last),
    }
}
