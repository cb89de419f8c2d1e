//! The gateway, from settings.

use std::sync::Arc;

use mainspring_catalog::{AuditTrail, Catalog};
use mainspring_config::{Config, PrivateAddresses};
use mainspring_gateway::{Clients, Gateway, Ledger, Parts, ledger::LedgerParts};
use mainspring_kernel::{Clock, Tasks, id::ProjectId};
use mainspring_llm::{Asking, ChatModel, ModelSource, Models, TokenUsage};
use mainspring_observability::{Estimate, SpanPrices};
use mainspring_providers::{Allowed, Credentials, Socket, SocketConfig};
use mainspring_registry::Registry;
use mainspring_secrets::{MasterKeys, MasterSettings, Secrets};
use mainspring_telemetry::Metrics;

use crate::fault::BootFault;

/// What the gateway looks things up in.
pub(crate) struct Outside<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) models: &'a Models,
    pub(crate) trail: Arc<dyn AuditTrail>,
    pub(crate) secrets: &'a Secrets,
}

/// Keys of providers that the server keeps itself.
pub(crate) fn secrets(
    config: &Config,
    catalog: &Catalog,
    (clock, trail): (&Arc<dyn Clock>, &Arc<dyn AuditTrail>),
) -> Result<Secrets, BootFault> {
    let settings = MasterSettings {
        key: config.secrets.master_key.clone(),
        file: config.secrets.master_key_file.clone(),
        data: config.data_dir().to_owned(),
    };
    let keys = MasterKeys::open(settings).map_err(BootFault::part("store of secrets"))?;
    Ok(Secrets::open(catalog.clone(), Arc::clone(clock), Arc::clone(trail), keys))
}

pub(crate) async fn open(
    config: &Config,
    catalog: &Catalog,
    Outside { registry, models, trail, secrets }: Outside<'_>,
    (tasks, metrics, clock): (&Tasks, &Metrics, &Arc<dyn Clock>),
) -> Result<Gateway, BootFault> {
    let journal = config.data_dir().join("calls");
    let ledger = LedgerParts {
        catalog: catalog.clone(),
        registry: registry.clone(),
        clock: Arc::clone(clock),
        tasks: tasks.clone(),
        metrics: metrics.clone(),
        journal: journal.clone(),
        audit: Some(trail),
        keep_calls_for: config.gateway.keep_calls_for.0,
    };
    let ledger = Ledger::open(ledger).await.map_err(BootFault::part("ledger"))?;
    let parts = Parts {
        catalog: catalog.clone(),
        registry: registry.clone(),
        models: models.clone(),
        socket: Socket::new(socket(config)).map_err(BootFault::part("gateway"))?,
        credentials: Credentials::default().with_allowed(allowed(config)).with_store(Arc::new(secrets.clone())),
        metrics: metrics.clone(),
        tasks: tasks.clone(),
        clock: Arc::clone(clock),
        journal,
        embedding: config.models.embed.clone(),
        clients: Clients { may_omit: config.gateway.clients_may_omit, may_name_traces: config.gateway.clients_may_name_traces },
        patience: config.server.client_timeout.0,
    };
    Gateway::over(ledger, parts).await.map_err(BootFault::part("gateway"))
}

pub(crate) fn socket(config: &Config) -> SocketConfig {
    let allow_private = match config.gateway.private_addresses {
        PrivateAddresses::Allow => true,
        PrivateAddresses::Refuse => false,
        PrivateAddresses::Auto => config.server.listen.ip().is_loopback(),
    };
    SocketConfig { allow_private, authorities: config.gateway.authorities.clone(), ..SocketConfig::default() }
}

/// Whoever writes specs says where a key is sent, so beyond loopback keys have to be named one by one.
pub(crate) fn allowed(config: &Config) -> Allowed {
    let beyond = !config.server.listen.ip().is_loopback();
    let (variables, folders) = (&config.gateway.credential_variables, &config.gateway.credential_folders);
    Allowed {
        variables: (beyond || !variables.is_empty()).then(|| variables.clone()),
        folders: (beyond || !folders.is_empty()).then(|| folders.clone()),
    }
}

/// The gateway behind the seam by which chains find models.
#[derive(Debug)]
pub(crate) struct Routed(pub(crate) Gateway);

impl ModelSource for Routed {
    fn chat(&self, asking: &Asking<'_>, name: &str) -> Option<Arc<dyn ChatModel>> {
        self.0.chat(asking, name)
    }
}

/// The gateway's prices, for calls that were made elsewhere.
#[derive(Debug)]
pub(crate) struct Prices(pub(crate) Ledger);

impl SpanPrices for Prices {
    fn estimate(&self, project: ProjectId, called: (&str, &str), usage: &TokenUsage) -> Option<Estimate> {
        let charge = self.0.prices(project).cost_anywhere(called, usage, false)?;
        let price = format!("{}@{}", charge.price.entry, charge.price.table.short());
        Some(Estimate { cost: charge.cost, price })
    }
}
