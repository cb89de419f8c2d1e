//! Looks at what is due. Of all processes over one catalog the one that holds a monitor's lease (`hold.rs`) looks at it; what
//! was found is written down before anybody is told, so that whoever goes on after a death tells again and forgets nothing.

use std::{collections::HashMap, time::Duration};

use mainspring_kernel::{AssetKind, Fault as _, Name, PageRequest, Stop, Timestamp, fault, id::ProjectId, page::LIMIT_MAX};
use mainspring_registry::Mark;
use tokio::task::JoinSet;

use crate::{
    fault::MonitorFault,
    hold::{Held, LEASE},
    pace::next_look,
    seam::Showing,
    service::{Looked, Monitors, reader},
    signal::{Going, Ringing, ringing, showing, signal},
    spec::MonitorSpec,
    state::Evaluation,
    store::{self, Kept},
};

/// How often to see what is due.
pub(crate) const POLL: Duration = Duration::from_secs(1);
/// Monitors that are looked at side by side.
const AT_ONCE: usize = 4;
const DUE_AT_ONCE: usize = 100;
pub(crate) const TELL_WITHIN: Duration = Duration::from_secs(60);
/// All alerts of a look wait for the traces that show them; those of which none are there by then are told without.
const SHOW_WITHIN: Duration = Duration::from_secs(10);
/// After a look that failed: of what may be well soon, and of what somebody has to mend.
const PAUSE: Duration = Duration::from_secs(10);
const LONG_PAUSE: Duration = Duration::from_secs(60);
/// One that is off waits for its next version.
const REST: Duration = Duration::from_secs(24 * 3600);

pub(crate) type Marks = HashMap<ProjectId, Mark>;

impl Monitors {
    /// Until told to stop. What is under way then is looked at again by whoever is there next.
    pub async fn keep_watching(self, stop: Stop) {
        let (mut marks, mut looks) = (Marks::new(), JoinSet::new());
        while stop.sleep(POLL).await {
            let begun = tokio::select! {
                () = stop.requested() => return,
                begun = self.begin(&mut marks, &mut looks) => begun,
            };
            if let Err(found) = begun {
                if !found.kind().is_transient() {
                    tracing::warn!(cause = %fault::chain(&found), "monitors could not be looked at; it is tried again");
                }
                stop.sleep(PAUSE).await;
            }
        }
    }

    /// Begins to look at everything that is due; answers how many that were. One that takes long keeps no other waiting while
    /// there is room beside it.
    async fn begin(&self, marks: &mut Marks, looks: &mut JoinSet<()>) -> Result<usize, MonitorFault> {
        while looks.try_join_next().is_some() {}
        self.take_up(marks).await?;
        let due = store::due(&self.parts.catalog, self.now(), DUE_AT_ONCE).await?;
        for (project, name) in &due {
            while looks.len() >= AT_ONCE {
                looks.join_next().await;
            }
            let (this, project, name) = (self.clone(), *project, name.clone());
            looks.spawn(async move { this.attend(project, &name).await });
        }
        Ok(due.len())
    }

    /// The same, up to the end of every look.
    #[cfg(test)]
    pub(crate) async fn round(&self, marks: &mut Marks) -> Result<usize, MonitorFault> {
        let mut looks = JoinSet::new();
        let begun = self.begin(marks, &mut looks).await?;
        while looks.join_next().await.is_some() {}
        Ok(begun)
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
        // Whoever lost its lease has nothing to say of the monitor.
        if let Err(found) = looked
            && !found.kind().is_transient()
            && !matches!(found, MonitorFault::Busy { .. })
        {
            tracing::warn!(%project, monitor = %name, cause = %fault::chain(&found), "a monitor could not be looked at");
        }
    }

    /// Looks at a monitor whose lease is held, and gives the lease back. Nothing: it is off, or gone.
    pub(crate) async fn attend_to(&self, kept: &Kept) -> Result<Option<Looked>, MonitorFault> {
        let _looking = self.looking.read().await;
        let held = Held::new(kept);
        let looked = tokio::select! {
            looked = Box::pin(self.look(&held)) => looked,
            lost = self.keep_hold(&held) => Err(lost),
        };
        match &looked {
            // It is another's now, or nobody's.
            Ok(_) | Err(MonitorFault::Busy { .. }) => {}
            Err(found) => {
                let pause = if found.kind().is_transient() { PAUSE } else { LONG_PAUSE };
                store::fail(&self.parts.catalog, kept, self.now().plus(pause), &fault::chain(found)).await?;
            }
        }
        looked
    }

    async fn look(&self, held: &Held<'_>) -> Result<Option<Looked>, MonitorFault> {
        let kept = held.kept;
        held.check(self.now())?;
        let (version, spec) = match self.spec(kept.project, &kept.name).await {
            Ok((version, spec)) if spec.enabled => (version, spec),
            Ok((version, _)) => return self.put_to_rest(held, version).await.map(|()| None),
            Err(MonitorFault::NotFound { .. }) => return self.put_to_rest(held, kept.version).await.map(|()| None),
            Err(fault) => return Err(fault),
        };
        let evaluation = match self.looked_at(kept, (version, &spec)).await {
            Ok(evaluation) => evaluation,
            Err(found) => {
                if let Err(untold) = self.could_not_look(held, &spec, &found).await {
                    tracing::warn!(monitor = %kept.name, cause = %fault::chain(&untold), "that a monitor cannot be looked at could not be told");
                }
                return Err(found);
            }
        };
        let ringing = ringing(&kept.name, &spec, &evaluation);
        // With what is about to be told, so that it is known to whoever goes on if this process dies meanwhile.
        let mut going = kept.raised.clone();
        for (new, _) in &ringing.raise {
            if going.iter().all(|known| known.fingerprint != new.fingerprint) {
                going.push(new.clone());
            }
        }
        self.write_down(held, (version, &evaluation), &going).await?;
        let telling = Box::pin(self.tell(held, (&spec, &evaluation), &ringing, &mut going));
        tokio::time::timeout(TELL_WITHIN, telling).await.map_err(|_| MonitorFault::Late)??;
        let next = next_look(&spec, &evaluation.history, self.now());
        held.end();
        store::finish(&self.parts.catalog, kept, (version, &going), next).await?;
        Ok(Some(Looked { version, spec, evaluation, going }))
    }

    async fn write_down(&self, held: &Held<'_>, found: (u32, &Evaluation), going: &[Going]) -> Result<(), MonitorFault> {
        let (kept, until) = (held.kept, self.now().plus(LEASE));
        let ours = self
            .parts
            .catalog
            .transact(|mut tx| {
                Box::pin(async move {
                    let ours = store::save(&mut tx, kept, found, (going, until)).await?;
                    Ok::<_, MonitorFault>((tx, ours))
                })
            })
            .await?;
        if !ours {
            // Somebody else has looked meanwhile, and knows better.
            return Err(held.lost());
        }
        held.extend(until);
        Ok(())
    }

    /// Raises what goes on, all of it together, and resolves what does not. `going` is what goes on, whenever this is broken off.
    async fn tell(
        &self,
        held: &Held<'_>,
        (spec, found): (&MonitorSpec, &Evaluation),
        ringing: &Ringing<'_>,
        going: &mut Vec<Going>,
    ) -> Result<(), MonitorFault> {
        let kept = held.kept;
        // The last whole window may have begun as long ago as this.
        let from = found.at.minus(spec.delay.as_duration()).minus(2 * ringing.shown_within(spec));
        let mut raise: Vec<_> = ringing.raise.iter().collect();
        // What nobody knows of comes first to its traces.
        raise.sort_by_key(|(alert, _)| is_told(going, &alert.fingerprint));
        let until = tokio::time::Instant::now() + SHOW_WITHIN;
        let mut signals = Vec::new();
        for (alert, slice) in raise {
            // What recovers goes on, and whoever asks why it fired is not to be shown what is well.
            if !alert.missing && !found.history.is_wrong(alert.slice.as_deref()) && is_told(going, &alert.fingerprint) {
                continue;
            }
            // A question that nobody waits for is not to be asked.
            let traces = if alert.missing || tokio::time::Instant::now() >= until {
                Vec::new()
            } else {
                let showing = self.examples(kept, spec, showing(spec, slice), (from, found.at));
                tokio::time::timeout_at(until, showing).await.unwrap_or_default()
            };
            signals.push(signal((kept.project, &kept.name), spec, (alert, slice), (found, traces)));
        }
        if !signals.is_empty() {
            held.check(self.now())?;
            let raised: Vec<String> = signals.iter().map(|signal| signal.fingerprint.clone()).collect();
            let incidents = self.parts.bell.raise(signals).await.map_err(MonitorFault::Bell)?;
            held.check(self.now())?;
            for (fingerprint, incident) in raised.iter().zip(incidents) {
                if let Some(known) = going.iter_mut().find(|known| known.fingerprint == *fingerprint) {
                    known.incident = Some(incident);
                }
            }
        }
        self.resolve(held, going, |alert| ringing.keeps(&alert.fingerprint)).await
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
    async fn resolve(&self, held: &Held<'_>, going: &mut Vec<Going>, keeps: impl Fn(&Going) -> bool) -> Result<(), MonitorFault> {
        let over: Vec<String> = going.iter().filter(|&alert| !keeps(alert)).map(|alert| alert.fingerprint.clone()).collect();
        for fingerprint in over {
            held.check(self.now())?;
            self.parts.bell.resolve(held.kept.project, &fingerprint).await.map_err(MonitorFault::Bell)?;
            going.retain(|alert| alert.fingerprint != fingerprint);
        }
        Ok(())
    }

    async fn put_to_rest(&self, held: &Held<'_>, version: u32) -> Result<(), MonitorFault> {
        let kept = held.kept;
        let mut going = kept.raised.clone();
        self.resolve(held, &mut going, |_| false).await?;
        held.end();
        store::clear(&self.parts.catalog, kept).await?;
        Ok(store::finish(&self.parts.catalog, kept, (version, &going), self.now().plus(REST)).await?)
    }
}

fn is_told(going: &[Going], fingerprint: &str) -> bool {
    going.iter().any(|known| known.fingerprint == fingerprint && known.incident.is_some())
}
