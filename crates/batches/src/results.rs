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
};

/// So many results become a part of their file.
pub(crate) const PACK: u64 = 256;
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
        let batch = self
            .catalog()
            .transact(|mut tx| async move {
                let mut batch = Self::find_in(&mut tx, id).await?;
                if !matches!(batch.status, Status::InProgress | Status::Cancelling) {
                    return Err(BatchFault::Stale { id });
                }
                let counts = &mut batch.counts;
                for Answered { number, ok, text } in answered {
                    let count = if *ok { &mut counts.completed } else { &mut counts.failed };
                    if store::insert_result(&mut tx, (id, *number), (*ok, *count), text).await? {
                        *count += 1;
                    }
                }
                store::count(&mut tx, &batch).await?;
                Ok((tx, batch))
            })
            .await?;
        Ok(batch)
    }

    /// Makes parts of results, in whole packs; at the end of what is left too.
    pub(crate) async fn pack(&self, batch: &Batch, rest: bool) -> Result<(), BatchFault> {
        for ok in [true, false] {
            let Some(file) = batch.file(ok) else { continue };
            let mut packed = store::part_count(self.catalog(), file).await?;
            let count = batch.count(ok);
            while (packed + 1) * PACK <= count || (rest && packed * PACK < count) {
                self.pack_one(batch.id, (file, ok), packed).await?;
                packed += 1;
            }
        }
        Ok(())
    }

    async fn pack_one(&self, id: BatchId, (file, ok): (FileId, bool), number: u64) -> Result<(), BatchFault> {
        let from = number * PACK;
        let bodies = store::results(self.catalog(), (id, ok), from, PACK as usize).await?;
        let mut content = Vec::with_capacity(bodies.iter().map(|(_, body)| body.len() + 1).sum());
        for (_, body) in &bodies {
            content.extend_from_slice(body);
            content.push(b'\n');
        }
        // Made again after a kill it is the same, so the blob of before has a name.
        let sealed = seal(file, number, &content);
        let part = &Part { number, digest: Digest::of(&sealed), size: content.len() as u64 };
        self.blobs().put(sealed).await?;
        self.catalog()
            .transact(|mut tx| async move {
                store::grow(&mut tx, file, part).await?;
                store::empty_results(&mut tx, (id, ok), (from, from + PACK)).await?;
                Ok((tx, ()))
            })
            .await
    }

    /// The lines of a batch that have a result.
    pub(crate) async fn answered(&self, id: BatchId) -> Result<HashSet<u64>, BatchFault> {
        const AT_ONCE: usize = 5_000;
        let (mut all, mut after) = (HashSet::new(), 0);
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
    /// goes on.
    pub async fn results(&self, actor: &Actor, id: BatchId, ok: bool, page: (u64, usize)) -> Result<Vec<Bytes>, BatchFault> {
        let batch = self.get(actor, id).await?;
        let (from, limit) = page;
        let mut found: Vec<Bytes> = Vec::new();
        let Some(file) = batch.file(ok) else { return Ok(found) };
        for _ in 0..LOOKS {
            self.packed(file, from, limit, &mut found).await?;
            if found.len() >= limit {
                break;
            }
            let at = from + found.len() as u64;
            let loose = store::results(self.catalog(), (id, ok), at, limit - found.len()).await?;
            // Where the one that comes next is not there, it was packed since.
            let gap = loose.first().map_or(at < batch.count(ok), |(seq, _)| *seq != at);
            if !gap {
                found.extend(loose.into_iter().map(|(_, body)| Bytes::from(body)));
                break;
            }
        }
        Ok(found)
    }

    async fn packed(&self, file: FileId, from: u64, limit: usize, found: &mut Vec<Bytes>) -> Result<(), BatchFault> {
        let parts = store::parts(self.catalog(), file).await?;
        while found.len() < limit {
            let at = from + found.len() as u64;
            let Some(part) = usize::try_from(at / PACK).ok().and_then(|number| parts.get(number)) else { return Ok(()) };
            let bytes = self.part(part).await?;
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let before = found.len();
            let skipped = usize::try_from(at % PACK).unwrap_or(usize::MAX);
            found.extend(lines.skip(skipped).take(limit - before).map(|line| bytes.slice_ref(line)));
            if found.len() == before {
                return Ok(());
            }
        }
        Ok(())
    }
}
