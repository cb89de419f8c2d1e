//! Applications as text: apply, get, list, diff, history, alias, export, schema.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, bail};
use mainspring_wire as wire;
use serde_json::{Value, json};

use super::{Session, segment};
use crate::{
    args::Apply,
    output::{self, dash, line, say, table},
    specs,
};

pub(crate) async fn apply(session: &Session, apply: &Apply) -> anyhow::Result<ExitCode> {
    let manifests = specs::read(&apply.path)?;
    let reply = send(session, manifests, apply.dry_run, apply.message.clone()).await?;
    show_plan(session, &reply);
    Ok(ExitCode::SUCCESS)
}

/// Plans, then applies; the plan is what the person sees, the apply is all or nothing.
pub(crate) async fn send(
    session: &Session,
    manifests: Vec<Value>,
    dry_run: bool,
    message: Option<String>,
) -> anyhow::Result<wire::ApplyReply> {
    let request = wire::ApplyRequest { manifests, dry_run, message };
    Ok(session.client.post("/api/v1/apply", &request).await?)
}

pub(crate) fn show_plan(session: &Session, reply: &wire::ApplyReply) {
    if session.json {
        output::json(reply);
        return;
    }
    for change in &reply.changes {
        let sign = match change.action.as_str() {
            "create" => "+",
            "update" => "~",
            _ => "=",
        };
        let version = change.to_version.map(|version| format!(" v{version}")).unwrap_or_default();
        line(&format!("{sign} {}/{}{version}  {}", change.kind, change.name, change.action));
        if let Some(diff) = change.diff.as_deref().filter(|_| change.action == "update") {
            for row in diff.lines() {
                line(&format!("    {}", output::printable(row)));
            }
        }
    }
    let changed = reply.changes.iter().filter(|change| change.action != "unchanged").count();
    say(&match (reply.applied, changed) {
        (_, 0) => "nothing to change".to_owned(),
        (true, n) => format!("{n} changed"),
        (false, n) => format!("{n} would change; nothing was written"),
    });
}

fn split(asset: &str) -> anyhow::Result<(&str, &str, Option<&str>)> {
    let (kind, rest) = asset
        .split_once('/')
        .with_context(|| format!("`{asset}`: write KIND/NAME, such as prompt/answer or app/manual@production"))?;
    Ok(match rest.split_once('@') {
        Some((name, selector)) => (kind, name, Some(selector)),
        None => (kind, rest, None),
    })
}

fn path(kind: &str, name: &str) -> String {
    format!("/api/v1/assets/{}/{}", segment(kind), segment(name))
}

pub(crate) async fn get(session: &Session, asset: &str) -> anyhow::Result<ExitCode> {
    let (kind, name, selector) = split(asset)?;
    let query = selector.map(|selector| format!("?version={}", segment(selector))).unwrap_or_default();
    let view: wire::AssetView = session.client.get(&format!("{}{query}", path(kind, name))).await?;
    if session.json {
        output::json(&view);
    } else {
        let wire::AssetSummary { version, digest, aliases, .. } = &view.summary;
        let names: Vec<&str> =
            aliases.iter().filter(|alias| alias.version == *version).map(|alias| alias.alias.as_str()).collect();
        say(&format!("v{version}  {digest}  {}", names.join(", ")));
        output::data(&manifest_yaml(&view)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn manifest_yaml(view: &wire::AssetView) -> anyhow::Result<String> {
    let mut manifest = json!({"apiVersion": "mainspring/v1", "kind": view.summary.kind, "name": view.summary.name});
    if let Some(description) = &view.summary.description {
        manifest["description"] = json!(description);
    }
    manifest["spec"] = view.spec.clone();
    Ok(yaml_serde::to_string(&manifest)?)
}

pub(crate) async fn list(session: &Session, kind: Option<&str>) -> anyhow::Result<ExitCode> {
    let query = kind.map(|kind| format!("?kind={}", segment(kind))).unwrap_or_default();
    let assets: Vec<wire::AssetSummary> = session.client.all(&format!("/api/v1/assets{query}")).await?;
    if session.json {
        output::json(&assets);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = assets.iter().map(|asset| {
        let aliases: Vec<String> = asset.aliases.iter().map(|alias| format!("{}→v{}", alias.alias, alias.version)).collect();
        vec![
            format!("{}/{}", asset.kind, asset.name),
            format!("v{}", asset.version),
            aliases.join(" "),
            dash(asset.updated_at.as_deref()),
            asset.description.clone().unwrap_or_default(),
        ]
    });
    table(&["asset", "version", "aliases", "updated", "description"], rows.collect());
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn history(session: &Session, asset: &str) -> anyhow::Result<ExitCode> {
    let (kind, name, _) = split(asset)?;
    let versions: Vec<wire::AssetVersion> = session.client.all(&format!("{}/versions", path(kind, name))).await?;
    if session.json {
        output::json(&versions);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = versions.iter().map(|version| {
        vec![
            format!("v{}", version.version),
            version.digest.chars().take(19).collect(),
            version.created_at.clone(),
            dash(version.author.as_deref()),
            version.message.clone().unwrap_or_default(),
        ]
    });
    table(&["version", "digest", "created", "author", "message"], rows.collect());
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn diff(session: &Session, asset: &str, from: Option<u32>, to: Option<u32>) -> anyhow::Result<ExitCode> {
    let (kind, name, _) = split(asset)?;
    let mut query = Vec::new();
    query.extend(from.map(|from| format!("from={from}")));
    query.extend(to.map(|to| format!("to={to}")));
    let diff: wire::AssetDiff = session.client.get(&format!("{}/diff?{}", path(kind, name), query.join("&"))).await?;
    if session.json {
        output::json(&diff);
    } else {
        say(&format!("v{} → v{}", diff.from, diff.to));
        output::data(&output::printable(&diff.text));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn alias(
    session: &Session,
    asset: &str,
    alias: &str,
    to: String,
    expected: Option<u32>,
) -> anyhow::Result<ExitCode> {
    let (kind, name, _) = split(asset)?;
    let request = wire::MoveAlias { to, expected };
    let moved: wire::AliasView =
        session.client.put(&format!("{}/aliases/{}", path(kind, name), segment(alias)), &request).await?;
    if session.json {
        output::json(&moved);
    } else {
        line(&format!("{kind}/{name}@{} → v{}", moved.alias, moved.version));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn export(session: &Session, dir: &Path, kind: Option<&str>) -> anyhow::Result<ExitCode> {
    let query = kind.map(|kind| format!("?kind={}", segment(kind))).unwrap_or_default();
    let assets: Vec<wire::AssetSummary> = session.client.all(&format!("/api/v1/assets{query}")).await?;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut files = Vec::with_capacity(assets.len());
    for asset in &assets {
        let view: wire::AssetView = session.client.get(&path(&asset.kind, &asset.name)).await?;
        // Kinds and names are plain by construction; a server that says otherwise does not choose our paths.
        let plain = |text: &str| {
            text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) && !text.starts_with('.')
        };
        if !plain(&asset.kind) || !plain(&asset.name) {
            bail!("`{}/{}` cannot be a file name", asset.kind, asset.name);
        }
        let file = dir.join(format!("{}.{}.yaml", asset.name, asset.kind));
        std::fs::write(&file, manifest_yaml(&view)?).with_context(|| format!("cannot write {}", file.display()))?;
        files.push(file.display().to_string());
    }
    if session.json {
        output::json(&files);
    } else {
        files.iter().for_each(|file| line(file));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn schema(kind: Option<&str>, out: Option<&Path>) -> anyhow::Result<ExitCode> {
    let schemas = mainspring_server::schemas();
    if let Some(dir) = out {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        for (name, schema) in &schemas {
            let file = dir.join(format!("{name}.json"));
            std::fs::write(&file, serde_json::to_string_pretty(schema)?)
                .with_context(|| format!("cannot write {}", file.display()))?;
            line(&file.display().to_string());
        }
        return Ok(ExitCode::SUCCESS);
    }
    match kind {
        None => schemas.iter().for_each(|(name, _)| line(name)),
        Some(kind) => match schemas.iter().find(|(name, _)| name == kind) {
            Some((_, schema)) => output::json(schema),
            None => bail!(
                "no schema for `{kind}`{}",
                mainspring_kernel::text::did_you_mean(kind, schemas.iter().map(|(name, _)| name.as_str()))
            ),
        },
    }
    Ok(ExitCode::SUCCESS)
}
