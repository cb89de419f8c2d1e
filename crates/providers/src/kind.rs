//! How the registry reads a provider.

use mainspring_kernel::AssetKind;
use mainspring_registry::{KindDescriptor, ParsedSpec, SpecFault};
use serde_json::Value;

use crate::ProviderSpec;

#[must_use]
pub fn descriptor() -> KindDescriptor {
    KindDescriptor { kind: AssetKind::Provider, schema: || schemars::schema_for!(ProviderSpec).to_value(), parse }
}

fn parse(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let spec: ProviderSpec = SpecFault::read(value)?;
    spec.validate()?;
    ParsedSpec::of(&spec, Vec::new())
}
