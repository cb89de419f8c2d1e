//! How the registry reads monitors.

use mainspring_kernel::{AssetKind, AssetRef, Name, Selector};
use mainspring_registry::{KindDescriptor, ParsedSpec, Reference, SpecFault, SpecProblem};
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
        // A monitor outlives its receivers, and is looked at without them.
        let receiver = |(index, name): (usize, &Name)| Reference {
            kind: AssetKind::Receiver,
            target: AssetRef { name: name.clone(), selector: Selector::Latest },
            path: format!("notify[{index}]"),
        };
        let receivers = spec.notify.iter().enumerate().map(receiver).collect();
        return Ok(ParsedSpec::of(&spec, Vec::new())?.mentioning(receivers));
    }
    let problem = |(path, message)| SpecProblem { path, message, unknown_field: false };
    Err(SpecFault { problems: problems.into_iter().map(problem).collect() })
}
