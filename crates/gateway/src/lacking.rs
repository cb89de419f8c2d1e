//! Providers that cannot be called because a key is not where their specs say: told before anybody calls them. And those whose
//! specs an earlier version took and this one would not: told before anybody applies them again.

use mainspring_kernel::{Fault, Name, id::ProjectId};
use mainspring_providers::{EndpointFault, ProviderSpec};
use serde_json::Value;

use crate::{gateway::Gateway, target::Provider};

/// The servers that a project's specs name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Servers {
    pub count: usize,
    /// What those of them lack that cannot be called, in words, by the providers' names.
    pub lacking: Vec<String>,
    /// What of their specs is refused now, in words, by the providers' names: they answer until they are applied again.
    pub refused: Vec<String>,
}

impl Gateway {
    /// A project's servers, with their keys as they were looked for last.
    #[must_use]
    pub fn servers(&self, project: ProjectId) -> Servers {
        let all = self.inner.routes.servers(project);
        Servers {
            count: all.len(),
            lacking: all.iter().filter_map(|provider| provider.lacks()).collect(),
            refused: all.iter().filter_map(|provider| provider.refused()).collect(),
        }
    }

    /// What a provider would lack that has this spec, in words; nothing of a spec that cannot be read.
    pub async fn lacks(&self, project: ProjectId, name: &Name, spec: &Value) -> Option<String> {
        let spec: ProviderSpec = serde_json::from_value(spec.clone()).ok()?;
        told(&self.inner.routes.endpoint_fault(project, name, &spec).await?)
    }
}

impl Provider {
    /// What keeps it from being called, in words.
    pub(crate) fn lacks(&self) -> Option<String> {
        told(&self.endpoint_fault()?)
    }

    /// What has to be changed in its spec before it can be applied again, in words.
    fn refused(&self) -> Option<String> {
        let fault = self.spec.validate().err()?;
        Some(format!("provider `{}`: {fault}", self.name))
    }
}

fn told(fault: &EndpointFault) -> Option<String> {
    match fault {
        // A model of this process needs none.
        EndpointFault::NoAddress { .. } => None,
        EndpointFault::Credential { .. } => Some(match fault.hint() {
            Some(hint) => format!("{fault}; {hint}"),
            None => fault.to_string(),
        }),
    }
}
