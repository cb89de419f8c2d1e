//! Moving names among versions.

use mainspring_kernel::{Actor, AssetKind, AssetRef, Name, Page, PageRequest, Role, Selector};
use serde_json::json;

use crate::{
    Registry, RegistryFault,
    apply::{fits, needs},
    manifest::is_free,
    model::{Alias, AliasMove, Expect},
    store::{self, Move, Reads},
    world::World,
};

const MESSAGE_MAX: usize = 2_000;

impl Registry {
    /// Makes `alias` name the version `to` means now, if it names what is expected.
    /// Naming what it already names is a success and leaves no move.
    pub async fn set_alias(
        &self,
        actor: &Actor,
        (kind, name): (AssetKind, &Name),
        (alias, to): (&Name, &Selector),
        expect: Expect,
        message: &str,
    ) -> Result<Alias, RegistryFault> {
        needs(actor, Role::Editor)?;
        fits("the message", MESSAGE_MAX, message.len())?;
        if !is_free(alias) {
            return Err(RegistryFault::AliasReserved { alias: alias.clone() });
        }
        let target = &AssetRef { name: name.clone(), selector: to.clone() };
        self.catalog
            .transact(|mut tx| async move {
                let mut world = World::new(Reads::Tx(&mut tx), actor.project);
                let pin = world.resolve(kind, target).await?;
                let asset = world.asset_id(kind, name).await?;
                let from = store::find_alias(&mut tx, asset, alias).await?;
                if !expect.holds(from) {
                    return Err(RegistryFault::AliasMoved { alias: alias.clone(), found: from });
                }
                let now = self.clock.now();
                if from != Some(pin.number) {
                    let to = Some(pin.number);
                    let step = Move { asset, alias, from, to, now, by: actor.principal, message };
                    store::move_alias(&mut tx, step).await?;
                    let subject = format!("{kind} {name}@{alias}");
                    self.record(&mut tx, actor, "alias.set", subject, json!({ "from": from, "to": to })).await?;
                }
                let mut reads = Reads::Tx(&mut tx);
                let found = reads.aliases(asset).await?.into_iter().find(|known| known.name == *alias);
                let moved = found.ok_or_else(|| RegistryFault::AliasNotFound { alias: alias.clone() })?;
                Ok((tx, moved))
            })
            .await
    }

    pub async fn remove_alias(
        &self,
        actor: &Actor,
        (kind, name): (AssetKind, &Name),
        alias: &Name,
        expect: Expect,
        message: &str,
    ) -> Result<(), RegistryFault> {
        needs(actor, Role::Editor)?;
        fits("the message", MESSAGE_MAX, message.len())?;
        self.catalog
            .transact(|mut tx| async move {
                let asset = World::new(Reads::Tx(&mut tx), actor.project).asset_id(kind, name).await?;
                let from = store::find_alias(&mut tx, asset, alias).await?;
                if from.is_none() {
                    return Err(RegistryFault::AliasNotFound { alias: alias.clone() });
                }
                if !expect.holds(from) {
                    return Err(RegistryFault::AliasMoved { alias: alias.clone(), found: from });
                }
                let now = self.clock.now();
                let step = Move { asset, alias, from, to: None, now, by: actor.principal, message };
                store::move_alias(&mut tx, step).await?;
                let subject = format!("{kind} {name}@{alias}");
                self.record(&mut tx, actor, "alias.remove", subject, json!({ "from": from })).await?;
                Ok((tx, ()))
            })
            .await
    }

    pub async fn aliases(&self, actor: &Actor, kind: AssetKind, name: &Name) -> Result<Vec<Alias>, RegistryFault> {
        needs(actor, Role::Reader)?;
        let mut world = World::new(Reads::Catalog(&self.catalog), actor.project);
        let asset = world.asset_id(kind, name).await?;
        Ok(world.reads.aliases(asset).await?)
    }

    /// Newest first; an alias that was never set has an empty history.
    pub async fn alias_history(
        &self,
        actor: &Actor,
        (kind, name): (AssetKind, &Name),
        alias: &Name,
        page: &PageRequest,
    ) -> Result<Page<AliasMove>, RegistryFault> {
        needs(actor, Role::Reader)?;
        let mut world = World::new(Reads::Catalog(&self.catalog), actor.project);
        let before = page.after::<u32>()?;
        let asset = world.asset_id(kind, name).await?;
        let moves = world.reads.alias_moves(asset, alias, before, page.limit() + 1).await?;
        Ok(Page::from_overfetch(moves, page, |step| step.ordinal))
    }
}
