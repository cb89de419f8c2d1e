//! The kinds of asset this build takes.

use mainspring_kernel::AssetKind;
use mainspring_registry::KindDescriptor;
use serde_json::Value;

pub(crate) fn descriptors() -> Vec<KindDescriptor> {
    let mut kinds = mainspring_chains::descriptors();
    kinds.push(mainspring_prompts::descriptor());
    kinds.push(mainspring_knowledge::kind());
    kinds.push(mainspring_providers::descriptor());
    kinds.push(mainspring_alerts::descriptor());
    kinds.push(crate::monitoring::kind());
    kinds.push(mainspring_observability::descriptor());
    kinds.extend(mainspring_gateway::descriptors());
    kinds.sort_by_key(|descriptor| descriptor.kind);
    kinds
}

/// The JSON Schema of every kind's manifests, by name.
#[must_use]
pub fn schemas() -> Vec<(String, Value)> {
    let mut all: Vec<(AssetKind, Value)> =
        descriptors().into_iter().map(|descriptor| (descriptor.kind, descriptor.manifest_schema())).collect();
    all.sort_by_key(|(kind, _)| *kind);
    all.into_iter().map(|(kind, schema)| (kind.to_string(), schema)).collect()
}
