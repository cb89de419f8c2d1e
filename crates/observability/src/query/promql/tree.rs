//! A question in PromQL as a tree, and the tree as text.

use std::fmt;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Number(f64),
    Selector(Selector),
    Window { function: Function, selector: Selector, micros: i64 },
    Aggregate { of: Aggregation, by: Vec<String>, inner: Box<Self>, at: usize },
    Negative(Box<Self>),
    Binary { left: Box<Self>, operator: Operator, right: Box<Self> },
}

#[derive(Debug, Clone)]
pub(super) struct Selector {
    pub(super) name: String,
    pub(super) matchers: Vec<Matcher>,
    /// Where it stands, counted from one.
    pub(super) at: usize,
}

/// Wherever it stands.
impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.matchers == other.matchers
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) test: Test,
    pub(super) value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    NotEqual,
    Matches,
    MatchesNot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Rate,
    Increase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregation {
    Sum,
    Avg,
    Min,
    Max,
    Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Plus,
    Minus,
    Times,
    Over,
}

impl Selector {
    /// Lets its series tell this label, whatever it is.
    pub(super) fn mention(&mut self, label: &str) {
        self.matchers.push(Matcher { label: label.to_owned(), test: Test::Matches, value: ".*".to_owned() });
    }
}

impl Operator {
    pub(super) fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Plus => left + right,
            Self::Minus => left - right,
            Self::Times => left * right,
            Self::Over => left / right,
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) if number.is_infinite() => f.write_str("Inf"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Selector(selector) => write!(f, "{selector}"),
            Self::Window { function, selector, micros } => {
                let name = match function {
                    Function::Rate => "rate",
                    Function::Increase => "increase",
                };
                write!(f, "{name}({selector}[{}ms])", micros / 1_000)
            }
            Self::Aggregate { of, by, inner, at: _ } => {
                let name = match of {
                    Aggregation::Sum => "sum",
                    Aggregation::Avg => "avg",
                    Aggregation::Min => "min",
                    Aggregation::Max => "max",
                    Aggregation::Count => "count",
                };
                write!(f, "{name} by ({}) ({inner})", by.join(", "))
            }
            Self::Negative(inner) => write!(f, "-({inner})"),
            Self::Binary { left, operator, right } => {
                let sign = match operator {
                    Operator::Plus => '+',
                    Operator::Minus => '-',
                    Operator::Times => '*',
                    Operator::Over => '/',
                };
                write!(f, "(({left}) {sign} ({right}))")
            }
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.matchers.is_empty() {
            return Ok(());
        }
        f.write_str("{")?;
        for (at, matcher) in self.matchers.iter().enumerate() {
            write!(f, "{}{matcher}", if at == 0 { "" } else { "," })?;
        }
        f.write_str("}")
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.test {
            Test::Equal => "=",
            Test::NotEqual => "!=",
            Test::Matches => "=~",
            Test::MatchesNot => "!~",
        };
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{}{sign}\"{value}\"", self.label)
    }
}
