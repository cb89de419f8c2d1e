//! `mainspring export`: assets as files that `apply` takes back.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, bail};
use mainspring_client::ClientFault;
use mainspring_wire as wire;
use serde_json::json;

use super::{Session, assets, segment};
use crate::{
    output::{self, line, say},
    specs,
};

pub(crate) async fn run(session: &Session, dir: &Path, kind: Option<&str>, at: Option<&str>) -> anyhow::Result<ExitCode> {
    let query = kind.map(|kind| format!("?kind={}", segment(kind))).unwrap_or_default();
    let listed: Vec<wire::AssetSummary> = session.client.all(&format!("/api/v1/assets{query}")).await?;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut files = Vec::with_capacity(listed.len());
    let mut elsewhere = Vec::new();
    for asset in &listed {
        let Some(view) = version(session, asset, at).await? else { continue };
        let other = |alias: &&wire::AliasView| alias.version != view.summary.version && at.is_none();
        elsewhere.extend(view.summary.aliases.iter().filter(other).map(|alias| (asset.clone(), alias.clone())));
        files.push(write(dir, &view)?);
    }
    if session.json {
        output::json(&files);
    } else {
        files.iter().for_each(|file| line(file));
    }
    for (asset, wire::AliasView { alias, version, .. }) in elsewhere {
        let name = format!("{}/{}", asset.kind, asset.name);
        say(&format!("{name}@{alias} names v{version}, not the newest; `mainspring export OTHER_DIR --at {alias}` writes it"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The version to write; none, where the asset has no such alias.
async fn version(session: &Session, asset: &wire::AssetSummary, at: Option<&str>) -> anyhow::Result<Option<wire::AssetView>> {
    let at = match at {
        Some(at) if asset.aliases.iter().any(|alias| alias.alias == at) => format!("?version={}", segment(at)),
        Some(_) => return Ok(None),
        None => String::new(),
    };
    match session.client.get(&format!("{}{at}", assets::path(&asset.kind, &asset.name))).await {
        Ok(view) => Ok(Some(view)),
        // The alias was removed since the list was made.
        Err(ClientFault::Refused(refusal)) if !at.is_empty() && refusal.status == 404 => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

fn write(dir: &Path, view: &wire::AssetView) -> anyhow::Result<String> {
    let wire::AssetSummary { kind, name, version, aliases, .. } = &view.summary;
    // Kinds and names are plain by construction; a server that says otherwise does not choose our paths.
    let plain =
        |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) && !text.starts_with('.');
    if !plain(kind) || !plain(name) {
        bail!("`{}/{}` cannot be a file name", output::printable(kind), output::printable(name));
    }
    let mut manifest = assets::manifest(view);
    let aliases: Vec<&str> = aliases.iter().filter(|alias| alias.version == *version).map(|alias| alias.alias.as_str()).collect();
    if !aliases.is_empty() {
        manifest["aliases"] = json!(aliases);
    }
    specs::release_paths(&mut manifest, dir)?;
    let file = dir.join(format!("{name}.{kind}.yaml"));
    std::fs::write(&file, yaml_serde::to_string(&manifest)?).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file.display().to_string())
}
