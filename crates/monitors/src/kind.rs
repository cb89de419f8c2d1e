//! How the registry reads monitors.

use mainspring_kernel::AssetKind;
use mainspring_registry::{KindDescriptor, ParsedSpec, SpecFault, SpecProblem};
use serde_json::Value;

use crate::spec::MonitorSpec;

/// The kind `monitor`.
#[must_use]
pub fn descriptor() -> KindDescriptor {
    KindDescriptor { kind: AssetKind::Monitor, schema: || schemars::schema_for!(MonitorSpec).to_value(), parse }
}

fn parse(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let spec: MonitorSpec = SpecFault::read(value)?;
    let problems = spec.validate();
    if problems.is_empty() {
        return ParsedSpec::of(&spec, Vec::new());
    }
    let problem = |(path, message)| SpecProblem { path, message, unknown_field: false };
    Err(SpecFault { problems: problems.into_iter().map(problem).collect() })
}
