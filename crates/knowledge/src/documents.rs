//! Looking at what a knowledge holds. Everything here is seen through the actor's labels: lists, counts, texts.

use std::collections::BTreeMap;

use mainspring_kernel::{Actor, Digest, Fault, Labels, Name, Page, PageRequest, Timestamp};
use mainspring_lake::{Filter, LakeFault, Order, Scan, TableStats};
use serde::Serialize;

use crate::{
    fault::KnowledgeFault,
    ingest::{self, ParsedText},
    model::{Document, DocumentId, DocumentStatus, IngestRun, KnowledgeKey, KnowledgeVersion, Reason},
    search::access,
    service::{Inner, bad_page},
    source::names,
    store::{self, ListFilter, State, TableRow, document, gone_document, held},
    table::{self, ChunkRow, Reader, columns},
};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentFilter {
    pub status: Option<DocumentStatus>,
    pub source: Option<String>,
    /// Part of path, title or address, letter case ignored.
    pub text: Option<String>,
}

/// Documents by a name that somebody gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Called {
    /// Those whose path or address it is, to the letter.
    pub exact: Vec<Document>,
    /// Where there are none: those whose path or address it was, before they went from their source or were moved.
    pub gone: Vec<DocumentId>,
    /// Where there are none of these either: some that may have been meant.
    pub near: Vec<Document>,
}

/// A document's text with its structure; offsets of chunks and passages count in it.
#[derive(Debug, Clone)]
pub struct DocumentText {
    pub document: Document,
    pub parsed: ParsedText,
    /// Whether this is what the document says now.
    pub current: bool,
}

/// A chunk of a document, in the order of the text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chunk {
    pub id: String,
    pub ordinal: u32,
    pub start: u64,
    pub end: u64,
    pub parent_start: u64,
    pub parent_end: u64,
    pub tokens: u32,
    pub heading_path: Vec<String>,
    pub page: Option<u32>,
    pub header: String,
    pub kind: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceStats {
    pub key: String,
    pub documents: u64,
    pub failed: u64,
    pub newest: Option<Timestamp>,
}

/// Numbers about a knowledge, of the documents the actor may see.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    pub documents: u64,
    pub failed: u64,
    pub skipped: u64,
    pub chunks: u64,
    pub tokens: u64,
    pub bytes: u64,
    /// When the last ingestion that succeeded ended.
    pub synced: Option<Timestamp>,
    /// The run under way, if one is.
    pub running: Option<String>,
    pub last_run: Option<IngestRun>,
    pub embedder: Option<String>,
    pub dimensions: Option<usize>,
    pub version: Option<KnowledgeVersion>,
    /// A table being built beside the one that is searched.
    pub building: Option<Name>,
    /// Rows no index knows yet; they are found all the same, only slower. Absent for those who do not see everything.
    pub unindexed_rows: Option<u64>,
    pub table_bytes: Option<u64>,
    pub sources: Vec<SourceStats>,
}

struct Place {
    key: KnowledgeKey,
    state: Option<State>,
}

impl Place {
    async fn of(inner: &Inner, actor: &Actor, name: &Name) -> Result<Self, KnowledgeFault> {
        let key = inner.existing(actor, name).await?;
        let state = held::find(&inner.catalog, &key).await?;
        Ok(Self { key, state })
    }

    fn table(&self) -> Option<&Name> {
        self.state.as_ref()?.active_table.as_ref()
    }
}

pub(crate) async fn list(
    inner: &Inner,
    actor: &Actor,
    name: &Name,
    filter: &DocumentFilter,
    page: &PageRequest,
) -> Result<Page<Document>, KnowledgeFault> {
    let place = Place::of(inner, actor, name).await?;
    let (mut path, mut id) = page.after::<(String, String)>().map_err(bad_page)?.unwrap_or_default();
    let text = filter.text.as_ref().map(|text| text.to_lowercase());
    let stored = ListFilter { status: filter.status, source: filter.source.clone() };
    let matches = |document: &Document| {
        let names = [&document.path, &document.title, &document.uri];
        actor.labels.may_see(&document.labels)
            && text.as_ref().is_none_or(|text| names.iter().any(|name| name.to_lowercase().contains(text)))
    };
    let mut found = Vec::new();
    // Hidden documents are passed over here, page after page, so that nothing shows they are there.
    while found.len() <= page.limit() {
        let some = document::page(&inner.catalog, &place.key, place.table(), &stored, (&path, &id)).await?;
        let Some(last) = some.last() else { break };
        (path, id) = (last.path.clone(), last.id.to_string());
        found.extend(some.into_iter().filter(matches));
    }
    found.truncate(page.limit() + 1);
    Ok(Page::from_overfetch(found, page, |document| (document.path.clone(), document.id.to_string())))
}

/// As many as help somebody who mistyped.
const NEAR: usize = 5;

pub(crate) async fn called(inner: &Inner, actor: &Actor, name: &Name, given: &str) -> Result<Called, KnowledgeFault> {
    let place = Place::of(inner, actor, name).await?;
    let mut called = Called::default();
    // Somebody who has the file before them may say where it lies.
    let address = url::Url::from_file_path(given).ok().map(String::from);
    for name in std::iter::once(given).chain(address.as_deref()) {
        let exact = document::called(&inner.catalog, &place.key, place.table(), name).await?;
        called.exact.extend(exact.into_iter().filter(|document| actor.labels.may_see(&document.labels)));
        let gone = gone_document::called(&inner.catalog, &place.key, name).await?;
        called.gone.extend(gone.into_iter().filter(|gone| actor.labels.may_see(&gone.labels)).map(|gone| gone.id));
    }
    called.gone.sort_unstable();
    called.gone.dedup();
    if !called.exact.is_empty() {
        called.gone.clear();
    }
    if called != Called::default() {
        return Ok(called);
    }
    // Part of a name, or a name with another folder before it or another ending.
    for part in [given, names::stem(given).as_str()] {
        if part.trim().is_empty() {
            continue;
        }
        let filter = DocumentFilter { text: Some(part.to_owned()), ..DocumentFilter::default() };
        let near = list(inner, actor, name, &filter, &PageRequest::first(NEAR)).await?.items;
        if !near.is_empty() {
            return Ok(Called { near, ..called });
        }
    }
    Ok(called)
}

/// A document the actor may not see does not exist for them.
async fn visible(inner: &Inner, actor: &Actor, place: &Place, id: &DocumentId) -> Result<Document, KnowledgeFault> {
    let found = document::get(&inner.catalog, &place.key, place.table(), id).await?;
    found
        .filter(|document| document.status != DocumentStatus::Forgotten && actor.labels.may_see(&document.labels))
        .ok_or_else(|| KnowledgeFault::DocumentNotFound { id: id.to_string() })
}

pub(crate) async fn get(inner: &Inner, actor: &Actor, name: &Name, id: &DocumentId) -> Result<Document, KnowledgeFault> {
    let place = Place::of(inner, actor, name).await?;
    visible(inner, actor, &place, id).await
}

pub(crate) async fn text(inner: &Inner, actor: &Actor, name: &Name, id: &DocumentId) -> Result<DocumentText, KnowledgeFault> {
    let document = get(inner, actor, name, id).await?;
    let gone = || KnowledgeFault::TextGone { id: id.to_string() };
    let digest = document.parsed.ok_or_else(|| never_read(&document).unwrap_or_else(gone))?;
    let parsed = ingest::load_text(inner, &digest).await?.ok_or_else(gone)?;
    Ok(DocumentText { document, parsed, current: true })
}

/// The text a passage was cut from, which may be one the document had before. Whoever may read the document now may read
/// it, by its digest alone: no list names it, so only those who were shown a passage of it can ask.
pub(crate) async fn text_of(
    inner: &Inner,
    actor: &Actor,
    name: &Name,
    id: &DocumentId,
    digest: &Digest,
) -> Result<DocumentText, KnowledgeFault> {
    let document = get(inner, actor, name, id).await?;
    let gone = || KnowledgeFault::TextGone { id: id.to_string() };
    let current = document.parsed == Some(*digest);
    // A digest of another document's text opens nothing here.
    if !current && !document::released_by(&inner.catalog, id).await?.contains(digest) {
        return Err(gone());
    }
    let parsed = ingest::load_text(inner, digest).await?.ok_or_else(gone)?;
    Ok(DocumentText { document, parsed, current })
}

/// Why a document never had a text, where that is so.
fn never_read(document: &Document) -> Option<KnowledgeFault> {
    let what = match document.status {
        DocumentStatus::Failed => "it could not be taken in",
        DocumentStatus::Skipped => "it was skipped",
        DocumentStatus::Ready | DocumentStatus::Forgotten => return None,
    };
    let why = match &document.reason {
        Some(Reason { code, detail }) => format!("{what}: {detail} ({code})"),
        None => what.to_owned(),
    };
    Some(KnowledgeFault::NoText { id: document.id.to_string(), why })
}

pub(crate) async fn chunks(
    inner: &Inner,
    actor: &Actor,
    name: &Name,
    id: &DocumentId,
    page: &PageRequest,
) -> Result<Page<Chunk>, KnowledgeFault> {
    let place = Place::of(inner, actor, name).await?;
    let document = visible(inner, actor, &place, id).await?;
    let Some(table) = place.table() else { return Ok(Page { items: Vec::new(), next: None }) };
    let table = inner.lake.open_existing(table).await?;
    let after = page.after::<i64>().map_err(bad_page)?.unwrap_or(-1);
    let filter = table::of_documents([&document.id])
        .and(access::labels_filter(&actor.labels))
        .and(Filter::Gt(columns::ORDINAL.to_owned(), after.into()));
    let scan = Scan::of(filter).columns(&columns::SHOWN).order(columns::ORDINAL, Order::Ascending).limit(page.limit() + 1);
    let mut found = Vec::new();
    for batch in table.scan(scan).await? {
        found.extend(Reader::new(&batch, table.name().as_str()).rows()?);
    }
    found.retain(|row| actor.labels.may_see(&row.labels));
    Ok(Page::from_overfetch(found, page, |row| i64::from(row.ordinal)).map(chunk))
}

fn chunk(row: ChunkRow) -> Chunk {
    let ChunkRow { id, ordinal, start, end, parent_start, parent_end, tokens, heading_path, page, header, kind, text, .. } = row;
    Chunk { id, ordinal, start, end, parent_start, parent_end, tokens, heading_path, page, header, kind, text }
}

pub(crate) async fn stats(inner: &Inner, actor: &Actor, name: &Name) -> Result<Stats, KnowledgeFault> {
    let place = Place::of(inner, actor, name).await?;
    let tables = held::tables(&inner.catalog, &place.key).await?;
    let active = tables.iter().find(|row| Some(&row.table) == place.table());
    let building = tables.iter().find(|row| row.state == crate::store::TableState::Building).map(|row| row.table.clone());
    let last_run = match store::run::latest(&inner.catalog, &place.key).await? {
        Some(run) => Some(crate::service::shown(inner, actor, run).await?),
        None => None,
    };
    let mut stats = Stats {
        documents: 0,
        failed: 0,
        skipped: 0,
        chunks: 0,
        tokens: 0,
        bytes: 0,
        synced: place.state.as_ref().and_then(|state| state.synced),
        running: place.state.as_ref().and_then(|state| state.held_by(inner.clock.now())).map(str::to_owned),
        last_run,
        embedder: active.map(|row| row.embedder.clone()),
        dimensions: active.map(|row| row.dimensions),
        version: active.zip(place.state.as_ref()).and_then(|(row, state)| version_of(row, state)),
        building,
        unindexed_rows: None,
        table_bytes: None,
        sources: Vec::new(),
    };
    count(&mut stats, document::audiences(&inner.catalog, &place.key, place.table()).await?, &actor.labels);
    // The engine counts rows of everybody's documents.
    if let Some(row) = active.filter(|_| actor.labels == Labels::All) {
        match engine_stats(inner, &row.table).await {
            Ok(table) => {
                stats.unindexed_rows = table.indexes.iter().map(|(_, _, outside)| *outside).max();
                stats.table_bytes = table.bytes;
            }
            // All else is known without the lake, and shown also while it is away.
            Err(fault) if fault.kind().is_transient() => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(stats)
}

async fn engine_stats(inner: &Inner, table: &Name) -> Result<TableStats, LakeFault> {
    inner.lake.open_existing(table).await?.stats().await
}

fn version_of(row: &TableRow, state: &State) -> Option<KnowledgeVersion> {
    Some(KnowledgeVersion { config: row.config, table: row.table.clone(), version: state.lake.clone()? })
}

fn count(stats: &mut Stats, audiences: Vec<crate::store::Audience>, labels: &Labels) {
    let mut sources: BTreeMap<String, SourceStats> = BTreeMap::new();
    for audience in audiences {
        if audience.status == DocumentStatus::Forgotten || !labels.may_see(&audience.labels) {
            continue;
        }
        let source = sources.entry(audience.source.clone()).or_insert_with(|| SourceStats {
            key: audience.source.clone(),
            documents: 0,
            failed: 0,
            newest: None,
        });
        if audience.status == DocumentStatus::Skipped {
            stats.skipped += audience.documents;
            continue;
        }
        source.documents += audience.documents;
        source.newest = source.newest.max(audience.newest);
        stats.documents += audience.documents;
        stats.bytes += audience.bytes;
        stats.chunks += audience.chunks;
        stats.tokens += audience.tokens;
        if audience.status == DocumentStatus::Failed {
            source.failed += audience.documents;
            stats.failed += audience.documents;
        }
    }
    stats.sources = sources.into_values().collect();
}
