//! The prices of every project, in memory.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use mainspring_kernel::{
    Actor, AssetKind, AssetRef, Fault as _, FaultKind, Labels, ModelScope, Name, PageRequest, Role, Selector,
    id::{PrincipalId, ProjectId},
    page::LIMIT_MAX,
};
use mainspring_providers::{Preset, ProviderKind, ProviderSpec};
use mainspring_registry::{Mark, Registry, SpecFault, Version};

use super::fault::LedgerFault;
use crate::{
    cost::{PriceTable, Prices},
    prices::PricesSpec,
};

/// The table of a project that is in force.
const IN_FORCE: &str = "default";

#[derive(Debug)]
pub(crate) struct PriceBook {
    registry: Registry,
    builtin: Prices,
    projects: RwLock<HashMap<ProjectId, Prices>>,
    /// What was read last, one reader at a time.
    seen: tokio::sync::Mutex<HashMap<ProjectId, Mark>>,
}

impl PriceBook {
    pub(crate) async fn open(registry: Registry) -> Result<Self, LedgerFault> {
        let book =
            Self { registry, builtin: Prices::builtin(), projects: RwLock::default(), seen: tokio::sync::Mutex::default() };
        book.refresh().await?;
        Ok(book)
    }

    pub(crate) fn of(&self, project: ProjectId) -> Prices {
        let projects = self.projects.read().unwrap_or_else(PoisonError::into_inner);
        projects.get(&project).unwrap_or(&self.builtin).clone()
    }

    /// Reads the tables that have changed since last time.
    pub(crate) async fn refresh(&self) -> Result<(), LedgerFault> {
        let mut seen = self.seen.lock().await;
        for (project, mark) in self.registry.marks(AssetKind::Prices).await? {
            if seen.get(&project) == Some(&mark) {
                continue;
            }
            let read = match self.read(&reader(project), &in_force()).await {
                // Calls go on at the prices of before; whoever applied the table was told what is wrong with it.
                Err(fault) if matches!(fault.kind(), FaultKind::Invalid | FaultKind::Internal) => {
                    tracing::error!(%fault, %project, "the project's prices cannot be read; those of before stay in force");
                    None
                }
                other => other?.map(|table| Prices::over_builtin(Arc::new(table))).or_else(|| Some(self.builtin.clone())),
            };
            if let Some(prices) = read {
                self.projects.write().unwrap_or_else(PoisonError::into_inner).insert(project, prices);
            }
            seen.insert(project, mark);
        }
        Ok(())
    }

    /// Prices with another table of the project before the built-in one.
    pub(crate) async fn named(&self, actor: &Actor, table: &AssetRef) -> Result<Prices, LedgerFault> {
        let version = self.registry.get(actor, AssetKind::Prices, table).await?;
        Ok(Prices::over_builtin(Arc::new(parse(&version)?)))
    }

    /// The project's providers as they are now.
    pub(crate) async fn servers(&self, project: ProjectId) -> Result<Servers, LedgerFault> {
        let actor = reader(project);
        let mut servers = HashMap::new();
        let mut page = PageRequest::first(LIMIT_MAX);
        loop {
            let found = self.registry.list(&actor, Some(AssetKind::Provider), &page).await?;
            for asset in found.items {
                let newest = AssetRef { name: asset.name.clone(), selector: Selector::Latest };
                let version = self.registry.get(&actor, AssetKind::Provider, &newest).await?;
                // One that another version of Mainspring wrote is known by its name alone.
                if let Ok(spec) = serde_json::from_value::<ProviderSpec>(version.spec) {
                    servers.insert(asset.name.to_string(), (spec.kind, spec.server()));
                }
            }
            let Some(next) = found.next else { return Ok(Servers(servers)) };
            page = PageRequest::new(Some(LIMIT_MAX), Some(next))?;
        }
    }

    async fn read(&self, actor: &Actor, table: &AssetRef) -> Result<Option<PriceTable>, LedgerFault> {
        match self.registry.get(actor, AssetKind::Prices, table).await {
            Ok(version) => parse(&version).map(Some),
            // Only a table of this name is in force.
            Err(fault) if fault.kind() == FaultKind::NotFound => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }
}

/// Of which type a project's providers are, and which known servers, by name: records say neither.
#[derive(Debug, Default)]
pub(crate) struct Servers(HashMap<String, (ProviderKind, Option<Preset>)>);

impl Servers {
    pub(crate) fn of(&self, provider: &str) -> Option<(ProviderKind, Option<Preset>)> {
        self.0.get(provider).copied()
    }
}

fn parse(version: &Version) -> Result<PriceTable, LedgerFault> {
    let spec: PricesSpec = SpecFault::read(&version.spec)
        .map_err(|fault| LedgerFault::BadQuestion { reason: format!("{} cannot be read: {fault}", version.pin) })?;
    Ok(PriceTable::new(version.pin.digest, spec))
}

/// The process itself, looking into a project.
fn reader(project: ProjectId) -> Actor {
    Actor {
        principal: PrincipalId::from_raw(0),
        project,
        role: Role::Reader,
        labels: Labels::none(),
        key: None,
        models: ModelScope::All,
    }
}

fn in_force() -> AssetRef {
    let name: Name = IN_FORCE.parse().expect("`default` is a name");
    AssetRef { name, selector: Selector::Latest }
}
