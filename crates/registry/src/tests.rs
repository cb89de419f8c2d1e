//! The registry's specification, on both engines.

mod aliases;
mod apply;
mod hostile;
mod lineage;
mod naming;
mod runs;

use std::sync::Arc;

use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{
    Actor, AssetKind, AssetRef, FrozenClock, Labels, ModelScope, Role, Timestamp,
    id::{PrincipalId, ProjectId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Draft, KindDescriptor, ParsedSpec, Plan, Reference, Registry, RegistryFault, SpecFault};

/// Three kinds that name each other, as the rooms' own do.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PromptSpec {
    text: String,
    #[serde(default)]
    tone: Tone,
    #[serde(default)]
    parameters: Vec<Parameter>,
    limit: Option<Limit>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Tone {
    #[default]
    Plain,
    Formal,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameter {
    name: String,
    #[serde(default)]
    required: bool,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Limit {
    tokens: u32,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChainSpec {
    steps: Vec<Step>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Step {
    Prompt {
        #[serde(rename = "use")]
        #[schemars(with = "String")]
        target: AssetRef,
    },
    Chain {
        #[serde(rename = "use")]
        #[schemars(with = "String")]
        target: AssetRef,
    },
}

fn kinds() -> Vec<KindDescriptor> {
    vec![
        KindDescriptor {
            kind: AssetKind::Prompt,
            schema: || schemars::schema_for!(PromptSpec).to_value(),
            parse: |value| ParsedSpec::of(&SpecFault::read::<PromptSpec>(value)?, Vec::new()),
        },
        KindDescriptor { kind: AssetKind::Chain, schema: || schemars::schema_for!(ChainSpec).to_value(), parse: parse_chain },
    ]
}

fn parse_chain(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let spec: ChainSpec = SpecFault::read(value)?;
    let references = spec.steps.iter().enumerate().map(|(index, step)| match step {
        Step::Prompt { target } => {
            Reference { kind: AssetKind::Prompt, target: target.clone(), path: format!("steps[{index}].prompt.use") }
        }
        Step::Chain { target } => {
            Reference { kind: AssetKind::Chain, target: target.clone(), path: format!("steps[{index}].chain.use") }
        }
    });
    let references = references.collect();
    ParsedSpec::of(&spec, references)
}

struct Room {
    registry: Registry,
    clock: FrozenClock,
    editor: Actor,
    reader: Actor,
    stranger: Actor,
}

impl Room {
    async fn over(catalog: Catalog) -> Self {
        const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
        let clock = FrozenClock::at(Timestamp::from_micros(1_700_000_000_000_000));
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let (project, other) = (ProjectId::new(now), ProjectId::new(now));
        catalog.write(PROJECT, params![project, "ours"]).await.unwrap();
        catalog.write(PROJECT, params![other, "theirs"]).await.unwrap();
        let actor = |project, role| Actor {
            principal: PrincipalId::new(now),
            project,
            role,
            labels: Labels::All,
            key: None,
            models: ModelScope::All,
        };
        Self {
            registry: Registry::open(catalog, Arc::new(clock.clone()), kinds()),
            clock,
            editor: actor(project, Role::Editor),
            reader: actor(project, Role::Reader),
            stranger: actor(other, Role::Admin),
        }
    }

    async fn apply(&self, drafts: &[Draft]) -> Result<Plan, RegistryFault> {
        self.registry.apply(&self.editor, drafts, "a test").await
    }

    async fn version(&self, kind: AssetKind, target: &str) -> Result<crate::Version, RegistryFault> {
        self.registry.get(&self.reader, kind, &target.parse().unwrap()).await
    }
}

fn draft(kind: &str, name: &str, spec: Value) -> Draft {
    let value = json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec});
    Draft { origin: format!("{name}.yaml"), value }
}

fn prompt(name: &str, text: &str) -> Draft {
    draft("prompt", name, json!({ "text": text }))
}

/// A chain of steps, each `prompt:name@x` or `chain:name@x`.
fn chain(name: &str, steps: &[&str]) -> Draft {
    let step = |step: &&str| {
        let (kind, target) = step.split_once(':').unwrap();
        json!({ kind: { "use": target } })
    };
    draft("chain", name, json!({ "steps": steps.iter().map(step).collect::<Vec<_>>() }))
}
