//! What lines gave: written a few at a time, packed into the parts of their files, and read back from both.

use std::collections::HashSet;

use bytes::Bytes;
use mainspring_kernel::{Actor, Digest, id::BatchId};
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use crate::{
    fault::BatchFault,
    files::seal,
    lines::Asked,
    model::{Batch, FileId, Status},
    seam::LineReply,
    service::Batches,
    store::{self, Part},
    trip::Step,
};

/// So many results become a part of their file, or fewer: packing holds them in memory.
pub(crate) const PACK: usize = 256;
pub(crate) const PACK_BYTES: u64 = 4 << 20;
/// So much of results is read at once, and one more.
const PAGE_BYTES: u64 = 16 << 20;
/// Looking again because results were packed meanwhile ends some time.
const LOOKS: usize = 8;

/// What a line gave, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) number: u64,
    pub(crate) ok: bool,
    pub(crate) text: Vec<u8>,
}

#[derive(Serialize)]
struct Written<'r> {
    id: String,
    custom_id: &'r str,
    response: Option<Response<'r>>,
    error: Option<Error<'r>>,
}

#[derive(Serialize)]
struct Response<'r> {
    status_code: u16,
    request_id: &'r str,
    body: &'r RawValue,
}

#[derive(Serialize)]
struct Error<'r> {
    code: &'r str,
    message: &'r str,
}

/// Always the same for one line.
fn request_id(batch: BatchId, number: u64) -> String {
    format!("batch_req_{:032x}{number:08x}", batch.as_raw())
}

impl Answered {
    pub(crate) fn of(batch: BatchId, asked: &Asked, reply: &LineReply) -> Self {
        let body = on_one_line(&reply.body);
        let response = Response { status_code: reply.status, request_id: &reply.request_id, body: &body };
        let (id, custom_id) = (request_id(batch, asked.number), asked.custom_id.as_str());
        let written = Written { id, custom_id, response: Some(response), error: None };
        Self::written(asked.number, (200..300).contains(&reply.status), &written)
    }

    /// A line that nobody was asked.
    pub(crate) fn not_asked(batch: BatchId, (number, custom_id): (u64, &str), (code, message): (&str, &str)) -> Self {
        let error = Some(Error { code, message });
        Self::written(number, false, &Written { id: request_id(batch, number), custom_id, response: None, error })
    }

    fn written(number: u64, ok: bool, written: &Written<'_>) -> Self {
        Self { number, ok, text: serde_json::to_vec(written).unwrap_or_default() }
    }
}

/// An answer as JSON without line breaks, which stand only between the words of JSON. What is not JSON becomes a text.
fn on_one_line(body: &[u8]) -> Box<RawValue> {
    let one: Vec<u8> = body.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
    let raw = String::from_utf8(one).ok().and_then(|text| RawValue::from_string(text.trim().to_owned()).ok());
    let text = || Value::String(String::from_utf8_lossy(body).into_owned()).to_string();
    raw.or_else(|| RawValue::from_string(text()).ok()).unwrap_or_else(|| RawValue::NULL.to_owned())
}

impl Batches {
    /// Writes what lines gave, and counts it. Of a line that has a result already nothing is written.
    pub(crate) async fn commit(&self, id: BatchId, answered: &[Answered]) -> Result<Batch, BatchFault> {
        self.trip(Step::Commit)?;
        let (batch, before) = self
            .catalog()
            .transact(|mut tx| async move {
                let mut batch = Self::find_in(&mut tx, id).await?;
                if !matches!(batch.status, Status::InProgress | Status::Cancelling) {
                    return Err(BatchFault::Stale { id });
                }
                let before = batch.counts;
                let counts = &mut batch.counts;
                for Answered { number, ok, text } in answered {
                    let count = if *ok { &mut counts.completed } else { &mut counts.failed };
                    if store::insert_result(&mut tx, (id, *number), (*ok, *count), text).await? {
                        *count += 1;
                    }
                }
                store::count(&mut tx, &batch).await?;
                Ok((tx, (batch, before)))
            })
            .await?;
        self.tally().lines(batch.counts.completed - before.completed, batch.counts.failed - before.failed);
        self.trip(Step::Committed)?;
        Ok(batch)
    }

    /// Makes parts of results, in whole packs; at the end of what is left too.
    pub(crate) async fn pack(&self, batch: &Batch, rest: bool) -> Result<(), BatchFault> {
        for ok in [true, false] {
            let Some(file) = batch.file(ok) else { continue };
            loop {
                self.trip(Step::Pack)?;
                let last = store::last_part(self.catalog(), file).await?.unwrap_or(0);
                let loose = store::sizes(self.catalog(), (batch.id, ok), last, PACK).await?;
                let Some(pack) = Pack::of(&loose, rest) else { break };
                self.pack_one(batch.id, (file, ok), pack).await?;
                self.trip(Step::Packed)?;
            }
        }
        Ok(())
    }

    async fn pack_one(&self, id: BatchId, (file, ok): (FileId, bool), pack: Pack) -> Result<(), BatchFault> {
        let Pack { from, lines } = pack;
        let bodies = store::results(self.catalog(), (id, ok), from, lines).await?;
        let mut content = Vec::with_capacity(bodies.iter().map(|(_, body)| body.len() + 1).sum());
        for (_, body) in &bodies {
            content.extend_from_slice(body);
            content.push(b'\n');
        }
        let until = from + bodies.len() as u64;
        drop(bodies);
        // Made again after a kill it is the same, so the blob of before has a name.
        let sealed = seal(file, from, &content);
        let part = &Part { number: from, digest: Digest::of(&sealed), size: content.len() as u64 };
        drop(content);
        self.blobs().put(sealed).await?;
        self.catalog()
            .transact(|mut tx| async move {
                // A worker that lost its lease may have packed them meanwhile, and not as many.
                if store::grow(&mut tx, file, part).await? {
                    store::empty_results(&mut tx, (id, ok), (from, until)).await?;
                }
                Ok((tx, ()))
            })
            .await
    }

    /// The lines of a batch that have a result, from one of them on.
    pub(crate) async fn answered(&self, id: BatchId, from: u64) -> Result<HashSet<u64>, BatchFault> {
        const AT_ONCE: usize = 5_000;
        let (mut all, mut after) = (HashSet::new(), from.saturating_sub(1));
        loop {
            let numbers = store::answered(self.catalog(), id, after, AT_ONCE).await?;
            let last = numbers.len() < AT_ONCE;
            after = numbers.last().copied().unwrap_or(after);
            all.extend(numbers);
            if last {
                return Ok(all);
            }
        }
    }

    /// Results in the order they came, from the `from`th, of lines that went well or of the others, also while the batch
    /// goes on; and whether there are more. A page ends early where its results are large.
    pub async fn results(
        &self,
        actor: &Actor,
        id: BatchId,
        ok: bool,
        (from, limit): (u64, usize),
    ) -> Result<(Vec<Bytes>, bool), BatchFault> {
        let batch = self.get(actor, id).await?;
        let mut page = Page { limit, bytes: 0, found: Vec::new() };
        let Some(file) = batch.file(ok) else { return Ok((page.found, false)) };
        for _ in 0..LOOKS {
            self.packed(file, from, &mut page).await?;
            if page.is_full() {
                break;
            }
            let at = from + page.found.len() as u64;
            let sizes = store::sizes(self.catalog(), (id, ok), at, page.limit - page.found.len()).await?;
            // Where the one that comes next is not there, it was packed since.
            if sizes.first().map_or(at < batch.count(ok), |(seq, _)| *seq != at) {
                continue;
            }
            let fit = page.fit(&sizes);
            let loose = store::results(self.catalog(), (id, ok), at, fit).await?;
            if loose.len() == fit && loose.first().is_none_or(|(seq, _)| *seq == at) {
                page.found.extend(loose.into_iter().map(|(_, body)| Bytes::from(body)));
                break;
            }
        }
        let more = from + (page.found.len() as u64) < batch.count(ok);
        Ok((page.found, more))
    }

    async fn packed(&self, file: FileId, from: u64, page: &mut Page) -> Result<(), BatchFault> {
        let parts = store::parts(self.catalog(), file).await?;
        while !page.is_full() {
            let at = from + page.found.len() as u64;
            let holds = parts.partition_point(|part| part.number <= at).checked_sub(1).and_then(|place| parts.get(place));
            let Some(part) = holds else { return Ok(()) };
            let bytes = self.part(part).await?;
            let before = page.found.len();
            let skipped = usize::try_from(at - part.number).unwrap_or(usize::MAX);
            for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).skip(skipped) {
                if page.is_full() {
                    break;
                }
                page.take(bytes.slice_ref(line));
            }
            if page.found.len() == before {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Results for whoever reads them.
struct Page {
    limit: usize,
    bytes: u64,
    found: Vec<Bytes>,
}

impl Page {
    fn is_full(&self) -> bool {
        self.found.len() >= self.limit || self.bytes >= PAGE_BYTES
    }

    fn take(&mut self, line: Bytes) {
        self.bytes += line.len() as u64;
        self.found.push(line);
    }

    /// How many of these come into it: one in any case, so that every page goes on.
    fn fit(&self, sizes: &[(u64, u64)]) -> usize {
        let mut bytes = self.bytes;
        let fitting = sizes.iter().take_while(|(_, size)| {
            let fits = bytes < PAGE_BYTES;
            bytes += size;
            fits
        });
        fitting.count()
    }
}

/// Results that become a part of their file: as many as are small enough together, and one in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pack {
    pub(crate) from: u64,
    pub(crate) lines: usize,
}

impl Pack {
    /// Of the first results that are in no part; `rest` where no further ones come.
    pub(crate) fn of(loose: &[(u64, u64)], rest: bool) -> Option<Self> {
        let (from, _) = *loose.first()?;
        let (mut lines, mut bytes) = (0, 0);
        for (_, size) in loose.iter().take(PACK) {
            if lines > 0 && bytes + size > PACK_BYTES {
                return Some(Self { from, lines });
            }
            (lines, bytes) = (lines + 1, bytes + size);
        }
        (rest || lines == PACK || bytes >= PACK_BYTES).then_some(Self { from, lines })
    }
}
