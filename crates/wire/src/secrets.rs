//! Keys of providers that the server keeps.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A secret as lists show it. Its value never comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretView {
    pub name: String,
    /// The same for the same value in the project, and for no other.
    pub fingerprint: String,
    pub created_at: String,
    pub created_by: String,
    pub changed_at: String,
    pub changed_by: String,
    /// When a provider last had it, within an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
}

/// The value of a secret: one line of visible characters.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewSecret {
    #[schema(format = Password)]
    pub value: String,
}

impl fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSecret").finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResealedSecrets {
    /// How many secrets, of all projects, were sealed anew.
    pub secrets: usize,
    /// The name of the master key that seals them now.
    pub master_key: String,
}
