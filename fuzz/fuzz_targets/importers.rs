//! Files of other gateways: whatever comes out is what the server takes, and what it refers to is there.
#![no_main]

use std::{collections::BTreeSet, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use mainspring_gateway::ledger::SubjectKind;
use mainspring_importers::{
    Action, ImportFault, Imported, PortkeyOptions, litellm, litellm_with_keys, portkey, portkey_with_keys, tensorzero,
};
use mainspring_kernel::AssetKind;
use mainspring_registry::KindDescriptor;

const PORTKEY: &str = include_str!("../../crates/importers/fixtures/portkey.json");
const OPTIONS: PortkeyOptions<'static> = PortkeyOptions { name: "a route", model: None };

static KINDS: LazyLock<Vec<KindDescriptor>> = LazyLock::new(|| {
    let mut kinds = mainspring_gateway::descriptors();
    kinds.extend([mainspring_providers::descriptor(), mainspring_prompts::descriptor()]);
    kinds
});

fuzz_target!(|data: &[u8]| {
    let Some((whose, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let unset = |_: &str| None::<String>;
    let imported: Result<Imported, ImportFault> = match whose % 5 {
        0 => litellm(text, &unset),
        1 => tensorzero(text, &|path: &str| (path.len() % 2 == 0).then(|| text.chars().take(200).collect())),
        2 => portkey(text, OPTIONS),
        3 => litellm_with_keys("model_list: []", Some(text), &unset),
        _ => portkey_with_keys(PORTKEY, Some(text), OPTIONS),
    };
    if let Ok(imported) = imported {
        sound(&imported);
        planned(imported);
    }
});

fn sound(imported: &Imported) {
    assert!(!imported.report.is_empty() || !imported.manifests.is_empty());
    let mut names = BTreeSet::new();
    for manifest in &imported.manifests {
        let kind = KINDS.iter().find(|kind| kind.kind == manifest.kind).expect("a kind that is imported");
        if let Err(fault) = kind.check(&manifest.spec) {
            panic!("{} {}: {fault}\n{}", manifest.kind, manifest.name, manifest.spec);
        }
        for target in manifest.spec["targets"].as_array().into_iter().flatten() {
            let named = target["provider"].as_str().expect("a target names its provider");
            let is_it =
                |other: &mainspring_importers::Manifest| other.kind == AssetKind::Provider && other.name.as_str() == named;
            assert!(imported.manifests.iter().any(is_it), "there is no provider `{named}`");
        }
        assert!(names.insert((manifest.kind, &manifest.name)), "two have one name: {}", manifest.name);
    }
}

/// A key has a name of its own, and a limit is on one before it or on everybody.
fn planned(imported: Imported) {
    let mut named = BTreeSet::new();
    for action in imported.report.plan.into_iter().filter_map(|step| step.action) {
        match action {
            Action::Key(key) => {
                assert!(key.models.as_ref().is_none_or(|models| !models.is_empty()), "{key:?}");
                assert!(named.insert(key.name.to_string()), "two have one name: {key:?}");
            }
            Action::Limit(limit) if limit.kind == SubjectKind::Key => {
                assert!(limit.subject.as_ref().is_none_or(|name| named.contains(name)), "{limit:?}");
            }
            Action::Limit(_) => {}
        }
    }
}
