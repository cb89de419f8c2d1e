//! What the registry keeps.

use mainspring_kernel::{
    AssetKind, AssetRef, Digest, Name, Timestamp,
    id::{AssetId, PrincipalId},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::manifest::API_VERSION;

/// A version, named exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pin {
    pub kind: AssetKind,
    pub name: Name,
    pub number: u32,
    pub digest: Digest,
}

impl std::fmt::Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}@v{}", self.kind, self.name, self.number)
    }
}

/// An asset as a list shows it: itself and its newest version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asset {
    pub id: AssetId,
    pub kind: AssetKind,
    pub name: Name,
    pub latest: u32,
    pub digest: Digest,
    pub description: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub aliases: Vec<Alias>,
}

/// Changes whenever an asset of one kind in one project gets a new version, comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub(crate) assets: i64,
    pub(crate) versions: i64,
    pub(crate) updated: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionSummary {
    pub number: u32,
    pub digest: Digest,
    pub description: Option<String>,
    pub author: PrincipalId,
    pub message: String,
    pub created: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Version {
    pub asset: AssetId,
    pub pin: Pin,
    pub description: Option<String>,
    pub spec: Value,
    pub author: PrincipalId,
    pub message: String,
    pub created: Timestamp,
    pub references: Vec<ResolvedReference>,
    /// The aliases that name this version now.
    pub aliases: Vec<Name>,
}

impl Version {
    /// The text that, applied, makes this version again.
    #[must_use]
    pub fn manifest(&self) -> Value {
        let mut manifest = json!({"apiVersion": API_VERSION, "kind": self.pin.kind, "name": self.pin.name});
        if let Some(description) = &self.description {
            manifest["description"] = json!(description);
        }
        manifest["spec"] = self.spec.clone();
        manifest
    }
}

/// A reference as written, and the version it meant when it was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResolvedReference {
    /// Where in the spec: `steps[0].retrieve.knowledge`.
    pub path: String,
    pub kind: AssetKind,
    pub target: AssetRef,
    pub pin: Pin,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alias {
    pub name: Name,
    pub number: u32,
    pub digest: Digest,
    pub updated: Timestamp,
    pub updated_by: PrincipalId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AliasMove {
    /// 1 for the first move of this alias.
    pub ordinal: u32,
    /// Absent when the move made the alias.
    pub from: Option<u32>,
    /// Absent when the move removed it.
    pub to: Option<u32>,
    pub moved: Timestamp,
    pub moved_by: PrincipalId,
    pub message: String,
}

/// What an alias must name for a move to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expect {
    /// Whatever it names: the last writer wins.
    #[default]
    Anything,
    /// It must not exist yet.
    Nothing,
    Number(u32),
}

impl Expect {
    #[must_use]
    pub fn holds(self, found: Option<u32>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => found.is_none(),
            Self::Number(number) => found == Some(number),
        }
    }
}

/// A version and everything it names, directly or not, pinned as of now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lock {
    pub root: Pin,
    pub references: Vec<LockedReference>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockedReference {
    pub from: Pin,
    pub path: String,
    pub target: AssetRef,
    pub pin: Pin,
}

impl Lock {
    /// The digest of everything locked: two locks agree when everything they name agrees.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_json(&json!({ "root": self.root, "references": self.references }))
    }

    /// Every version locked, once, the root first.
    #[must_use]
    pub fn pins(&self) -> Vec<&Pin> {
        let mut pins = vec![&self.root];
        for reference in &self.references {
            if !pins.contains(&&reference.pin) {
                pins.push(&reference.pin);
            }
        }
        pins
    }

    /// What a reference at `path` of `from` was locked to.
    #[must_use]
    pub fn find(&self, from: &Pin, path: &str) -> Option<&Pin> {
        self.references.iter().find(|reference| &reference.from == from && reference.path == path).map(|found| &found.pin)
    }
}
