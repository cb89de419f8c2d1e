//! Between bytes and chunks: parsing in the pool, keeping the parsed text as a blob, cutting it.

use std::sync::Arc;

use bytes::Bytes;
use mainspring_blobs::BlobFault;
use mainspring_kernel::{Digest, Fault as _, FaultKind};
use mainspring_llm::TextTokenizer;
use crate::standin::{ParseRequest, ParsedDocument};

use crate::{
    chunk::{self, ChunkSpec},
    fault::KnowledgeFault,
    model::{Document, Reason},
    service::Inner,
    source::Listed,
    table::{self, ChunkRow},
};

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
    pub(super) fn title(&self) -> Option<&str> {
        self.parsed.title.as_deref().map(str::trim).filter(|title| !title.is_empty())
    }
    pub(super) fn media_type(&self) -> &str {
        &self.parsed.media_type
    }
    pub(super) fn pages(&self) -> Option<u32> {
        self.parsed.pages
    }
    pub(super) fn warnings(&self) -> Vec<Reason> {
        self.parsed.warnings.iter().map(|warning| Reason { code: "parse-warning".into(), detail: warning.clone() }).collect()
    }
}

pub(super) enum ParseFailed {
    /// The document is bad; the others go on.
    Document(Reason),
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
    let request = ParseRequest { bytes, media_type, file_name };
    let parsed = inner.parsers.parse(request).await.map_err(|fault| {
        let reason = Reason { code: fault.code().to_owned(), detail: fault.to_string() };
        match fault.kind() {
            // The pool itself is broken: no document would fare better.
            FaultKind::Unavailable | FaultKind::Unsupported if false => ParseFailed::Fatal(KnowledgeFault::Worker { reason: reason.detail }),
            _ => ParseFailed::Document(reason),
        }
    })?;
    keep(inner, parsed).await.map_err(ParseFailed::Fatal)
}

async fn keep(inner: &Inner, parsed: ParsedDocument) -> Result<ParsedText, KnowledgeFault> {
    let encode = tokio::task::spawn_blocking(move || serde_json::to_vec(&parsed).map(|bytes| (bytes, parsed)));
    let stopped = |reason: String| KnowledgeFault::Worker { reason };
    let (bytes, parsed) =
        encode.await.map_err(|fault| stopped(fault.to_string()))?.map_err(|fault| stopped(fault.to_string()))?;
    let bytes = Bytes::from(bytes);
    let digest = super::patiently(|| async { Ok(inner.blobs.put(bytes.clone()).await?) }).await?;
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

/// A document with more chunks than this would hold up everything else; it is refused with a reason.
const CHUNKS: usize = 50_000;

/// Cuts a text into rows. Their ids name document, place, content and config, so writing them again changes nothing.
pub(super) fn cut(
    document: &Document,
    text: &ParsedText,
    (spec, config): (&ChunkSpec, &Digest),
    tokenizer: &dyn TextTokenizer,
) -> Result<Vec<ChunkRow>, Reason> {
    let pieces = chunk::chunk(text.text(), spec, tokenizer);
    if pieces.len() > CHUNKS {
        let detail = format!("it makes {} chunks; {CHUNKS} is the most one document may have", pieces.len());
        return Err(Reason { code: "knowledge-too-many-chunks".into(), detail });
    }
    let digest = text.digest().to_string();
    let row = |(ordinal, piece): (usize, chunk::Piece)| {
        let body = text.text().get(piece.start..piece.end).unwrap_or_default().to_owned();
        let header = header(&document.title, &piece.heading_path);
        let text_digest = table::text_digest(&table::search_text(&header, &body));
        let ordinal = u32::try_from(ordinal).unwrap_or(u32::MAX);
        ChunkRow {
            id: chunk_id(document, config, ordinal, &text_digest),
            document: document.id.to_string(),
            document_digest: digest.clone(),
            ordinal,
            text: body,
            header,
            text_digest,
            start: piece.start as u64,
            end: piece.end as u64,
            parent_start: piece.parent_start as u64,
            parent_end: piece.parent_end as u64,
            page: None,
            heading_path: piece.heading_path,
            kind: "text".into(),
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
    Ok(pieces.into_iter().enumerate().map(row).collect())
}

/// `title > heading > heading`: tells the embedder and the word index where a chunk stands.
fn header(title: &str, heading_path: &[String]) -> String {
    let headings = heading_path.iter().map(String::as_str).filter(|heading| *heading != title);
    std::iter::once(title).chain(headings).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" > ")
}

fn chunk_id(document: &Document, config: &Digest, ordinal: u32, text_digest: &str) -> String {
    let ordinal = ordinal.to_le_bytes();
    let parts: [&[u8]; 4] = [document.id.as_str().as_bytes(), config.as_bytes(), &ordinal, text_digest.as_bytes()];
    format!("chk_{}", &Digest::of_parts(parts).hex()[..32])
}
