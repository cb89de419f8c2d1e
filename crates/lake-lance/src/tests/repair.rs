//! What a power cut can leave behind, made by hand.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use mainspring_lake::{
    Filter, Lake, LakeFault, LakeVersion, Repair, Scan,
    conformance::{Row, batch, ids},
};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result as StoreResult, path::Path as StorePath,
};
use proptest::{prelude::*, test_runner::Config};

use super::{config, lake_in, table_in};
use crate::{LanceConfig, LanceLake, lake::Wrap};

/// The manifests of a table, newest first.
fn manifests(dir: &Path, table: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir.join(format!("{table}.lance/_versions")))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "manifest"))
        .collect();
    // File names count down, so that the newest version comes first in a listing.
    found.sort();
    found
}

fn zero(path: &Path) {
    let size = fs::metadata(path).unwrap().len();
    fs::write(path, vec![0; usize::try_from(size).unwrap()]).unwrap();
}

fn cut(path: &Path, keep: usize) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..keep.min(bytes.len())]).unwrap();
}

/// Three rows in three versions; answers the version of each.
async fn three_versions(dir: &Path) -> Vec<LakeVersion> {
    let lake = lake_in(dir).await;
    let table = table_in(&lake, "t").await;
    let mut versions = Vec::new();
    for id in ["a", "b", "c"] {
        versions.push(table.append(batch(&[Row::new(id).words("word").angle(1.0)])).await.unwrap().version);
    }
    versions
}

async fn repaired(dir: &Path) -> Vec<Repair> {
    lake_in(dir).await.repair().await.unwrap()
}

async fn ids_in(dir: &Path) -> Vec<String> {
    let lake = lake_in(dir).await;
    ids(&*table_in(&lake, "t").await, Scan::of(Filter::All)).await
}

#[tokio::test]
async fn a_whole_lake_needs_no_repair() {
    let dir = tempfile::tempdir().unwrap();
    three_versions(dir.path()).await;
    assert_eq!(repaired(dir.path()).await, []);
    assert_eq!(ids_in(dir.path()).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_torn_newest_version_is_moved_out() {
    type Tear = fn(&Path);
    let tears: [(&str, Tear); 5] = [
        ("zeroed", zero),
        ("emptied", |path| cut(path, 0)),
        ("cut short", |path| cut(path, 100)),
        ("without its end", |path| cut(path, usize::try_from(fs::metadata(path).unwrap().len()).unwrap() - 1)),
        ("garbage", |path| fs::write(path, b"not a manifest at all, but long enough to be one LANC").unwrap()),
    ];
    for (what, tear) in tears {
        let dir = tempfile::tempdir().unwrap();
        let versions = three_versions(dir.path()).await;
        tear(&manifests(dir.path(), "t")[0]);
        let repairs = repaired(dir.path()).await;
        let [repair] = &repairs[..] else { panic!("{what}: {repairs:?}") };
        assert_eq!(
            (repair.table.as_str(), repair.bad_version, repair.opened_version),
            ("t", versions[2].number, versions[1].number),
            "{what}"
        );
        assert!(Path::new(&repair.moved_to).is_file(), "{what}: {}", repair.moved_to);
        assert_eq!(repaired(dir.path()).await, [], "{what}: once is enough");
        assert_eq!(ids_in(dir.path()).await, ["a", "b"], "{what}");

        // The table takes writes; the lost version's number is given again, and tells itself apart.
        let lake = lake_in(dir.path()).await;
        let table = table_in(&lake, "t").await;
        let again = table.append(batch(&[Row::new("d")])).await.unwrap().version;
        assert_eq!(again.number, versions[2].number, "{what}");
        assert!(matches!(table.at(&versions[2]).await, Err(LakeFault::NoVersion { .. })), "{what}");
        assert_eq!(ids(&*table.at(&versions[0]).await.unwrap(), Scan::of(Filter::All)).await, ["a"], "{what}");
        assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["a", "b", "d"], "{what}");
    }
}

#[tokio::test]
async fn several_torn_versions_in_a_row_are_moved_out() {
    let dir = tempfile::tempdir().unwrap();
    let versions = three_versions(dir.path()).await;
    let found = manifests(dir.path(), "t");
    zero(&found[0]);
    cut(&found[1], 30);
    let repairs = repaired(dir.path()).await;
    assert_eq!(repairs.iter().map(|repair| repair.bad_version).collect::<Vec<_>>(), [versions[2].number, versions[1].number]);
    assert!(repairs.iter().all(|repair| repair.opened_version == versions[0].number));
    assert_eq!(ids_in(dir.path()).await, ["a"]);
}

#[tokio::test]
async fn a_torn_data_file_of_the_newest_version_takes_the_version_with_it() {
    for keep in [0, 10] {
        let dir = tempfile::tempdir().unwrap();
        let versions = three_versions(dir.path()).await;
        let mut files: Vec<PathBuf> =
            fs::read_dir(dir.path().join("t.lance/data")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        cut(files.last().unwrap(), keep);
        let repairs = repaired(dir.path()).await;
        assert_eq!(repairs.iter().map(|repair| repair.bad_version).collect::<Vec<_>>(), [versions[2].number]);
        assert_eq!(ids_in(dir.path()).await, ["a", "b"]);
    }
}

#[tokio::test]
async fn damage_in_every_version_is_left_for_a_person() {
    let dir = tempfile::tempdir().unwrap();
    three_versions(dir.path()).await;
    let before = manifests(dir.path(), "t");
    before.iter().for_each(|path| zero(path));
    assert_eq!(repaired(dir.path()).await, []);
    assert_eq!(manifests(dir.path(), "t"), before, "nothing was moved");
    let lake = lake_in(dir.path()).await;
    let outcome = lake.open_existing(&"t".parse().unwrap()).await;
    assert!(matches!(outcome, Err(LakeFault::Engine { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_table_that_was_never_finished_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    three_versions(dir.path()).await;
    let found = manifests(dir.path(), "t");
    found[..found.len() - 1].iter().for_each(|path| fs::remove_file(path).unwrap());
    zero(found.last().unwrap());
    let repairs = repaired(dir.path()).await;
    assert_eq!((repairs.len(), repairs[0].bad_version, repairs[0].opened_version), (1, 1, 0));
    assert_eq!(ids_in(dir.path()).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_tag_of_a_torn_version_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let versions = three_versions(dir.path()).await;
    {
        let lake = lake_in(dir.path()).await;
        let table = table_in(&lake, "t").await;
        table.tag("kept", &versions[0]).await.unwrap();
        table.tag("lost", &versions[2]).await.unwrap();
        table.tag("torn", &versions[1]).await.unwrap();
    }
    zero(&dir.path().join("t.lance/_refs/tags/torn.json"));
    zero(&manifests(dir.path(), "t")[0]);
    repaired(dir.path()).await;
    let lake = lake_in(dir.path()).await;
    let table = table_in(&lake, "t").await;
    assert_eq!(table.tags().await.unwrap(), [("kept".to_owned(), versions[0].clone())]);
    table.tag("lost", &versions[1]).await.unwrap();
}

/// Lets something happen right before the tags are listed.
struct BeforeTags {
    inner: Arc<dyn ObjectStore>,
    happens: Arc<Mutex<Option<BoxFuture<'static, ()>>>>,
}

impl fmt::Debug for BeforeTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeforeTags")
    }
}
impl fmt::Display for BeforeTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeforeTags")
    }
}

#[async_trait]
impl ObjectStore for BeforeTags {
    async fn put_opts(&self, location: &StorePath, payload: PutPayload, opts: PutOptions) -> StoreResult<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }
    async fn put_multipart_opts(&self, location: &StorePath, opts: PutMultipartOptions) -> StoreResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }
    async fn get_opts(&self, location: &StorePath, options: GetOptions) -> StoreResult<GetResult> {
        self.inner.get_opts(location, options).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, StoreResult<StorePath>>) -> BoxStream<'static, StoreResult<StorePath>> {
        self.inner.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&StorePath>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let tags = prefix.is_some_and(|prefix| prefix.as_ref().ends_with("_refs/tags"));
        let happens = if tags { self.happens.lock().unwrap().take() } else { None };
        let (inner, prefix) = (self.inner.clone(), prefix.cloned());
        stream::once(async move {
            if let Some(happens) = happens {
                happens.await;
            }
            inner.list(prefix.as_ref())
        })
        .flatten()
        .boxed()
    }
    async fn list_with_delimiter(&self, prefix: Option<&StorePath>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &StorePath, to: &StorePath, options: CopyOptions) -> StoreResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn a_tag_that_another_process_makes_meanwhile_stays() {
    let dir = tempfile::tempdir().unwrap();
    three_versions(dir.path()).await;
    let other = lake_in(dir.path()).await;
    let happens: BoxFuture<'static, ()> = async move {
        let table = table_in(&other, "t").await;
        let version = table.append(batch(&[Row::new("d")])).await.unwrap().version;
        table.tag("theirs", &version).await.unwrap();
    }
    .boxed();
    let happens = Arc::new(Mutex::new(Some(happens)));
    let hook = happens.clone();
    let wrap = Wrap(Arc::new(move |inner| Arc::new(BeforeTags { inner, happens: hook.clone() })));
    let lake = LanceLake::open(LanceConfig { wrap: Some(wrap), ..config(dir.path()) }).await.unwrap();
    assert_eq!(lake.repair().await.unwrap(), []);
    assert!(happens.lock().unwrap().is_none(), "it happened");
    let tags = table_in(&lake, "t").await.tags().await.unwrap();
    assert_eq!(tags.iter().map(|(tag, _)| tag.as_str()).collect::<Vec<_>>(), ["theirs"]);
}

#[tokio::test]
async fn other_tables_are_repaired_beside_a_hopeless_one() {
    let dir = tempfile::tempdir().unwrap();
    three_versions(dir.path()).await;
    {
        let lake = lake_in(dir.path()).await;
        let table = table_in(&lake, "hopeless").await;
        table.append(batch(&[Row::new("x")])).await.unwrap();
    }
    manifests(dir.path(), "hopeless").iter().for_each(|path| zero(path));
    zero(&manifests(dir.path(), "t")[0]);
    let repairs = repaired(dir.path()).await;
    assert_eq!(repairs.iter().map(|repair| repair.table.as_str()).collect::<Vec<_>>(), ["t"]);
    assert_eq!(ids_in(dir.path()).await, ["a", "b"]);
}

#[tokio::test]
async fn a_drop_that_was_cut_off_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    three_versions(dir.path()).await;
    fs::rename(dir.path().join("t.lance"), dir.path().join("t.lance.dropped")).unwrap();
    repaired(dir.path()).await;
    assert!(!dir.path().join("t.lance.dropped").exists());
    assert!(lake_in(dir.path()).await.list().await.unwrap().is_empty());
}

proptest! {
    #![proptest_config(Config { cases: 40, ..Config::default() })]

    /// Whatever a byte becomes, the table opens with the first two rows at least, or says why not.
    #[test]
    fn any_changed_bytes_of_the_newest_manifest_are_survived(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            three_versions(dir.path()).await;
            let newest = manifests(dir.path(), "t").remove(0);
            let mut bytes = fs::read(&newest).unwrap();
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            fs::write(&newest, bytes).unwrap();
            let lake = lake_in(dir.path()).await;
            lake.repair().await.unwrap();
            let table = lake.open_existing(&"t".parse().unwrap()).await.unwrap();
            let rows = table.scan(Scan::of(Filter::All)).await;
            if let Ok(rows) = rows {
                let count: usize = rows.iter().map(arrow_array::RecordBatch::num_rows).sum();
                prop_assert!((2..=3).contains(&count), "{count} rows");
            }
            Ok(())
        })?;
    }
}
