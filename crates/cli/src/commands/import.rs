//! `mainspring import`: other gateways' settings as specs, and a report of the rest.

mod handed;
mod made;

use std::{
    fs, mem,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use mainspring_importers::{Imported, Manifest, PortkeyOptions, Step, TEXT_MAX};
use serde_json::json;

use self::handed::Handed;
use super::{Session, assets};
use crate::{
    args::Import,
    output::{self, data, line, printable, say},
    specs::Spec,
};

/// Prints what is imported, or writes it into a folder.
pub(crate) fn write(import: &Import, as_json: bool) -> anyhow::Result<ExitCode> {
    let imported = read(import)?;
    let to = import.to();
    let files = match &to.out {
        Some(dir) => Some(write_into(dir, &imported, to.force)?),
        None => None,
    };
    if as_json {
        let mut shown = json!({"manifests": imported.manifests, "report": imported.report});
        if let Some(files) = &files {
            shown["files"] = json!(files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>());
        }
        output::json(&shown);
        return Ok(ExitCode::SUCCESS);
    }
    match files {
        Some(files) => files.iter().for_each(|file| line(&file.display().to_string())),
        None => data(&printable(&documents(imported.manifests.iter())?)),
    }
    tell(&imported);
    Ok(ExitCode::SUCCESS)
}

/// Applies what is imported: specs first, since keys and limits may name them.
pub(crate) async fn apply(session: &Session, import: &Import) -> anyhow::Result<ExitCode> {
    let mut imported = read(import)?;
    // Of no file: an error names each by what it is.
    let spec = |manifest: &Manifest| Spec { origin: String::new(), manifest: manifest.value() };
    let manifests: Vec<Spec> = imported.manifests.iter().map(spec).collect();
    // What is made is not for people to do any more.
    let (wanted, by_hand): (Vec<Step>, Vec<Step>) =
        mem::take(&mut imported.report.plan).into_iter().partition(|step| step.action.is_some());
    imported.report.plan = by_hand;
    let wanted: Vec<_> = wanted.into_iter().filter_map(|step| step.action).collect();
    if manifests.is_empty() && wanted.is_empty() {
        bail!("nothing in the file becomes a spec, a key or a limit; without `--apply` the report says what to do by hand");
    }
    let plan = made::Plan::of(session, wanted).await?;
    let handed = Handed::to(import.to().keys_out.as_deref(), session.json, plan.makes_keys())?;
    let message = format!("imported from {}", source(import));
    let reply = if manifests.is_empty() { None } else { Some(assets::send(session, manifests, &message).await?) };
    if let Some(reply) = reply.as_ref().filter(|_| !session.json) {
        assets::show_plan(session, reply);
    }
    let made = plan.make(session, handed).await?;
    if session.json {
        let mut shown = json!({"applied": reply, "report": imported.report});
        made.put_into(&mut shown);
        output::json(&shown);
        return Ok(ExitCode::SUCCESS);
    }
    tell(&imported);
    Ok(ExitCode::SUCCESS)
}

const fn source(import: &Import) -> &'static str {
    match import {
        Import::Litellm { .. } => "LiteLLM",
        Import::Tensorzero { .. } => "TensorZero",
        Import::Portkey { .. } => "Portkey",
    }
}

fn read(import: &Import) -> anyhow::Result<Imported> {
    Ok(match import {
        Import::Litellm { file, keys, .. } => {
            let keys = keys.as_deref().map(text).transpose()?;
            mainspring_importers::litellm_with_keys(&text(file)?, keys.as_deref(), &|name| std::env::var(name).ok())?
        }
        Import::Tensorzero { file, .. } => {
            let folder = fs::canonicalize(file).ok().and_then(|file| file.parent().map(Path::to_owned)).unwrap_or_default();
            mainspring_importers::tensorzero(&text(file)?, &|path| below(&folder, path))?
        }
        Import::Portkey { file, keys, name, model, .. } => {
            let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let options = PortkeyOptions { name: name.as_deref().unwrap_or(&stem), model: model.as_deref() };
            let keys = keys.as_deref().map(text).transpose()?;
            mainspring_importers::portkey_with_keys(&text(file)?, keys.as_deref(), options)?
        }
    })
}

fn text(file: &Path) -> anyhow::Result<String> {
    let shown = file.display();
    let size = fs::metadata(file).with_context(|| format!("cannot read {shown}"))?.len();
    if usize::try_from(size).is_ok_and(|size| size > TEXT_MAX) {
        bail!("{shown} is {size} bytes; a configuration may have {TEXT_MAX}");
    }
    fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))
}

/// A file that a configuration names. What does not lie below its folder is none of its own.
fn below(folder: &Path, path: &str) -> Option<String> {
    let file = fs::canonicalize(folder.join(path)).ok()?;
    let small = fs::metadata(&file).is_ok_and(|meta| meta.is_file() && meta.len() <= TEXT_MAX as u64);
    if small && file.starts_with(folder) { fs::read_to_string(file).ok() } else { None }
}

fn documents<'m>(manifests: impl Iterator<Item = &'m Manifest>) -> anyhow::Result<String> {
    let mut text = String::new();
    for manifest in manifests {
        if !text.is_empty() {
            text.push_str("---\n");
        }
        text.push_str(&yaml_serde::to_string(&manifest.value())?);
    }
    Ok(text)
}

/// A file for each kind, and the report. Nothing is written where something would be written over.
fn write_into(dir: &Path, imported: &Imported, force: bool) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    let mut kinds: Vec<_> = imported.manifests.iter().map(|manifest| manifest.kind).collect();
    kinds.dedup();
    for kind in kinds {
        let of_kind = imported.manifests.iter().filter(|manifest| manifest.kind == kind);
        let name = kind.as_str();
        let plural = if name.ends_with('s') { name.to_owned() } else { format!("{name}s") };
        files.push((dir.join(format!("{plural}.yaml")), documents(of_kind)?));
    }
    files.push((dir.join("report.txt"), printable(&imported.report.text())));
    if let Some((there, _)) = files.iter().find(|(file, _)| !force && file.exists()) {
        bail!("{} is there already, and nothing was written; `--force` writes over what is there", there.display());
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for (file, text) in &files {
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(files.into_iter().map(|(file, _)| file).collect())
}

fn tell(imported: &Imported) {
    let text = imported.report.text();
    if !text.is_empty() {
        say(&printable(text.trim_end()));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::args::Args;

    #[test]
    fn what_a_report_tells_people_to_do_is_a_command() {
        let litellm = include_str!("../../../importers/fixtures/litellm.yaml");
        let tensorzero = include_str!("../../../importers/fixtures/tensorzero.toml");
        let keys = include_str!("../../../importers/fixtures/litellm_keys.json");
        let reports = [
            mainspring_importers::litellm_with_keys(litellm, Some(keys), &|_| None),
            mainspring_importers::tensorzero(tensorzero, &|_| None),
        ];
        let mut commands = 0;
        for step in reports.into_iter().flat_map(|imported| imported.unwrap().report.plan) {
            let parsed = Args::try_parse_from(step.command.split(' '));
            assert!(parsed.is_ok(), "{}: {:?}", step.command, parsed.err());
            commands += 1;
        }
        assert!(commands > 20, "{commands}");
    }
}
