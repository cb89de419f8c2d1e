//! What was used and what it cost, from the sums by the hour.

use std::str::FromStr;

use mainspring_kernel::{Actor, Money, Role, Timestamp, id::ProjectId, text};
use serde::{Deserialize, Serialize};

use super::{
    Ledger,
    fault::LedgerFault,
    rules::needs,
    window::{hour_of, hour_start},
};
use crate::{
    record::CallRecord,
    store::{self, UsageSum},
};

/// Groups in one answer; what comes after them is only counted in the total.
pub(super) const ROWS_MAX: usize = 1_000;

/// What the rows of a report stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UsageBy {
    /// One row for all.
    #[default]
    Project,
    Key,
    Principal,
    User,
    App,
    Route,
    /// As clients named it.
    Model,
    Provider,
    /// Provider and model, as the provider names it.
    Target,
    /// In UTC.
    Day,
    Hour,
}

impl UsageBy {
    pub const ALL: [Self; 11] = [
        Self::Project,
        Self::Key,
        Self::Principal,
        Self::User,
        Self::App,
        Self::Route,
        Self::Model,
        Self::Provider,
        Self::Target,
        Self::Day,
        Self::Hour,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Key => "key",
            Self::Principal => "principal",
            Self::User => "user",
            Self::App => "app",
            Self::Route => "route",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Target => "target",
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }
}

impl UsageBy {
    /// Under which name a call counts, or what of it was used at a provider: as the sums have it.
    pub(crate) fn name_of(self, record: &CallRecord, (provider, target): (Option<&str>, Option<&str>)) -> String {
        let CallRecord { caller, .. } = record;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        match self {
            Self::Project => caller.project.to_string(),
            Self::Key => caller.key.map(|key| key.to_string()).unwrap_or_default(),
            Self::Principal => caller.principal.to_string(),
            Self::User => text(caller.user.as_deref()),
            Self::App => text(caller.app.as_deref()),
            Self::Route => text(record.route.as_deref()),
            Self::Model => record.model.clone(),
            Self::Provider => text(provider),
            Self::Target => match provider.filter(|provider| !provider.is_empty()) {
                Some(provider) => format!("{provider}/{}", target.unwrap_or_default()),
                None => record.model.clone(),
            },
            Self::Day => beginning(self, hour_of(record.at).div_euclid(24)),
            Self::Hour => beginning(self, hour_of(record.at)),
        }
    }
}

impl FromStr for UsageBy {
    type Err = LedgerFault;

    fn from_str(given: &str) -> Result<Self, LedgerFault> {
        Self::ALL.into_iter().find(|by| by.as_str() == given).ok_or_else(|| LedgerFault::BadQuestion {
            reason: format!(
                "usage is not counted by `{}`{}",
                text::elide(given, 40),
                text::did_you_mean(given, Self::ALL.iter().map(|by| by.as_str()))
            ),
        })
    }
}

/// Only calls of these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageFilter {
    pub key: Option<String>,
    pub user: Option<String>,
    pub app: Option<String>,
    pub model: Option<String>,
    pub provider: Option<String>,
}

impl UsageFilter {
    /// Whether a call is one of these, whoever answered it.
    pub(crate) fn passes(&self, record: &CallRecord) -> bool {
        let Self { key, user, app, model, provider: _ } = self;
        let own = key.as_ref().and(record.caller.key).map(|key| key.to_string());
        is(key, own.as_deref())
            && is(user, record.caller.user.as_deref())
            && is(app, record.caller.app.as_deref())
            && is(model, Some(&record.model))
    }

    /// Whether what was used at a provider is of these.
    pub(crate) fn is_at(&self, provider: Option<&str>) -> bool {
        is(&self.provider, provider)
    }
}

/// What is absent is empty, as in the sums.
fn is(wanted: &Option<String>, found: Option<&str>) -> bool {
    wanted.as_deref().is_none_or(|wanted| wanted == found.unwrap_or_default())
}

/// Calls that began in a stretch of time. Where sums are read it is widened to whole hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuestion {
    pub by: UsageBy,
    pub since: Timestamp,
    pub until: Timestamp,
    pub filter: UsageFilter,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageRow {
    /// Empty where calls had none: no key, no user, no route.
    pub name: String,
    pub calls: u64,
    pub failed: u64,
    /// Calls that used tokens nobody has a price for: the cost is without them.
    pub unpriced: u64,
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub input_audio: u64,
    pub input_image: u64,
    pub reasoning: u64,
    pub output_audio: u64,
    pub output_image: u64,
    /// Of the input and of the output: what was guessed, since nobody said. Their parts are always as reported.
    pub input_estimated: u64,
    pub output_estimated: u64,
    pub cost: Money,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReport {
    pub since: Timestamp,
    pub until: Timestamp,
    pub total: UsageRow,
    /// The dearest first; days and hours in their order.
    pub rows: Vec<UsageRow>,
    /// There are more rows than were asked for.
    pub cut: bool,
}

impl From<UsageSum> for UsageRow {
    fn from(sum: UsageSum) -> Self {
        let UsageSum { name, calls, failed, unpriced, input, output, cache_read, cache_write, .. } = sum;
        let UsageSum { input_audio, input_image, reasoning, output_audio, output_image, .. } = sum;
        let UsageSum { input_estimated, output_estimated, cost, .. } = sum;
        Self {
            name,
            calls,
            failed,
            unpriced,
            input,
            output,
            cache_read,
            cache_write,
            input_audio,
            input_image,
            reasoning,
            output_audio,
            output_image,
            input_estimated,
            output_estimated,
            cost,
        }
    }
}

impl Ledger {
    /// What the actor's project used. Calls are counted once they are in the catalog, a moment after they ended.
    pub async fn usage(&self, actor: &Actor, question: &UsageQuestion) -> Result<UsageReport, LedgerFault> {
        needs(actor, Role::Reader)?;
        self.report(Some(actor.project), question).await
    }

    /// What all projects used together; by project a row for each, by its id. For who administers the installation, which
    /// whoever asks has made sure of.
    pub async fn usage_of_all(&self, actor: &Actor, question: &UsageQuestion) -> Result<UsageReport, LedgerFault> {
        needs(actor, Role::Admin)?;
        self.report(None, question).await
    }

    async fn report(&self, project: Option<ProjectId>, question: &UsageQuestion) -> Result<UsageReport, LedgerFault> {
        let UsageQuestion { by, since, until, filter } = question;
        if since >= until {
            return Err(LedgerFault::BadQuestion { reason: "`since` is not before `until`".to_owned() });
        }
        let last = Timestamp::from_micros(until.as_micros() - 1);
        let hours = (hour_of(*since), hour_of(last) + 1);
        let catalog = &self.inner.parts.catalog;
        let total = store::usage(catalog, project, (None, filter), hours, 1).await?;
        let mut sums = store::usage(catalog, project, (Some(*by), filter), hours, ROWS_MAX + 1).await?;
        let cut = sums.len() > ROWS_MAX;
        sums.truncate(ROWS_MAX);
        let mut rows: Vec<UsageRow> = sums.into_iter().map(UsageRow::from).collect();
        if matches!(by, UsageBy::Day | UsageBy::Hour) {
            rows.sort_by_key(|row| row.name.parse::<i64>().unwrap_or_default());
            rows.iter_mut().for_each(|row| row.name = moment(*by, &row.name));
        }
        let total = total.into_iter().next().map(UsageRow::from).unwrap_or_default();
        Ok(UsageReport { since: hour_start(hours.0), until: hour_start(hours.1), total, rows, cut })
    }
}

/// A day or an hour as the catalog counts them, as a date or a time.
fn moment(by: UsageBy, count: &str) -> String {
    beginning(by, count.parse().unwrap_or_default())
}

/// Of a day or an hour, by their number.
fn beginning(by: UsageBy, count: i64) -> String {
    let hour = if by == UsageBy::Day { count.saturating_mul(24) } else { count };
    let text = hour_start(hour).to_string();
    if by == UsageBy::Day { text.split('T').next().unwrap_or_default().to_owned() } else { text }
}
