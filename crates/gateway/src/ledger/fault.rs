use std::time::Duration;

use http::HeaderMap;
use mainspring_catalog::CatalogFault;
use mainspring_kernel::{Fault, FaultKind, Money, Role, id::LimitId, page::PageFault};
use mainspring_registry::RegistryFault;

use super::limit::Metric;

/// Why a call may not be made, or why what was spent cannot be said.
#[derive(Debug, thiserror::Error)]
pub enum LedgerFault {
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// No waiting helps: the call is dearer than all that may be spent in a day or a month.
    #[error("{0}")]
    TooDear(Box<TooDear>),
    /// A share of a limit that several processes keep together, or the project's prices, are on their way.
    #[error("{what} are being fetched")]
    NotReady { what: &'static str },
    #[error("a budget holds for this call, and nobody knows what `{model}` costs at provider `{provider}`")]
    Unpriced { model: String, provider: String },
    #[error("the catalog is away and {waiting} calls wait to be written to it")]
    Behind { waiting: u64 },
    #[error("the call may cost more than can be counted")]
    TooMuchMoney,
    #[error("the journal of calls in {dir} cannot be used")]
    Journal {
        dir: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the disk that holds the journal of calls is full")]
    DiskFull(#[source] std::io::Error),
    #[error("the journal of calls was written by a newer version of mainspring (format {version})")]
    Newer { version: u32 },
    #[error("another process writes calls under this process's name")]
    Usurped,
    #[error("the limit cannot be: {reason}")]
    BadLimit { reason: String },
    #[error("limit {id} does not exist")]
    LimitNotFound { id: LimitId },
    #[error("a project has at most {max} limits")]
    TooManyLimits { max: usize },
    #[error("this takes the role {needed}")]
    Forbidden { needed: Role },
    #[error("no prices name `{model}`")]
    UnknownPrice { model: String },
    #[error("the question cannot be answered: {reason}")]
    BadQuestion { reason: String },
    #[error(transparent)]
    Page(#[from] PageFault),
    #[error("records of calls in the catalog cannot be read")]
    BadRecords {
        segment: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the work was broken off")]
    Interrupted,
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    #[error("the catalog failed")]
    Catalog(#[from] CatalogFault),
}

/// A limit in which there is no room for a call.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub limit: LimitId,
    pub metric: Metric,
    /// Whom it is about, as people write it: `the project`, `key key_…`, `user ann`.
    pub whom: String,
    /// What the limit allows: a count, or dollars.
    pub allowed: String,
    /// Of a budget: what is spent, and set aside for calls under way.
    pub taken: Option<Money>,
    /// Not before this is there room again.
    pub retry_after: Duration,
    /// Rate-limit headers for the client.
    pub headers: HeaderMap,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { whom, allowed, .. } = self;
        match self.metric {
            Metric::RequestsPerMinute => write!(f, "{whom} may make {allowed} requests a minute"),
            Metric::TokensPerMinute => write!(f, "{whom} may use {allowed} tokens a minute"),
            Metric::Concurrent => write!(f, "{whom} may have {allowed} calls under way at once"),
            Metric::UsdPerDay => {
                write!(f, "{whom} may spend {allowed} dollars a day, and this call may not fit into what is left")
            }
            Metric::UsdPerMonth => {
                write!(f, "{whom} may spend {allowed} dollars a month, and this call may not fit into what is left")
            }
        }
    }
}

/// A budget that even a whole window of would not pay for a call.
#[derive(Debug, Clone)]
pub struct TooDear {
    pub limit: LimitId,
    pub metric: Metric,
    /// Whom it is about, as people write it.
    pub whom: String,
    /// What the budget allows, in dollars.
    pub allowed: String,
    /// What the call may cost at most.
    pub needed: Money,
}

impl std::fmt::Display for TooDear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { whom, allowed, needed, metric, .. } = self;
        let window = if *metric == Metric::UsdPerDay { "day" } else { "month" };
        write!(f, "this call may cost {needed} dollars, and {whom} may spend {allowed} dollars in a whole {window}")
    }
}

impl LedgerFault {
    /// Headers for the client beside `Retry-After`.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        match self {
            Self::Refused(refusal) => Some(&refusal.headers),
            _ => None,
        }
    }

    /// There is no room for what has to be written.
    pub(crate) const fn is_full(&self) -> bool {
        matches!(self, Self::DiskFull(_) | Self::Catalog(CatalogFault::DiskFull(_)))
    }

    pub(crate) fn journal(dir: &std::path::Path, source: std::io::Error) -> Self {
        Self::of_journal(source).about(dir)
    }

    /// Where it is known which folder it is about, `about` says so.
    pub(crate) fn of_journal(source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull(source),
            _ => Self::Journal { dir: String::new(), source },
        }
    }

    pub(crate) fn about(self, dir: &std::path::Path) -> Self {
        match self {
            Self::Journal { source, .. } => Self::Journal { dir: dir.display().to_string(), source },
            other => other,
        }
    }
}

impl Fault for LedgerFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Refused(_) | Self::NotReady { .. } => FaultKind::Saturated,
            Self::Behind { .. } | Self::Journal { .. } | Self::DiskFull(_) | Self::Usurped => FaultKind::Unavailable,
            Self::TooDear(_)
            | Self::Unpriced { .. }
            | Self::TooMuchMoney
            | Self::BadLimit { .. }
            | Self::BadQuestion { .. }
            | Self::Page(_) => FaultKind::Invalid,
            Self::TooManyLimits { .. } => FaultKind::TooLarge,
            Self::LimitNotFound { .. } | Self::UnknownPrice { .. } => FaultKind::NotFound,
            Self::Forbidden { .. } => FaultKind::Forbidden,
            Self::Newer { .. } => FaultKind::Unsupported,
            Self::BadRecords { .. } | Self::Interrupted => FaultKind::Internal,
            Self::Registry(fault) => fault.kind(),
            Self::Catalog(fault) => fault.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => match refusal.metric {
                Metric::RequestsPerMinute => "limit-requests",
                Metric::TokensPerMinute => "limit-tokens",
                Metric::Concurrent => "limit-concurrent",
                Metric::UsdPerDay | Metric::UsdPerMonth => "budget-spent",
            },
            Self::TooDear(_) => "budget-too-small",
            Self::NotReady { .. } => "limit-not-ready",
            Self::Unpriced { .. } => "budget-needs-price",
            Self::Behind { .. } => "ledger-behind",
            Self::TooMuchMoney => "ledger-too-much-money",
            Self::Journal { .. } => "ledger-journal",
            Self::DiskFull(_) => "ledger-disk-full",
            Self::Newer { .. } => "ledger-newer",
            Self::Usurped => "ledger-usurped",
            Self::BadLimit { .. } => "limit-invalid",
            Self::LimitNotFound { .. } => "limit-not-found",
            Self::TooManyLimits { .. } => "limit-too-many",
            Self::Forbidden { .. } => "limit-forbidden",
            Self::UnknownPrice { .. } => "prices-unknown-model",
            Self::BadQuestion { .. } => "usage-bad-question",
            Self::Page(_) => "usage-bad-page",
            Self::BadRecords { .. } => "usage-bad-records",
            Self::Interrupted => "usage-interrupted",
            Self::Registry(fault) => fault.code(),
            Self::Catalog(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => {
                refusal.taken.map(|taken| format!("{taken} dollars are spent or set aside for calls under way"))
            }
            Self::TooDear(_) => Some("name a smaller `max_tokens`, or have the budget raised; waiting does not help".to_owned()),
            Self::Unpriced { model, .. } => {
                Some(format!("add `{model}` to the project's prices: `kind: prices`, `name: default`; a price of 0 is a price"))
            }
            Self::DiskFull(_) => Some("free some space: nothing was lost, and calls are taken again at once".to_owned()),
            Self::Journal { .. } => Some("check that the data directory can be written".to_owned()),
            Self::Usurped => {
                Some("two processes use copies of one data directory: stop one, and give it an empty journal".to_owned())
            }
            Self::UnknownPrice { .. } => Some("name a model as its provider does, or `provider/model`".to_owned()),
            Self::Registry(fault) => fault.hint(),
            Self::Catalog(fault) => fault.hint(),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => Some(refusal.retry_after),
            Self::NotReady { .. } => Some(Duration::from_secs(1)),
            Self::Behind { .. } | Self::Journal { .. } | Self::DiskFull(_) => Some(Duration::from_secs(5)),
            Self::Registry(fault) => fault.retry_after(),
            Self::Catalog(fault) => fault.retry_after(),
            _ => None,
        }
    }
}
