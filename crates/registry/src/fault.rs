use mainspring_catalog::CatalogFault;
use mainspring_kernel::{AssetKind, Fault, FaultKind, Name, Role, Selector, id::RunId, page::PageFault, text};
use serde::Serialize;

/// One thing wrong with one draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, and where several manifests share it, which of them: `app.yaml#2`.
    pub origin: String,
    /// Where in the manifest: `spec.messages[0].role`; empty for the whole.
    pub path: String,
    pub kind: ProblemKind,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// Not YAML or JSON at all.
    Syntax,
    /// The envelope around the spec is wrong.
    Manifest,
    UnknownField,
    UnknownKind,
    /// A kind of the product that this build cannot take yet.
    UnsupportedKind,
    Spec,
    /// Two drafts for one asset.
    Duplicate,
    MissingReference,
    /// A model that neither this process nor a route or provider of the project has.
    UnknownModel,
    Cycle,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { origin, path, kind: _, message } = self;
        match path.as_str() {
            "" => write!(f, "{origin}: {message}"),
            path => write!(f, "{origin}: {path}: {message}"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RegistryFault {
    #[error("{}", summary(problems))]
    Rejected { problems: Vec<Problem> },
    #[error("{kind} `{name}` does not exist{}", nearest.as_ref().map(|near| format!(": did you mean `{near}`?")).unwrap_or_default())]
    NotFound { kind: AssetKind, name: Name, nearest: Option<String> },
    #[error("{kind} `{name}` has no version `{selector}`{}", nearest.as_ref().map(|near| format!(": did you mean `{near}`?")).unwrap_or_default())]
    VersionNotFound { kind: AssetKind, name: Name, selector: Selector, nearest: Option<String> },
    #[error("assets of kind `{kind}` are not supported by this build")]
    UnsupportedKind { kind: AssetKind },
    #[error("this takes the role {needed}")]
    Forbidden { needed: Role },
    #[error("{kind} `{name}` would see traces of every label, and you do not see them all")]
    Unseen { kind: AssetKind, name: Name },
    #[error("alias `{alias}` names {}, not what was expected", found.map_or_else(|| "nothing".to_owned(), |number| format!("v{number}")))]
    AliasMoved { alias: Name, found: Option<u32> },
    #[error("something moved since the plan was made, so nothing was applied")]
    PlanMoved,
    #[error("alias `{alias}` does not exist")]
    AliasNotFound { alias: Name },
    #[error("`{alias}` cannot be an alias: it already means a version")]
    AliasReserved { alias: Name },
    #[error("references lead back to where they started: {}", path.join(" > "))]
    Cycle { path: Vec<String> },
    #[error("run {id} does not exist")]
    RunNotFound { id: RunId },
    #[error("run {id} has ended")]
    RunEnded { id: RunId },
    #[error("{what} may be at most {limit} bytes, not {given}")]
    TooLarge { what: &'static str, limit: usize, given: usize },
    #[error(transparent)]
    Page(#[from] PageFault),
    #[error("the catalog failed")]
    Catalog(#[from] CatalogFault),
    #[error("checking the drafts was broken off")]
    Interrupted,
}

fn summary(problems: &[Problem]) -> String {
    match problems {
        [] => "nothing was applied".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

impl Fault for RegistryFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Rejected { problems } if problems.iter().all(|p| p.kind == ProblemKind::UnsupportedKind) => {
                FaultKind::Unsupported
            }
            Self::Rejected { .. } | Self::AliasReserved { .. } | Self::Page(_) => FaultKind::Invalid,
            Self::NotFound { .. } | Self::VersionNotFound { .. } | Self::AliasNotFound { .. } | Self::RunNotFound { .. } => {
                FaultKind::NotFound
            }
            Self::UnsupportedKind { .. } => FaultKind::Unsupported,
            Self::Forbidden { .. } | Self::Unseen { .. } => FaultKind::Forbidden,
            Self::AliasMoved { .. } | Self::PlanMoved | Self::Cycle { .. } | Self::RunEnded { .. } => FaultKind::Conflict,
            Self::TooLarge { .. } => FaultKind::TooLarge,
            Self::Catalog(source) => source.kind(),
            Self::Interrupted => FaultKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Rejected { .. } => "registry-rejected",
            Self::NotFound { .. } => "registry-not-found",
            Self::VersionNotFound { .. } => "registry-version-not-found",
            Self::UnsupportedKind { .. } => "registry-unsupported-kind",
            Self::Forbidden { .. } => "registry-forbidden",
            Self::Unseen { .. } => "registry-labels",
            Self::AliasMoved { .. } => "registry-alias-moved",
            Self::PlanMoved => "registry-plan-moved",
            Self::AliasNotFound { .. } => "registry-alias-not-found",
            Self::AliasReserved { .. } => "registry-alias-reserved",
            Self::Cycle { .. } => "registry-cycle",
            Self::RunNotFound { .. } => "registry-run-not-found",
            Self::RunEnded { .. } => "registry-run-ended",
            Self::TooLarge { .. } => "registry-too-large",
            Self::Page(_) => "registry-bad-page",
            Self::Catalog(source) => source.code(),
            Self::Interrupted => "registry-interrupted",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Rejected { problems } if problems.len() > 1 => {
                Some(problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))
            }
            Self::PlanMoved => Some("plan again, and apply what you then see".to_owned()),
            Self::Unseen { .. } => Some("apply it with a key that was made without `--label` and `--no-labels`".to_owned()),
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

/// The candidate nearest to what was asked for, as a fault carries it.
pub(crate) fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    text::nearest(given, candidates).map(str::to_owned)
}
