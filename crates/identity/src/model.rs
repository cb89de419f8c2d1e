//! What identity keeps.

use std::{collections::BTreeSet, str::FromStr};

use mainspring_kernel::{
    Labels, ModelScope, Name, Role, Timestamp,
    id::{ApiKeyId, PrincipalId, ProjectId},
    text,
};
use serde::{Deserialize, Serialize};

use crate::IdentityFault;

const LABELS_MAX: usize = 200;
const MODELS_MAX: usize = 200;
const TEXT_MAX: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Project {
    pub id: ProjectId,
    pub name: Name,
    pub description: String,
    pub created: Timestamp,
}

/// A project, and what one may do there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnProject {
    pub project: Project,
    pub role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalKind {
    /// Whoever sits at the machine: the single user on loopback.
    Local,
    Person,
    Service,
}

impl PrincipalKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Person => "person",
            Self::Service => "service",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of principal `{given}`: use person or service")]
pub struct PrincipalKindFault {
    pub given: String,
}

impl FromStr for PrincipalKind {
    type Err = PrincipalKindFault;
    fn from_str(given: &str) -> Result<Self, PrincipalKindFault> {
        [Self::Local, Self::Person, Self::Service]
            .into_iter()
            .find(|kind| kind.as_str() == given)
            .ok_or_else(|| PrincipalKindFault { given: text::elide(given, 40) })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Principal {
    pub id: PrincipalId,
    /// A user name or an address: unique in the installation.
    pub name: String,
    pub kind: PrincipalKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    pub principal: Principal,
    pub role: Role,
    pub labels: Labels,
    pub since: Timestamp,
}

/// A key as lists show it: without its secret, which nobody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: Name,
    /// The start of the key, by which people recognise it: `msk_0123456789ab`.
    pub prefix: String,
    pub principal: PrincipalId,
    pub role: Role,
    pub labels: Labels,
    pub models: ModelScope,
    pub created: Timestamp,
    pub created_by: PrincipalId,
    pub expires: Option<Timestamp>,
    /// Until when the secret that the last rotation replaced works as well.
    pub old_until: Option<Timestamp>,
    /// Within a minute or so.
    pub last_used: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
}

/// Labels are compared as written; blanks and control characters in them could only be mistakes.
pub(crate) fn check_labels(labels: &Labels) -> Result<(), IdentityFault> {
    let Labels::Some(labels) = labels else {
        return Ok(());
    };
    if labels.len() > LABELS_MAX {
        return Err(IdentityFault::BadLabel { reason: format!("more than {LABELS_MAX} of them") });
    }
    labels.iter().try_for_each(|label| check_text(label).map_err(|reason| IdentityFault::BadLabel { reason }))
}

/// Names as clients write them; one may end in `*`.
pub(crate) fn check_models(models: &ModelScope) -> Result<(), IdentityFault> {
    let ModelScope::Some(names) = models else {
        return Ok(());
    };
    if names.is_empty() || names.len() > MODELS_MAX {
        return Err(IdentityFault::BadModel { reason: format!("1 to {MODELS_MAX} of them") });
    }
    let check = |name: &String| match name.find('*') {
        Some(at) if at + 1 < name.len() => Err(format!("`{}` has a `*` before its end", text::elide(name, 40))),
        _ => check_text(name),
    };
    names.iter().try_for_each(check).map_err(|reason| IdentityFault::BadModel { reason })
}

pub(crate) fn check_principal_name(name: &str) -> Result<(), IdentityFault> {
    check_text(name).map_err(|reason| IdentityFault::BadPrincipalName { reason })
}

fn check_text(given: &str) -> Result<(), String> {
    let shown = text::elide(given, 40);
    if given.is_empty() || given.trim() != given {
        return Err(format!("`{shown}` is empty or has blanks around it"));
    }
    if given.chars().count() > TEXT_MAX || given.chars().any(char::is_control) {
        return Err(format!("`{}` is longer than {TEXT_MAX} characters or holds control characters", shown.escape_debug()));
    }
    Ok(())
}

/// Whether `held` covers everything `wanted` would allow to see.
pub(crate) fn covers(held: &Labels, wanted: &Labels) -> bool {
    match (held, wanted) {
        (Labels::All, _) => true,
        (Labels::Some(_), Labels::All) => false,
        (Labels::Some(held), Labels::Some(wanted)) => BTreeSet::is_subset(wanted, held),
    }
}
