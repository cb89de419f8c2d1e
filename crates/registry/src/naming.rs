//! Models that specs name. They are no assets: a process has some, and routes and providers of the project answer to more.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_kernel::{AssetKind, Name, text};

use crate::{
    fault::{Problem, ProblemKind, RegistryFault},
    manifest::Manifest,
    spec::{KindDescriptor, ModelRole, NamedModel, Offer},
    world::World,
};

/// The models of this process. `server` knows them.
pub trait ModelNames: std::fmt::Debug + Send + Sync + 'static {
    /// What a spec may write where it wants a model for this.
    fn names(&self, role: ModelRole) -> Vec<String>;
}

/// What is looked into to find the models that specs name. Without `models` every name is taken as it is.
#[derive(Clone, Copy)]
pub(crate) struct Naming<'n> {
    pub(crate) models: Option<&'n dyn ModelNames>,
    pub(crate) kinds: &'n [KindDescriptor],
}

impl Naming<'_> {
    /// The models that nobody has, each with the nearest that somebody has.
    pub(crate) async fn problems(self, world: &mut World<'_>, manifests: &[Manifest]) -> Result<Vec<Problem>, RegistryFault> {
        let Some(models) = self.models else { return Ok(Vec::new()) };
        let mut problems = Vec::new();
        for manifest in manifests {
            for named in &manifest.spec.models {
                let mut known = models.names(named.role);
                if known.contains(&named.name) || self.is_answered(models, world, manifests, named).await? {
                    continue;
                }
                if named.role == ModelRole::Chat {
                    known.extend(self.all_names(world, manifests).await?);
                    known.extend(named.name.contains('/').then(|| models.names(ModelRole::Target)).into_iter().flatten());
                }
                let near = text::did_you_mean(&named.name, known.iter().map(String::as_str));
                problems.push(Problem {
                    origin: manifest.origin.clone(),
                    path: format!("spec.{}", named.path),
                    kind: ProblemKind::UnknownModel,
                    message: format!("there is no {} `{}`{near}", named.role.as_str(), text::elide(&named.name, 80)),
                });
            }
        }
        Ok(problems)
    }

    /// What to tell of each manifest whose names another route answers to as well: of one of the two no call can ever mean them.
    pub(crate) async fn shared(self, world: &mut World<'_>, manifests: &[Manifest]) -> Result<Vec<Vec<String>>, RegistryFault> {
        let mut warnings = vec![Vec::new(); manifests.len()];
        let is_route = |manifest: &&Manifest| manifest.kind == AssetKind::Route;
        if !manifests.iter().any(|manifest| is_route(&manifest)) {
            return Ok(warnings);
        }
        let every = self.every(world, manifests, AssetKind::Route).await?;
        for (name, holders) in holders(&every) {
            let Some(first) = holders.first().filter(|_| holders.len() > 1) else { continue };
            // As the gateway decides it: the route of that very name, then the first.
            let has = holders.iter().find(|own| own.as_str() == name).unwrap_or(first);
            for (manifest, warnings) in manifests.iter().zip(&mut warnings).filter(|(manifest, _)| is_route(manifest)) {
                if !holders.contains(&&manifest.name) {
                    continue;
                }
                warnings.push(if manifest.name == **has {
                    let others: Vec<String> =
                        holders.iter().filter(|own| *own != has).map(|own| format!("route `{own}`")).collect();
                    format!("`{name}` is a name of {} too; calls of it come here", others.join(", "))
                } else {
                    format!("`{name}` is a name of route `{has}` too, and calls of it go there")
                });
            }
        }
        Ok(warnings)
    }

    /// Whether a route or a provider of the project answers to the name.
    async fn is_answered(
        self,
        models: &dyn ModelNames,
        world: &mut World<'_>,
        manifests: &[Manifest],
        NamedModel { role, name, .. }: &NamedModel,
    ) -> Result<bool, RegistryFault> {
        if !matches!(role, ModelRole::Chat | ModelRole::Target) {
            return Ok(false);
        }
        if let Some((provider, model)) = name.split_once('/')
            && let Ok(provider) = provider.parse::<Name>()
            && let Some(offers) = self.offers(world, manifests, (AssetKind::Provider, &provider)).await?
        {
            // A route may ask a provider for more than the provider's own list lets clients name.
            if *role == ModelRole::Target {
                return Ok(true);
            }
            let below = |offer: &Offer| matches!(offer, Offer::Below(written) if fits(written, model));
            if !model.is_empty() && offers.iter().any(below) {
                return Ok(true);
            }
        }
        if *role == ModelRole::Target {
            return Ok(false);
        }
        if models.names(ModelRole::Target).contains(name) {
            return Ok(true);
        }
        if let Ok(own) = name.parse::<Name>()
            && let Some(offers) = self.offers(world, manifests, (AssetKind::Route, &own)).await?
            && offers.contains(&Offer::Name)
        {
            return Ok(true);
        }
        let every = self.every(world, manifests, AssetKind::Route).await?;
        let also = |offer: &Offer| matches!(offer, Offer::Also(written) if fits(written, name));
        Ok(every.iter().any(|(_, offers)| offers.iter().any(also)))
    }

    /// What can be written out of what routes and providers answer to.
    async fn all_names(self, world: &mut World<'_>, manifests: &[Manifest]) -> Result<Vec<String>, RegistryFault> {
        let mut names = Vec::new();
        for kind in [AssetKind::Route, AssetKind::Provider] {
            for (own, offers) in self.every(world, manifests, kind).await? {
                names.extend(offers.into_iter().filter_map(|offer| match offer {
                    Offer::Name => Some(own.to_string()),
                    Offer::Also(written) => Some(written).filter(|written| !written.contains('*')),
                    Offer::Below(written) => Some(format!("{own}/{written}")).filter(|name| !name.contains('*')),
                }));
            }
        }
        Ok(names)
    }

    async fn every(
        self,
        world: &mut World<'_>,
        manifests: &[Manifest],
        kind: AssetKind,
    ) -> Result<Vec<(Name, Vec<Offer>)>, RegistryFault> {
        let stored = world.reads.asset_names(world.project, kind).await?;
        let planned = manifests.iter().filter(|manifest| manifest.kind == kind).map(|manifest| manifest.name.clone());
        let mut names: Vec<Name> = stored.iter().filter_map(|name| name.parse::<Name>().ok()).chain(planned).collect();
        names.sort();
        names.dedup();
        let mut every = Vec::with_capacity(names.len());
        for name in names {
            if let Some(offers) = self.offers(world, manifests, (kind, &name)).await? {
                every.push((name, offers));
            }
        }
        Ok(every)
    }

    /// What an asset offers, as it is about to be or as it is; `None` where there is none.
    async fn offers(
        self,
        world: &mut World<'_>,
        manifests: &[Manifest],
        (kind, name): (AssetKind, &Name),
    ) -> Result<Option<Vec<Offer>>, RegistryFault> {
        if let Some(planned) = manifests.iter().find(|manifest| manifest.kind == kind && manifest.name == *name) {
            return Ok(Some(planned.spec.offers.clone()));
        }
        let Some(current) = world.current(kind, name).await? else { return Ok(None) };
        let Some((_, spec)) = world.reads.read_version(current.id, current.number).await? else { return Ok(None) };
        let descriptor = self.kinds.iter().find(|known| known.kind == kind);
        // One that could not be applied any more answers as it did; one that cannot be read answers nobody.
        Ok(descriptor.map(|descriptor| (descriptor.parse)(&spec).map(|parsed| parsed.offers).unwrap_or_default()))
    }
}

/// Who answers to each name as it is written, in the order of their own names.
fn holders(every: &[(Name, Vec<Offer>)]) -> BTreeMap<&str, Vec<&Name>> {
    let mut holders: BTreeMap<&str, Vec<&Name>> = BTreeMap::new();
    for (own, offers) in every {
        let written = offers.iter().filter_map(|offer| match offer {
            Offer::Name => Some(own.as_str()),
            Offer::Also(written) => Some(written.as_str()),
            Offer::Below(_) => None,
        });
        for name in written.collect::<BTreeSet<_>>() {
            holders.entry(name).or_default().push(own);
        }
    }
    holders
}

/// Whether a name is the one written, or begins as one that ends in `*`.
fn fits(written: &str, name: &str) -> bool {
    match written.strip_suffix('*') {
        Some(stem) => name.starts_with(stem),
        None => written == name,
    }
}
