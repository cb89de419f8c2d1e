use mainspring_catalog::CatalogFault;
use mainspring_kernel::{Fault, FaultKind, Name, Role, id::ApiKeyId, page::PageFault};

use crate::secret::KeyFault;

#[derive(Debug, thiserror::Error)]
pub enum IdentityFault {
    /// Malformed, unknown or wrong: one answer, so that it tells nobody which.
    #[error("the API key is not valid")]
    InvalidKey,
    #[error("the API key has expired")]
    KeyExpired,
    #[error("the API key was revoked")]
    KeyRevoked,
    #[error("the API key was rotated, and this secret of it has ended")]
    KeyRotated,
    #[error("this takes the role {needed}")]
    Forbidden { needed: Role },
    #[error("this takes an admin of the project `default`")]
    NotInstallationAdmin,
    #[error("you cannot hand out labels you do not hold")]
    LabelsNotHeld,
    #[error("you cannot hand out models your own key may not name")]
    ModelsNotHeld,
    #[error("the models of a key are wrong: {reason}")]
    BadModel { reason: String },
    #[error("a label is wrong: {reason}")]
    BadLabel { reason: String },
    #[error("the name of a principal is wrong: {reason}")]
    BadPrincipalName { reason: String },
    #[error("{what} is longer than {limit} bytes")]
    TooLong { what: &'static str, limit: usize },
    #[error("the key would expire in the past")]
    ExpiresInThePast,
    #[error("the old secret would work for longer than {} days", limit.as_secs() / 86_400)]
    OverlapTooLong { limit: std::time::Duration },
    #[error("project `{name}` does not exist")]
    ProjectNotFound { name: Name },
    #[error("project `{name}` exists already")]
    ProjectExists { name: Name },
    #[error("`{who}` is not a member of this project")]
    MemberNotFound { who: String },
    #[error("`{name}` is a member of this project already")]
    MemberExists { name: String },
    #[error("a project needs an admin who can come in, and this is the last one")]
    LastAdmin,
    #[error("key {id} does not exist")]
    KeyNotFound { id: ApiKeyId },
    #[error("the catalog has no local user: `bootstrap` was not called")]
    NotBootstrapped,
    #[error("the machine has no random numbers")]
    NoRandomness,
    #[error(transparent)]
    Page(#[from] PageFault),
    #[error("the catalog failed")]
    Catalog(#[from] CatalogFault),
}

impl From<KeyFault> for IdentityFault {
    fn from(_: KeyFault) -> Self {
        Self::InvalidKey
    }
}

impl Fault for IdentityFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::InvalidKey | Self::KeyExpired | Self::KeyRevoked | Self::KeyRotated => FaultKind::Unauthenticated,
            Self::Forbidden { .. } | Self::NotInstallationAdmin | Self::LabelsNotHeld | Self::ModelsNotHeld => {
                FaultKind::Forbidden
            }
            Self::BadLabel { .. }
            | Self::BadPrincipalName { .. }
            | Self::TooLong { .. }
            | Self::BadModel { .. }
            | Self::ExpiresInThePast
            | Self::OverlapTooLong { .. }
            | Self::Page(_) => FaultKind::Invalid,
            Self::ProjectNotFound { .. } | Self::MemberNotFound { .. } | Self::KeyNotFound { .. } => FaultKind::NotFound,
            Self::ProjectExists { .. } | Self::MemberExists { .. } | Self::LastAdmin => FaultKind::Conflict,
            Self::NotBootstrapped | Self::NoRandomness => FaultKind::Internal,
            Self::Catalog(source) => source.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InvalidKey => "identity-invalid-key",
            Self::KeyExpired => "identity-key-expired",
            Self::KeyRevoked => "identity-key-revoked",
            Self::KeyRotated => "identity-key-rotated",
            Self::Forbidden { .. } => "identity-forbidden",
            Self::NotInstallationAdmin => "identity-not-installation-admin",
            Self::LabelsNotHeld => "identity-labels-not-held",
            Self::ModelsNotHeld => "identity-models-not-held",
            Self::BadModel { .. } => "identity-bad-model",
            Self::BadLabel { .. } => "identity-bad-label",
            Self::BadPrincipalName { .. } => "identity-bad-principal-name",
            Self::TooLong { .. } => "identity-too-long",
            Self::ExpiresInThePast => "identity-expires-in-the-past",
            Self::OverlapTooLong { .. } => "identity-overlap-too-long",
            Self::ProjectNotFound { .. } => "identity-project-not-found",
            Self::ProjectExists { .. } => "identity-project-exists",
            Self::MemberNotFound { .. } => "identity-member-not-found",
            Self::MemberExists { .. } => "identity-member-exists",
            Self::LastAdmin => "identity-last-admin",
            Self::KeyNotFound { .. } => "identity-key-not-found",
            Self::NotBootstrapped => "identity-not-bootstrapped",
            Self::NoRandomness => "identity-no-randomness",
            Self::Page(_) => "identity-bad-page",
            Self::Catalog(source) => source.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::InvalidKey => Some("send `Authorization: Bearer msk_…` with a key of this server".to_owned()),
            Self::KeyExpired | Self::KeyRevoked => Some("ask an admin of the project for a new key".to_owned()),
            Self::KeyRotated => Some("use the secret that the rotation answered".to_owned()),
            Self::NotInstallationAdmin => {
                Some("a key works in its own project; one of an admin of `default` also where its holder is a member".to_owned())
            }
            Self::MemberExists { .. } => Some("change the role and labels of that member instead".to_owned()),
            Self::Catalog(source) => source.hint(),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Catalog(source) => source.retry_after(),
            _ => None,
        }
    }
}
