//! The room's door: what people ask of monitors.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use mainspring_catalog::Catalog;
use mainspring_kernel::{
    Actor, AssetKind, AssetRef, Clock, Labels, ModelScope, Name, Page, PageRequest, Role, Selector, Timestamp,
    id::{PrincipalId, ProjectId},
};
use mainspring_registry::{Registry, RegistryFault};
use tokio::sync::RwLock;

use crate::{
    evaluate::evaluate,
    fault::MonitorFault,
    hold::{BEAT, LEASE},
    seam::{Bell, Watched},
    signal::{Going, ringing},
    spec::MonitorSpec,
    state::{Evaluation, History, State, stands},
    store::{self, Kept},
    tally::Measured,
};

/// A look that takes longer is given up.
const LOOK_WITHIN: Duration = Duration::from_secs(60);

/// What the room is made of.
#[derive(Debug)]
pub struct Parts {
    pub catalog: Catalog,
    pub registry: Registry,
    pub clock: Arc<dyn Clock>,
    pub watched: Arc<dyn Watched>,
    pub bell: Arc<dyn Bell>,
}

/// Monitors of every project. Clones share everything.
#[derive(Debug, Clone)]
pub struct Monitors {
    pub(crate) parts: Arc<Parts>,
    /// Whoever looks shares it from measuring to telling.
    pub(crate) looking: Arc<RwLock<()>>,
    /// How often the lease of a look is renewed.
    pub(crate) beat: Duration,
    pub(crate) seen: Arc<Mutex<Option<Measured>>>,
}

/// A monitor and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub name: Name,
    pub version: u32,
    pub description: Option<String>,
    /// Absent where this version cannot read it.
    pub spec: Option<MonitorSpec>,
    /// The version that was looked at last.
    pub looked_version: Option<u32>,
    /// Without its history; absent where nobody has looked yet.
    pub evaluation: Option<Evaluation>,
    /// Its alerts that go on.
    pub going: Vec<Going>,
    /// Why the last look found nothing out.
    pub trouble: Option<String>,
    /// When it is looked at again; absent for one that is off, or of which nobody knows yet.
    pub next: Option<Timestamp>,
    /// What it found is of traces that the reader may not all see, and is left out.
    pub hidden: bool,
}

impl Standing {
    /// Where it stands; absent where nobody has looked yet. Of what could not be looked at nobody knows whether it is well, and
    /// what has fired goes on.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        Some(stands(self.evaluation.as_ref()?.state, self.trouble.is_some()))
    }

    /// A look counts every trace of the project, so that a state, and with it the time of the next look, tells of them as much
    /// as a figure does.
    fn shown_to(self, actor: &Actor) -> Self {
        if actor.labels == Labels::All {
            return self;
        }
        Self { evaluation: None, looked_version: None, going: Vec::new(), trouble: None, next: None, hidden: true, ..self }
    }
}

/// What a look found.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    pub version: u32,
    pub spec: MonitorSpec,
    pub evaluation: Evaluation,
    /// The alerts that go on by it.
    pub going: Vec<Going>,
}

impl Monitors {
    #[must_use]
    pub fn open(parts: Parts) -> Self {
        Self { parts: Arc::new(parts), looking: Arc::default(), beat: BEAT, seen: Arc::default() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// By name.
    pub async fn list(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Standing>, MonitorFault> {
        needs(actor, Role::Reader)?;
        let found = self.parts.registry.list(actor, Some(AssetKind::Monitor), page).await?;
        let mut items = Vec::with_capacity(found.items.len());
        for asset in found.items {
            let spec = match self.spec(actor.project, &asset.name).await {
                Ok((_, spec)) => Some(spec),
                Err(MonitorFault::Unreadable { .. }) => None,
                Err(fault) => return Err(fault),
            };
            let kept = store::get(&self.parts.catalog, actor.project, &asset.name).await?;
            items.push(standing((asset.name, asset.latest, asset.description), spec, kept).shown_to(actor));
        }
        Ok(Page { items, next: found.next })
    }

    pub async fn get(&self, actor: &Actor, name: &Name) -> Result<Standing, MonitorFault> {
        needs(actor, Role::Reader)?;
        let version = self.version(actor.project, name).await?;
        let (number, description) = (version.pin.number, version.description.clone());
        let spec = read(version.spec, actor.project, name).ok();
        let kept = store::get(&self.parts.catalog, actor.project, name).await?;
        Ok(standing((name.clone(), number, description), spec, kept).shown_to(actor))
    }

    /// What was found, newest first; with the version that was looked at. For whoever sees every trace.
    pub async fn evaluations(
        &self,
        actor: &Actor,
        name: &Name,
        page: &PageRequest,
    ) -> Result<Page<(u32, Evaluation)>, MonitorFault> {
        needs(actor, Role::Reader)?;
        sees_all(actor)?;
        self.version(actor.project, name).await?;
        let before = page.after::<i64>()?.map(Timestamp::from_micros);
        let found = store::evaluations(&self.parts.catalog, (actor.project, name), before, page.limit() + 1).await?;
        Ok(Page::from_overfetch(found, page, |(_, evaluation)| evaluation.at.as_micros()))
    }

    /// What a look would find now among the traces that the actor may see. Nothing is remembered and nobody is told.
    pub async fn try_out(&self, actor: &Actor, name: &Name) -> Result<Looked, MonitorFault> {
        needs(actor, Role::Reader)?;
        let (version, spec) = self.spec(actor.project, name).await?;
        // What is remembered was counted of every trace.
        let kept = match actor.labels {
            Labels::All => store::get(&self.parts.catalog, actor.project, name).await?,
            Labels::Some(_) => None,
        };
        let history = kept.as_ref().map_or_else(History::default, |kept| history_of(kept, version));
        let evaluation = self.evaluated((actor.project, &actor.labels), &spec, &history).await?;
        let going = ringing(name, &spec, &evaluation).raise.into_iter().map(|(going, _)| going).collect();
        Ok(Looked { version, spec, evaluation, going })
    }

    /// Looks now as if it were due: it is remembered, and alerts are raised and resolved. For whoever sees every trace.
    pub async fn look_now(&self, actor: &Actor, name: &Name) -> Result<Looked, MonitorFault> {
        needs(actor, Role::Editor)?;
        sees_all(actor)?;
        let (version, _) = self.spec(actor.project, name).await?;
        let (now, key) = (self.now(), (actor.project, name));
        store::ensure(&self.parts.catalog, (actor.project, name, version), now).await?;
        let always = Timestamp::from_micros(i64::MAX);
        let kept = store::claim(&self.parts.catalog, key, (now, now.plus(LEASE)), always).await?;
        let kept = kept.ok_or_else(|| MonitorFault::Busy { name: name.to_string() })?;
        self.attend_to(&kept).await?.ok_or_else(|| MonitorFault::Off { name: name.to_string() })
    }

    /// Leases of processes that died, where no other can have any.
    pub async fn end_leases(&self) -> Result<usize, MonitorFault> {
        Ok(store::end_leases(&self.parts.catalog).await?)
    }

    /// What a monitor finds. Where nobody has found anything since its spec changed, it is said that it compares otherwise: once,
    /// since a look that comes to nothing is made again and again.
    pub(crate) async fn looked_at(&self, kept: &Kept, (version, spec): (u32, &MonitorSpec)) -> Result<Evaluation, MonitorFault> {
        let found = self.evaluated((kept.project, &Labels::All), spec, &history_of(kept, version)).await?;
        if kept.looked_version != Some(version) {
            let data = self.parts.watched.of(kept.project, &Labels::All);
            let set = tokio::time::timeout(LOOK_WITHIN, data.reference_set(&spec.measure)).await;
            set.map_err(|_| MonitorFault::Late)?.map_err(MonitorFault::Data)?;
        }
        Ok(found)
    }

    pub(crate) async fn evaluated(
        &self,
        (project, labels): (ProjectId, &Labels),
        spec: &MonitorSpec,
        history: &History,
    ) -> Result<Evaluation, MonitorFault> {
        let data = self.parts.watched.of(project, labels);
        let looking = Box::pin(evaluate(spec, data.as_ref(), history, self.now()));
        let found = tokio::time::timeout(LOOK_WITHIN, looking).await.map_err(|_| MonitorFault::Late)?;
        found.map_err(MonitorFault::Data)
    }

    async fn version(&self, project: ProjectId, name: &Name) -> Result<mainspring_registry::Version, MonitorFault> {
        let target = AssetRef { name: name.clone(), selector: Selector::Latest };
        let found = self.parts.registry.get(&reader(project), AssetKind::Monitor, &target).await;
        found.map_err(|fault| match fault {
            RegistryFault::NotFound { .. } | RegistryFault::VersionNotFound { .. } => {
                MonitorFault::NotFound { name: name.to_string() }
            }
            fault => MonitorFault::Registry(fault),
        })
    }

    /// The newest spec, and the number of its version.
    pub(crate) async fn spec(&self, project: ProjectId, name: &Name) -> Result<(u32, MonitorSpec), MonitorFault> {
        let version = self.version(project, name).await?;
        Ok((version.pin.number, read(version.spec, project, name)?))
    }
}

fn read(spec: serde_json::Value, project: ProjectId, name: &Name) -> Result<MonitorSpec, MonitorFault> {
    serde_json::from_value(spec).map_err(|error| {
        tracing::error!(%project, monitor = %name, %error, "the spec of a monitor cannot be read");
        MonitorFault::Unreadable { name: name.to_string() }
    })
}

/// What was remembered of another version says nothing about this one.
fn history_of(kept: &Kept, version: u32) -> History {
    if kept.looked_version == Some(version) { kept.history.clone() } else { History::default() }
}

fn standing(
    (name, version, description): (Name, u32, Option<String>),
    spec: Option<MonitorSpec>,
    kept: Option<Kept>,
) -> Standing {
    let off = spec.as_ref().is_some_and(|spec| !spec.enabled);
    let next = kept.as_ref().filter(|_| !off).map(|kept| kept.due);
    let (looked_version, evaluation, going, trouble) = kept
        .map_or_else(|| (None, None, Vec::new(), None), |kept| (kept.looked_version, kept.evaluation, kept.raised, kept.trouble));
    Standing { name, version, description, spec, looked_version, evaluation, going, trouble, next, hidden: false }
}

/// Monitors are everybody's in the project: what is read for them is what every reader may see.
pub(crate) const fn reader(project: ProjectId) -> Actor {
    Actor {
        principal: PrincipalId::from_raw(0),
        project,
        role: Role::Reader,
        labels: Labels::none(),
        key: None,
        models: ModelScope::All,
    }
}

fn needs(actor: &Actor, needed: Role) -> Result<(), MonitorFault> {
    if actor.may(needed) { Ok(()) } else { Err(MonitorFault::Forbidden { needed }) }
}

fn sees_all(actor: &Actor) -> Result<(), MonitorFault> {
    if actor.labels == Labels::All { Ok(()) } else { Err(MonitorFault::Unseen) }
}
