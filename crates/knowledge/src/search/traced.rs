//! The spans of a search.

use mainspring_kernel::{AssetRef, Fault as _};
use mainspring_llm::{
    Budget, Embedder, ModelUsed, Passage, Reranker, Scored, SpanContext,
    embed::EmbedAs,
    retrieve::{documents_of, labels_to_read},
    trace::{OpenSpan, SpanKind, names},
};
use serde_json::json;

use super::{Answer, fuse::ranks_only};
use crate::fault::KnowledgeFault;

pub(super) fn begin(trace: &SpanContext, target: &AssetRef, query: &str) -> OpenSpan {
    let mut span = trace.start("retrieve", SpanKind::Internal);
    span.set(names::OPERATION, "retrieve");
    span.set(names::DATA_SOURCE, target.name.as_str());
    span.set(names::QUERY, query);
    span
}

pub(super) fn end(mut span: OpenSpan, answer: &Answer) {
    let found = &answer.retrieved;
    let knowledge = format!("knowledge/{}#{}", found.knowledge, found.knowledge_digest);
    let models = found.models.iter().map(ToString::to_string);
    span.set(names::VERSIONS, std::iter::once(knowledge).chain(models).collect::<Vec<_>>());
    span.set(names::LAKE_TABLE, found.pin.table.as_str());
    span.set(names::LAKE_VERSION, found.pin.version);
    span.set(names::LAKE_TRANSACTION, found.pin.transaction.as_str());
    // Others than who searched read it as well, and they may see less.
    let ranked = |passage: &Passage| Passage { scores: ranks_only(&passage.scores, found.mode), ..passage.clone() };
    span.set(names::HITS, json!(found.passages.iter().map(ranked).collect::<Vec<_>>()));
    span.set("mainspring.retrieval.mode", json!(found.mode));
    span.set("mainspring.retrieval.count", found.passages.len());
    span.set("mainspring.retrieval.reranked", found.reranked);
    if let Some(similarity) = found.best_similarity {
        span.set("mainspring.retrieval.best_similarity", f64::from(similarity));
    }
    // Whoever reads this span reads these passages: they need to hold what each of them asks for.
    span.set(names::DOCUMENTS, documents_of(&found.passages));
    span.set(names::LABELS, labels_to_read(&found.passages));
    span.finish();
}

fn version(name: &str, identity: String) -> Vec<String> {
    vec![ModelUsed { name: name.to_owned(), identity }.to_string()]
}

pub(super) async fn embed(
    embedder: &dyn Embedder,
    query: &str,
    trace: &SpanContext,
    budget: Budget,
) -> Result<Vec<f32>, KnowledgeFault> {
    let mut span = trace.start(format!("embeddings {}", embedder.name()), SpanKind::Internal);
    span.set(names::OPERATION, "embeddings");
    span.set(names::REQUEST_MODEL, embedder.name());
    span.set(names::VERSIONS, version(embedder.name(), embedder.identity()));
    span.set(names::EMBED_DIMENSIONS, embedder.dimensions());
    match embedder.embed(vec![query.to_owned()], EmbedAs::Query, budget).await {
        Ok(mut embedded) => {
            span.set(names::INPUT_TOKENS, embedded.tokens);
            span.finish();
            let none = || KnowledgeFault::Worker { reason: "the embedder gave no vector".into() };
            embedded.vectors.pop().ok_or_else(none)
        }
        Err(fault) => {
            span.fail(fault.code(), fault.to_string());
            Err(fault.into())
        }
    }
}

pub(super) async fn rerank(
    reranker: &dyn Reranker,
    query: &str,
    passages: Vec<String>,
    trace: &SpanContext,
    budget: Budget,
) -> Result<Vec<Scored>, KnowledgeFault> {
    let mut span = trace.start(format!("rerank {}", reranker.name()), SpanKind::Internal);
    span.set(names::OPERATION, "rerank");
    span.set(names::REQUEST_MODEL, reranker.name());
    span.set(names::VERSIONS, version(reranker.name(), reranker.identity()));
    span.set("mainspring.rerank.candidates", passages.len());
    match reranker.rerank(query, passages, budget).await {
        Ok(scored) => {
            span.finish();
            Ok(scored)
        }
        Err(fault) => {
            span.fail(fault.code(), fault.to_string());
            Err(fault.into())
        }
    }
}
