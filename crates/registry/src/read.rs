//! Looking things up.

use std::collections::HashMap;

use mainspring_kernel::{Actor, AssetKind, AssetRef, Name, Page, PageRequest, Role, Selector, id::ProjectId};

use crate::{
    Registry, RegistryFault,
    apply::needs,
    model::{Asset, Lock, Mark, Pin, Version, VersionSummary},
    store::Reads,
    world::World,
};

impl Registry {
    fn world(&self, actor: &Actor) -> Result<World<'_>, RegistryFault> {
        needs(actor, Role::Reader)?;
        Ok(World::new(Reads::Catalog(&self.catalog), actor.project))
    }

    /// The version a reference means now.
    pub async fn resolve(&self, actor: &Actor, kind: AssetKind, target: &AssetRef) -> Result<Pin, RegistryFault> {
        self.world(actor)?.resolve(kind, target).await
    }

    pub async fn get(&self, actor: &Actor, kind: AssetKind, target: &AssetRef) -> Result<Version, RegistryFault> {
        let mut world = self.world(actor)?;
        let pin = world.resolve(kind, target).await?;
        read(&mut world, pin).await
    }

    pub async fn get_pin(&self, actor: &Actor, pin: &Pin) -> Result<Version, RegistryFault> {
        let mut world = self.world(actor)?;
        let target = AssetRef { name: pin.name.clone(), selector: Selector::Number(pin.number) };
        let found = world.resolve(pin.kind, &target).await?;
        if found.digest != pin.digest {
            let selector = Selector::Digest(pin.digest);
            return Err(RegistryFault::VersionNotFound { kind: pin.kind, name: pin.name.clone(), selector, nearest: None });
        }
        read(&mut world, found).await
    }

    /// A version and everything it names, pinned as of now.
    pub async fn lock(&self, actor: &Actor, kind: AssetKind, target: &AssetRef) -> Result<Lock, RegistryFault> {
        let mut world = self.world(actor)?;
        let root = world.resolve(kind, target).await?;
        world.lock(root).await
    }

    /// By kind, then name.
    pub async fn list(&self, actor: &Actor, kind: Option<AssetKind>, page: &PageRequest) -> Result<Page<Asset>, RegistryFault> {
        let mut world = self.world(actor)?;
        let after = page.after::<(AssetKind, Name)>()?;
        let mut assets = world.reads.list_assets(actor.project, kind, after, page.limit() + 1).await?;
        let mut aliases: HashMap<_, Vec<_>> = HashMap::new();
        for (asset, alias) in world.reads.project_aliases(actor.project).await? {
            aliases.entry(asset).or_default().push(alias);
        }
        for asset in &mut assets {
            asset.aliases = aliases.remove(&asset.id).unwrap_or_default();
        }
        Ok(Page::from_overfetch(assets, page, |asset| (asset.kind, asset.name.clone())))
    }

    /// One mark for every project that has assets of the kind: for whoever keeps a compiled copy of them in memory and
    /// wants to know when it is out of date. It says nothing of what the assets are, so no actor asks.
    pub async fn marks(&self, kind: AssetKind) -> Result<Vec<(ProjectId, Mark)>, RegistryFault> {
        Ok(Reads::Catalog(&self.catalog).marks(kind).await?)
    }

    /// Newest first.
    pub async fn history(
        &self,
        actor: &Actor,
        kind: AssetKind,
        name: &Name,
        page: &PageRequest,
    ) -> Result<Page<VersionSummary>, RegistryFault> {
        let mut world = self.world(actor)?;
        let before = page.after::<u32>()?;
        let asset = world.asset_id(kind, name).await?;
        let versions = world.reads.history(asset, before, page.limit() + 1).await?;
        Ok(Page::from_overfetch(versions, page, |version| version.number))
    }

    /// Which versions named this one when they were applied, and where in their specs.
    pub async fn used_by(
        &self,
        actor: &Actor,
        kind: AssetKind,
        target: &AssetRef,
        page: &PageRequest,
    ) -> Result<Page<(Pin, String)>, RegistryFault> {
        let mut world = self.world(actor)?;
        let after = page.after::<(AssetKind, Name, u32, String)>()?;
        let pin = world.resolve(kind, target).await?;
        let asset = world.asset_id(kind, &target.name).await?;
        let users = world.reads.used_by(asset, pin.number, after, page.limit() + 1).await?;
        Ok(Page::from_overfetch(users, page, |(pin, path)| (pin.kind, pin.name.clone(), pin.number, path.clone())))
    }
}

async fn read(world: &mut World<'_>, pin: Pin) -> Result<Version, RegistryFault> {
    let asset = world.asset_id(pin.kind, &pin.name).await?;
    let Some((summary, spec)) = world.reads.read_version(asset, pin.number).await? else {
        let Pin { kind, name, number, .. } = pin;
        return Err(RegistryFault::VersionNotFound { kind, name, selector: Selector::Number(number), nearest: None });
    };
    let references = world.reads.references(asset, pin.number).await?;
    let aliases = world.reads.aliases(asset).await?;
    let aliases = aliases.into_iter().filter(|alias| alias.number == pin.number).map(|alias| alias.name).collect();
    let VersionSummary { number: _, digest: _, description, author, message, created } = summary;
    Ok(Version { asset, pin, description, spec, author, message, created, references, aliases })
}
