//! The receivers of a project, as its registry has them.

use mainspring_kernel::{
    Actor, AssetKind, AssetRef, Digest, Name, Page, PageRequest, Role, Selector, Timestamp, id::DeliveryId, id::ProjectId,
    page::LIMIT_MAX,
};
use mainspring_registry::RegistryFault;

use crate::{
    fault::AlertFault,
    model::{Labels, NoticeKind, Severity, Standing},
    notice::Notice,
    seam::reader,
    send::{Parcel, Sent, Unsent},
    service::{Alerts, needs, sees_incidents},
    spec::ReceiverSpec,
    store,
};

/// A receiver as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Receiver {
    pub name: Name,
    pub version: u32,
    pub digest: Digest,
    /// Absent where this version cannot read it.
    pub spec: Option<ReceiverSpec>,
    pub standing: Standing,
}

/// What became of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    pub arrived: bool,
    /// Of HTTP or SMTP.
    pub status: Option<u16>,
    /// Why it did not arrive, or what is to be said of it all the same.
    pub message: Option<String>,
    pub began: Timestamp,
    pub ended: Timestamp,
}

impl Alerts {
    /// By name. How their deliveries stand tells of incidents.
    pub async fn receivers(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Receiver>, AlertFault> {
        sees_incidents(actor, Role::Reader)?;
        let found = self.inner.registry.list(actor, Some(AssetKind::Receiver), page).await?;
        let mut items = Vec::with_capacity(found.items.len());
        for asset in found.items {
            let target = AssetRef { name: asset.name.clone(), selector: Selector::Latest };
            items.push(Receiver {
                spec: self.spec(actor.project, &target).await.ok(),
                standing: store::standing(&self.inner.catalog, actor.project, asset.name.as_str()).await?,
                name: asset.name,
                version: asset.latest,
                digest: asset.digest,
            });
        }
        Ok(Page { items, next: found.next })
    }

    /// Sends a notice that says it is a test, once and at once, and answers what happened. PagerDuty is told right after that
    /// it is over.
    pub async fn test(&self, actor: &Actor, receiver: &AssetRef) -> Result<Tested, AlertFault> {
        needs(actor, Role::Editor)?;
        let spec = self.spec(actor.project, receiver).await?;
        let began = self.now();
        let project = self.project_name(actor.project).await?;
        let notice = Notice::test((project.as_str(), receiver.name.as_str()), began, &self.inner.settings.page);
        let mut outcome = self.hand_over(actor.project, (receiver, &spec), &notice).await;
        if outcome.is_ok() && spec.pagerduty.is_some() {
            let over = Notice { what: NoticeKind::Resolved, ..notice };
            outcome = self.hand_over(actor.project, (receiver, &spec), &over).await;
        }
        let ended = self.now();
        Ok(match outcome {
            Ok(Sent { status, note }) => Tested { arrived: true, status, message: note, began, ended },
            Err(Unsent { status, message, .. }) => Tested { arrived: false, status, message: Some(message), began, ended },
        })
    }

    async fn hand_over(
        &self,
        project: ProjectId,
        (receiver, spec): (&AssetRef, &ReceiverSpec),
        notice: &Notice,
    ) -> Result<Sent, Unsent> {
        let now = self.now();
        let id = DeliveryId::new(now).to_string();
        self.inner.courier.send(Parcel { project, receiver: &receiver.name, spec, notice, id: &id, now }).await
    }

    /// The spec of a receiver as it is now, so that one that is mended is used for what waits.
    pub(crate) async fn spec(&self, project: ProjectId, receiver: &AssetRef) -> Result<ReceiverSpec, AlertFault> {
        let found = self.inner.registry.get(&reader(project), AssetKind::Receiver, receiver).await;
        let version = found.map_err(|fault| match fault {
            RegistryFault::NotFound { .. } | RegistryFault::VersionNotFound { .. } => {
                AlertFault::ReceiverNotFound { name: receiver.to_string() }
            }
            fault => AlertFault::Registry(fault),
        })?;
        serde_json::from_value(version.spec).map_err(|error| {
            tracing::error!(%project, %receiver, %error, "the spec of a receiver cannot be read");
            AlertFault::ReceiverUnreadable { name: receiver.to_string() }
        })
    }

    /// Those that want to hear of an alert which names none.
    pub(crate) async fn receivers_for(
        &self,
        project: ProjectId,
        labels: &Labels,
        severity: Severity,
    ) -> Result<Vec<AssetRef>, AlertFault> {
        let known = self.known_receivers(project).await?;
        let wanting = known.into_iter().filter(|(_, spec)| spec.wants(labels, severity));
        Ok(wanting.map(|(receiver, _)| receiver).collect())
    }

    /// Those of a project that can be read: one that cannot must not take the others away.
    pub(crate) async fn known_receivers(&self, project: ProjectId) -> Result<Vec<(AssetRef, ReceiverSpec)>, AlertFault> {
        let mut known = Vec::new();
        let mut page = PageRequest::first(LIMIT_MAX);
        loop {
            let found = self.inner.registry.list(&reader(project), Some(AssetKind::Receiver), &page).await?;
            for asset in found.items {
                let receiver = AssetRef { name: asset.name, selector: Selector::Latest };
                match self.spec(project, &receiver).await {
                    Ok(spec) => known.push((receiver, spec)),
                    Err(AlertFault::ReceiverUnreadable { .. }) => {}
                    Err(fault) => return Err(fault),
                }
            }
            let Some(next) = found.next else { return Ok(known) };
            page = PageRequest::new(Some(LIMIT_MAX), Some(next))?;
        }
    }
}
