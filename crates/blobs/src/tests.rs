mod s3;

use bytes::Bytes;
use mainspring_kernel::{Digest, Fault as _};
use mainspring_testservers::disk::SmallDisk;

use crate::{BlobFault, Blobs};

#[tokio::test]
async fn a_blob_comes_back_by_its_digest() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::local(dir.path()).unwrap();
    let digest = blobs.put(Bytes::from_static(b"hello")).await.unwrap();
    assert_eq!(digest, Digest::of(b"hello"));
    assert_eq!(blobs.put(Bytes::from_static(b"hello")).await.unwrap(), digest);
    // Another handle, as after a restart.
    let again = Blobs::local(dir.path()).unwrap();
    assert_eq!(again.get(&digest).await.unwrap(), "hello");
    assert_eq!(again.list(10).await.unwrap(), [(digest, 5)]);
    again.delete(&digest).await.unwrap();
    again.delete(&digest).await.unwrap();
    assert!(matches!(again.get(&digest).await, Err(BlobFault::Missing { .. })));
}

#[tokio::test]
async fn however_many_blobs_there_are_all_are_listed_some_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::local(dir.path()).unwrap();
    let mut put = Vec::new();
    for n in 0..25_u8 {
        put.push((blobs.put(Bytes::from(vec![n; usize::from(n) + 1])).await.unwrap(), u64::from(n) + 1));
    }
    let (mut listing, mut listed) = (blobs.listing(), Vec::new());
    loop {
        let some = listing.next(4).await.unwrap();
        assert!(some.len() <= 4);
        if some.is_empty() {
            break;
        }
        // What was listed may go.
        for (digest, _) in &some {
            blobs.delete(digest).await.unwrap();
        }
        listed.extend(some);
    }
    put.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, put);
    assert!(blobs.list(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_damaged_blob_is_not_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::local(dir.path()).unwrap();
    let digest = blobs.put(Bytes::from_static(b"hello")).await.unwrap();
    let hex = digest.hex();
    std::fs::write(dir.path().join("sha256").join(&hex[..2]).join(&hex), b"hellO").unwrap();
    assert!(matches!(blobs.get(&digest).await, Err(BlobFault::Damaged { .. })));
}

#[tokio::test]
async fn storing_a_damaged_blob_again_mends_it() {
    for damage in [&b"hellO"[..], b"hell", b""] {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(dir.path()).unwrap();
        let digest = blobs.put(Bytes::from_static(b"hello")).await.unwrap();
        let hex = digest.hex();
        std::fs::write(dir.path().join("sha256").join(&hex[..2]).join(&hex), damage).unwrap();
        assert!(blobs.get(&digest).await.is_err(), "{damage:?}");
        blobs.put(Bytes::from_static(b"hello")).await.unwrap();
        assert_eq!(blobs.get(&digest).await.unwrap(), "hello", "{damage:?}");
    }
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount(1 << 20) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let blobs = Blobs::local(&disk.path().join("blobs")).unwrap();
        let kept = blobs.put(Bytes::from_static(b"kept")).await.unwrap();
        disk.fill();
        let more = Bytes::from(vec![7; 100_000]);
        let fault = blobs.put(more.clone()).await.unwrap_err();
        assert_eq!(fault.code(), "blob-disk-full", "{fault:?}");
        assert!(fault.retry_after().is_some());
        assert!(!blobs.has(&Digest::of(&more)).await.unwrap(), "nothing is left of it");
        assert_eq!(blobs.get(&kept).await.unwrap(), "kept", "reading goes on");
        disk.free();
        let stored = blobs.put(more.clone()).await.unwrap();
        assert_eq!(blobs.get(&stored).await.unwrap(), more);
        assert_eq!(blobs.list(10).await.unwrap().len(), 2, "no leftovers");
    });
}

#[tokio::test]
async fn files_that_are_not_blobs_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::local(dir.path()).unwrap();
    std::fs::create_dir_all(dir.path().join("sha256/zz")).unwrap();
    std::fs::write(dir.path().join("sha256/zz/readme"), b"x").unwrap();
    assert!(blobs.list(10).await.unwrap().is_empty());
}
