//! Files: taken in part by part, listed, read and deleted.

use std::{collections::VecDeque, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use mainspring_kernel::{Actor, Digest, Timestamp, id::ProjectId};

use crate::{
    fault::BatchFault,
    lines::{Cut, Splitter},
    model::{FileId, FileQuery, Purpose, StoredFile},
    rest::Position,
    service::{Batches, may_change, may_see},
    store::{self, NewFile, Part},
    trip::Step,
};

/// What of a file is in memory at once.
pub(crate) const PART: usize = 4 << 20;
const NAME_MAX: usize = 255;
/// OpenAI's own bounds.
const EXPIRES_SOONEST: Duration = Duration::from_secs(3_600);
const EXPIRES_LATEST: Duration = Duration::from_secs(30 * 86_400);

/// A part as a blob: the file and the place in it first, so that it is like no other file's.
pub(crate) fn seal(file: FileId, number: u64, content: &[u8]) -> Bytes {
    let mut sealed = Vec::with_capacity(HEAD + content.len());
    sealed.extend_from_slice(&file.raw().to_be_bytes());
    sealed.extend_from_slice(&number.to_be_bytes());
    sealed.extend_from_slice(content);
    sealed.into()
}

const HEAD: usize = 16 + 8;

fn unseal(mut blob: Bytes) -> Bytes {
    blob.split_off(HEAD.min(blob.len()))
}

/// A file on its way in. One that is neither finished nor abandoned is cleared away a day later.
#[derive(Debug)]
pub struct Upload {
    batches: Batches,
    project: ProjectId,
    id: FileId,
    buffer: BytesMut,
    parts: u64,
    size: u64,
}

impl Batches {
    pub async fn begin_upload(&self, actor: &Actor) -> Result<Upload, BatchFault> {
        let now = self.now();
        let id = FileId::new(now);
        let new = NewFile {
            id,
            project: actor.project,
            name: "",
            purpose: Purpose::UserData,
            state: "receiving",
            created: now,
            created_by: actor.principal,
            labels: &actor.labels,
        };
        let new = &new;
        self.catalog()
            .transact(|mut tx| async move {
                self.room_for_files(&mut tx, actor.project, 1).await?;
                store::insert_file_in(&mut tx, new).await?;
                Ok::<_, BatchFault>((tx, ()))
            })
            .await?;
        Ok(Upload { batches: self.clone(), project: actor.project, id, buffer: BytesMut::new(), parts: 0, size: 0 })
    }

    /// Answers whether there are more.
    pub async fn files(&self, actor: &Actor, query: &FileQuery) -> Result<(Vec<StoredFile>, bool), BatchFault> {
        let (mut found, mut query) = (Vec::new(), query.clone());
        let limit = query.limit;
        // Those that the actor may not see take no place.
        loop {
            query.limit = limit + 1;
            let files = store::files(self.catalog(), actor.project, &query).await?;
            let last = files.len() <= limit;
            query.after = files.last().map(|file| file.id);
            found.extend(files.into_iter().filter(|file| may_see(actor, &file.labels)));
            if last || found.len() > limit {
                let more = found.len() > limit;
                found.truncate(limit);
                return Ok((found, more));
            }
        }
    }

    pub async fn file(&self, actor: &Actor, id: FileId) -> Result<StoredFile, BatchFault> {
        let file = store::file(self.catalog(), actor.project, id).await?;
        file.filter(|file| may_see(actor, &file.labels)).ok_or_else(|| BatchFault::FileNotFound { id: id.to_string() })
    }

    /// Deletes what is in it too.
    pub async fn delete_file(&self, actor: &Actor, id: FileId) -> Result<(), BatchFault> {
        let file = self.file(actor, id).await?;
        may_change(actor, file.created_by)?;
        self.catalog()
            .transact(|mut tx| async move {
                if let Some(batch) = store::reader_of(&mut tx, id).await? {
                    return Err(BatchFault::FileInUse { file: id, batch });
                }
                store::mark_gone(&mut tx, id).await?;
                Ok((tx, ()))
            })
            .await?;
        self.clear(id).await
    }

    /// Removes what a file that is gone has left. Where this is broken off, upkeep goes on with it.
    pub(crate) async fn clear(&self, id: FileId) -> Result<(), BatchFault> {
        for part in store::parts(self.catalog(), id).await? {
            self.blobs().delete(&part.digest).await?;
        }
        Ok(store::remove_file(self.catalog(), id).await?)
    }

    /// The bytes of a file, a part at a time.
    pub async fn content(&self, file: &StoredFile) -> Result<BoxStream<'static, Result<Bytes, BatchFault>>, BatchFault> {
        let parts = store::parts(self.catalog(), file.id).await?.into_iter();
        let unfold = stream::try_unfold((self.clone(), parts), |(batches, mut parts)| async move {
            let Some(part) = parts.next() else { return Ok(None) };
            Ok(Some((batches.part(&part).await?, (batches, parts))))
        });
        Ok(unfold.boxed())
    }

    pub(crate) async fn part(&self, part: &Part) -> Result<Bytes, BatchFault> {
        Ok(unseal(self.blobs().get(&part.digest).await?))
    }

    /// The lines of a file from one of them on, however large it is.
    pub(crate) async fn source(&self, file: FileId, from: Position) -> Result<Source, BatchFault> {
        let mut parts = store::parts(self.catalog(), file).await?;
        let mut skip = from.offset;
        let passed = parts.iter().take_while(|part| {
            let whole = skip >= part.size;
            skip -= if whole { part.size } else { 0 };
            whole
        });
        let passed = passed.count();
        parts.drain(..passed);
        let splitter = Splitter::new(self.config().line_limit, from);
        Ok(Source { batches: self.clone(), parts: parts.into(), skip, splitter, ended: false })
    }
}

impl Upload {
    /// Takes more of the file.
    pub async fn push(&mut self, mut bytes: &[u8]) -> Result<(), BatchFault> {
        let limit = self.batches.config().file_limit;
        self.size += bytes.len() as u64;
        if self.size > limit {
            return Err(BatchFault::FileTooLarge { limit });
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PART - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == PART {
                self.write().await?;
            }
        }
        Ok(())
    }

    /// The part is known before it is there, so that whatever breaks off leaves nothing that nobody knows of.
    async fn write(&mut self) -> Result<(), BatchFault> {
        let content = self.buffer.split();
        let sealed = seal(self.id, self.parts, &content);
        let part = &Part { number: self.parts, digest: Digest::of(&sealed), size: content.len() as u64 };
        let (batches, project, id) = (&self.batches, self.project, self.id);
        batches
            .catalog()
            .transact(|mut tx| async move {
                store::grow(&mut tx, id, part).await?;
                batches.room_for_files(&mut tx, project, 0).await?;
                Ok::<_, BatchFault>((tx, ()))
            })
            .await?;
        self.batches.blobs().put(sealed).await?;
        self.parts += 1;
        Ok(())
    }

    /// Makes the file one that is there; when this has answered, it stays.
    pub async fn finish(mut self, name: &str, purpose: Purpose, keep: Option<Duration>) -> Result<StoredFile, BatchFault> {
        let checked = match self.check(purpose, keep) {
            Ok(expires) if self.buffer.is_empty() => Ok(expires),
            Ok(expires) => self.write().await.map(|()| expires),
            Err(fault) => Err(fault),
        };
        let expires = match checked {
            Ok(expires) => expires,
            Err(fault) => {
                self.abandon().await;
                return Err(fault);
            }
        };
        let name: String = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(NAME_MAX).collect();
        let name = if name.is_empty() { "file".to_owned() } else { name };
        let made = store::finish_file(self.batches.catalog(), self.id, (&name, purpose), (self.size, Some(expires))).await?;
        made.ok_or_else(|| BatchFault::FileNotFound { id: self.id.to_string() })
    }

    fn check(&self, purpose: Purpose, keep: Option<Duration>) -> Result<Timestamp, BatchFault> {
        if !purpose.is_given() {
            let reason = "only batches write files of this purpose".to_owned();
            return Err(BatchFault::BadFile { parameter: "purpose", reason });
        }
        if self.size == 0 {
            return Err(BatchFault::BadFile { parameter: "file", reason: "the file is empty".to_owned() });
        }
        let keep = keep.map(|keep| kept_within_bounds(keep, "expires_after")).transpose()?;
        Ok(self.batches.now().plus(keep.unwrap_or(self.batches.config().keep_files)))
    }

    /// Clears away what came so far; what cannot be now is later.
    pub async fn abandon(self) {
        let Self { batches, id, .. } = self;
        let gone = async {
            batches
                .catalog()
                .transact(|mut tx| async move {
                    store::mark_gone(&mut tx, id).await?;
                    Ok::<_, BatchFault>((tx, ()))
                })
                .await?;
            batches.clear(id).await
        };
        if let Err(fault) = gone.await {
            tracing::debug!(file = %id, cause = %mainspring_kernel::fault::chain(&fault), "a broken upload is cleared away later");
        }
    }
}

pub(crate) fn kept_within_bounds(keep: Duration, parameter: &'static str) -> Result<Duration, BatchFault> {
    if (EXPIRES_SOONEST..=EXPIRES_LATEST).contains(&keep) {
        return Ok(keep);
    }
    let (soonest, latest) = (EXPIRES_SOONEST.as_secs(), EXPIRES_LATEST.as_secs());
    Err(BatchFault::BadFile { parameter, reason: format!("`seconds` must be {soonest} to {latest}") })
}

/// Lines of a file, one after the other.
#[derive(Debug)]
pub(crate) struct Source {
    batches: Batches,
    parts: VecDeque<Part>,
    /// What of the next part comes before the line it was asked for.
    skip: u64,
    splitter: Splitter,
    ended: bool,
}

impl Source {
    /// From where on lines are given next.
    pub(crate) const fn position(&self) -> Position {
        self.splitter.position()
    }

    /// Where a part cannot be read, nothing has been passed over: the same is given when it is asked for again.
    pub(crate) async fn next(&mut self) -> Result<Option<Cut>, BatchFault> {
        loop {
            if let Some(cut) = self.splitter.next() {
                return Ok(Some(cut));
            }
            match self.parts.front() {
                Some(part) => {
                    self.batches.trip(Step::ReadInput)?;
                    let bytes = self.batches.part(part).await?;
                    let skip = usize::try_from(std::mem::take(&mut self.skip)).unwrap_or(usize::MAX);
                    self.splitter.push(bytes.get(skip..).unwrap_or_default());
                    self.parts.pop_front();
                }
                None if self.ended => return Ok(None),
                None => {
                    self.ended = true;
                    return Ok(self.splitter.rest());
                }
            }
        }
    }
}
