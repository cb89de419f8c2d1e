//! The routes and providers of every project, compiled and kept up to date. Calls hold what they began with.

mod compile;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use mainspring_kernel::{
    Actor, AssetKind, AssetRef, Digest, Labels, ModelScope, Name, PageRequest, Role, Selector,
    id::{PrincipalId, ProjectId},
    page::LIMIT_MAX,
};
use mainspring_providers::{Credentials, EndpointFault, ProviderKind, ProviderSpec};
use mainspring_registry::{Asset, Mark, Registry};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

pub(crate) use compile::{ProjectRoutes, Route, States, Versioned};

use crate::{fault::GatewayFault, route::RouteSpec, target::Provider};

/// The provider that is there without a spec: the models of this process.
pub(crate) const LOCAL: &str = "local";

/// What a snapshot was made from.
type Marks = (Option<Mark>, Option<Mark>);

/// How many calls a provider takes at once, and the places for them.
type Slots = (u32, Arc<Semaphore>);

#[derive(Debug)]
pub(crate) struct Routes {
    registry: Registry,
    credentials: Credentials,
    local: Arc<Provider>,
    projects: RwLock<Arc<HashMap<ProjectId, Arc<ProjectRoutes>>>>,
    nobody: Arc<ProjectRoutes>,
    pub(crate) states: States,
    slots: Mutex<HashMap<(ProjectId, Name), Slots>>,
    /// One at a time: two reloads could put the older snapshot over the newer.
    seen: tokio::sync::Mutex<HashMap<ProjectId, Marks>>,
}

impl Routes {
    /// `behind`: models of this process answer only where a route names them.
    pub(crate) async fn open(registry: Registry, credentials: Credentials, behind: bool) -> Result<Self, GatewayFault> {
        let project = ProjectId::from_raw(0);
        let name = compile::local_name().ok_or(GatewayFault::UnknownModel { model: LOCAL.to_owned(), nearest: None })?;
        let local =
            Provider::of((project, name, Digest::of(LOCAL.as_bytes())), compile::local_spec(behind), None, &credentials).await;
        let (local, states) = (Arc::new(local), States::default());
        let nobody = ProjectRoutes::compile(project, BTreeMap::new(), &BTreeMap::new(), &states, &local);
        let routes = Self {
            registry,
            credentials,
            local,
            projects: RwLock::default(),
            nobody: Arc::new(nobody),
            states,
            slots: Mutex::default(),
            seen: tokio::sync::Mutex::default(),
        };
        routes.reload().await?;
        Ok(routes)
    }

    /// What is in force in a project now.
    pub(crate) fn of(&self, project: ProjectId) -> Arc<ProjectRoutes> {
        let projects = Arc::clone(&self.projects.read().unwrap_or_else(PoisonError::into_inner));
        // A project without routes and providers has the models of this process only.
        Arc::clone(projects.get(&project).unwrap_or(&self.nobody))
    }

    /// As `of`, for projects that have routes or providers.
    pub(crate) fn known(&self, project: ProjectId) -> Option<Arc<ProjectRoutes>> {
        self.projects.read().unwrap_or_else(PoisonError::into_inner).get(&project).cloned()
    }

    /// The providers of a project that are servers.
    pub(crate) fn servers(&self, project: ProjectId) -> Vec<Arc<Provider>> {
        let Some(routes) = self.known(project) else { return Vec::new() };
        routes.providers.values().filter(|provider| provider.kind() != ProviderKind::Local).cloned().collect()
    }

    /// Why a provider that has this spec could not be called.
    pub(crate) async fn endpoint_fault(&self, project: ProjectId, name: &Name, spec: &ProviderSpec) -> Option<EndpointFault> {
        spec.endpoint(name, "", &self.credentials, project).await.err()
    }

    pub(crate) fn projects(&self) -> Vec<ProjectId> {
        self.projects.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Reads what has changed since last time. Calls under way keep what they hold.
    pub(crate) async fn reload(&self) -> Result<(), GatewayFault> {
        let mut seen = self.seen.lock().await;
        let mut marks: HashMap<ProjectId, Marks> = HashMap::new();
        for (project, mark) in self.registry.marks(AssetKind::Route).await? {
            marks.entry(project).or_default().0 = Some(mark);
        }
        for (project, mark) in self.registry.marks(AssetKind::Provider).await? {
            marks.entry(project).or_default().1 = Some(mark);
        }
        if *seen == marks {
            return Ok(());
        }
        let before = Arc::clone(&self.projects.read().unwrap_or_else(PoisonError::into_inner));
        let mut after: HashMap<ProjectId, Arc<ProjectRoutes>> = HashMap::with_capacity(marks.len());
        let mut loaded = HashMap::with_capacity(marks.len());
        let mut failed = None;
        for (project, mark) in marks {
            let kept = before.get(&project);
            if let Some(kept) = kept.filter(|_| seen.get(&project) == Some(&mark)) {
                after.insert(project, Arc::clone(kept));
                loaded.insert(project, mark);
                continue;
            }
            match self.load(project, kept.map(AsRef::as_ref)).await {
                Ok(routes) => {
                    after.insert(project, Arc::new(routes));
                    loaded.insert(project, mark);
                }
                // What is in force stays, and the next reload tries again.
                Err(fault) => {
                    after.extend(kept.map(|kept| (project, Arc::clone(kept))));
                    failed = Some(fault);
                }
            }
        }
        *self.projects.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        *seen = loaded;
        drop(before);
        self.states.sweep();
        failed.map_or(Ok(()), Err)
    }

    /// Looks keys up again, so that a changed one is used soon.
    pub(crate) async fn refresh_keys(&self) {
        let projects = Arc::clone(&self.projects.read().unwrap_or_else(PoisonError::into_inner));
        for provider in projects.values().flat_map(|routes| routes.providers.values()) {
            provider.refresh(&self.credentials).await;
        }
    }

    async fn load(&self, project: ProjectId, before: Option<&ProjectRoutes>) -> Result<ProjectRoutes, GatewayFault> {
        // The gateway acts for everyone who calls: it sees what every reader of the project sees.
        let actor = Actor {
            principal: PrincipalId::from_raw(0),
            project,
            role: Role::Reader,
            labels: Labels::none(),
            key: None,
            models: ModelScope::All,
        };
        let mut providers = BTreeMap::new();
        for asset in self.list(&actor, AssetKind::Provider).await? {
            let kept = before.and_then(|before| before.providers.get(&asset.name)).filter(|kept| kept.digest == asset.digest);
            let provider = match kept {
                Some(kept) => Some(Arc::clone(kept)),
                None => self.provider(&actor, &asset).await?.map(Arc::new),
            };
            providers.extend(provider.map(|provider| (asset.name, provider)));
        }
        let mut specs = BTreeMap::new();
        for asset in self.list(&actor, AssetKind::Route).await? {
            let kept = before.and_then(|before| before.routes.get(&asset.name)).filter(|kept| kept.digest == asset.digest);
            let spec = match kept {
                Some(kept) => Some(Arc::clone(&kept.spec)),
                None => self.spec::<RouteSpec>(&actor, &asset).await?.map(Arc::new),
            };
            specs.extend(spec.map(|spec| (asset.name, Versioned { number: asset.latest, digest: asset.digest, spec })));
        }
        Ok(ProjectRoutes::compile(project, providers, &specs, &self.states, &self.local))
    }

    async fn list(&self, actor: &Actor, kind: AssetKind) -> Result<Vec<Asset>, GatewayFault> {
        let mut all = Vec::new();
        let mut page = PageRequest::first(LIMIT_MAX);
        loop {
            let found = self.registry.list(actor, Some(kind), &page).await?;
            all.extend(found.items);
            let Some(next) = found.next else { return Ok(all) };
            page = PageRequest::new(Some(LIMIT_MAX), Some(next)).unwrap_or_else(|_| PageRequest::first(LIMIT_MAX));
        }
    }

    /// The spec of an asset's newest version; nothing where this build cannot read it.
    async fn spec<T: DeserializeOwned>(&self, actor: &Actor, asset: &Asset) -> Result<Option<T>, GatewayFault> {
        let target = AssetRef { name: asset.name.clone(), selector: Selector::Number(asset.latest) };
        let version = self.registry.get(actor, asset.kind, &target).await?;
        match serde_json::from_value(version.spec) {
            Ok(spec) => Ok(Some(spec)),
            // One asset that another version of Mainspring wrote must not take all the others away.
            Err(error) => {
                tracing::error!(project = %actor.project, kind = %asset.kind, name = %asset.name, %error, "a spec cannot be read");
                Ok(None)
            }
        }
    }

    async fn provider(&self, actor: &Actor, asset: &Asset) -> Result<Option<Provider>, GatewayFault> {
        let Some(spec) = self.spec::<ProviderSpec>(actor, asset).await? else { return Ok(None) };
        let slots = spec.max_concurrent.map(|bound| self.slots((actor.project, asset.name.clone()), bound));
        let named = (actor.project, asset.name.clone(), asset.digest);
        Ok(Some(Provider::of(named, spec, slots, &self.credentials).await))
    }

    /// Calls under way count for the next version of a provider too, unless its bound is another.
    fn slots(&self, key: (ProjectId, Name), bound: u32) -> Arc<Semaphore> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || (bound, Arc::new(Semaphore::new(bound as usize)));
        let kept = slots.entry(key).or_insert_with(fresh);
        if kept.0 != bound {
            *kept = fresh();
        }
        Arc::clone(&kept.1)
    }
}
