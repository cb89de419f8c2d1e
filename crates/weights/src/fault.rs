use std::{fmt, io, path::PathBuf};

use mainspring_kernel::{Digest, Fault, FaultKind, text};

/// A place that was asked for a file, and why it did not give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub place: String,
    pub reason: String,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.place, self.reason)
    }
}

/// How a file in the cache differs from its pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    Size { expected: u64, found: u64 },
    Digest { expected: Digest, found: Digest },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { expected, found } => write!(f, "has {found} bytes instead of {expected}"),
            Self::Digest { expected, found } => write!(f, "has the digest {found} instead of {expected}"),
        }
    }
}

fn join(tried: &[Tried]) -> String {
    if tried.is_empty() {
        return "it names no place".to_owned();
    }
    tried.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[derive(Debug, thiserror::Error)]
pub enum WeightsFault {
    #[error("model `{name}` is not known{}", text::did_you_mean(name, known.iter().map(String::as_str)))]
    UnknownModel { name: String, known: Vec<String> },
    #[error("`{model}` is not a usable model: {reason}")]
    InvalidModel { model: String, reason: String },
    #[error("`{place}` is not a place: {reason}")]
    InvalidPlace { place: String, reason: &'static str },
    #[error("no place gave the {role} of `{model}`: {}", join(tried))]
    Unreachable { model: String, role: String, tried: Vec<Tried> },
    #[error("the {role} of `{model}` should be {expected}, but {place} sent {found}")]
    DigestMismatch { model: String, role: String, place: String, expected: Digest, found: Digest },
    #[error("the {role} of `{model}` is not in the cache")]
    NotInstalled { model: String, role: String },
    #[error("the {role} of `{model}` {damage}")]
    Damaged { model: String, role: String, damage: Damage },
    #[error("the list of models {} cannot be read", path.display())]
    ListUnreadable { path: PathBuf, source: io::Error },
    #[error("{}{}: {reason}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
    InvalidList { path: PathBuf, line: Option<usize>, reason: String },
    #[error("no room left for {}", path.display())]
    DiskFull { path: PathBuf },
    #[error("cannot read or write {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("another process has been fetching {digest} for too long")]
    Locked { digest: Digest },
    #[error("no HTTP client could be made")]
    HttpClient(#[source] reqwest::Error),
}

impl WeightsFault {
    /// A full disk is the reader's to fix and gets its own name; everything else is I/O.
    pub(crate) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { path, source },
        }
    }
}

impl Fault for WeightsFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::UnknownModel { .. } => FaultKind::NotFound,
            Self::InvalidModel { .. }
            | Self::InvalidPlace { .. }
            | Self::DigestMismatch { .. }
            | Self::ListUnreadable { .. }
            | Self::InvalidList { .. } => FaultKind::Invalid,
            Self::Unreachable { .. } | Self::NotInstalled { .. } | Self::Damaged { .. } | Self::DiskFull { .. } => {
                FaultKind::Unavailable
            }
            Self::Locked { .. } => FaultKind::Timeout,
            Self::Io { .. } | Self::HttpClient(_) => FaultKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::UnknownModel { .. } => "weights-unknown-model",
            Self::InvalidModel { .. } => "weights-invalid-model",
            Self::InvalidPlace { .. } => "weights-invalid-place",
            Self::Unreachable { .. } => "weights-unreachable",
            Self::DigestMismatch { .. } => "weights-digest-mismatch",
            Self::NotInstalled { .. } => "weights-not-installed",
            Self::Damaged { .. } => "weights-damaged",
            Self::ListUnreadable { .. } => "weights-list-unreadable",
            Self::InvalidList { .. } => "weights-invalid-list",
            Self::DiskFull { .. } => "weights-disk-full",
            Self::Io { .. } => "weights-io",
            Self::Locked { .. } => "weights-locked",
            Self::HttpClient(_) => "weights-http-client",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotInstalled { model, .. } | Self::Damaged { model, .. } => {
                Some(format!("run `mainspring models pull {model}`"))
            }
            Self::ListUnreadable { .. } | Self::InvalidList { .. } => {
                Some("docs/guides/models.md shows how a list is written; the setting is `models.list`".to_owned())
            }
            Self::UnknownModel { .. } => Some("`mainspring models list` shows what is known".to_owned()),
            Self::Unreachable { model, .. } => Some(format!(
                "check the network or proxy, add a place you can reach to the model's `places`, then run `mainspring models pull {model}` again: it goes on where it stopped"
            )),
            Self::DiskFull { .. } => Some("make room, or set MAINSPRING_MODELS to a directory on a larger disk".to_owned()),
            _ => None,
        }
    }
}
