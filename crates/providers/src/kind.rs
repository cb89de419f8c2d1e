//! How the registry reads a provider.

use mainspring_kernel::AssetKind;
use mainspring_registry::{KindDescriptor, Offer, ParsedSpec, SpecFault};
use serde_json::Value;

use crate::ProviderSpec;

#[must_use]
pub fn descriptor() -> KindDescriptor {
    KindDescriptor { kind: AssetKind::Provider, schema: || schemars::schema_for!(ProviderSpec).to_value(), parse }
}

fn parse(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let spec: ProviderSpec = SpecFault::read(value)?;
    // Without a list any model may be asked for.
    let models = spec.models.clone().unwrap_or_else(|| vec!["*".to_owned()]);
    // Before values of headers were looked at, specs were taken that are refused now. They answer as they did.
    let faults = spec.validate().err().map(|fault| fault.problems).unwrap_or_default();
    Ok(ParsedSpec::of(&spec, Vec::new())?.offering(models.into_iter().map(Offer::Below).collect()).faulty(faults))
}
