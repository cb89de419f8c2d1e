//! The chain of changes of each project.

use mainspring_catalog::{AuditEntry, AuditTrail, CatalogFault, Tx};
use mainspring_kernel::{
    Actor, Digest, Page, PageRequest, Role, Timestamp,
    id::{PrincipalId, ProjectId},
    text,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Identity, fault::IdentityFault, service::needs, store};

const SUBJECT_MAX: usize = 500;
const BATCH: usize = 500;

/// One link.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditRecord {
    /// 1 for the first of the project, without gaps.
    pub number: i64,
    pub at: Timestamp,
    pub principal: PrincipalId,
    pub action: String,
    pub subject: String,
    pub detail: Value,
    pub previous: Digest,
    pub digest: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditVerdict {
    /// How many entries fit.
    pub verified: i64,
    /// The digest of the last entry that fits: worth noting outside the database.
    pub head: Digest,
    pub broken: Option<BrokenLink>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenLink {
    pub number: i64,
    pub reason: String,
}

const fn beginning() -> Digest {
    Digest::from_bytes([0; 32])
}

impl AuditRecord {
    fn compute(&self, project: ProjectId) -> Digest {
        let Self { number, at, principal, action, subject, detail, previous, digest: _ } = self;
        Digest::of_json(&json!({
            "project": project,
            "number": number,
            "at": at.as_micros(),
            "principal": principal,
            "action": action,
            "subject": subject,
            "detail": detail,
            "previous": previous,
        }))
    }
}

#[async_trait::async_trait]
impl AuditTrail for Identity {
    async fn record(&self, tx: &mut Tx, actor: &Actor, entry: AuditEntry) -> Result<(), CatalogFault> {
        let (number, previous) = match store::last_entry(tx, actor.project).await? {
            Some((number, digest)) => (number + 1, digest),
            None => (1, beginning()),
        };
        let AuditEntry { action, subject, detail } = entry;
        let mut record = AuditRecord {
            number,
            at: self.clock.now(),
            principal: actor.principal,
            action: action.to_owned(),
            subject: text::elide(&subject, SUBJECT_MAX).replace('\0', "\u{fffd}"),
            detail,
            previous,
            digest: previous,
        };
        record.digest = record.compute(actor.project);
        store::insert_entry(tx, actor.project, &record).await
    }
}

impl Identity {
    /// Appends an entry in the transaction of the change it speaks of.
    pub async fn audit(&self, tx: &mut Tx, actor: &Actor, entry: AuditEntry) -> Result<(), IdentityFault> {
        Ok(self.record(tx, actor, entry).await?)
    }

    /// Newest first.
    pub async fn list_audit(&self, actor: &Actor, page: &PageRequest) -> Result<Page<AuditRecord>, IdentityFault> {
        needs(actor, Role::Admin)?;
        let before = page.after::<i64>()?;
        let entries = store::entries_before(&self.catalog, actor.project, before, page.limit() + 1).await?;
        Ok(Page::from_overfetch(entries, page, |entry| entry.number))
    }

    /// Follows the chain from its start to the first link that does not fit.
    pub async fn verify_audit(&self, actor: &Actor) -> Result<AuditVerdict, IdentityFault> {
        needs(actor, Role::Admin)?;
        let mut verdict = AuditVerdict { verified: 0, head: beginning(), broken: None };
        loop {
            let rows = store::entries_after(&self.catalog, actor.project, verdict.verified, BATCH).await?;
            for row in &rows {
                let number = row.int("number")?;
                // A row that cannot even be read was not written by us.
                let broken = match store::read_entry(row) {
                    Ok(entry) => misfit(actor.project, &verdict, &entry).map(str::to_owned),
                    Err(fault) => Some(format!("the entry cannot be read: {fault}")),
                };
                if let Some(reason) = broken {
                    verdict.broken = Some(BrokenLink { number, reason });
                    return Ok(verdict);
                }
                verdict.verified = number;
                verdict.head = row.parse("digest")?;
            }
            if rows.len() < BATCH {
                return Ok(verdict);
            }
        }
    }
}

fn misfit(project: ProjectId, so_far: &AuditVerdict, entry: &AuditRecord) -> Option<&'static str> {
    if entry.number != so_far.verified + 1 {
        return Some("entries before it are missing");
    }
    if entry.previous != so_far.head {
        return Some("it does not follow the entry before it");
    }
    (entry.compute(project) != entry.digest).then_some("its content was changed")
}
