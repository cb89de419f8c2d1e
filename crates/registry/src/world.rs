//! What references mean: the catalog, with the versions an apply is about to make laid over it.

use std::collections::{HashMap, HashSet};

use mainspring_kernel::{
    AssetKind, AssetRef, Name, Selector,
    id::{AssetId, ProjectId},
};

use crate::{
    fault::{RegistryFault, nearest},
    model::{Lock, LockedReference, Pin},
    spec::Reference,
    store::{Current, Reads, Which},
};

pub(crate) type Key = (AssetKind, Name);

/// A version that does not exist yet, or is the newest and stays so.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) pin: Pin,
    pub(crate) references: Vec<Reference>,
    pub(crate) aliases: Vec<Name>,
}

pub(crate) struct World<'w> {
    pub(crate) reads: Reads<'w>,
    pub(crate) project: ProjectId,
    pub(crate) planned: HashMap<Key, Planned>,
    assets: HashMap<Key, Option<Current>>,
    names: HashMap<AssetKind, Vec<String>>,
}

/// One step of a walk: a version, and which of its references comes next.
struct Step {
    pin: Pin,
    references: std::vec::IntoIter<Reference>,
}

impl<'w> World<'w> {
    pub(crate) fn new(reads: Reads<'w>, project: ProjectId) -> Self {
        Self { reads, project, planned: HashMap::new(), assets: HashMap::new(), names: HashMap::new() }
    }

    pub(crate) async fn current(&mut self, kind: AssetKind, name: &Name) -> Result<Option<Current>, RegistryFault> {
        let key = (kind, name.clone());
        if let Some(known) = self.assets.get(&key) {
            return Ok(known.clone());
        }
        let found = self.reads.find_asset(self.project, kind, name).await?;
        self.assets.insert(key, found.clone());
        Ok(found)
    }

    pub(crate) async fn asset_id(&mut self, kind: AssetKind, name: &Name) -> Result<AssetId, RegistryFault> {
        match self.current(kind, name).await? {
            Some(current) => Ok(current.id),
            None => Err(self.not_found(kind, name).await?),
        }
    }

    /// The version a reference means now.
    pub(crate) async fn resolve(&mut self, kind: AssetKind, target: &AssetRef) -> Result<Pin, RegistryFault> {
        if let Some(pin) = self.planned_version(kind, target) {
            return Ok(pin);
        }
        let Some(current) = self.current(kind, &target.name).await? else {
            if self.planned.contains_key(&(kind, target.name.clone())) {
                return self.no_version(kind, target, None).await;
            }
            return Err(self.not_found(kind, &target.name).await?);
        };
        let which = match &target.selector {
            Selector::Latest => Which::Number(current.number),
            Selector::Number(number) => Which::Number(*number),
            Selector::Digest(digest) => Which::Digest(digest),
            Selector::Alias(alias) => Which::Alias(alias),
        };
        match self.reads.find_version(current.id, which).await? {
            Some((number, digest)) => Ok(Pin { kind, name: target.name.clone(), number, digest }),
            None => self.no_version(kind, target, Some(current)).await,
        }
    }

    fn planned_version(&self, kind: AssetKind, target: &AssetRef) -> Option<Pin> {
        let Planned { pin, aliases, .. } = self.planned.get(&(kind, target.name.clone()))?;
        let meant = match &target.selector {
            Selector::Latest => true,
            Selector::Number(number) => *number == pin.number,
            Selector::Digest(digest) => *digest == pin.digest,
            Selector::Alias(alias) => aliases.contains(alias),
        };
        meant.then(|| pin.clone())
    }

    async fn not_found(&mut self, kind: AssetKind, name: &Name) -> Result<RegistryFault, RegistryFault> {
        if !self.names.contains_key(&kind) {
            let names = self.reads.asset_names(self.project, kind).await?;
            self.names.insert(kind, names);
        }
        let planned = self.planned.keys().filter(|(other, _)| *other == kind).map(|(_, name)| name.as_str());
        let known = self.names.get(&kind).into_iter().flatten().map(String::as_str).chain(planned);
        let nearest = nearest(name.as_str(), known);
        Ok(RegistryFault::NotFound { kind, name: name.clone(), nearest })
    }

    /// The asset is there and the version is not; the nearest is another alias or the newest number.
    async fn no_version<T>(&mut self, kind: AssetKind, target: &AssetRef, current: Option<Current>) -> Result<T, RegistryFault> {
        let nearest = match (&target.selector, current) {
            (Selector::Alias(alias), Some(current)) => {
                let aliases = self.reads.aliases(current.id).await?;
                nearest(alias.as_str(), aliases.iter().map(|known| known.name.as_str()))
            }
            (Selector::Number(_), Some(current)) => Some(format!("v{}", current.number)),
            _ => None,
        };
        let AssetRef { name, selector } = target.clone();
        Err(RegistryFault::VersionNotFound { kind, name, selector, nearest })
    }

    async fn references_of(&mut self, pin: &Pin) -> Result<Vec<Reference>, RegistryFault> {
        if let Some(planned) = self.planned.get(&(pin.kind, pin.name.clone())).filter(|planned| planned.pin == *pin) {
            return Ok(planned.references.clone());
        }
        let asset = self.asset_id(pin.kind, &pin.name).await?;
        let stored = self.reads.references(asset, pin.number).await?;
        Ok(stored.into_iter().map(|found| Reference { kind: found.kind, target: found.target, path: found.path }).collect())
    }

    /// Follows every reference from `root` as written, depth first, each version once.
    pub(crate) async fn lock(&mut self, root: Pin) -> Result<Lock, RegistryFault> {
        let mut lock = Lock { root: root.clone(), references: Vec::new() };
        let mut seen = HashSet::from([root.clone()]);
        let references = self.references_of(&root).await?.into_iter();
        let mut path = vec![Step { pin: root, references }];
        while let Some(step) = path.last_mut() {
            let Some(Reference { kind, target, path: place }) = step.references.next() else {
                path.pop();
                continue;
            };
            let from = step.pin.clone();
            let pin = self.resolve(kind, &target).await?;
            if let Some(start) = path.iter().position(|step| step.pin == pin) {
                let mut names: Vec<String> = path[start..].iter().map(|step| step.pin.to_string()).collect();
                names.push(pin.to_string());
                return Err(RegistryFault::Cycle { path: names });
            }
            lock.references.push(LockedReference { from, path: place, target, pin: pin.clone() });
            if seen.insert(pin.clone()) {
                let references = self.references_of(&pin).await?.into_iter();
                path.push(Step { pin, references });
            }
        }
        Ok(lock)
    }
}
