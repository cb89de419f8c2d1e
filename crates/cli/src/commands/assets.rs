//! Applications as text: apply, get, list, diff, history, alias, schema.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, bail};
use mainspring_client::ClientFault;
use mainspring_wire as wire;
use serde_json::{Value, json};

use super::{Session, segment};
use crate::{
    args::{Alias, Apply},
    output::{self, dash, line, say, table},
    specs::{self, Spec},
};

/// Shows the plan, then applies it as it was shown, or not at all.
pub(crate) async fn apply(session: &Session, apply: &Apply) -> anyhow::Result<ExitCode> {
    let message = apply.message.clone();
    let request = wire::ApplyRequest { dry_run: true, message, ..asked(specs::read(&apply.path)?) };
    let plan: wire::ApplyReply = session.client.post("/api/v1/apply", &request).await?;
    if apply.dry_run {
        show_plan(session, &plan);
        return Ok(ExitCode::SUCCESS);
    }
    if !session.json {
        show_changes(&plan);
    }
    let expected = Some(plan.plan).filter(|digest| !digest.is_empty());
    let planned = wire::ApplyRequest { dry_run: false, expected, ..request.clone() };
    match session.client.post::<wire::ApplyReply>("/api/v1/apply", &planned).await {
        Ok(reply) if session.json => output::json(&reply),
        Ok(reply) => conclude(&reply),
        Err(ClientFault::Refused(refusal)) if refusal.code == "registry-plan-moved" => {
            if !session.json {
                say("something moved meanwhile; the plan is now:");
                show_changes(&session.client.post("/api/v1/apply", &request).await?);
            }
            return Err(ClientFault::Refused(refusal).into());
        }
        Err(fault) => return Err(fault.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Applies without showing a plan first.
pub(crate) async fn send(session: &Session, specs: Vec<Spec>, message: &str) -> anyhow::Result<wire::ApplyReply> {
    let request = wire::ApplyRequest { message: Some(message.to_owned()), ..asked(specs) };
    Ok(session.client.post("/api/v1/apply", &request).await?)
}

/// With the file of each, so that errors name it.
fn asked(specs: Vec<Spec>) -> wire::ApplyRequest {
    let (origins, manifests): (Vec<_>, Vec<_>) = specs.into_iter().map(|Spec { origin, manifest }| (origin, manifest)).unzip();
    wire::ApplyRequest { manifests, origins, ..wire::ApplyRequest::default() }
}

pub(crate) fn show_plan(session: &Session, reply: &wire::ApplyReply) {
    if session.json {
        output::json(reply);
        return;
    }
    show_changes(reply);
    conclude(reply);
}

fn show_changes(reply: &wire::ApplyReply) {
    for change in &reply.changes {
        let sign = match change.action.as_str() {
            "create" => "+",
            "update" => "~",
            _ => "=",
        };
        let version = change.to_version.map(|version| format!(" v{version}")).unwrap_or_default();
        line(&format!("{sign} {}/{}{version}  {}", change.kind, change.name, change.action));
        for wire::PlannedAlias { alias, from, to } in &change.aliases {
            let from = from.map(|from| format!("v{from} ")).unwrap_or_default();
            line(&format!("    @{alias} {from}→ v{to}"));
        }
        for warning in &change.warnings {
            line(&format!("    warning: {}", output::printable(warning)));
        }
        if let Some(diff) = change.diff.as_deref().filter(|_| change.action == "update") {
            for row in diff.lines() {
                line(&format!("    {}", output::printable(row)));
            }
        }
    }
}

/// How many assets the plan changes.
pub(crate) fn changed(reply: &wire::ApplyReply) -> usize {
    reply.changes.iter().filter(|change| change.action != "unchanged" || !change.aliases.is_empty()).count()
}

fn conclude(reply: &wire::ApplyReply) {
    say(&match (reply.applied, changed(reply)) {
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

pub(crate) fn path(kind: &str, name: &str) -> String {
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
        output::data(&yaml_serde::to_string(&manifest(&view))?);
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn manifest(view: &wire::AssetView) -> Value {
    let mut manifest = json!({"apiVersion": "mainspring/v1", "kind": view.summary.kind, "name": view.summary.name});
    if let Some(description) = &view.summary.description {
        manifest["description"] = json!(description);
    }
    manifest["spec"] = view.spec.clone();
    manifest
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

pub(crate) async fn diff(session: &Session, asset: &str, from: Option<&str>, to: Option<&str>) -> anyhow::Result<ExitCode> {
    let (kind, name, _) = split(asset)?;
    let mut query = Vec::new();
    query.extend(from.map(|from| format!("from={}", segment(from))));
    query.extend(to.map(|to| format!("to={}", segment(to))));
    let diff: wire::AssetDiff = session.client.get(&format!("{}/diff?{}", path(kind, name), query.join("&"))).await?;
    if session.json {
        output::json(&diff);
    } else {
        say(&format!("v{} → v{}", diff.from, diff.to));
        output::data(&output::printable(&diff.text));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn alias(session: &Session, given: &Alias) -> anyhow::Result<ExitCode> {
    let (kind, name, _) = split(&given.asset)?;
    let path = format!("{}/aliases/{}", path(kind, name), segment(&given.alias));
    let Some(to) = given.to.clone() else {
        let expected = given.expected.map(|expected| format!("?expected={expected}")).unwrap_or_default();
        let removed: wire::RemovedAlias = session.client.delete(&format!("{path}{expected}")).await?;
        if session.json {
            output::json(&removed);
        } else {
            line(&format!("{kind}/{name}@{} is no more", removed.removed));
        }
        return Ok(ExitCode::SUCCESS);
    };
    let request = wire::MoveAlias { to, expected: given.expected };
    let moved: wire::AliasView = session.client.put(&path, &request).await?;
    if session.json {
        output::json(&moved);
    } else {
        line(&format!("{kind}/{name}@{} → v{}", moved.alias, moved.version));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn schema(kind: Option<&str>, out: Option<&Path>, as_json: bool) -> anyhow::Result<ExitCode> {
    let schemas = mainspring_server::schemas();
    let names: Vec<String> = match (out, kind) {
        (Some(dir), _) => write_schemas(dir, &schemas)?,
        (None, None) => schemas.into_iter().map(|(name, _)| name).collect(),
        (None, Some(kind)) => match schemas.iter().find(|(name, _)| name == kind) {
            Some((_, schema)) => {
                output::json(schema);
                return Ok(ExitCode::SUCCESS);
            }
            None => bail!(
                "no schema for `{kind}`{}",
                mainspring_kernel::text::did_you_mean(kind, schemas.iter().map(|(name, _)| name.as_str()))
            ),
        },
    };
    if as_json {
        output::json(&names);
    } else {
        names.iter().for_each(|name| line(name));
    }
    Ok(ExitCode::SUCCESS)
}

fn write_schemas(dir: &Path, schemas: &[(String, Value)]) -> anyhow::Result<Vec<String>> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let write = |(name, schema): &(String, Value)| {
        let file = dir.join(format!("{name}.json"));
        std::fs::write(&file, serde_json::to_string_pretty(schema)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file.display().to_string())
    };
    schemas.iter().map(write).collect()
}
