//! How the registry reads knowledge specs.

use mainspring_kernel::AssetKind;
use mainspring_registry::{KindDescriptor, ModelRole, NamedModel, ParsedSpec, SpecFault};
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
    let named = |role, name: &str, path: &str| NamedModel { role, name: name.to_owned(), path: path.to_owned() };
    let mut models = vec![named(ModelRole::Embed, &spec.embedding, "embedding")];
    models.extend(spec.retrieval.reranker.as_deref().map(|name| named(ModelRole::Rerank, name, "retrieval.reranker")));
    // Models are named, not versioned, by the registry: a spec has no references yet.
    Ok(ParsedSpec::of(&spec, Vec::new())?.naming(models))
}
