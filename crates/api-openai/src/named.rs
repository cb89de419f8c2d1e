//! Which names are apps and prompts, known without asking the catalog at every call.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use mainspring_chains::{ChainFault, Chains, Target};
use mainspring_kernel::{Actor, AssetKind, id::ProjectId};

/// An app that takes the name of a route is seen within this time; the gateway looks for new routes as often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Each project's names, and when they were looked for.
#[derive(Debug, Default)]
pub(crate) struct Named(Mutex<HashMap<ProjectId, Seen>>);

type Seen = (Instant, Arc<BTreeSet<String>>);

impl Named {
    /// Whether an app or a prompt has the name. It is asked of names that the gateway knows too.
    pub(crate) async fn holds(&self, chains: &Chains, actor: &Actor, target: &Target) -> Result<bool, ChainFault> {
        let name = target.reference.name.as_str();
        if let Some(names) = self.fresh(actor.project) {
            return Ok(names.contains(name));
        }
        let callables = chains.callables(actor).await?;
        let named = callables.into_iter().filter(|callable| callable.kind != AssetKind::Model);
        let names: Arc<BTreeSet<String>> = Arc::new(named.map(|callable| callable.name).collect());
        let known = names.contains(name);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(actor.project, (Instant::now(), names));
        Ok(known)
    }

    /// The names where they need not be read again. Of all who find them old only the first is told so: the others, and
    /// everyone while the catalog is away, go on with what is known.
    fn fresh(&self, project: ProjectId) -> Option<Arc<BTreeSet<String>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, names) = all.get_mut(&project)?;
        if seen.elapsed() < LOOK_EVERY {
            return Some(Arc::clone(names));
        }
        *seen = Instant::now();
        None
    }
}
