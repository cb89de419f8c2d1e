//! Looks that come to nothing, since what is watched cannot be measured. Nobody knows then whether it is well, no more than
//! where nothing comes, so after a while the same is told.

use std::time::Duration;

use mainspring_kernel::Fault as _;

use crate::{
    fault::MonitorFault,
    hold::Held,
    run::TELL_WITHIN,
    service::Monitors,
    signal::{Going, unseen},
    spec::MonitorSpec,
    state::History,
    store,
};

/// As long as a window, between these: a store that is started anew is no silence, and nobody waits a day to hear that one is
/// away.
const SHORTEST: Duration = Duration::from_secs(5 * 60);
const LONGEST: Duration = Duration::from_secs(15 * 60);

fn patience(spec: &MonitorSpec) -> Duration {
    spec.window.as_duration().clamp(SHORTEST, LONGEST)
}

impl Monitors {
    /// Writes down since when nobody can look, and tells of it once that is long enough and where silence is told. What has fired
    /// goes on. The next look that finds something out ends it.
    pub(crate) async fn could_not_look(
        &self,
        held: &Held<'_>,
        spec: &MonitorSpec,
        why: &MonitorFault,
    ) -> Result<(), MonitorFault> {
        let (kept, now) = (held.kept, self.now());
        let since = kept.history.blind_since.unwrap_or(now);
        let history = History { blind_since: Some(since), ..kept.history.clone() };
        let alert = Going::silent(&kept.name);
        let mut going = kept.raised.clone();
        let tells = spec.notify_missing && now.since(since) >= patience(spec);
        if tells && going.iter().all(|known| known.fingerprint != alert.fingerprint) {
            going.push(alert.clone());
        }
        // Before it is told, so that whoever looks next ends it if this process dies meanwhile.
        self.write_down_blind(held, &history, &going).await?;
        if !tells {
            return Ok(());
        }
        held.check(self.now())?;
        let telling = self.parts.bell.raise(vec![unseen((kept.project, &kept.name), spec, &alert, (why.code(), since, now))]);
        let told = tokio::time::timeout(TELL_WITHIN, telling).await.map_err(|_| MonitorFault::Late)?;
        let incident = told.map_err(MonitorFault::Bell)?.first().copied();
        let known = going.iter_mut().find(|known| known.fingerprint == alert.fingerprint);
        if let Some(known) = known.filter(|known| known.incident != incident) {
            known.incident = incident;
            self.write_down_blind(held, &history, &going).await?;
        }
        Ok(())
    }

    async fn write_down_blind(&self, held: &Held<'_>, history: &History, going: &[Going]) -> Result<(), MonitorFault> {
        let ours = store::blind(&self.parts.catalog, held.kept, history, going).await?;
        if ours { Ok(()) } else { Err(held.lost()) }
    }
}
