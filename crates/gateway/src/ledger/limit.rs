//! What a limit is.

use std::{fmt, str::FromStr};

use mainspring_kernel::{
    Money, Timestamp,
    id::{LimitId, PrincipalId, ProjectId},
    text,
};
use serde::{Deserialize, Serialize};

use super::{fault::LedgerFault, window::Span};

/// A subject of this name stands for each there is.
pub const EACH: &str = "*";
const COUNT_MAX: u64 = 1_000_000_000;
/// Longer names of users and models are cut, here and in records: they become keys of tables.
pub(crate) const NAME_BYTES_MAX: usize = 200;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    RequestsPerMinute,
    TokensPerMinute,
    Concurrent,
    /// By days and months in UTC.
    UsdPerDay,
    UsdPerMonth,
}

impl Metric {
    pub const ALL: [Self; 5] =
        [Self::RequestsPerMinute, Self::TokensPerMinute, Self::Concurrent, Self::UsdPerDay, Self::UsdPerMonth];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestsPerMinute => "requests_per_minute",
            Self::TokensPerMinute => "tokens_per_minute",
            Self::Concurrent => "concurrent",
            Self::UsdPerDay => "usd_per_day",
            Self::UsdPerMonth => "usd_per_month",
        }
    }

    /// The window of a budget; nothing for what is counted otherwise.
    #[must_use]
    pub const fn span(self) -> Option<Span> {
        match self {
            Self::UsdPerDay => Some(Span::Day),
            Self::UsdPerMonth => Some(Span::Month),
            Self::RequestsPerMinute | Self::TokensPerMinute | Self::Concurrent => None,
        }
    }
}

/// Whom a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// The whole project.
    Project,
    Key,
    /// A person or program of the project, with all their keys.
    Principal,
    /// An end user, as clients name them. Calls that name none count as those of one user.
    User,
    /// A route, or a model that is called without one.
    Model,
}

impl SubjectKind {
    pub const ALL: [Self; 5] = [Self::Project, Self::Key, Self::Principal, Self::User, Self::Model];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Key => "key",
            Self::Principal => "principal",
            Self::User => "user",
            Self::Model => "model",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{given}`: use {known}")]
pub struct WordFault {
    what: &'static str,
    given: String,
    known: String,
}

fn word<T: Copy>(what: &'static str, given: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, WordFault> {
    all.iter().copied().find(|known| name(*known) == given).ok_or_else(|| WordFault {
        what,
        given: text::elide(given, 40),
        known: all.iter().map(|known| name(*known)).collect::<Vec<_>>().join(", "),
    })
}

impl FromStr for Metric {
    type Err = WordFault;
    fn from_str(given: &str) -> Result<Self, WordFault> {
        word("metric", given, &Self::ALL, Self::as_str)
    }
}

impl FromStr for SubjectKind {
    type Err = WordFault;
    fn from_str(given: &str) -> Result<Self, WordFault> {
        word("kind of subject", given, &Self::ALL, Self::as_str)
    }
}

/// How much: a count, or money for budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Amount {
    Count(u64),
    Money(Money),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Money(money) => write!(f, "{money}"),
        }
    }
}

impl Amount {
    /// As people write it, for a metric.
    pub fn read(metric: Metric, text: &str) -> Result<Self, LedgerFault> {
        let bad = |reason: String| LedgerFault::BadLimit { reason };
        if metric.span().is_some() {
            let money: Money =
                text.trim().parse().map_err(|fault: mainspring_kernel::money::MoneyFault| bad(fault.to_string()))?;
            return match units(money) {
                Some(_) if money >= Money::ZERO => Ok(Self::Money(money)),
                _ => Err(bad("a budget is 0 to 9000000 dollars".to_owned())),
            };
        }
        match text.trim().parse() {
            Ok(count @ 1..=COUNT_MAX) => Ok(Self::Count(count)),
            _ => Err(bad(format!("`{}` is not a whole number from 1 to {COUNT_MAX}", text::elide(text, 40)))),
        }
    }

    /// As the catalog has it: a count, or units of 10⁻¹² dollars.
    pub(crate) fn units(self) -> i64 {
        match self {
            Self::Count(count) => i64::try_from(count).unwrap_or(i64::MAX),
            Self::Money(money) => units(money).unwrap_or(i64::MAX),
        }
    }

    pub(crate) fn of_units(metric: Metric, units: i64) -> Self {
        match metric.span() {
            Some(_) => Self::Money(Money::from_pico(units.into())),
            None => Self::Count(units.max(0).unsigned_abs()),
        }
    }
}

/// Money as the catalog has it. Nine million dollars fit, more does not.
pub(crate) fn units(money: Money) -> Option<i64> {
    i64::try_from(money.as_pico()).ok()
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limit {
    pub id: LimitId,
    pub project: ProjectId,
    pub kind: SubjectKind,
    /// Its id or name; `*` for each there is. A limit that names a subject holds for it instead of the one for each.
    pub subject: String,
    pub metric: Metric,
    pub amount: Amount,
    pub created: Timestamp,
    pub created_by: PrincipalId,
}

/// A limit to be set; it takes the place of one with the same subject and metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLimit {
    pub kind: SubjectKind,
    pub subject: String,
    pub metric: Metric,
    pub amount: Amount,
}

impl NewLimit {
    /// A project has one subject, itself; other subjects are names people or programs gave.
    pub(crate) fn checked(mut self) -> Result<Self, LedgerFault> {
        let bad = |reason: &str| LedgerFault::BadLimit { reason: reason.to_owned() };
        if self.kind == SubjectKind::Project {
            EACH.clone_into(&mut self.subject);
        }
        if self.subject.is_empty() || self.subject.len() > NAME_BYTES_MAX || self.subject.chars().any(char::is_control) {
            return Err(bad("its subject is empty, longer than 200 bytes, or holds control characters"));
        }
        match (self.amount, self.metric.span()) {
            (Amount::Count(_), None) | (Amount::Money(_), Some(_)) => Ok(self),
            _ => Err(bad("a budget is money, other limits are counts")),
        }
    }
}

/// Text from clients as tables take it: without NUL, which PostgreSQL refuses, and short enough for a key.
pub(crate) fn tame(name: &str) -> String {
    let end = if name.len() <= NAME_BYTES_MAX {
        name.len()
    } else {
        (0..=NAME_BYTES_MAX - 3).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0)
    };
    let kept = name[..end].replace('\0', "?");
    if end < name.len() { format!("{kept}…") } else { kept }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Amount, Metric, NAME_BYTES_MAX, NewLimit, SubjectKind, tame};

    #[test]
    fn words_and_amounts_are_read_as_they_are_written() {
        for metric in Metric::ALL {
            assert_eq!(metric.as_str().parse(), Ok(metric));
            let amount = Amount::read(metric, "12").unwrap();
            assert_eq!(Amount::of_units(metric, amount.units()), amount);
            assert_eq!(amount.to_string(), if metric.span().is_some() { "12.00" } else { "12" });
        }
        for kind in SubjectKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("requests".parse::<Metric>().unwrap_err().to_string().contains("requests_per_minute"));
        for (metric, text) in [
            (Metric::Concurrent, "0"),
            (Metric::Concurrent, "1.5"),
            (Metric::RequestsPerMinute, "many"),
            (Metric::TokensPerMinute, "9999999999"),
            (Metric::UsdPerDay, "-1"),
            (Metric::UsdPerMonth, "10000000"),
            (Metric::UsdPerMonth, "a lot"),
        ] {
            assert!(Amount::read(metric, text).is_err(), "{metric:?} {text}");
        }
    }

    #[test]
    fn a_budget_is_money_and_a_subject_has_a_name() {
        let new = |kind, subject: &str, metric, amount| NewLimit { kind, subject: subject.to_owned(), metric, amount }.checked();
        let count = Amount::Count(5);
        assert_eq!(new(SubjectKind::Project, "whatever", Metric::Concurrent, count).unwrap().subject, "*");
        assert!(new(SubjectKind::User, "ann", Metric::Concurrent, count).is_ok());
        assert!(new(SubjectKind::User, "", Metric::Concurrent, count).is_err());
        assert!(new(SubjectKind::User, "a\nb", Metric::Concurrent, count).is_err());
        assert!(new(SubjectKind::User, "ann", Metric::UsdPerDay, count).is_err());
    }

    proptest! {
        #[test]
        fn tamed_names_fit_and_short_ones_are_kept(name in "\\PC{0,300}") {
            let tamed = tame(&name);
            prop_assert!(tamed.len() <= NAME_BYTES_MAX && !tamed.contains('\0'));
            prop_assert!(name.len() > NAME_BYTES_MAX || tamed == name);
        }
    }
}
