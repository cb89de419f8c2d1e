//! How the registry reads routes and prices.

use mainspring_kernel::{AssetKind, AssetRef, Selector};
use mainspring_registry::{KindDescriptor, ModelRole, NamedModel, Offer, ParsedSpec, Reference, SpecFault, SpecProblem};
use serde_json::Value;

use crate::{
    prices::PricesSpec,
    route::{Problems, RouteSpec, Target},
    routes::LOCAL,
};

#[must_use]
pub fn descriptors() -> Vec<KindDescriptor> {
    vec![
        KindDescriptor { kind: AssetKind::Route, schema: || schemars::schema_for!(RouteSpec).to_value(), parse: parse_route },
        KindDescriptor { kind: AssetKind::Prices, schema: || schemars::schema_for!(PricesSpec).to_value(), parse: parse_prices },
    ]
}

fn parse_route(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let spec: RouteSpec = SpecFault::read(value)?;
    // The models of this process need no provider of their own.
    let named = spec.targets.iter().enumerate().filter(|(_, target)| target.provider.as_str() != LOCAL);
    let references = named.map(|(index, target)| Reference {
        kind: AssetKind::Provider,
        target: AssetRef { name: target.provider.clone(), selector: Selector::Latest },
        path: format!("targets[{index}].provider"),
    });
    let parsed = ParsedSpec::of(&spec, references.collect())?;
    let offers = std::iter::once(Offer::Name).chain(spec.models.iter().cloned().map(Offer::Also)).collect();
    Ok(parsed.naming(models(&spec)).offering(offers).faulty(faults(spec.validate())))
}

/// Models that have to be in this process.
fn models(spec: &RouteSpec) -> Vec<NamedModel> {
    let own = spec.targets.iter().enumerate().filter(|(_, target)| target.provider.as_str() == LOCAL);
    let target = |(index, target): (usize, &Target)| {
        let model = target.model.as_ref()?;
        Some(NamedModel { role: ModelRole::Target, name: format!("{LOCAL}/{model}"), path: format!("targets[{index}].model") })
    };
    let embedding = spec.cache.as_ref().and_then(|cache| cache.embedding.clone());
    let embedding = embedding.map(|name| NamedModel { role: ModelRole::Embed, name, path: "cache.embedding".to_owned() });
    own.filter_map(target).chain(embedding).collect()
}

fn parse_prices(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let spec: PricesSpec = SpecFault::read(value)?;
    Ok(ParsedSpec::of(&spec, Vec::new())?.faulty(faults(spec.validate())))
}

fn faults(problems: Problems) -> Vec<SpecProblem> {
    problems.into_iter().map(|(path, message)| SpecProblem { path, message, unknown_field: false }).collect()
}
