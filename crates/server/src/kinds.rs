//! The kinds of asset this build takes.

use mainspring_kernel::AssetKind;
use mainspring_registry::KindDescriptor;
use serde_json::Value;

pub(crate) fn descriptors() -> Vec<KindDescriptor> {
    let mut kinds = mainspring_chains::descriptors();
    kinds.push(mainspring_prompts::descriptor());
    kinds.push(mainspring_knowledge::kind());
    kinds.sort_by_key(|descriptor| descriptor.kind);
    kinds
}

/// The JSON Schema of every kind's spec, by name.
#[must_use]
pub fn schemas() -> Vec<(String, Value)> {
    let mut all: Vec<(AssetKind, Value)> =
        descriptors().into_iter().map(|descriptor| (descriptor.kind, envelope(&descriptor))).collect();
    all.sort_by_key(|(kind, _)| *kind);
    all.into_iter().map(|(kind, schema)| (kind.to_string(), schema)).collect()
}

/// The manifest around a spec, as an editor sees the file.
fn envelope(descriptor: &KindDescriptor) -> Value {
    let mut spec = (descriptor.schema)();
    let definitions = spec.as_object_mut().and_then(|fields| {
        fields.remove("$schema");
        fields.remove("$defs")
    });
    let mut schema = serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": descriptor.kind.as_str(),
        "type": "object",
        "required": ["apiVersion", "kind", "name", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"const": "mainspring/v1"},
            "kind": {"const": descriptor.kind.as_str()},
            "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,62}$"},
            "description": {"type": "string"},
            "spec": spec,
        },
    });
    if let Some(definitions) = definitions {
        schema["$defs"] = definitions;
    }
    schema
}
