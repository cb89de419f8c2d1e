//! The answer for one span in memory: the same as the table would give.

use std::cmp::Ordering;

use arrow_array::{Array, BooleanArray, ListArray, StringArray};
use mainspring_kernel::Timestamp;
use mainspring_lake::IdSet;
use mainspring_llm::Span;
use serde_json::{Map, Value as Json};

use super::{
    fields::{FieldKind, KnownField},
    records,
    tree::{Comparison, Condition, Expr, Field, SpanFilter, Test, Value},
};
use crate::{
    fault::TraceFault,
    searched::{CONTENT, REST},
    table::{Rows, to_batch},
};

/// One row of the table, wherever it lies.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    rows: &'a Rows<'a>,
    row: usize,
}

impl SpanFilter {
    /// Whether a span is meant, by whoever asks now.
    pub fn matches(&self, span: &Span, now: Timestamp) -> Result<bool, TraceFault> {
        let batch = to_batch(std::slice::from_ref(span))?;
        self.holds(At::new(&Rows(&batch), 0), now)
    }

    pub(crate) fn holds(&self, at: At<'_>, now: Timestamp) -> Result<bool, TraceFault> {
        holds(&self.0, at, now)
    }
}

fn holds(expr: &Expr, at: At<'_>, now: Timestamp) -> Result<bool, TraceFault> {
    match expr {
        Expr::And(parts) => each(parts, false, at, now),
        Expr::Or(parts) => each(parts, true, at, now),
        Expr::Not(inner) => Ok(!holds(inner, at, now)?),
        Expr::Is(Condition { field: Field::Known(field), test }) => known(field, test, at, now),
        Expr::Is(Condition { field: Field::Attribute(key), test }) => Ok(attribute(at.attributes()?.get(key), test)),
        Expr::Is(Condition { field: Field::Score(_), .. }) => {
            Err(TraceFault::Question { reason: "spans that have just come have no scores yet".into() })
        }
        Expr::Scored(scored) => {
            let has = |column: &str, among: &IdSet| -> Result<bool, TraceFault> {
                Ok(at.text(column)?.is_some_and(|text| among.contains(text)))
            };
            let of_trace = has("trace", &scored.traces)? && (at.flag("entry")? || has("span", &scored.spans)?);
            Ok(of_trace || at.text("session")?.is_some_and(|session| scored.sessions.contains(session)))
        }
        Expr::Open => Err(TraceFault::Question { reason: "scores that were not looked up tell nothing of a span".into() }),
    }
}

/// Looks no further than the first part that decides.
fn each(parts: &[Expr], decides: bool, at: At<'_>, now: Timestamp) -> Result<bool, TraceFault> {
    for part in parts {
        if holds(part, at, now)? == decides {
            return Ok(decides);
        }
    }
    Ok(!decides)
}

fn known(field: &KnownField, test: &Test, at: At<'_>, now: Timestamp) -> Result<bool, TraceFault> {
    match field.kind {
        FieldKind::Flag => {
            let is_so = match field.name {
                "error" => at.text(field.column)? == Some("error"),
                "log" => holds(&records::log(), at, now)?,
                _ => at.flag(field.column)?,
            };
            Ok(flag(test) == is_so)
        }
        FieldKind::Severity => holds(&records::severity(test), at, now),
        FieldKind::List => Ok(at.list(field.column)?.is_some_and(|list| listed(&list, test))),
        FieldKind::Text if field.column == CONTENT => content(test, at),
        FieldKind::Text => Ok(at.text(field.column)?.is_some_and(|text| textual(text, test))),
        FieldKind::Number | FieldKind::Duration | FieldKind::Money | FieldKind::Time => {
            Ok(at.number(field.column)?.is_some_and(|number| numeric(number, test, now)))
        }
    }
}

/// What is looked for may lie in the beginning, or in what comes behind it.
fn content(test: &Test, at: At<'_>) -> Result<bool, TraceFault> {
    let beginning = at.text(CONTENT)?.unwrap_or_default();
    let words = match test {
        Test::Contains(part) => std::slice::from_ref(part),
        Test::Words(words) => words.as_slice(),
        _ => return Ok(textual(beginning, test)),
    };
    let texts = [beginning.to_lowercase(), at.text(REST)?.unwrap_or_default().to_lowercase()];
    let holds = |word: &String| texts.iter().any(|text| text.contains(&word.to_lowercase()));
    Ok(words.iter().all(holds))
}

/// What a flag must be.
fn flag(test: &Test) -> bool {
    match test {
        Test::Compare(comparison, Value::Flag(flag)) => *flag == (*comparison == Comparison::Eq),
        _ => true,
    }
}

fn listed(list: &[String], test: &Test) -> bool {
    let holds = |value: &Value| matches!(value, Value::Text(text) if list.contains(text));
    match test {
        Test::Compare(_, value) => holds(value),
        Test::In(values) => values.iter().any(holds),
        _ => true,
    }
}

fn textual(text: &str, test: &Test) -> bool {
    let is = |value: &Value| matches!(value, Value::Text(wanted) if wanted == text);
    match test {
        Test::Compare(Comparison::NotEq, value) => !is(value),
        Test::Compare(_, value) => is(value),
        Test::In(values) => values.iter().any(is),
        Test::Contains(part) => text.to_lowercase().contains(&part.to_lowercase()),
        Test::Words(words) => {
            let text = text.to_lowercase();
            words.iter().all(|word| text.contains(&word.to_lowercase()))
        }
        Test::StartsWith(start) => text.starts_with(start.as_str()),
        Test::Exists | Test::Holds => true,
    }
}

fn numeric(number: i64, test: &Test, now: Timestamp) -> bool {
    let order = |value: &Value| match value {
        Value::Number(other) | Value::Duration(other) | Value::Money(other) => Some(number.cmp(other)),
        Value::Time(moment) => Some(number.cmp(&moment.micros(now))),
        Value::Text(_) | Value::Flag(_) | Value::Decimal(_) => None,
    };
    match test {
        Test::Compare(comparison, value) => order(value).is_some_and(|order| comparison.holds(order)),
        Test::In(values) => values.iter().any(|value| order(value) == Some(Ordering::Equal)),
        _ => true,
    }
}

/// Of an attribute; with one of another kind nothing is compared.
fn attribute(found: Option<&Json>, test: &Test) -> bool {
    let Some(found) = found.filter(|found| !found.is_null()) else { return false };
    match test {
        Test::Exists | Test::Holds => true,
        Test::Compare(comparison, value) => order(found, value).is_some_and(|order| comparison.holds(order)),
        Test::In(values) => values.iter().any(|value| order(found, value) == Some(Ordering::Equal)),
        Test::Contains(_) | Test::Words(_) | Test::StartsWith(_) => found.as_str().is_some_and(|text| textual(text, test)),
    }
}

fn order(found: &Json, value: &Value) -> Option<Ordering> {
    match value {
        Value::Text(text) => found.as_str().map(|found| found.cmp(text)),
        Value::Flag(flag) => found.as_bool().map(|found| found.cmp(flag)),
        Value::Number(number) => match found.as_i64() {
            Some(found) => Some(found.cmp(number)),
            #[expect(clippy::cast_precision_loss, reason = "what is no whole number is compared as a float")]
            None => found.as_f64()?.partial_cmp(&(*number as f64)),
        },
        Value::Decimal(number) => found.as_f64()?.partial_cmp(number),
        Value::Duration(_) | Value::Money(_) | Value::Time(_) => None,
    }
}

impl<'a> At<'a> {
    pub(crate) const fn new(rows: &'a Rows<'a>, row: usize) -> Self {
        Self { rows, row }
    }

    fn text(self, column: &str) -> Result<Option<&'a str>, TraceFault> {
        self.rows.text(column, self.row)
    }

    fn number(self, column: &str) -> Result<Option<i64>, TraceFault> {
        self.rows.number(column, self.row)
    }

    pub(crate) fn flag(self, column: &str) -> Result<bool, TraceFault> {
        let found = self.array::<BooleanArray>(column)?;
        Ok(!found.is_null(self.row) && found.value(self.row))
    }

    pub(crate) fn list(self, column: &str) -> Result<Option<Vec<String>>, TraceFault> {
        let found = self.array::<ListArray>(column)?;
        if found.is_null(self.row) {
            return Ok(None);
        }
        let values = found.value(self.row);
        let texts = values.as_any().downcast_ref::<StringArray>().ok_or_else(|| unreadable(column))?;
        Ok(Some(texts.iter().flatten().map(str::to_owned).collect()))
    }

    fn attributes(self) -> Result<Map<String, Json>, TraceFault> {
        let text = self.text("attributes")?.unwrap_or("{}");
        serde_json::from_str(text).map_err(|_| unreadable("attributes"))
    }

    fn array<T: Array + 'static>(self, column: &str) -> Result<&'a T, TraceFault> {
        self.rows.0.column_by_name(column).and_then(|found| found.as_any().downcast_ref()).ok_or_else(|| unreadable(column))
    }
}

fn unreadable(column: &str) -> TraceFault {
    TraceFault::Unreadable { reason: format!("`{column}` of a span") }
}
