//! How the registry reads chains and apps.

use mainspring_kernel::AssetKind;
use mainspring_registry::{KindDescriptor, ModelRole, NamedModel, ParsedSpec, Reference, SpecFault};
use serde_json::Value;

use crate::model::{AppSpec, ChainSpec, StepKind};

#[must_use]
pub fn descriptors() -> Vec<KindDescriptor> {
    vec![
        KindDescriptor { kind: AssetKind::Chain, schema: || schemars::schema_for!(ChainSpec).to_value(), parse: parse_chain },
        KindDescriptor { kind: AssetKind::App, schema: || schemars::schema_for!(AppSpec).to_value(), parse: parse_app },
    ]
}

fn parse_chain(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let spec: ChainSpec = SpecFault::read(value)?;
    spec.validate().map_err(SpecFault::invalid)?;
    let (mut references, mut models) = (Vec::new(), Vec::new());
    for (index, step) in spec.steps.iter().enumerate() {
        match step.kind() {
            Some(StepKind::Retrieve(step)) => references.push(Reference {
                kind: AssetKind::Knowledge,
                target: step.knowledge.clone(),
                path: format!("steps[{index}].retrieve.knowledge"),
            }),
            Some(StepKind::Prompt(step)) => references.push(Reference {
                kind: AssetKind::Prompt,
                target: step.prompt.clone(),
                path: format!("steps[{index}].prompt.use"),
            }),
            Some(StepKind::Model(step)) => models.push(NamedModel {
                role: ModelRole::Chat,
                name: step.name.clone(),
                path: format!("steps[{index}].model.name"),
            }),
            Some(StepKind::Quote(step)) => models.push(NamedModel {
                role: ModelRole::Embed,
                name: step.model.clone(),
                path: format!("steps[{index}].quote.model"),
            }),
            None => {}
        }
    }
    Ok(ParsedSpec::of(&spec, references)?.naming(models))
}

fn parse_app(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let spec: AppSpec = SpecFault::read(value)?;
    let references = vec![Reference { kind: AssetKind::Chain, target: spec.chain.clone(), path: "chain".to_owned() }];
    ParsedSpec::of(&spec, references)
}
