use bytes::Bytes;
use mainspring_kernel::Digest;

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
async fn a_damaged_blob_is_not_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::local(dir.path()).unwrap();
    let digest = blobs.put(Bytes::from_static(b"hello")).await.unwrap();
    let hex = digest.hex();
    std::fs::write(dir.path().join("sha256").join(&hex[..2]).join(&hex), b"hellO").unwrap();
    assert!(matches!(blobs.get(&digest).await, Err(BlobFault::Damaged { .. })));
}

#[tokio::test]
async fn files_that_are_not_blobs_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::local(dir.path()).unwrap();
    std::fs::create_dir_all(dir.path().join("sha256/zz")).unwrap();
    std::fs::write(dir.path().join("sha256/zz/readme"), b"x").unwrap();
    assert!(blobs.list(10).await.unwrap().is_empty());
}
