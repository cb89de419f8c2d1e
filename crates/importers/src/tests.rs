mod known;
mod litellm;
mod portkey;
mod properties;
mod tensorzero;

use mainspring_kernel::AssetKind;
use serde_json::{Value, json};

use crate::{Imported, Note};

/// Everything is what the server takes, and what is referred to is there.
#[track_caller]
fn sound(imported: &Imported) {
    let mut kinds = mainspring_gateway::descriptors();
    kinds.extend([mainspring_providers::descriptor(), mainspring_prompts::descriptor()]);
    for manifest in &imported.manifests {
        let kind = kinds.iter().find(|kind| kind.kind == manifest.kind).unwrap();
        if let Err(fault) = kind.check(&manifest.spec) {
            panic!("{} {}: {fault}\n{}", manifest.kind, manifest.name, manifest.spec);
        }
        for target in manifest.spec["targets"].as_array().into_iter().flatten() {
            let provider = target["provider"].as_str().unwrap();
            assert!(imported.manifests.iter().any(|each| each.kind == AssetKind::Provider && each.name.as_str() == provider));
        }
    }
    let mut names: Vec<_> = imported.manifests.iter().map(|manifest| (manifest.kind, manifest.name.clone())).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), imported.manifests.len(), "two have one name");
}

/// The spec of an asset.
#[track_caller]
fn spec<'i>(imported: &'i Imported, kind: AssetKind, name: &str) -> &'i Value {
    let found = imported.manifests.iter().find(|manifest| manifest.kind == kind && manifest.name.as_str() == name);
    &found.unwrap_or_else(|| panic!("there is no {kind} {name}: {:?}", names(imported, kind))).spec
}

fn provider<'i>(imported: &'i Imported, name: &str) -> &'i Value {
    spec(imported, AssetKind::Provider, name)
}

fn route<'i>(imported: &'i Imported, name: &str) -> &'i Value {
    spec(imported, AssetKind::Route, name)
}

fn names(imported: &Imported, kind: AssetKind) -> Vec<&str> {
    imported.manifests.iter().filter(|manifest| manifest.kind == kind).map(|manifest| manifest.name.as_str()).collect()
}

/// `provider/model`, tier and weight of a route's targets.
fn targets(route: &Value) -> Vec<(String, u64, u64)> {
    let read = |target: &Value| {
        let name = format!("{}/{}", target["provider"].as_str().unwrap(), target["model"].as_str().unwrap_or("*"));
        (name, target["tier"].as_u64().unwrap_or(0), target["weight"].as_u64().unwrap())
    };
    route["targets"].as_array().unwrap().iter().map(read).collect()
}

fn rows(expected: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    expected.iter().map(|(name, tier, weight)| ((*name).to_owned(), *tier, *weight)).collect()
}

/// Whether a note about this place says this.
#[track_caller]
fn says(notes: &[Note], path: &str, words: &str) {
    let found = notes.iter().any(|note| note.path.contains(path) && note.message.contains(words));
    assert!(found, "no note of `{path}` says `{words}`: {notes:#?}");
}

/// None of these is in anything that an import gives.
#[track_caller]
fn holds_none(imported: &Imported, secrets: &[&str]) {
    let all = format!("{}\n{}\n{imported:?}", json!(imported), imported.report.text());
    for secret in secrets {
        assert!(!all.contains(secret), "`{secret}` has come through");
    }
}

/// No variable is set.
fn unset(_: &str) -> Option<String> {
    None
}
