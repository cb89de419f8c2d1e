//! Knowledge: lists, documents, search.

use axum::{Json, extract::State};
use mainspring_kernel::{Actor, AssetKind, AssetRef, Digest, FaultKind, Labels, Name, PageRequest, Role, Selector};
use mainspring_knowledge::{DocumentFilter, DocumentId, Stats, spec::SourceSpec};
use mainspring_llm::{RetrieveRequest, SearchMode, TablePin};
use mainspring_registry::Version;
use mainspring_web_kit::{Answer, Body, Caller, Paging, Path, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;
use serde_json::Value;

use crate::{Rest, assets::name, convert};

pub(crate) fn latest(name: Name) -> AssetRef {
    AssetRef { name, selector: Selector::Latest }
}

fn invalid(detail: impl std::fmt::Display) -> Problem {
    Problem::new(FaultKind::Invalid, "query-invalid", detail.to_string())
}

pub(crate) async fn summaries(rest: &Rest, actor: &Actor, page: &PageRequest) -> Answer<wire::Page<wire::KnowledgeSummary>> {
    let assets = rest.registry.list(actor, Some(AssetKind::Knowledge), page).await?;
    let mut items = Vec::with_capacity(assets.items.len());
    for asset in assets.items {
        let stats = rest.knowledge.stats(actor, &asset.name).await?;
        items.push(summary((asset.name.to_string(), asset.latest, asset.digest.to_string(), asset.description), stats));
    }
    Ok(wire::Page { items, next: assets.next })
}

fn summary((name, version, digest, description): (String, u32, String, Option<String>), stats: Stats) -> wire::KnowledgeSummary {
    let state = match (&stats.running, stats.version.is_some()) {
        (Some(_), _) => "ingesting",
        (None, true) => "ready",
        (None, false) => "empty",
    };
    wire::KnowledgeSummary {
        name,
        description,
        version,
        digest,
        embedder: stats.embedder,
        documents: stats.documents,
        failed: stats.failed,
        chunks: stats.chunks,
        tokens: Some(stats.tokens),
        fresh_at: stats.synced.map(|at| at.to_string()),
        state: Some(state.to_owned()),
        last_run: stats.last_run.map(convert::run),
    }
}

/// Lists knowledge with its counts and freshness.
#[utoipa::path(get, path = "/api/v1/knowledge", tag = "knowledge", operation_id = "list_knowledge",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)), responses((status = 200, body = wire::Page<wire::KnowledgeSummary>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::KnowledgeSummary>>> {
    let actor = caller.needs(Role::Reader)?;
    Ok(Json(summaries(&rest, actor, &page).await?))
}

/// Shows one knowledge: sources, settings, the table that is searched.
#[utoipa::path(get, path = "/api/v1/knowledge/{name}", tag = "knowledge", operation_id = "get_knowledge",
    params(("name" = String, Path)), responses((status = 200, body = wire::KnowledgeDetail)))]
pub(crate) async fn show(
    State(rest): State<Rest>,
    caller: Caller,
    Path(given): Path<String>,
) -> Answer<Json<wire::KnowledgeDetail>> {
    let actor = caller.needs(Role::Reader)?;
    let name = name(&given)?;
    let (version, spec) = rest.knowledge.spec(actor, &latest(name.clone())).await?;
    let stats = rest.knowledge.stats(actor, &name).await?;
    let shown = spec.sources.iter().filter(|source| may_see(actor, source, &stats));
    let sources = shown.map(|source| source_view(source, &stats)).collect();
    let table = stats.version.as_ref().map(|version| wire::TablePin {
        table: version.table.to_string(),
        version: version.version.number,
        transaction: version.version.transaction.clone(),
    });
    let Version { pin, description, .. } = version;
    Ok(Json(wire::KnowledgeDetail {
        sources,
        chunking: serde_json::to_value(&spec.chunking).ok(),
        retrieval: serde_json::to_value(&spec.retrieval).ok(),
        table,
        unindexed_rows: stats.unindexed_rows,
        schedule: spec.schedule.map(|schedule| schedule.every.to_string()),
        watch: spec.watch,
        summary: summary((pin.name.to_string(), pin.number, pin.digest.to_string(), description), stats),
    }))
}

/// A source whose every document is hidden is not shown either. Where none of its documents can be seen, it is
/// shown only if every label set it gives out can be: then it has none.
fn may_see(actor: &Actor, source: &SourceSpec, stats: &Stats) -> bool {
    let key = source.key();
    actor.labels == Labels::All
        || stats.sources.iter().any(|counts| counts.key == key)
        || source.label_sets().all(|labels| actor.labels.may_see(labels))
}

fn source_view(source: &SourceSpec, stats: &Stats) -> wire::SourceView {
    let value = serde_json::to_value(source).unwrap_or_default();
    let kind = value["type"].as_str().unwrap_or("source").to_owned();
    let list = |field: &str| -> Vec<String> {
        value[field].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let text = |field: &str| value[field].as_str().map(str::to_owned);
    let s3 = || text("bucket").map(|bucket| format!("s3://{bucket}/{}", text("prefix").unwrap_or_default()));
    let first = || list("urls").into_iter().chain(list("paths")).next();
    let location =
        text("path").or_else(|| text("url")).or_else(s3).or_else(first).or_else(|| text("sitemap")).unwrap_or_default();
    let key = source.key();
    let counts = stats.sources.iter().find(|counts| counts.key == key);
    wire::SourceView {
        name: Some(key.to_string()),
        kind,
        location,
        include: list("include"),
        exclude: list("exclude"),
        labels: list("labels"),
        documents: counts.map(|counts| counts.documents),
        failed: counts.map(|counts| counts.failed),
        synced_at: counts.and_then(|counts| counts.newest).map(|at| at.to_string()),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct DocumentsQuery {
    status: Option<String>,
    source: Option<String>,
    q: Option<String>,
}

/// Lists documents the caller may see.
#[utoipa::path(get, path = "/api/v1/knowledge/{name}/documents", tag = "knowledge", operation_id = "list_documents",
    params(("name" = String, Path), ("status" = Option<String>, Query), ("source" = Option<String>, Query), ("q" = Option<String>, Query),
        ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::DocumentView>)))]
pub(crate) async fn documents(
    State(rest): State<Rest>,
    caller: Caller,
    Path(given): Path<String>,
    Query(query): Query<DocumentsQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::DocumentView>>> {
    let actor = caller.needs(Role::Reader)?;
    let full = |text: Option<String>| text.filter(|text| !text.is_empty());
    let status = full(query.status).map(|status| status.parse()).transpose().map_err(invalid)?;
    let filter = DocumentFilter { status, source: full(query.source), text: full(query.q) };
    let found = rest.knowledge.documents(actor, &name(&given)?, &filter, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(convert::document).collect(), next: found.next }))
}

fn document_id(text: &str) -> Answer<DocumentId> {
    text.parse::<DocumentId>().map_err(invalid)
}

/// Shows one document.
#[utoipa::path(get, path = "/api/v1/knowledge/{name}/documents/{id}", tag = "knowledge", operation_id = "get_document",
    params(("name" = String, Path), ("id" = String, Path)), responses((status = 200, body = wire::DocumentView)))]
pub(crate) async fn document(
    State(rest): State<Rest>,
    caller: Caller,
    Path((given, id)): Path<(String, String)>,
) -> Answer<Json<wire::DocumentView>> {
    let actor = caller.needs(Role::Reader)?;
    Ok(Json(convert::document(rest.knowledge.document(actor, &name(&given)?, &document_id(&id)?).await?)))
}

#[derive(Debug, Deserialize)]
pub(crate) struct TextQuery {
    digest: Option<String>,
}

/// A document's parsed text with its structure and its links; offsets everywhere count in it. With `digest`, the text a passage was cut
/// from: a passage's `document_digest` names it, also after the document changed.
#[utoipa::path(get, path = "/api/v1/knowledge/{name}/documents/{id}/text", tag = "knowledge", operation_id = "get_document_text",
    params(("name" = String, Path), ("id" = String, Path), ("digest" = Option<String>, Query)),
    responses((status = 200, body = wire::DocumentText)))]
pub(crate) async fn document_text(
    State(rest): State<Rest>,
    caller: Caller,
    Path((given, id)): Path<(String, String)>,
    Query(query): Query<TextQuery>,
) -> Answer<Json<wire::DocumentText>> {
    let actor = caller.needs(Role::Reader)?;
    let (name, id) = (name(&given)?, document_id(&id)?);
    let found = match query.digest.filter(|digest| !digest.is_empty()) {
        Some(digest) => {
            let digest: Digest = digest.parse().map_err(invalid)?;
            rest.knowledge.document_text_of(actor, &name, &id, &digest).await?
        }
        None => rest.knowledge.document_text(actor, &name, &id).await?,
    };
    let parsed = found.parsed.parsed();
    let blocks = parsed.blocks.iter().map(|block| {
        let value = serde_json::to_value(&block.kind).unwrap_or_default();
        wire::BlockView {
            kind: block.kind.as_str().to_owned(),
            start: block.start as u64,
            end: block.end as u64,
            level: value["level"].as_u64().and_then(|level| u8::try_from(level).ok()),
            page: block.page,
            language: value["language"].as_str().map(str::to_owned),
        }
    });
    let links = parsed.links.iter().map(|link| wire::LinkView {
        text: link.text.clone(),
        target: link.target.clone(),
        start: link.place.map(|(start, _)| start as u64),
        end: link.place.map(|(_, end)| end as u64),
    });
    Ok(Json(wire::DocumentText {
        text: parsed.text.clone(),
        digest: found.parsed.digest().to_string(),
        current: found.current,
        blocks: blocks.collect(),
        links: links.collect(),
    }))
}

/// A document's chunks, in the order of its text.
#[utoipa::path(get, path = "/api/v1/knowledge/{name}/documents/{id}/chunks", tag = "knowledge", operation_id = "list_chunks",
    params(("name" = String, Path), ("id" = String, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::ChunkView>)))]
pub(crate) async fn document_chunks(
    State(rest): State<Rest>,
    caller: Caller,
    Path((given, id)): Path<(String, String)>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::ChunkView>>> {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.knowledge.chunks(actor, &name(&given)?, &document_id(&id)?, &page).await?;
    let chunk = |chunk: mainspring_knowledge::Chunk| wire::ChunkView {
        id: chunk.id,
        ordinal: chunk.ordinal,
        start: chunk.start,
        end: chunk.end,
        tokens: chunk.tokens,
        heading_path: chunk.heading_path,
        page: chunk.page,
        header: Some(chunk.header).filter(|header| !header.is_empty()),
    };
    Ok(Json(wire::Page { items: found.items.into_iter().map(chunk).collect(), next: found.next }))
}

/// Searches, and says why each passage ranked where it did.
#[utoipa::path(post, path = "/api/v1/knowledge/{name}/search", tag = "knowledge", operation_id = "search_knowledge",
    params(("name" = String, Path)), request_body = wire::SearchRequest, responses((status = 200, body = wire::Retrieved)))]
pub(crate) async fn search(
    State(rest): State<Rest>,
    caller: Caller,
    Path(given): Path<String>,
    Body(body): Body<wire::SearchRequest>,
) -> Answer<Json<wire::Retrieved>> {
    answer_search(&rest, &caller, &given, body).await
}

/// A search as an address: `?query=…&mode=…&metadata.lang=en`, for a browser, `curl` and links.
fn by_address(pairs: Vec<(String, String)>) -> Answer<wire::SearchRequest> {
    fn number<T: std::str::FromStr<Err: std::fmt::Display>>(key: &str, value: &str) -> Answer<Option<T>> {
        value.parse().map(Some).map_err(|fault| invalid(format!("`{key}`: {fault}")))
    }
    let mut asked = wire::SearchRequest {
        query: String::new(),
        mode: None,
        limit: None,
        rerank: None,
        metadata: None,
        documents: None,
        token_budget: None,
        at: None,
    };
    for (key, value) in pairs {
        match key.as_str() {
            "query" => asked.query = value,
            "mode" => asked.mode = Some(value),
            "limit" => asked.limit = number(&key, &value)?,
            "rerank" => asked.rerank = number(&key, &value)?,
            "token_budget" => asked.token_budget = number(&key, &value)?,
            _ => match key.strip_prefix("metadata.") {
                Some(field) => asked.metadata.get_or_insert_default().entry(field.to_owned()).or_default().push(value),
                None => {
                    let known = "query, mode, limit, rerank, token_budget and metadata.KEY";
                    return Err(invalid(format!("`{}` is none of {known}", mainspring_kernel::text::elide(&key, 40))));
                }
            },
        }
    }
    Ok(asked)
}

/// Searches by address; the same answer as by `POST`, which also takes table versions. `metadata.KEY=VALUE` narrows
/// by metadata; several values of one key mean any of them.
#[utoipa::path(get, path = "/api/v1/knowledge/{name}/search", tag = "knowledge", operation_id = "search_knowledge_by_address",
    params(("name" = String, Path), ("query" = String, Query), ("mode" = Option<String>, Query), ("limit" = Option<usize>, Query),
        ("rerank" = Option<bool>, Query), ("token_budget" = Option<usize>, Query)),
    responses((status = 200, body = wire::Retrieved)))]
pub(crate) async fn search_by_address(
    State(rest): State<Rest>,
    caller: Caller,
    Path(given): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Answer<Json<wire::Retrieved>> {
    answer_search(&rest, &caller, &given, by_address(pairs)?).await
}

async fn answer_search(rest: &Rest, caller: &Caller, given: &str, body: wire::SearchRequest) -> Answer<Json<wire::Retrieved>> {
    let actor = caller.needs(Role::Reader)?;
    let target: AssetRef = given.parse().map_err(|fault: mainspring_kernel::name::RefFault| invalid(fault))?;
    let mode = match body.mode.as_deref() {
        None => None,
        Some("hybrid") => Some(SearchMode::Hybrid),
        Some("vector") => Some(SearchMode::Vector),
        Some("text") => Some(SearchMode::Text),
        Some(other) => {
            return Err(invalid(format!(
                "unknown mode `{}`: one of hybrid, vector, text",
                mainspring_kernel::text::elide(other, 40)
            )));
        }
    };
    let at = body
        .at
        .map(|pin| Ok::<_, Problem>(TablePin { table: name(&pin.table)?, version: pin.version, transaction: pin.transaction }))
        .transpose()?;
    let request = RetrieveRequest {
        query: body.query,
        mode,
        limit: body.limit,
        rerank: body.rerank,
        metadata: body.metadata.unwrap_or_default(),
        documents: body.documents.unwrap_or_default(),
        token_budget: body.token_budget,
        at,
    };
    let answer = rest.knowledge.search(actor, &target, request, &rest.trace(actor), rest.budget()).await?;
    Ok(Json(convert::answer(answer)))
}
