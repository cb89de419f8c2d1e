//! Large values. A row keeps how one begins and what it is called; the whole of it lies among the blobs.
//!
//! A value's name is the digest of its project and its words: what a project sent twice lies there once, and no project finds
//! what another one sent. A value is put down before the row that names it, and removed when no row does.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use arrow_array::{Array as _, ListArray, StringArray};
use bytes::Bytes;
use mainspring_blobs::{BlobFault, Blobs};
use mainspring_kernel::{Digest, id::ProjectId};
use mainspring_lake::{Aggregate, Filter, MeasureOf, Scan, Table};
use mainspring_llm::Span;
use serde_json::{Map, Value, json};
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::{fault::TraceFault, table::Rows};

/// A longer text leaves its row.
pub(crate) const LARGE: usize = 64 << 10;
/// So does what is made of smaller ones that are longer together.
const LARGE_TOGETHER: usize = 4 * LARGE;
/// How much of a value stays in its row.
const BEGINNING: usize = 8_000;
/// The one key of what stands in the place of a value.
const ASIDE: &str = "mainspring.value";
/// Values that are read, removed and looked for at once.
const AT_ONCE: usize = 8;
/// Blobs that are looked at in one round, and rows that are asked together which values they name.
const IN_ROUND: usize = 250_000;
const ROWS_AT_ONCE: u64 = 20_000;
/// Where several processes share a lake, what one of them has just added is seen by the others within this time.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// A value on its way to the blobs.
#[derive(Debug, Clone)]
pub(crate) struct Large {
    digest: Digest,
    bytes: Bytes,
}

#[cfg(test)]
impl Large {
    pub(crate) const fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn unframed(&self, project: ProjectId) -> Option<(Digest, WholeValue)> {
        unframed(project, &self.bytes).map(|whole| (self.digest, whole))
    }
}

/// What stands in a row for a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueAside {
    pub digest: Digest,
    /// Of the whole value.
    pub bytes: u64,
}

/// A value as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeValue {
    pub text: String,
    /// It is JSON, and not a text.
    pub json: bool,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) values: u64,
    pub(crate) bytes: u64,
}

/// Takes the large values out of a span. What stands in their places afterwards can be made by nobody else: a sender's own
/// value of that shape is taken out too.
pub(crate) fn cut(span: &mut Span) -> Vec<Large> {
    let mut cutting = Cutting { project: span.project, large: Vec::new() };
    cutting.attributes(&mut span.attributes);
    span.events.iter_mut().for_each(|event| cutting.attributes(&mut event.attributes));
    span.links.iter_mut().for_each(|link| cutting.attributes(&mut link.attributes));
    cutting.large
}

struct Cutting {
    project: ProjectId,
    large: Vec<Large>,
}

impl Cutting {
    fn attributes(&mut self, attributes: &mut Map<String, Value>) {
        for (name, value) in attributes.iter_mut() {
            // Of our own only texts go: who may read a trace is read from the rest.
            if !name.starts_with("mainspring.") && small_together(value) > LARGE_TOGETHER {
                self.take(value);
            } else {
                self.texts(value);
            }
        }
    }

    fn texts(&mut self, value: &mut Value) {
        if aside(value).is_some() || value.as_str().is_some_and(|text| text.len() > LARGE) {
            self.take(value);
            return;
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.texts(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.texts(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn take(&mut self, value: &mut Value) {
        let (text, json) = match value.take() {
            Value::String(text) => (text, false),
            other => (other.to_string(), true),
        };
        let bytes = framed(self.project, &text, json);
        let digest = Digest::of(&bytes);
        let stays = json!({"digest": digest.to_string(), "bytes": text.len(), "beginning": beginning(&text)});
        *value = Value::Object(Map::from_iter([(ASIDE.to_owned(), stays)]));
        self.large.push(Large { digest, bytes });
    }
}

/// About how much of a value stays when its large texts are gone.
fn small_together(value: &Value) -> usize {
    match value {
        Value::String(text) if text.len() > LARGE => 0,
        Value::String(text) => text.len() + 3,
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::Array(items) => items.iter().map(small_together).sum(),
        Value::Object(fields) => fields.iter().map(|(name, field)| name.len() + 4 + small_together(field)).sum(),
    }
}

fn beginning(text: &str) -> &str {
    let mut end = text.len().min(BEGINNING);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A line that says whose value it is and of what kind, and the value.
fn framed(project: ProjectId, text: &str, json: bool) -> Bytes {
    let kind = if json { "json" } else { "text" };
    Bytes::from(format!("{project} {kind}\n{text}"))
}

fn unframed(project: ProjectId, bytes: &[u8]) -> Option<WholeValue> {
    let (head, text) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
    let (owner, kind) = head.split_once(' ')?;
    (owner == project.to_string()).then(|| WholeValue { text: text.to_owned(), json: kind == "json" })
}

/// What stands here for a value, if this is such a place.
fn aside(value: &Value) -> Option<&Value> {
    value.as_object().filter(|fields| fields.len() == 1)?.get(ASIDE)
}

fn read(stays: &Value) -> Option<ValueAside> {
    Some(ValueAside { digest: stays.get("digest")?.as_str()?.parse().ok()?, bytes: stays.get("bytes")?.as_u64()? })
}

/// The values that a span names, each once.
pub(crate) fn named_by(span: &Span) -> Vec<ValueAside> {
    let mut found = BTreeMap::new();
    let events = span.events.iter().map(|event| &event.attributes);
    let links = span.links.iter().map(|link| &link.attributes);
    for attributes in std::iter::once(&span.attributes).chain(events).chain(links) {
        attributes.values().for_each(|value| find(value, &mut found));
    }
    found.into_iter().map(|(digest, bytes)| ValueAside { digest, bytes }).collect()
}

fn find(value: &Value, found: &mut BTreeMap<Digest, u64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| find(item, found)),
        Value::Object(fields) => match aside(value).and_then(read) {
            Some(ValueAside { digest, bytes }) => {
                found.insert(digest, bytes);
            }
            None => fields.values().for_each(|field| find(field, found)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The span with how its large values begin in their places: what is read of one without fetching them.
pub(crate) fn begun(span: &Span) -> Cow<'_, Span> {
    if named_by(span).is_empty() {
        return Cow::Borrowed(span);
    }
    let mut span = span.clone();
    span.attributes.values_mut().for_each(begin);
    span.events.iter_mut().flat_map(|event| event.attributes.values_mut()).for_each(begin);
    span.links.iter_mut().flat_map(|link| link.attributes.values_mut()).for_each(begin);
    Cow::Owned(span)
}

fn begin(value: &mut Value) {
    let text = aside(value).and_then(|stays| stays.get("beginning")).and_then(Value::as_str).map(str::to_owned);
    if let Some(text) = text {
        *value = Value::String(text);
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(begin),
        Value::Object(fields) => fields.values_mut().for_each(begin),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts whole values back into their places.
pub(crate) fn fill(span: &mut Span, whole: &BTreeMap<Digest, WholeValue>) {
    span.attributes.values_mut().for_each(|value| put_back(value, whole));
    span.events.iter_mut().flat_map(|event| event.attributes.values_mut()).for_each(|value| put_back(value, whole));
    span.links.iter_mut().flat_map(|link| link.attributes.values_mut()).for_each(|value| put_back(value, whole));
}

fn put_back(value: &mut Value, whole: &BTreeMap<Digest, WholeValue>) {
    let found = aside(value).and_then(read).and_then(|named| whole.get(&named.digest));
    if let Some(WholeValue { text, json }) = found {
        // What we wrote as JSON is read as JSON.
        let parsed = if *json { serde_json::from_str(text).ok() } else { None };
        *value = parsed.unwrap_or_else(|| Value::String(text.clone()));
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| put_back(item, whole)),
        Value::Object(fields) => fields.values_mut().for_each(|field| put_back(field, whole)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The blobs of large values.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    blobs: Blobs,
    /// Who puts values down shares it until the rows are there that name them; who removes values has it alone.
    turn: Arc<RwLock<()>>,
    /// Other processes put values down too.
    shared: bool,
    /// `IN_ROUND` and `ROWS_AT_ONCE`; less in tests.
    bounds: (usize, u64),
}

impl Values {
    pub(crate) fn new(blobs: Blobs, shared: bool) -> Self {
        Self { blobs, turn: Arc::default(), shared, bounds: (IN_ROUND, ROWS_AT_ONCE) }
    }

    #[cfg(test)]
    pub(crate) fn bounded(self, blobs: usize, rows: u64) -> Self {
        Self { bounds: (blobs, rows), ..self }
    }

    /// Whether other processes use the same lake.
    pub(crate) const fn is_shared(&self) -> bool {
        self.shared
    }

    /// Puts values down. Hold what it answers until the rows that name them are in the table.
    pub(crate) async fn keep(&self, large: &[Large]) -> Result<RwLockReadGuard<'_, ()>, TraceFault> {
        let turn = self.turn.read().await;
        let mut done = HashSet::new();
        for Large { digest, bytes } in large {
            if done.insert(*digest) {
                self.blobs.put(bytes.clone()).await?;
            }
        }
        Ok(turn)
    }

    /// For when the rows are there: another process may have removed a value that was not named yet.
    pub(crate) async fn keep_again(&self, large: &[Large]) -> Result<(), TraceFault> {
        for Large { digest, bytes } in large.iter().filter(|_| self.shared) {
            if !self.blobs.has(digest).await? {
                self.blobs.put(bytes.clone()).await?;
            }
        }
        Ok(())
    }

    /// A value that a span of the project names.
    pub(crate) async fn get(&self, project: ProjectId, digest: &Digest) -> Result<WholeValue, TraceFault> {
        let no_value = || TraceFault::NoValue { digest: digest.to_string() };
        match self.blobs.get(digest).await {
            Ok(bytes) => unframed(project, &bytes).ok_or_else(no_value),
            Err(BlobFault::Missing { .. }) => Err(no_value()),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Removes every value that no row names, however many there are: so many of them are in memory at once.
    pub(crate) async fn sweep(&self, table: &dyn Table) -> Result<Removed, TraceFault> {
        let (mut removed, mut listing) = (Removed::default(), self.blobs.listing());
        loop {
            let some = listing.next(self.bounds.0).await?;
            if some.is_empty() {
                return Ok(removed);
            }
            let mut unnamed = self.unnamed(table, some).await?;
            if self.shared && !unnamed.is_empty() {
                tokio::time::sleep(SEEN_WITHIN).await;
                unnamed = self.unnamed(table, unnamed).await?;
            }
            for some in unnamed.chunks(AT_ONCE) {
                self.remove(table, some, &mut removed).await?;
            }
        }
    }

    /// Those of these that no row names.
    async fn unnamed(&self, table: &dyn Table, these: Vec<(Digest, u64)>) -> Result<Vec<(Digest, u64)>, TraceFault> {
        let mut unnamed: HashMap<Digest, u64> = these.into_iter().collect();
        let naming = || Filter::Gt("large_bytes".into(), 0_i64.into());
        let mut stretches: Vec<(i64, i64)> = began(table, naming()).await?.into_iter().collect();
        while let Some((first, last)) = stretches.pop().filter(|_| !unnamed.is_empty()) {
            let within = naming().and(Filter::GtEq("start".into(), first.into())).and(Filter::LtEq("start".into(), last.into()));
            // A stretch with more rows than are to be in memory is halved.
            if first < last && table.count(within.clone()).await? > self.bounds.1 {
                let middle = first.saturating_add_unsigned(last.abs_diff(first) / 2);
                stretches.extend([(first, middle), (middle + 1, last)]);
                continue;
            }
            for digest in named(table, within).await? {
                unnamed.remove(&digest);
            }
        }
        Ok(unnamed.into_iter().collect())
    }

    async fn remove(&self, table: &dyn Table, some: &[(Digest, u64)], removed: &mut Removed) -> Result<(), TraceFault> {
        let _alone = self.turn.write().await;
        let among = || Filter::HasAny("large".into(), some.iter().map(|(digest, _)| digest.to_string()).collect());
        let named_now = named(table, among()).await?;
        let mut gone: Vec<(Bytes, u64)> = Vec::new();
        for (digest, size) in some.iter().filter(|(digest, _)| !named_now.contains(digest)) {
            let found = if self.shared { self.blobs.get(digest).await } else { Ok(Bytes::new()) };
            match found {
                Ok(bytes) => gone.push((bytes, *size)),
                // What is damaged is of no use to anybody.
                Err(BlobFault::Missing { .. } | BlobFault::Damaged { .. }) => {}
                Err(fault) => return Err(fault.into()),
            }
            self.blobs.delete(digest).await?;
        }
        if self.shared {
            let named_again = named(table, among()).await?;
            for (bytes, _) in gone.iter().filter(|(bytes, _)| named_again.contains(&Digest::of(bytes))) {
                self.blobs.put(bytes.clone()).await?;
            }
            gone.retain(|(bytes, _)| !named_again.contains(&Digest::of(bytes)));
        }
        removed.values += gone.len() as u64;
        removed.bytes += gone.iter().map(|(_, size)| size).sum::<u64>();
        Ok(())
    }
}

/// When the first and the last of these rows began; nothing where there are none.
async fn began(table: &dyn Table, among: Filter) -> Result<Option<(i64, i64)>, TraceFault> {
    let start = || "start".to_owned();
    let question = Aggregate::of(among).measure("first", MeasureOf::Min(start())).measure("last", MeasureOf::Max(start()));
    let mut began = None;
    for batch in table.aggregate(question).await?.batches {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            began = rows.number("first", row)?.zip(rows.number("last", row)?);
        }
    }
    Ok(began)
}

/// The values that these rows name.
async fn named(table: &dyn Table, among: Filter) -> Result<HashSet<Digest>, TraceFault> {
    let mut found = HashSet::new();
    for batch in table.scan(Scan::of(among).columns(&["large"])).await? {
        let rows = Rows(&batch);
        let lists: &ListArray = rows.column("large")?;
        for row in (0..batch.num_rows()).filter(|row| lists.is_valid(*row)) {
            let list = lists.value(row);
            let digests = list.as_any().downcast_ref::<StringArray>();
            found.extend(digests.into_iter().flatten().flatten().filter_map(|digest| digest.parse::<Digest>().ok()));
        }
    }
    Ok(found)
}
