//! The first stage: fetches what may have changed, parses what did, and cuts it into chunks.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use mainspring_kernel::{Digest, Fault as _};
use mainspring_llm::Embedder;
use tokio::sync::{OnceCell, mpsc};

use super::{
    allowance::Held,
    meter::Meter,
    patience::{patiently, until_here},
    pipeline::{Gain, Item, Prepared},
    plan::{MAY_PASS, Work, row_key},
    text::{self, ParsedText},
};
use crate::{
    chunk::ChunkSpec,
    fault::KnowledgeFault,
    kept,
    model::{Document, DocumentId, DocumentStatus, Failure, KnowledgeKey, Origin, Reason, Warning},
    service::Inner,
    source::{Content, Fetched, Listed, Source, names},
    store::{
        Known,
        document::{self, Change},
    },
};

pub(super) struct Prepare {
    pub inner: Arc<Inner>,
    pub key: KnowledgeKey,
    pub sources: HashMap<Arc<str>, Arc<Source>>,
    pub config: Digest,
    pub chunking: ChunkSpec,
    pub embedder: Arc<dyn Embedder>,
    /// Set when the embedder is loaded: a run in which no text is cut does without it.
    pub loaded: OnceCell<()>,
    pub full: bool,
    pub meter: Meter,
    pub findings: Arc<Findings>,
    /// Documents that are gone, by their content: a new one with the same content was moved.
    pub gone: Mutex<HashMap<Digest, u64>>,
}

/// What is known of bytes that gave no text.
struct Seen {
    digest: Digest,
    bytes: u64,
    media_type: Option<String>,
    origin: Option<Origin>,
}

/// Where a text that is to be written came from.
struct Came {
    digest: Digest,
    fingerprint: Option<String>,
    bytes: u64,
    /// `None`: from what was kept.
    origin: Option<Origin>,
    gain: Gain,
}

impl Seen {
    fn of(digest: Digest, bytes: &Bytes, listed: &Listed, (said, origin): (Option<&str>, &Origin)) -> Self {
        let media_type = mainspring_parsers::likely_media_type(Some(bytes), &listed.path, said);
        Self { digest, bytes: bytes.len() as u64, media_type, origin: Some(origin.clone()) }
    }
}

/// What the report will say by name.
#[derive(Debug, Default)]
pub(super) struct Findings {
    inner: Mutex<Found>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Found {
    pub failures: Vec<Failure>,
    pub unlisted: u64,
    pub warnings: Vec<Warning>,
    pub warnings_left_out: u64,
    pub added: u64,
    pub changed: u64,
    pub same: u64,
    pub skipped: u64,
    /// How many documents each source did not give.
    pub not_had: HashMap<String, usize>,
}

/// More names than this help nobody, and would grow without bound.
const NAMED: usize = 10_000;
/// Each document keeps its own as well.
const WARNED: usize = 200;

impl Findings {
    pub(super) fn change(&self, change: impl FnOnce(&mut Found)) {
        change(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn failed(&self, failure: Failure) {
        self.change(|found| {
            if failure.was_not_had() {
                *found.not_had.entry(failure.source.clone()).or_default() += 1;
            }
            if found.failures.len() < NAMED { found.failures.push(failure) } else { found.unlisted += 1 }
        });
    }

    pub(super) fn warned(&self, warning: Warning) {
        self.change(
            |found| {
                if found.warnings.len() < WARNED { found.warnings.push(warning) } else { found.warnings_left_out += 1 }
            },
        );
    }

    pub(super) fn take(&self) -> Found {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Prepare {
    pub(super) async fn run(self, work: Vec<Work>, output: mpsc::Sender<Item>) -> Result<(), KnowledgeFault> {
        let at_once = self.inner.config.parse_at_once.max(1);
        let this = &self;
        let mut items = stream::iter(work).map(|work| this.item(work)).buffer_unordered(at_once);
        while let Some(item) = items.next().await {
            if let Some(item) = item? {
                let ended = |_| KnowledgeFault::Worker { reason: "the embedding stage ended early".into() };
                output.send(item).await.map_err(ended)?;
            }
        }
        Ok(())
    }

    async fn item(&self, work: Work) -> Result<Option<Item>, KnowledgeFault> {
        let mut held = self.inner.allowance.take(work.listed().size).await;
        let path = work.listed().path.clone();
        self.meter.count(|progress| progress.current = Some(path));
        let mut item = match work {
            Work::Rewrite { listed, known, parsed } => {
                let fingerprint = listed.fingerprint.clone();
                self.rewrite(&listed, Some(&known), parsed, fingerprint).await
            }
            Work::Fetch { listed, known } => self.fetch(listed, known.as_deref(), &mut held).await,
        }?;
        if let Some(Item::Rows(prepared)) = &mut item {
            held.shrink(prepared.bytes());
            prepared.held = Some(held);
        }
        Ok(item)
    }

    async fn fetch(&self, listed: Listed, known: Option<&Known>, held: &mut Held) -> Result<Option<Item>, KnowledgeFault> {
        let Some(source) = self.sources.get(&listed.source) else { return Ok(None) };
        // An answer "nothing changed" is of use only to somebody who has the text.
        let has = known.filter(|known| known.parsed.is_some() && !self.full);
        let fingerprint = has.and_then(|known| known.fingerprint.as_deref());
        match source.fetch(&listed, fingerprint, self.inner.clock.now()).await {
            Ok(Fetched::Same) => {
                self.same(&listed, has, (listed.fingerprint.clone().or_else(|| fingerprint.map(str::to_owned)), None)).await
            }
            Ok(Fetched::Content(content)) => {
                // It may have grown since it was listed, or be the first that tells.
                held.change(content.bytes.len() as u64).await;
                self.content(listed, known, content).await
            }
            Err(fault) => {
                let reason = Reason { code: fault.code().to_owned(), detail: fault.to_string() };
                if let Some(known) = known.filter(|known| known.status == DocumentStatus::Ready && fault.is_transient()) {
                    return self.stale(listed, known, reason).await;
                }
                // Only what stays wrong until the document changes is remembered with its fingerprint.
                let fingerprint = if fault.is_transient() { None } else { listed.fingerprint.clone() };
                Ok(Some(self.failed(&listed, None, reason, fingerprint)))
            }
        }
    }

    async fn content(&self, listed: Listed, known: Option<&Known>, content: Content) -> Result<Option<Item>, KnowledgeFault> {
        let Content { bytes, media_type, fingerprint, origin } = content;
        let fingerprint = fingerprint.or_else(|| listed.fingerprint.clone());
        let (digest, bytes) = digest_of(bytes).await?;
        if !self.full {
            if let Some(known) = known.filter(|known| known.digest == Some(digest)) {
                if known.status == DocumentStatus::Ready && known.parsed.is_some() {
                    return self.same(&listed, Some(known), (fingerprint, Some(origin))).await;
                }
            } else if let Some(parsed) = self.parsed_elsewhere(&listed, &digest, media_type.as_deref()).await? {
                let gain = self.gain(known, &digest);
                let came = Came { digest, fingerprint, bytes: bytes.len() as u64, origin: Some(origin), gain };
                return self.write(&listed, parsed, came).await;
            }
        }
        let said = media_type.or_else(|| listed.media_type.clone());
        let seen = Seen::of(digest, &bytes, &listed, (said.as_deref(), &origin));
        let size = seen.bytes;
        match text::parse(&self.inner, &listed, said, bytes).await {
            Ok(parsed) => {
                let gain = self.gain(known, &digest);
                self.meter.count(|progress| progress.parsed += 1);
                self.write(&listed, parsed, Came { digest, fingerprint, bytes: size, origin: Some(origin), gain }).await
            }
            // Of a machine that was busy as well as of the file: it is tried again, and what was there stays.
            Err(text::ParseFailed::Document(reason)) if MAY_PASS.contains(&reason.code.as_str()) => {
                match known.filter(|known| known.status == DocumentStatus::Ready) {
                    Some(known) => self.stale(listed, known, reason).await,
                    None => Ok(Some(self.failed(&listed, Some(seen), reason, None))),
                }
            }
            Err(text::ParseFailed::Document(reason)) => Ok(Some(self.failed(&listed, Some(seen), reason, fingerprint))),
            Err(text::ParseFailed::Skipped(reason)) => {
                self.findings.change(|found| found.skipped += 1);
                Ok(Some(self.without_rows(&listed, Some(seen), (DocumentStatus::Skipped, reason), fingerprint)))
            }
            Err(text::ParseFailed::Fatal(fault)) => Err(fault),
        }
    }

    /// Content that could not be had this time: what was there stays, for those who may see it by now.
    async fn stale(&self, listed: Listed, known: &Known, reason: Reason) -> Result<Option<Item>, KnowledgeFault> {
        self.report(&listed, &reason);
        match known.parsed.filter(|_| known.attributes != listed.attributes_digest) {
            Some(parsed) => self.rewrite(&listed, Some(known), parsed, None).await,
            None => Ok(Some(Item::Change(Change::Stale { id: listed.id, reason }))),
        }
    }

    fn gain(&self, known: Option<&Known>, digest: &Digest) -> Gain {
        if known.is_some() {
            return Gain::Changed;
        }
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = gone.get_mut(digest).filter(|count| **count > 0).map(|count| *count -= 1).is_some();
        if moved { Gain::Moved } else { Gain::Added }
    }

    /// The content is what we have; perhaps its rows are not.
    async fn same(
        &self,
        listed: &Listed,
        known: Option<&Known>,
        (fingerprint, origin): (Option<String>, Option<Origin>),
    ) -> Result<Option<Item>, KnowledgeFault> {
        let Some((known, parsed)) = known.and_then(|known| Some((known, known.parsed?))) else { return Ok(None) };
        if known.row_key == Some(row_key(&parsed, &listed.attributes_digest)) {
            self.findings.change(|found| found.same += 1);
            return Ok(Some(Item::Change(Change::Fingerprint { id: listed.id.clone(), fingerprint, origin })));
        }
        self.rewrite(listed, Some(known), parsed, fingerprint).await
    }

    /// Makes rows from text that was parsed before.
    async fn rewrite(
        &self,
        listed: &Listed,
        known: Option<&Known>,
        parsed: Digest,
        fingerprint: Option<String>,
    ) -> Result<Option<Item>, KnowledgeFault> {
        match self.kept(&parsed).await? {
            Some(text) => {
                if !text.is_current()
                    && let Some(item) = self.parse_anew(listed).await?
                {
                    return Ok(Some(item));
                }
                let digest = known.and_then(|known| known.digest).unwrap_or(parsed);
                let bytes = listed.size.unwrap_or(0);
                self.write(listed, text, Came { digest, fingerprint, bytes, origin: None, gain: Gain::Changed }).await
            }
            // The text was lost; without a fingerprint the next run fetches it again.
            None => {
                let reason = Reason { code: "knowledge-text-gone".into(), detail: "its parsed text is not kept any more".into() };
                Ok(Some(self.failed(listed, None, reason, None)))
            }
        }
    }

    /// Rows made from what the source holds, for a document whose text was made by parsers before these.
    /// `None` when the source cannot give it now or these cannot read it: then the text that is kept has to do.
    async fn parse_anew(&self, listed: &Listed) -> Result<Option<Item>, KnowledgeFault> {
        let Some(source) = self.sources.get(&listed.source) else { return Ok(None) };
        let Ok(Fetched::Content(content)) = source.fetch(listed, None, self.inner.clock.now()).await else { return Ok(None) };
        let Content { bytes, media_type, fingerprint, origin } = content;
        let fingerprint = fingerprint.or_else(|| listed.fingerprint.clone());
        let (digest, bytes) = digest_of(bytes).await?;
        let size = bytes.len() as u64;
        match text::parse(&self.inner, listed, media_type.or_else(|| listed.media_type.clone()), bytes).await {
            Ok(text) => {
                self.meter.count(|progress| progress.parsed += 1);
                let came = Came { digest, fingerprint, bytes: size, origin: Some(origin), gain: Gain::Changed };
                self.write(listed, text, came).await
            }
            Err(text::ParseFailed::Document(_) | text::ParseFailed::Skipped(_)) => Ok(None),
            Err(text::ParseFailed::Fatal(fault)) => Err(fault),
        }
    }

    async fn kept(&self, parsed: &Digest) -> Result<Option<ParsedText>, KnowledgeFault> {
        patiently(&self.inner, || text::load(&self.inner, parsed)).await
    }

    /// Text of another document with the same bytes, when it would be parsed the same way.
    async fn parsed_elsewhere(
        &self,
        listed: &Listed,
        digest: &Digest,
        media_type: Option<&str>,
    ) -> Result<Option<ParsedText>, KnowledgeFault> {
        for (path, parsed, _) in document::same_content(&self.inner.catalog, &self.key, digest).await? {
            // A parser may take the title from the name.
            if media_type.is_none() && file_name(&path) == file_name(&listed.path) {
                kept::announce(&self.inner, &listed.id, &parsed).await?;
                return Ok(self.kept(&parsed).await?.filter(ParsedText::is_current));
            }
        }
        Ok(None)
    }

    async fn write(&self, listed: &Listed, text: ParsedText, came: Came) -> Result<Option<Item>, KnowledgeFault> {
        let Came { digest, fingerprint, bytes, origin, gain } = came;
        // A tokenizer cannot say that its file is missing.
        self.loaded.get_or_try_init(|| until_here(self.embedder.as_ref(), &self.meter)).await?;
        let title = text.title().map_or_else(|| names::stem(&listed.path), str::to_owned);
        let (warnings, no_text) = (text.warnings(), text.lacks_text(bytes));
        self.warn(listed, bytes, &warnings, no_text.as_ref());
        let document = Document {
            id: listed.id.clone(),
            source: listed.source.to_string(),
            path: listed.path.clone(),
            uri: listed.uri.clone(),
            title,
            media_type: text.media_type().to_owned(),
            labels: listed.attributes.labels.to_vec(),
            metadata: metadata(listed, &text),
            digest: Some(digest),
            parsed: Some(text.digest()),
            bytes,
            pages: text.pages(),
            chunks: 0,
            tokens: 0,
            status: DocumentStatus::Ready,
            reason: no_text,
            warnings,
            origin: origin.clone(),
            updated: self.inner.clock.now(),
        };
        let seen = Seen { digest, bytes, media_type: Some(document.media_type.clone()), origin };
        let row_key = row_key(&text.digest(), &listed.attributes_digest);
        let (tokenizer, spec, config) = (self.embedder.tokenizer(), self.chunking.clone(), self.config);
        let cut = tokio::task::spawn_blocking(move || {
            let chunks = text::cut(&document, &text, (&spec, &config), tokenizer.as_ref());
            (document, chunks)
        });
        let stopped = |_| KnowledgeFault::Worker { reason: "cutting a document stopped".into() };
        let (document, chunks) = cut.await.map_err(stopped)?;
        match chunks {
            Ok(chunks) => {
                let attributes = listed.attributes_digest;
                Ok(Some(Item::Rows(Box::new(Prepared { document, attributes, fingerprint, row_key, chunks, gain, held: None }))))
            }
            Err(reason) => {
                // The document that is recorded names no text.
                if let Some(text) = &document.parsed {
                    kept::discard(&self.inner, &document.id, text).await?;
                }
                Ok(Some(self.failed(listed, Some(seen), reason, fingerprint)))
            }
        }
    }

    /// An empty file is what it looks like: its document says it, and no run repeats it.
    fn warn(&self, listed: &Listed, bytes: u64, warnings: &[Reason], no_text: Option<&Reason>) {
        let told = match no_text {
            Some(reason) if bytes > 0 => std::slice::from_ref(reason),
            _ => warnings,
        };
        for Reason { code, detail } in told {
            self.findings.warned(Warning {
                document: Some(listed.id.clone()),
                source: listed.source.to_string(),
                path: listed.path.clone(),
                code: code.clone(),
                detail: detail.clone(),
                labels: Some(listed.attributes.labels.to_vec()),
            });
        }
    }

    fn failed(&self, listed: &Listed, content: Option<Seen>, reason: Reason, fingerprint: Option<String>) -> Item {
        self.report(listed, &reason);
        self.without_rows(listed, content, (DocumentStatus::Failed, reason), fingerprint)
    }

    fn without_rows(
        &self,
        listed: &Listed,
        content: Option<Seen>,
        (status, reason): (DocumentStatus, Reason),
        fingerprint: Option<String>,
    ) -> Item {
        let named = || mainspring_parsers::likely_media_type(None, &listed.path, listed.media_type.as_deref());
        let media_type = content.as_ref().and_then(|seen| seen.media_type.clone()).or_else(named);
        let document = Document {
            id: listed.id.clone(),
            source: listed.source.to_string(),
            path: listed.path.clone(),
            uri: listed.uri.clone(),
            title: names::stem(&listed.path),
            media_type: media_type.unwrap_or_default(),
            labels: listed.attributes.labels.to_vec(),
            metadata: (*listed.attributes.metadata).clone(),
            digest: content.as_ref().map(|seen| seen.digest),
            parsed: None,
            bytes: content.as_ref().map(|seen| seen.bytes).or(listed.size).unwrap_or(0),
            pages: None,
            chunks: 0,
            tokens: 0,
            status,
            reason: Some(reason),
            warnings: Vec::new(),
            origin: content.and_then(|seen| seen.origin),
            updated: self.inner.clock.now(),
        };
        Item::Change(Change::Failed { document: Box::new(document), attributes: listed.attributes_digest, fingerprint })
    }

    fn report(&self, listed: &Listed, reason: &Reason) {
        self.meter.count(|progress| progress.failed += 1);
        self.findings.failed(Failure {
            document: Some(listed.id.clone()),
            source: listed.source.to_string(),
            path: listed.path.clone(),
            code: reason.code.clone(),
            detail: reason.detail.clone(),
            labels: Some(listed.attributes.labels.to_vec()),
            known: false,
        });
    }
}

/// What the spec says wins over what the document says of itself.
fn metadata(listed: &Listed, text: &ParsedText) -> BTreeMap<String, String> {
    let mut metadata = (*listed.attributes.metadata).clone();
    for (key, value) in text.own_metadata() {
        metadata.entry(key.clone()).or_insert_with(|| value.clone());
    }
    metadata
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Hashing a large file takes longer than an async task may.
pub(super) async fn digest_of(bytes: Bytes) -> Result<(Digest, Bytes), KnowledgeFault> {
    const AT_ONCE: usize = 128 << 10;
    if bytes.len() <= AT_ONCE {
        return Ok((Digest::of(&bytes), bytes));
    }
    let stopped = |_| KnowledgeFault::Worker { reason: "hashing a document stopped".into() };
    tokio::task::spawn_blocking(move || (Digest::of(&bytes), bytes)).await.map_err(stopped)
}

/// Kept apart so that the run can count what is gone by content.
pub(super) fn contents(gone: &[Known]) -> HashMap<Digest, u64> {
    let mut contents = HashMap::new();
    for digest in gone.iter().filter_map(|known| known.digest) {
        *contents.entry(digest).or_insert(0) += 1;
    }
    contents
}

/// Ids of what is gone.
pub(super) fn ids(gone: &[Known]) -> impl Iterator<Item = DocumentId> + '_ {
    gone.iter().map(|known| known.id.clone())
}
