//! How the registry reads knowledge specs.

use mainspring_kernel::AssetKind;
use mainspring_registry::{KindDescriptor, ParsedSpec, SpecFault};
use serde_json::Value;

use crate::spec::KnowledgeSpec;

/// The kind `knowledge`.
#[must_use]
pub fn kind() -> KindDescriptor {
    KindDescriptor { kind: AssetKind::Knowledge, schema, parse }
}

fn schema() -> Value {
    schemars::schema_for!(KnowledgeSpec).to_value()
}

fn parse(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let spec: KnowledgeSpec = SpecFault::read(value)?;
    spec.check().map_err(|problem| SpecFault::at(problem.path, problem.reason))?;
    // Models are named, not versioned, by the registry: a spec has no references yet.
    ParsedSpec::of(&spec, Vec::new())
}
