//! What this process does itself: the answers of its own models, and counting for those who do not count.

use http::HeaderMap;
use mainspring_llm::{
    Budget, ModelFault, Provenance, TokenUsage,
    exchange::{Answer, Dialect},
    trace::names,
};
use mainspring_providers::ProviderKind;
use tokio::time::{Instant, timeout_at};

use crate::{
    asked::Asked,
    attempt::Attempt,
    begin::{Beginning, Flow, Reach},
    fault::GatewayFault,
    flow::{Source, Translating},
    local, reckon,
    service::{Body, Reading},
    trace, translate,
};

impl Reach {
    /// Counts tokens for providers that do not.
    pub(crate) async fn count(&self, asked: &Asked, index: usize) -> Result<Beginning, GatewayFault> {
        let target = &asked.route.targets[index];
        let name = target.model(&asked.named);
        let (tokens, input_from) = match (asked.reading()?, target.provider.kind()) {
            (Reading::Chat(call), ProviderKind::Local) => {
                let (request, _) = local::request(call, name)?;
                (self.models.chat(name)?.count_tokens(&request.messages).await? as u64, Provenance::Counted)
            }
            (Reading::Chat(call), _) => (reckon::call(call), Provenance::Estimated),
            _ => (asked.size.about(), Provenance::Estimated),
        };
        Ok((Flow::Ready(Body::Answer(Box::new(counted(name, tokens, input_from)))), Vec::new(), HeaderMap::new()))
    }

    /// Asks a model of this process.
    pub(crate) async fn begin_local(
        &self,
        asked: &Asked,
        index: usize,
        (attempt, until): (&mut Attempt, Instant),
    ) -> Result<Beginning, GatewayFault> {
        let target = &asked.route.targets[index];
        let name = target.model(&asked.named);
        let budget = Budget::of(until.saturating_duration_since(Instant::now()));
        let prompt = match asked.reading()? {
            Reading::Text { prompt, .. } => Some(prompt.clone()),
            _ => None,
        };
        let (flow, lost) = match asked.reading()? {
            Reading::Chat(call) | Reading::Text { call, .. } => {
                let model = self.models.chat(name)?;
                let (call, mut lost) = translate::with_parameters(call, &target.spec.parameters);
                let (request, more) = local::request(&call, name)?;
                lost.extend(more);
                attempt.sends();
                let id = asked.answer_id();
                let events = local::chat(model, (prompt, request), (id.clone(), call.n), budget);
                let mut translating = Translating::of(Source::Local(events), id);
                let first_by = until.min(Instant::now() + asked.begins_within());
                let late = |_| Err(ModelFault::Timeout { model: name.to_owned() }.into());
                timeout_at(first_by, translating.begin(attempt)).await.unwrap_or_else(late)?;
                attempt.is_answered();
                if asked.request.peeked.stream {
                    attempt.begins();
                }
                (Flow::Translating(Box::new(translating)), lost)
            }
            Reading::Embed(call) => {
                let (call, lost) = translate::embedding_with(call, &target.spec.parameters);
                attempt.sends();
                let answer = local::embed(&self.models, name, &call, budget).await?;
                let (inputs, dimensions) = (answer.vectors.len(), answer.vectors.first().map_or(0, Vec::len));
                attempt.mark(|span| {
                    span.set(trace::INPUTS, inputs);
                    span.set(names::EMBED_DIMENSIONS, dimensions);
                });
                (Flow::Ready(Body::Embedded(answer)), lost)
            }
            Reading::Rerank(call) => {
                attempt.sends();
                let answer = local::rerank(&self.models, name, call, budget).await?;
                (Flow::Ready(Body::Reranked(answer)), translate::not_said(&target.spec.parameters))
            }
            Reading::Opaque => {
                let what = asked.request.operation.as_str().to_owned();
                return Err(ModelFault::Unsupported { model: name.to_owned(), what }.into());
            }
        };
        Ok((flow, lost, HeaderMap::new()))
    }
}

/// What is told of a count: an answer that says nothing but its usage.
pub(crate) fn counted(model: &str, tokens: u64, input_from: Provenance) -> Answer {
    Answer {
        id: String::new(),
        model: model.to_owned(),
        choices: Vec::new(),
        usage: Some(TokenUsage { input: tokens, input_from, ..TokenUsage::default() }),
        service_tier: None,
        fingerprint: None,
        said_in: Dialect::Local,
        extra: serde_json::Map::new(),
    }
}
