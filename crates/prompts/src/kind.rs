//! How the registry reads a prompt.

use mainspring_kernel::AssetKind;
use mainspring_registry::{KindDescriptor, ParsedSpec, SpecFault};
use serde_json::Value;

use crate::PromptSpec;

#[must_use]
pub fn descriptor() -> KindDescriptor {
    KindDescriptor { kind: AssetKind::Prompt, schema: || schemars::schema_for!(PromptSpec).to_value(), parse }
}

fn parse(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let spec: PromptSpec = SpecFault::read(value)?;
    spec.validate().map_err(|fault| SpecFault::invalid(fault.to_string()))?;
    ParsedSpec::of(&spec, Vec::new())
}
