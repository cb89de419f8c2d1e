//! A folder of specs as manifests: YAML and JSON files, several documents per file.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;

/// More than any honest spec; a larger file is not one.
const FILE_MAX: u64 = 4 * 1024 * 1024;
const FILES_MAX: usize = 10_000;

/// Reads every manifest under a path, in a stable order.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Value>> {
    let mut files = Vec::new();
    let meta = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if meta.is_dir() {
        collect(path, &mut files)?;
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    let mut manifests = Vec::new();
    for file in &files {
        read_file(file, &mut manifests)?;
    }
    if manifests.is_empty() {
        bail!("no specs in {}: looked for .yaml, .yml and .json files with `apiVersion: mainspring/v1`", path.display());
    }
    Ok(manifests)
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let entry = entry?;
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if hidden {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&path, files)?;
        } else if kind.is_file() && matches!(path.extension().and_then(|e| e.to_str()), Some("yaml" | "yml" | "json")) {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            bail!("more than {FILES_MAX} spec files under {}", dir.display());
        }
    }
    Ok(())
}

fn read_file(path: &Path, manifests: &mut Vec<Value>) -> anyhow::Result<()> {
    let shown = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {shown}"))?.len();
    if size > FILE_MAX {
        bail!("{shown} is {size} bytes; a spec file may have {FILE_MAX}");
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    for (index, document) in parse(&text).with_context(|| format!("{shown} is not valid YAML or JSON"))?.into_iter().enumerate() {
        // A data file beside the specs is not an error; a document that says it is ours must be whole.
        if document.get("apiVersion").is_none() && document.get("kind").is_none() {
            if path.extension().is_some_and(|e| e == "json") {
                continue;
            }
            bail!("{shown}: document {} has no `apiVersion` and `kind`", index + 1);
        }
        let mut document = document;
        anchor_paths(&mut document, path.parent().unwrap_or(Path::new(".")))?;
        manifests.push(document);
    }
    Ok(())
}

/// The documents of a YAML stream; JSON is YAML too.
pub(crate) fn parse(text: &str) -> anyhow::Result<Vec<Value>> {
    let mut documents = Vec::new();
    for document in yaml_serde::Deserializer::from_str(text) {
        let value = Value::deserialize(document)?;
        if !value.is_null() {
            documents.push(value);
        }
    }
    Ok(documents)
}

/// Paths in a knowledge spec are relative to the spec's own folder; the server may run elsewhere.
fn anchor_paths(manifest: &mut Value, folder: &Path) -> anyhow::Result<()> {
    if manifest.get("kind").and_then(Value::as_str) != Some("knowledge") {
        return Ok(());
    }
    let Some(sources) = manifest.pointer_mut("/spec/sources").and_then(Value::as_array_mut) else { return Ok(()) };
    for source in sources {
        if !matches!(source.get("type").and_then(Value::as_str), Some("folder" | "files")) {
            continue;
        }
        if let Some(path) = source.get_mut("path") {
            anchor(path, folder)?;
        }
        for path in source.get_mut("paths").and_then(Value::as_array_mut).into_iter().flatten() {
            anchor(path, folder)?;
        }
    }
    Ok(())
}

fn anchor(path: &mut Value, folder: &Path) -> anyhow::Result<()> {
    let Some(text) = path.as_str() else { return Ok(()) };
    if Path::new(text).is_relative() {
        let base = std::path::absolute(folder)?;
        *path = Value::String(normalised(&base.join(text)).display().to_string());
    }
    Ok(())
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
