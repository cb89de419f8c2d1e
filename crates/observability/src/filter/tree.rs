//! A filter as a tree, and the tree as text.

use std::{fmt, str::FromStr, sync::Arc};

use mainspring_kernel::{Money, Timestamp};

use super::{
    fault::FilterFault,
    fields::{KnownField, known},
    parser, records,
};
use crate::{scores::Scored, senders::app_of};

/// Which spans are meant. Every part is true or false: a comparison with what a span does not have is false.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanFilter(pub(crate) Expr);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    /// None: every span.
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Is(Condition),
    /// What a condition on scores found: it takes its place before anything is asked of spans.
    Scored(Arc<Scored>),
    /// It may be so or not: what nobody has looked up yet lets every span through, and so does its opposite.
    Open,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) field: Field,
    pub(crate) test: Test,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Field {
    Known(&'static KnownField),
    /// Of the span's own attributes.
    Attribute(String),
    /// A score of this name, of the span or of the trace that is entered by it.
    Score(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Compare(Comparison, Value),
    In(Vec<Value>),
    Contains(String),
    /// All of these, wherever they stand.
    Words(Vec<String>),
    StartsWith(String),
    Exists,
    /// A flag, by itself.
    Holds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Flag(bool),
    Number(i64),
    Decimal(f64),
    /// Microseconds.
    Duration(i64),
    /// Billionths of a dollar.
    Money(i64),
    Time(Moment),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    At(Timestamp),
    /// So many microseconds before whoever asks does so.
    Ago(i64),
}

impl Moment {
    pub(crate) const fn micros(self, now: Timestamp) -> i64 {
        match self {
            Self::At(time) => time.as_micros(),
            Self::Ago(micros) => now.as_micros().saturating_sub(micros),
        }
    }
}

impl SpanFilter {
    /// Every span.
    #[must_use]
    pub const fn all() -> Self {
        Self(Expr::And(Vec::new()))
    }

    /// Log records.
    pub(crate) fn logs() -> Self {
        Self(records::log())
    }

    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::all()
    }

    /// What passes both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        match (self.is_all(), other.is_all()) {
            (true, _) => other.clone(),
            (false, true) => self.clone(),
            (false, false) => Self(Expr::And(vec![self.0.clone(), other.0.clone()])),
        }
    }

    /// Those of its spans that one of these services sent, or apps of this server (`senders.rs`); none among them is whoever does
    /// not say its name.
    #[must_use]
    pub fn of_services(&self, services: &[Option<String>]) -> Self {
        let Some((service, app)) = known("service").zip(known("app")).filter(|_| !services.is_empty()) else {
            return self.clone();
        };
        let is = |field, test| Expr::Is(Condition { field: Field::Known(field), test });
        let unsaid = |field| Expr::Not(Box::new(is(field, Test::Exists)));
        let any_of = |names: Vec<&str>| Test::In(names.into_iter().map(|name| Value::Text(name.to_owned())).collect());
        let named: Vec<&str> = services.iter().flatten().map(String::as_str).collect();
        let apps: Vec<&str> = named.iter().copied().filter_map(app_of).collect();
        let mut any = Vec::new();
        if services.contains(&None) {
            any.push(Expr::And(vec![unsaid(service), unsaid(app)]));
        }
        if !apps.is_empty() {
            any.push(Expr::And(vec![unsaid(service), is(app, any_of(apps))]));
        }
        if !named.is_empty() {
            any.push(is(service, any_of(named)));
        }
        self.and(&Self(Expr::Or(any)))
    }

    /// Whether it asks for scores: of a span that has just come nobody knows any.
    #[must_use]
    pub fn asks_for_scores(&self) -> bool {
        !self.scores().is_empty()
    }

    /// Names of scores and what is asked of them, in the order of the text.
    pub(crate) fn scores(&self) -> Vec<(&str, &Test)> {
        let mut found = Vec::new();
        self.0.scores(&mut found);
        found
    }

    /// The name of the score of which nothing is asked but that it exists, where that is all.
    pub(crate) fn score_that_exists(&self) -> Option<&str> {
        match &self.0 {
            Expr::Is(Condition { field: Field::Score(name), test: Test::Exists }) => Some(name),
            _ => None,
        }
    }

    /// The same of an attribute.
    pub(crate) fn attribute_that_exists(&self) -> Option<&str> {
        match &self.0 {
            Expr::Is(Condition { field: Field::Attribute(key), test: Test::Exists }) => Some(key),
            _ => None,
        }
    }

    /// Whether it means other spans later: it says of a time how long ago it was.
    pub(crate) fn is_relative(&self) -> bool {
        self.0.is_relative()
    }

    /// A filter that lets through every span that this one does, and asks for no scores.
    pub(crate) fn without_scores(&self) -> Self {
        Self(self.0.without_scores())
    }

    /// The same with what those conditions found in their place, in the same order.
    pub(crate) fn with_scores(&self, found: Vec<Scored>) -> Self {
        Self(self.0.with_scores(&mut found.into_iter()))
    }
}

impl Default for SpanFilter {
    fn default() -> Self {
        Self::all()
    }
}

impl FromStr for SpanFilter {
    type Err = FilterFault;

    fn from_str(text: &str) -> Result<Self, FilterFault> {
        parser::parse(text).map(Self)
    }
}

impl fmt::Display for SpanFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => joined(f, parts, " and "),
            Self::Or(parts) => joined(f, parts, " or "),
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.guarded(f)
            }
            Self::Is(condition) => fmt::Display::fmt(condition, f),
            Self::Scored(scored) => write!(f, "scored in {} traces", scored.traces.len()),
            Self::Open => f.write_str("scored or not"),
        }
    }
}

impl Expr {
    fn scores<'a>(&'a self, found: &mut Vec<(&'a str, &'a Test)>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.scores(found)),
            Self::Not(inner) => inner.scores(found),
            Self::Is(Condition { field: Field::Score(name), test }) => found.push((name.as_str(), test)),
            Self::Is(_) | Self::Scored(_) | Self::Open => {}
        }
    }

    fn is_relative(&self) -> bool {
        let ago = |value: &Value| matches!(value, Value::Time(Moment::Ago(_)));
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::is_relative),
            Self::Not(inner) => inner.is_relative(),
            Self::Is(Condition { test: Test::Compare(_, value), .. }) => ago(value),
            Self::Is(Condition { test: Test::In(values), .. }) => values.iter().any(ago),
            Self::Is(_) | Self::Scored(_) | Self::Open => false,
        }
    }

    fn without_scores(&self) -> Self {
        match self {
            Self::And(parts) => Self::And(parts.iter().map(Self::without_scores).collect()),
            Self::Or(parts) => Self::Or(parts.iter().map(Self::without_scores).collect()),
            Self::Not(inner) => Self::Not(Box::new(inner.without_scores())),
            Self::Is(Condition { field: Field::Score(_), .. }) => Self::Open,
            Self::Is(_) | Self::Scored(_) | Self::Open => self.clone(),
        }
    }

    fn with_scores(&self, found: &mut impl Iterator<Item = Scored>) -> Self {
        match self {
            Self::And(parts) => Self::And(parts.iter().map(|part| part.with_scores(found)).collect()),
            Self::Or(parts) => Self::Or(parts.iter().map(|part| part.with_scores(found)).collect()),
            Self::Not(inner) => Self::Not(Box::new(inner.with_scores(found))),
            Self::Is(Condition { field: Field::Score(_), .. }) => Self::Scored(Arc::new(found.next().unwrap_or_default())),
            Self::Is(_) | Self::Scored(_) | Self::Open => self.clone(),
        }
    }

    /// In parentheses where it has several parts.
    fn guarded(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(_) | Self::Or(_) => write!(f, "({self})"),
            Self::Not(_) | Self::Is(_) | Self::Scored(_) | Self::Open => fmt::Display::fmt(self, f),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        part.guarded(f)?;
    }
    Ok(())
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, test } = self;
        write!(f, "{field}")?;
        match test {
            Test::Compare(comparison, value) => write!(f, " {} {value}", comparison.shown()),
            Test::In(values) => {
                f.write_str(" in (")?;
                for (at, value) in values.iter().enumerate() {
                    f.write_str(if at > 0 { ", " } else { "" })?;
                    fmt::Display::fmt(value, f)?;
                }
                f.write_str(")")
            }
            Test::Contains(text) => write!(f, " contains {}", Quoted(text)),
            Test::Words(words) => write!(f, " words {}", Quoted(&words.join(" "))),
            Test::StartsWith(text) => write!(f, " starts_with {}", Quoted(text)),
            Test::Exists => f.write_str(" exists"),
            Test::Holds => Ok(()),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(field) => f.write_str(field.name),
            Self::Attribute(key) => write!(f, "attributes[{}]", Quoted(key)),
            Self::Score(name) => write!(f, "score[{}]", Quoted(name)),
        }
    }
}

/// The field of a score as every name can be written.
pub(crate) fn score_written(name: &str) -> String {
    Field::Score(name.to_owned()).to_string()
}

impl Comparison {
    pub(crate) const fn shown(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::NotEq => "!=",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
        }
    }

    /// Whether it holds for two values in this order.
    pub(crate) const fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::NotEq => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::LtEq => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::GtEq => order.is_ge(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => fmt::Display::fmt(&Quoted(text), f),
            Self::Flag(flag) => fmt::Display::fmt(flag, f),
            Self::Number(number) => fmt::Display::fmt(number, f),
            // With a point or an exponent, so that it is read as a decimal again.
            Self::Decimal(number) => write!(f, "{number:?}"),
            Self::Duration(micros) => span(f, *micros),
            Self::Money(nanos) => fmt::Display::fmt(&Money::from_pico(i128::from(*nanos) * 1000), f),
            Self::Time(Moment::At(time)) => fmt::Display::fmt(time, f),
            Self::Time(Moment::Ago(0)) => f.write_str("now"),
            Self::Time(Moment::Ago(micros)) => {
                f.write_str("-")?;
                span(f, *micros)
            }
        }
    }
}

/// Units of time, the largest first, in microseconds.
pub(super) const UNITS: [(&str, i64); 6] =
    [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

/// In the largest unit that loses nothing.
fn span(f: &mut fmt::Formatter<'_>, micros: i64) -> fmt::Result {
    let fits = UNITS.into_iter().find(|(_, unit)| micros != 0 && micros % unit == 0);
    let (name, unit) = fits.unwrap_or(("s", 1_000_000));
    write!(f, "{}{name}", micros / unit)
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for letter in self.0.chars() {
            match letter {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                letter => fmt::Write::write_char(f, letter)?,
            }
        }
        f.write_str("\"")
    }
}
