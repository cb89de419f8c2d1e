use mainspring_catalog::CatalogFault;
use mainspring_kernel::{Fault, FaultKind, Name, Role, page::PageFault};

/// Why a secret is not set, found or opened. None of these says anything of a value or of a master key.
#[derive(Debug, thiserror::Error)]
pub enum SecretsFault {
    #[error("this takes the role {needed}")]
    Forbidden { needed: Role },
    #[error("the project has no secret `{name}`")]
    NotFound { name: Name },
    #[error("the name looks like a key itself, not like the name of one")]
    NameIsAKey,
    #[error("the value of a secret {reason}")]
    BadValue { reason: &'static str },
    #[error("the master key in {place} {reason}")]
    BadMasterKey { place: String, reason: &'static str },
    #[error("the master key in {place} cannot be used")]
    MasterKeyUnusable {
        place: String,
        #[source]
        source: std::io::Error,
    },
    #[error("`{name}` was sealed with the master key {sealed_with}, which this process does not have")]
    WrongMasterKey { name: Name, sealed_with: String },
    #[error("what is kept of `{name}` is damaged, or was sealed for another project or name")]
    Damaged { name: Name },
    #[error("the machine has no random numbers")]
    NoRandomness,
    #[error(transparent)]
    Page(#[from] PageFault),
    #[error("the catalog failed")]
    Catalog(#[from] CatalogFault),
}

impl Fault for SecretsFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Forbidden { .. } => FaultKind::Forbidden,
            Self::NotFound { .. } => FaultKind::NotFound,
            Self::NameIsAKey | Self::BadValue { .. } | Self::BadMasterKey { .. } | Self::Page(_) => FaultKind::Invalid,
            Self::WrongMasterKey { .. } | Self::Damaged { .. } => FaultKind::Conflict,
            Self::MasterKeyUnusable { .. } => FaultKind::Unavailable,
            Self::NoRandomness => FaultKind::Internal,
            Self::Catalog(source) => source.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "secret-forbidden",
            Self::NotFound { .. } => "secret-not-found",
            Self::NameIsAKey => "secret-name-is-a-key",
            Self::BadValue { .. } => "secret-bad-value",
            Self::BadMasterKey { .. } => "secret-bad-master-key",
            Self::MasterKeyUnusable { .. } => "secret-master-key-unusable",
            Self::WrongMasterKey { .. } => "secret-wrong-master-key",
            Self::Damaged { .. } => "secret-damaged",
            Self::NoRandomness => "secret-no-randomness",
            Self::Page(_) => "secret-bad-page",
            Self::Catalog(source) => source.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { .. } => "`mainspring secrets list` shows those there are".into(),
            Self::NameIsAKey => "choose a name such as `openai`; if this was a key, replace it: names are logged".into(),
            Self::BadMasterKey { .. } => "`openssl rand -base64 32` makes one".into(),
            Self::WrongMasterKey { .. } => "give every process the same MAINSPRING_MASTER_KEY, or set the secret again".into(),
            Self::Damaged { .. } => "set the secret again".into(),
            Self::Catalog(source) => return source.hint(),
            _ => return None,
        })
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Catalog(source) => source.retry_after(),
            _ => None,
        }
    }
}
