//! Conditions on rows, as data. An engine translates them; nobody pastes text.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::IdSet;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

/// What is asked of a value inside of JSON. Where there is none, or one of another kind than it is compared with, the answer
/// is unknown as with a null: neither the test nor its negation finds the row. `Exists` alone always has an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonTest {
    /// There is a value, and it is not null.
    Exists,
    Is(Comparison, Scalar),
    OneOf(Vec<Scalar>),
    /// A text that contains this, letter case ignored.
    Contains(String),
    StartsWith(String),
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
    /// A text column holds one of these ids. For as many as there are: no index leads to them, every row is asked.
    Ids(String, Arc<IdSet>),
    /// A list column holds at least one of these.
    HasAny(String, Vec<String>),
    /// A text column contains this, letter case ignored.
    Contains(String, String),
    StartsWith(String, String),
    /// A text column with a text index holds every one of these words, as its search understands words: letter case, endings
    /// and accents do not count. Plain words; no syntax is interpreted, and stop words alone find nothing. It finds its rows
    /// by the index, so it stands alone or beside conditions that all hold (`And`); under `Or` and `Not` it is refused.
    Words(String, String),
    /// A value inside of JSON text.
    Json {
        column: String,
        /// The keys from the outermost object inwards; in a list, a number counts from nought.
        path: Vec<String>,
        test: JsonTest,
    },
    IsNull(String),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// Rows of which this is not so: it is false, or unknown. `Not` finds only the former.
    Unless(Box<Self>),
}

impl Filter {
    pub fn eq(column: &str, value: impl Into<Scalar>) -> Self {
        Self::Eq(column.to_owned(), value.into())
    }

    pub fn any_of<S: Into<Scalar>>(column: &str, values: impl IntoIterator<Item = S>) -> Self {
        Self::In(column.to_owned(), values.into_iter().map(Into::into).collect())
    }

    /// There is a value.
    pub fn present(column: &str) -> Self {
        Self::Not(Box::new(Self::IsNull(column.to_owned())))
    }

    /// A value inside of JSON text, under these keys.
    pub fn json(column: &str, path: &[&str], test: JsonTest) -> Self {
        Self::Json { column: column.to_owned(), path: path.iter().map(|key| (*key).to_owned()).collect(), test }
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
