//! Assets: list, show, versions, differences, aliases.

use std::collections::HashMap;

use axum::{Json, extract::State};
use mainspring_kernel::{AssetKind, AssetRef, FaultKind, Name, PageRequest, Role, Selector, id::PrincipalId};
use mainspring_registry::{Alias, Asset, Diff, Expect, LineChange, Version, VersionSummary};
use mainspring_web_kit::{Answer, Body, Caller, Paging, Path, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::{Rest, structure};

fn invalid(detail: impl std::fmt::Display) -> Problem {
    Problem::new(FaultKind::Invalid, "path-invalid", detail.to_string())
}

pub(crate) fn kind(text: &str) -> Answer<AssetKind> {
    text.parse().map_err(invalid)
}

pub(crate) fn name(text: &str) -> Answer<Name> {
    text.parse().map_err(invalid)
}

pub(crate) fn selector(text: Option<&str>) -> Answer<Selector> {
    text.map_or(Ok(Selector::Latest), |text| Selector::parse(text).map_err(invalid))
}

/// Names of those who did something.
pub(crate) struct Names(HashMap<PrincipalId, String>);

impl Names {
    pub(crate) async fn of(rest: &Rest, ids: Vec<PrincipalId>) -> Answer<Self> {
        Ok(Self(rest.identity.principal_names(ids).await?))
    }

    pub(crate) fn get(&self, id: PrincipalId) -> String {
        self.0.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}

pub(crate) fn alias_view(alias: Alias, names: &Names) -> wire::AliasView {
    let Alias { name, number, digest, updated, updated_by } = alias;
    wire::AliasView {
        alias: name.to_string(),
        version: number,
        digest: digest.to_string(),
        moved_at: Some(updated.to_string()),
        moved_by: Some(names.get(updated_by)),
    }
}

fn summary(asset: Asset, names: &Names) -> wire::AssetSummary {
    let Asset { id: _, kind, name, latest, digest, description, created: _, updated, aliases } = asset;
    wire::AssetSummary {
        kind: kind.to_string(),
        name: name.to_string(),
        description,
        version: latest,
        digest: digest.to_string(),
        aliases: aliases.into_iter().map(|alias| alias_view(alias, names)).collect(),
        updated_at: Some(updated.to_string()),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct KindQuery {
    kind: Option<String>,
}

/// Lists assets, by kind and name.
#[utoipa::path(get, path = "/api/v1/assets", tag = "assets", operation_id = "list_assets",
    params(("kind" = Option<String>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::AssetSummary>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<KindQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::AssetSummary>>> {
    let actor = caller.needs(Role::Reader)?;
    let kind = query.kind.as_deref().filter(|kind| !kind.is_empty()).map(kind).transpose()?;
    let found = rest.registry.list(actor, kind, &page).await?;
    let movers = found.items.iter().flat_map(|asset| &asset.aliases).map(|alias| alias.updated_by);
    let names = Names::of(&rest, movers.collect()).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(|asset| summary(asset, &names)).collect(), next: found.next }))
}

#[derive(Debug, Deserialize)]
pub(crate) struct VersionQuery {
    version: Option<String>,
}

/// Shows one version of an asset: the newest, or `?version=v3`, an alias, a digest.
#[utoipa::path(get, path = "/api/v1/assets/{kind}/{name}", tag = "assets", operation_id = "get_asset",
    params(("kind" = String, Path), ("name" = String, Path), ("version" = Option<String>, Query)),
    responses((status = 200, body = wire::AssetView)))]
pub(crate) async fn show(
    State(rest): State<Rest>,
    caller: Caller,
    Path((asset_kind, asset_name)): Path<(String, String)>,
    Query(query): Query<VersionQuery>,
) -> Answer<Json<wire::AssetView>> {
    let actor = caller.needs(Role::Reader)?;
    let kind = kind(&asset_kind)?;
    let target = AssetRef { name: name(&asset_name)?, selector: selector(query.version.as_deref())? };
    let version = rest.registry.get(actor, kind, &target).await?;
    let aliases = rest.registry.aliases(actor, kind, &target.name).await?;
    let exact = AssetRef { name: target.name, selector: Selector::Number(version.pin.number) };
    let used_by = rest.registry.used_by(actor, kind, &exact, &PageRequest::first(100)).await?;
    let people = aliases.iter().map(|alias| alias.updated_by).chain([version.author]);
    let names = Names::of(&rest, people.collect()).await?;
    Ok(Json(view(version, aliases, used_by.items, &names)))
}

fn view(
    version: Version,
    aliases: Vec<Alias>,
    used_by: Vec<(mainspring_registry::Pin, String)>,
    names: &Names,
) -> wire::AssetView {
    let Version { asset: _, pin, description, spec, author, message, created, references, aliases: _ } = version;
    wire::AssetView {
        summary: wire::AssetSummary {
            kind: pin.kind.to_string(),
            name: pin.name.to_string(),
            description,
            version: pin.number,
            digest: pin.digest.to_string(),
            aliases: aliases.into_iter().map(|alias| alias_view(alias, names)).collect(),
            updated_at: Some(created.to_string()),
        },
        spec,
        author: Some(names.get(author)),
        message: Some(message).filter(|message| !message.is_empty()),
        created_at: Some(created.to_string()),
        references: references
            .into_iter()
            .map(|reference| wire::AssetReference {
                kind: reference.kind.to_string(),
                name: reference.pin.name.to_string(),
                version: Some(reference.pin.number),
                digest: Some(reference.pin.digest.to_string()),
                path: Some(reference.path),
                given: Some(reference.target.to_string()),
            })
            .collect(),
        referenced_by: used_by
            .into_iter()
            .map(|(pin, path)| wire::AssetReference {
                kind: pin.kind.to_string(),
                name: pin.name.to_string(),
                version: Some(pin.number),
                digest: Some(pin.digest.to_string()),
                path: Some(path),
                given: None,
            })
            .collect(),
    }
}

/// Lists the versions of an asset, newest first.
#[utoipa::path(get, path = "/api/v1/assets/{kind}/{name}/versions", tag = "assets", operation_id = "list_versions",
    params(("kind" = String, Path), ("name" = String, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::AssetVersion>)))]
pub(crate) async fn versions(
    State(rest): State<Rest>,
    caller: Caller,
    Path((asset_kind, asset_name)): Path<(String, String)>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::AssetVersion>>> {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.registry.history(actor, kind(&asset_kind)?, &name(&asset_name)?, &page).await?;
    let names = Names::of(&rest, found.items.iter().map(|version| version.author).collect()).await?;
    let items = found.items.into_iter().map(|version| {
        let VersionSummary { number, digest, description: _, author, message, created } = version;
        wire::AssetVersion {
            version: number,
            digest: digest.to_string(),
            author: Some(names.get(author)),
            message: Some(message).filter(|message| !message.is_empty()),
            created_at: created.to_string(),
        }
    });
    Ok(Json(wire::Page { items: items.collect(), next: found.next }))
}

#[derive(Debug, Deserialize)]
pub(crate) struct DiffQuery {
    from: Option<String>,
    to: Option<String>,
}

/// A version by its number, or as references name it.
fn version_of(text: &str) -> Answer<Selector> {
    text.parse().map_or_else(|_| selector(Some(text)), |number| Ok(Selector::Number(number)))
}

/// Shows what changed between two versions (a number, `v3`, an alias or a digest); by default the newest and the one before it.
#[utoipa::path(get, path = "/api/v1/assets/{kind}/{name}/diff", tag = "assets", operation_id = "diff_versions",
    params(("kind" = String, Path), ("name" = String, Path), ("from" = Option<String>, Query), ("to" = Option<String>, Query)),
    responses((status = 200, body = wire::AssetDiff)))]
pub(crate) async fn diff(
    State(rest): State<Rest>,
    caller: Caller,
    Path((asset_kind, asset_name)): Path<(String, String)>,
    Query(query): Query<DiffQuery>,
) -> Answer<Json<wire::AssetDiff>> {
    let actor = caller.needs(Role::Reader)?;
    let (kind, name) = (kind(&asset_kind)?, name(&asset_name)?);
    let of = |selector| AssetRef { name: name.clone(), selector };
    let (from, to) = (query.from.as_deref().map(version_of).transpose()?, query.to.as_deref().map(version_of).transpose()?);
    let to = rest.registry.get(actor, kind, &of(to.unwrap_or(Selector::Latest))).await?;
    let from = from.unwrap_or_else(|| Selector::Number(to.pin.number.saturating_sub(1).max(1)));
    let from = rest.registry.get(actor, kind, &of(from)).await?;
    let selectors = (Selector::Number(from.pin.number), Selector::Number(to.pin.number));
    let lines = rest.registry.diff(actor, kind, &name, selectors).await?;
    Ok(Json(wire::AssetDiff {
        from: from.pin.number,
        to: to.pin.number,
        changes: structure::changes(&from.spec, &to.spec),
        text: diff_text(&lines),
    }))
}

pub(crate) fn diff_text(diff: &Diff) -> String {
    lines_text(&diff.lines)
}

/// Changed lines with three lines around them, as a unified diff without a header.
pub(crate) fn lines_text(lines: &[mainspring_registry::DiffLine]) -> String {
    const AROUND: usize = 3;
    let changed: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| line.change != LineChange::Same).map(|(index, _)| index).collect();
    let near = |index: usize| {
        let after = changed.partition_point(|at| *at + AROUND < index);
        changed.get(after).is_some_and(|at| at.abs_diff(index) <= AROUND)
    };
    let mut text = String::new();
    let mut skipped = false;
    for (index, line) in lines.iter().enumerate() {
        if !near(index) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) && !text.is_empty() {
            text.push_str("  …\n");
        }
        text.push_str(match line.change {
            LineChange::Same => "  ",
            LineChange::Removed => "- ",
            LineChange::Added => "+ ",
        });
        text.push_str(line.text.trim_end_matches('\n'));
        text.push('\n');
    }
    text
}

/// Points an alias at a version, if it still points where the caller thinks.
#[utoipa::path(put, path = "/api/v1/assets/{kind}/{name}/aliases/{alias}", tag = "assets", operation_id = "move_alias",
    params(("kind" = String, Path), ("name" = String, Path), ("alias" = String, Path)),
    request_body = wire::MoveAlias, responses((status = 200, body = wire::AliasView)))]
pub(crate) async fn move_alias(
    State(rest): State<Rest>,
    caller: Caller,
    Path((asset_kind, asset_name, alias)): Path<(String, String, String)>,
    Body(body): Body<wire::MoveAlias>,
) -> Answer<Json<wire::AliasView>> {
    let actor = caller.needs(Role::Editor)?;
    let to = selector(Some(&body.to))?;
    let asset = (kind(&asset_kind)?, &name(&asset_name)?);
    let moved = rest.registry.set_alias(actor, asset, (&name(&alias)?, &to), expect(body.expected), "").await?;
    let names = Names::of(&rest, vec![moved.updated_by]).await?;
    Ok(Json(alias_view(moved, &names)))
}

const fn expect(expected: Option<u32>) -> Expect {
    match expected {
        None => Expect::Anything,
        Some(0) => Expect::Nothing,
        Some(number) => Expect::Number(number),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct ExpectedQuery {
    expected: Option<u32>,
}

/// Removes an alias, if it still points where the caller thinks; the versions stay.
#[utoipa::path(delete, path = "/api/v1/assets/{kind}/{name}/aliases/{alias}", tag = "assets", operation_id = "remove_alias",
    params(("kind" = String, Path), ("name" = String, Path), ("alias" = String, Path), ("expected" = Option<u32>, Query)),
    responses((status = 200, body = wire::RemovedAlias)))]
pub(crate) async fn remove_alias(
    State(rest): State<Rest>,
    caller: Caller,
    Path((asset_kind, asset_name, alias)): Path<(String, String, String)>,
    Query(query): Query<ExpectedQuery>,
) -> Answer<Json<wire::RemovedAlias>> {
    let actor = caller.needs(Role::Editor)?;
    rest.registry
        .remove_alias(actor, (kind(&asset_kind)?, &name(&asset_name)?), &name(&alias)?, expect(query.expected), "")
        .await?;
    Ok(Json(wire::RemovedAlias { removed: alias }))
}
