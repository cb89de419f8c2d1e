//! The local file system as Lance reads it here: files that never change stay open, and what the kernel holds in memory
//! is read where it is asked for.
//!
//! A search reads some hundred small pieces. Through `LocalFileSystem` each costs two trips to the pool of blocking threads
//! and an `open`; that is most of the time of a search.

use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::IoSliceMut,
    ops::Range,
    os::unix::fs::FileExt as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, local::LocalFileSystem, path::Path,
};
use rustix::io::{ReadWriteFlags, preadv2};

/// Files that stay open at most. Some systems allow a process no more than 1,024.
const OPEN_MAX: usize = 256;

/// `LocalFileSystem` with every write synced.
#[derive(Debug)]
pub(crate) struct Disk {
    inner: LocalFileSystem,
    /// Shared with streams of deletions, which outlive the call that began them.
    open: Arc<Mutex<HashMap<Path, Arc<Open>>>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    meta: ObjectMeta,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self { inner: LocalFileSystem::new().with_fsync(true), open: Arc::default() }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Path, Arc<Open>>> {
        locked(&self.open)
    }

    fn forget(&self, location: &Path) {
        self.open().remove(location);
    }

    async fn opened(&self, location: &Path) -> Result<Arc<Open>> {
        if let Some(open) = self.open().get(location) {
            return Ok(open.clone());
        }
        let got = self.inner.get_opts(location, GetOptions::default()).await?;
        let GetResultPayload::File(file, _) = got.payload else {
            return Err(failed(std::io::Error::other("the local file system gave no file")));
        };
        let opened = Arc::new(Open { file, meta: got.meta });
        let mut open = self.open();
        if open.len() >= OPEN_MAX {
            open.clear();
        }
        open.insert(location.clone(), opened.clone());
        Ok(opened)
    }
}

fn locked(open: &Mutex<HashMap<Path, Arc<Open>>>) -> MutexGuard<'_, HashMap<Path, Arc<Open>>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Data and index files have names that are never given twice, and are written once.
fn never_changes(location: &Path) -> bool {
    location.parts().any(|part| matches!(part.as_ref(), "data" | "_indices"))
}

fn failed(source: std::io::Error) -> Error {
    Error::Generic { store: "LocalFileSystem", source: Box::new(source) }
}

/// Reads at once what is in memory; a thread that may wait does the rest.
async fn read(open: Arc<Open>, range: Range<u64>) -> Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(|error| failed(std::io::Error::other(error)))?;
    let mut bytes = vec![0; length];
    let ready = preadv2(&open.file, &mut [IoSliceMut::new(&mut bytes)], range.start, ReadWriteFlags::NOWAIT).unwrap_or(0);
    if ready == length {
        return Ok(bytes.into());
    }
    let rest = tokio::task::spawn_blocking(move || {
        open.file.read_exact_at(&mut bytes[ready..], range.start + ready as u64)?;
        Ok::<_, std::io::Error>(bytes)
    });
    rest.await.map_err(|error| failed(std::io::Error::other(error)))?.map(Bytes::from).map_err(failed)
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disk({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Disk {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.forget(location);
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.forget(location);
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let conditional = options.if_match.is_some()
            || options.if_none_match.is_some()
            || options.if_modified_since.is_some()
            || options.if_unmodified_since.is_some();
        let asked = match &options.range {
            Some(range) if !conditional && !options.head && options.version.is_none() && never_changes(location) => range,
            _ => return self.inner.get_opts(location, options).await,
        };
        let open = self.opened(location).await?;
        let meta = open.meta.clone();
        let range = asked.as_range(meta.size).map_err(|source| failed(std::io::Error::other(source)))?;
        let bytes = read(open, range.clone()).await?;
        let payload = GetResultPayload::Stream(stream::once(async move { Ok(bytes) }).boxed());
        Ok(GetResult { payload, meta, range, attributes: object_store::Attributes::default(), extensions: options.extensions })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if !never_changes(location) {
            return self.inner.get_ranges(location, ranges).await;
        }
        let open = self.opened(location).await?;
        let mut all = Vec::with_capacity(ranges.len());
        for range in ranges {
            all.push(read(open.clone(), range.clone()).await?);
        }
        Ok(all)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        // An open file keeps its bytes on the disk, whatever its name became. It is let go once the name is gone: before,
        // a search could open it again.
        let open = Arc::clone(&self.open);
        let gone = self.inner.delete_stream(locations);
        gone.inspect_ok(move |location| drop(locked(&open).remove(location))).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.forget(to);
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.forget(from);
        self.forget(to);
        self.inner.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt as _;

    use super::*;

    /// A disk with one file of 100,000 bytes.
    async fn filled(name: &str) -> (tempfile::TempDir, Path, Disk) {
        let dir = tempfile::tempdir().expect("a folder");
        let location = Path::from_absolute_path(dir.path().join(name)).expect("a path");
        let disk = Disk::new();
        let bytes: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
        disk.put(&location, bytes.into()).await.expect("written");
        (dir, location, disk)
    }

    #[tokio::test]
    async fn ranges_read_the_same_as_the_plain_file_system() {
        let (_dir, location, disk) = filled("t/data/one.lance").await;
        let plain = LocalFileSystem::new();
        for range in [0..1, 0..100_000, 99_999..100_000, 4_095..4_097, 50_000..50_000 + 4_096] {
            let (ours, theirs) =
                (disk.get_range(&location, range.clone()).await, plain.get_range(&location, range.clone()).await);
            assert_eq!(ours.expect("ours"), theirs.expect("theirs"), "{range:?}");
        }
        let several = [0..10, 20..30, 99_990..100_000];
        assert_eq!(
            disk.get_ranges(&location, &several).await.expect("ours"),
            plain.get_ranges(&location, &several).await.expect("theirs")
        );
        assert_eq!(disk.get(&location).await.expect("whole").bytes().await.expect("bytes").len(), 100_000);
    }

    #[tokio::test]
    async fn a_range_beyond_the_end_is_a_fault() {
        let (_dir, location, disk) = filled("t/data/one.lance").await;
        assert!(disk.get_range(&location, 100_001..100_002).await.is_err());
        assert!(disk.get_ranges(&location, &[0..1, 99_999..100_001]).await.is_err());
    }

    #[tokio::test]
    async fn what_was_deleted_is_gone_and_not_held_open() {
        let (_dir, location, disk) = filled("t/_indices/x/index.idx").await;
        // Opened again after the deletion was asked for, as a search that runs meanwhile does.
        let deletion = disk.delete_stream(stream::iter([Ok(location.clone())]).boxed());
        disk.get_range(&location, 0..10).await.expect("read");
        assert_eq!(disk.open().len(), 1);
        assert_eq!(deletion.try_collect::<Vec<_>>().await.expect("deleted"), [location.clone()]);
        assert!(disk.open().is_empty());
        let fault = disk.get_range(&location, 0..10).await.expect_err("gone");
        assert!(matches!(fault, Error::NotFound { .. }), "{fault}");
    }

    #[tokio::test]
    async fn what_may_change_is_read_anew() {
        let (dir, location, disk) = filled("t/_versions/hint.json").await;
        disk.get_range(&location, 0..2).await.expect("read");
        std::fs::write(dir.path().join("t/_versions/hint.json"), b"other").expect("written");
        assert_eq!(disk.get_range(&location, 0..5).await.expect("read"), "other");
        assert!(disk.open().is_empty());
    }
}
