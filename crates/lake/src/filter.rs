//! Conditions on rows, as data. An engine translates them; nobody pastes text.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Scalar {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<i64> for Scalar {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// A condition. Columns are names of the table's own schema; an unknown one is a fault, not an empty answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    All,
    Eq(String, Scalar),
    NotEq(String, Scalar),
    Lt(String, Scalar),
    LtEq(String, Scalar),
    Gt(String, Scalar),
    GtEq(String, Scalar),
    In(String, Vec<Scalar>),
    /// A list column holds at least one of these.
    HasAny(String, Vec<String>),
    /// A text column contains this, letter case ignored.
    Contains(String, String),
    StartsWith(String, String),
    IsNull(String),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
}

impl Filter {
    pub fn eq(column: &str, value: impl Into<Scalar>) -> Self {
        Self::Eq(column.to_owned(), value.into())
    }

    pub fn any_of<S: Into<Scalar>>(column: &str, values: impl IntoIterator<Item = S>) -> Self {
        Self::In(column.to_owned(), values.into_iter().map(Into::into).collect())
    }

    /// Both conditions; `All` adds nothing.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, other) => other,
            (this, Self::All) => this,
            (Self::And(mut parts), other) => {
                parts.push(other);
                Self::And(parts)
            }
            (this, other) => Self::And(vec![this, other]),
        }
    }

    #[must_use]
    pub const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }
}
