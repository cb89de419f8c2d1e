//! A folder of specs as manifests: YAML and JSON files, several documents per file.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

/// More than any honest spec; a larger file is not one.
const FILE_MAX: u64 = 4 * 1024 * 1024;
const FILES_MAX: usize = 10_000;

/// A manifest, and where it stands: its file, and which of several it is there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spec {
    pub(crate) origin: String,
    pub(crate) manifest: Value,
}

/// Reads every manifest under a path, in a stable order.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Spec>> {
    read_around(path, None)
}

/// Like `read`, without what lies in a folder that is not of specs.
pub(crate) fn read_around(path: &Path, skipped: Option<&Path>) -> anyhow::Result<Vec<Spec>> {
    let mut files = Vec::new();
    let meta = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if meta.is_dir() {
        collect(path, skipped, &mut files)?;
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    let mut specs = Vec::new();
    for file in &files {
        read_file(file, &mut specs)?;
    }
    if specs.is_empty() {
        bail!("no specs in {}: looked for .yaml, .yml and .json files with `apiVersion: mainspring/v1`", path.display());
    }
    Ok(specs)
}

/// The same, away from the threads that answer requests: disks may be slow, and files long.
pub(crate) async fn read_aside(path: &Path, skipped: Option<&Path>) -> anyhow::Result<Vec<Spec>> {
    let (path, skipped) = (path.to_owned(), skipped.map(Path::to_owned));
    tokio::task::spawn_blocking(move || read_around(&path, skipped.as_deref())).await.context("reading the specs stopped")?
}

fn collect(dir: &Path, skipped: Option<&Path>, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let entry = entry?;
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if hidden || skipped == Some(path.as_path()) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&path, skipped, files)?;
        } else if kind.is_file() && is_spec(&path) {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            bail!("more than {FILES_MAX} spec files under {}", dir.display());
        }
    }
    Ok(())
}

fn read_file(path: &Path, specs: &mut Vec<Spec>) -> anyhow::Result<()> {
    let shown = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {shown}"))?.len();
    if size > FILE_MAX {
        bail!("{shown} is {size} bytes; a spec file may have {FILE_MAX}");
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    // Some editors begin every file with a mark of its encoding.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    // A reader of YAML would take minutes over it before it said so.
    if mainspring_registry::is_too_deep(text) {
        if is_json && is_json_data(text) {
            return Ok(());
        }
        bail!("{shown} is nested too deep for a spec: brackets stay open, or are far too many");
    }
    let documents = match parse(text) {
        // Data may say a field twice.
        Err(_) if is_json && is_json_data(text) => return Ok(()),
        read => read.with_context(|| format!("{shown} is not valid YAML or JSON"))?,
    };
    let several = documents.len() > 1;
    for (index, document) in documents.into_iter().enumerate() {
        // A data file beside the specs is not an error; a document that says it is ours must be whole.
        if is_data(&document) {
            if is_json {
                continue;
            }
            bail!("{shown}: document {} has no `apiVersion` and `kind`", index + 1);
        }
        let mut manifest = document;
        // A bare name has an empty parent.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        anchor_paths(&mut manifest, folder.unwrap_or(Path::new(".")))?;
        let origin = if several { format!("{shown}#{}", index + 1) } else { shown.to_string() };
        specs.push(Spec { origin, manifest });
    }
    Ok(())
}

fn is_data(document: &Value) -> bool {
    document.get("apiVersion").is_none() && document.get("kind").is_none()
}

fn is_json_data(text: &str) -> bool {
    serde_json::from_str(text).is_ok_and(|data| is_data(&data))
}

/// The documents of a YAML stream that are not empty.
pub(crate) fn parse(text: &str) -> anyhow::Result<Vec<Value>> {
    let mut documents = Vec::new();
    for document in mainspring_registry::documents(text) {
        let value = document?;
        if !value.is_null() {
            documents.push(value);
        }
    }
    Ok(documents)
}

/// Paths in a knowledge spec are relative to the spec's own folder; the server may run elsewhere.
fn anchor_paths(manifest: &mut Value, folder: &Path) -> anyhow::Result<()> {
    let base = std::path::absolute(folder)?;
    each_path(manifest, |text| Path::new(text).is_relative().then(|| normalised(&base.join(text)).display().to_string()));
    Ok(())
}

/// The other way about: what lies in the folder or beside it is written relative to it, and can be moved along with it.
pub(crate) fn release_paths(manifest: &mut Value, folder: &Path) -> anyhow::Result<()> {
    let base = normalised(&std::path::absolute(folder)?);
    // Everything lies beside a folder of the root.
    let around = base.parent().filter(|parent| parent.parent().is_some());
    each_path(manifest, |text| {
        let below = Path::new(text).strip_prefix(&base).map(|rest| Path::new(".").join(rest));
        let beside = || Some(Path::new("..").join(Path::new(text).strip_prefix(around?).ok()?));
        below.ok().or_else(beside).map(|path| path.display().to_string())
    });
    Ok(())
}

/// Offers every path of a local source, and takes what comes back for it.
fn each_path(manifest: &mut Value, change: impl Fn(&str) -> Option<String>) {
    if manifest.get("kind").and_then(Value::as_str) != Some("knowledge") {
        return;
    }
    let change = |path: &mut Value| {
        if let Some(changed) = path.as_str().and_then(&change) {
            *path = Value::String(changed);
        }
    };
    for source in manifest.pointer_mut("/spec/sources").and_then(Value::as_array_mut).into_iter().flatten() {
        if !matches!(source.get("type").and_then(Value::as_str), Some("folder" | "files")) {
            continue;
        }
        source.get_mut("path").into_iter().for_each(change);
        source.get_mut("paths").and_then(Value::as_array_mut).into_iter().flatten().for_each(change);
    }
}

/// Whether a file is read for specs.
pub(crate) fn is_spec(path: &Path) -> bool {
    matches!(path.extension().and_then(|extension| extension.to_str()), Some("yaml" | "yml" | "json"))
}

/// `a/b/../c` as `a/c`: the same folder has one spelling, so a spec has one digest.
fn normalised(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}
