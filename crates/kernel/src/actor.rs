//! Who is asking, in which project, with which role, and which documents they may see.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::id::{ApiKeyId, PrincipalId, ProjectId};

/// What a principal may do in a project. Each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Ask, search, look.
    Reader,
    /// Change assets, ingest.
    Editor,
    /// Keys, members, deletion.
    Admin,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Reader, Self::Editor, Self::Admin];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role `{given}`: use reader, editor or admin")]
pub struct RoleFault {
    pub given: String,
}

impl FromStr for Role {
    type Err = RoleFault;
    fn from_str(given: &str) -> Result<Self, RoleFault> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == given)
            .ok_or_else(|| RoleFault { given: crate::text::elide(given, 40) })
    }
}

/// Which access labels an actor holds. A document without labels is for everyone in the project;
/// one with labels is for whoever holds at least one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Labels {
    /// Sees every document: the single user on loopback, and keys made for it.
    All,
    Some(BTreeSet<String>),
}

impl Labels {
    #[must_use]
    pub const fn none() -> Self {
        Self::Some(BTreeSet::new())
    }

    /// Whether a document with these labels may be seen.
    #[must_use]
    pub fn may_see<S: AsRef<str>>(&self, document: &[S]) -> bool {
        match self {
            Self::All => true,
            Self::Some(held) => document.is_empty() || document.iter().any(|label| held.contains(label.as_ref())),
        }
    }

    /// The labels held by both: what a caller who narrows their own request may still see.
    #[must_use]
    pub fn narrowed_to(&self, asked: &Self) -> Self {
        match (self, asked) {
            (Self::All, other) => other.clone(),
            (held, Self::All) => held.clone(),
            (Self::Some(held), Self::Some(asked)) => Self::Some(held.intersection(asked).cloned().collect()),
        }
    }
}

/// What an actor may name as `model`: apps, prompts, routes and models as clients write them. A name may end in `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelScope {
    All,
    Some(BTreeSet<String>),
}

impl ModelScope {
    #[must_use]
    pub fn allows(&self, model: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(names) => names.iter().any(|name| fits(name, model)),
        }
    }

    /// Whether whoever holds this may hand out `wanted`: it allows nothing that this does not.
    #[must_use]
    pub fn covers(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::All, _) => true,
            (Self::Some(_), Self::All) => false,
            // A pattern is covered by one with the same beginning or less of it, and never by a plain name.
            (Self::Some(held), Self::Some(wanted)) => wanted.iter().all(|name| match name.strip_suffix('*') {
                Some(stem) => held.iter().filter_map(|held| held.strip_suffix('*')).any(|held| stem.starts_with(held)),
                None => held.iter().any(|held| fits(held, name)),
            }),
        }
    }
}

fn fits(name: &str, model: &str) -> bool {
    match name.strip_suffix('*') {
        Some(stem) => model.starts_with(stem),
        None => name == model,
    }
}

/// A principal acting in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub principal: PrincipalId,
    pub project: ProjectId,
    pub role: Role,
    pub labels: Labels,
    /// The key the request came with; the single user of a loopback server and the process itself have none.
    pub key: Option<ApiKeyId>,
    /// What the key may name as `model`.
    pub models: ModelScope,
}

impl Actor {
    #[must_use]
    pub fn may(&self, needed: Role) -> bool {
        self.role >= needed
    }
}
