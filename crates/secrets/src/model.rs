//! A secret as lists show it.

use mainspring_kernel::{Name, Timestamp, id::PrincipalId};

/// Everything that may be known of a secret: not its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    pub name: Name,
    /// The same for the same value in the same project, and for no other value.
    pub fingerprint: String,
    pub created: Timestamp,
    pub created_by: PrincipalId,
    pub changed: Timestamp,
    pub changed_by: PrincipalId,
    /// When a provider last had it, within an hour.
    pub last_used: Option<Timestamp>,
}

/// What a rotation of the master key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// How many secrets there are, of all projects; each is sealed anew.
    pub secrets: usize,
    /// The name of the master key that seals them now.
    pub master: String,
}
