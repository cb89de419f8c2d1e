//! Looks at what is due. Of all processes over one catalog the one that holds a monitor's lease looks at it; what was found
//! is written down before anybody is told, so that whoever goes on after a death tells again and forgets nothing.

use std::{collections::HashMap, time::Duration};

use mainspring_kernel::{
    AssetKind, Fault as _, Labels, Name, PageRequest, Stop, Timestamp, fault, id::ProjectId, page::LIMIT_MAX,
};
use mainspring_registry::Mark;
use tokio::task::JoinSet;

use crate::{
    fault::MonitorFault,
    pace::next_look,
    seam::Showing,
    service::{Looked, Monitors, history_of, reader},
    signal::{Going, Ringing, ringing, showing, signal},
    spec::MonitorSpec,
    state::Evaluation,
    store::{self, Kept},
};

/// How often to see what is due.
const POLL: Duration = Duration::from_secs(1);
/// Monitors that are looked at side by side.
const AT_ONCE: usize = 4;
const DUE_AT_ONCE: usize = 100;
/// Longer than a look and telling of it may take together.
pub(crate) const LEASE: Duration = Duration::from_secs(150);
const TELL_WITHIN: Duration = Duration::from_secs(60);
/// After a look that failed: of what may be well soon, and of what somebody has to mend.
const PAUSE: Duration = Duration::from_secs(10);
const LONG_PAUSE: Duration = Duration::from_secs(60);
/// One that is off waits for its next version.
const REST: Duration = Duration::from_secs(24 * 3600);

pub(crate) type Marks = HashMap<ProjectId, Mark>;

impl Monitors {
    /// Until told to stop. What is under way then is looked at again by whoever is there next.
    pub async fn keep_watching(self, stop: Stop) {
        let mut marks = Marks::new();
        while stop.sleep(POLL).await {
            let done = tokio::select! {
                () = stop.requested() => return,
                done = self.round(&mut marks) => done,
            };
            if let Err(found) = done {
                if !found.kind().is_transient() {
                    tracing::warn!(cause = %fault::chain(&found), "monitors could not be looked at; it is tried again");
                }
                stop.sleep(PAUSE).await;
            }
        }
    }

    /// Looks at everything that is due; answers how many that were.
    pub(crate) async fn round(&self, marks: &mut Marks) -> Result<usize, MonitorFault> {
        self.take_up(marks).await?;
        let due = store::due(&self.parts.catalog, self.now(), DUE_AT_ONCE).await?;
        let mut looks = JoinSet::new();
        for (project, name) in &due {
            while looks.len() >= AT_ONCE {
                looks.join_next().await;
            }
            let (this, project, name) = (self.clone(), *project, name.clone());
            looks.spawn(async move { this.attend(project, &name).await });
        }
        while looks.join_next().await.is_some() {}
        Ok(due.len())
    }

    /// Monitors that were applied since the last time are due.
    async fn take_up(&self, marks: &mut Marks) -> Result<(), MonitorFault> {
        for (project, mark) in self.parts.registry.marks(AssetKind::Monitor).await? {
            if marks.get(&project) == Some(&mark) {
                continue;
            }
            let mut page = PageRequest::first(LIMIT_MAX);
            loop {
                let listed = self.parts.registry.list(&reader(project), Some(AssetKind::Monitor), &page).await?;
                for asset in &listed.items {
                    store::ensure(&self.parts.catalog, (project, &asset.name, asset.latest), self.now()).await?;
                }
                let Some(next) = listed.next else { break };
                page = PageRequest::new(Some(LIMIT_MAX), Some(next))?;
            }
            marks.insert(project, mark);
        }
        Ok(())
    }

    async fn attend(&self, project: ProjectId, name: &Name) {
        let now = self.now();
        let looked = match store::claim(&self.parts.catalog, (project, name), (now, now.plus(LEASE)), now).await {
            // Another process is at it.
            Ok(None) => Ok(()),
            Ok(Some(kept)) => self.attend_to(&kept).await.map(drop),
            Err(fault) => Err(fault.into()),
        };
        if let Err(found) = looked
            && !found.kind().is_transient()
        {
            tracing::warn!(%project, monitor = %name, cause = %fault::chain(&found), "a monitor could not be looked at");
        }
    }

    /// Looks at a monitor whose lease is held, and gives the lease back. Nothing: it is off, or gone.
    pub(crate) async fn attend_to(&self, kept: &Kept) -> Result<Option<Looked>, MonitorFault> {
        let _looking = self.looking.read().await;
        let looked = self.look(kept).await;
        if let Err(found) = &looked {
            let pause = if found.kind().is_transient() { PAUSE } else { LONG_PAUSE };
            store::fail(&self.parts.catalog, kept, self.now().plus(pause), &fault::chain(found)).await?;
        }
        looked
    }

    async fn look(&self, kept: &Kept) -> Result<Option<Looked>, MonitorFault> {
        let (version, spec) = match self.spec(kept.project, &kept.name).await {
            Ok((version, spec)) if spec.enabled => (version, spec),
            Ok((version, _)) => return self.put_to_rest(kept, version).await.map(|()| None),
            Err(MonitorFault::NotFound { .. }) => return self.put_to_rest(kept, kept.version).await.map(|()| None),
            Err(fault) => return Err(fault),
        };
        let evaluation = self.measured((kept.project, &Labels::All), &spec, &history_of(kept, version)).await?;
        let ringing = ringing(&kept.name, &spec, &evaluation);
        // With what is about to be told, so that it is known to whoever goes on if this process dies meanwhile.
        let mut going = kept.raised.clone();
        for (new, _) in &ringing.raise {
            if going.iter().all(|known| known.fingerprint != new.fingerprint) {
                going.push(new.clone());
            }
        }
        self.write_down(kept, (version, &evaluation), &going).await?;
        let telling = Box::pin(self.tell(kept, (&spec, &evaluation), &ringing, &mut going));
        tokio::time::timeout(TELL_WITHIN, telling).await.map_err(|_| MonitorFault::Late)??;
        let next = next_look(&spec, &evaluation.history, self.now());
        store::finish(&self.parts.catalog, kept, (version, &going), next).await?;
        Ok(Some(Looked { version, spec, evaluation, going }))
    }

    async fn write_down(&self, kept: &Kept, found: (u32, &Evaluation), going: &[Going]) -> Result<(), MonitorFault> {
        let until = self.now().plus(LEASE);
        let held = self
            .parts
            .catalog
            .transact(|mut tx| {
                Box::pin(async move {
                    let held = store::save(&mut tx, kept, found, (going, until)).await?;
                    Ok::<_, MonitorFault>((tx, held))
                })
            })
            .await?;
        // Somebody else has looked meanwhile, and knows better.
        if held { Ok(()) } else { Err(MonitorFault::Busy { name: kept.name.to_string() }) }
    }

    /// Raises what goes on and resolves what does not. `going` is what goes on, whenever this is broken off.
    async fn tell(
        &self,
        kept: &Kept,
        (spec, found): (&MonitorSpec, &Evaluation),
        ringing: &Ringing<'_>,
        going: &mut Vec<Going>,
    ) -> Result<(), MonitorFault> {
        // The last whole window may have begun as long ago as this.
        let from = found.at.minus(spec.delay.as_duration()).minus(2 * spec.window.as_duration());
        for (alert, slice) in &ringing.raise {
            // What recovers goes on, and whoever asks why it fired is not to be shown what is well.
            if !alert.missing && !found.history.is_wrong(alert.slice.as_deref()) && is_told(going, &alert.fingerprint) {
                continue;
            }
            let traces =
                if alert.missing { Vec::new() } else { self.examples(kept, spec, showing(spec, slice), (from, found.at)).await };
            let signal = signal((kept.project, &kept.name), spec, (alert, slice), (found, traces));
            let incident = self.parts.bell.raise(signal).await.map_err(MonitorFault::Bell)?;
            if let Some(known) = going.iter_mut().find(|known| known.fingerprint == alert.fingerprint) {
                known.incident = Some(incident);
            }
        }
        self.resolve(kept, going, |alert| ringing.keeps(&alert.fingerprint)).await
    }

    /// An alert without them is worth more than none.
    async fn examples(&self, kept: &Kept, spec: &MonitorSpec, of: Showing<'_>, within: (Timestamp, Timestamp)) -> Vec<String> {
        let found = self.parts.watched.examples(kept.project, spec, of, within).await;
        found.unwrap_or_else(|found| {
            tracing::debug!(monitor = %kept.name, cause = %fault::chain(found.as_ref()), "no traces to show for an alert");
            Vec::new()
        })
    }

    /// Resolves what is not kept.
    async fn resolve(&self, kept: &Kept, going: &mut Vec<Going>, keeps: impl Fn(&Going) -> bool) -> Result<(), MonitorFault> {
        let over: Vec<String> = going.iter().filter(|&alert| !keeps(alert)).map(|alert| alert.fingerprint.clone()).collect();
        for fingerprint in over {
            self.parts.bell.resolve(kept.project, &fingerprint).await.map_err(MonitorFault::Bell)?;
            going.retain(|alert| alert.fingerprint != fingerprint);
        }
        Ok(())
    }

    async fn put_to_rest(&self, kept: &Kept, version: u32) -> Result<(), MonitorFault> {
        let mut going = kept.raised.clone();
        self.resolve(kept, &mut going, |_| false).await?;
        store::clear(&self.parts.catalog, kept).await?;
        Ok(store::finish(&self.parts.catalog, kept, (version, &going), self.now().plus(REST)).await?)
    }
}

fn is_told(going: &[Going], fingerprint: &str) -> bool {
    going.iter().any(|known| known.fingerprint == fingerprint && known.incident.is_some())
}
