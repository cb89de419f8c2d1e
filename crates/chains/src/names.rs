//! Who answers to what clients write as their `model`, in one order for every surface.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use mainspring_kernel::{Actor, AssetKind, fault::chain, id::ProjectId};

use crate::{fault::ChainFault, request::Target, run::Chains};

/// An app that takes the name of a route is seen within this time; the gateway looks for new routes as often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answerer {
    /// An app, a prompt, or whoever says that nobody has the name.
    Chains,
    /// A route, a provider's model or a model of this process.
    Gateway,
}

/// Each project's apps and prompts, known without asking the catalog at every call, and when they were looked for.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<HashMap<ProjectId, Seen>>);

type Seen = (Instant, Arc<BTreeSet<String>>);

impl Names {
    /// The names as far as they are known, and whether they have to be read again. Of all who find them old only the first
    /// is told so.
    fn known(&self, project: ProjectId) -> (Option<Arc<BTreeSet<String>>>, bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((seen, names)) = all.get_mut(&project) else { return (None, true) };
        let old = seen.elapsed() >= LOOK_EVERY;
        if old {
            *seen = Instant::now();
        }
        (Some(Arc::clone(names)), old)
    }

    fn keep(&self, project: ProjectId, names: Arc<BTreeSet<String>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(project, (Instant::now(), names));
    }
}

impl Chains {
    /// An app comes first, then a prompt, then what the gateway knows: a route, a provider's model, a model of this process.
    /// `app/NAME`, `prompt/NAME` and `model/NAME` say whom they mean. `routed`: the gateway knows the name.
    pub async fn answerer(&self, actor: &Actor, model: &str, routed: bool) -> Result<Answerer, ChainFault> {
        let target = model.parse::<Target>();
        let said = target.as_ref().is_ok_and(|target| target.kind.is_some());
        if said || !routed {
            return Ok(Answerer::Chains);
        }
        // What is no name of an asset is the gateway's alone.
        let Ok(target) = target else { return Ok(Answerer::Gateway) };
        let names = self.named(actor).await?;
        Ok(if names.contains(target.reference.name.as_str()) { Answerer::Chains } else { Answerer::Gateway })
    }

    /// The apps and prompts of the actor's project. While the catalog is away, those that were known.
    async fn named(&self, actor: &Actor) -> Result<Arc<BTreeSet<String>>, ChainFault> {
        let (known, old) = self.names.known(actor.project);
        if let Some(known) = known.clone().filter(|_| !old) {
            return Ok(known);
        }
        match self.callables(actor).await {
            Ok(callables) => {
                let named = callables.into_iter().filter(|callable| callable.kind != AssetKind::Model);
                let names: Arc<BTreeSet<String>> = Arc::new(named.map(|callable| callable.name).collect());
                self.names.keep(actor.project, Arc::clone(&names));
                Ok(names)
            }
            Err(fault) => {
                tracing::debug!(fault = %chain(&fault), "apps and prompts cannot be listed");
                known.ok_or(fault)
            }
        }
    }
}
