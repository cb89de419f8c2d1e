//! How monitors of all projects stand, for metrics and for whoever asks how the server is.

use std::{collections::BTreeMap, sync::PoisonError, time::Duration};

use mainspring_kernel::{Fault as _, Stop, fault};
use serde::Deserialize;

use crate::{
    fault::MonitorFault,
    service::Monitors,
    state::{State, stands},
    store,
};

const LOOK_EVERY: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 500;
/// Of one that is off, or that nobody has looked at yet.
const NONE: &str = "none";
const STATES: [&str; 5] = [State::Ok.as_str(), State::Warming.as_str(), State::Missing.as_str(), State::Firing.as_str(), NONE];

/// As far as was seen within the last seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measured {
    /// How many are in each state: every state is there. `none` is that of those that are off, or were not looked at yet.
    pub states: BTreeMap<&'static str, u64>,
    /// Those whose last look found nothing out.
    pub in_trouble: u64,
}

/// What an evaluation says of the whole monitor.
#[derive(Debug, Deserialize)]
pub(crate) struct Stood {
    pub(crate) state: State,
}

impl Monitors {
    /// For whoever asks for metrics: nothing is read for it. Nothing is said where nobody looks.
    #[must_use]
    pub fn measured(&self) -> Option<Measured> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks how monitors stand, for as long as the server runs. Give it to `Tasks`.
    pub async fn keep_measuring(self, stop: Stop) {
        loop {
            if let Err(found) = self.measure().await
                && !found.kind().is_transient()
            {
                tracing::warn!(cause = %fault::chain(&found), "it cannot be said how monitors stand");
            }
            if !stop.sleep(LOOK_EVERY).await {
                return;
            }
        }
    }

    pub(crate) async fn measure(&self) -> Result<(), MonitorFault> {
        let mut seen = Measured { states: STATES.iter().map(|state| (*state, 0)).collect(), in_trouble: 0 };
        let mut after = (String::new(), String::new());
        loop {
            let some = store::stood(&self.parts.catalog, (&after.0, &after.1), AT_ONCE).await?;
            let Some(last) = some.last() else { break };
            after = (last.project.clone(), last.name.clone());
            for stood in &some {
                let state = stood.evaluation.as_ref().map_or(NONE, |found| stands(found.state, stood.in_trouble).as_str());
                *seen.states.entry(state).or_default() += 1;
                seen.in_trouble += u64::from(stood.in_trouble);
            }
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(())
    }
}
