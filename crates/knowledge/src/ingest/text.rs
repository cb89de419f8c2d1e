//! Between bytes and chunks: parsing in the pool, keeping the parsed text as a blob, cutting it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use mainspring_blobs::BlobFault;
use mainspring_kernel::{Digest, Fault, FaultKind};
use mainspring_llm::TextTokenizer;
use mainspring_parsers::{ParseFault, ParseRequest, ParseWarning, ParsedDocument, ParserPool, WarningKind};

use crate::{
    chunk::{self, Chunk, ChunkSpec},
    fault::KnowledgeFault,
    kept,
    model::{Document, DocumentId, NO_TEXT, Reason},
    service::Inner,
    source::Listed,
    spec,
    table::{self, ChunkRow},
};

/// Turns foreign bytes into text. The pool of child processes is the real one; tests bring a small one.
#[async_trait]
pub trait Parse: Send + Sync + std::fmt::Debug + 'static {
    /// `file_name` only hints at the format; it never becomes a path.
    async fn parse(&self, bytes: Bytes, media_type: Option<String>, file_name: String) -> Result<ParsedDocument, Box<dyn Fault>>;
}

#[async_trait]
impl Parse for ParserPool {
    async fn parse(&self, bytes: Bytes, media_type: Option<String>, file_name: String) -> Result<ParsedDocument, Box<dyn Fault>> {
        let request = ParseRequest { bytes, file_name, media_type };
        Self::parse(self, request).await.map_err(|fault: ParseFault| Box::new(fault) as Box<dyn Fault>)
    }
}

/// A document's text with its structure, and the blob that holds it.
#[derive(Debug, Clone)]
pub struct ParsedText {
    digest: Digest,
    parsed: Arc<ParsedDocument>,
}

impl ParsedText {
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }
    #[must_use]
    pub fn text(&self) -> &str {
        &self.parsed.text
    }
    #[must_use]
    pub fn parsed(&self) -> &ParsedDocument {
        &self.parsed
    }
    /// Whether today's parsers made it.
    pub(super) fn is_current(&self) -> bool {
        self.parsed.made_by.is_current()
    }
    pub(super) fn title(&self) -> Option<&str> {
        Some(self.parsed.title.trim()).filter(|title| !title.is_empty())
    }
    pub(super) fn media_type(&self) -> &str {
        &self.parsed.media_type
    }
    pub(super) fn pages(&self) -> Option<u32> {
        self.parsed.pages
    }
    /// What the document says of itself (front matter, mail headers), as far as filters can use it.
    pub(super) fn own_metadata(&self) -> impl Iterator<Item = (&String, &String)> {
        let usable = |key: &str, value: &str| {
            spec::key_is_sound(key)
                && !spec::RESERVED_KEYS.contains(&key)
                && value.len() <= spec::VALUE_BYTES
                && !value.contains('\0')
        };
        self.parsed.metadata.iter().filter(move |(key, value)| usable(key, value)).take(OWN_KEYS)
    }
    /// What its parser warned of, as far as anybody reads on: of each kind the first, and how many more there are.
    pub(super) fn warnings(&self) -> Vec<Reason> {
        let of = |kind: WarningKind, detail: String| Reason { code: kind.code().into(), detail };
        let mut counts: BTreeMap<WarningKind, usize> = BTreeMap::new();
        let mut warnings = Vec::new();
        for ParseWarning { kind, detail } in &self.parsed.warnings {
            let count = counts.entry(*kind).or_default();
            *count += 1;
            if *count <= WARNINGS {
                warnings.push(of(*kind, mainspring_kernel::text::elide(detail, WARNING_CHARS)));
            }
        }
        let more = counts.into_iter().filter(|(_, count)| *count > WARNINGS);
        warnings.extend(more.map(|(kind, count)| of(kind, format!("and {} more like these", count - WARNINGS))));
        warnings
    }
    /// Why nothing in it can be searched, where that is so.
    pub(super) fn lacks_text(&self, bytes: u64) -> Option<Reason> {
        if !self.parsed.text.trim().is_empty() {
            return None;
        }
        let detail = match (bytes, self.parsed.warnings.first()) {
            (0, _) => "the file is empty".to_owned(),
            (_, Some(why)) => format!("it holds no text: {}", mainspring_kernel::text::elide(&why.detail, WARNING_CHARS)),
            (_, None) => "it holds no text".to_owned(),
        };
        Some(Reason { code: NO_TEXT.into(), detail })
    }
}

/// Of one kind.
const WARNINGS: usize = 20;
const WARNING_CHARS: usize = 400;

pub(super) enum ParseFailed {
    /// The document is bad; the others go on.
    Document(Reason),
    /// It is of a kind that holds no text for us: pictures, programs.
    Skipped(Reason),
    Fatal(KnowledgeFault),
}

/// Parses in a child process and keeps the result as a blob.
pub(super) async fn parse(
    inner: &Inner,
    listed: &Listed,
    media_type: Option<String>,
    bytes: Bytes,
) -> Result<ParsedText, ParseFailed> {
    let file_name = listed.path.rsplit('/').next().unwrap_or(&listed.path).to_owned();
    let parsed = inner.parsers.parse(bytes, media_type, file_name).await.map_err(|fault| {
        let reason = Reason { code: fault.code().to_owned(), detail: fault.to_string() };
        match fault.kind() {
            FaultKind::Unsupported => ParseFailed::Skipped(reason),
            // No child can be started: no other document would fare better.
            FaultKind::Unavailable => ParseFailed::Fatal(KnowledgeFault::Worker { reason: reason.detail }),
            _ => ParseFailed::Document(reason),
        }
    })?;
    keep(inner, &listed.id, parsed).await.map_err(ParseFailed::Fatal)
}

async fn keep(inner: &Inner, document: &DocumentId, parsed: ParsedDocument) -> Result<ParsedText, KnowledgeFault> {
    let encode = tokio::task::spawn_blocking(move || serde_json::to_vec(&parsed).map(|bytes| (bytes, parsed)));
    let stopped = |reason: String| KnowledgeFault::Worker { reason };
    let (bytes, parsed) =
        encode.await.map_err(|fault| stopped(fault.to_string()))?.map_err(|fault| stopped(fault.to_string()))?;
    let digest = kept::put(inner, document, Bytes::from(bytes)).await?;
    Ok(ParsedText { digest, parsed: Arc::new(parsed) })
}

/// Reads a parsed text back; `None` when it is gone, damaged, or of a format from before.
pub(crate) async fn load(inner: &Inner, digest: &Digest) -> Result<Option<ParsedText>, KnowledgeFault> {
    let bytes = match inner.blobs.get(digest).await {
        Ok(bytes) => bytes,
        Err(BlobFault::Missing { .. } | BlobFault::Damaged { .. }) => return Ok(None),
        Err(fault) => return Err(fault.into()),
    };
    let decode = tokio::task::spawn_blocking(move || serde_json::from_slice::<ParsedDocument>(&bytes).ok());
    let parsed = decode.await.map_err(|fault| KnowledgeFault::Worker { reason: fault.to_string() })?;
    Ok(parsed.map(|parsed| ParsedText { digest: *digest, parsed: Arc::new(parsed) }))
}

/// More keys of its own than this a document is not asked for.
const OWN_KEYS: usize = 40;
/// A document with more chunks than this would hold up everything else; it is refused with a reason.
const CHUNKS: usize = 50_000;

/// Cuts a text into rows. Their ids name document, place, content and config, so writing them again changes nothing.
pub(super) fn cut(
    document: &Document,
    text: &ParsedText,
    (chunking, config): (&ChunkSpec, &Digest),
    tokenizer: &dyn TextTokenizer,
) -> Result<Vec<ChunkRow>, Reason> {
    let chunks = chunk::chunk(text.parsed(), chunking, tokenizer);
    if chunks.len() > CHUNKS {
        let detail = format!("it makes {} chunks; {CHUNKS} is the most one document may have", chunks.len());
        return Err(Reason { code: "knowledge-too-many-chunks".into(), detail });
    }
    let digest = text.digest().to_string();
    let row = |piece: Chunk| {
        let search_text = table::search_text(&piece.header, &text.parsed().spoken(piece.range()));
        let text_digest = table::text_digest(&search_text);
        let parent = piece.parent.clone().unwrap_or(piece.range());
        ChunkRow {
            id: chunk_id(document, config, piece.ordinal, &text_digest),
            document: document.id.to_string(),
            document_digest: digest.clone(),
            ordinal: piece.ordinal,
            text: text.text()[piece.range()].to_owned(),
            header: piece.header,
            table_head: piece.table_head,
            search_text,
            text_digest,
            start: piece.start as u64,
            end: piece.end as u64,
            parent_start: parent.start as u64,
            parent_end: parent.end as u64,
            page: piece.page,
            heading_path: piece.heading_path,
            kind: piece.kind.to_owned(),
            tokens: piece.tokens,
            title: document.title.clone(),
            uri: document.uri.clone(),
            media_type: document.media_type.clone(),
            labels: document.labels.clone(),
            metadata: document.metadata.clone(),
            source: document.source.clone(),
            updated: document.updated.as_micros(),
        }
    };
    Ok(chunks.into_iter().map(row).collect())
}

fn chunk_id(document: &Document, config: &Digest, ordinal: u32, text_digest: &str) -> String {
    let ordinal = ordinal.to_le_bytes();
    let parts: [&[u8]; 4] = [document.id.as_str().as_bytes(), config.as_bytes(), &ordinal, text_digest.as_bytes()];
    format!("chk_{}", &Digest::of_parts(parts).hex()[..32])
}
