//! From a name to the specs that will run, every version noted.

use std::{collections::BTreeMap, sync::Arc};

use mainspring_kernel::{
    Actor, AssetKind, AssetRef, Fault, FaultKind, Name, PageRequest, Selector, id::BatchId, page::LIMIT_MAX, text,
};
use mainspring_llm::{Asking, ChatModel, ModelFault, ModelSource, Models, SpanContext, TablePin, Told};
use mainspring_prompts::{InferenceSettings, PromptSpec};
use mainspring_registry::{Registry, Version};
use serde::de::DeserializeOwned;

use crate::{
    fault::ChainFault,
    model::{AppSpec, ChainSpec, ModelStep, PromptStep, QuoteStep, RetrieveStep, StepKind},
    outcome::VersionUsed,
    request::{Pins, Target},
    run::Quoter,
};

/// Something a client can name as `model`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callable {
    pub kind: AssetKind,
    pub name: String,
}

/// Everything one answer needs, loaded.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) app: Option<String>,
    pub(crate) abstain: String,
    /// Each with the state of the table it reads, where that is not the newest.
    pub(crate) retrieves: Vec<(RetrieveStep, Option<TablePin>)>,
    pub(crate) prompt: Option<(PromptStep, PromptSpec)>,
    pub(crate) by: By,
    pub(crate) settings: InferenceSettings,
    pub(crate) versions: Vec<VersionUsed>,
}

/// Who makes the text of an answer.
#[derive(Debug)]
pub(crate) enum By {
    Model(Chosen),
    /// Nobody: it is sentences of the sources.
    Quotes(Quoter),
}

/// A model, and whether it is one of this process as it is.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) model: Arc<dyn ChatModel>,
    /// It is asked as it is: nobody counts its calls, and its span is the only one of them.
    pub(crate) local: bool,
}

impl Plan {
    /// The name of the model that answers or compares.
    pub(crate) fn model_name(&self) -> &str {
        match &self.by {
            By::Model(chosen) => chosen.model.name(),
            By::Quotes(quoter) => quoter.embedder.name(),
        }
    }
}

pub(crate) struct Resolver<'a> {
    pub(crate) actor: &'a Actor,
    pub(crate) registry: &'a Registry,
    pub(crate) models: &'a Models,
    pub(crate) source: Option<&'a dyn ModelSource>,
    pub(crate) default_model: &'a str,
    pub(crate) pins: &'a Pins,
    /// The end user, as the client names them.
    pub(crate) user: Option<&'a str>,
    pub(crate) batch: bool,
    pub(crate) line_of: Option<BatchId>,
    pub(crate) told: &'a Told,
    pub(crate) models_only: bool,
    pub(crate) trace: &'a SpanContext,
}

impl Resolver<'_> {
    pub(crate) async fn plan(&self, target: &Target) -> Result<Plan, ChainFault> {
        let reference = &target.reference;
        let wants = |kind| target.kind.is_none() || target.kind == Some(kind);
        if wants(AssetKind::App)
            && let Some(app) = self.find::<AppSpec>(AssetKind::App, reference).await?
        {
            self.serves(AssetKind::App, target)?;
            return self.plan_app(app).await;
        }
        if wants(AssetKind::Prompt)
            && let Some((prompt, version)) = self.find::<PromptSpec>(AssetKind::Prompt, reference).await?
        {
            self.serves(AssetKind::Prompt, target)?;
            return self.plan_prompt(prompt, &version);
        }
        if wants(AssetKind::Model)
            && reference.selector == Selector::Latest
            && let Ok(chosen) = self.model((None, None), reference.name.as_str())
        {
            return Ok(Self::plan_model(chosen));
        }
        Err(self.unknown(target).await)
    }

    fn serves(&self, kind: AssetKind, target: &Target) -> Result<(), ChainFault> {
        if self.models_only {
            return Err(ChainFault::ModelsOnly { kind: kind.as_str(), name: text::elide(&target.to_string(), 80) });
        }
        Ok(())
    }

    /// The model that answers where `named` is named: the project's own routes and providers come first. `version`: what asks,
    /// with everything that it asks by.
    fn model(&self, (app, version): (Option<&str>, Option<&str>), named: &str) -> Result<Chosen, ModelFault> {
        let name = self.pins.model.as_deref().unwrap_or(named);
        let Self { actor, user, batch, line_of, trace, told, .. } = *self;
        let asking = Asking { actor, app, version, user, batch, line_of, trace, told };
        if let Some(model) = self.source.and_then(|source| source.chat(&asking, name)) {
            return Ok(Chosen { model, local: false });
        }
        Ok(Chosen { model: self.models.chat(name)?, local: true })
    }

    async fn plan_app(&self, (app, version): (AppSpec, Version)) -> Result<Plan, ChainFault> {
        let (chain, chain_version) = self.load::<ChainSpec>(AssetKind::Chain, &app.chain).await?;
        let name = version.pin.name.to_string();
        let mut versions = vec![used(&version), used(&chain_version)];
        let Steps { retrieves, prompt, model, quote } = Steps::of(&chain);
        let (prompt, by, settings) = match (prompt, model, quote) {
            (Some(step), Some(model_step), None) => {
                let (prompt, prompt_version) = self.load::<PromptSpec>(AssetKind::Prompt, &step.prompt).await?;
                versions.push(used(&prompt_version));
                let asks = joined(&versions);
                let chosen = self.model((Some(name.as_str()), Some(asks.as_str())), &model_step.name)?;
                versions.push(model_used(chosen.model.as_ref()));
                (Some((step, prompt)), By::Model(chosen), model_step.settings)
            }
            (None, None, Some(step)) => {
                let quoter = self.quoter(step)?;
                let (name, digest) = (quoter.embedder.name().to_owned(), quoter.embedder.identity());
                versions.push(VersionUsed { kind: AssetKind::Model, name, number: 0, digest });
                (None, By::Quotes(quoter), InferenceSettings::default())
            }
            _ => return Err(ChainFault::Unreadable { spec: app.chain.to_string(), reason: "a step is missing".into() }),
        };
        let retrieves = self.reads(retrieves);
        Ok(Plan { app: Some(name), abstain: app.abstain, retrieves, prompt, by, settings, versions })
    }

    fn quoter(&self, step: QuoteStep) -> Result<Quoter, ModelFault> {
        let name = self.pins.model.as_deref().unwrap_or(&step.model);
        let (embedder, reranker) = (self.models.embedder(name)?, self.models.reranker(name)?);
        Ok(Quoter { step, reranker, embedder })
    }

    fn reads(&self, steps: Vec<RetrieveStep>) -> Vec<(RetrieveStep, Option<TablePin>)> {
        let mut seen: BTreeMap<Name, usize> = BTreeMap::new();
        let read = |mut step: RetrieveStep| {
            let nth = seen.entry(step.knowledge.name.clone()).or_default();
            let (knowledge, at) = self.pins.read(&step.knowledge, *nth);
            *nth += 1;
            step.knowledge = knowledge;
            (step, at)
        };
        steps.into_iter().map(read).collect()
    }

    fn plan_prompt(&self, prompt: PromptSpec, version: &Version) -> Result<Plan, ChainFault> {
        let prompt_used = used(version);
        let chosen = self.model((None, Some(prompt_used.to_string().as_str())), self.default_model)?;
        let reference = AssetRef { name: version.pin.name.clone(), selector: Selector::Latest };
        Ok(Plan {
            app: None,
            abstain: String::new(),
            retrieves: Vec::new(),
            versions: vec![prompt_used, model_used(chosen.model.as_ref())],
            prompt: Some((PromptStep { prompt: reference, with: BTreeMap::new() }, prompt)),
            by: By::Model(chosen),
            settings: InferenceSettings::default(),
        })
    }

    fn plan_model(chosen: Chosen) -> Plan {
        Plan {
            app: None,
            abstain: String::new(),
            retrieves: Vec::new(),
            prompt: None,
            versions: vec![model_used(chosen.model.as_ref())],
            by: By::Model(chosen),
            settings: InferenceSettings::default(),
        }
    }

    /// The asset, or `None` where no asset of this kind has the name.
    async fn find<T: DeserializeOwned>(&self, kind: AssetKind, reference: &AssetRef) -> Result<Option<(T, Version)>, ChainFault> {
        match self.load(kind, reference).await {
            Ok(found) => Ok(Some(found)),
            // A known name under an unknown version is the caller's mistake to hear about, not a reason to look further.
            Err(ChainFault::Registry(fault)) if fault.kind() == FaultKind::NotFound && reference.selector == Selector::Latest => {
                Ok(None)
            }
            Err(ChainFault::Registry(fault)) if fault.kind() == FaultKind::NotFound => {
                let named = AssetRef { name: reference.name.clone(), selector: Selector::Latest };
                match self.registry.get(self.actor, kind, &named).await {
                    Ok(_) => Err(ChainFault::Registry(fault)),
                    Err(_) => Ok(None),
                }
            }
            Err(fault) => Err(fault),
        }
    }

    async fn load<T: DeserializeOwned>(&self, kind: AssetKind, reference: &AssetRef) -> Result<(T, Version), ChainFault> {
        let reference = self.pins.redirect(kind, reference);
        let version = self.registry.get(self.actor, kind, &reference).await?;
        let spec = serde_json::from_value(version.spec.clone())
            .map_err(|error| ChainFault::Unreadable { spec: format!("{kind} `{reference}`"), reason: error.to_string() })?;
        Ok((spec, version))
    }

    async fn unknown(&self, target: &Target) -> ChainFault {
        // A model that is there and does something else is not unknown.
        if matches!(target.kind, None | Some(AssetKind::Model))
            && target.reference.selector == Selector::Latest
            && let Err(fault @ ModelFault::OtherKind { .. }) = self.models.chat(target.reference.name.as_str())
        {
            return ChainFault::Model(fault);
        }
        let callables = callables(self.actor, self.registry, self.models).await.unwrap_or_default();
        let name = target.to_string();
        let nearest = text::nearest(&name, callables.iter().map(|callable| callable.name.as_str())).map(str::to_owned);
        ChainFault::UnknownTarget { name: text::elide(&name, 80), nearest }
    }
}

/// A chain's steps, by what they do.
#[derive(Default)]
struct Steps {
    retrieves: Vec<RetrieveStep>,
    prompt: Option<PromptStep>,
    model: Option<ModelStep>,
    quote: Option<QuoteStep>,
}

impl Steps {
    fn of(chain: &ChainSpec) -> Self {
        let mut steps = Self::default();
        for step in &chain.steps {
            match step.kind() {
                Some(StepKind::Retrieve(step)) => steps.retrieves.push(step.clone()),
                Some(StepKind::Prompt(step)) => steps.prompt = Some(step.clone()),
                Some(StepKind::Model(step)) => steps.model = Some(step.clone()),
                Some(StepKind::Quote(step)) => steps.quote = Some(step.clone()),
                None => {}
            }
        }
        steps
    }
}

/// Everything this actor can name as `model`.
pub(crate) async fn callables(actor: &Actor, registry: &Registry, models: &Models) -> Result<Vec<Callable>, ChainFault> {
    let mut all = Vec::new();
    for kind in [AssetKind::App, AssetKind::Prompt] {
        let mut page = PageRequest::first(LIMIT_MAX);
        loop {
            let found = registry.list(actor, Some(kind), &page).await?;
            all.extend(found.items.into_iter().map(|asset| Callable { kind, name: asset.name.to_string() }));
            match found.next {
                Some(next) => {
                    page = PageRequest::new(Some(LIMIT_MAX), Some(next)).unwrap_or_else(|_| PageRequest::first(LIMIT_MAX))
                }
                None => break,
            }
        }
    }
    all.extend(models.chat_names().map(|name| Callable { kind: AssetKind::Model, name: name.to_owned() }));
    Ok(all)
}

/// Versions that ask together.
fn joined(versions: &[VersionUsed]) -> String {
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn used(version: &Version) -> VersionUsed {
    let pin = &version.pin;
    VersionUsed { kind: pin.kind, name: pin.name.to_string(), number: pin.number, digest: pin.digest.to_string() }
}

fn model_used(model: &dyn ChatModel) -> VersionUsed {
    VersionUsed { kind: AssetKind::Model, name: model.name().to_owned(), number: 0, digest: model.identity() }
}
