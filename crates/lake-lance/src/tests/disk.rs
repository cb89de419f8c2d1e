//! A disk that fills up, and one that is gone.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use futures::stream::BoxStream;
use mainspring_lake::{
    Filter, Lake, LakeFault, Scan, UpkeepPolicy,
    conformance::{Row, batch, ids},
};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result, path::Path,
};

use super::{config, data_files, table_in};
use crate::{LanceConfig, LanceLake, lake::Wrap};

/// Refuses writes below a folder the way a full disk does, while the switch is on.
struct Full {
    inner: Arc<dyn ObjectStore>,
    on: Arc<AtomicBool>,
    folder: &'static str,
}

impl Full {
    fn check(&self, location: &Path) -> Result<()> {
        if self.on.load(Ordering::Acquire) && location.as_ref().contains(self.folder) {
            let source = Box::new(io::Error::from_raw_os_error(28));
            return Err(object_store::Error::Generic { store: "LocalFileSystem", source });
        }
        Ok(())
    }
}

impl fmt::Debug for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Full")
    }
}
impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Full")
    }
}

#[async_trait]
impl ObjectStore for Full {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.check(location)?;
        self.inner.put_opts(location, payload, opts).await
    }
    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.check(location)?;
        self.inner.put_multipart_opts(location, opts).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check(to)?;
        self.inner.copy_opts(from, to, options).await
    }
}

/// A lake, and the switch that fills a folder of its tables.
async fn lake_that_fills(dir: &std::path::Path, folder: &'static str) -> (LanceLake, Arc<AtomicBool>) {
    let on = Arc::new(AtomicBool::new(false));
    let switch = on.clone();
    let wrap = Wrap(Arc::new(move |inner| Arc::new(Full { inner, on: switch.clone(), folder })));
    (LanceLake::open(LanceConfig { wrap: Some(wrap), ..config(dir) }).await.unwrap(), on)
}

#[tokio::test]
async fn a_full_disk_is_said_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, on) = lake_that_fills(dir.path(), "").await;
    let table = table_in(&lake, "t").await;
    for id in ["a", "b", "c"] {
        table.append(batch(&[Row::new(id).words("word")])).await.unwrap();
    }
    on.store(true, Ordering::Release);
    let row = || batch(&[Row::new("x")]);
    assert_eq!(table.append(row()).await.unwrap_err(), LakeFault::DiskFull);
    assert_eq!(table.replace(Filter::eq("id", "a"), Some(row())).await.unwrap_err(), LakeFault::DiskFull);
    let version = table.version().await.unwrap();
    assert_eq!(table.tag("t", &version).await.unwrap_err(), LakeFault::DiskFull);
    let policy = UpkeepPolicy { fragments: 1, unindexed_rows: 1, ..UpkeepPolicy::default() };
    assert_eq!(table.upkeep(&policy).await.unwrap_err(), LakeFault::DiskFull);
    assert_eq!(lake.open(&"new".parse().unwrap(), &mainspring_lake::conformance::spec()).await.unwrap_err(), LakeFault::DiskFull);
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["a", "b", "c"], "reading goes on");
    on.store(false, Ordering::Release);
    table.replace(Filter::eq("id", "a"), Some(row())).await.unwrap();
    table.upkeep(&policy).await.unwrap();
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["b", "c", "x"]);
}

#[tokio::test]
async fn rows_of_a_change_that_the_disk_did_not_take_lie_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, on) = lake_that_fills(dir.path(), "_versions").await;
    let table = table_in(&lake, "t").await;
    table.append(batch(&[Row::new("a"), Row::new("b")])).await.unwrap();
    let (before, version) = (data_files(dir.path(), "t"), table.version().await.unwrap());
    on.store(true, Ordering::Release);
    let row = || batch(&[Row::new("a").words("of somebody")]);
    assert_eq!(table.append(row()).await.unwrap_err(), LakeFault::DiskFull);
    assert_eq!(table.replace(Filter::eq("id", "a"), Some(row())).await.unwrap_err(), LakeFault::DiskFull);
    let as_read = table.replace_as_read(&version, Filter::eq("id", "a"), Some(row())).await;
    assert_eq!(as_read.unwrap_err(), LakeFault::DiskFull);
    assert_eq!(data_files(dir.path(), "t"), before);
    on.store(false, Ordering::Release);
    table.replace_as_read(&version, Filter::eq("id", "a"), Some(row())).await.unwrap();
    assert_eq!(data_files(dir.path(), "t").len(), before.len() + 1);
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["a", "b"]);
}

#[tokio::test]
async fn a_directory_that_is_gone_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(config(&dir.path().join("lake"))).await.unwrap();
    lake.ping().await.unwrap();
    std::fs::remove_dir_all(dir.path().join("lake")).unwrap();
    assert!(matches!(lake.ping().await, Err(LakeFault::Unavailable { .. })));
}

#[tokio::test]
async fn a_file_is_no_lake() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(matches!(LanceLake::open(config(&file)).await, Err(LakeFault::Unavailable { .. })));
}
