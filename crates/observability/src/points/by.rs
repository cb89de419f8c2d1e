//! What points are told apart by: an attribute.

use std::borrow::Cow;

use mainspring_kernel::text::elide;
use mainspring_lake::Filter;
use serde_json::{Map, Value};

use super::OWN;
use crate::{conventions::is_content, fault::TraceFault, query::By, table::Rows};

/// Longer names have no attributes.
const KEY_BYTES: usize = 200;
const ATTRIBUTES: &str = "attributes";

/// Whether points can be told apart by this: it is the name of an attribute, and not of one that holds what people wrote.
pub fn check_point_attribute(name: &str) -> Result<(), TraceFault> {
    PointBy::read(name).map(drop)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PointBy {
    /// Attributes that have a column of their own are not looked for in the others.
    Column(&'static str),
    Attribute(String),
}

impl PointBy {
    /// Reads a name as senders say it, such as `http.route`, or as columns are called, such as `service`.
    pub(super) fn read(name: &str) -> Result<Self, TraceFault> {
        let wrong = |what: &str| TraceFault::Question { reason: format!("`{}` {what}", elide(name, 60)) };
        if let Some(&(column, _)) = OWN.iter().find(|(column, key)| *column == name || *key == name) {
            return Ok(Self::Column(column));
        }
        if name.is_empty() || name.len() > KEY_BYTES {
            return Err(wrong("is no name of an attribute"));
        }
        // As filters of spans write it; nothing is called so, and it would find nothing.
        if name.starts_with("attributes[") {
            return Err(wrong("is of spans: of a metric write the name of the attribute alone"));
        }
        if is_content(name) {
            return Err(wrong("holds what people wrote, which no groups are made of"));
        }
        Ok(Self::Attribute(name.to_owned()))
    }

    /// Points of which it is one of these, as groups call them.
    pub(super) fn one_of(&self, values: &[String]) -> Filter {
        let by = match *self {
            Self::Column(column) => By::Column(column),
            Self::Attribute(ref name) => By::Attribute(name.clone()),
        };
        by.one_of(values)
    }

    /// The column that is read for it.
    pub(super) fn column(&self) -> &str {
        match self {
            Self::Column(column) => column,
            Self::Attribute(_) => ATTRIBUTES,
        }
    }

    /// The group of a row: a text, or a number or a truth as it is written; none where there is no such value.
    pub(super) fn of<'r>(&self, rows: &'r Rows<'_>, row: usize) -> Result<Option<Cow<'r, str>>, TraceFault> {
        let kept = rows.text(self.column(), row)?;
        let Self::Attribute(name) = self else { return Ok(kept.map(Cow::Borrowed)) };
        let attributes = kept.map(serde_json::from_str::<Map<String, Value>>).transpose();
        let unreadable = |_| TraceFault::Unreadable { reason: "`attributes` of a metric's point".to_owned() };
        let mut attributes = attributes.map_err(unreadable)?.unwrap_or_default();
        Ok(match attributes.remove(name) {
            Some(Value::String(text)) => Some(Cow::Owned(text)),
            Some(other @ (Value::Number(_) | Value::Bool(_))) => Some(Cow::Owned(other.to_string())),
            _ => None,
        })
    }
}
