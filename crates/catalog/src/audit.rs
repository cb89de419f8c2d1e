//! The seam through which engines below `identity` leave an entry in the audit log,
//! in the same transaction as the change it speaks of.

use mainspring_kernel::Actor;
use serde_json::Value;

use crate::{CatalogFault, Tx};

#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Dotted, past tense left out: `asset.apply`, `alias.set`, `key.revoke`.
    pub action: &'static str,
    /// What was acted on, as people would name it.
    pub subject: String,
    /// Never a secret and never document text.
    pub detail: Value,
}

#[async_trait::async_trait]
pub trait AuditTrail: Send + Sync + std::fmt::Debug + 'static {
    async fn record(&self, tx: &mut Tx, actor: &Actor, entry: AuditEntry) -> Result<(), CatalogFault>;
}
